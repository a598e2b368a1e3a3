// SPDX-License-Identifier: Apache-2.0
// remez.c: equioscillation of the single polynomial, error of the composite sign and of ReLU by it.
#include "../../passes/cheb.h"
#include "../../passes/remez.h"
#include "../test.h"
#include <math.h>

static void check_single(int degree, double a)
{
    double c[64], e = 0, largest = 0, previous = 0;
    int alternations = 0;
    CHECKF(remez_odd(c, &e, degree, a, 1) == 0, "degree %d on [%g,1]", degree, a);
    for (int k = 0; k <= 100000; k++) {
        double x = a * pow(1 / a, k / 100000.0), d = cheb_eval(c, (size_t)degree, x) - 1;
        largest = fmax(largest, fabs(d));
        if (fabs(d) > 0.999 * e && d * previous <= 0) {
            alternations++;
            previous = d;
        }
    }
    CHECKF(fabs(largest / e - 1) < 1e-6, "degree %d on [%g,1]: largest error %g, claimed %g", degree, a, largest, e);
    // de la Vallee Poussin: this many alternations prove the best approximation within the 0.1 % of the threshold
    CHECKF(alternations >= (degree + 3) / 2, "degree %d on [%g,1]: %d alternations", degree, a, alternations);
    for (int k = 0; k <= degree; k += 2) CHECK(c[k] == 0);
}

/* [EY07]: the error of the best polynomial of degree 2m+1 for sign on [-1,-a] u [a,1] tends to
 * (1-a) / sqrt(pi a m) ((1-a) / (1+a))^m. */
static void check_published(int degree, double a)
{
    double c[64], e = 0, m = (degree - 1) / 2, want = (1 - a) / sqrt(M_PI * a * m) * pow((1 - a) / (1 + a), m);
    CHECK(remez_odd(c, &e, degree, a, 1) == 0);
    CHECKF(fabs(e / want - 1) < 2.5 / m, "degree %d on [%g,1]: error %g, published %g", degree, a, e, want);
}

static void check_composite(const int *degree, int count, double relu_bits)
{
    struct arena *arena = arena_new();
    struct remez_sign s;
    CHECK(remez_sign(&s, degree, count, arena) == 0);
    double worst_sign = 0, worst_relu = 0;
    for (int k = -200000; k <= 200000; k++) {
        double x = k / 200000.0, y = x;
        for (int j = 0; j < count; j++) {
            CHECKF(fabs(y) < 1 + 1e-9, "part %d reads %g", j, y);
            y = cheb_eval(s.coeffs[j], (size_t)s.degree[j], y);
        }
        if (fabs(x) >= s.gap) worst_sign = fmax(worst_sign, fabs(y - (x > 0 ? 1 : -1)));
        worst_relu = fmax(worst_relu, fabs(x * (1 + y) / 2 - fmax(x, 0)));
    }
    CHECKF(worst_sign <= s.error * 1.001, "sign error %g, claimed %g", worst_sign, s.error);
    CHECKF(-log2(worst_relu) >= relu_bits, "relu error 2^%g", log2(worst_relu));
    arena_free(arena);
}

int main(void)
{
    check_single(1, 0.5);
    check_single(7, 0.01);
    check_single(15, 0x1p-10);
    check_single(27, 0.2);
    check_single(63, 0x1p-8);
    check_published(63, 0.3);
    check_published(63, 0.1);
    check_published(31, 0.2);
    double c[8], e;
    CHECK(remez_odd(c, &e, 4, 0.1, 1) == -1 && remez_odd(c, &e, 5, 0, 1) == -1 && remez_odd(c, &e, 5, 1, 1) == -1);
    check_composite((const int[]){15, 15, 27}, 3, 12.2);
    check_composite((const int[]){7, 15, 15}, 3, 10.5);
    check_composite((const int[]){15}, 1, 5);
    return test_done();
}
