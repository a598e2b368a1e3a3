// SPDX-License-Identifier: Apache-2.0
// The encoder against its definition; linearity and rounding; known polynomials.
#include "../../codegen/encode.h"
#include "../test.h"

#include <math.h>
#include <stdlib.h>

static double random_unit(void)
{
    return 2.0 * rand() / RAND_MAX - 1;
}

/* Value of the integer polynomial at zeta^(5^j), by Horner in long double. */
static double value_at(const double *coeff, uint32_t n, uint32_t j)
{
    uint64_t power = 1, order = 4 * (uint64_t)n;
    while (j--) power = power * 5 % order;
    long double sum = 0;
    for (uint32_t k = 0; k < 2 * n; k++)
        sum += coeff[k] * cosl(2 * acosl(-1) * (long double)(power * k % order) / (long double)order);
    return (double)sum;
}

static void against_definition(uint32_t n)
{
    struct arena *a = arena_new();
    struct encoder *e = encoder_new(a, n);
    double *x = ARENA_ARRAY(a, double, n), *y = ARENA_ARRAY(a, double, n), *cx = ARENA_ARRAY(a, double, 2 * n),
           *cy = ARENA_ARRAY(a, double, 2 * n), *want = ARENA_ARRAY(a, double, 2 * n);
    for (uint32_t j = 0; j < n; j++) x[j] = random_unit(), y[j] = 1000 * random_unit();
    encoder_run(e, cx, cy, x, y);
    double worst = 0;
    encoder_ref(want, x, n);
    for (uint32_t k = 0; k < 2 * n; k++) worst = fmax(worst, fabs(want[k] - cx[k]));
    encoder_ref(want, y, n);
    for (uint32_t k = 0; k < 2 * n; k++) worst = fmax(worst, fabs(want[k] - cy[k]) / 1000);
    CHECKF(worst < 1e-13, "n %u: differs from the definition by %g", n, worst);
    for (uint32_t j = 0; j < n; j += n / 8 + 1) CHECKF(fabs(value_at(cx, n, j) - x[j]) < 1e-12, "n %u slot %u", n, j);
    encoder_run(e, want, NULL, x, NULL);
    for (uint32_t k = 0; k < 2 * n; k++) worst = fmax(worst, fabs(want[k] - cx[k]));    // rounding is relative to the larger of a pair
    CHECKF(worst < 1e-13, "n %u: alone and in a pair differ by %g", n, worst);
    arena_free(a);
}

static void constants(void)
{
    struct arena *a = arena_new();
    enum { N = 64 };
    struct encoder *e = encoder_new(a, N);
    double x[N], c[2 * N];
    for (int j = 0; j < N; j++) x[j] = 3;
    encoder_run(e, c, NULL, x, NULL);
    double rest = 0;
    for (int k = 1; k < 2 * N; k++) rest = fmax(rest, fabs(c[k]));
    CHECKF(fabs(c[0] - 3) < 1e-14 && rest < 1e-14, "a constant vector is a constant polynomial");
    arena_free(a);
}

static void rounding(void)
{
    enum { N = 256 };
    struct arena *a = arena_new();
    struct encoder *e = encoder_new(a, N);
    double x[N], c[2 * N], back[2 * N];
    int32_t data[2 * N];
    for (int j = 0; j < N; j++) x[j] = random_unit();
    encoder_run(e, c, NULL, x, NULL);
    static const double errors[] = {0, 1e-3, 1e-8};
    for (size_t t = 0; t < 3; t++) {
        struct encoded out;
        CHECKF(encoder_round(&out, data, c, 2 * N, 0x1p46, errors[t]) == 0, "fits");
        CHECKF(out.width == (errors[t] == 1e-3 ? 2u : 4u), "width %u for error %g", out.width, errors[t]);
        for (int k = 0; k < 2 * N; k++)
            back[k] = ldexp(out.width == 2 ? ((int16_t *)data)[k] : data[k], (int)out.shift) / 0x1p46;
        double worst = 0;
        for (uint32_t j = 0; j < N; j++) worst = fmax(worst, fabs(value_at(back, N, j) - x[j]));
        CHECKF(worst < 6 * out.slot_error && worst > out.slot_error / 6, "slot error %g, predicted %g", worst, out.slot_error);
    }
    struct encoded out;
    CHECKF(encoder_round(&out, data, c, 2 * N, 0x1p100, 0) == -1, "2^100 does not fit");
    for (int k = 0; k < 2 * N; k++) c[k] = 0;
    c[3] = 2147483647;
    CHECKF(encoder_round(&out, data, c, 2 * N, 1, 0) == 0 && out.shift == 0 && data[3] == 2147483647, "largest without a shift");
    c[3] = -2147483648.0;
    CHECKF(encoder_round(&out, data, c, 2 * N, 1, 0) == 0 && out.shift == 1 && data[3] == -1073741824, "one more needs a shift");
    arena_free(a);
}

int main(void)
{
    srand(1);
    for (uint32_t n = 1; n <= 512; n *= 2) against_definition(n);
    constants();
    rounding();
    return test_done();
}
