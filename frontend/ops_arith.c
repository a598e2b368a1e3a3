// SPDX-License-Identifier: Apache-2.0
// Add, Sub, Mul, Div, Neg, Sum, Mean, Pow: an operand that is a constant becomes an attribute.

#include "load.h"
#include <math.h>
#include <string.h>

/* Before opset 7 the second operand was aligned at `axis` under broadcast=1: give it trailing axes of 1. */
static const struct ctensor *legacy_align(struct node *n, const struct ctensor *c)
{
    const Onnx__AttributeProto *axis = node_attr(n, "axis");
    struct shape x;
    if (n->ld->opset >= 7 || !c || !axis || !attr_int(n, "broadcast", 0) || in_shape(n, 0, &x))
        return c;
    int64_t a = axis->i < 0 ? axis->i + x.rank : axis->i;
    if (a < 0 || a + c->s.rank > x.rank)
        return c;
    struct ctensor *d = ARENA_NEW(n->ld->arena, struct ctensor);
    *d = *c;
    for (uint32_t i = c->s.rank; i < x.rank - a; i++)
        d->s.dim[i] = 1;
    d->s.rank = x.rank - (uint32_t)a;
    return d;
}

/* Both encrypted: broadcast by expansion, so that the dialect's elementwise operators see the result's shape. */
static struct ir_inst *both(struct node *n, enum ir_op op, struct ir_inst *a, struct ir_inst *b)
{
    if (!a || !b)
        return NULL;
    struct shape sa = inst_shape(a), sb = inst_shape(b), s;
    if (n->ld->opset < 7 && attr_int(n, "axis", -1) >= 0 && sb.rank < sa.rank) {
        int64_t axis = attr_int(n, "axis", 0);
        struct shape wide = sb;
        for (; wide.rank < sa.rank - (axis <= sa.rank ? axis : 0) && wide.rank < IR_MAX_RANK; wide.rank++)
            wide.dim[wide.rank] = 1;
        b = emit_reshape(n, b, &wide);
        sb = wide;
    }
    if (shape_broadcast(n, &sa, &sb, &s) || shape_check(n, &s))
        return NULL;
    return emit2(n, op, &s, emit_broadcast(n, a, &s), emit_broadcast(n, b, &s));
}

static int need_two(struct node *n)
{
    return in_has(n, 0) && in_has(n, 1) ? 0 : node_error(n, "two inputs are needed");
}

int op_add(struct node *n)
{
    struct ir_inst *a = in_inst(n, 0), *b = in_inst(n, 1);
    if (need_two(n))
        return -1;
    return out_inst(n, 0, a && b ? both(n, IR_TENSOR_add, a, b) : a ? emit_addc(n, a, legacy_align(n, in_const(n, 1)), 1) :
                    emit_addc(n, b, in_const(n, 0), 1));
}

int op_sub(struct node *n)
{
    struct ir_inst *a = in_inst(n, 0), *b = in_inst(n, 1);
    if (need_two(n))
        return -1;
    return out_inst(n, 0, a && b ? both(n, IR_TENSOR_sub, a, b) : a ? emit_addc(n, a, legacy_align(n, in_const(n, 1)), -1) :
                    emit_addc(n, emit_mulr(n, b, -1), in_const(n, 0), 1));
}

int op_mul(struct node *n)
{
    struct ir_inst *a = in_inst(n, 0), *b = in_inst(n, 1);
    if (need_two(n))
        return -1;
    return out_inst(n, 0, a && b ? both(n, IR_TENSOR_mul, a, b) : a ? emit_mulc(n, a, legacy_align(n, in_const(n, 1)), 1) :
                    emit_mulc(n, b, in_const(n, 0), 1));
}

int op_div(struct node *n)
{
    struct ir_inst *a = in_inst(n, 0);
    if (need_two(n))
        return -1;
    const struct ctensor *c = legacy_align(n, in_const(n, 1));
    if (!c || !a)
        return node_error(n, "division by an encrypted value is not supported; rescale by a constant instead");
    struct ctensor *inv = const_new(n, DT(DOUBLE), &c->s);
    if (!inv)
        return -1;
    inv->name = c->name;
    for (int64_t i = 0; i < c->numel; i++) {
        if (const_at(c, i) == 0)
            return node_error(n, "division by zero (element %lld of \"%s\")", (long long)i, c->name);
        inv->f[i] = 1 / const_at(c, i);
    }
    return out_inst(n, 0, emit_mulc(n, a, inv, 1));
}

int op_neg(struct node *n)
{
    return out_inst(n, 0, emit_mulr(n, in_inst(n, 0), -1));
}

int op_sum(struct node *n)
{
    struct ir_inst *acc = NULL;
    for (size_t i = 0; i < n->nin; i++)
        if (in_inst(n, i) && !(acc = acc ? both(n, IR_TENSOR_add, acc, in_inst(n, i)) : in_inst(n, i)))
            return -1;
    for (size_t i = 0; i < n->nin; i++)
        if (in_const(n, i) && !(acc = emit_addc(n, acc, in_const(n, i), 1)))
            return -1;
    return out_inst(n, 0, strcmp(n->op, "Mean") ? acc : emit_mulr(n, acc, 1.0 / (double)n->nin));
}

int op_pow(struct node *n)
{
    struct ir_inst *x = in_inst(n, 0);
    const struct ctensor *e = in_const(n, 1);
    if (need_two(n))
        return -1;
    if (!x || !e || e->numel < 1)
        return node_error(n, "the exponent must be a constant and the base encrypted");
    double k = const_at(e, 0);
    for (int64_t i = 1; i < e->numel; i++)
        if (const_at(e, i) != k)
            return node_error(n, "different exponents in one operator; split it into one Pow an exponent");
    if (k != floor(k) || k < 1 || k > 64)
        return node_error(n, "exponent %g; integers from 1 to 64 are supported (a root or an inverse has no polynomial near zero)", k);
    struct shape s = inst_shape(x), out;
    if (shape_broadcast(n, &s, &e->s, &out) || !(x = emit_broadcast(n, x, &out)))
        return -1;
    if (k == 1)
        return out_inst(n, 0, x);
    if (k == 2)
        return out_inst(n, 0, emit2(n, IR_TENSOR_mul, &out, x, x));
    struct ir_inst *y = emit1(n, IR_TENSOR_pow, &out, x);
    if (y)
        ir_set_int(n->ld->mod, ir_inst_attrs(y), "exponent", (int64_t)k);
    return out_inst(n, 0, y);
}
