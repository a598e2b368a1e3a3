// SPDX-License-Identifier: Apache-2.0
// Twiddles of one prime and one size: shared by the transforms of all kernel tables.
#ifndef CK_NTT_H
#define CK_NTT_H

#include "kernels.h"

/* Forms of the tables w and wq. DOUBLE stores doubles in both arrays. */
enum ck_twiddles {
    CK_TW_SHOUP64,      // w reduced, wq = floor(w 2^64 / q)
    CK_TW_SHOUP52,      // w reduced, wq = floor(w 2^52 / q); of w only the first N/8 words exist, all but the last three stages
    CK_TW_DOUBLE,       // w centred in (-q/2, q/2), wq = w/q rounded
};

enum {
    CK_NTT_FAST_LOGN = CK_NTT_TILE_LOGN,    // smaller transforms use SHOUP64 and the scalar code in every table
    CK_NTT_BLOCK = 64,          // the last six stages work on blocks of 64, stored as the 8x8 transpose
};

/* The forward transform is the negacyclic Cooley-Tukey one: stage s = 0..logn-1 has m = 2^s groups, and group i multiplies by
 * psi^brv(m+i), psi = zeta the 2N-th root; natural order in, bit-reversed order out. The inverse is its mirror image. Where
 * N >= 64, element 8r+c of each block of 64 outputs is stored at 8c+r, and the twiddles of the last two stages follow:
 *   stage N/8 groups:  group 8b+r        of block b at  w[N/8 + 8b + r]
 *   stage N/4 groups:  group 16b+2r+h    of block b at  w[N/4 + 16b + 8h + r]
 *   stage N/2 groups:  group 32b+4r+h    of block b at  w[N/2 + 32b + 8h + r]
 * so that eight lanes r read eight consecutive words. w[0] is unused. */
struct ck_ntt {
    struct ck_mod mod;
    uint32_t logn, form;
    union { uint64_t *u; double *d; } w, wq, iw, iwq;   // own; forward and inverse
    struct ck_shoup ninv;       // 1/N
    struct ck_shoup ninvw;      // iw[1]/N: the last inverse stage divides by N as well
};

void ck_ntt_c(uint64_t *a, const struct ck_ntt *);
void ck_intt_c(uint64_t *a, const struct ck_ntt *);
void ck_ntt_columns_c(uint64_t *a, const struct ck_ntt *);
void ck_ntt_block_c(uint64_t *a, uint32_t b, const struct ck_ntt *, const uint64_t *ahead);
void ck_intt_block_c(uint64_t *a, uint32_t b, const struct ck_ntt *);
void ck_intt_columns_c(uint64_t *a, const struct ck_ntt *);
#endif
