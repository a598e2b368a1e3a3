// SPDX-License-Identifier: Apache-2.0
// Base conversion, portable: per tile of coefficients the scaled residues y and the multiple v of Q, then one 128-bit inner
// product per target prime.
#include "kernels_impl.h"
#include "mod.h"
#include <assert.h>

void ck_conv_c(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *t)
{
    uint64_t y[CK_CONV_MAX + 1][CK_CONV_TILE];
    const uint32_t k = t->nfrom;
    assert(k <= CK_CONV_MAX);
    for (size_t at = 0; at < n; at += CK_CONV_TILE) {
        size_t len = n - at < CK_CONV_TILE ? n - at : CK_CONV_TILE;
        double sum[CK_CONV_TILE] = {0};
        for (uint32_t i = 0; i < k; i++)
            for (size_t s = 0; s < len; s++) {
                y[i][s] = ck_mulshoup(in[i][at + s], &t->hat_inv[i], t->from[i].q);
                sum[s] += (double)y[i][s] * t->inv[i];
            }
        for (size_t s = 0; s < len; s++) y[k][s] = (uint64_t)(sum[s] + 0.5);
        // 64 products of a residue below 2^50 and one below p, and v Q-row: below 2^(57+bits) <= 2^(63+bits)
        for (uint32_t j = 0; j < t->nto; j++) {
            const uint64_t *c = t->c + (size_t)j * (k + 1);
            for (size_t s = 0; s < len; s++) {
                ck_u128 acc = 0;
                for (uint32_t i = 0; i <= k; i++) acc += (ck_u128)y[i][s] * c[i];
                out[j][at + s] = ck_reduce128(acc, &t->to[j]);
            }
        }
    }
}
