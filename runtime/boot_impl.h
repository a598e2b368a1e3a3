// SPDX-License-Identifier: Apache-2.0
// The inside of struct ck_boot.
#ifndef CK_BOOT_IMPL_H
#define CK_BOOT_IMPL_H

#include "boot_dft.h"
#include "boot_mod.h"
#include "boot_shape.h"
#include "internal.h"

struct boot_map {
    struct ck_lin lin;
    uint32_t level;
    uint32_t galois[3];
    int32_t *rot;               // own: babies, then giants
    struct ck_lin_term *term;   // own
};

struct ck_boot {
    const struct ck_context *ctx;       // borrowed
    struct ck_boot_shape shape;
    struct boot_map stc[CK_BOOT_MAX_FACTORS], cts[CK_BOOT_MAX_FACTORS];
    double coeff[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1];
    double nominal;                     // ck_boot_nominal
    uint64_t *pt;                       // own: transforms of all plaintexts
    size_t bytes;
    struct ck_weights weights;          // pt as the linear maps see it
};

/* CtS without the conjugation that leaves the real part. */
enum ck_err ck_boot_cts_complex(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
#endif
