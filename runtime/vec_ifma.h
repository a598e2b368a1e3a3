// SPDX-License-Identifier: Apache-2.0
// Vectors of eight residues and the 52-bit multiply-add primitives that the AVX-512 IFMA kernels share. The kernels that are written in these names
// alone are built a second time on tests/runtime/vec_exact.h, which has the same names and checks every range that is stated here and there.
#ifndef CK_VEC_IFMA_H
#define CK_VEC_IFMA_H

#include "kernels.h"
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
typedef __m512i vec;

struct consts {
    vec q, q2, nq, v52, mask;   // q, 2q, 2^52 - q, floor(2^52/q), 2^52 - 1
    uint64_t q1;
};

INLINE vec splat(uint64_t x) { return _mm512_set1_epi64((long long)x); }
INLINE vec load(const uint64_t *p) { return _mm512_loadu_si512(p); }
INLINE vec load1(const uint64_t *p) { return splat(*p); }
INLINE void store(uint64_t *p, vec x) { _mm512_storeu_si512(p, x); }
INLINE vec hi(vec acc, vec a, vec b) { return _mm512_madd52hi_epu64(acc, a, b); }
INLINE vec lo(vec acc, vec a, vec b) { return _mm512_madd52lo_epu64(acc, a, b); }
INLINE vec add(vec a, vec b) { return _mm512_add_epi64(a, b); }
INLINE vec sub(vec a, vec b) { return _mm512_sub_epi64(a, b); }
INLINE vec zero(void) { return _mm512_setzero_si512(); }
INLINE vec shifted(vec a, int k) { return _mm512_sll_epi64(a, _mm_cvtsi32_si128(k)); }
/* a - q if a >= q, else a; a in [0,2q) */
INLINE vec csub(vec a, vec q) { return _mm512_min_epu64(a, sub(a, q)); }

INLINE struct consts consts_of(const struct ck_mod *m)
{
    const uint64_t top = 1ull << 52;
    return (struct consts){splat(m->q), splat(2 * m->q), splat(top - m->q), splat(m->v52), splat(top - 1), m->q};
}

/* acc + (y w mod q, in [0,2q)), modulo 2^52, for y < 2^52 (bits 52..63 of y are ignored), w < q, wq = floor(w 2^52 / q) */
INLINE vec product(vec acc, vec y, vec w, vec wq, const struct consts *c)
{
    vec h = hi(zero(), y, wq);
    return lo(lo(acc, y, w), h, c->nq);
}
/* w from wq = floor(w 2^52 / q), w not 0: wq q lies between (w-1) 2^52 and w 2^52, both excluded */
INLINE vec factor_of(vec wq, const struct consts *c) { return hi(splat(1), wq, c->q); }

/* any value in [0,2^52) to [0,2q) less `less` (small) times q, modulo 2^52 */
INLINE vec barrett(vec x, vec less, const struct consts *c) { return lo(x, hi(less, x, c->v52), c->nq); }
/* a value in [0,2^52) known modulo 2^52 */
INLINE vec low52(vec x, const struct consts *c) { return _mm512_and_si512(x, c->mask); }
/* a value in [0,2q), or [0,4q), known modulo 2^52 to [0,q) */
INLINE vec finish(vec x, const struct consts *c) { return csub(low52(x, c), c->q); }
INLINE vec finish4(vec x, const struct consts *c) { return csub(csub(low52(x, c), c->q2), c->q); }

/* Products are kept as hi 2^52 + lo, sums of products likewise, and reduced once. */
struct wide {
    struct consts c;
    vec r52, r52q;
};

INLINE struct wide wide_of(const struct ck_mod *m)
{
    return (struct wide){consts_of(m), splat(m->r52), splat(m->r52q)};
}

// h 2^52 + l modulo q, below 4q in the low 52 bits, for h + l/2^52 < 2^52. With h the high part after the carry of l: h r52 minus its quotient
// times q and the low 52 bits of l minus their quotient times q are in [0,2q) each, and 4q <= 2^52.
INLINE vec reduce_lazy(vec h, vec l, const struct wide *w)
{
    h = add(h, _mm512_srli_epi64(l, 52));
    vec e = hi(hi(zero(), h, w->r52q), l, w->c.v52);
    return lo(lo(l, h, w->r52), e, w->c.nq);
}
INLINE vec reduce(vec h, vec l, const struct wide *w) { return finish4(reduce_lazy(h, l, w), &w->c); }

// Sums by Montgomery's method. l starts at 2^52 - 1: with L the sum of low halves and m = -L q^-1 modulo 2^52 the low half of m q is 2^52 less that
// of L, or both are 0, so (h 2^52 + L + m q) / 2^52 = h + HI(m q) + floor(l / 2^52). Below q more than h and the carry.
INLINE vec mont_start(void) { return splat((1ull << 52) - 1); }
INLINE vec mont_end(vec h, vec l, vec npinv, vec q) { return add(hi(h, lo(npinv, l, npinv), q), _mm512_srli_epi64(l, 52)); }

// Moves and choices of lanes.

/* lanes 0, 2, 4, 6 of `even` and 1, 3, 5, 7 of `odd` */
INLINE vec interleave(vec even, vec odd) { return _mm512_mask_mov_epi64(even, 0xaa, odd); }
/* lane i is lane from[i] of a, or from[i] - 8 of b */
INLINE vec pick(vec a, const int64_t from[8], vec b) { return _mm512_permutex2var_epi64(a, _mm512_loadu_si512(from), b); }
INLINE vec gather(const uint64_t *p, const int64_t from[8]) { return _mm512_i64gather_epi64(_mm512_loadu_si512(from), p, 8); }
INLINE vec load_i32(const int32_t *p) { return _mm512_cvtepi32_epi64(_mm256_loadu_si256((const __m256i *)p)); }
INLINE vec magnitude(vec x) { return _mm512_abs_epi64(x); }
/* q - x where `sign` is negative, else x */
INLINE vec negate_where(vec x, vec sign, vec q) { return _mm512_mask_sub_epi64(x, _mm512_movepi64_mask(sign), q, x); }
/* x + c where y > bound, else x */
INLINE vec add_where_above(vec x, vec c, vec y, vec bound) { return _mm512_mask_add_epi64(x, _mm512_cmpgt_epu64_mask(y, bound), x, c); }

// 8x8 transpose: 24 shuffles.
INLINE void transpose(vec *v)
{
    vec a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {           // a[4i + p + 2j]: rows 4i+2j, 4i+2j+1; columns of parity p
#pragma GCC unroll 2
        for (int p = 0; p < 2; p++) {
            b[4 * i + p] = _mm512_shuffle_i64x2(a[4 * i + p], a[4 * i + p + 2], 0x88);
            b[4 * i + p + 2] = _mm512_shuffle_i64x2(a[4 * i + p], a[4 * i + p + 2], 0xdd);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {           // b[i]: columns i + 4{0,1} of rows 0..3; b[4+i]: of rows 4..7
        v[i] = _mm512_shuffle_i64x2(b[i], b[4 + i], 0x88);
        v[i + 4] = _mm512_shuffle_i64x2(b[i], b[4 + i], 0xdd);
    }
}

/* Eight doubles; what is converted is below 2^52. */
typedef __m512d reals;
INLINE reals real_splat(double x) { return _mm512_set1_pd(x); }
INLINE reals real_add(reals a, reals b) { return _mm512_add_pd(a, b); }
INLINE reals real_mul(reals a, reals b) { return _mm512_mul_pd(a, b); }
INLINE reals real_of(vec a) { return _mm512_cvtepu64_pd(a); }
INLINE vec truncated(reals a) { return _mm512_cvttpd_epu64(a); }
#endif
