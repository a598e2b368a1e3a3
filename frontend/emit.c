// SPDX-License-Identifier: Apache-2.0
// The instructions that operator groups build from: each checks its result's shape, names its node, and passes NULL operands through.

#include "load.h"
#include <math.h>
#include <string.h>

struct shape inst_shape(const struct ir_inst *x)
{
    struct shape s = {.rank = x->type.rank};
    memcpy(s.dim, x->type.dim, x->type.rank * sizeof s.dim[0]);
    return s;
}

int shape_check(struct node *n, const struct shape *s)
{
    int64_t numel = 1;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1)
            return node_error(n, "an empty tensor %s has nothing to compute", shape_print(n->ld->arena, s));
        if (__builtin_mul_overflow(numel, s->dim[i], &numel) || numel > (int64_t)1 << LOAD_MAX_NUMEL_LOG2)
            return node_error(n, "a tensor %s is too large", shape_print(n->ld->arena, s));
    }
    return 0;
}

struct ir_inst *emit(struct node *n, enum ir_op op, const struct shape *s, uint32_t nargs, struct ir_inst *const *args)
{
    for (uint32_t i = 0; i < nargs; i++)
        if (!args[i])
            return NULL;
    if (shape_check(n, s))
        return NULL;
    struct ir_inst *x = ir_build(n->ld->mod, NULL, op, ir_type_tensor(s->rank, s->dim), nargs, args);
    ir_set_string(n->ld->mod, ir_inst_attrs(x), "node", n->name);
    return x;
}

struct ir_inst *emit1(struct node *n, enum ir_op op, const struct shape *s, struct ir_inst *a)
{
    return emit(n, op, s, 1, &a);
}

struct ir_inst *emit2(struct node *n, enum ir_op op, const struct shape *s, struct ir_inst *a, struct ir_inst *b)
{
    return emit(n, op, s, 2, (struct ir_inst *[]){a, b});
}

void emit_ints(struct node *n, struct ir_inst *x, const char *key, const int64_t *v, size_t count)
{
    if (x)
        ir_set_ints(n->ld->mod, ir_inst_attrs(x), key, v, count);
}

struct ir_inst *emit_reshape(struct node *n, struct ir_inst *x, const struct shape *s)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x);
    return shape_equal(&have, s) ? x : emit1(n, IR_TENSOR_reshape, s, x);
}

struct ir_inst *emit_transpose(struct node *n, struct ir_inst *x, const int64_t *perm)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x), out = in;
    bool identity = true;
    for (uint32_t i = 0; i < in.rank; i++) {
        out.dim[i] = in.dim[perm[i]];
        identity &= perm[i] == i;
    }
    if (identity)
        return x;
    struct ir_inst *y = emit1(n, IR_TENSOR_transpose, &out, x);
    emit_ints(n, y, "perm", perm, in.rank);
    return y;
}

const char *emit_weight(struct node *n, const char *hint, const struct shape *s, const double *v)
{
    int64_t numel = shape_numel(s);
    bool single = true;
    for (int64_t i = 0; i < numel; i++) {
        if (!isfinite(v[i])) {
            node_error(n, "the constant \"%s\" holds a NaN or an infinity (element %lld)", hint, (long long)i);
            return NULL;
        }
        single &= fabs(v[i]) < 0x1p127 && (double)(float)v[i] == v[i];
    }
    struct ir_const *c = ir_const_add(n->ld->mod, safe_symbol(n->ld->arena, *hint ? hint : n->name), single ? IR_F32 : IR_F64, s->rank,
                                      s->dim);
    for (int64_t i = 0; i < numel; i++) {
        if (single)
            ((float *)c->data)[i] = (float)v[i];
        else
            ((double *)c->data)[i] = v[i];
    }
    return c->name;
}

struct ir_inst *emit_broadcast(struct node *n, struct ir_inst *x, const struct shape *s)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x), wide = {.rank = s->rank};
    for (uint32_t i = 0; i < s->rank; i++)
        wide.dim[i] = i + have.rank < s->rank ? 1 : have.dim[i + have.rank - s->rank];
    x = emit_reshape(n, x, &wide);
    for (uint32_t i = 0; x && i < s->rank; i++) {
        if (wide.dim[i] == s->dim[i])
            continue;
        int64_t *zero = index_array(n, s->dim[i]);
        x = zero ? emit_gather(n, x, i, zero, s->dim[i]) : NULL;
    }
    return x;
}

/* x op (factor * c), broadcast; a stretched x is expanded first so that the result has the shape of the operand. */
static struct ir_inst *emit_with_const(struct node *n, enum ir_op op, struct ir_inst *x, const struct ctensor *c, double factor)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x), out;
    if (shape_broadcast(n, &have, &c->s, &out) || shape_check(n, &out))
        return NULL;
    if (!(x = emit_broadcast(n, x, &out)))
        return NULL;
    double *v = ARENA_ARRAY(n->ld->arena, double, c->numel ? c->numel : 1);
    for (int64_t i = 0; i < c->numel; i++)
        v[i] = factor * const_at(c, i);
    const char *w = emit_weight(n, c->name, &c->s, v);
    if (!w)
        return NULL;
    struct ir_inst *y = emit1(n, op, &out, x);
    if (y)
        ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "value", w);
    return y;
}

struct ir_inst *emit_addc(struct node *n, struct ir_inst *x, const struct ctensor *c, double factor)
{
    return emit_with_const(n, IR_TENSOR_addc, x, c, factor);
}

struct ir_inst *emit_mulc(struct node *n, struct ir_inst *x, const struct ctensor *c, double factor)
{
    return emit_with_const(n, IR_TENSOR_mulc, x, c, factor);
}

static const struct ctensor *number(struct node *n, double v)
{
    struct ctensor *c = ARENA_NEW(n->ld->arena, struct ctensor);
    c->name = n->name;
    c->type = DT(DOUBLE);
    c->numel = 1;
    c->f = ARENA_NEW(n->ld->arena, double);
    c->f[0] = v;
    return c;
}

struct ir_inst *emit_addr(struct node *n, struct ir_inst *x, double v)
{
    return v == 0 ? x : emit_addc(n, x, number(n, v), 1);
}

struct ir_inst *emit_mulr(struct node *n, struct ir_inst *x, double v)
{
    return v == 1 ? x : emit_mulc(n, x, number(n, v), 1);
}

int64_t *index_array(struct node *n, int64_t count)
{
    if (count < 0 || count > n->ld->fold_left) {
        node_error(n, "an axis of %lld elements is too large", (long long)count);
        return NULL;
    }
    n->ld->fold_left -= count;
    return ARENA_ARRAY(n->ld->arena, int64_t, count ? count : 1);
}

struct ir_inst *emit_gather(struct node *n, struct ir_inst *x, int64_t axis, const int64_t *index, int64_t count)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x);
    s.dim[axis] = count;
    struct ir_inst *y = emit1(n, IR_TENSOR_gather, &s, x);
    if (!y)
        return NULL;
    struct ir_const *c = ir_const_add(n->ld->mod, safe_symbol(n->ld->arena, arena_printf(n->ld->arena, "%s.index", n->name)), IR_I64, 1,
                                      &count);
    memcpy(c->data, index, (size_t)count * sizeof *index);
    ir_set_int(n->ld->mod, ir_inst_attrs(y), "axis", axis);
    ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "indices", c->name);
    return y;
}

struct ir_inst *emit_slice(struct node *n, struct ir_inst *x, const int64_t *start, const int64_t *end, const int64_t *step)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x), out = in;
    int64_t axes[IR_MAX_RANK] = {0}, s[IR_MAX_RANK] = {0}, e[IR_MAX_RANK] = {0}, t[IR_MAX_RANK] = {0};
    size_t k = 0;
    for (uint32_t i = 0; i < in.rank; i++) {
        if (start[i] == 0 && end[i] == in.dim[i] && step[i] == 1)
            continue;
        out.dim[i] = end[i] > start[i] ? (end[i] - start[i] - 1) / step[i] + 1 : 0;
        axes[k] = i, s[k] = start[i], e[k] = end[i], t[k] = step[i];
        k++;
    }
    if (!k)
        return x;
    struct ir_inst *y = emit1(n, IR_TENSOR_slice, &out, x);
    emit_ints(n, y, "axes", axes, k);
    emit_ints(n, y, "starts", s, k);
    emit_ints(n, y, "ends", e, k);
    emit_ints(n, y, "steps", t, k);
    return y;
}

struct ir_inst *emit_pad(struct node *n, struct ir_inst *x, const int64_t *pads, double value)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x);
    int64_t start[IR_MAX_RANK] = {0}, end[IR_MAX_RANK] = {0}, step[IR_MAX_RANK] = {0}, grow[2 * IR_MAX_RANK];
    bool any = false;
    for (uint32_t i = 0; i < in.rank; i++) {
        int64_t lo = pads[i], hi = pads[i + in.rank], limit = (int64_t)1 << LOAD_MAX_NUMEL_LOG2;
        if (lo < -limit || hi < -limit || lo > limit || hi > limit) {
            node_error(n, "padding %lld, %lld out of range", (long long)lo, (long long)hi);
            return NULL;
        }
        start[i] = lo < 0 ? -lo : 0;
        end[i] = in.dim[i] - (hi < 0 ? -hi : 0);
        step[i] = 1;
        grow[i] = lo > 0 ? lo : 0;
        grow[i + in.rank] = hi > 0 ? hi : 0;
        any |= grow[i] || grow[i + in.rank];
    }
    if (!(x = emit_slice(n, x, start, end, step)) || !any)
        return x;
    struct shape out = inst_shape(x);
    for (uint32_t i = 0; i < out.rank; i++)
        out.dim[i] += grow[i] + grow[i + out.rank];
    if (!isfinite(value)) {
        node_error(n, "padding with an infinity or a NaN");
        return NULL;
    }
    struct ir_inst *y = emit1(n, IR_TENSOR_pad, &out, x);
    emit_ints(n, y, "pads", grow, 2 * out.rank);
    if (y)
        ir_set_float(n->ld->mod, ir_inst_attrs(y), "value", value);
    return y;
}

struct ir_inst *emit_act(struct node *n, struct ir_inst *x, const char *fn)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x);
    struct ir_inst *y = emit1(n, IR_TENSOR_act, &s, x);
    if (y)
        ir_set_string(n->ld->mod, ir_inst_attrs(y), "fn", fn);
    return y;
}
