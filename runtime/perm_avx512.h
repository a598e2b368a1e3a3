// SPDX-License-Identifier: Apache-2.0
// The automorphism of one block of 64 values: rows are taken in another order, each is permuted, and every lane moves up by 0..7 rows, in three
// steps: of 4 with the permutation, of 1, of 2.
#ifndef CK_PERM_AVX512_H
#define CK_PERM_AVX512_H

#include "kernels.h"
#include <immintrin.h>

// out: 64 words, or += modulo *add if it is not NULL; in: the block that they come from; s: its turn. No alias.
static inline __attribute__((always_inline)) void permute64(uint64_t *out, const uint64_t *in, const struct ck_perm *perm, uint32_t s, const __m512i *add)
{
    static const uint8_t rev[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    const struct ck_perm_turn *t = &perm->turn[s];
    const __m512i high = _mm512_maskz_set1_epi64(t->up[2], 8);        // the second operand of permutex2var
    const __m512i lane = _mm512_or_si512(_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)t->lane)), high);
    __m512i x[8], y[8];
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) y[h] = _mm512_loadu_si512(in + 8 * perm->row[rev[h]]);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) x[h] = _mm512_permutex2var_epi64(y[h], lane, y[(h + 4) % 8]);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) y[h] = _mm512_mask_blend_epi64(t->up[0], x[h], x[(h + 1) % 8]);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) {
        __m512i sum = _mm512_mask_blend_epi64(t->up[1], y[h], y[(h + 2) % 8]);
        if (add) {
            sum = _mm512_add_epi64(sum, _mm512_loadu_si512(out + 8 * rev[h]));
            sum = _mm512_min_epu64(sum, _mm512_sub_epi64(sum, *add));
        }
        _mm512_storeu_si512(out + 8 * rev[h], sum);
    }
}
#endif
