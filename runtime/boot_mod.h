// SPDX-License-Identifier: Apache-2.0
// The polynomial of EvalMod.
#ifndef CK_BOOT_MOD_H
#define CK_BOOT_MOD_H

#include "boot_shape.h"

/* Chebyshev coefficients of polynomials p_0 .. p_3 in y = 2 (t / K)^2 - 1, t = K x - 1/4, K = CK_BOOT_RANGE: with z_0 = p_0(y) and
 * z_{i+1} = 2 z_i^2 + p_{i+1}(y), z_3 is sin(2 pi K x) where |K x - I| <= eps for an integer |I| < K, which is 2 pi times K x modulo 1 up to the
 * sine's cubic error (2 pi eps)^2 / 6. p_0 has all terms, the others only T_k that a series of degree 12 has computed: 1, T_1, T_2, T_4, T_8; 1, T_8;
 * 1, T_8. Fitted together by least squares with the weights P(I)^(1/3): eps = 2^-10 leaves 2^-21.4 of the range on average (docs/design/0004).
 * errors  CK_EPARAM if eps is outside (0, 1/4]; CK_ENOMEM
 * source  [HK20] (double angle), [TS12] (geodesic acceleration) */
enum ck_err ck_mod_fit(double c[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1], double eps);
#endif
