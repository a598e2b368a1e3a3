// SPDX-License-Identifier: Apache-2.0
// cheb.c: Clenshaw against cosines, interpolation, least squares and basis change against direct evaluation.
#include "../../compiler/arena.h"
#include "../../passes/cheb.h"
#include "../test.h"
#include <math.h>

static double wave(const void *arg, double x) { return exp(*(const double *)arg * x); }

int main(void)
{
    double c[32] = {0}, d[32];
    for (int k = 0; k < 12; k++) {
        for (int j = 0; j < 12; j++) c[j] = j == k;
        for (double x = -1; x <= 1; x += 0.125) CHECKF(fabs(cheb_eval(c, 11, x) - cos(k * acos(x))) < 1e-13, "T_%d(%g)", k, x);
        cheb_derivative(d, c, 11);
        for (double x = -0.875; x < 1; x += 0.25) {
            double t = acos(x), want = k * sin(k * t) / sin(t);
            CHECKF(fabs(cheb_eval(d, 11, x) - want) < 1e-11, "T_%d'(%g)", k, x);
        }
    }
    static const int depth[][2] = {{1, 1}, {2, 2}, {3, 2}, {4, 3}, {7, 3}, {8, 4}, {15, 4}, {31, 5}, {63, 6}};
    for (size_t k = 0; k < sizeof depth / sizeof *depth; k++) CHECK(cheb_depth((size_t)depth[k][0]) == depth[k][1]);

    double rate = 2;
    cheb_interpolate(c, 20, wave, &rate);
    for (double x = -1; x <= 1; x += 0.01) CHECK(fabs(cheb_eval(c, 20, x) - exp(2 * x)) < 1e-13);

    struct arena *a = arena_new();
    double x[200], y[200], w[200], fit[32];
    for (int k = 0; k < 200; k++) {
        x[k] = cos(M_PI * (k + 0.5) / 200);
        y[k] = exp(2 * x[k]);
        w[k] = k % 3 ? 1 : 0.01;
    }
    cheb_fit(fit, 20, x, y, w, 200, a);
    for (int k = 0; k <= 20; k++) CHECKF(fabs(fit[k] - c[k]) < 1e-9, "least squares coefficient %d", k);
    arena_free(a);

    static const double m[] = {1, -2, 0.5, 3, -0.25};
    cheb_from_monomial(c, m, 4, 0.75, 2.5);
    for (double t = -1; t <= 1; t += 0.1) {
        double v = 0.75 + 2.5 * t, want = (((m[4] * v + m[3]) * v + m[2]) * v + m[1]) * v + m[0];
        CHECK(fabs(cheb_eval(c, 4, t) - want) < 1e-11);
    }
    return test_done();
}
