// SPDX-License-Identifier: Apache-2.0
// Predicted encryption error of every value of a ckks module with scales and ranges assigned. Derivation: docs/PARAMETERS.md.
#ifndef TACET_PASSES_NOISE_H
#define TACET_PASSES_NOISE_H

#include "pass.h"

/* What the estimate needs of the parameters; log2 of sizes, so that candidates need no primes. */
struct noise_ring {
    double logn, digit_bits, p_bits;    // ring degree, largest digit product, product of the special primes
    uint32_t digits;
};

/* Standard deviations of one slot, as integers (before division by the scale). */
double noise_fresh(const struct noise_ring *);
double noise_rescale(const struct noise_ring *);
double noise_keyswitch(const struct noise_ring *);

/* Largest row norm (after folding), most entries in a row and largest entry of a linear map: computed once, they cost a walk over the
 * matrix. */
struct noise_linear {
    double norm, entries, largest;
};
struct noise_linear noise_linear_init(const struct ir_module *, const struct ir_inst *, struct arena *scratch);

/* Standard deviation of the error of each value, by instruction id, in units of the value; linear[id] for linear maps. */
void noise_propagate(double *err, const struct ir_module *, const struct noise_ring *, const double *q,
                     const struct noise_linear *linear, struct arena *scratch);
#endif
