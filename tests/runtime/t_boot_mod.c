// SPDX-License-Identifier: Apache-2.0
// EvalMod's polynomials against the sine next to every integer, weighted by its probability: the closed form of the Irwin-Hall density, which
// the fit does not use.
#include "../test.h"
#include "boot_mod.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long double pi = 3.14159265358979323846264338327950288L;

// P(I = i): density at i of the sum of 33 terms uniform in [-1/2, 1/2].
static long double probability(int i)
{
    const int n = 33;
    long double sum = 0, binomial = 1, factorial = 1;
    for (int k = 0; k <= n && 16.5L - abs(i) - k > 0; k++) {
        sum += (k % 2 ? -binomial : binomial) * powl(16.5L - abs(i) - k, n - 1);
        binomial = binomial * (n - k) / (k + 1);
    }
    for (int k = 2; k < n; k++) factorial *= k;
    return sum / factorial;
}

// What comes out at i + m eps, as a message: m and its error.
static long double message(double c[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1], int i, long double m, double eps)
{
    const long double t = i + m * eps - 0.25L, y = 2 * (t / CK_BOOT_RANGE) * (t / CK_BOOT_RANGE) - 1;
    long double z = 0;
    for (int p = 0; p <= CK_MOD_DOUBLINGS; p++) {
        long double before = 1, at = y, sum = c[p][0] + c[p][1] * y;
        for (int k = 2; k <= CK_MOD_DEGREE; k++) {
            const long double next = 2 * y * at - before;
            before = at;
            at = next;
            sum += c[p][k] * at;
        }
        z = 2 * z * z + sum;
    }
    return z / (2 * pi * eps);
}

int main(void)
{
    // bits of the range that are right, by |I|
    static const double bits[CK_BOOT_RANGE] = {20, 20, 20, 20, 20, 20, 19.5, 19.5, 19, 17.5, 17, 16, 14.5, 12.5, 9, 4.5};
    const double eps = 0x1p-10;
    double c[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1], again[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1];
    CHECK(ck_mod_fit(c, eps) == CK_OK && ck_mod_fit(again, eps) == CK_OK && !memcmp(c, again, sizeof c));
    for (int p = 1; p <= CK_MOD_DOUBLINGS; p++)
        for (int k = 0; k <= CK_MOD_DEGREE; k++) CHECK(c[p][k] == 0 || k == 0 || k == 8 || (p == 1 && (k == 1 || k == 2 || k == 4)));
    long double square = 0, all = 0, rare = 0;
    for (int i = 1 - CK_BOOT_RANGE; i < CK_BOOT_RANGE; i++) {
        long double worst = 0, sum = 0;
        for (int s = -50; s <= 50; s++) {
            const long double m = s / 50.0L, off = fabsl(message(c, i, m, eps) - sinl(2 * pi * m * eps) / (2 * pi * eps));
            sum += off * off / 101;
            worst = fmaxl(worst, off);
        }
        CHECKF(-log2l(worst) > bits[abs(i)], "I = %d: %.2Lf bits", i, -log2l(worst));
        square += probability(i) * sum;
        all += probability(i);
        if (abs(i) > 12) rare += probability(i);
    }
    CHECKF(fabsl(all - 1) < 1e-10L, "probabilities sum to %.12Lf", all);
    CHECKF(sqrtl(square) < 0x1p-21L, "2^%.2Lf of the range on average", log2l(square) / 2);
    CHECKF(rare * 65536 < 0x1p-42L, "2^%.1Lf a bootstrap", log2l(rare * 65536));     // |I| that break the promise of 14 bits
    CHECK(ck_mod_fit(c, 0) == CK_EPARAM && ck_mod_fit(c, 0.26) == CK_EPARAM && ck_mod_fit(c, NAN) == CK_EPARAM);
    return test_done();
}
