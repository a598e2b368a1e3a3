// SPDX-License-Identifier: Apache-2.0
// Conv: any stride, padding, dilation and grouping. Three spatial axes become a grouped 2-D convolution: the slices of one output depth are
// the channels of one group, so the layer stays one linear map.

#include "load.h"
#include <string.h>

/* `copies` times the constant, as a named constant of the given shape (first axis multiplied). */
static const char *weight(struct node *n, const struct ctensor *c, struct shape s, int64_t copies)
{
    s.dim[0] *= copies;
    struct ctensor *v = const_new(n, DT(DOUBLE), &s);
    for (int64_t i = 0; v && i < v->numel; i++)
        v->f[i] = const_at(c, i % c->numel);
    return v ? emit_weight(n, c->name, &s, v->f) : NULL;
}

/* A convolution over one or two axes, with its weights and bias `copies` times. */
static struct ir_inst *conv(struct node *n, struct ir_inst *x, const struct ctensor *w, const struct shape *ws, const struct ctensor *b,
                            const struct window *win, int64_t groups, int64_t copies)
{
    if (!x)
        return NULL;
    struct shape out = inst_shape(x), bs = {1, {ws->dim[0]}};
    out.dim[1] = ws->dim[0] * copies;
    memcpy(out.dim + 2, win->out, win->n * sizeof win->out[0]);
    struct ir_inst *y = emit1(n, IR_TENSOR_conv, &out, x);
    const char *wn = y ? weight(n, w, *ws, copies) : NULL, *bn = wn && b ? weight(n, b, bs, copies) : NULL;
    if (!wn || (b && !bn))
        return NULL;
    struct ir_attr **a = ir_inst_attrs(y);
    ir_set_symbol(n->ld->mod, a, "weight", wn);
    if (b)
        ir_set_symbol(n->ld->mod, a, "bias", bn);
    emit_ints(n, y, "dilations", win->dilations, win->n);
    ir_set_int(n->ld->mod, a, "groups", groups * copies);
    emit_ints(n, y, "pads", win->pads, 2 * win->n);
    emit_ints(n, y, "strides", win->strides, win->n);
    return y;
}

/* [N,C,D,H,W]: pad and gather the depth into [N, C, OD x KD, H, W], bring OD to the front of the channels, convolve, move it back. */
static struct ir_inst *conv_3d(struct node *n, struct ir_inst *x, const struct ctensor *w, const struct ctensor *b, const struct window *win,
                               int64_t groups)
{
    struct shape s = inst_shape(x);
    int64_t N = s.dim[0], C = s.dim[1], H = s.dim[3], W = s.dim[4], OD = win->out[0], KD = win->kernel[0], cout = w->s.dim[0];
    int64_t pads[10] = {0, 0, win->pads[0], 0, 0, 0, 0, win->pads[3], 0, 0};
    if (!(x = emit_pad(n, x, pads, 0)))
        return NULL;
    struct shape wide = {5, {N, C, OD * KD, H, W}};
    if (shape_check(n, &wide))
        return NULL;
    int64_t *index = index_array(n, OD * KD);
    for (int64_t i = 0; index && i < OD * KD; i++)
        index[i] = i / KD * win->strides[0] + i % KD * win->dilations[0];
    struct shape parts = {6, {N, C, OD, KD, H, W}}, flat = {4, {N, OD * C * KD, H, W}};
    struct shape ws = {4, {cout, w->s.dim[1] * KD, w->s.dim[3], w->s.dim[4]}};
    const int64_t perm[6] = {0, 2, 1, 3, 4, 5}, back[5] = {0, 2, 1, 3, 4};
    struct window plane = {.n = 2};
    for (int k = 0; k < 2; k++) {
        plane.kernel[k] = win->kernel[k + 1];
        plane.strides[k] = win->strides[k + 1];
        plane.dilations[k] = win->dilations[k + 1];
        plane.pads[k] = win->pads[k + 1];
        plane.pads[k + 2] = win->pads[k + 4];
        plane.out[k] = win->out[k + 1];
    }
    x = index ? emit_reshape(n, emit_gather(n, x, 2, index, OD * KD), &parts) : NULL;
    x = x ? emit_reshape(n, emit_transpose(n, x, perm), &flat) : NULL;
    struct shape out = {5, {N, OD, cout, win->out[1], win->out[2]}};
    x = conv(n, x, w, &ws, b, &plane, groups, OD);
    return x ? emit_transpose(n, emit_reshape(n, x, &out), back) : NULL;
}

static struct ir_inst *any_conv(struct node *n, struct ir_inst *x, const struct ctensor *w, const struct ctensor *b,
                                const struct window *win, int64_t groups)
{
    return win->n == 3 ? conv_3d(n, x, w, b, win, groups) : conv(n, x, w, &w->s, b, win, groups, 1);
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
    return out_inst(n, 0, any_conv(n, x, w, b, &win, groups));
}

/* Geometry of ConvTranspose: `win` becomes the equivalent convolution of stride 1 over the input spread by `spread` cells and padded by
 * win->pads, which may be negative. */
static int transposed_window(struct node *n, const struct shape *s, const struct ctensor *w, struct window *win, int64_t *spread)
{
    struct ints strides = attr_ints(n, "strides"), dil = attr_ints(n, "dilations"), pads = attr_ints(n, "pads");
    struct ints more = attr_ints(n, "output_padding"), want = attr_ints(n, "output_shape"), kernel = attr_ints(n, "kernel_shape");
    uint32_t k = s->rank - 2;
    *win = (struct window){.n = k};
    if ((strides.present && strides.n != k) || (dil.present && dil.n != k) || (pads.present && pads.n != 2 * k) ||
        (more.present && more.n != k) || (want.present && want.n != k) || (kernel.present && kernel.n != k))
        return node_error(n, "strides, dilations, pads or shapes do not fit an input of %u spatial axes", k);
    const char *autopad = attr_str(n, "auto_pad", "NOTSET");
    bool upper = !strcmp(autopad, "SAME_UPPER"), same = upper || !strcmp(autopad, "SAME_LOWER");
    for (uint32_t i = 0; i < k; i++) {
        int64_t d = s->dim[i + 2], st = strides.present ? strides.v[i] : 1, l = dil.present ? dil.v[i] : 1, kk = w->s.dim[i + 2];
        int64_t op = more.present ? more.v[i] : 0, most = 1 << 20;
        if (st < 1 || l < 1 || kk < 1 || op < 0 || st > most || l > most || kk > most || op > most || d > most ||
            (kernel.present && kernel.v[i] != kk))
            return node_error(n, "stride %lld, dilation %lld, kernel %lld or output padding %lld out of range", (long long)st, (long long)l,
                              (long long)kk, (long long)op);
        int64_t reach = (kk - 1) * l, full = (d - 1) * st + op + reach + 1, lo = 0, hi = 0;
        if (same || want.present) {
            int64_t out = want.present ? want.v[i] : d * st;
            if (out < 1 || out > full + most)
                return node_error(n, "output shape %lld", (long long)out);
            int64_t total = full - out;
            lo = total < 0 ? 0 : upper ? total / 2 : total - total / 2;     // what is missing is added at the end
            hi = total - lo;
        } else if (pads.present) {
            lo = pads.v[i];
            hi = pads.v[i + k];
        }
        if (lo < -most || hi < -most || lo > most || hi > most || full - lo - hi < 1)
            return node_error(n, "padding %lld, %lld", (long long)lo, (long long)hi);
        spread[i] = st;
        win->kernel[i] = kk;
        win->strides[i] = 1;
        win->dilations[i] = l;
        win->pads[i] = reach - lo;
        win->pads[i + k] = reach - hi + op;
        win->out[i] = full - lo - hi;
    }
    return 0;
}

/* Zeros between the cells of each spatial axis, then padding (cropping where negative). */
static struct ir_inst *spread_out(struct node *n, struct ir_inst *x, const int64_t *spread, const struct window *win)
{
    struct shape s = inst_shape(x), split = {2 + 2 * win->n, {s.dim[0], s.dim[1]}}, joined = s;
    int64_t gaps[2 * IR_MAX_RANK] = {0}, pads[2 * IR_MAX_RANK] = {0};
    for (uint32_t i = 0; i < win->n; i++) {
        split.dim[2 + 2 * i] = s.dim[2 + i];
        split.dim[3 + 2 * i] = 1;
        gaps[split.rank + 3 + 2 * i] = spread[i] - 1;
        joined.dim[2 + i] = s.dim[2 + i] * spread[i];
        pads[2 + i] = win->pads[i];
        pads[2 + i + s.rank] = win->pads[i + win->n] - (spread[i] - 1);     // the last gap is no gap
    }
    x = emit_pad(n, emit_reshape(n, x, &split), gaps, 0);
    return x ? emit_pad(n, emit_reshape(n, x, &joined), pads, 0) : NULL;
}

int op_convtranspose(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *w, *b = NULL;
    struct window win;
    int64_t spread[IR_MAX_RANK];
    if (in_need_inst(n, 0, &x) || in_need_const(n, 1, "the weights", &w) || (in_has(n, 2) && in_need_const(n, 2, "the bias", &b)))
        return -1;
    struct shape s = inst_shape(x);
    int64_t groups = attr_int(n, "group", 1);
    if (s.rank != w->s.rank || s.rank < 3 || s.rank > 5 || s.dim[1] != w->s.dim[0] || groups < 1 || s.dim[1] % groups)
        return node_error(n, "input %s, weights %s and %lld groups do not fit", shape_print(n->ld->arena, &s),
                          shape_print(n->ld->arena, &w->s), (long long)groups);
    if (shape_check(n, &w->s) || transposed_window(n, &s, w, &win, spread))
        return -1;
    int64_t og = w->s.dim[1], cg = s.dim[1] / groups, cells = 1;
    for (uint32_t i = 0; i < win.n; i++)
        cells *= win.kernel[i];
    if (b && b->numel != og * groups)
        return node_error(n, "a bias of %lld elements for %lld channels", (long long)b->numel, (long long)(og * groups));
    struct shape fs = w->s;
    fs.dim[0] = og * groups;
    fs.dim[1] = cg;
    struct ctensor *f = const_new(n, DT(DOUBLE), &fs);          // channels swapped within a group, kernel reversed
    if (!f)
        return -1;
    f->name = w->name;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t o = 0; o < og; o++)
            for (int64_t c = 0; c < cg; c++)
                for (int64_t k = 0; k < cells; k++)
                    f->f[((g * og + o) * cg + c) * cells + k] = const_at(w, ((g * cg + c) * og + o) * cells + cells - 1 - k);
    if (!(x = spread_out(n, x, spread, &win)))
        return -1;
    memset(win.pads, 0, sizeof win.pads);
    return out_inst(n, 0, any_conv(n, x, f, b, &win, groups));
}
