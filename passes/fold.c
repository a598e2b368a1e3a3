// SPDX-License-Identifier: Apache-2.0
// Cleans the tensor graph before anything is measured on it. Rewrites, all exact:
//   - operations that change nothing (same-shape Reshape, identity Transpose, + 0, * 1, Pow 1, empty Pad, Concat of one) go;
//   - constant chains merge: (x + a) + b, (x * a) * b, and BatchNorm followed by * or + becomes one BatchNorm;
//   - Pow with a constant exponent becomes squarings and products of depth ceil(log2 e);
//   - results that nobody reads go.
// Pays: fewer values to calibrate; Pow by squaring needs the least depth. Costs nothing (no levels, rotations or keys).
#include "pass.h"
#include "util.h"

static bool all_equal(const struct ir_const *c, double v)
{
    int64_t n = ir_const_numel(c);
    for (int64_t i = 0; i < n; i++)
        if (ir_const_at(c, i) != v) return false;
    return true;
}

static bool list_is(const struct ir_attr *attrs, const char *key, int64_t v)
{
    const struct ir_attr *a = ir_attr_find(attrs, key);
    if (!a || a->kind != IR_INTS) return false;
    for (size_t i = 0; i < a->ints.n; i++)
        if (a->ints.v[i] != v) return false;
    return true;
}

static bool is_identity(struct ir_module *m, struct ir_inst *i)
{
    if (i->nargs != 1 || !ir_type_equal(&i->type, &i->args[0]->type)) return false;
    const struct ir_attr *perm;
    switch (i->op) {
    case IR_TENSOR_reshape: return true;
    case IR_TENSOR_concat: return true;
    case IR_TENSOR_pad: return list_is(i->attrs, "pads", 0);
    case IR_TENSOR_slice: return list_is(i->attrs, "steps", 1);
    case IR_TENSOR_pow: return ir_get_int(i->attrs, "exponent", 0) == 1;
    case IR_TENSOR_addc: return all_equal(util_const(m, i, "value"), 0);
    case IR_TENSOR_mulc: return all_equal(util_const(m, i, "value"), 1);
    case IR_TENSOR_transpose:
        perm = ir_attr_find(i->attrs, "perm");
        for (size_t k = 0; perm && k < perm->ints.n; k++)
            if (perm->ints.v[k] != (int64_t)k) return false;
        return perm != NULL;
    default: return false;
    }
}

/* (x op a) op b -> x op (a op b), when nobody else reads the inner result. */
static bool merge_chain(struct ir_module *m, struct ir_inst *i)
{
    if (i->op != IR_TENSOR_addc && i->op != IR_TENSOR_mulc) return false;
    struct ir_inst *x = i->args[0];
    if (x->op != i->op || ir_count_uses(m, x) != 1) return false;
    struct ir_const *a = util_const(m, x, "value"), *b = util_const(m, i, "value");
    int64_t n = ir_type_numel(&i->type), na = ir_const_numel(a), nb = ir_const_numel(b);
    if (na != 1 && nb != 1 && !ir_type_equal(&i->type, &x->args[0]->type)) return false;
    if (na == 1 && nb == 1) n = 1;
    struct ir_const *c = n == 1 ? ir_const_add(m, a->name, IR_F64, 0, NULL)
                                : ir_const_add(m, a->name, IR_F64, i->type.rank, i->type.dim);
    for (int64_t k = 0; k < n; k++) {
        double u = ir_const_at(a, n == 1 ? 0 : util_broadcast(&i->type, a->rank, a->dim, k));
        double v = ir_const_at(b, n == 1 ? 0 : util_broadcast(&i->type, b->rank, b->dim, k));
        ((double *)c->data)[k] = i->op == IR_TENSOR_addc ? u + v : u * v;
    }
    ir_set_symbol(m, &i->attrs, "value", c->name);
    i->args[0] = x->args[0];
    ir_remove(m, x);
    return true;
}

/* BatchNorm then a per-channel or scalar * or +. */
static bool merge_batchnorm(struct ir_module *m, struct ir_inst *i)
{
    if (i->op != IR_TENSOR_addc && i->op != IR_TENSOR_mulc) return false;
    struct ir_inst *x = i->args[0];
    if (x->op != IR_TENSOR_batchnorm || ir_count_uses(m, x) != 1 || !ir_type_equal(&i->type, &x->type)) return false;
    struct ir_const *c = util_const(m, i, "value"), *scale = util_const(m, x, "scale"), *shift = util_const(m, x, "shift");
    int64_t channels = i->type.dim[1], inner = 1;
    for (uint32_t d = 2; d < i->type.rank; d++) inner *= i->type.dim[d];
    if (ir_const_numel(c) != 1 && ir_const_numel(c) != channels) return false;
    struct ir_const *s = ir_const_add(m, scale->name, IR_F64, 1, &channels);
    struct ir_const *t = ir_const_add(m, shift->name, IR_F64, 1, &channels);
    for (int64_t k = 0; k < channels; k++) {
        int64_t at = util_broadcast(&i->type, c->rank, c->dim, k * inner);
        if (inner > 1 && util_broadcast(&i->type, c->rank, c->dim, k * inner + inner - 1) != at) return false;
        double v = ir_const_at(c, at);
        ((double *)s->data)[k] = ir_const_at(scale, k) * (i->op == IR_TENSOR_mulc ? v : 1);
        ((double *)t->data)[k] = i->op == IR_TENSOR_mulc ? ir_const_at(shift, k) * v : ir_const_at(shift, k) + v;
    }
    ir_set_symbol(m, &x->attrs, "scale", s->name);
    ir_set_symbol(m, &x->attrs, "shift", t->name);
    ir_replace_uses(m, i, x);
    ir_remove(m, i);
    return true;
}

static struct ir_inst *product(struct ir_module *m, struct ir_inst *pow, struct ir_inst *a, struct ir_inst *b)
{
    struct ir_inst *r = ir_build(m, pow, IR_TENSOR_mul, pow->type, 2, (struct ir_inst *[]){a, b});
    ir_copy_attrs(m, &r->attrs, pow->attrs);
    ir_unset(&r->attrs, "exponent");
    return r;
}

/* x^e from the squares x^(2^k), smallest first: depth ceil(log2 e). */
static struct ir_inst *power(struct ir_module *m, struct ir_inst *pow)
{
    struct ir_inst *square = pow->args[0], *r = NULL;
    for (int64_t e = ir_get_int(pow->attrs, "exponent", 0); e; e >>= 1) {
        if (e & 1) r = r ? product(m, pow, square, r) : square;
        if (e > 1) square = product(m, pow, square, square);
    }
    return r;
}

enum pass_res pass_fold(struct pass_ctx *ctx, struct ir_module *m)
{
    bool any = false, again;
    do {
        again = false;
        for (struct ir_inst *i = m->first, *next; i; i = next) {
            next = i->next;
            if (is_identity(m, i)) {
                ir_replace_uses(m, i, i->args[0]);
                ir_remove(m, i);
                again = true;
            } else if (i->op == IR_TENSOR_pow && ir_get_int(i->attrs, "exponent", 0) >= 2) {
                ir_replace_uses(m, i, power(m, i));
                ir_remove(m, i);
                again = true;
            } else if (merge_chain(m, i) || merge_batchnorm(m, i)) {
                again = true;
            }
        }
        any = any || again;
    } while (again);
    ir_remove_dead(m);
    return any ? PASS_CHANGED : PASS_OK;
}
