// SPDX-License-Identifier: Apache-2.0
// Noise model. A polynomial error with independent coefficients of variance v reaches the real part of a slot with variance n v for vectors
// of n slots: decoding reads the 2n coefficients of the subring, and half of their energy is real. Divided by the scale squared.
//
//   fresh       v = sigma^2 + 1/12                       the sampled error and the rounding of the encoding
//   rescale     v = (1 + |s|^2) / 12, |s|^2 = 2N/3       rounding of both polynomials, uniform ternary secret: "rounding" below
//   key switch  rounding + sum over digits of N sigma^2 (D/P)^2 / 12, D the product of a digit's primes
//   linear      rounding + per row: key switches of the rotated inputs, on average over the babies, times the row's squared weights + the
//               rounding of the weights times the inputs' mean square, summed by the folds
//   bootstrap   roundings at the scale of EvalMod times the growth to the message (see boot_error)
//   poly        rounding of every product of the evaluation, carried to the result (see below)
//
// Left out, being far below these: what giant steps and folds add, which the rescale divides by a prime, and the rounding of biases. tests/compiler/t_noise.c compares with the scheme.
#include "noise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double sigma = 3.19, boot_roundings = 19, boot_fit = 1e-6;

static uint64_t splitmix(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double gauss(uint64_t *s)
{
    double u = ((double)(splitmix(s) >> 11) + 0.5) * 0x1p-53, v = ((double)(splitmix(s) >> 11) + 0.5) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

// Variance of a rounding by a key-dependent operation, per coefficient.
static double rounding(double n)
{
    return (1 + 2 * n / 3) / 12;
}

static double keyswitch(const struct ir_module *m, double n, int32_t level)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q"), *p = ir_attr_find(m->attrs, "p"), *classes = ir_attr_find(m->attrs, "classes");
    int32_t alpha = (int32_t)ir_get_int(m->attrs, "alpha", 1), top = (int32_t)q->ints.n - 1;
    size_t np = p->ints.n;
    double log_p = 0, keys = 0;
    for (size_t k = classes ? classes->ints.n / 3 : 0; k-- > 0;) {
        const int64_t *v = &classes->ints.v[3 * k];     // limbs, limbs a digit, special primes
        if (v[0] <= level) break;
        alpha = (int32_t)v[1];
        np = (size_t)v[2];
    }
    for (size_t k = 0; k < np && k < p->ints.n; k++) log_p += log2((double)p->ints.v[k]);
    for (int32_t k = 0; k <= level; k += alpha) {
        double digit = 0;
        for (int32_t j = k; j <= level && j <= top && j < k + alpha; j++) digit += log2((double)q->ints.v[j]);
        keys += exp2(2 * (digit - log_p));
    }
    return rounding(n) + keys * n * sigma * sigma / 12;
}

// The lowest entry of a list of levels that is not below `level` and belongs to a rotation: its index, or -1.
static int64_t entry_at(const struct ir_attr *rotations, const struct ir_attr *levels, int64_t rotation, int32_t level)
{
    int64_t best = -1;
    for (size_t k = 0; rotations && levels && k < rotations->ints.n && k < levels->ints.n; k++)
        if (rotations->ints.v[k] == rotation && levels->ints.v[k] >= level && (best < 0 || levels->ints.v[k] < levels->ints.v[best]))
            best = (int64_t)k;
    return best;
}

// Key switches of a rotation: one, or as many as its route has steps (passes/keyset.c).
static int64_t key_switches(const struct ir_module *m, int64_t rotation, int64_t n, int32_t level)
{
    const struct ir_attr *key = ir_attr_find(m->attrs, "key_rot"), *key_level = ir_attr_find(m->attrs, "key_level"),
                         *route = ir_attr_find(m->attrs, "route_rot"), *route_level = ir_attr_find(m->attrs, "route_level"),
                         *step = ir_attr_find(m->attrs, "route_step");
    int64_t count = 0;
    for (int64_t r = rotation & (n - 1); r && count < n; count++) {
        const int64_t by = entry_at(route, route_level, r, level), own = entry_at(key, key_level, r, level);
        if (by < 0 || !step || (own >= 0 && key_level->ints.v[own] <= route_level->ints.v[by])) return count + 1;
        r = (r - step->ints.v[by]) & (n - 1);
    }
    return count;
}

// A series by Paterson-Stockmeyer (runtime/poly.c), variances averaged over arguments in [-1,1] where T_k^2 averages 1/2. T_k = 2 T_a T_b -
// T_{a-b} makes one product, T_2a = 2 T_a^2 - 1 too; its scale is the product of the scales by the prime of its level, far from the
// argument's where primes and scale differ (next to a bootstrap), and so is the error of its rounding.
enum { MAX_TERMS = 4096 };

struct series {
    double basis[MAX_TERMS];    // variance of T_k
    double scale[MAX_TERMS];    // of T_k
    int64_t m;                  // sums run over k < m
    double own, result;         // one rounding as an integer; at the scale of the result
};

static void series_basis(struct series *s, int64_t terms, const struct ir_type *x, const struct ir_attr *q)
{
    s->basis[0] = s->basis[1] = 0;
    s->scale[0] = s->scale[1] = x->scale;
    for (int64_t k = 2; k < terms; k++) {
        int64_t a = 1, depth = 0;
        while (2 * a < k) a *= 2, depth++;      // the largest power of two below k
        int64_t b = k - a, level = x->level - depth > 0 ? x->level - depth : 0;
        s->scale[k] = s->scale[a] * s->scale[b] / (double)q->ints.v[level];
        s->basis[k] = s->own / (s->scale[k] * s->scale[k]) + (a == b ? 8 * s->basis[a] : 2 * (s->basis[a] + s->basis[b]) + s->basis[a - b]);
    }
}

// c = q T_h + r in place: r in c[0, h), q in c[h, terms).
static double series_error(const struct series *s, double *c, int64_t terms)
{
    int64_t h = 1;
    double sum = 0, square;
    while (terms > 1 && c[terms - 1] == 0) terms--;
    if (terms <= s->m) {
        for (int64_t k = 1; k < terms; k++) sum += c[k] * c[k] * s->basis[k];
        return sum;
    }
    while (2 * h < terms) h *= 2;
    square = c[h] * c[h];
    for (int64_t k = 1; h + k < terms; k++) {
        c[h - k] -= c[h + k];
        c[h + k] *= 2;
        square += c[h + k] * c[h + k] / 2;
    }
    if (terms > h + 1) sum = (series_error(s, c + h, terms - h) + s->result) / 2;
    return sum + square * s->basis[h] + series_error(s, c, h);
}

// Variance of a slot of the result, the one of the argument not counted; `own` and `result` as in struct series; q the primes.
static double poly_error(const struct ir_attr *q, const struct ir_module *m, const struct ir_inst *i, double own, double result)
{
    const struct ir_const *k = ir_const_find(m, ir_get_string(i->attrs, "coeffs", ""));
    int64_t terms = k ? ir_const_numel(k) : 0, bits = 0;
    if (terms < 1 || terms > MAX_TERMS) return 0;
    struct series *s = malloc(sizeof *s);
    double *c = malloc((size_t)terms * sizeof *c), v = 0;
    while (INT64_C(1) << bits < terms) bits++;
    if (s && c) {
        s->m = INT64_C(1) << (bits + 1) / 2;
        s->own = own;
        s->result = result;
        series_basis(s, terms > 2 ? terms : 2, &i->args[0]->type, q);
        for (int64_t t = 0; t < terms; t++) c[t] = ir_const_at(k, t);
        v = result + series_error(s, c, terms);
    }
    free(c);
    free(s);
    return v;
}

// Variance that the rounded weights of a linear map put on each row: every plaintext of its output meets one input vector. Where the
// weights are not encoded yet, what codegen is content with: 20 bits below the largest.
static double weights_error(const struct ir_inst *i, const struct ir_csr *a, const double *x)
{
    const struct ir_type *in = &i->args[0]->type;
    int64_t numel = ir_type_numel(in);
    double square = 0, largest = 0, terms = (double)ir_get_int(i->attrs, "terms", 0) / i->type.count;
    double weight = ir_get_float(i->attrs, "weight_error", -1);
    for (int64_t k = 0; k < numel; k++) square += x[k] * x[k];
    if (weight < 0) {
        for (int64_t k = 0; k < ir_csr_stored(a); k++) largest = fmax(largest, fabs(a->val[k]));
        weight = largest * 0x1p-20 / M_SQRT2;
    }
    return weight * weight * terms * square / (double)numel;
}

// Adds to var the variance of each row of a linear map whose rotated inputs have the variance `rotated`, then folds as the values do.
static void linear_error(double *var, const struct ir_module *m, const struct ir_inst *i, const double *x, double rotated)
{
    struct ir_csr a = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    double weights = weights_error(i, &a, x);
    const struct ir_attr *fold = ir_attr_find(i->attrs, "fold"), *baby = ir_attr_find(i->attrs, "baby");
    int64_t n = i->type.n, mask = n - 1, batch = ir_batch(m);
    int64_t turned = 0, switches = 0;
    for (size_t k = 0; baby && k < baby->ints.n; k++) {
        turned += (baby->ints.v[k] & mask) != 0;
        switches += key_switches(m, baby->ints.v[k], n, i->args[0]->type.level);
    }
    if (baby) rotated *= turned ? (double)switches / (double)turned : 0;
    int64_t lines = a.line ? a.lines : a.rows;
    double *square = malloc((size_t)(lines + 1) * sizeof *square);              // of every line of entries
    for (int64_t l = 0; square && l < lines; l++) {
        square[l] = 0;
        for (int64_t k = a.ptr[l]; k < a.ptr[l + 1]; k++) square[l] += a.val[k] * a.val[k];
    }
    for (int64_t r = 0; square && r < a.rows; r++) {
        int64_t l = a.line ? a.line[r] : r;
        for (int64_t s = r * batch; s < (r + 1) * batch; s++) var[s] += rotated * square[l] + weights;
    }
    free(square);
    double *before = malloc((size_t)n * sizeof *before);
    for (size_t f = 0; before && fold && f < fold->ints.n; f++)
        for (int64_t base = 0; base < a.rows * batch; base += n) {
            memcpy(before, var + base, (size_t)n * sizeof *before);
            for (int64_t k = 0; k < n; k++) var[base + k] += before[(k + fold->ints.v[f]) & mask];
        }
    free(before);
}

double noise_boot_range(const struct ir_module *m, const struct ir_inst *evalmod)
{
    const struct ir_inst *stc = evalmod->args[0]->args[0]->args[0];
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    double ratio = ir_get_float(m->attrs, "boot_ratio", 0);
    return q && q->ints.n && stc->type.scale > 0 ? (double)q->ints.v[0] * ratio / stc->type.scale : 0;
}

// Roundings at the scale of EvalMod's argument, (c + q_0 I) / (q_0 K), reach the message K / ratio times larger; all of CtS, the series and the
// double angles weigh as much as boot_roundings of them. What does not depend on the number of slots, EvalMod's polynomials and the trace, is
// boot_fit of the range. Both measured at n = 2^3 to 2^15 (docs/design/0004-bootstrapping.md).
static double boot_error(const struct ir_module *m, const struct ir_inst *evalmod, double n)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    double range = noise_boot_range(m, evalmod), ratio = ir_get_float(m->attrs, "boot_ratio", 0);
    if (!(range > 0) || !(ratio > 0)) return 0;
    double grow = range * (double)ir_get_int(m->attrs, "boot_range", 16) / ratio / (double)q->ints.v[evalmod->args[0]->type.level];
    return boot_roundings * rounding(n) * evalmod->type.n * grow * grow + range * boot_fit * range * boot_fit;
}

void noise_add(const struct ir_noise *noise, const struct ir_module *m, const struct ir_inst *i, const double *operand,
               double *value)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    double scale = i->type.scale, in_scale = i->nargs ? i->args[0]->type.scale : 1;
    if (!q || !ir_attr_find(m->attrs, "p") || !(scale > 0) || !(in_scale > 0)) return;
    double n = exp2((double)ir_get_int(m->attrs, "logn", 10)), slots = i->type.n, v;
    int64_t numel = ir_type_numel(&i->type);
    uint64_t state = noise->seed ^ ((uint64_t)(i->id + 1) << 32);
    double result = rounding(n) * slots / (scale * scale);
    double *var = NULL;
    switch (i->op) {
    case IR_CKKS_input: v = (sigma * sigma + 1.0 / 12) * slots / (scale * scale); break;
    case IR_CKKS_rescale:
    case IR_CKKS_mulc: v = result; break;
    case IR_CKKS_relin: v = keyswitch(m, n, i->type.level) * slots / (scale * scale); break;
    case IR_CKKS_rot:
        v = keyswitch(m, n, i->type.level) * slots / (scale * scale) *
            (double)key_switches(m, ir_get_int(i->attrs, "k", 0), i->type.n, i->type.level);
        break;
    case IR_CKKS_linear:
        v = result;
        if (!(var = calloc((size_t)numel, sizeof *var))) return;
        linear_error(var, m, i, operand, keyswitch(m, n, i->args[0]->type.level) * slots / (in_scale * in_scale));
        break;
    case IR_CKKS_poly: v = poly_error(q, m, i, rounding(n) * slots, result); break;
    case IR_CKKS_evalmod: v = boot_error(m, i, n); break;
    default: return;
    }
    double deviation = sqrt(v);
    for (int64_t k = 0; k < numel; k++) value[k] += (var ? sqrt(v + var[k]) : deviation) * gauss(&state);
    free(var);
}
