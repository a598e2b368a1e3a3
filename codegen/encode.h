// SPDX-License-Identifier: Apache-2.0
// Plaintext encoding at compile time: slots to integer coefficients in the subring of n slots.
#ifndef TACET_ENCODE_H
#define TACET_ENCODE_H

#include "../compiler/arena.h"
#include <stdint.h>

/* Tables of one slot count n (a power of two, at least 1). */
struct encoder;
struct encoder *encoder_new(struct arena *, uint32_t n);

/* The real polynomial a(Y), Y^2n = -1, with a(zeta^(5^j)) = slots[j], zeta = exp(2 pi i / 4n): 2n coefficients, unscaled.
 * Two vectors cost as much as one; b and coeff_b may both be NULL. Not thread-safe for one encoder. */
void encoder_run(struct encoder *, double *coeff_a, double *coeff_b, const double *a, const double *b);

/* The same by the definition, O(n^2): for tests. */
void encoder_ref(double *coeff, const double *slots, uint32_t n);

/* Coefficients as small integers: value = q[k] 2^shift approximates coeff[k] * scale. */
struct encoded {
    uint32_t shift;
    uint32_t width;             // bytes a coefficient: 2 or 4
    double slot_error;          // expected rounding error of a slot, standard deviation, in units of the slots
};

/* Rounds to the narrower of int16 and int32 whose slot error stays within max_error (int32 if neither does); out has room for
 * `count` int32 and is filled with int16 or int32. Returns 0, or -1 if a value does not fit 2^31 2^48. */
int encoder_round(struct encoded *, void *out, const double *coeff, uint32_t count, double scale, double max_error);
#endif
