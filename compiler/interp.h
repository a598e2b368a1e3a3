// SPDX-License-Identifier: Apache-2.0
// What the interpreters of the dialects share.
#ifndef TACET_INTERP_H
#define TACET_INTERP_H

#include "ir.h"

struct interp {
    struct ir_module *m;
    struct arena *arena;            // values of this run
    const struct ir_noise *noise;   // may be NULL
    double **value;                 // by instruction id
};

/* Compute one instruction into `out` (ir_type_numel elements, zeroed). */
void interp_tensor(struct interp *, const struct ir_inst *, double *out);
void interp_slots(struct interp *, const struct ir_inst *, double *out);     // vec and ckks

/* Value of argument k; the constant an attribute names, as doubles; NULL when the attribute is absent. */
const double *interp_arg(const struct interp *, const struct ir_inst *, uint32_t k);
const double *interp_const(struct interp *, const struct ir_inst *, const char *key);

/* y += A x */
void interp_csr(double *y, const struct ir_csr *a, const double *x);
/* out = sum c_k T_k((x - mid) / half) by Clenshaw's recurrence, n >= 1 coefficients. */
void interp_chebyshev(double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half);
#endif
