#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make bench`: this machine's limits, every kernel, the scheme's operations; a table, and build/bench.json.
# usage: tests/bench.sh BUILD
set -eu
cd "$(dirname "$0")/.."
exec "${1:-build/release}"/tests/bench build/bench.json
