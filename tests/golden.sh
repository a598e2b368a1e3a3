#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Golden tests: each tests/golden/PASS/x.ir is run through PASS ("parse" and "verify": no pass) and must print x.out, or fail with the
# message in x.err; x.flags may hold options. What passes print is the text of docs/IR.md with small constants in it.
# usage: tests/golden.sh BUILD [--update]     --update rewrites the expectations: read the diff before you commit it
cd "$(dirname "$0")/golden" || exit 1
tacet=../../${1:-build/release}/tacet
case $1 in /*) tacet=$1/tacet ;; esac
passed=0 failed=0
got=$(mktemp) && err=$(mktemp) || exit 1
trap 'rm -f "$got" "$err"' EXIT

for ir in */*.ir; do
    pass=${ir%%/*}
    case $pass in parse | verify) pass= ;; esac
    flags=$(cat "${ir%.ir}.flags" 2>/dev/null)
    "$tacet" opt "$ir" --passes "$pass" $flags --constants 64 >"$got" 2>"$err"
    status=$?
    if [ $status = 0 ]; then want=${ir%.ir}.out from=$got; else want=${ir%.ir}.err from=$err; fi
    if [ "$2" = --update ] && [ $status -le 1 ]; then
        rm -f "${ir%.ir}.out" "${ir%.ir}.err"
        cp "$from" "$want"
    fi
    if [ $status -le 1 ] && diff -u "$want" "$from" >&2; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "golden: $ir failed (status $status)" >&2
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
