#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what the build and the tests need, from Debian's packages; says nothing when all is there.
set -eu
want="gcc clang meson ninja-build pkgconf protobuf-c-compiler libprotobuf-c-dev libonnx-dev libonnx-testdata libssl-dev libmpfr-dev libgmp-dev
zlib1g-dev libomp-dev libclang-rt-14-dev"
missing=
for p in $want; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -qx installed || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "deps: run as root, or install by hand: apt-get install$missing" >&2; exit 1; }
    sudo=sudo
fi
$sudo apt-get update -qq
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing
