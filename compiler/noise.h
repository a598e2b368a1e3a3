// SPDX-License-Identifier: Apache-2.0
// The error that encryption adds to a ckks value, as independent Gaussians per slot: what `tacet simulate` runs.
#ifndef TACET_NOISE_H
#define TACET_NOISE_H

#include "ir.h"

struct ir_noise {
    uint64_t seed;
};

/* Adds to `value` (ir_type_numel elements, the exact result of `i` on noisy operands, the first of which is `operand`) the error that
 * this one operation makes. The
 * module must have its parameters (attributes logn, q, p, alpha) and scales; without them nothing is added. Deterministic in
 * (seed, instruction id). Variances: noise.c. */
void noise_add(const struct ir_noise *, const struct ir_module *, const struct ir_inst *i, const double *operand,
               double *value);

/* Largest value that a bootstrap (its ckks.evalmod) is made for: q_0 ratio over the scale before StC. 0 before scales are assigned. */
double noise_boot_range(const struct ir_module *, const struct ir_inst *evalmod);
#endif
