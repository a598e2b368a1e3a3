// SPDX-License-Identifier: Apache-2.0
// The interpreter's inner loops, each compiled for three instruction sets from one body in vector types. Products and sums are rounded one by
// one (no fused multiply-add) and every result has one order of summation, so that a compilation gives the same bytes on every machine.
#include "interp.h"
#include "diag.h"
#include <stdlib.h>
#include <string.h>

typedef double vec8 __attribute__((vector_size(64), aligned(8), may_alias));

#define BODY static inline __attribute__((always_inline)) void
#define DISPATCH(name, declare, pass)                                                                   \
    __attribute__((target("avx512f"))) static void name##_avx512 declare { name##_body pass; }             \
    __attribute__((target("avx2"))) static void name##_avx2 declare { name##_body pass; }                  \
    static void name##_any declare { name##_body pass; }                                                 \
    static void name declare                                                                            \
    {                                                                                                   \
        if (__builtin_cpu_supports("avx512f")) name##_avx512 pass;                                        \
        else if (__builtin_cpu_supports("avx2")) name##_avx2 pass;                                        \
        else name##_any pass;                                                                           \
    }

BODY tile_body(double *acc, const double *a, const double *b, const int64_t *offset, int64_t n)
{
    vec8 s[INTERP_OUTPUTS][2];
    for (int r = 0; r < INTERP_OUTPUTS; r++)
        for (int j = 0; j < 2; j++) s[r][j] = *(const vec8 *)(acc + INTERP_TILE * r + 8 * j);
    for (int64_t k = 0; k < n; k++, a += INTERP_OUTPUTS) {
        const double *from = b + offset[k];
        vec8 lo = *(const vec8 *)from, hi = *(const vec8 *)(from + 8);
        for (int r = 0; r < INTERP_OUTPUTS; r++) {
            s[r][0] += a[r] * lo;
            s[r][1] += a[r] * hi;
        }
    }
    for (int r = 0; r < INTERP_OUTPUTS; r++)
        for (int j = 0; j < 2; j++) *(vec8 *)(acc + INTERP_TILE * r + 8 * j) = s[r][j];
}
DISPATCH(tile, (double *acc, const double *a, const double *b, const int64_t *offset, int64_t n), (acc, a, b, offset, n))

void interp_tile(double acc[INTERP_OUTPUTS * INTERP_TILE], const double *a, const double *b, const int64_t *offset, int64_t n)
{
    tile(acc, a, b, offset, n);
}

// Rows [from, to) of y = A x for 8 samples side by side: x and y hold element e of sample s at [8 e + s].
BODY spmm_body(double *y, const struct ir_csr *a, const double *x, int64_t from, int64_t to)
{
    for (int64_t r = from; r < to; r++) {
        vec8 s = {0};
        struct ir_row row = ir_csr_row(a, r);
        for (int64_t k = row.lo; k < row.hi; k++) s += a->val[k] * *(const vec8 *)(x + 8 * (int64_t)ir_csr_col(a, row, k));
        *(vec8 *)(y + 8 * r) = s;
    }
}
DISPATCH(spmm, (double *y, const struct ir_csr *a, const double *x, int64_t from, int64_t to), (y, a, x, from, to))

enum { SLICE = 512 };               // rows of a matrix, or points, that a thread takes at once

static void csr_single(double *y, const struct ir_csr *a, const double *x)
{
#pragma omp parallel for schedule(dynamic, SLICE) if (ir_csr_stored(a) > 1 << 17)
    for (int64_t r = 0; r < a->rows; r++) {
        double s = 0;
        struct ir_row row = ir_csr_row(a, r);
        for (int64_t k = row.lo; k < row.hi; k++) s += a->val[k] * x[ir_csr_col(a, row, k)];
        y[r] += s;
    }
}

void interp_csr(double *y, const struct ir_csr *a, const double *x, int64_t rows)
{
    if (rows == 1) {
        csr_single(y, a, x);
        return;
    }
    double *side = malloc(8 * sizeof *side * (size_t)a->cols), *sum = malloc(8 * sizeof *sum * (size_t)a->rows);
    ICE_IF(!side || !sum, "out of memory");
    for (int64_t from = 0; from < rows; from += 8) {
        int64_t n = rows - from < 8 ? rows - from : 8;
        if (n < 8) memset(side, 0, 8 * sizeof *side * (size_t)a->cols);
#pragma omp parallel for schedule(static) if (ir_csr_stored(a) > 1 << 15)
        for (int64_t e = 0; e < a->cols; e++)
            for (int64_t s = 0; s < n; s++) side[8 * e + s] = x[(from + s) * a->cols + e];
#pragma omp parallel for schedule(dynamic) if (ir_csr_stored(a) > 1 << 15)
        for (int64_t r = 0; r < a->rows; r += SLICE) spmm(sum, a, side, r, r + SLICE < a->rows ? r + SLICE : a->rows);
#pragma omp parallel for schedule(static) if (ir_csr_stored(a) > 1 << 15)
        for (int64_t s = 0; s < n; s++)
            for (int64_t r = 0; r < a->rows; r++) y[(from + s) * a->rows + r] += sum[8 * r + s];
    }
    free(side);
    free(sum);
}

enum { BLOCK = 32 };                // the recurrence is serial; points side by side fill the vector units

BODY clenshaw_body(double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half)
{
    for (int64_t from = 0; from < points; from += BLOCK) {
        double in[BLOCK] = {0}, result[BLOCK];
        vec8 t[BLOCK / 8], b1[BLOCK / 8] = {{0}}, b2[BLOCK / 8] = {{0}};
        int64_t m = points - from < BLOCK ? points - from : BLOCK;
        for (int64_t j = 0; j < m; j++) in[j] = (x[from + j] - mid) / half;
        for (int j = 0; j < BLOCK / 8; j++) t[j] = *(const vec8 *)(in + 8 * j);
        for (int64_t k = n; k-- > 1;)
            for (int j = 0; j < BLOCK / 8; j++) {
                vec8 b = c[k] + 2 * t[j] * b1[j] - b2[j];
                b2[j] = b1[j];
                b1[j] = b;
            }
        for (int j = 0; j < BLOCK / 8; j++) *(vec8 *)(result + 8 * j) = c[0] + t[j] * b1[j] - b2[j];
        memcpy(out + from, result, (size_t)m * sizeof *out);
    }
}
DISPATCH(clenshaw, (double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half),
         (out, c, n, x, points, mid, half))

void interp_chebyshev(double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half)
{
    enum { PART = 4096 };
#pragma omp parallel for schedule(static) if (points > PART)
    for (int64_t from = 0; from < points; from += PART)
        clenshaw(out + from, c, n, x + from, points - from < PART ? points - from : PART, mid, half);
}
