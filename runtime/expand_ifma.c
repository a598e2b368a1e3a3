// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds with VAES: 32 counter blocks in eight registers, then the residues of their 64 words. The stream is defined
// in kernels_impl.h. One port does the rounds (ten a register), so everything else is written for the other one.
//
// For an accepted word x, y = floor(x/2^s) with s a multiple of 8, 2 <= bits - s <= 9, s >= 16, and v = floor(2^(52+s)/q) < 2^51:
// the estimate floor(y v / 2^52) is at most x/q and short of it by less than 2^s/q + y/2^52 + 1 < 2, since 2^s < q/2 and y < 2^48;
// so the remainder is below 2q.
#include "expand_aes.h"
#include "kernels_ifma.h"
#include "mod.h"
#include "vec_ifma.h"
#include <assert.h>

struct stream {
    vec key[11];
    vec first[8];           // the first 32 counter blocks, xor key[0]
    vec bytes;              // the shuffle that divides by 2^s
    vec q, nq, mask, v, limit;
};

// 64 words from block number `block`, a multiple of 32; false if one of them is rejected.
INLINE bool words64(uint64_t *out, uint32_t block, const struct stream *t)
{
    const vec count = _mm512_maskz_set1_epi32(0x8888, (int)__builtin_bswap32(block));
    vec s[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) s[i] = _mm512_xor_si512(t->first[i], count);
#pragma GCC unroll 9
    for (int r = 1; r < 10; r++)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) s[i] = _mm512_aesenc_epi128(s[i], t->key[r]);
    __mmask8 accepted = 0xff;
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        vec x = _mm512_aesenclast_epi128(s[i], t->key[10]);
        accepted = _mm512_mask_cmple_epu64_mask(accepted, x, t->limit);
        vec h = hi(zero(), _mm512_shuffle_epi8(x, t->bytes), t->v);
        vec r = _mm512_and_si512(lo(x, h, t->nq), t->mask);
        store(out + 8 * i, _mm512_mask_sub_epi64(r, _mm512_cmpge_epu64_mask(r, t->q), r, t->q));
    }
    return accepted == 0xff;
}

bool ck_expand_ifma(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m, const void *ahead)
{
    assert(start % 8 == 0 && n % 8 == 0 && start + n <= 1u << 16);
    size_t i = (64 - start % 64) % 64;          // words before the first group of 32 blocks
    if (m->bits < 18 || i + 64 > n) return ck_expand_aesni(out, seed, index, start, n, m, ahead);
    if (i && !ck_expand_aesni(out, seed, index, start, i, m, ahead)) return false;
    const unsigned bytes = (m->bits - 2) / 8;
    struct stream t = {
        .q = splat(m->q), .nq = splat((1ull << 52) - m->q), .mask = splat((1ull << 52) - 1),
        .v = splat((uint64_t)(((ck_u128)1 << (52 + 8 * bytes)) / m->q)), .limit = splat(ck_expand_limit(m->q)),
    };
    uint8_t shift[16], iv[16];
    for (unsigned k = 0; k < 16; k++) shift[k] = k % 8 + bytes < 8 ? (uint8_t)(k + bytes) : 0x80;
    t.bytes = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)shift));
    __m128i round[11];
    ck_aes_schedule(round, seed);
    for (int k = 0; k < 11; k++) t.key[k] = _mm512_broadcast_i32x4(round[k]);
    ck_expand_block(iv, seed, index, 0);
    const vec base = _mm512_xor_si512(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)iv)), t.key[0]);
    for (int k = 0; k < 8; k++)                 // the last byte of a big-endian block number below 32
        t.first[k] = _mm512_xor_si512(base, _mm512_setr_epi64(0, (long long)(4 * k) << 56, 0, (long long)(4 * k + 1) << 56, 0,
                                                              (long long)(4 * k + 2) << 56, 0, (long long)(4 * k + 3) << 56));
    for (; i + 64 <= n; i += 64) {
        // 64 fields of at most 50 bits start on at most 7 cache lines
        for (int line = 0; ahead && line < 7; line++) _mm_prefetch((const char *)ahead + i * m->bits / 8 + 64 * line, _MM_HINT_T1);
        if (!words64(out + i, (uint32_t)((start + i) / 2), &t) && !ck_expand_aesni(out + i, seed, index, start + i, 64, m, NULL))
            return false;
    }
    return i == n || ck_expand_aesni(out + i, seed, index, start + i, n - i, m, NULL);
}
