// SPDX-License-Identifier: Apache-2.0
// Least squares in the Chebyshev basis by Householder reflections in long double: at most 635 points by 128 coefficients, once.
#include "boot_mod.h"
#include <math.h>
#include <stdlib.h>

enum { OFFSETS = 5 };   // points around each integer

// Minimises |V c - f|, V rows x cols column-major, both overwritten; the solution ends in f[0..cols-1].
static void least_squares(long double *V, long double *f, uint32_t rows, uint32_t cols)
{
    for (uint32_t k = 0; k < cols; k++) {
        long double *v = V + (size_t)k * rows, norm = 0;
        for (uint32_t i = k; i < rows; i++) norm += v[i] * v[i];
        norm = sqrtl(norm) * (v[k] > 0 ? -1 : 1);
        long double pivot = v[k] - norm, scale = -norm * pivot;    // |reflector|^2 / 2
        v[k] = pivot;
        for (uint32_t j = k + 1; j <= cols; j++) {
            long double *w = j < cols ? V + (size_t)j * rows : f, dot = 0;
            for (uint32_t i = k; i < rows; i++) dot += v[i] * w[i];
            for (uint32_t i = k; i < rows; i++) w[i] -= v[i] * (dot / scale);
        }
        v[k] = norm;
    }
    for (uint32_t k = cols; k-- > 0;) {
        for (uint32_t j = k + 1; j < cols; j++) f[k] -= V[(size_t)j * rows + k] * f[j];
        f[k] /= V[(size_t)k * rows + k];
    }
}

enum ck_err ck_mod_fit(double *c, uint32_t degree, uint32_t r, uint32_t K, double eps)
{
    if (degree > CK_BOOT_MAX_DEGREE || K < 2 || K > 64 || !(eps > 0 && eps <= 0.25)) return CK_EPARAM;
    uint32_t cols = degree / 2 + 1, rows = (2 * K - 1) * OFFSETS;
    if (cols > rows) return CK_EPARAM;
    long double *V = malloc(sizeof *V * rows * cols), *f = malloc(sizeof *f * rows);
    if (!V || !f) {
        free(V);
        free(f);
        return CK_ENOMEM;
    }
    const long double pi = 3.14159265358979323846264338327950288L;
    for (uint32_t i = 0; i < rows; i++) {
        long double off = eps * cosl(pi * (i % OFFSETS + 0.5L) / OFFSETS);
        long double t = (long double)(i / OFFSETS) - (K - 1) + off - 0.25L, y = 2 * (t / K) * (t / K) - 1;
        for (uint32_t j = 0; j < cols; j++) V[(size_t)j * rows + i] = cosl(j * acosl(y));
        f[i] = cosl(2 * pi * t / (1u << r));
    }
    least_squares(V, f, rows, cols);
    for (uint32_t j = 0; j < cols; j++) c[j] = (double)f[j];
    free(V);
    free(f);
    return CK_OK;
}
