// SPDX-License-Identifier: Apache-2.0
// The automorphism of one block of 64 values: rows are taken in another order, each is permuted, and every lane moves up by 0..7 rows, in three
// steps: of 4 with the permutation, of 1, of 2.
#ifndef CK_PERM_AVX512_H
#define CK_PERM_AVX512_H

#include "kernels.h"
#include <immintrin.h>

#define PERM_INLINE static inline __attribute__((always_inline))

/* Rows are held in bit-reversed order: the h-th is row perm_row[h]. */
static const uint8_t perm_row[8] = {0, 4, 2, 6, 1, 5, 3, 7};

/* Where the rows of a block come from: words from its start on. */
PERM_INLINE void perm_sources(size_t from[8], const struct ck_perm *perm)
{
    for (int h = 0; h < 8; h++) from[h] = 8u * perm->row[perm_row[h]];
}

struct perm_turn {
    __m512i lane;
    __mmask8 up1, up2;
};

PERM_INLINE struct perm_turn perm_turn_of(const struct ck_perm *perm, uint32_t s)
{
    const struct ck_perm_turn *t = &perm->turn[s];
    const __m512i high = _mm512_maskz_set1_epi64(t->up[2], 8);        // the second operand of permutex2var
    return (struct perm_turn){_mm512_or_si512(_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)t->lane)), high), t->up[0], t->up[1]};
}

/* The rows of a block before they move up by two: row h of the result is row h of y and, in the lanes up2, row (h + 2) modulo 8. */
PERM_INLINE void perm_turned(__m512i y[8], const uint64_t *in, const size_t from[8], struct perm_turn t)
{
    __m512i x[8];
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) y[h] = _mm512_loadu_si512(in + from[h]);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) x[h] = _mm512_permutex2var_epi64(y[h], t.lane, y[(h + 4) % 8]);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) y[h] = _mm512_mask_blend_epi64(t.up1, x[h], x[(h + 1) % 8]);
}

/* That row h. */
PERM_INLINE __m512i perm_up2(const __m512i y[8], int h, struct perm_turn t)
{
    return _mm512_mask_blend_epi64(t.up2, y[h], y[(h + 2) % 8]);
}
#endif
