// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds with VAES: 32 counter blocks in eight registers, then the residues of their 64 words. The stream is defined
// in kernels_impl.h. One port does the rounds (ten a register), so everything else is written for the other one.
//
// For an accepted word x, y = floor(x/2^s) with s a multiple of 8, 2 <= bits - s <= 9, s >= 16, and v = floor(2^(52+s)/q) < 2^51:
// the estimate floor(y v / 2^52) is at most x/q and short of it by less than 2^s/q + y/2^52 + 1 < 2, since 2^s < q/2 and y < 2^48;
// so the remainder is below 2q.
#ifndef CK_STREAM_IFMA_H
#define CK_STREAM_IFMA_H

#include "expand_aes.h"
#include "mod.h"
#include "vec_ifma.h"

enum { STREAM_BITS_MIN = 18 };      // of q

struct stream {
    vec key[11];
    vec counter[8];         // of the first 32 blocks, xor key[0]
    vec bytes;              // the shuffle that divides by 2^s
    vec q, nq, mask, v, limit;
};

INLINE void stream_init(struct stream *t, const uint8_t seed[32], const struct ck_mod *m)
{
    const unsigned bytes = (m->bits - 2) / 8;
    uint8_t shift[16];
    __m128i round[11];
    t->q = splat(m->q);
    t->nq = splat((1ull << 52) - m->q);
    t->mask = splat((1ull << 52) - 1);
    t->v = splat((uint64_t)(((ck_u128)1 << (52 + 8 * bytes)) / m->q));
    t->limit = splat(ck_expand_limit(m->q));
    for (unsigned k = 0; k < 16; k++) shift[k] = k % 8 + bytes < 8 ? (uint8_t)(k + bytes) : 0x80;
    t->bytes = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)shift));
    ck_aes_schedule(round, seed);
    for (int k = 0; k < 11; k++) t->key[k] = _mm512_broadcast_i32x4(round[k]);
    for (int k = 0; k < 8; k++)                 // the last byte of a big-endian block number below 32
        t->counter[k] = _mm512_xor_si512(t->key[0], _mm512_setr_epi64(0, (long long)(4 * k) << 56, 0, (long long)(4 * k + 1) << 56, 0,
                                                                      (long long)(4 * k + 2) << 56, 0, (long long)(4 * k + 3) << 56));
}

/* Counter block 0 of one limb's stream. */
INLINE vec stream_base(const uint8_t seed[32], uint32_t index)
{
    uint8_t iv[16];
    ck_expand_block(iv, seed, index, 0);
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)iv));
}

/* The state of 64 words from block number `block` on, a multiple of 32, before its rounds 1 to 9 ... */
INLINE void stream_begin(vec s[8], vec base, uint32_t block, const struct stream *t)
{
    base = _mm512_xor_si512(base, _mm512_maskz_set1_epi32(0x8888, (int)__builtin_bswap32(block)));
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s[i] = _mm512_xor_si512(base, t->counter[i]);
}

INLINE void stream_round(vec s[8], vec key)
{
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s[i] = _mm512_aesenc_epi128(s[i], key);
}

/* The words of a state after all ten rounds modulo q, below 2q in the low 52 bits; those of `accepted` that are not rejected. */
INLINE __mmask8 stream_words(vec *out, vec x, __mmask8 accepted, const struct stream *t)
{
    *out = lo(x, hi(zero(), _mm512_shuffle_epi8(x, t->bytes), t->v), t->nq);
    return _mm512_mask_cmple_epu64_mask(accepted, x, t->limit);
}

/* What follows the nine rounds: the words, below q or as stream_words leaves them. False if one of them is rejected. */
INLINE bool stream_end(uint64_t *out, const vec s[8], bool reduced, const struct stream *t)
{
    __mmask8 accepted = 0xff;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        vec r;
        accepted = stream_words(&r, _mm512_aesenclast_epi128(s[i], t->key[10]), accepted, t);
        if (reduced) {
            r = _mm512_and_si512(r, t->mask);
            r = _mm512_mask_sub_epi64(r, _mm512_cmpge_epu64_mask(r, t->q), r, t->q);
        }
        store(out + 8 * i, r);
    }
    return accepted == 0xff;
}
#endif
