// SPDX-License-Identifier: Apache-2.0
// Polynomials in the Chebyshev basis on [-1,1]: sum c_k T_k(x), k = 0..degree.
#ifndef TACET_PASSES_CHEB_H
#define TACET_PASSES_CHEB_H

#include <stddef.h>

struct arena;

double cheb_eval(const double *c, size_t degree, double x);             // Clenshaw
void cheb_derivative(double *out, const double *c, size_t degree);      // degree+1 entries, the last is 0
double cheb_max_abs(const double *c, size_t degree);                    // over [-1,1], on a fine grid

/* Levels that an evaluation by Paterson-Stockmeyer takes: ceil(log2(degree+1)). */
int cheb_depth(size_t degree);

/* Interpolation at the degree+1 Chebyshev nodes: near-best in the maximum norm for smooth f. */
void cheb_interpolate(double *c, size_t degree, double (*f)(const void *arg, double x), const void *arg);

/* Weighted least squares: minimises sum w_i (p(x_i) - y_i)^2. w_i >= 0 and at least degree+1 positive weights. */
void cheb_fit(double *c, size_t degree, const double *x, const double *y, const double *w, size_t points,
              struct arena *scratch);

/* sum m_k x^k -> Chebyshev coefficients of the same polynomial in t, x = mid + half t. */
void cheb_from_monomial(double *c, const double *m, size_t degree, double mid, double half);
#endif
