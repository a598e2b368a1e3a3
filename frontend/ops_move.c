// SPDX-License-Identifier: Apache-2.0
// Operators that copy elements to constant places: Concat, Gather, Pad, Expand, Tile, Where, DepthToSpace, SpaceToDepth.

#include "load.h"
#include <string.h>

int op_concat(struct node *n)
{
    struct shape s, out = {0};
    uint32_t axis = 0;
    int64_t total = 0, constants = 0;
    for (size_t i = 0; i < n->nin; i++) {
        if (in_shape(n, i, &s))
            return node_error(n, "input %zu is missing", i);
        if (i == 0) {
            out = s;
            if (shape_axis(n, attr_int(n, "axis", 1), s.rank, &axis))
                return -1;
        }
        struct shape t = s;
        if (s.rank == out.rank)
            t.dim[axis] = out.dim[axis];
        if (!shape_equal(&t, &out))
            return node_error(n, "input %zu of shape %s does not fit the first, %s", i, shape_print(n->ld->arena, &s),
                              shape_print(n->ld->arena, &out));
        if (s.dim[axis] > INT32_MAX - total)
            return node_error(n, "too large");
        total += s.dim[axis];
        constants += in_const(n, i) != NULL;
    }
    out.dim[axis] = total;
    if (n->nin == 1)
        return out_alias(n, 0, 0);
    if (shape_check(n, &out))
        return -1;
    if (!constants && n->nin <= 64) {
        struct ir_inst *part[64];
        for (size_t i = 0; i < n->nin; i++)
            part[i] = in_inst(n, i);
        struct ir_inst *y = emit(n, IR_TENSOR_concat, &out, (uint32_t)n->nin, part);
        if (y)
            ir_set_int(n->ld->mod, ir_inst_attrs(y), "axis", axis);
        return out_inst(n, 0, y);
    }
    /* with constant parts: every encrypted part padded to its place, their sum, plus a constant */
    struct ctensor *fill = const_new(n, DT(DOUBLE), &out);
    struct ir_inst *acc = NULL;
    if (!fill)
        return -1;
    int64_t at = 0, inner = 1, outer = 1;
    for (uint32_t i = 0; i < out.rank; i++)
        *(i < axis ? &outer : i > axis ? &inner : &(int64_t){1}) *= out.dim[i];
    for (size_t i = 0; i < n->nin; i++) {
        in_shape(n, i, &s);
        int64_t d = s.dim[axis], pads[2 * IR_MAX_RANK] = {0};
        const struct ctensor *c = in_const(n, i);
        for (int64_t o = 0; c && o < outer; o++)
            for (int64_t k = 0; k < d * inner; k++)
                fill->f[(o * total + at) * inner + k] = const_at(c, o * d * inner + k);
        pads[axis] = at;
        pads[axis + out.rank] = total - at - d;
        struct ir_inst *p = c ? NULL : emit_pad(n, in_inst(n, i), pads, 0);
        if (!c && (!p || !(acc = acc ? emit2(n, IR_TENSOR_add, &out, acc, p) : p)))
            return -1;
        at += d;
    }
    return out_inst(n, 0, emit_addc(n, acc, fill, 1));
}

/* Indices along an axis of extent d, negative ones counted from the end. */
static int gather_index(struct node *n, int64_t d, const struct ctensor *c, int64_t **index)
{
    if (!c->is_int)
        return node_error(n, "the indices are not integers");
    if (!(*index = index_array(n, c->numel)))
        return -1;
    for (int64_t i = 0; i < c->numel; i++) {
        int64_t v = c->i[i] < 0 ? c->i[i] + d : c->i[i];
        if (v < 0 || v >= d)
            return node_error(n, "index %lld on an axis of %lld", (long long)c->i[i], (long long)d);
        (*index)[i] = v;
    }
    return 0;
}

static int gather_shape(struct node *n, const struct shape *s, uint32_t axis, const struct shape *index, struct shape *out)
{
    *out = (struct shape){0};
    if (s->rank + index->rank > IR_MAX_RANK + 1)
        return node_error(n, "more than %d axes", IR_MAX_RANK);
    for (uint32_t i = 0; i < axis; i++)
        out->dim[out->rank++] = s->dim[i];
    for (uint32_t i = 0; i < index->rank; i++)
        out->dim[out->rank++] = index->dim[i];
    for (uint32_t i = axis + 1; i < s->rank; i++)
        out->dim[out->rank++] = s->dim[i];
    return 0;
}

int op_gather(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *c;
    uint32_t axis;
    int64_t *index;
    struct shape out;
    if (in_need_inst(n, 0, &x) || in_need_const(n, 1, "the indices", &c))
        return -1;
    struct shape s = inst_shape(x);
    if (shape_axis(n, attr_int(n, "axis", 0), s.rank, &axis) || gather_index(n, s.dim[axis], c, &index) ||
        gather_shape(n, &s, axis, &c->s, &out) || shape_check(n, &out))
        return -1;
    x = emit_gather(n, x, axis, index, c->numel);
    return out_inst(n, 0, emit_reshape(n, x, &out));
}

int fold_gather(struct node *n)
{
    const struct ctensor *x, *c;
    uint32_t axis;
    int64_t *index;
    struct shape out;
    if (in_need_const(n, 0, "data", &x) || in_need_const(n, 1, "the indices", &c) ||
        shape_axis(n, attr_int(n, "axis", 0), x->s.rank, &axis) || gather_index(n, x->s.dim[axis], c, &index) ||
        gather_shape(n, &x->s, axis, &c->s, &out))
        return -1;
    struct ctensor *d = const_new(n, x->type, &out);
    if (!d)
        return -1;
    int64_t inner = 1, extent = x->s.dim[axis];
    for (uint32_t i = axis + 1; i < x->s.rank; i++)
        inner *= x->s.dim[i];
    for (int64_t k = 0; k < d->numel; k++) {
        int64_t o = k / (inner * c->numel), j = k / inner % c->numel;
        d->i[k] = x->i[(o * extent + index[j]) * inner + k % inner];
    }
    return out_const(n, 0, d);
}

/* Pads by mode; reflect and edge become a gather along each padded axis. */
int op_pad(struct node *n)
{
    struct ir_inst *x;
    struct ints pads, axes = {0};
    double value = attr_float(n, "value", 0);
    if (in_need_inst(n, 0, &x) || in_ints(n, "pads", 1, &pads))
        return -1;
    if (!pads.present)
        pads = attr_ints(n, "paddings");
    if (in_has(n, 3) && in_ints(n, "axes", 3, &axes))
        return -1;
    struct shape s = inst_shape(x);
    const struct ctensor *v;
    if (in_has(n, 2)) {
        if (in_need_const(n, 2, "the padding value", &v))
            return -1;
        if (v->numel != 1)
            return node_error(n, "the padding value has %lld elements", (long long)v->numel);
        value = const_at(v, 0);
    }
    size_t count = axes.present ? axes.n : s.rank;
    if (!pads.present || pads.n != 2 * count || count > s.rank)
        return node_error(n, "%zu pads for the input %s", pads.n, shape_print(n->ld->arena, &s));
    int64_t full[2 * IR_MAX_RANK] = {0};
    for (size_t i = 0; i < count; i++) {
        uint32_t a;
        if (shape_axis(n, axes.present ? axes.v[i] : (int64_t)i, s.rank, &a))
            return -1;
        full[a] = pads.v[i];
        full[a + s.rank] = pads.v[i + count];
    }
    const char *mode = attr_str(n, "mode", "constant");
    if (!strcmp(mode, "constant"))
        return out_inst(n, 0, emit_pad(n, x, full, value));
    bool reflect = !strcmp(mode, "reflect");
    if (!reflect && strcmp(mode, "edge"))
        return node_error(n, "padding mode \"%s\"; constant, reflect and edge are supported", mode);
    for (uint32_t a = 0; x && a < s.rank; a++) {
        int64_t lo = full[a], hi = full[a + s.rank], d = s.dim[a], most = reflect ? d - 1 : (int64_t)1 << LOAD_MAX_NUMEL_LOG2;
        if (!lo && !hi)
            continue;
        if (lo > most || hi > most || lo < -d || hi < -d || lo + hi + d < 1)
            return node_error(n, "padding %lld, %lld on an axis of %lld", (long long)lo, (long long)hi, (long long)d);
        struct shape t = inst_shape(x);
        t.dim[a] = d + lo + hi;
        if (shape_check(n, &t))
            return -1;
        int64_t *index = index_array(n, t.dim[a]);
        if (!index)
            return -1;
        for (int64_t i = 0; i < t.dim[a]; i++) {
            int64_t at = i - lo;
            index[i] = at < 0 ? (reflect ? -at : 0) : at >= d ? (reflect ? 2 * (d - 1) - at : d - 1) : at;
        }
        x = emit_gather(n, x, a, index, t.dim[a]);
    }
    return out_inst(n, 0, x);
}

static int target_shape(struct node *n, struct shape *s)
{
    struct ints v;
    if (in_ints(n, "shape", 1, &v))
        return -1;
    if (!v.present || v.n > IR_MAX_RANK)
        return node_error(n, "the target shape is missing or has more than %d axes", IR_MAX_RANK);
    *s = (struct shape){.rank = (uint32_t)v.n};
    memcpy(s->dim, v.v, v.n * sizeof *v.v);
    return 0;
}

int op_expand(struct node *n)
{
    struct ir_inst *x;
    struct shape want, out;
    if (in_need_inst(n, 0, &x) || target_shape(n, &want))
        return -1;
    struct shape s = inst_shape(x);
    if (shape_broadcast(n, &s, &want, &out) || shape_check(n, &out))
        return -1;
    return out_inst(n, 0, emit_broadcast(n, x, &out));
}

int op_tile(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *r;
    if (in_need_inst(n, 0, &x) || in_need_const(n, 1, "the repeats", &r))
        return -1;
    struct shape s = inst_shape(x);
    if (r->numel != s.rank)
        return node_error(n, "%lld repeats for the input %s", (long long)r->numel, shape_print(n->ld->arena, &s));
    for (uint32_t a = 0; x && a < s.rank; a++) {
        int64_t k = const_int(r, a);
        struct shape t = inst_shape(x);
        if (k == 1)
            continue;
        if (k < 1 || k > (int64_t)1 << LOAD_MAX_NUMEL_LOG2)
            return node_error(n, "%lld repeats", (long long)k);
        t.dim[a] *= k;
        if (shape_check(n, &t))
            return -1;
        int64_t *index = index_array(n, t.dim[a]);
        if (!index)
            return -1;
        for (int64_t i = 0; i < t.dim[a]; i++)
            index[i] = i % s.dim[a];
        x = emit_gather(n, x, a, index, t.dim[a]);
    }
    return out_inst(n, 0, x);
}

/* Constant condition c: x c + y (1 - c), each side encrypted or constant. */
int op_where(struct node *n)
{
    const struct ctensor *c;
    struct shape s, t, out;
    if (in_need_const(n, 0, "the condition", &c))
        return -1;
    if (in_shape(n, 1, &s) || in_shape(n, 2, &t))
        return node_error(n, "three inputs are needed");
    struct shape xy;
    if (shape_broadcast(n, &s, &t, &xy) || shape_broadcast(n, &xy, &c->s, &out) || shape_check(n, &out))
        return -1;
    struct ctensor *no = const_new(n, DT(DOUBLE), &c->s), *fill = const_new(n, DT(DOUBLE), &out);
    if (!no || !fill)
        return -1;
    for (int64_t i = 0; i < c->numel; i++)
        no->f[i] = const_at(c, i) == 0;
    struct ir_inst *acc = NULL;
    for (size_t side = 1; side <= 2; side++) {
        struct ir_inst *x = in_inst(n, side);
        if (x) {
            struct ctensor *yes = const_new(n, DT(DOUBLE), &c->s);
            for (int64_t i = 0; yes && i < c->numel; i++)
                yes->f[i] = 1 - no->f[i];
            struct ir_inst *m = yes ? emit_mulc(n, emit_broadcast(n, x, &out), side == 1 ? yes : no, 1) : NULL;
            if (!m || !(acc = acc ? emit2(n, IR_TENSOR_add, &out, acc, m) : m))
                return -1;
            continue;
        }
        const struct ctensor *v = in_const(n, side);
        int64_t sc[IR_MAX_RANK], sv[IR_MAX_RANK];
        shape_strides(&c->s, &out, sc);
        shape_strides(&v->s, &out, sv);
        for (int64_t k = 0; k < fill->numel; k++) {
            int64_t rest = k, ic = 0, iv = 0;
            for (uint32_t i = out.rank; i-- > 0; rest /= out.dim[i]) {
                ic += rest % out.dim[i] * sc[i];
                iv += rest % out.dim[i] * sv[i];
            }
            if ((no->f[ic] != 0) == (side == 2))
                fill->f[k] = const_at(v, iv);
        }
    }
    bool constant = in_const(n, 1) || in_const(n, 2);
    return out_inst(n, 0, constant ? emit_addc(n, acc, fill, 1) : acc);
}

/* [N,C,H,W] -> six axes -> permuted -> four axes. */
static int block_move(struct node *n, bool to_space)
{
    struct ir_inst *x;
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape s = inst_shape(x);
    int64_t b = attr_int(n, "blocksize", 0), bb = b > 0 && b < 1 << 15 ? b * b : 0;
    if (s.rank != 4 || !bb || (to_space ? s.dim[1] % bb : (s.dim[2] % b || s.dim[3] % b)))
        return node_error(n, "block size %lld on the input %s", (long long)b, shape_print(n->ld->arena, &s));
    int64_t N = s.dim[0], C = s.dim[1], H = s.dim[2], W = s.dim[3];
    if (to_space) {
        bool crd = attr_is(n, "mode", "CRD", false);
        struct shape six = crd ? (struct shape){6, {N, C / bb, b, b, H, W}} : (struct shape){6, {N, b, b, C / bb, H, W}};
        struct shape out = {4, {N, C / bb, H * b, W * b}};
        const int64_t dcr_perm[6] = {0, 3, 4, 1, 5, 2}, crd_perm[6] = {0, 1, 4, 2, 5, 3};
        return out_inst(n, 0, emit_reshape(n, emit_transpose(n, emit_reshape(n, x, &six), crd ? crd_perm : dcr_perm), &out));
    }
    struct shape six = {6, {N, C, H / b, b, W / b, b}}, out = {4, {N, C * bb, H / b, W / b}};
    const int64_t perm[6] = {0, 3, 5, 1, 2, 4};
    return out_inst(n, 0, emit_reshape(n, emit_transpose(n, emit_reshape(n, x, &six), perm), &out));
}

int op_depthtospace(struct node *n) { return block_move(n, true); }
int op_spacetodepth(struct node *n) { return block_move(n, false); }
