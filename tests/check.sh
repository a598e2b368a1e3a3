#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make check`: layers, gcc and clang with warnings as errors, unit tests under gcc, clang and asan+ubsan, end to end.
# Each runner closes with "N passed, N failed, N skipped"; the last line sums them.
cd "$(dirname "$0")/.." || exit 1
total_passed=0 total_failed=0 total_skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# sum LABEL STATUS < log : adds the closing lines of a log; a failed run without any counts as one failure
sum() {
    counts=$(awk '/^([a-z]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
        sub(/^[a-z]+: /, ""); p += $1; f += $3; s += $5 } END { print p + 0, f + 0, s + 0 }' "$log")
    # shellcheck disable=SC2086
    set -- "$1" "$2" $counts
    [ "$2" != 0 ] && [ "$4" = 0 ] && set -- "$1" "$2" "$3" 1 "$5"
    total_passed=$((total_passed + $3)) total_failed=$((total_failed + $4)) total_skipped=$((total_skipped + $5))
    echo "== $1: $3 passed, $4 failed, $5 skipped ($(($(date +%s) - start)) s)"
    [ "$4" != 0 ] && grep -nE 'FAIL|ERROR|[Ee]rror:|failed' "$log" | head -60
    return 0
}

# config NAME CC MODE SUITE... : builds and runs the suites. Warnings are errors in release builds; under sanitisers gcc warns falsely.
config() {
    name=$1 cc=$2 mode=$3 werror=false
    shift 3
    [ "$mode" = release ] && werror=true
    start=$(date +%s)
    build=build/check-$name
    status=0
    if make --no-print-directory BUILD="$build" CC="$cc" MODE="$mode" MESON_ARGS=-Dwerror=$werror all >"$log" 2>&1; then
        suites=
        for s in "$@"; do suites="$suites --suite $s"; done
        # shellcheck disable=SC2086
        meson test -C "$build" --no-rebuild --print-errorlogs $suites >/tmp/check.$$ 2>&1 || status=1
        tail -40 /tmp/check.$$ | grep -E 'FAIL|TIMEOUT|Ok:|Fail:' | grep -vE ' 0$'
        cat "$build"/meson-logs/testlog.txt >"$log" 2>/dev/null
        rm -f /tmp/check.$$
    else
        status=1
        tail -30 "$log"
    fi
    sum "$name" $status
}

config gcc gcc release unit e2e
start=$(date +%s)
sh tests/layers.sh build/check-gcc >"$log" 2>&1; sum layers $?
config clang clang release unit
config asan gcc asan unit fuzz

echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" = 0 ] && [ "$total_passed" -gt 0 ]
