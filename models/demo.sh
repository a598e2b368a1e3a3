#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The demonstration: a bundled network is compiled and classifies real Fashion-MNIST images under encryption.
# usage: models/demo.sh BUILD [MODEL [IMAGES]]
set -eu
cd "$(dirname "$0")/.."
build=$1 model=${2:-mlp_square} images=${3:-10}
out=$build/demo-$model
classes=T-shirt,trousers,pullover,dress,coat,sandal,shirt,sneaker,bag,boot

echo "== compile models/$model.onnx"
"$build/tacet" compile "models/$model.onnx" -o "$out" --calib models/fashion.calib.npy
"$build/tacet" inspect "$out"
echo
echo "== run on $images encrypted images: keys, encryption, server and decryption are separate processes"
"$build/tacet" run "$out" --input models/fashion.x.npy --first "$images" --labels models/fashion.y.npy --classes $classes
