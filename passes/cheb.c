// SPDX-License-Identifier: Apache-2.0
// Chebyshev-basis polynomials: Clenshaw evaluation, interpolation at the Chebyshev nodes, weighted least squares by normal
// equations (the basis is well conditioned on [-1,1], a floor under the weights keeps the Gram matrix so).
#include "cheb.h"

#include "../compiler/arena.h"
#include <math.h>
#include <string.h>

double cheb_eval(const double *c, size_t degree, double x)
{
    double b1 = 0, b2 = 0;
    for (size_t k = degree; k > 0; k--) {
        double b = c[k] + 2 * x * b1 - b2;
        b2 = b1;
        b1 = b;
    }
    return c[0] + x * b1 - b2;
}

void cheb_derivative(double *out, const double *c, size_t degree)
{
    double next = 0, after = 0;             // d_{k+1}, d_{k+2}
    out[degree] = 0;
    for (size_t k = degree; k > 0; k--) {
        double d = after + 2 * (double)k * c[k];
        after = next;
        next = d;
        out[k - 1] = d;
    }
    out[0] /= 2;
}

double cheb_max_abs(const double *c, size_t degree)
{
    size_t points = 16 * (degree + 1);
    double best = 0;
    for (size_t i = 0; i <= points; i++) best = fmax(best, fabs(cheb_eval(c, degree, cos(M_PI * (double)i / (double)points))));
    return best;
}

int cheb_depth(size_t degree)
{
    int depth = 0;
    while (((size_t)1 << depth) < degree + 1) depth++;
    return depth;
}

void cheb_interpolate(double *c, size_t degree, double (*f)(const void *arg, double x), const void *arg)
{
    size_t n = degree + 1;
    memset(c, 0, n * sizeof *c);
    for (size_t j = 0; j < n; j++) {
        double angle = M_PI * ((double)j + 0.5) / (double)n, y = f(arg, cos(angle));
        for (size_t k = 0; k < n; k++) c[k] += y * cos((double)k * angle);
    }
    for (size_t k = 0; k < n; k++) c[k] *= (k ? 2.0 : 1.0) / (double)n;
}

void cheb_fit(double *c, size_t degree, const double *x, const double *y, const double *w, size_t points,
              struct arena *scratch)
{
    size_t n = degree + 1;
    double *g = ARENA_ARRAY(scratch, double, n * n), *t = ARENA_ARRAY(scratch, double, n);
    memset(g, 0, n * n * sizeof *g);
    memset(c, 0, n * sizeof *c);
    for (size_t i = 0; i < points; i++) {
        if (w[i] <= 0) continue;
        t[0] = 1;
        if (n > 1) t[1] = x[i];
        for (size_t k = 2; k < n; k++) t[k] = 2 * x[i] * t[k - 1] - t[k - 2];
        for (size_t r = 0; r < n; r++) {
            double wt = w[i] * t[r];
            c[r] += wt * y[i];
            for (size_t k = 0; k <= r; k++) g[r * n + k] += wt * t[k];
        }
    }
    double trace = 0;
    for (size_t r = 0; r < n; r++) trace += g[r * n + r];
    for (size_t r = 0; r < n; r++) g[r * n + r] += 1e-13 * trace;
    for (size_t r = 0; r < n; r++) {                                    // Cholesky, then two triangular solves
        for (size_t k = 0; k <= r; k++) {
            double s = g[r * n + k];
            for (size_t j = 0; j < k; j++) s -= g[r * n + j] * g[k * n + j];
            g[r * n + k] = k == r ? sqrt(s) : s / g[k * n + k];
        }
        double s = c[r];
        for (size_t j = 0; j < r; j++) s -= g[r * n + j] * c[j];
        c[r] = s / g[r * n + r];
    }
    for (size_t r = n; r-- > 0;) {
        double s = c[r];
        for (size_t j = r + 1; j < n; j++) s -= g[j * n + r] * c[j];
        c[r] = s / g[r * n + r];
    }
}

void cheb_from_monomial(double *c, const double *m, size_t degree, double mid, double half)
{
    // Horner in the basis: c <- c (mid + half t) + m_k, with t T_k = (T_{k-1} + T_{k+1}) / 2.
    memset(c, 0, (degree + 1) * sizeof *c);
    for (size_t k = degree + 1; k-- > 0;) {
        double below = 0;                                               // the old c[j-1] while walking up
        for (size_t j = 0; j <= degree; j++) {
            double old = c[j], up = j < degree ? c[j + 1] : 0;
            c[j] = mid * old + half * (j == 1 ? below : below / 2) + half * up / 2;
            below = old;
        }
        c[0] += m[k];
    }
}
