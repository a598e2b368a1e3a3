#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models end to end: compile, then key generation, encryption, server and decryption as separate processes; the encrypted results
# must pick the same class as the plain model on every sample and stay within a share of its range.
# usage: tests/e2e.sh BUILD [MODEL.onnx INPUT.npy SAMPLES RATIO [compile options]]
cd "$(dirname "$0")/.." || exit 1
build=$(cd "${1:-build/release}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0 skipped=0

# model ONNX INPUT SAMPLES RATIO OPTIONS...
model() {
    onnx=$1 input=$2 count=$3 ratio=$4
    shift 4
    name=$(basename "$onnx" .onnx)
    rm -rf "$tmp/out"
    if ! "$build/tacet" compile "$onnx" -o "$tmp/out" --quiet "$@" >"$tmp/log" 2>&1 ||
        ! "$build/tacet" run "$tmp/out" --input "$input" --first "$count" --quiet >>"$tmp/log" 2>&1; then
        failed=$((failed + 1))
        echo "e2e: $name failed"
        sed 's/^/    /' "$tmp/log" | tail -5
        return
    fi
    line=$(grep 'largest error' "$tmp/log" | head -1)
    server=$(awk '/^server/ { print $2, "s, peak", $6, $7 }' "$tmp/log")
    if echo "$line" | awk -v want="$ratio" -v count="$count" '{
            for (i = 1; i <= NF; i++) { if ($i == "(ratio") r = $(i + 1) + 0; if ($i == "equal") { same = $(i + 2); all = $(i + 4) } }
            exit !(r <= want + 0 && same == all && all == count) }'; then
        passed=$((passed + 1))
        echo "e2e: $name: $line; server $server"
    else
        failed=$((failed + 1))
        echo "e2e: $name is wrong: $line"
    fi
}

# check NAME WANTED-EXIT-CODE REGEX ARGS...: a tacet command on folders of this script
check() {
    what=$1 code=$2 want=$3
    shift 3
    "$build/tacet" "$@" >"$tmp/log" 2>&1
    got=$?
    if [ $got = "$code" ] && { [ -z "$want" ] || grep -qE -- "$want" "$tmp/log"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "e2e: $what: exit $got, wanted $code and \"$want\""
        sed 's/^/    /' "$tmp/log" | tail -12
    fi
}

# Layer by layer: right weights agree with the simulation; weights rounded to 6 bits, behind a program that says 20, are found at the first
# layer.
compare() {
    x=models/fashion.x.npy calib=models/fashion.calib.npy m=models/mlp_square.onnx
    check 'compile' 0 '' compile $m -o "$tmp/good" --calib $calib --quiet
    check 'compile, 6 bits' 0 '' compile $m -o "$tmp/rough" --calib $calib --precision 6 --quiet
    check 'a line a layer' 0 '^/3/Gemm .* 3 -> 2 .* ms' run "$tmp/good" --input $x --first 1 --layers --threads 1 --json "$tmp/run.json" --quiet
    if grep -qE '"part": "all", "predicted": [0-9.e-]+, "measured": ' "$tmp/run.json"; then passed=$((passed + 1))
    else failed=$((failed + 1)) && echo "e2e: run --json lacks the times of the parts"; fi
    check 'compare' 0 'every layer is within tolerance' compare "$tmp/good" --input $x --first 2 --threads 1 --quiet --keys "$tmp/k" --json "$tmp/c.json"
    check 'compare, tight' 1 '/1/Gemm: layer 1 is the first of 5 out of tolerance' compare "$tmp/good" --input $x --tolerance 1e-9 --threads 1 --quiet \
        --keys "$tmp/k"
    check 'compare, the 6 bits known' 0 'every layer is within tolerance' compare "$tmp/rough" --input $x --threads 1 --quiet
    cp "$tmp/good/program.ir" "$tmp/good/program.ir.npz" "$tmp/rough"
    check 'compare, rough weights' 1 '/1/Gemm: layer 1 is the first of 5 out of tolerance' compare "$tmp/rough" --input $x --threads 1 --quiet
    cp "$tmp/good/plan.json" "$tmp/rough" && check 'plan' 0 '' inspect "$tmp/rough"
}

# Keys within a budget, of which the program needs four times as much: most rotations are composed; the same answers, within the model's error.
few_keys() {
    m=models/mlp_square.onnx
    check 'compile --key-memory' 0 'keys: .* instead of [0-9]+; [0-9]+ rotations composed' compile $m -o "$tmp/few" --calib models/fashion.calib.npy \
        --key-memory 10MiB
    check 'inspect --keys' 0 '^rotations without a key' inspect "$tmp/few" --keys
    check 'compare, few keys' 0 'every layer is within tolerance' compare "$tmp/few" --input models/fashion.x.npy --first 2 --quiet --keys "$tmp/fk"
    bytes=$(stat -c %s "$tmp/fk/eval.keys" 2>/dev/null || stat -f %z "$tmp/fk/eval.keys")
    if [ "${bytes:-0}" -gt 0 ] && [ "$bytes" -le 10485760 ]; then passed=$((passed + 1))
    else failed=$((failed + 1)) && echo "e2e: eval.keys takes $bytes bytes of 10 MiB"; fi
    check 'run, few keys' 0 'top-1 equal in 5 of 5' run "$tmp/few" --input models/fashion.x.npy --first 5 --keys "$tmp/fk" --quiet
}

# Bootstraps between layers, at full security: keys of 1.4 GiB on disk, 4 GiB of memory.
deep() {
    memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo 2>/dev/null)
    disk=$(df -Pk "$tmp" | awk 'END { print int($4 / 1048576) }')
    if [ "${memory:-0}" -lt 6 ] || [ "$disk" -lt 4 ]; then
        skipped=$((skipped + 1))
        echo "e2e: skipped: bootstraps want 6 GiB of memory and 4 GiB of disk, here are ${memory:-?} and $disk"
        return
    fi
    model models/lenet5_relu.onnx models/fashion.x.npy 1 0.03 --calib models/fashion.calib.npy --bootstrap 9
    check 'simulated bootstraps' 0 'top-1 equal in (9[5-9]|100) of 100' simulate "$tmp/out" --input models/fashion.x.npy --quiet
    # one image of 255 everywhere, 255 times the calibrated range
    { printf '\223NUMPY\1\0v\0'; printf '%-117s\n' "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1, 28, 28), }"
      head -c 784 /dev/zero | tr '\0' '\377'; } >"$tmp/bright.npy"
    check 'values beyond the bootstrap' 0 'what is bootstrapped leaves the planned range in 1 of 1' simulate "$tmp/out" --input "$tmp/bright.npy"
    if grep -q '"bootstraps": [1-9]' "$tmp/out/plan.json"; then passed=$((passed + 1))
    else failed=$((failed + 1)) && echo "e2e: --bootstrap 9 inserts none"; fi
}

# Three ciphertexts in one bundle: two share a bootstrap, one goes alone.
three() {
    check 'bundles' 0 '' compile tests/e2e/three.ir --start-at levels --input-range=-1,1 -o "$tmp/out" --quiet
    printf '\223NUMPY\1\0v\0%-117s\n' "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 24), }" >"$tmp/three.npy"
    printf '\1\377\0\1\1\377\0\377\1\1\1\1\0\0\0\377\377\1\0\1\1\1\377\377' >>"$tmp/three.npy"
    check 'a bundle of three bootstrapped' 0 'every layer is within tolerance' compare "$tmp/out" --input "$tmp/three.npy"
}

if [ $# -gt 1 ]; then
    shift
    model "$@"
else
    model models/mlp_square.onnx models/fashion.x.npy 10 1e-3
    model models/cryptonets_square.onnx models/fashion.x.npy 3 1e-3
    model models/mlp_square.onnx models/fashion.x.npy 10 1e-3 --batch 4     # groups of 4, 4 and 2
    model models/cryptonets_square.onnx models/fashion.x.npy 8 1e-3 --batch 8
    few_keys
    deep
    three
    compare
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
