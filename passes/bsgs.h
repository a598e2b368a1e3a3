// SPDX-License-Identifier: Apache-2.0
// Baby-step giant-step plans of sets of generalised diagonals.
#ifndef TACET_PASSES_BSGS_H
#define TACET_PASSES_BSGS_H

#include "../compiler/linmap.h"

/* Prices in rotations. A baby step shares its decomposition with the other baby steps of its ciphertext (hoisting). */
struct bsgs_weights {
    double baby, giant, fold;
    double hoist;               // first baby step of an input ciphertext, on top of `baby`
    double product;             // one plaintext product with its addition
    double key;                 // one distinct rotation key
};
extern const struct bsgs_weights bsgs_weights_default;

/* Every diagonal of every block is baby + giant modulo the modulus. Amounts are signed, smallest in magnitude. */
struct bsgs_plan {
    uint32_t nbaby, ngiant;
    int64_t *baby, *giant;      // ascending
    double cost;                // by the weights, products included
    uint32_t nunion;            // distinct diagonals over all blocks
    uint32_t *union_d;          // ascending
    uint32_t *of_baby, *of_giant;   // per distinct diagonal: its pair
};
void bsgs_plan(struct arena *, struct bsgs_plan *out, const struct linmap_sets *, const struct bsgs_weights *);

/* A plan of given steps; false if they do not reach every diagonal. */
bool bsgs_plan_given(struct arena *, struct bsgs_plan *out, const struct linmap_sets *, const struct bsgs_weights *,
                     const int64_t *baby, uint32_t nbaby, const int64_t *giant, uint32_t ngiant);

/* Index of a diagonal in union_d; absent is an ICE. */
uint32_t bsgs_find(const struct bsgs_plan *, uint32_t d);
#endif
