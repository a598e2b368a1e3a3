// SPDX-License-Identifier: Apache-2.0
// Vectors of eight residues and the 52-bit multiply-add primitives that the AVX-512 IFMA kernels share.
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
INLINE void store(uint64_t *p, vec x) { _mm512_storeu_si512(p, x); }
INLINE vec hi(vec acc, vec a, vec b) { return _mm512_madd52hi_epu64(acc, a, b); }
INLINE vec lo(vec acc, vec a, vec b) { return _mm512_madd52lo_epu64(acc, a, b); }
INLINE vec add(vec a, vec b) { return _mm512_add_epi64(a, b); }
INLINE vec sub(vec a, vec b) { return _mm512_sub_epi64(a, b); }
INLINE vec zero(void) { return _mm512_setzero_si512(); }
/* a - q if a >= q, else a; a < 2^63 */
INLINE vec csub(vec a, vec q) { return _mm512_min_epu64(a, sub(a, q)); }

INLINE struct consts consts_of(const struct ck_mod *m)
{
    const uint64_t top = 1ull << 52;
    return (struct consts){splat(m->q), splat(2 * m->q), splat(top - m->q), splat(m->v52), splat(top - 1), m->q};
}

/* acc + (y w mod q, in [0,2q)), modulo 2^52, for y < 2^52 (bits 52..63 of y are ignored) */
INLINE vec product(vec acc, vec y, vec w, vec wq, const struct consts *c)
{
    vec h = hi(zero(), y, wq);
    return lo(lo(acc, y, w), h, c->nq);
}

/* any value in [0,2^52) to [0,2q) less `less` (small) times q, modulo 2^52 */
INLINE vec barrett(vec x, vec less, const struct consts *c) { return lo(x, hi(less, x, c->v52), c->nq); }
/* a value in [0,2q) known modulo 2^52 to [0,q) */
INLINE vec finish(vec x, const struct consts *c) { return csub(_mm512_and_si512(x, c->mask), c->q); }

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
INLINE vec low52(vec x, const struct wide *w) { return _mm512_and_si512(x, w->c.mask); }
// What reduce_lazy leaves, reduced.
INLINE vec reduced4(vec r, const struct wide *w) { return csub(csub(low52(r, w), w->c.q2), w->c.q); }
INLINE vec reduce(vec h, vec l, const struct wide *w) { return reduced4(reduce_lazy(h, l, w), w); }
#endif
