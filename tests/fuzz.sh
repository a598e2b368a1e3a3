#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make fuzz SECONDS=n`: builds every target in tests/fuzz with clang's libFuzzer, address and undefined sanitisers, and runs each for n
# seconds on its corpus. New inputs stay in build/fuzz/corpus; a finding is named and fails the run.
cd "$(dirname "$0")/.." || exit 1
seconds=${SECONDS_PER_TARGET:-60}
build=build/fuzz
passed=0 failed=0
[ -f $build/build.ninja ] || CC=clang meson setup $build --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
    -Dfuzz=true >/dev/null || exit 1
ninja -C $build >/dev/null || exit 1
for target in $build/tests/fuzz_*; do
    [ -x "$target" ] && [ ! -d "$target" ] || continue
    name=$(basename "$target")
    what=${name#fuzz_}
    [ $# -gt 0 ] && case " $* " in *" $what "*) ;; *) continue ;; esac
    new=$build/corpus/$what
    mkdir -p "$new"
    if "$target" -max_total_time="$seconds" -rss_limit_mb=4096 -timeout=20 -artifact_prefix=$build/ -print_final_stats=1 \
        "$new" tests/fuzz/corpus/"$what" >"$build/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "fuzz: $what: $(awk '/stat::number_of_executed_units/ { print $2 }' "$build/$name.log") inputs in $seconds s, no finding"
    else
        failed=$((failed + 1))
        echo "fuzz: $what: FINDING"
        tail -30 "$build/$name.log"
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
