// SPDX-License-Identifier: Apache-2.0
// Max pooling by absolute values: 2 max(a, b) = (a + b) + |a - b|.
//
// One axis after the other: the k cells of a window are k gathers of the input along that axis (in a padded window a cell outside stands
// for the nearest one inside, which changes no maximum), and a tree of ceil(log2 k) steps joins them. A step keeps twice the maximum, since
// |.| takes a factor; what has no partner is doubled in its gather, and one factor at the end undoes them all, for the next operator
// to absorb. The activations pass then fits |.| like any function, on the differences that occur. Costs per axis: one level for the gathers, the depth
// of |.| per step and k - 1 polynomials.
#include "pass.h"
#include "util.h"

static int64_t int_at(const struct ir_inst *i, const char *key, size_t k, int64_t def)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    return a && a->kind == IR_INTS && k < a->ints.n ? a->ints.v[k] : def;
}

struct build {
    struct ir_module *m;
    struct ir_inst *pool;       // everything is built before it
};

static struct ir_inst *op(const struct build *b, enum ir_op which, struct ir_type type, struct ir_inst *x, struct ir_inst *y)
{
    struct ir_inst *r = ir_build(b->m, b->pool, which, type, y ? 2 : 1, (struct ir_inst *[]){x, y});
    const char *node = ir_get_string(b->pool->attrs, "node", NULL);
    if (node) ir_set_string(b->m, &r->attrs, "node", node);
    return r;
}

static struct ir_inst *times(const struct build *b, struct ir_inst *x, double by)
{
    struct ir_const *c = ir_const_add(b->m, "max", IR_F64, 0, NULL);
    ((double *)c->data)[0] = by;
    struct ir_inst *r = op(b, IR_TENSOR_mulc, x->type, x, NULL);
    ir_set_symbol(b->m, &r->attrs, "value", c->name);
    return r;
}

/* Cell number `cell` of every window along an axis. */
static struct ir_inst *cells(const struct build *b, struct ir_inst *x, uint32_t axis, int64_t out, int64_t kernel, int64_t cell)
{
    int64_t stride = int_at(b->pool, "strides", axis - 2, 1), pad = int_at(b->pool, "pads", axis - 2, 0), size = x->type.dim[axis];
    struct ir_const *index = ir_const_add(b->m, "cells", IR_I64, 1, &out);
    for (int64_t o = 0; o < out; o++) {
        int64_t first = o * stride - pad, lo = first > 0 ? first : 0, hi = first + kernel < size ? first + kernel - 1 : size - 1, at = first + cell;
        ((int64_t *)index->data)[o] = at < lo ? lo : at > hi ? hi : at;
    }
    struct ir_type t = x->type;
    t.dim[axis] = out;
    struct ir_inst *r = op(b, IR_TENSOR_gather, t, x, NULL);
    ir_set_int(b->m, &r->attrs, "axis", axis);
    ir_set_symbol(b->m, &r->attrs, "indices", index->name);
    return r;
}

/* Largest cell along an axis, times *factor. */
static struct ir_inst *along(const struct build *b, struct ir_inst *x, uint32_t axis, double *factor, struct arena *scratch)
{
    int64_t kernel = int_at(b->pool, "kernel", axis - 2, 1), n = kernel;
    struct ir_inst **v = ARENA_ARRAY(scratch, struct ir_inst *, kernel);
    for (int64_t k = 0; k < kernel; k++) v[k] = cells(b, x, axis, b->pool->type.dim[axis], kernel, k);
    while (n > 1) {
        int64_t half = n / 2;
        for (int64_t k = 0; k < half; k++) {
            struct ir_inst *p = v[2 * k], *q = v[2 * k + 1], *distance = op(b, IR_TENSOR_act, p->type, op(b, IR_TENSOR_sub, p->type, p, q), NULL);
            ir_set_string(b->m, &distance->attrs, "fn", "abs");
            v[k] = op(b, IR_TENSOR_add, p->type, op(b, IR_TENSOR_add, p->type, p, q), distance);
        }
        if (n % 2) v[half] = times(b, v[n - 1], 2);
        n = half + n % 2;
        *factor *= 2;
    }
    return v[0];
}

enum pass_res pass_maxpool(struct pass_ctx *ctx, struct ir_module *m)
{
    bool any = false;
    for (struct ir_inst *i = m->first, *next; i; i = next) {
        next = i->next;
        if (i->op != IR_TENSOR_maxpool) continue;
        struct build b = {m, i};
        struct ir_inst *x = i->args[0];
        double factor = 1;
        for (uint32_t axis = i->type.rank; axis-- > 2;) x = along(&b, x, axis, &factor, ctx->scratch);
        if (factor != 1) x = times(&b, x, 1 / factor);
        ir_replace_uses(m, i, x);
        ir_remove(m, i);
        any = true;
    }
    return any ? PASS_CHANGED : PASS_OK;
}
