// SPDX-License-Identifier: Apache-2.0
// The data part of weights.bin: pieces of bytes, each kept once.
#ifndef TACET_STORE_H
#define TACET_STORE_H

#include "../compiler/arena.h"
#include <stdint.h>
#include <stdio.h>

enum { STORE_ALIGN = 64 };

struct store;
/* Appends to f (opened "w+b") from its present position; offsets count from there. f is borrowed. */
struct store *store_new(struct arena *, FILE *f);
/* Offset of a piece equal to these bytes, a multiple of STORE_ALIGN; -1 when writing fails. */
int64_t store_add(struct store *, const void *bytes, size_t len);
uint64_t store_bytes(const struct store *);
#endif
