// SPDX-License-Identifier: Apache-2.0
// Base-conversion matrices: made once per pair of bases; kernels_impl.h says what they hold.
#include "kernels_impl.h"
#include "mod.h"
#include <stdlib.h>

// The inverse of odd p modulo 2^52 by Newton's iteration: each step doubles the correct bits, from 3.
static uint64_t inverse52(uint64_t p)
{
    uint64_t x = p;
    for (int i = 0; i < 5; i++) x *= 2 - p * x;
    return x & ((1ull << 52) - 1);
}

// Product of all of from[] except number `skip`, modulo m.
static uint64_t product_but(const struct ck_mod *from, uint32_t n, uint32_t skip, const struct ck_mod *m)
{
    uint64_t r = 1;
    for (uint32_t i = 0; i < n; i++)
        if (i != skip) r = ck_mulmod(r, ck_reduce128(from[i].q, m), m);
    return r;
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
    t->npinv52 = malloc((nto + 1) * sizeof *t->npinv52);
    if (!t->from || !t->to || !t->hat_inv || !t->inv || !t->c || !t->c52 || !t->npinv52) {
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
        t->npinv52[j] = (1ull << 52) - inverse52(to[j]);
        uint64_t *c = t->c + (size_t)j * (nfrom + 1), *c52 = t->c52 + (size_t)j * (nfrom + 1);
        for (uint32_t i = 0; i <= nfrom; i++) {
            uint64_t x = product_but(t->from, nfrom, i, m);
            c[i] = i < nfrom || !x ? x : m->q - x;
            c52[i] = ck_mulmod(c[i], m->r52, m);
        }
    }
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
    free(t->npinv52);
    free(t);
}
