// SPDX-License-Identifier: Apache-2.0
// The polynomial of EvalMod.
#ifndef CK_BOOT_MOD_H
#define CK_BOOT_MOD_H

#include "boot_shape.h"

/* The even series of at most `degree` for f(t) = cos(2 pi t / 2^r), t = K x - 1/4, as Chebyshev coefficients c[0..degree/2] in y = 2 (t / K)^2 - 1,
 * fitted where EvalMod needs it: at |K x - i| <= eps for the integers |i| < K, where y is in [-1,1]. After r steps z <- 2 z^2 - 1,
 * z = sin(2 pi K x), which is 2 pi times K x modulo 1 up to the sine's cubic error (2 pi eps)^2 / 6.
 * errors  CK_EPARAM if degree > CK_BOOT_MAX_DEGREE, K outside 2..64, eps outside (0, 1/4]; CK_ENOMEM
 * source  [HK20] (double angle); the quarter is taken off the argument so that the cosine is even and half its products are saved */
enum ck_err ck_mod_fit(double *c, uint32_t degree, uint32_t r, uint32_t K, double eps);
#endif
