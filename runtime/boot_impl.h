// SPDX-License-Identifier: Apache-2.0
// The inside of struct ck_boot.
#ifndef CK_BOOT_IMPL_H
#define CK_BOOT_IMPL_H

#include "boot.h"
#include "boot_dft.h"
#include "boot_mod.h"
#include "internal.h"

struct boot_map {
    struct ck_lin lin;
    uint32_t level;
    int32_t *baby, *giant;      // own
    struct ck_lin_term *term;   // own
};

struct ck_boot {
    const struct ck_context *ctx;       // borrowed
    struct ck_boot_shape shape;
    struct boot_map stc[CK_BOOT_MAX_FACTORS], cts[CK_BOOT_MAX_FACTORS];
    double coeff[CK_MOD_MAX_DEGREE + 1];
    double q0;
    int64_t *pt;                        // own: coefficients of all plaintexts
    size_t bytes;
    struct ck_weights weights;          // pt as the linear maps see it
};

/* Galois element 5^(2^k), k >= log_slots: an automorphism that fixes the subring of the slots. */
static inline uint32_t boot_trace_galois(const struct ck_context *ctx, uint32_t k)
{
    uint32_t g = 5, mask = 2 * (uint32_t)ctx->n - 1;
    for (uint32_t i = 0; i < k; i++) g = g * g & mask;
    return g;
}
#endif
