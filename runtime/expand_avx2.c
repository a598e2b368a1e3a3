// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds with AES-NI: eight counter blocks at a time, residues by one scalar Barrett step. The stream is
// defined in kernels_impl.h.
#include "expand_aes.h"
#include "mod.h"
#include <assert.h>
#include <immintrin.h>

static __m128i next_round(__m128i k, __m128i assist)
{
    assist = _mm_shuffle_epi32(assist, 0xff);
    k = _mm_xor_si128(k, _mm_slli_si128(k, 4));
    k = _mm_xor_si128(k, _mm_slli_si128(k, 8));
    return _mm_xor_si128(k, assist);
}

void ck_aes_schedule(__m128i round[11], const uint8_t key[16])
{
    round[0] = _mm_loadu_si128((const __m128i *)key);
#define ROUND(i, rcon) round[i] = next_round(round[i - 1], _mm_aeskeygenassist_si128(round[i - 1], rcon))
    ROUND(1, 0x01);
    ROUND(2, 0x02);
    ROUND(3, 0x04);
    ROUND(4, 0x08);
    ROUND(5, 0x10);
    ROUND(6, 0x20);
    ROUND(7, 0x40);
    ROUND(8, 0x80);
    ROUND(9, 0x1b);
    ROUND(10, 0x36);
#undef ROUND
}

// Sixteen words of stream from block number `block` on; base: the counter block of number 0.
static inline void words16(uint64_t out[16], __m128i base, uint32_t block, const __m128i round[11])
{
    __m128i s[8];
    for (uint32_t i = 0; i < 8; i++)
        s[i] = _mm_xor_si128(_mm_insert_epi32(base, (int)__builtin_bswap32(block + i), 3), round[0]);
    for (int r = 1; r < 10; r++)
        for (int i = 0; i < 8; i++) s[i] = _mm_aesenc_si128(s[i], round[r]);
    for (int i = 0; i < 8; i++) _mm_storeu_si128((__m128i *)(out + 2 * i), _mm_aesenclast_si128(s[i], round[10]));
}

static __m128i base_of(const uint8_t seed[32], uint32_t index)
{
    uint8_t iv[16];
    ck_expand_block(iv, seed, index, 0);
    return _mm_loadu_si128((const __m128i *)iv);
}

static uint64_t replacement(const __m128i round[11], __m128i base, size_t word, const struct ck_mod *m)
{
    uint64_t tries[32];
    const uint32_t block = (uint32_t)(1u << 31) + 16 * (uint32_t)word;
    words16(tries, base, block, round);
    words16(tries + 16, base, block + 8, round);
    return ck_expand_retry(tries, m);
}

// The quotient's estimate floor(x mu / 2^64), mu = floor(2^64/q), is short of x/q by less than x/2^64 + 1.
bool ck_expand_aesni(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m, const void *ahead)
{
    __m128i round[11];
    const uint64_t limit = ck_expand_limit(m->q);
    assert(start % 8 == 0 && n % 8 == 0 && start + n <= 1u << 16);
    const uint64_t mu = (uint64_t)(((ck_u128)1 << 64) / m->q);
    const __m128i base = base_of(seed, index);
    ck_aes_schedule(round, seed);
    for (size_t at = 0; at < n; at += 16) {
        uint64_t x[16];
        for (int line = 0; ahead && line < 2; line++) _mm_prefetch((const char *)ahead + at * m->bits / 8 + 64 * line, _MM_HINT_T1);
        words16(x, base, (uint32_t)((start + at) / 2), round);
        for (size_t i = 0; i < 16 && at + i < n; i++)
            out[at + i] = x[i] <= limit ? ck_csub(x[i] - ck_mulhi(x[i], mu) * m->q, m->q)
                                        : replacement(round, base, start + at + i, m);
    }
    return true;
}
