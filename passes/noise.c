// SPDX-License-Identifier: Apache-2.0
// Average-case noise: independent Gaussian errors, standard deviation of one slot, worst slot of a value.
//
// A polynomial with independent coefficients of variance v has slots of variance N v. Fresh (secret-key) encryption: v = sigma^2.
// Rescale: rounding of c0 and of c1 against a ternary secret, v = (1 + 2N/3)/12. Key switch: each of d digits below D meets a key
// error, v = d N D^2/12 sigma^2 / P^2, plus the rounding of the division by P.
#include "noise.h"
#include "cheb.h"
#include "plan.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

static const double sigma = 3.19;

double noise_fresh(const struct noise_ring *r) { return sqrt((sigma * sigma + 1.0 / 12) * exp2(r->logn)); }

double noise_rescale(const struct noise_ring *r)
{
    double n = exp2(r->logn);
    return sqrt(n / 12 * (1 + 2 * n / 3));
}

double noise_keyswitch(const struct noise_ring *r)
{
    double n = exp2(r->logn), key = n * sigma * sqrt(r->digits / 12.0) * exp2(r->digit_bits - r->p_bits);
    return hypot(key, noise_rescale(r));
}

/* v += rot_k(v) */
static void add_rotated(double *v, int64_t n, int64_t k, struct arena *scratch)
{
    double *old = arena_copy(scratch, v, (size_t)n * sizeof *v);
    for (int64_t s = 0; s < n; s++) v[s] = old[s] + old[((s + k) % n + n) % n];
}

struct noise_linear noise_linear_init(const struct ir_module *m, const struct ir_inst *i, struct arena *scratch)
{
    const char *mat = ir_get_string(i->attrs, "mat", NULL);
    ICE_IF(!mat, "%s without a matrix", ir_op_name(i->op));
    struct ir_csr a = ir_csr_find(m, mat);
    int64_t batch = ir_batch(m), n = i->type.n / batch;
    double *square = ARENA_ARRAY(scratch, double, a.rows), *entries = ARENA_ARRAY(scratch, double, a.rows);
    struct noise_linear out = {0, 0, 0};
    for (int64_t r = 0; r < a.rows; r++) {
        struct ir_row row = ir_csr_row(&a, r);
        for (int64_t k = row.lo; k < row.hi; k++) {
            square[r] += a.val[k] * a.val[k];
            out.largest = fmax(out.largest, fabs(a.val[k]));
        }
        entries[r] = (double)(row.hi - row.lo);
    }
    const int64_t *fold;
    for (size_t k = 0, folds = plan_list(&fold, i, "fold"); k < folds; k++)
        for (int64_t ct = 0; ct < a.rows; ct += n) {
            add_rotated(square + ct, n, fold[k] / batch, scratch);
            add_rotated(entries + ct, n, fold[k] / batch, scratch);
        }
    for (int64_t r = 0; r < a.rows; r++) {
        out.norm = fmax(out.norm, sqrt(square[r]));
        out.entries = fmax(out.entries, entries[r]);
    }
    return out;
}

static double error_linear(const struct ir_inst *i, double in, const struct noise_ring *r, double q,
                           const struct noise_linear *l)
{
    const struct ir_inst *x = i->args[0];
    double rotated = hypot(in, noise_keyswitch(r) / x->type.scale);
    // Plaintexts are integers of at most 31 bits at scale out q / in: their rounding meets the whole input.
    double plain_scale = i->type.scale * q / x->type.scale;
    if (l->largest > 0) plain_scale = fmin(plain_scale, 0x1p30 / l->largest);
    double rounding = sqrt(i->type.n / 6.0 * l->entries) / plain_scale * util_range(x, 1);
    return hypot(hypot(l->norm * rotated, rounding), noise_rescale(r) / i->type.scale);
}

static double error_poly(const struct ir_module *m, const struct ir_inst *i, double in, const struct noise_ring *r, struct arena *scratch)
{
    size_t degree;
    const double *c = util_coeffs(m, i, &degree);
    double *d = ARENA_ARRAY(scratch, double, degree + 1), amplify = 1;
    cheb_derivative(d, c, degree);
    // T_k inherits about k times the error of its factors; the sum of |c_k| k bounds what reaches the result.
    for (size_t k = 1; k <= degree; k++) amplify += fabs(c[k]) * (double)k;
    double step = 1.5 * noise_rescale(r) / fmin(i->type.scale, i->args[0]->type.scale);
    const struct ir_inst *x = i->args[0];
    double lo = ir_get_float(x->attrs, "rlo", -1), hi = ir_get_float(x->attrs, "rhi", 1), slope = 0;
    for (size_t k = 0, points = 16 * (degree + 1); k <= points; k++)
        slope = fmax(slope, fabs(cheb_eval(d, degree, lo + (hi - lo) * (double)k / (double)points)));
    return hypot(slope * in, amplify * step);
}

void noise_propagate(double *err, const struct ir_module *m, const struct noise_ring *r, const double *q,
                     const struct noise_linear *linear, struct arena *scratch)
{
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        double a = i->nargs > 0 ? err[i->args[0]->id] : 0, b = i->nargs > 1 ? err[i->args[1]->id] : 0, e = a;
        switch (i->op) {
        case IR_CKKS_input: e = noise_fresh(r) / i->type.scale; break;
        case IR_CKKS_linear: e = error_linear(i, a, r, q[i->args[0]->type.level], &linear[i->id]); break;
        case IR_CKKS_poly: e = error_poly(m, i, a, r, scratch); break;
        case IR_CKKS_add: case IR_CKKS_sub: e = i->args[0] == i->args[1] ? 2 * a : hypot(a, b); break;
        case IR_CKKS_mul:
            e = i->args[0] == i->args[1] ? 2 * util_range(i->args[0], 1) * a
                                         : hypot(util_range(i->args[0], 1) * b, util_range(i->args[1], 1) * a);
            break;
        case IR_CKKS_relin: case IR_CKKS_rot: e = hypot(a, noise_keyswitch(r) / i->type.scale); break;
        case IR_CKKS_rescale: e = hypot(a, noise_rescale(r) / i->type.scale); break;
        case IR_CKKS_mulc:
            e = hypot(a * fabs(ir_get_float(i->attrs, "value", 1)), noise_rescale(r) / i->type.scale);
            break;
        case IR_CKKS_addc: case IR_CKKS_drop: break;
        default: ICE("no noise rule for %s", ir_op_name(i->op));
        }
        err[i->id] = e;
    }
}
