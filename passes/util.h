// SPDX-License-Identifier: Apache-2.0
// Small helpers that several passes share.
#ifndef TACET_PASSES_UTIL_H
#define TACET_PASSES_UTIL_H

#include "../compiler/ir.h"

/* The constant that a symbol attribute names; absence is an ICE. */
struct ir_const *util_const(const struct ir_module *, const struct ir_inst *, const char *key);

/* Flat index into a constant of the given shape, broadcast (numpy rules) to `type`, for flat index k of `type`. */
int64_t util_broadcast(const struct ir_type *type, uint32_t rank, const int64_t *dim, int64_t k);

/* Chebyshev coefficients (f64) of a poly instruction of any dialect; *degree is set. */
const double *util_coeffs(const struct ir_module *, const struct ir_inst *, size_t *degree);
void util_set_coeffs(struct ir_module *, struct ir_inst *, const double *, size_t degree);

/* `node "name"` of an instruction for messages, or the operation's name. */
const char *util_where(struct arena *, const struct ir_inst *);

/* Largest of |lo|, |hi| of a value's range attributes (rlo, rhi); `def` if it has none. */
double util_range(const struct ir_inst *, double def);
#endif
