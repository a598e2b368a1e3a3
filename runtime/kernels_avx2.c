// SPDX-License-Identifier: Apache-2.0
// The AVX2 table: the additive elementwise kernels and the spreading of subrings; the rest is dbl_tmpl.h's.
#include "expand_aes.h"
#include <assert.h>
#include <immintrin.h>

typedef __m256i vec;

static vec load(const uint64_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
static void store(uint64_t *p, vec x) { _mm256_storeu_si256((__m256i *)p, x); }
static vec splat(uint64_t x) { return _mm256_set1_epi64x((long long)x); }
static vec gather(const uint64_t *p, __m128i i) { return _mm256_i32gather_epi64((const long long *)p, i, 8); }

// a where a - q is negative (bit 63), else a - q
static vec csub(vec a, vec q)
{
    const __m256d d = _mm256_castsi256_pd(_mm256_sub_epi64(a, q));
    return _mm256_castpd_si256(_mm256_blendv_pd(d, _mm256_castsi256_pd(a), d));
}

static void y_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const vec q = splat(m->q);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) store(out + i, csub(_mm256_add_epi64(load(a + i), load(b + i)), q));
    if (i < n) ck_kernels_c.add(out + i, a + i, b + i, n - i, m);
}

static void y_sub(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const vec q = splat(m->q);
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        store(out + i, csub(_mm256_add_epi64(load(a + i), _mm256_sub_epi64(q, load(b + i))), q));
    if (i < n) ck_kernels_c.sub(out + i, a + i, b + i, n - i, m);
}

static void y_neg(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *m)
{
    const vec q = splat(m->q);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) store(out + i, csub(_mm256_sub_epi64(q, load(a + i)), q));
    if (i < n) ck_kernels_c.neg(out + i, a + i, n - i, m);
}

static void y_addc(uint64_t *out, const uint64_t *a, uint64_t c, size_t n, const struct ck_mod *m)
{
    const vec q = splat(m->q), x = splat(c);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) store(out + i, csub(_mm256_add_epi64(load(a + i), x), q));
    if (i < n) ck_kernels_c.addc(out + i, a + i, c, n - i, m);
}

// Lane r of row c of block b holds bit-reversed index (b + 8r + c) / 2^shift of the small transform: 2^shift rows are equal.
static void y_spread(uint64_t *out, uint32_t logn, const uint64_t *in, uint32_t logm)
{
    const uint32_t shift = logn - logm, mask = shift < 3 ? (1u << shift) - 1 : 7;
    assert(logm <= logn);
    if (logn < 6) {
        ck_spread_c(out, logn, in, logm);
        return;
    }
    const __m128i count = _mm_cvtsi32_si128((int)shift), seven = _mm_set1_epi32(7), rows = _mm_setr_epi32(0, 8, 16, 24);
    for (uint32_t b = 0; b < 1u << logn; b += 64) {
        for (uint32_t half = 0; half < 8; half += 4) {
            vec x = splat(0);
            for (uint32_t c = 0; c < 8; c++) {
                if (!(c & mask)) {
                    __m128i k = _mm_srl_epi32(_mm_add_epi32(rows, _mm_set1_epi32((int)(b + 8 * half + c))), count);
                    if (logm >= 6) {
                        const __m128i low = _mm_slli_epi32(_mm_and_si128(k, seven), 3);
                        const __m128i mid = _mm_and_si128(_mm_srli_epi32(k, 3), seven);
                        k = _mm_or_si128(_mm_andnot_si128(_mm_set1_epi32(63), k), _mm_or_si128(low, mid));
                    }
                    x = gather(in, k);
                }
                store(out + b + 8 * c + half, x);
            }
        }
    }
}

void ck_kernels_init_avx2(struct ck_kernels *k)
{
    ck_kernels_init_dbl_avx2(k);
    k->add = y_add;
    k->sub = y_sub;
    k->neg = y_neg;
    k->addc = y_addc;
    k->spread = y_spread;
    k->expand = ck_expand_aesni;
}
