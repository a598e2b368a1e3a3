// SPDX-License-Identifier: Apache-2.0
// Base conversion with 52-bit multiply-adds: a blocked matrix product. Per tile of 64 columns the scaled residues y stay in L1;
// a block of 4 targets x 2 vectors keeps 16 accumulators (low and high halves) in registers through the sum.
//
// The matrix is held times 2^52 (c52), and a sum h 2^52 + l is reduced by Montgomery's method: with m = l p^-1 modulo 2^52 the low
// half of m p is that of l, so the result is h + carry(l) - HI(m p), above -p. Its upper end: a product's high half is
// below y p / 2^52 with y < q_i, so h + carry < p sum(q_i)/2^52 + 66; `steps` halvings bring that plus p into [0,p). For 46-bit
// primes and up to 30 sources one step is enough.
#include "kernels_ifma.h"
#include "vec_ifma.h"
#include <assert.h>

enum { TILE = CK_CONV_TILE };

// Targets j .. j+G-1, columns of one tile at out + at.
INLINE void block(uint64_t *const *out, size_t at, size_t len, const uint64_t (*y)[TILE], const struct ck_conv *t, uint32_t j, int G,
                  int steps)
{
    const uint32_t rows = t->nfrom + 1;
    const uint64_t *cm = t->c52 + (size_t)j * rows;
    for (size_t s = 0; s < len; s += 16) {
        vec h[4][2], l[4][2];
#pragma GCC unroll 4
        for (int g = 0; g < G; g++)
#pragma GCC unroll 2
            for (int e = 0; e < 2; e++) h[g][e] = l[g][e] = zero();
        for (uint32_t i = 0; i < rows; i++) {
            const vec y0 = load(y[i] + s), y1 = load(y[i] + s + 8);
#pragma GCC unroll 4
            for (int g = 0; g < G; g++) {
                const vec w = splat(cm[g * rows + i]);
                l[g][0] = lo(l[g][0], y0, w), h[g][0] = hi(h[g][0], y0, w);
                l[g][1] = lo(l[g][1], y1, w), h[g][1] = hi(h[g][1], y1, w);
            }
        }
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) {
            const uint64_t p = t->to[j + (uint32_t)g].q;
            const vec pinv = splat(t->pinv52[j + (uint32_t)g]), pv = splat(p);
#pragma GCC unroll 2
            for (int e = 0; e < 2; e++) {
                if (s + 8 * (size_t)e >= len) continue;
                vec m = lo(zero(), l[g][e], pinv);
                vec r = sub(add(add(h[g][e], _mm512_srli_epi64(l[g][e], 52)), pv), hi(zero(), m, pv));
                for (int k = steps - 1; k > 0; k--) r = csub(r, splat(p << k));
                store(out[j + (uint32_t)g] + at + s + 8 * (size_t)e, csub(r, pv));
            }
        }
    }
}

// Rows of the tile: y_i = in_i hat_inv_i mod q_i, then v.
INLINE void scale(uint64_t (*y)[TILE], const uint64_t *const *in, size_t at, size_t len, const struct ck_conv *t)
{
    __m512d sum[TILE / 8];
#pragma GCC unroll 8
    for (int e = 0; e < TILE / 8; e++) sum[e] = _mm512_setzero_pd();
    for (uint32_t i = 0; i < t->nfrom; i++) {
        const struct consts c = consts_of(&t->from[i]);
        const vec w = splat(t->hat_inv[i].w), wq = splat(t->hat_inv[i].w52);
        const __m512d inv = _mm512_set1_pd(t->inv[i]);
#pragma GCC unroll 8
        for (size_t e = 0; e < TILE / 8; e++) {
            if (8 * e >= len) continue;
            vec r = finish(product(zero(), load(in[i] + at + 8 * e), w, wq, &c), &c);
            store(y[i] + 8 * e, r);
            sum[e] = _mm512_add_pd(sum[e], _mm512_mul_pd(_mm512_cvtepu64_pd(r), inv));
        }
    }
#pragma GCC unroll 8
    for (size_t e = 0; e < TILE / 8; e++)
        if (8 * e < len) store(y[t->nfrom] + 8 * e, _mm512_cvttpd_epu64(_mm512_add_pd(sum[e], _mm512_set1_pd(0.5))));
}

static int steps_of(const struct ck_conv *t)
{
    double sum = 1.0 + 1e-9, least = 0x1p50;
    for (uint32_t j = 0; j < t->nto; j++)
        if ((double)t->to[j].q < least) least = (double)t->to[j].q;
    for (uint32_t i = 0; i < t->nfrom; i++) sum += (double)t->from[i].q * 0x1p-52;
    sum += 66 / least;
    int steps = 1;
    while (sum > (double)(1 << steps)) steps++;
    return steps;
}

void ck_conv_ifma(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *t)
{
    _Alignas(64) uint64_t y[CK_CONV_MAX + 1][TILE];
    assert(t->nfrom <= CK_CONV_MAX && n % 8 == 0);
    const int steps = steps_of(t);
    for (size_t at = 0; at < n; at += TILE) {
        const size_t len = n - at < TILE ? n - at : TILE;
        scale(y, in, at, len, t);
        uint32_t j = 0;
        for (; j + 4 <= t->nto; j += 4) block(out, at, len, (const uint64_t (*)[TILE])y, t, j, 4, steps);
        switch (t->nto - j) {
        case 3: block(out, at, len, (const uint64_t (*)[TILE])y, t, j, 3, steps); break;
        case 2: block(out, at, len, (const uint64_t (*)[TILE])y, t, j, 2, steps); break;
        case 1: block(out, at, len, (const uint64_t (*)[TILE])y, t, j, 1, steps); break;
        }
    }
}
