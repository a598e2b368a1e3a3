// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds into uniform residues, portable: keystream from the crypto library. The stream is defined in
// kernels_impl.h.
#include "kernels_impl.h"
#include "mod.h"
#include <assert.h>
#include <string.h>

static void store_be32(uint8_t *p, uint32_t x)
{
    p[0] = (uint8_t)(x >> 24), p[1] = (uint8_t)(x >> 16), p[2] = (uint8_t)(x >> 8), p[3] = (uint8_t)x;
}

static uint32_t load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t x = 0;
    for (int i = 7; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

void ck_expand_block(uint8_t iv[16], const uint8_t seed[32], uint32_t index, uint32_t block)
{
    memcpy(iv, seed + 16, 8);
    store_be32(iv + 8, load_be32(seed + 24) ^ index);
    store_be32(iv + 12, block);
}

uint64_t ck_expand_limit(uint64_t q)
{
    return UINT64_MAX - (uint64_t)(((ck_u128)1 << 64) % q);
}

uint64_t ck_expand_retry(const uint64_t tries[32], const struct ck_mod *m)
{
    uint64_t limit = ck_expand_limit(m->q);
    int i = 0;
    while (i < 31 && tries[i] > limit) i++;
    return tries[i] % m->q;
}

static bool replace(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t word, const struct ck_mod *m)
{
    uint8_t iv[16], stream[256];
    uint64_t tries[32];
    ck_expand_block(iv, seed, index, (uint32_t)(1u << 31) + 16 * (uint32_t)word);
    if (!ck_aes_ctr(stream, seed, iv, 16)) return false;
    for (int i = 0; i < 32; i++) tries[i] = load_le64(stream + 8 * i);
    *out = ck_expand_retry(tries, m);
    return true;
}

bool ck_expand_c(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m, const void *ahead)
{
    enum { TILE = 512 };
    uint8_t iv[16], stream[8 * TILE];
    const uint64_t limit = ck_expand_limit(m->q), mu = (uint64_t)(((ck_u128)1 << 64) / m->q);
    assert(start % 8 == 0 && n % 8 == 0 && start + n <= 1u << 16);
    for (size_t at = 0; at < n; at += TILE) {
        size_t len = n - at < TILE ? n - at : TILE;
        ck_expand_block(iv, seed, index, (uint32_t)((start + at) / 2));
        if (!ck_aes_ctr(stream, seed, iv, len / 2)) return false;
        for (size_t s = 0; s < len; s++) {
            uint64_t x = load_le64(stream + 8 * s);
            if (x <= limit) out[at + s] = ck_csub(x - ck_mulhi(x, mu) * m->q, m->q);     // the estimate is at most 1 short
            else if (!replace(&out[at + s], seed, index, start + at + s, m)) return false;
        }
    }
    return true;
}
