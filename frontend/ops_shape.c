// SPDX-License-Identifier: Apache-2.0
// Operators that rename or permute elements: Reshape and relatives, Transpose, Slice, Split, Cast, Identity, Dropout.

#include "load.h"
#include <string.h>

int op_identity(struct node *n)
{
    return out_alias(n, 0, 0);
}

int op_cast(struct node *n)
{
    int32_t to = (int32_t)attr_int(n, "to", attr_is(n, "to", "FLOAT", false) ? DT(FLOAT) : DT(UNDEFINED));
    if (type_is_int(to))
        return node_error(n, "an encrypted value cannot be cast to %s; encrypted values are real numbers", type_name(to));
    return out_alias(n, 0, 0);
}

/* Inference form: the identity; the mask, where asked for, is all true. */
int op_dropout(struct node *n)
{
    const struct ctensor *training = in_const(n, 2), *ratio = in_const(n, 1);
    struct shape s;
    if (training && training->numel == 1 && const_at(training, 0) != 0 && !(ratio && ratio->numel == 1 && const_at(ratio, 0) == 0))
        return node_error(n, "training mode; export the model in eval mode");
    if (in_inst(n, 2))
        return node_error(n, "the training mode must be a constant");
    if (in_shape(n, 0, &s))
        return node_error(n, "input 0 is missing");
    if (n->nout > 1 && n->out[1] && (n->out[1]->uses || n->out[1]->is_output)) {
        struct ctensor *mask = const_new(n, DT(BOOL), &s);
        if (!mask)
            return -1;
        for (int64_t i = 0; i < mask->numel; i++)
            mask->i[i] = 1;
        out_const(n, 1, mask);
    }
    return out_alias(n, 0, 0);
}

/* The result shape of Reshape, Flatten, Squeeze and Unsqueeze on a value of shape `in`. */
static int reshaped(struct node *n, const struct shape *in, struct shape *out)
{
    struct ints v;
    if (!strcmp(n->op, "Flatten")) {
        int64_t axis = attr_int(n, "axis", 1);
        axis += axis < 0 ? in->rank : 0;
        if (axis < 0 || axis > in->rank)
            return node_error(n, "axis %lld of a tensor of %u axes", (long long)axis, in->rank);
        *out = (struct shape){.rank = 2, .dim = {1, 1}};
        for (uint32_t i = 0; i < in->rank; i++)
            out->dim[i >= axis] *= in->dim[i];
        return 0;
    }
    bool reshape = !strcmp(n->op, "Reshape");
    if (in_ints(n, reshape ? "shape" : "axes", 1, &v))
        return -1;
    if (reshape && !v.present)
        return node_error(n, "the target shape is missing");
    return reshape ? shape_reshape(n, in, v.v, v.n, attr_int(n, "allowzero", 0) != 0, out) :
           !strcmp(n->op, "Squeeze") ? shape_squeeze(n, in, &v, out) : shape_unsqueeze(n, in, &v, out);
}

int op_reshape(struct node *n)
{
    struct ir_inst *x;
    struct shape out;
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape in = inst_shape(x);
    return reshaped(n, &in, &out) ? -1 : out_inst(n, 0, emit_reshape(n, x, &out));
}

int fold_reshape(struct node *n)
{
    struct shape out;
    const struct ctensor *c;
    if (in_need_const(n, 0, "data", &c) || reshaped(n, &c->s, &out))
        return -1;
    struct ctensor *d = ARENA_NEW(n->ld->arena, struct ctensor);
    *d = *c;
    d->s = out;
    return out_const(n, 0, d);
}

/* The permutation, checked; reversed axes by default. */
static int permutation(struct node *n, uint32_t rank, int64_t *perm)
{
    struct ints v = attr_ints(n, "perm");
    bool mark[IR_MAX_RANK] = {false};
    if (v.present && v.n != rank)
        return node_error(n, "a permutation of %zu axes for a tensor of %u", v.n, rank);
    for (uint32_t i = 0; i < rank; i++) {
        perm[i] = v.present ? v.v[i] : rank - 1 - i;
        if (perm[i] < 0 || perm[i] >= rank || mark[perm[i]])
            return node_error(n, "perm is not a permutation");
        mark[perm[i]] = true;
    }
    return 0;
}

int op_transpose(struct node *n)
{
    struct ir_inst *x;
    int64_t perm[IR_MAX_RANK];
    if (in_need_inst(n, 0, &x) || permutation(n, x->type.rank, perm))
        return -1;
    return out_inst(n, 0, emit_transpose(n, x, perm));
}

int fold_transpose(struct node *n)
{
    const struct ctensor *c;
    int64_t perm[IR_MAX_RANK], stride[IR_MAX_RANK], index[IR_MAX_RANK] = {0};
    if (in_need_const(n, 0, "data", &c) || permutation(n, c->s.rank, perm))
        return -1;
    struct shape s = c->s;
    for (uint32_t i = 0; i < s.rank; i++)
        s.dim[i] = c->s.dim[perm[i]];
    struct ctensor *d = const_new(n, c->type, &s);
    if (!d)
        return -1;
    int64_t step = 1;
    for (uint32_t i = s.rank; i-- > 0; step *= c->s.dim[i])
        stride[i] = step;
    for (int64_t k = 0; k < d->numel; k++) {
        int64_t at = 0;
        for (uint32_t i = 0; i < s.rank; i++)
            at += index[i] * stride[perm[i]];
        d->i[k] = c->i[at];             // moves the 64 bits of either kind
        for (uint32_t i = s.rank; i-- > 0;) {
            if (++index[i] < s.dim[i])
                break;
            index[i] = 0;
        }
    }
    return out_const(n, 0, d);
}

/* Bounds of Slice as attributes (before opset 10) or inputs, spread over all axes. */
static int slice_bounds(struct node *n, const struct shape *in, int64_t *start, int64_t *end, int64_t *step, struct shape *out)
{
    struct ints s, e, axes, t;
    if (in_ints(n, "starts", 1, &s) || in_ints(n, "ends", 2, &e) || in_ints(n, "axes", 3, &axes) || in_ints(n, "steps", 4, &t))
        return -1;
    if (s.n != e.n || (axes.present && axes.n != s.n) || (t.present && t.n != s.n) || s.n > in->rank)
        return node_error(n, "starts, ends, axes and steps do not fit the input %s", shape_print(n->ld->arena, in));
    for (uint32_t i = 0; i < in->rank; i++) {
        start[i] = 0;
        end[i] = in->dim[i];
        step[i] = 1;
    }
    for (size_t i = 0; i < s.n; i++) {
        uint32_t a;
        if (shape_axis(n, axes.present ? axes.v[i] : (int64_t)i, in->rank, &a))
            return -1;
        start[a] = s.v[i];
        end[a] = e.v[i];
        step[a] = t.present ? t.v[i] : 1;
    }
    return shape_slice(n, in, start, end, step, out);
}

int op_slice(struct node *n)
{
    struct ir_inst *x;
    struct shape out;
    int64_t start[IR_MAX_RANK], end[IR_MAX_RANK], step[IR_MAX_RANK];
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape in = inst_shape(x);
    if (slice_bounds(n, &in, start, end, step, &out) || shape_check(n, &out))
        return -1;
    for (uint32_t i = 0; x && i < in.rank; i++) {               // backwards: by a list of indices
        if (step[i] > 0)
            continue;
        int64_t *index = index_array(n, out.dim[i]);
        if (!index)
            return -1;
        for (int64_t k = 0; k < out.dim[i]; k++)
            index[k] = start[i] + k * step[i];
        x = emit_gather(n, x, i, index, out.dim[i]);
        start[i] = 0;
        end[i] = out.dim[i];
        step[i] = 1;
    }
    return out_inst(n, 0, emit_slice(n, x, start, end, step));
}

int fold_slice(struct node *n)
{
    const struct ctensor *c;
    struct shape out;
    int64_t start[IR_MAX_RANK], end[IR_MAX_RANK], step[IR_MAX_RANK], stride[IR_MAX_RANK], index[IR_MAX_RANK] = {0};
    if (in_need_const(n, 0, "data", &c) || slice_bounds(n, &c->s, start, end, step, &out))
        return -1;
    struct ctensor *d = const_new(n, c->type, &out);
    if (!d)
        return -1;
    int64_t unit = 1;
    for (uint32_t i = out.rank; i-- > 0; unit *= c->s.dim[i])
        stride[i] = unit;
    for (int64_t k = 0; k < d->numel; k++) {
        int64_t at = 0;
        for (uint32_t i = 0; i < out.rank; i++)
            at += (start[i] + index[i] * step[i]) * stride[i];
        d->i[k] = c->i[at];
        for (uint32_t i = out.rank; i-- > 0;) {
            if (++index[i] < out.dim[i])
                break;
            index[i] = 0;
        }
    }
    return out_const(n, 0, d);
}

int op_split(struct node *n)
{
    struct ir_inst *x;
    struct ints parts;
    uint32_t axis;
    if (in_need_inst(n, 0, &x) || in_ints(n, "split", 1, &parts))
        return -1;
    struct shape in = inst_shape(x);
    if (shape_axis(n, attr_int(n, "axis", 0), in.rank, &axis))
        return -1;
    int64_t d = in.dim[axis], count = (int64_t)n->nout, at = 0;
    if (count < 1 || (parts.present && parts.n != n->nout))
        return node_error(n, "%zu parts for %zu outputs", parts.n, n->nout);
    int64_t even = (d + count - 1) / count;
    for (int64_t k = 0; k < count; k++) {
        int64_t len = parts.present ? parts.v[k] : at + even <= d ? even : d - at;
        if (len < 1 || len > d - at)
            return node_error(n, "cannot split an axis of %lld so", (long long)d);
        int64_t start[IR_MAX_RANK] = {0}, end[IR_MAX_RANK], step[IR_MAX_RANK];
        for (uint32_t i = 0; i < in.rank; i++) {
            end[i] = in.dim[i];
            step[i] = 1;
        }
        start[axis] = at;
        end[axis] = at += len;
        if (out_inst(n, (size_t)k, emit_slice(n, x, start, end, step)))
            return -1;
    }
    return at == d ? 0 : node_error(n, "the parts do not cover the axis of %lld", (long long)d);
}
