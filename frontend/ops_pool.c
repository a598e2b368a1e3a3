// SPDX-License-Identifier: Apache-2.0
// AveragePool, MaxPool and their global forms. ceil_mode becomes a larger end padding whose cells are never counted.

#include "load.h"
#include <string.h>

/* A pooling instruction over a window of one or two axes; pads are those of `w` plus the cells of ceil_mode. */
static struct ir_inst *pool_2d(struct node *n, enum ir_op op, struct ir_inst *x, const struct window *w, int64_t counted)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x);
    memcpy(s.dim + 2, w->out, w->n * sizeof w->out[0]);
    int64_t pads[2 * IR_MAX_RANK];
    for (uint32_t i = 0; i < w->n; i++) {
        pads[i] = w->pads[i];
        pads[i + w->n] = w->pads[i + w->n] + w->extra[i];
        if (pads[i] >= w->kernel[i] || pads[i + w->n] >= w->kernel[i] + w->strides[i]) {
            node_error(n, "padding as large as the window");
            return NULL;
        }
    }
    struct ir_inst *y = emit1(n, op, &s, x);
    emit_ints(n, y, "kernel", w->kernel, w->n);
    emit_ints(n, y, "pads", pads, 2 * w->n);
    emit_ints(n, y, "strides", w->strides, w->n);
    if (y && op == IR_TENSOR_avgpool)
        ir_set_int(n->ld->mod, ir_inst_attrs(y), "count_include_pad", counted);
    return y;
}

/* Axis k of a window as axis `to` of another. */
static void window_axis(struct window *v, uint32_t to, const struct window *w, uint32_t k)
{
    v->kernel[to] = w->kernel[k];
    v->strides[to] = w->strides[k];
    v->pads[to] = w->pads[k];
    v->pads[to + v->n] = w->pads[k + w->n];
    v->extra[to] = w->extra[k];
    v->out[to] = w->out[k];
}

/* Three axes are separable (windows are boxes, and so are their parts inside the input): the last two with the depth among the channels,
 * then the depth with the last two as one axis. */
static struct ir_inst *pool(struct node *n, enum ir_op op, struct ir_inst *x, const struct window *w, int64_t counted)
{
    if (w->n < 3)
        return pool_2d(n, op, x, w, counted);
    struct shape s = inst_shape(x);
    struct shape planes = {4, {s.dim[0], s.dim[1] * s.dim[2], s.dim[3], s.dim[4]}};
    struct shape lines = {4, {s.dim[0], s.dim[1], s.dim[2], w->out[1] * w->out[2]}};
    struct shape out = {5, {s.dim[0], s.dim[1], w->out[0], w->out[1], w->out[2]}};
    struct window plane = {.n = 2}, line = {.n = 2, .kernel = {1, 1}, .strides = {1, 1}, .out = {1, lines.dim[3]}};
    window_axis(&plane, 0, w, 1);
    window_axis(&plane, 1, w, 2);
    window_axis(&line, 0, w, 0);
    x = pool_2d(n, op, emit_reshape(n, x, &planes), &plane, counted);
    return emit_reshape(n, pool_2d(n, op, emit_reshape(n, x, &lines), &line, counted), &out);
}

static int window(struct node *n, struct ir_inst **x, struct window *w)
{
    if (in_need_inst(n, 0, x))
        return -1;
    struct shape s = inst_shape(*x);
    struct ints k = attr_ints(n, "kernel_shape");
    if (s.rank < 3 || k.n != s.rank - 2)
        return node_error(n, "kernel_shape does not fit the input %s", shape_print(n->ld->arena, &s));
    if (shape_window(n, &s, k.v, w))
        return -1;
    for (uint32_t i = 0; i < w->n; i++)
        if (w->dilations[i] != 1)
            return node_error(n, "dilated pooling is not supported");
    return 0;
}

int op_averagepool(struct node *n)
{
    struct ir_inst *x;
    struct window w;
    if (window(n, &x, &w))
        return -1;
    int64_t counted = attr_int(n, "count_include_pad", 0) != 0, beyond = 0;
    for (uint32_t i = 0; i < w.n; i++)
        beyond |= w.extra[i];
    if (counted && beyond) {
        /* padding counts, the cells of ceil_mode do not: pad first, then let the pool leave out what lies beyond */
        struct shape s = inst_shape(x);
        int64_t pads[2 * IR_MAX_RANK] = {0};
        for (uint32_t i = 0; i < w.n; i++) {
            pads[i + 2] = w.pads[i];
            pads[i + 2 + s.rank] = w.pads[i + w.n];
            w.pads[i] = w.pads[i + w.n] = 0;
        }
        if (!(x = emit_pad(n, x, pads, 0)))
            return -1;
        counted = 0;
    }
    return out_inst(n, 0, pool(n, IR_TENSOR_avgpool, x, &w, counted));
}

int op_maxpool(struct node *n)
{
    struct ir_inst *x;
    struct window w;
    return window(n, &x, &w) ? -1 : out_inst(n, 0, pool(n, IR_TENSOR_maxpool, x, &w, 0));
}

int op_globalaveragepool(struct node *n)
{
    struct ir_inst *x;
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape s = inst_shape(x), out = s;
    int64_t axes[IR_MAX_RANK];
    if (s.rank < 3)
        return node_error(n, "input %s has no spatial axes", shape_print(n->ld->arena, &s));
    for (uint32_t i = 2; i < s.rank; i++) {
        axes[i - 2] = i;
        out.dim[i] = 1;
    }
    struct ir_inst *y = emit1(n, IR_TENSOR_reduce, &out, x);
    if (!y)
        return -1;
    emit_ints(n, y, "axes", axes, s.rank - 2);
    ir_set_int(n->ld->mod, ir_inst_attrs(y), "keepdims", 1);
    ir_set_string(n->ld->mod, ir_inst_attrs(y), "mode", "mean");
    return out_inst(n, 0, y);
}

int op_globalmaxpool(struct node *n)
{
    struct ir_inst *x;
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape s = inst_shape(x);
    if (s.rank < 3 || s.rank > 5)
        return node_error(n, "input %s; 1 to 3 spatial axes are supported", shape_print(n->ld->arena, &s));
    struct window w = {.n = s.rank - 2};
    for (uint32_t i = 0; i < w.n; i++) {
        w.kernel[i] = s.dim[i + 2];
        w.strides[i] = w.out[i] = 1;
    }
    return out_inst(n, 0, pool(n, IR_TENSOR_maxpool, x, &w, 0));
}
