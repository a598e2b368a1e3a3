// SPDX-License-Identifier: Apache-2.0
// Slot-space linear maps seen as generalised diagonals: entry (r, c) of block (o, i) lies on diagonal d = (c - r) mod n. With d = g + b,
//     M x = sum_d D_d . rot_d(x) = sum_g rot_g( sum_b rot_-g(D_{g+b}) . rot_b(x) ),     D_d[s] = M[s, s + d].
// For the planner, for encoding weights and for reports.
#ifndef TACET_LINMAP_H
#define TACET_LINMAP_H

#include "ir.h"

/* Diagonals of a matrix of nout x nin blocks, modulo `modulus`: those of block (o, i) are d[ptr[o*nin+i]] up to
 * d[ptr[o*nin+i+1]], ascending, each below the modulus. */
struct linmap_sets {
    uint32_t modulus, nin, nout;
    const uint32_t *ptr, *d;
};

/* Diagonals in use per block of a matrix of nout*n x nin*n. */
void linmap_diagonals(struct arena *, struct linmap_sets *out, const struct ir_csr *, uint32_t n);

/* The same without blocks: used[d] = 1 for every diagonal of the matrix, used has n bytes. */
void linmap_union(uint8_t *used, const struct ir_csr *, uint32_t n);

/* One plaintext product: y[out] += rot_giant(pt . rot_baby(x[in])). */
struct linmap_term {
    uint32_t in, giant, baby;       // input vector; indices into the lists of steps
    uint32_t diagonal;              // giant + baby modulo n
};
struct linmap_steps {                // amounts in slots, multiples of the batch; everything else here is in slots of one sample
    const int64_t *giant, *baby, *fold;
    size_t ngiant, nbaby, nfold;
    int64_t batch;                  // 0 counts as 1
};
struct linmap_steps linmap_steps(const struct ir_module *, const struct ir_inst *);       // of a linear instruction that has its plan

/* The terms of output vector `out`, sorted by (giant, in, baby). A diagonal goes to the first (giant, baby) in order of giant, then
 * baby, that reaches it; one that none reaches is an ICE. Returns their number. */
size_t linmap_terms(struct linmap_term **terms, struct arena *, const struct linmap_sets *, uint32_t out, const struct linmap_steps *);

/* pt[k*n..]: the plaintexts of `count` terms of output vector `out`: pt[s + giant] = M[s, s + diagonal]. Zeroed here first. */
void linmap_plaintexts(double *pt, const struct linmap_term *, size_t count, const struct ir_csr *, uint32_t n, uint32_t out,
                       const struct linmap_steps *);

struct linmap_counts {
    uint64_t diagonals;             // plaintext products
    uint64_t babies, giants, folds, rotations;      // rotations performed over all ciphertexts; rotations is their sum
    uint64_t additions;             // of ciphertexts; the bias counts one each output
    uint64_t keys;                  // distinct rotation amounts
};
struct linmap_counts linmap_count(const struct ir_module *, const struct ir_inst *);
#endif
