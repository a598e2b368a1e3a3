// SPDX-License-Identifier: Apache-2.0
// Slot-space linear maps seen as generalised diagonals: entry (r, c) of block (o, i) lies on diagonal (c - r) mod n. For the planner,
// for encoding weights and for reports.
#ifndef TACET_PASSES_LINMAP_H
#define TACET_PASSES_LINMAP_H

#include "bsgs.h"

/* Diagonals in use per block of a matrix of nout*n x nin*n. */
void linmap_diagonals(struct arena *, struct bsgs_sets *out, const struct ir_csr *, uint32_t n);

/* One plaintext product: out[o] += rot_giant(pt * rot_baby(in[i])), in the order of struct ck_lin_term: (out, giant, in, baby). */
struct linmap_term {
    uint32_t out, in;
    uint32_t giant, baby;       // indices into the instruction's lists
    uint32_t diagonal;          // (baby + giant) mod n
    int64_t first;              // entries first .. of the next term
};
struct linmap {
    uint32_t n, nin, nout;
    uint32_t nbaby, ngiant, nfold;
    const int64_t *baby, *giant, *fold;
    size_t nterm;
    struct linmap_term *term;   // nterm + 1, the last one closes the entries
    int32_t *slot;              // per entry: row slot within its vector
    double *val;
};
/* Reads a vec.linear or ckks.linear instruction that has its plan. The diagonals must all be baby + giant mod n (else an ICE). */
void linmap_open(struct linmap *out, struct arena *, const struct ir_module *, const struct ir_inst *);

/* pt[0..n): what a term multiplies by: rot_{-giant}(diagonal), that is pt[s + giant] = M[s, s + diagonal]. */
void linmap_plaintext(double *pt, const struct linmap *, size_t term);

struct linmap_counts {
    uint32_t diagonals;         // plaintext products
    uint32_t babies, giants, folds, rotations;      // rotations performed over all ciphertexts; rotations is their sum
    uint32_t additions;         // of ciphertexts; the bias counts one each output
    uint32_t keys;              // distinct rotation amounts
};
struct linmap_counts linmap_count(struct arena *, const struct ir_module *, const struct ir_inst *);
#endif
