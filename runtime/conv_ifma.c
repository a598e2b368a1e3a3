// SPDX-License-Identifier: Apache-2.0
// Base conversion with 52-bit multiply-adds: a blocked matrix product. Per tile of 64 columns the scaled residues y stay in L1;
// a block of 4 targets x 2 vectors keeps 16 accumulators (low and high halves) in registers through the sum.
//
// The matrix is held times 2^52 (c52), and a sum h 2^52 + l is reduced by Montgomery's method (mont_end). The result is nonnegative; a
// product's high half is below y p / 2^52 with y < q_i, so it is below
// p (1 + sum(q_i)/2^52) + 66; `steps` halvings bring it into [0,p). For 46-bit primes and up to 30 sources one step is enough.
// The products of row v need no high half where nfrom p < 2^52.
#include "kernels_ifma.h"
#include "vec_ifma.h"
#include <assert.h>

enum { TILE = CK_CONV_TILE };

// How sums end.
struct ending {
    bool wide;      // the products of row v have a high half
    int steps;      // conditional subtractions
};

// Targets j .. j+G-1 of `len` columns, E vectors at once, to out + at.
INLINE void block(uint64_t *const *out, size_t at, size_t len, const uint64_t (*y)[TILE], const struct ck_conv *t, uint32_t j, int G,
                  size_t E, struct ending f)
{
    const size_t rows = t->nfrom + 1;
    const uint64_t *cm = t->c52 + j * rows;
    for (size_t s = 0; s < len; s += 8 * E) {
        vec h[4][4], l[4][4];
#pragma GCC unroll 4
        for (int g = 0; g < G; g++)
#pragma GCC unroll 4
            for (size_t e = 0; e < E; e++) h[g][e] = zero(), l[g][e] = mont_start();
        for (uint32_t i = 0; i < t->nfrom; i++) {
#pragma GCC unroll 4
            for (int g = 0; g < G; g++) {
                const vec w = splat(cm[(size_t)g * rows + i]);
#pragma GCC unroll 4
                for (size_t e = 0; e < E; e++) {
                    const vec x = load(y[i] + s + 8 * e);
                    l[g][e] = lo(l[g][e], x, w), h[g][e] = hi(h[g][e], x, w);
                }
            }
        }
        if (f.wide) {
#pragma GCC unroll 4
            for (int g = 0; g < G; g++)
#pragma GCC unroll 4
                for (size_t e = 0; e < E; e++)
                    h[g][e] = hi(h[g][e], load(y[t->nfrom] + s + 8 * e), splat(cm[(size_t)g * rows + t->nfrom]));
        }
#pragma GCC unroll 4
        for (int g = 0; g < G; g++) {
            const vec npinv = splat(t->to[j + (uint32_t)g].npinv52), p = splat(t->to[j + (uint32_t)g].q);
            const vec w = splat(cm[(size_t)g * rows + t->nfrom]);
#pragma GCC unroll 4
            for (size_t e = 0; e < E; e++) {
                const vec sum = lo(l[g][e], load(y[t->nfrom] + s + 8 * e), w);
                vec r = mont_end(h[g][e], sum, npinv, p);
                for (int k = f.steps - 1; k > 0; k--) r = csub(r, shifted(p, k));
                store(out[j + (uint32_t)g] + at + s + 8 * e, csub(r, p));
            }
        }
    }
}

// V vectors of each row of the tile: y_i = in_i hat_inv_i mod q_i, then v.
INLINE void scale(uint64_t (*y)[TILE], const uint64_t *const *in, size_t at, size_t V, const struct ck_conv *t)
{
    reals sum[TILE / 8];
#pragma GCC unroll 8
    for (size_t e = 0; e < V; e++) sum[e] = real_splat(0);
    for (uint32_t i = 0; i < t->nfrom; i++) {
        const struct consts c = consts_of(&t->from[i]);
        const vec w = splat(t->hat_inv[i].w), wq = splat(t->hat_inv[i].w52);
        const reals inv = real_splat(t->inv[i]);
        const uint64_t *a = in[i] + at;
#pragma GCC unroll 8
        for (size_t e = 0; e < V; e++) {
            __builtin_prefetch(a + TILE + 8 * e);       // the next tile: more streams than the hardware follows
            vec r = finish(product(zero(), load(a + 8 * e), w, wq, &c), &c);
            store(y[i] + 8 * e, r);
            sum[e] = real_add(sum[e], real_mul(real_of(r), inv));
        }
    }
#pragma GCC unroll 8
    for (size_t e = 0; e < V; e++)
        store(y[t->nfrom] + 8 * e, truncated(real_add(sum[e], real_splat(0.5))));
}

static struct ending ending_of(const struct ck_conv *t)
{
    double sum = 1.0 + 1e-9, least = 0x1p50;
    struct ending f = {.steps = 1};
    for (uint32_t j = 0; j < t->nto; j++) {
        if ((double)t->to[j].q < least) least = (double)t->to[j].q;
        f.wide |= t->nfrom * t->to[j].q >> 52 != 0;
    }
    for (uint32_t i = 0; i < t->nfrom; i++) sum += (double)t->from[i].q * 0x1p-52;
    sum += 66 / least;
    while (sum > (double)(1 << f.steps)) f.steps++;
    return f;
}

void ck_conv_ifma(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *t)
{
    _Alignas(64) uint64_t y[CK_CONV_MAX + 1][TILE];
    const uint64_t (*const rows)[TILE] = (const uint64_t (*)[TILE])y;
    assert(t->nfrom <= CK_CONV_MAX && n % 8 == 0);
    const struct ending f = ending_of(t);
    size_t at = 0;
    for (; at + TILE <= n; at += TILE) {
        scale(y, in, at, TILE / 8, t);
        // By fours, but no pair or single one is left if it can be helped: its few sums wait for themselves.
        for (uint32_t j = 0, left; (left = t->nto - j);) {
            if (left == 4 || left > 6) block(out, at, TILE, rows, t, j, 4, 2, f), j += 4;
            else if (left > 2) block(out, at, TILE, rows, t, j, 3, 2, f), j += 3;
            else if (left == 2) block(out, at, TILE, rows, t, j, 2, 4, f), j += 2;
            else block(out, at, TILE, rows, t, j, 1, 4, f), j++;
        }
    }
    for (; at < n; at += 8) {
        scale(y, in, at, 1, t);
        for (uint32_t j = 0; j < t->nto; j++) block(out, at, 8, rows, t, j, 1, 1, f);
    }
}
