#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make check-long`: what takes longer than `make check` may: bootstraps by the thousand and at full size, all bundled models on all
# samples, the shared models where they lie beside the repository.
cd "$(dirname "$0")/.." || exit 1
build=$1
status=0
run() {
    echo "== $*"
    "$@" || status=1
}
run "$build"/tests/t_ck_boot long
run "$build"/tests/t_ck_boot full
run "$build"/tests/onnx_testdata --tacet "$build"/tacet --simulate
run sh tests/e2e.sh "$build" models/mlp_square.onnx models/fashion.x.npy 100 1e-3 --calib models/fashion.calib.npy
run sh tests/e2e.sh "$build" models/cryptonets_square.onnx models/fashion.x.npy 100 1e-3 --calib models/fashion.calib.npy
run sh tests/e2e.sh "$build" models/lenet5_square.onnx models/fashion.x.npy 20 1e-3 --calib models/fashion.calib.npy
run sh tests/e2e.sh "$build" models/lenet5_relu.onnx models/fashion.x.npy 20 1 --calib models/fashion.calib.npy
shared=../shared/models
for m in mlp_square_mnist lola_mnist cryptonets_mnist lenet5_relu_mnist; do
    if [ -f $shared/$m.onnx ]; then
        run sh tests/e2e.sh "$build" $shared/$m.onnx $shared/$m.in.npy 20 1 --calib $shared/$m.in.npy
    else
        echo "skipped: $shared/$m.onnx is not here"
        echo "0 passed, 0 failed, 1 skipped"
    fi
done
# A deep one, one image: keys of 2 GiB, 18 s on two cores.
if [ -f $shared/resnet20_cifar10.onnx ]; then
    run sh tests/e2e.sh "$build" $shared/resnet20_cifar10.onnx $shared/resnet20_cifar10.in.npy 1 1 --calib $shared/resnet20_cifar10.in.npy
else
    echo "skipped: $shared/resnet20_cifar10.onnx is not here"
    echo "0 passed, 0 failed, 1 skipped"
fi
exit $status
