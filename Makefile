# SPDX-License-Identifier: Apache-2.0
# The front door. Meson describes the build, Ninja runs it; see README.md.
MODE ?= release
CC ?= gcc
BUILD ?= build/$(MODE)
PREFIX ?= /usr/local
SECONDS ?= 60

MESON_release = --buildtype=release
MESON_debug = --buildtype=debug
MESON_asan = --buildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false
MESON_tsan = --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false

.PHONY: deps all demo check check-long bench fuzz install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

deps:
	sh tests/deps.sh

$(BUILD)/build.ninja:
	CC=$(CC) meson setup $(BUILD) --prefix=$(PREFIX) $(MESON_$(MODE)) $(MESON_ARGS)

demo: deps all
	sh models/demo.sh $(BUILD)

check: deps
	sh tests/check.sh

check-long: deps all
	sh tests/check_long.sh $(BUILD)

bench: deps all
	sh tests/bench.sh $(BUILD)

fuzz: deps
	SECONDS_PER_TARGET=$(SECONDS) sh tests/fuzz.sh $(TARGETS)

install: all
	meson install -C $(BUILD)

clean:
	rm -rf build
