// SPDX-License-Identifier: Apache-2.0
// Constant factors around polynomials sink to where they cost no level. Rewrites, all exact:
//   - c p(x) and c (p(x) y) with p a polynomial that nobody else reads: into its coefficients;
//   - p (c x) where the argument of a polynomial is n x already: p's coefficients take c / n and the product reads n x;
//   - c (a + b), read by more than affine operators: c a + c b, where convolutions before the sum absorb it and a shortcut has a level to spare;
//   - w2 x x + w1 x, factors per channel: w2 (x + w1 / (2 w2))^2 and a constant: one level and a factor for the affine operator after it, in
//     place of two levels. Not where a channel's shift is far beyond its range: the constant would cancel most of the square's digits.
// Pays: one or two levels an activation in networks exported with polynomials in them ([AutoFHE]: x / B, polynomials, times x B).
#include "pass.h"
#include "util.h"

#include <math.h>

static const double far_shift = 8;          // times the range of x

static bool scalar(const struct ir_module *m, const struct ir_inst *i, double *v)
{
    if (i->op != IR_TENSOR_mulc || !ir_type_equal(&i->type, &i->args[0]->type)) return false;
    const struct ir_const *c = util_const(m, i, "value");
    if (ir_const_numel(c) != 1) return false;
    *v = ir_const_at(c, 0);
    return true;
}

static bool is_own_poly(const struct ir_module *m, const struct ir_inst *i)
{
    return i->op == IR_TENSOR_poly && ir_count_uses(m, i) == 1;
}

static void scale_poly(struct ir_module *m, struct ir_inst *p, double by, struct arena *scratch)
{
    size_t degree;
    const double *c = util_coeffs(m, p, &degree);
    double *scaled = ARENA_ARRAY(scratch, double, degree + 1);
    for (size_t k = 0; k <= degree; k++) scaled[k] = by * c[k];
    util_set_coeffs(m, p, scaled, degree);
    static const char *const range[] = {"rlo", "rhi"};
    double lo = by * ir_get_float(p->attrs, "rlo", 0), hi = by * ir_get_float(p->attrs, "rhi", 0);
    if (!ir_attr_find(p->attrs, "rlo") || !ir_attr_find(p->attrs, "rhi")) return;
    ir_set_float(m, &p->attrs, range[0], fmin(lo, hi));
    ir_set_float(m, &p->attrs, range[1], fmax(lo, hi));
}

/* c p(x), c (p(x) y) */
static bool into_poly(struct ir_module *m, struct ir_inst *i, struct arena *scratch)
{
    double v;
    if (!scalar(m, i, &v)) return false;
    struct ir_inst *x = i->args[0], *p = NULL;
    if (is_own_poly(m, x)) p = x;
    else if (x->op == IR_TENSOR_mul && ir_count_uses(m, x) == 1 && x->args[0] != x->args[1])
        p = is_own_poly(m, x->args[0]) ? x->args[0] : is_own_poly(m, x->args[1]) ? x->args[1] : NULL;
    if (!p) return false;
    scale_poly(m, p, v, scratch);
    ir_copy_attrs(m, &x->attrs, i->attrs);
    ir_unset(&x->attrs, "value");
    ir_replace_uses(m, i, x);
    ir_remove(m, i);
    return true;
}

/* p (c x) */
static bool share_argument(struct ir_module *m, struct ir_inst *i, struct arena *scratch)
{
    if (i->op != IR_TENSOR_mul) return false;
    for (uint32_t a = 0; a < 2; a++) {
        struct ir_inst *p = i->args[a], *f = i->args[1 - a];
        double c, n;
        if (!is_own_poly(m, p) || !scalar(m, f, &c) || c == 0) continue;
        for (struct ir_inst *u = m->first; u != i; u = u->next) {
            if (u->op != IR_TENSOR_poly || u->args[0] == f || !scalar(m, u->args[0], &n) || u->args[0]->args[0] != f->args[0] || n == 0) continue;
            scale_poly(m, p, c / n, scratch);
            i->args[1 - a] = u->args[0];
            return true;
        }
    }
    return false;
}

static bool is_linear(const struct ir_inst *i)
{
    switch (i->op) {
    case IR_TENSOR_conv: case IR_TENSOR_gemm: case IR_TENSOR_batchnorm: case IR_TENSOR_avgpool: case IR_TENSOR_reduce: case IR_TENSOR_mulc:
    case IR_TENSOR_affine: case IR_TENSOR_reshape: case IR_TENSOR_slice: case IR_TENSOR_pad: return true;
    default: return false;
    }
}

/* c (a + b) */
static bool through_sum(struct ir_module *m, struct ir_inst *i)
{
    if (i->op != IR_TENSOR_mulc || !ir_type_equal(&i->type, &i->args[0]->type)) return false;
    struct ir_inst *sum = i->args[0];
    if ((sum->op != IR_TENSOR_add && sum->op != IR_TENSOR_sub) || ir_count_uses(m, sum) != 1) return false;
    bool affine = true;
    for (const struct ir_inst *u = i->next; u; u = u->next)
        for (uint32_t a = 0; a < u->nargs; a++) affine &= u->args[a] != i || is_linear(u);
    if (affine) return false;
    for (uint32_t a = 0; a < 2; a++)
        if (!ir_type_equal(&sum->type, &sum->args[a]->type)) return false;
    struct ir_inst *part[2];
    for (uint32_t a = 0; a < 2; a++) {
        part[a] = ir_build(m, i, IR_TENSOR_mulc, i->type, 1, &sum->args[a]);
        ir_set_symbol(m, &part[a]->attrs, "value", ir_get_string(i->attrs, "value", ""));
        const char *node = ir_get_string(i->attrs, "node", NULL);
        if (node) ir_set_string(m, &part[a]->attrs, "node", node);
    }
    struct ir_inst *scaled = ir_build(m, i, sum->op, i->type, 2, part);
    ir_copy_attrs(m, &scaled->attrs, i->attrs);
    ir_unset(&scaled->attrs, "value");
    ir_replace_uses(m, i, scaled);
    ir_remove(m, i);
    ir_remove(m, sum);
    return true;
}

static struct ir_inst *with_constant(struct ir_module *m, struct ir_inst *before, enum ir_op op, struct ir_inst *x, const struct ir_const *like,
                                     const double *v)
{
    struct ir_const *c = ir_const_add(m, like->name, IR_F64, like->rank, like->dim);
    for (int64_t k = 0, n = ir_const_numel(c); k < n; k++) ((double *)c->data)[k] = v[k];
    struct ir_inst *r = ir_build(m, before, op, x->type, 1, &x);
    ir_set_symbol(m, &r->attrs, "value", c->name);
    const char *node = ir_get_string(before->attrs, "node", NULL);
    if (node) ir_set_string(m, &r->attrs, "node", node);
    return r;
}

/* w2 x x + w1 x */
static bool complete_square(struct ir_module *m, struct ir_inst *i, struct arena *scratch)
{
    if (i->op != IR_TENSOR_add) return false;
    for (uint32_t a = 0; a < 2; a++) {
        struct ir_inst *square = i->args[a], *line = i->args[1 - a];
        if (square->op != IR_TENSOR_mul || line->op != IR_TENSOR_mulc || ir_count_uses(m, square) != 1) continue;
        struct ir_inst *x = line->args[0], *u = square->args[0] == x ? square->args[1] : square->args[0];
        if ((square->args[0] != x && square->args[1] != x) || u->op != IR_TENSOR_mulc || u->args[0] != x) continue;
        if (!ir_type_equal(&i->type, &x->type)) continue;
        const struct ir_const *w2 = util_const(m, u, "value"), *w1 = util_const(m, line, "value");
        int64_t n = ir_const_numel(w2);
        bool fits = ir_const_numel(w1) == n && w1->rank == w2->rank;
        for (uint32_t d = 0; fits && d < w2->rank; d++) fits = w1->dim[d] == w2->dim[d];
        double *shift = ARENA_ARRAY(scratch, double, 3 * n), *rest = shift + n, *lead = rest + n, range = util_range(x, 1);
        for (int64_t k = 0; fits && k < n; k++) {
            lead[k] = ir_const_at(w2, k);
            shift[k] = ir_const_at(w1, k) / (2 * lead[k]);
            rest[k] = -lead[k] * shift[k] * shift[k];
            fits = fabs(shift[k]) <= far_shift * range;
        }
        if (!fits) continue;
        struct ir_inst *t = with_constant(m, i, IR_TENSOR_addc, x, w2, shift);
        struct ir_inst *s = ir_build(m, i, IR_TENSOR_mul, i->type, 2, (struct ir_inst *[]){t, t});
        const char *node = ir_get_string(i->attrs, "node", NULL);
        if (node) ir_set_string(m, &s->attrs, "node", node);
        ir_replace_uses(m, i, with_constant(m, i, IR_TENSOR_addc, with_constant(m, i, IR_TENSOR_mulc, s, w2, lead), w2, rest));
        ir_remove(m, i);
        return true;
    }
    return false;
}

enum pass_res pass_sink(struct pass_ctx *ctx, struct ir_module *m)
{
    bool any = false, again;
    do {
        again = false;
        for (struct ir_inst *i = m->first, *next; i; i = next) {
            next = i->next;
            again |= into_poly(m, i, ctx->scratch) || share_argument(m, i, ctx->scratch) || through_sum(m, i) ||
                     complete_square(m, i, ctx->scratch);
        }
        ir_remove_dead(m);
        any |= again;
    } while (again);
    return any ? PASS_CHANGED : PASS_OK;
}
