// SPDX-License-Identifier: Apache-2.0
// Conv: any stride, padding, dilation and grouping.

#include "load.h"
#include <string.h>

static void doubles(struct node *n, const struct ctensor *c, double **v)
{
    *v = ARENA_ARRAY(n->ld->arena, double, c->numel ? c->numel : 1);
    for (int64_t i = 0; i < c->numel; i++)
        (*v)[i] = const_at(c, i);
}

int op_conv(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *w, *b = NULL;
    if (in_need_inst(n, 0, &x) || in_need_const(n, 1, "the weights", &w) || (in_has(n, 2) && in_need_const(n, 2, "the bias", &b)))
        return -1;
    struct shape s = inst_shape(x);
    struct window win;
    if (s.rank != w->s.rank || s.rank < 3)
        return node_error(n, "input %s and weights %s do not fit", shape_print(n->ld->arena, &s), shape_print(n->ld->arena, &w->s));
    if (s.rank > 4)
        return node_error(n, "a convolution over %u axes (input %s); 1 and 2 are supported", s.rank - 2, shape_print(n->ld->arena, &s));
    struct ints kernel = attr_ints(n, "kernel_shape");
    if (kernel.present && (kernel.n != s.rank - 2 || memcmp(kernel.v, w->s.dim + 2, kernel.n * sizeof *kernel.v)))
        return node_error(n, "kernel_shape differs from the weights %s", shape_print(n->ld->arena, &w->s));
    int64_t groups = attr_int(n, "group", 1), out_c = w->s.dim[0];
    if (shape_check(n, &w->s) || shape_window(n, &s, w->s.dim + 2, &win))
        return -1;
    if (groups < 1 || groups > out_c || out_c % groups || s.dim[1] % groups || w->s.dim[1] != s.dim[1] / groups)
        return node_error(n, "%lld groups do not fit input %s and weights %s", (long long)groups, shape_print(n->ld->arena, &s),
                          shape_print(n->ld->arena, &w->s));
    if (b && b->numel != out_c)
        return node_error(n, "a bias of %lld elements for %lld channels", (long long)b->numel, (long long)out_c);
    struct shape out = s;
    out.dim[1] = out_c;
    memcpy(out.dim + 2, win.out, win.n * sizeof win.out[0]);
    struct ir_inst *y = emit1(n, IR_TENSOR_conv, &out, x);
    if (!y)
        return -1;
    double *v;
    doubles(n, w, &v);
    const char *name = emit_weight(n, w->name, &w->s, v);
    if (!name)
        return -1;
    struct ir_attr **a = ir_inst_attrs(y);
    ir_set_symbol(n->ld->mod, a, "weight", name);
    if (b) {
        struct shape bs = {.rank = 1, .dim = {out_c}};
        doubles(n, b, &v);
        if (!(name = emit_weight(n, b->name, &bs, v)))
            return -1;
        ir_set_symbol(n->ld->mod, a, "bias", name);
    }
    emit_ints(n, y, "dilations", win.dilations, win.n);
    ir_set_int(n->ld->mod, a, "groups", groups);
    emit_ints(n, y, "pads", win.pads, 2 * win.n);
    emit_ints(n, y, "strides", win.strides, win.n);
    return out_inst(n, 0, y);
}
