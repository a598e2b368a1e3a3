#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The layer rules of the house: who may include whom, headers that compile alone, exported runtime symbols.
# usage: tests/layers.sh BUILD   (BUILD has runtime/libck.a)
cd "$(dirname "$0")/.." || exit 1
build=${1:-build/release}
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "layers: $1" >&2; }

# rule DIR 'extended regex of allowed quoted includes'
rule() {
    dir=$1 allowed=$2
    out=$(grep -nE '^#include "' "$dir"/*.c "$dir"/*.h 2>/dev/null | grep -vE "#include \"($allowed)\"")
    if [ -z "$out" ]; then ok; else bad "forbidden include in $dir/:
$out"; fi
}
own='[a-z0-9_]+\.(h|def)'
public='\.\./runtime/(params|npy|file)\.h'
base="\.\./compiler/$own"
rule runtime "$own"
rule frontend "$own|onnx\.pb-c\.h|$base|$public"
rule passes "$own|$base|$public"
rule codegen "$own|$base|$public|\.\./passes/(linmap|pass|sparse)\.h"
for f in compiler/*.c compiler/*.h; do
    case $f in
    compiler/main.c | compiler/cmd*.[ch] | compiler/args.[ch]) continue ;;     # the driver stands on top of everything
    esac
    out=$(grep -nE '^#include "' "$f" | grep -vE "#include \"($own|$public)\"")
    if [ -z "$out" ]; then ok; else bad "forbidden include in $f: $out"; fi
done

# only PATTERN FILES... : a system header is seen in the named files alone
only() {
    header=$1 allowed=$2
    out=$(grep -rlE "^#include <$header>" runtime compiler frontend passes codegen | grep -vE "^($allowed)$")
    if [ -z "$out" ]; then ok; else bad "<$header> included by: $out"; fi
}
only 'omp\.h' 'runtime/thread\.h'
only 'immintrin\.h' 'runtime/[a-z0-9_]*(avx2|avx512|ifma|vaes)[a-z0-9_]*\.[ch]|runtime/[a-z0-9_]*_tmpl\.h'
only 'protobuf-c/.*' 'frontend/.*'
only 'openssl/.*' 'runtime/(drbg|hash)\.c'

for h in compiler/*.h frontend/*.h passes/*.h codegen/*.h runtime/*.h; do
    case $h in
    *_tmpl.h | '*'*) continue ;;
    esac
    flags=
    case $h in
    *avx2*) flags='-mavx2 -mfma' ;;
    *avx512* | *ifma*) flags='-mavx512f -mavx512dq -mavx512vl -mavx512bw -mavx512ifma -mvaes' ;;
    esac
    # shellcheck disable=SC2086
    if printf '#include "%s"\nint header_alone;\n' "$h" |
        ${CC:-gcc} -std=gnu17 -fopenmp -fsyntax-only -I. -I"$build/frontend" $flags -x c - 2>/tmp/layers.$$; then
        ok
    else
        bad "$h does not compile alone: $(head -3 /tmp/layers.$$)"
    fi
done
rm -f /tmp/layers.$$

for lib in "$build"/runtime/libck*.a; do
    out=$(nm --defined-only -g "$lib" 2>/dev/null | awk 'NF == 3 && $3 !~ /^ck_/ {print $3}' | sort -u)
    if [ -z "$out" ]; then ok; else bad "$lib exports without ck_: $out"; fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
