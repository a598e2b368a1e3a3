// SPDX-License-Identifier: Apache-2.0
// Base-conversion matrices: made once per pair of bases; kernels_impl.h says what they hold.
#include "kernels_impl.h"
#include "mod.h"
#include <math.h>
#include <stdlib.h>

// Product of all of from[] except number `skip`, modulo m.
static uint64_t product_but(const struct ck_mod *from, uint32_t n, uint32_t skip, const struct ck_mod *m)
{
    uint64_t r = 1;
    for (uint32_t i = 0; i < n; i++)
        if (i != skip) r = ck_mulmod(r, ck_reduce128(from[i].q, m), m);
    return r;
}

// split, fold and parts for primes of at most `bits` bits. With y1 <= a = 2^(bits-split), |y0|, |c0| <= b = 2^(split-1) and |c1| <= d = a/2 + 1, sums of
// (y1+y0)(c1+c0) stay below 2^53, those of y1 c0 + y0 c1 and y1 c1 below 2^52.
static void split(struct ck_conv *t, uint32_t bits)
{
    t->split = (bits + 1) / 2;
    const double a = ldexp(1, (int)(bits - t->split)), b = ldexp(1, (int)t->split - 1), d = a / 2 + 1;
    t->fold = (uint32_t)fmin(fmin(0x1p53 / ((a + b) * (b + d)), 0x1p52 / (a * b + b * d)), fmin(0x1p52 / (a * d), 1000));
    const size_t rows = t->nfrom + 1;
    for (size_t k = 0; k < t->nto * rows; k++) {
        const uint64_t p = t->to[k / rows].q;
        const double c = t->c[k] > p / 2 ? -(double)(p - t->c[k]) : (double)t->c[k];
        const double high = nearbyint(ldexp(c, -(int)t->split)), low = c - ldexp(high, (int)t->split);
        t->parts[3 * k] = high;
        t->parts[3 * k + 1] = low;
        t->parts[3 * k + 2] = high + low;
    }
}

struct ck_conv *ck_conv_new(const uint64_t *from, uint32_t nfrom, const uint64_t *to, uint32_t nto)
{
    if (nfrom > CK_CONV_MAX) return NULL;
    struct ck_conv *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    size_t entries = (size_t)nto * (nfrom + 1);
    t->nfrom = nfrom;
    t->nto = nto;
    t->from = malloc((nfrom + 1) * sizeof *t->from);
    t->to = malloc((nto + 1) * sizeof *t->to);
    t->hat_inv = malloc((nfrom + 1) * sizeof *t->hat_inv);
    t->inv = malloc((nfrom + 1) * sizeof *t->inv);
    t->c = malloc((entries + 1) * sizeof *t->c);
    t->c52 = malloc((entries + 1) * sizeof *t->c52);
    t->parts = malloc((3 * entries + 1) * sizeof *t->parts);
    if (!t->from || !t->to || !t->hat_inv || !t->inv || !t->c || !t->c52 || !t->parts) {
        ck_conv_free(t);
        return NULL;
    }
    for (uint32_t i = 0; i < nfrom; i++) t->from[i] = ck_mod_init(from[i]);
    for (uint32_t i = 0; i < nfrom; i++) {
        const struct ck_mod *m = &t->from[i];
        t->hat_inv[i] = ck_shoup_init(ck_invmod(product_but(t->from, nfrom, i, m), m), m);
        t->inv[i] = 1.0 / (double)from[i];
    }
    for (uint32_t j = 0; j < nto; j++) {
        t->to[j] = ck_mod_init(to[j]);
        const struct ck_mod *m = &t->to[j];
        uint64_t *c = t->c + (size_t)j * (nfrom + 1), *c52 = t->c52 + (size_t)j * (nfrom + 1);
        for (uint32_t i = 0; i <= nfrom; i++) {
            uint64_t x = product_but(t->from, nfrom, i, m);
            c[i] = i < nfrom || !x ? x : m->q - x;
            c52[i] = ck_mulmod(c[i], m->r52, m);
        }
    }
    uint32_t bits = 8;
    for (uint32_t i = 0; i < nfrom; i++) bits = t->from[i].bits > bits ? t->from[i].bits : bits;
    for (uint32_t j = 0; j < nto; j++) bits = t->to[j].bits > bits ? t->to[j].bits : bits;
    split(t, bits);
    return t;
}

void ck_conv_free(struct ck_conv *t)
{
    if (!t) return;
    free(t->from);
    free(t->to);
    free(t->hat_inv);
    free(t->inv);
    free(t->c);
    free(t->c52);
    free(t->parts);
    free(t);
}
