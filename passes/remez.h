// SPDX-License-Identifier: Apache-2.0
// Minimax polynomials for sign(x), alone and composed, computed in multi-precision.
#ifndef TACET_PASSES_REMEZ_H
#define TACET_PASSES_REMEZ_H

#include "actspec.h"

/* sign(x) ~ p_last(...p_0(x)) on [-1,-gap] u [gap,1]. coeffs[k] are degree[k]+1 Chebyshev coefficients (even ones zero); every part
 * maps [-1,1] into [-1,1] up to its error. On the intervals the result is within `error` of +-1; gap is chosen so that the error of
 * ReLU by x (1 + sign(x)) / 2 is about the same outside, error/2, and inside, where sign rises in a line: gap/8. */
struct remez_sign {
    int count, degree[ACTSPEC_MAX];
    double *coeffs[ACTSPEC_MAX];    // in the caller's arena
    double gap, error;
};

/* degree[0..count): odd. 0, or -1 if the exchange does not converge. */
int remez_sign(struct remez_sign *out, const int *degree, int count, struct arena *);

/* Best odd polynomial of `degree` for 1 on [a,b], 0 < a < b <= 1: writes degree+1 Chebyshev coefficients and its largest error. 0 or -1. */
int remez_odd(double *coeffs, double *error, int degree, double a, double b);
#endif
