// SPDX-License-Identifier: Apache-2.0
// The polynomial of EvalMod.
#ifndef CK_BOOT_MOD_H
#define CK_BOOT_MOD_H

#include "boot_shape.h"

/* Chebyshev coefficients c[0..degree] of f(x) = cos(2 pi (K x - 1/4) / 2^r) on [-1,1], fitted where EvalMod needs it: at |K x - i| <= eps for
 * the integers |i| < K. After r steps y <- 2 y^2 - 1, y = sin(2 pi K x), which is 2 pi times K x modulo 1 up to the sine's cubic
 * error (2 pi eps)^2 / 6.
 * errors  CK_EPARAM if degree > CK_BOOT_MAX_DEGREE, K outside 2..64, eps outside (0, 1/4]; CK_ENOMEM
 * source  [HK20] (fit near the integers, double angle); degree 31, r = 3, K = 16 leaves 2^-27 relative to eps = 2^-10 */
enum ck_err ck_mod_fit(double *c, uint32_t degree, uint32_t r, uint32_t K, double eps);
#endif
