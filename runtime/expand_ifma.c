// SPDX-License-Identifier: Apache-2.0
// Expansion of seeds by streams of 64 words.
#include "kernels_ifma.h"
#include "stream_ifma.h"
#include <assert.h>

bool ck_expand_ifma(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m, const void *ahead)
{
    assert(start % 8 == 0 && n % 8 == 0 && start + n <= 1u << 16);
    size_t i = (64 - start % 64) % 64;          // words before the first group of 32 blocks
    if (m->bits < STREAM_BITS_MIN || i + 64 > n) return ck_expand_aesni(out, seed, index, start, n, m, ahead);
    if (i && !ck_expand_aesni(out, seed, index, start, i, m, ahead)) return false;
    struct stream t;
    stream_init(&t, seed, m);
    const vec base = stream_base(seed, index);
    for (; i + 64 <= n; i += 64) {
        // 64 fields of at most 50 bits start on at most 7 cache lines
        for (int line = 0; ahead && line < 7; line++) _mm_prefetch((const char *)ahead + i * m->bits / 8 + 64 * line, _MM_HINT_T1);
        vec s[8];
        stream_begin(s, base, (uint32_t)((start + i) / 2), &t);
        for (int r = 1; r < 10; r++) stream_round(s, t.key[r]);
        if (!stream_end(out + i, s, true, &t) && !ck_expand_aesni(out + i, seed, index, start + i, 64, m, NULL)) return false;
    }
    return i == n || ck_expand_aesni(out + i, seed, index, start + i, n - i, m, NULL);
}
