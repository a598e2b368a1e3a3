// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds with VAES: 32 counter blocks in eight registers, then the residues of their 64 words. The stream is defined
// in kernels_impl.h.
//
// For an accepted word x: with y = floor(x/2^12) and v = floor(2^64/q) < 2^52 the estimate floor(y v / 2^52) is at most x/q and short
// of it by less than 2^12/q + y/2^52 + 1 < 3, so the remainder is below 3q.
#include "expand_aes.h"
#include "kernels_ifma.h"
#include "mod.h"
#include "vec_ifma.h"
#include <assert.h>
#include <string.h>

// 64 words from block number `block` on; bit i of the result: word i is rejected.
INLINE uint64_t words64(uint64_t *out, vec base, uint32_t block, const vec key[11], const struct consts *c, vec v, vec limit)
{
    const vec flip = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 14, 13, 12));
    const vec four = _mm512_maskz_set1_epi32(0x8888, 4);
    vec count = add(_mm512_maskz_set1_epi32(0x8888, (int)block), _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3));
    vec s[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        s[i] = _mm512_xor_si512(_mm512_xor_si512(base, key[0]), _mm512_shuffle_epi8(count, flip));
        count = _mm512_add_epi32(count, four);
    }
#pragma GCC unroll 9
    for (int r = 1; r < 10; r++)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) s[i] = _mm512_aesenc_epi128(s[i], key[r]);
    uint64_t rejected = 0;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        vec x = _mm512_aesenclast_epi128(s[i], key[10]);
        rejected |= (uint64_t)_mm512_cmpgt_epu64_mask(x, limit) << (8 * i);
        vec h = hi(zero(), _mm512_srli_epi64(x, 12), v);
        vec r = _mm512_and_si512(lo(x, h, c->nq), c->mask);
        store(out + 8 * i, csub(csub(r, c->q2), c->q));
    }
    return rejected;
}

bool ck_expand_ifma(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m)
{
    assert(start % 8 == 0 && n % 8 == 0 && start + n <= 1u << 16);
    if (m->bits < 13) return ck_expand_aesni(out, seed, index, start, n, m);
    const struct consts c = consts_of(m);
    const vec v = splat((uint64_t)(((ck_u128)1 << 64) / m->q)), limit = splat(ck_expand_limit(m->q));
    __m128i round[11];
    vec key[11];
    uint8_t iv[16];
    ck_aes_schedule(round, seed);
    for (int i = 0; i < 11; i++) key[i] = _mm512_broadcast_i32x4(round[i]);
    ck_expand_block(iv, seed, index, 0);
    const vec base = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)iv));
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        uint64_t rejected = words64(out + i, base, (uint32_t)((start + i) / 2), key, &c, v, limit);
        for (; rejected; rejected &= rejected - 1) {
            const size_t k = i + (size_t)__builtin_ctzll(rejected);
            out[k] = ck_expand_replace(round, seed, index, start + k, m);
        }
    }
    return i == n || ck_expand_aesni(out + i, seed, index, start + i, n - i, m);
}
