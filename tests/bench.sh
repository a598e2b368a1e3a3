#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make bench`: this machine's limits, every kernel, the scheme's operations; a table, and build/bench.json.
set -eu
cd "$(dirname "$0")/.."
grep -m1 'model name' /proc/cpuinfo
"$1"/tests/bench --json build/bench.json
