// SPDX-License-Identifier: Apache-2.0
// Remez exchange in MPFR for odd approximations of sign(x) on two symmetric intervals, and the composition of several.
//
// The best approximation of sign on [-b,-a] u [a,b] is odd, so the two intervals reduce to one: 1 on [a,b] in the basis T_1, T_3, ...,
// T_d, which satisfies the Haar condition there. Each step solves for coefficients and level E on the (d+3)/2 reference
// points, then moves the references to the extrema of the error. Composition [LLKN20]: a part maps [a,1] into [1-e,1+e]; divided by 1+e
// that is [a',1] for the next. The gap of the whole is found by bisection.
// source [LLKN20]
#include "remez.h"

#include "../compiler/diag.h"
#include <math.h>
#include <mpfr.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 192, ROUNDS = 60, GRID = 24, MAX_TERMS = 34 };    // odd degrees up to 63: 32 terms and the level

struct work {
    int terms;                      // (degree+1)/2
    mpfr_t m[MAX_TERMS][MAX_TERMS + 1], c[MAX_TERMS], x[MAX_TERMS], t[6];
};

static void work_init(struct work *w, int terms)
{
    w->terms = terms;
    for (int i = 0; i <= terms; i++) {
        mpfr_init2(w->c[i], BITS);
        mpfr_init2(w->x[i], BITS);
        for (int j = 0; j <= terms + 1; j++) mpfr_init2(w->m[i][j], BITS);
    }
    for (int k = 0; k < 6; k++) mpfr_init2(w->t[k], BITS);
}

static void work_clear(struct work *w)
{
    for (int i = 0; i <= w->terms; i++) {
        mpfr_clear(w->c[i]);
        mpfr_clear(w->x[i]);
        for (int j = 0; j <= w->terms + 1; j++) mpfr_clear(w->m[i][j]);
    }
    for (int k = 0; k < 6; k++) mpfr_clear(w->t[k]);
}

/* out[j] = T_{2j+1}(x): T_{k+2} = (4x^2 - 2) T_k - T_{k-2}, with T_{-1} = T_1 = x. */
static void basis(struct work *w, mpfr_t *out, const mpfr_t x)
{
    mpfr_sqr(w->t[0], x, MPFR_RNDN);
    mpfr_mul_ui(w->t[0], w->t[0], 4, MPFR_RNDN);
    mpfr_sub_ui(w->t[0], w->t[0], 2, MPFR_RNDN);
    mpfr_set(out[0], x, MPFR_RNDN);
    for (int j = 1; j < w->terms; j++) {
        mpfr_mul(out[j], w->t[0], out[j - 1], MPFR_RNDN);
        mpfr_sub(out[j], out[j], j == 1 ? x : out[j - 2], MPFR_RNDN);
    }
}

/* p(x) - 1 as a double: the difference is formed in multi-precision. */
static double error_at(struct work *w, double x)
{
    mpfr_set_d(w->t[5], x, MPFR_RNDN);
    mpfr_sqr(w->t[0], w->t[5], MPFR_RNDN);
    mpfr_mul_ui(w->t[0], w->t[0], 4, MPFR_RNDN);
    mpfr_sub_ui(w->t[0], w->t[0], 2, MPFR_RNDN);
    mpfr_set(w->t[1], w->t[5], MPFR_RNDN);              // T_{k-2}, then T_k
    mpfr_set(w->t[2], w->t[5], MPFR_RNDN);
    mpfr_set_si(w->t[3], -1, MPFR_RNDN);
    for (int j = 0; j < w->terms; j++) {
        mpfr_fma(w->t[3], w->c[j], w->t[2], w->t[3], MPFR_RNDN);
        mpfr_fms(w->t[4], w->t[0], w->t[2], w->t[1], MPFR_RNDN);
        mpfr_swap(w->t[1], w->t[2]);
        mpfr_swap(w->t[2], w->t[4]);
    }
    return mpfr_get_d(w->t[3], MPFR_RNDN);
}

/* Solves sum c_j T_{2j+1}(x_i) + (-1)^i E = 1 by elimination with row pivoting; c[terms] = E. */
static int solve(struct work *w)
{
    int n = w->terms + 1;
    for (int i = 0; i < n; i++) {
        basis(w, w->m[i], w->x[i]);
        mpfr_set_si(w->m[i][n - 1], i % 2 ? -1 : 1, MPFR_RNDN);
        mpfr_set_ui(w->m[i][n], 1, MPFR_RNDN);
    }
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            if (mpfr_cmpabs(w->m[i][k], w->m[pivot][k]) > 0) pivot = i;
        if (mpfr_zero_p(w->m[pivot][k])) return -1;
        for (int j = k; j <= n; j++) mpfr_swap(w->m[k][j], w->m[pivot][j]);
        for (int i = k + 1; i < n; i++) {
            mpfr_div(w->t[0], w->m[i][k], w->m[k][k], MPFR_RNDN);
            mpfr_neg(w->t[0], w->t[0], MPFR_RNDN);
            for (int j = k; j <= n; j++) mpfr_fma(w->m[i][j], w->t[0], w->m[k][j], w->m[i][j], MPFR_RNDN);
        }
    }
    for (int i = n; i-- > 0;) {
        mpfr_set(w->c[i], w->m[i][n], MPFR_RNDN);
        for (int j = i + 1; j < n; j++) {
            mpfr_mul(w->t[0], w->m[i][j], w->c[j], MPFR_RNDN);
            mpfr_sub(w->c[i], w->c[i], w->t[0], MPFR_RNDN);
        }
        mpfr_div(w->c[i], w->c[i], w->m[i][i], MPFR_RNDN);
    }
    return 0;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Points where extrema may hide: cosine-spaced both in x and in log x, since they crowd at both ends. */
static int make_grid(double *g, int points, double a, double b)
{
    for (int k = 0; k < points; k++) {
        double u = (1 - cos(M_PI * k / (points - 1))) / 2;
        g[2 * k] = a + (b - a) * u;
        g[2 * k + 1] = a * exp(log(b / a) * u);
    }
    g[2 * points - 2] = g[2 * points - 1] = b;
    qsort(g, (size_t)(2 * points), sizeof *g, ascending);
    int n = 0;
    for (int k = 0; k < 2 * points; k++)
        if (n == 0 || g[k] > g[n - 1] * (1 + 1e-14)) g[n++] = g[k];
    return n;
}

/* Sharpens the extremum bracketed by l < x < r by golden section on |error|. */
static double sharpen(struct work *w, double l, double r, double sign)
{
    const double golden = 0.6180339887498949;
    double a = r - golden * (r - l), b = l + golden * (r - l), fa = sign * error_at(w, a), fb = sign * error_at(w, b);
    for (int k = 0; k < 40; k++) {
        if (fa > fb) {
            r = b; b = a; fb = fa;
            a = r - golden * (r - l);
            fa = sign * error_at(w, a);
        } else {
            l = a; a = b; fa = fb;
            b = l + golden * (r - l);
            fb = sign * error_at(w, b);
        }
    }
    return (l + r) / 2;
}

/* New references: the largest |error| of each run of one sign, then the ends are dropped until there are terms+1 alternating ones. */
static int exchange(struct work *w, const double *g, int points, double *largest, double *smallest)
{
    double *x = malloc(sizeof *x * (size_t)points), *e = malloc(sizeof *e * (size_t)points);
    if (!x || !e) ICE("out of memory");
    double *value = malloc(sizeof *value * (size_t)points);
    if (!value) ICE("out of memory");
    int n = 0, want = w->terms + 1;
    for (int k = 0; k < points; k++) value[k] = error_at(w, g[k]);
    for (int k = 0, end; k < points; k = end) {
        int best = k;
        for (end = k; end < points && (value[end] > 0) == (value[k] > 0); end++)
            if (fabs(value[end]) > fabs(value[best])) best = end;
        x[n] = g[best];
        if (best > 0 && best < points - 1) x[n] = sharpen(w, g[best - 1], g[best + 1], value[best] > 0 ? 1 : -1);
        e[n] = error_at(w, x[n]);
        n++;
    }
    int first = 0;
    for (; n - first > want; )
        if (fabs(e[first]) < fabs(e[n - 1])) first++;
        else n--;
    int ok = n - first == want;
    *largest = 0;
    *smallest = INFINITY;
    for (int k = 0; ok && k < want; k++) {
        mpfr_set_d(w->x[k], x[first + k], MPFR_RNDN);
        *largest = fmax(*largest, fabs(e[first + k]));
        *smallest = fmin(*smallest, fabs(e[first + k]));
    }
    free(x);
    free(e);
    free(value);
    return ok ? 0 : -1;
}

int remez_odd(double *coeffs, double *error, int degree, double a, double b)
{
    if (degree < 1 || degree % 2 == 0 || degree > 63 || !(a > 0) || !(a < b) || !(b <= 1)) return -1;
    struct work w;
    work_init(&w, (degree + 1) / 2);
    int points = GRID * (w.terms + 1), res = -1;
    double *g = malloc(sizeof *g * (size_t)(2 * points));
    if (!g) ICE("out of memory");
    int n = make_grid(g, points, a, b);
    for (int k = 0; k <= w.terms; k++) {
        double u = (1 - cos(M_PI * k / w.terms)) / 2;
        // between the two spacings: extrema follow log x near a and x near b
        mpfr_set_d(w.x[k], k == w.terms ? b : sqrt((a + (b - a) * u) * a * exp(log(b / a) * u)), MPFR_RNDN);
    }
    for (int round = 0; round < ROUNDS; round++) {
        double largest, smallest;
        if (solve(&w) != 0 || exchange(&w, g, n, &largest, &smallest) != 0) break;
        *error = largest;
        res = 0;
        if (largest - smallest <= 1e-9 * largest || largest < 1e-15) break;
        res = round + 1 < ROUNDS || largest - smallest <= 1e-3 * largest ? 0 : -1;
    }
    for (int j = 0; j <= degree; j++) coeffs[j] = j % 2 ? mpfr_get_d(w.c[j / 2], MPFR_RNDN) : 0;
    free(g);
    work_clear(&w);
    return res;
}

/* Composition for a given gap; the error of the last part, or -1. */
static double compose(struct remez_sign *s, double gap)
{
    double a = gap, e = 0;
    for (int k = 0; k < s->count; k++) {
        if (remez_odd(s->coeffs[k], &e, s->degree[k], a, 1) != 0) return -1;
        if (k + 1 == s->count) break;
        for (int j = 0; j <= s->degree[k]; j++) s->coeffs[k][j] /= 1 + e;
        a = fmin((1 - e) / (1 + e), 1 - 1e-12);
    }
    return e;
}

int remez_sign(struct remez_sign *out, const int *degree, int count, struct arena *arena)
{
    *out = (struct remez_sign){.count = count};
    for (int k = 0; k < count; k++) {
        out->degree[k] = degree[k];
        out->coeffs[k] = ARENA_ARRAY(arena, double, degree[k] + 1);
    }
    double lo = -40, hi = -1e-3;                                // log2 of the gap; the error falls as the gap grows
    for (int k = 0; k < 16; k++) {
        double mid = (lo + hi) / 2, e = compose(out, exp2(mid));
        if (e < 0) return -1;
        if (e > exp2(mid) / 4) lo = mid;
        else hi = mid;
    }
    out->gap = exp2(hi);
    out->error = compose(out, out->gap);
    return out->error < 0 ? -1 : 0;
}
