// SPDX-License-Identifier: Apache-2.0
// The polynomials of EvalMod by Levenberg-Marquardt in long double: 93 points, 22 coefficients, about 60 steps, once.
//
// The start, a cosine of an eighth of the angle and true double angles, is far from the end, and the way there is a narrow bent valley: to a step v
// half its acceleration is added, which solves the same least squares problem with the second derivative along v on its right side. Without it
// the way takes more than a thousand steps.
#include "boot_mod.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OFFSETS = 3,            // points around each integer
    POINTS = (2 * CK_BOOT_RANGE - 1) * OFFSETS,
    ALL = CK_MOD_DEGREE + 1,
    UNKNOWNS = ALL + 5 + 2 + 2,
    ROWS = POINTS + UNKNOWNS,
    STEPS = 200,
    UNIFORM = 33,           // terms of the sum that rounds to I: the sparse secret's 32 and the constant part
};

// Bit k: the polynomial has T_k.
static const uint32_t terms[CK_MOD_DOUBLINGS + 1] = {(1u << ALL) - 1, 0x117, 0x101, 0x101};

struct point {
    long double c[CK_MOD_DOUBLINGS + 1][ALL], z[CK_MOD_DOUBLINGS + 1][POINTS];
    long double error[POINTS], square;          // weighted, and the sum of squares
};

struct fit {
    uint32_t doublings, unknowns;               // 0 and ALL while p_0 is fitted alone
    long double basis[ALL][POINTS], weight[POINTS], target[POINTS];
    struct point now, next, back;
    // The linear problem: columns, with their lengths taken out; once factored, the triangle above the diagonal and reflectors below.
    long double column[UNKNOWNS][ROWS], length[UNKNOWNS], diagonal[UNKNOWNS];
};

// Density at x of the sum of n <= UNIFORM terms uniform in [-1/2, 1/2], by the recurrence of B-splines: all terms are positive.
static long double density(uint32_t n, long double x)
{
    long double f[UNIFORM];         // of the sum of m terms at x - (n - m) / 2 + i
    for (uint32_t i = 0; i < n; i++) f[i] = fabsl(x - (n - 1) / 2.0L + i) < 0.5L;
    for (uint32_t m = 2; m <= n; m++)
        for (uint32_t i = 0; i <= n - m; i++) {
            const long double at = x - (n - m) / 2.0L + i;
            f[i] = ((m / 2.0L - at) * f[i] + (m / 2.0L + at) * f[i + 1]) / (m - 1);
        }
    return f[0];
}

// to = from + times step.
static void move(struct point *to, const struct fit *f, const struct point *from, long double times, const long double *step)
{
    for (uint32_t i = 0; i <= f->doublings; i++)
        for (uint32_t k = 0; k < ALL; k++) to->c[i][k] = from->c[i][k] + (terms[i] >> k & 1 ? times * *step++ : 0);
    to->square = 0;
    for (uint32_t p = 0; p < POINTS; p++) {
        long double z = 0;
        for (uint32_t i = 0; i <= f->doublings; i++) {
            z = 2 * z * z;
            for (uint32_t k = 0; k < ALL; k++) z += to->c[i][k] * f->basis[k][p];
            to->z[i][p] = z;
        }
        to->error[p] = f->weight[p] * (z - f->target[p]);
        to->square += to->error[p] * to->error[p];
    }
}

// w = w reflected by v, both from row u on; `diagonal` is what v brought its own column to.
static void reflect(long double *w, const long double *v, long double diagonal, uint32_t u)
{
    long double dot = 0;
    for (uint32_t r = u; r < ROWS; r++) dot += v[r] * w[r];
    dot /= diagonal * v[u];             // -|v|^2 / 2
    for (uint32_t r = u; r < ROWS; r++) w[r] += v[r] * dot;
}

// The derivatives at `now`, damped, as a product of reflections and a triangle.
static void factor(struct fit *f, long double damp)
{
    uint32_t u = 0;
    for (uint32_t i = 0; i <= f->doublings; i++)
        for (uint32_t k = 0; k < ALL; k++) {
            if (!(terms[i] >> k & 1)) continue;
            long double *v = f->column[u], norm = 0;
            memset(v, 0, sizeof f->column[u]);
            for (uint32_t p = 0; p < POINTS; p++) {
                v[p] = f->weight[p] * f->basis[k][p];
                for (uint32_t j = i; j < f->doublings; j++) v[p] *= 4 * f->now.z[j][p];
                norm += v[p] * v[p];
            }
            f->length[u] = sqrtl(norm);
            for (uint32_t p = 0; p < POINTS; p++) v[p] /= f->length[u];
            v[POINTS + u++] = sqrtl(damp);
        }
    f->unknowns = u;
    for (u = 0; u < f->unknowns; u++) {
        long double *v = f->column[u], norm = 0;
        for (uint32_t r = u; r < ROWS; r++) norm += v[r] * v[r];
        f->diagonal[u] = sqrtl(norm) * (v[u] > 0 ? -1 : 1);
        v[u] -= f->diagonal[u];
        for (uint32_t w = u + 1; w < f->unknowns; w++) reflect(f->column[w], v, f->diagonal[u], u);
    }
}

// out = the step that brings the derivatives times it next to -right (POINTS); returns its length, in those of the columns.
static long double solve(long double *out, const struct fit *f, const long double *right)
{
    long double w[ROWS] = {0}, square = 0;
    for (uint32_t p = 0; p < POINTS; p++) w[p] = -right[p];
    for (uint32_t u = 0; u < f->unknowns; u++) reflect(w, f->column[u], f->diagonal[u], u);
    for (uint32_t u = f->unknowns; u-- > 0;) {
        for (uint32_t j = u + 1; j < f->unknowns; j++) w[u] -= f->column[j][u] * w[j];
        w[u] /= f->diagonal[u];
        square += w[u] * w[u];
    }
    for (uint32_t u = 0; u < f->unknowns; u++) out[u] = w[u] / f->length[u];
    return sqrtl(square);
}

// Least squares from where it is.
static void descend(struct fit *f)
{
    long double step[UNKNOWNS], turn[UNKNOWNS], second[POINTS], damp = 1e-6L;
    for (uint32_t n = 0, idle = 0; n < STEPS && idle < 5; n++) {
        factor(f, damp);
        const long double length = solve(step, f, f->now.error);
        move(&f->next, f, &f->now, 0.1L, step);
        move(&f->back, f, &f->now, -0.1L, step);
        for (uint32_t p = 0; p < POINTS; p++) second[p] = 100 * (f->next.error[p] - 2 * f->now.error[p] + f->back.error[p]);
        const bool straight = 2 * solve(turn, f, second) <= length;
        for (uint32_t u = 0; u < f->unknowns; u++) step[u] += turn[u] / 2;
        move(&f->next, f, &f->now, 1, step);
        if (straight && f->next.square < f->now.square) {
            idle = f->next.square > 0.999L * f->now.square ? idle + 1 : 0;
            f->now = f->next;
            damp /= 5;
        } else {
            damp *= 2;
        }
    }
}

enum ck_err ck_mod_fit(double c[CK_MOD_DOUBLINGS + 1][CK_MOD_DEGREE + 1], double eps)
{
    if (!(eps > 0 && eps <= 0.25)) return CK_EPARAM;
    struct fit *f = calloc(1, sizeof *f);
    if (!f) return CK_ENOMEM;
    const long double turn = 2 * 3.14159265358979323846264338327950288L;
    const int32_t K = CK_BOOT_RANGE;
    for (uint32_t p = 0; p < POINTS; p++) {
        const int32_t i = (int32_t)(p / OFFSETS) - (K - 1);
        const long double off = eps * cosl(turn / 4 * (2 * (p % OFFSETS) + 1) / OFFSETS), t = i + off - 0.25L, y = 2 * (t / K) * (t / K) - 1;
        for (uint32_t k = 0; k < ALL; k++) f->basis[k][p] = cosl(k * acosl(y));
        f->weight[p] = powl(density(UNIFORM, i), 1 / 6.0L);
        f->target[p] = cosl(turn * t / (1 << CK_MOD_DOUBLINGS));
    }
    // p_0 alone, a linear problem: one step from zero; then all.
    long double step[UNKNOWNS] = {0};
    move(&f->now, f, &f->now, 0, step);
    factor(f, 0);
    solve(step, f, f->now.error);
    move(&f->now, f, &f->now, 1, step);
    f->doublings = CK_MOD_DOUBLINGS;
    for (uint32_t i = 1; i <= CK_MOD_DOUBLINGS; i++) f->now.c[i][0] = -1;
    for (uint32_t p = 0; p < POINTS; p++) f->target[p] = sinl(turn * eps * cosl(turn / 4 * (2 * (p % OFFSETS) + 1) / OFFSETS));
    memset(step, 0, sizeof step);
    move(&f->now, f, &f->now, 0, step);
    descend(f);
    for (uint32_t i = 0; i <= CK_MOD_DOUBLINGS; i++)
        for (uint32_t k = 0; k < ALL; k++) c[i][k] = (double)f->now.c[i][k];
    free(f);
    return CK_OK;
}
