// SPDX-License-Identifier: Apache-2.0
// Sets of diagonals as bits, and whole rows marked at once: the slots that a row reads are one bit set, which a moved row reads shifted.
#ifndef TACET_PASSES_MARKS_H
#define TACET_PASSES_MARKS_H

#include "../compiler/arena.h"
#include <stdbool.h>
#include <stdint.h>

/* Used diagonals of `blocks` blocks of `modulus` (a power of two) each, and how many there are. */
struct marks {
    uint64_t *word;             // (modulus + 63) / 64 a block
    uint32_t modulus, words;    // words of a block
    int64_t count;
};
void marks_init(struct marks *, struct arena *, size_t blocks, uint32_t modulus);
void marks_add(struct marks *, size_t block, uint32_t d);
bool marks_has(const struct marks *, size_t block, uint32_t d);

/* The slots that a row reads: bit k stands for slot lo + k, which may be in any vector. */
struct marks_shape {
    int64_t lo, size;           // size in bits; 0: not known
    uint64_t *word;
};
void marks_shape_init(struct marks_shape *, struct arena *, int64_t lo, int64_t hi);      // slots lo..hi, none read yet
void marks_shape_add(struct marks_shape *, int64_t slot);

/* A row at slot s of its vector reads the shape moved by `by` slots: slot x of vector b gives diagonal (x - s) mod modulus of block first + b, for
 * vectors of `modulus` slots, a multiple of 64. */
void marks_add_shape(struct marks *, size_t first, const struct marks_shape *, int64_t by, uint32_t s);
#endif
