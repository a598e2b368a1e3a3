// SPDX-License-Identifier: Apache-2.0
// The AVX-512 table: the additive elementwise kernels, the automorphism and the spreading of subrings; the IFMA table
// inherits them.
#include "perm_avx512.h"
#include "kernels_impl.h"
#include <assert.h>
#include <immintrin.h>

static __m512i load(const uint64_t *p) { return _mm512_loadu_si512(p); }
static __m512i splat(uint64_t x) { return _mm512_set1_epi64((long long)x); }
static __m512i csub(__m512i a, __m512i q) { return _mm512_min_epu64(a, _mm512_sub_epi64(a, q)); }

static void z_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const __m512i q = splat(m->q);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm512_storeu_si512(out + i, csub(_mm512_add_epi64(load(a + i), load(b + i)), q));
    if (i < n) ck_kernels_c.add(out + i, a + i, b + i, n - i, m);
}

static void z_sub(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const __m512i q = splat(m->q);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m512i d = _mm512_sub_epi64(load(a + i), load(b + i));         // negative wraps: d + q is then the smaller
        _mm512_storeu_si512(out + i, _mm512_min_epu64(d, _mm512_add_epi64(d, q)));
    }
    if (i < n) ck_kernels_c.sub(out + i, a + i, b + i, n - i, m);
}

static void z_neg(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *m)
{
    const __m512i q = splat(m->q);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm512_storeu_si512(out + i, csub(_mm512_sub_epi64(q, load(a + i)), q));
    if (i < n) ck_kernels_c.neg(out + i, a + i, n - i, m);
}

static void z_addc(uint64_t *out, const uint64_t *a, uint64_t c, size_t n, const struct ck_mod *m)
{
    const __m512i q = splat(m->q), x = splat(c);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) _mm512_storeu_si512(out + i, csub(_mm512_add_epi64(load(a + i), x), q));
    if (i < n) ck_kernels_c.addc(out + i, a + i, c, n - i, m);
}

static void z_permute(uint64_t *out, const uint64_t *a, const struct ck_perm *perm, size_t at, size_t n)
{
    size_t rows[8];
    perm_sources(rows, perm);
    for (const uint64_t *end = out + n; out < end; out += 64, at += 64) {
        const uint32_t from = perm->from[at / 64];
        const struct perm_turn t = perm_turn_of(perm, from % 64);
        __m512i y[8];
        perm_turned(y, a + (from & ~63u), rows, t);
#pragma GCC unroll 8
        for (int h = 0; h < 8; h++) _mm512_storeu_si512(out + 8 * perm_row[h], perm_up2(y, h, t));
    }
}

// Half the size: rows 2c and 2c + 1 of blocks b and b + 64 take their even lanes from row c, their odd lanes from row c + 4 of block b / 2, the one
// block from its lower lanes, the other from its upper ones.
static void spread_twice(uint64_t *out, size_t n, const uint64_t *in)
{
    const __m512i lower = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), upper = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    for (size_t b = 0; b < n; b += 128)
        for (size_t c = 0; c < 4; c++) {
            const __m512i even = load(in + b / 2 + 8 * c), odd = load(in + b / 2 + 8 * c + 32);
            const __m512i x = _mm512_permutex2var_epi64(even, lower, odd), y = _mm512_permutex2var_epi64(even, upper, odd);
            _mm512_storeu_si512(out + b + 16 * c, x);
            _mm512_storeu_si512(out + b + 16 * c + 8, x);
            _mm512_storeu_si512(out + b + 16 * c + 64, y);
            _mm512_storeu_si512(out + b + 16 * c + 72, y);
        }
}

// Lane r of row c of block b holds bit-reversed index (b + 8r + c) / 2^shift of the small transform: 2^shift rows are equal.
static void z_spread(uint64_t *out, uint32_t logn, const uint64_t *in, uint32_t logm)
{
    const uint32_t shift = logn - logm, mask = shift < 3 ? (1u << shift) - 1 : 7;
    assert(logm <= logn);
    if (logn < 6) {
        ck_spread_c(out, logn, in, logm);
        return;
    }
    if (shift == 1 && logm >= 6) {
        spread_twice(out, (size_t)1 << logn, in);
        return;
    }
    if (shift >= 6 && logm < 6) {       // blocks of one value
        for (size_t i = 0; i < (size_t)1 << logn; i += 8) _mm512_storeu_si512(out + i, splat(in[i >> shift]));
        return;
    }
    const __m128i count = _mm_cvtsi32_si128((int)shift);
    const __m256i rows = _mm256_setr_epi32(0, 8, 16, 24, 32, 40, 48, 56), seven = _mm256_set1_epi32(7);
    for (uint32_t b = 0; b < 1u << logn; b += 64) {
        __m512i x = _mm512_setzero_si512();
        for (uint32_t c = 0; c < 8; c++) {
            if (!(c & mask)) {
                __m256i k = _mm256_srl_epi32(_mm256_add_epi32(rows, _mm256_set1_epi32((int)(b + c))), count);
                if (logm >= 6) {
                    __m256i low = _mm256_slli_epi32(_mm256_and_si256(k, seven), 3);
                    __m256i mid = _mm256_and_si256(_mm256_srli_epi32(k, 3), seven);
                    k = _mm256_or_si256(_mm256_andnot_si256(_mm256_set1_epi32(63), k), _mm256_or_si256(low, mid));
                }
                x = _mm512_i32gather_epi64(k, in, 8);
            }
            _mm512_storeu_si512(out + b + 8 * c, x);
        }
    }
}

void ck_kernels_init_avx512(struct ck_kernels *k)
{
    ck_kernels_init_dbl_avx512(k);
    k->add = z_add;
    k->sub = z_sub;
    k->neg = z_neg;
    k->addc = z_addc;
    k->permute = z_permute;
    k->spread = z_spread;
}
