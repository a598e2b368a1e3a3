// SPDX-License-Identifier: Apache-2.0
// Polynomials written out as products and sums of one value (Horner form, repeated squares) become one tensor.poly.
//
// Forward over the program every value is followed as a polynomial of degree <= 31 in an earlier one, its root: constants scale and
// shift it, sums and products of two polynomials in the same root combine. Where that ends (another operator reads it, the degree
// would exceed 31, or a polynomial of degree >= 3 is squared, which is where a composition starts) a value of degree >= 3 becomes tensor.poly in the
// Chebyshev basis on the root's range (rlo, rhi of calibrate); the identity is exact, the range matters for conditioning only.
// Pays: depth ceil(log2(d+1)) instead of up to d, sqrt(2d) products instead of d, no level for constant factors. The root's
// normalisation is a mulc, which the affine pass merges into the operator before; a root already near [-1,1] is left as it is.
#include "pass.h"
#include "cheb.h"
#include "util.h"

enum { MAX_DEGREE = 31 };

struct expr {
    struct ir_inst *root;
    int degree;
    bool cut;                           // later readers take the value itself as their root
    double c[MAX_DEGREE + 1];
};

static bool scalar(const struct ir_module *m, const struct ir_inst *i, double *v)
{
    const struct ir_const *c = util_const(m, i, "value");
    if (ir_const_numel(c) != 1 || !ir_type_equal(&i->type, &i->args[0]->type)) return false;
    *v = ir_const_at(c, 0);
    return true;
}

static bool combine(struct expr *out, enum ir_op op, const struct expr *a, const struct expr *b)
{
    if (a->root != b->root || (op == IR_TENSOR_mul && a->degree + b->degree > MAX_DEGREE)) return false;
    *out = (struct expr){.root = a->root};
    if (op == IR_TENSOR_mul) {
        out->degree = a->degree + b->degree;
        for (int j = 0; j <= a->degree; j++)
            for (int k = 0; k <= b->degree; k++) out->c[j + k] += a->c[j] * b->c[k];
    } else {
        out->degree = a->degree > b->degree ? a->degree : b->degree;
        for (int k = 0; k <= out->degree; k++) out->c[k] = a->c[k] + (op == IR_TENSOR_add ? b->c[k] : -b->c[k]);
    }
    return true;
}

static struct expr operand(const struct ir_inst *i, uint32_t k, const struct expr *e)
{
    if (k >= i->nargs) return (struct expr){0};
    const struct expr *x = &e[i->args[k]->id];
    return x->cut ? (struct expr){i->args[k], 1, false, {0, 1}} : *x;
}

/* The expression of i; false if it starts a new root. */
static bool follow(const struct ir_module *m, const struct ir_inst *i, struct expr *e, struct expr *out)
{
    double v;
    if (i->op == IR_TENSOR_mul && i->args[0] == i->args[1] && e[i->args[0]->id].degree >= 3) e[i->args[0]->id].cut = true;
    const struct expr first = operand(i, 0, e), second = operand(i, 1, e), *a = &first, *b = &second;
    switch (i->op) {
    case IR_TENSOR_mulc:
        if (!scalar(m, i, &v)) return false;
        *out = *a;
        for (int k = 0; k <= out->degree; k++) out->c[k] *= v;
        return true;
    case IR_TENSOR_addc:
        if (!scalar(m, i, &v)) return false;
        *out = *a;
        out->c[0] += v;
        return true;
    case IR_TENSOR_mul:
        return ir_type_equal(&i->args[0]->type, &i->args[1]->type) && combine(out, i->op, a, b);
    case IR_TENSOR_add: case IR_TENSOR_sub:
        return ir_type_equal(&i->args[0]->type, &i->args[1]->type) && combine(out, i->op, a, b);
    default: return false;
    }
}

/* Does anybody read v other than as part of a longer polynomial in the same root? */
static bool is_final(const struct ir_module *m, const struct ir_inst *v, const struct expr *e)
{
    for (uint32_t k = 0; k < m->noutputs; k++)
        if (m->outputs[k] == v) return true;
    for (const struct ir_inst *u = v->next; u; u = u->next)
        for (uint32_t a = 0; a < u->nargs; a++)
            if (u->args[a] == v && e[u->id].root != e[v->id].root) return true;
    return false;
}

static struct ir_inst *normalised(struct ir_module *m, struct ir_inst *root, double half)
{
    if (half == 1) return root;
    struct ir_const *c = ir_const_add(m, "norm", IR_F64, 0, NULL);
    ((double *)c->data)[0] = 1 / half;
    struct ir_inst *n = ir_build(m, root->next, IR_TENSOR_mulc, root->type, 1, &root);
    static const char *const keep[] = {"node", "rhi", "rlo"};
    struct ir_attr *kept = NULL;
    for (int k = 0; k < 3; k++) {
        const struct ir_attr *a = ir_attr_find(root->attrs, keep[k]);
        if (a && a->kind == IR_STRING) ir_set_string(m, &kept, keep[k], a->s);
        if (a && a->kind == IR_FLOAT) ir_set_float(m, &kept, keep[k], a->f / half);
    }
    n->attrs = kept;
    ir_set_symbol(m, &n->attrs, "value", c->name);
    return n;
}

enum pass_res pass_horner(struct pass_ctx *ctx, struct ir_module *m)
{
    ir_renumber(m);
    uint32_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) count++;
    struct expr *e = ARENA_ARRAY(ctx->scratch, struct expr, count);
    struct ir_inst **norm = ARENA_ARRAY(ctx->scratch, struct ir_inst *, count);
    struct ir_inst **now = ARENA_ARRAY(ctx->scratch, struct ir_inst *, count);      // the polynomial that took its place
    double *half = ARENA_ARRAY(ctx->scratch, double, count);
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (!follow(m, i, e, &e[i->id])) e[i->id] = (struct expr){i, 1, false, {0, 1}};
    bool any = false;
    struct ir_inst *last = m->last;
    for (struct ir_inst *i = m->first, *next; i; i = next) {
        next = i == last ? NULL : i->next;
        const struct expr *x = &e[i->id];
        if (x->root == i || x->degree < 3 || !is_final(m, i, e)) continue;
        uint32_t r = x->root->id;
        if (!norm[r]) {
            half[r] = util_range(x->root, 1);
            if (half[r] <= 0 || (half[r] > 0.5 && half[r] < 1.5)) half[r] = 1;
            norm[r] = normalised(m, now[r] ? now[r] : x->root, half[r]);
        }
        double c[MAX_DEGREE + 1];
        cheb_from_monomial(c, x->c, (size_t)x->degree, 0, half[r]);
        struct ir_inst *p = ir_build(m, i, IR_TENSOR_poly, i->type, 1, &norm[r]);
        ir_copy_attrs(m, &p->attrs, i->attrs);
        ir_unset(&p->attrs, "value");
        util_set_coeffs(m, p, c, (size_t)x->degree);
        ir_set_float(m, &p->attrs, "mid", 0);
        ir_set_float(m, &p->attrs, "half", 1);
        p->id = i->id;                                  // stands for i where later values ask for its expression
        now[i->id] = p;
        ir_replace_uses(m, i, p);
        any = true;
    }
    ir_remove_dead(m);
    return any ? PASS_CHANGED : PASS_OK;
}
