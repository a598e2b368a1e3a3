#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Models end to end: compile, then key generation, encryption, server and decryption as separate processes; the encrypted results
# must pick the same class as the plain model on every sample and stay within a share of its range.
# usage: tests/e2e.sh BUILD [MODEL.onnx INPUT.npy SAMPLES RATIO [compile options]]
cd "$(dirname "$0")/.." || exit 1
build=$(cd "${1:-build/release}" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0

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

if [ $# -gt 1 ]; then
    shift
    model "$@"
else
    model models/mlp_square.onnx models/fashion.x.npy 10 1e-3
    model models/cryptonets_square.onnx models/fashion.x.npy 3 1e-3
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
