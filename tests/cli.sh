#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The tacet command as a user meets it: help, exit codes, messages that name the culprit, nothing left behind after an error.
# usage: tests/cli.sh BUILD
cd "$(dirname "$0")/.." || exit 1
build=$(cd "${1:-build/release}" && pwd)
tacet=$build/tacet
model=models/mlp_square.onnx
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "cli: $1"; sed 's/^/    /' "$tmp/err" | head -5; }

# expect CODE 'regex on stderr or stdout' ARGS...
expect() {
    code=$1 want=$2
    shift 2
    "$tacet" "$@" >"$tmp/out" 2>"$tmp/err"
    got=$?
    if [ $got != "$code" ]; then bad "tacet $*: exit $got, not $code"; return; fi
    if [ -n "$want" ] && ! grep -qE -- "$want" "$tmp/out" "$tmp/err"; then bad "tacet $*: no \"$want\""; return; fi
    ok
}

expect 0 'usage: tacet COMMAND' --help
expect 0 '^tacet [0-9]+\.[0-9]+' --version
expect 1 'usage' 
expect 1 'no command "compil"' compil
for c in compile inspect run compare simulate opt; do expect 0 "usage: tacet $c" $c --help; done
expect 1 'argument is missing' compile
expect 1 'unknown option --outptu' compile $model --outptu "$tmp/x"
expect 1 'no output' compile $model
expect 1 'nothere.onnx' compile nothere.onnx -o "$tmp/x"
expect 1 'README.md|LICENSE' compile LICENSE -o "$tmp/x"
expect 1 '--security.*128' compile $model -o "$tmp/x" --security 80
expect 1 '--logn' compile $model -o "$tmp/x" --logn 20
expect 1 '--key-memory' compile $model -o "$tmp/x" --key-memory lots
expect 1 '--batch.*power of two' compile $model -o "$tmp/x" --batch 3
expect 1 '--batch.*more slots' compile $model -o "$tmp/x" --batch 32768
expect 1 '--input-range' compile $model -o "$tmp/x" --input-range 1,0
expect 1 '--calib' compile $model -o "$tmp/x" --calib nothere.npy
expect 1 'shape' compile $model -o "$tmp/x" --calib models/fashion.y.npy
expect 1 'the server will need [0-9]+ MiB' compile $model -o "$tmp/x" --calib models/fashion.calib.npy --memory 10MiB
expect 1 'the evaluation keys take [0-9]+ MiB at least, .* --key-memory [0-9]+MiB' compile $model -o "$tmp/x" --calib models/fashion.calib.npy \
    --key-memory 1MiB
enough=$(sed -n 's/.* --key-memory \([0-9]*MiB\).*/\1/p' "$tmp/err")
expect 0 '' compile $model -o "$tmp/fits" --calib models/fashion.calib.npy --no-build --key-memory "$enough"     # the number that would do
expect 1 'no pass "nothing"' compile $model -o "$tmp/x" --stop-after nothing
expect 1 'reads IR text' compile $model -o "$tmp/x" --start-at fold
expect 1 '--runtime' compile $model -o "$tmp/x" --runtime "$tmp" --no-build
[ -z "$(find "$tmp" -name 'x*')" ] && ok || bad "files were left behind"
mkdir "$tmp/taken" && touch "$tmp/taken/mine"
expect 1 'other files' compile $model -o "$tmp/taken" --no-build
[ -f "$tmp/taken/mine" ] && ok || bad "a foreign folder was replaced"
touch "$tmp/file"
expect 1 'not a folder' compile $model -o "$tmp/file" --no-build
expect 1 'plan.json' inspect "$tmp/taken"
expect 1 'no built programs' run "$tmp/taken" --input models/fashion.x.npy
expect 1 'no input' run "$tmp/taken"
expect 1 'no input' simulate "$tmp/taken"
expect 1 'no input' compare "$tmp/taken"
expect 1 '--tolerance' compare "$tmp/taken" --input models/fashion.x.npy --tolerance none
expect 1 'one sample' compare "$tmp/taken" --input models/fashion.x.npy --first 0

# passes on text, text out and back in
expect 0 '' compile $model --stop-after fold -o "$tmp/a.ir" -q
expect 0 'tensor\.' opt "$tmp/a.ir"
"$tacet" opt "$tmp/a.ir" >"$tmp/a.txt" 2>"$tmp/err"
cmp -s "$tmp/a.txt" "$tmp/a.ir" && ok || bad "opt without passes changes the text"
expect 0 '' compile "$tmp/a.ir" --start-at calibrate --stop-after bsgs -o "$tmp/b.ir" -q
expect 0 'vec\.linear' opt "$tmp/b.ir"
expect 1 'no pass "nothing"' opt "$tmp/b.ir" --passes nothing
expect 1 'dialect' opt "$tmp/b.ir" --passes affine
expect 0 'fold +' opt --list
expect 0 'guessed' compile $model -o "$tmp/g" --no-build -q
expect 0 'after fold' compile $model --stop-after affine --dump-after fold -q

# the same input and options give the same bytes
expect 0 '' compile $model -o "$tmp/one" --no-build -q
expect 0 '' compile $model -o "$tmp/two" --no-build -q
diff -r "$tmp/one" "$tmp/two" >/dev/null && ok || bad "two plans differ"
expect 0 '' compile $model -o "$tmp/built" -q
expect 0 '' compile $model -o "$tmp/again" -q
diff -r -x client -x server -x '*.o' -x '.ninja*' "$tmp/built" "$tmp/again" >/dev/null && ok || bad "two compilations differ"
expect 0 'rotations' inspect "$tmp/one"
expect 0 '"totals"' inspect --json "$tmp/one"
expect 0 'relinearisation' inspect --keys "$tmp/one"
expect 0 'activation .* %' inspect "$tmp/one"
expect 1 'no built programs' run "$tmp/one" --input models/fashion.x.npy
expect 1 'no built programs' compare "$tmp/one" --input models/fashion.x.npy
expect 0 'largest error' simulate "$tmp/one" --input models/fashion.x.npy --output "$tmp/y.npy" -q
expect 1 'shape' simulate "$tmp/one" --input models/fashion.y.npy
expect 1 'give a number' compile $model --batch auto --stop-after bsgs
expect 0 'batches of [0-9]+ samples: .* predicted' compile $model -o "$tmp/auto" --no-build --batch auto
expect 0 'batch   [0-9]+ samples in one run' inspect "$tmp/auto"
[ -z "$(find "$tmp/auto" -name 'batch.ir*')" ] && ok || bad 'trial plans were left behind'
expect 0 '' compile $model -o "$tmp/four" --no-build -q --batch 4
expect 0 'batch   4 samples in one run' inspect "$tmp/four"
expect 0 'top-1 equal in 10 of 10' simulate "$tmp/four" --input models/fashion.x.npy --first 10 -q
expect 1 'the model has 1 input' simulate "$tmp/one" --input models/fashion.x.npy --input models/fashion.x.npy
expect 0 '' compile $model -o "$tmp/one" --no-build -q
[ -z "$(find "$tmp" -name '*.tmp-*')" ] && ok || bad "temporary folders were left behind"

# what cannot be written or read: one message, no crash
if [ -w /dev/full ]; then
    for c in "inspect $tmp/two" "opt $tmp/two/program.ir" --help; do
        "$tacet" $c >/dev/full 2>"$tmp/err"
        [ $? = 1 ] && grep -q 'standard output: cannot be written' "$tmp/err" && ok || bad "$c to a full device"
    done
fi
sed 's/\[28:28\] \[28:1\]/[28:28] [28:10/' "$tmp/two/program.ir" >"$tmp/one/program.ir"
expect 1 'layout is not one' simulate "$tmp/one" --input models/fashion.x.npy
sed 's/bias=@[a-z0-9_.]*/bias=@nothing/' "$tmp/two/model.ir" >"$tmp/one/model.ir"
cp "$tmp/two/program.ir" "$tmp/one/program.ir"
expect 1 'no constant .nothing.' simulate "$tmp/one" --input models/fashion.x.npy
for bytes in 0 1 200 1200 3000; do
    head -c $bytes "$tmp/two/plan.json" >"$tmp/cut" && cp "$tmp/cut" "$tmp/one/plan.json"
    expect 1 'plan.json: is (damaged|not a plan)' inspect "$tmp/one"
    [ "$(wc -l <"$tmp/err")" = 1 ] && ok || bad "more than one message"
done
for text in 7 '{}' '{"layers": [], "parameters": {}, "totals": {}}' '{"layers": [1], "parameters": 1, "totals": 1}' \
    '{"layers": [{"value": 1e99, "ciphertexts": -1}], "parameters": {}, "totals": {}}'; do
    echo "$text" >"$tmp/one/plan.json"
    expect 1 'plan.json: is (damaged|not a plan)' inspect "$tmp/one"
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
