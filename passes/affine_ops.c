// SPDX-License-Identifier: Apache-2.0
// The sparse matrix of every linear operator of the tensor dialect. Each row is emitted with ascending columns wherever the
// operator allows, so that building costs one pass over the entries; windows of a convolution that lose the same taps to the padding are the same row, moved.
#include "affine.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

enum { MAX_SPATIAL = 3 };

static double *doubles(struct arena *a, const struct ir_const *c)
{
    int64_t n = ir_const_numel(c);
    double *v = ARENA_ARRAY(a, double, n > 0 ? n : 1);
    for (int64_t i = 0; i < n; i++) v[i] = ir_const_at(c, i);
    return v;
}

static const struct ir_const *optional_const(const struct ir_module *m, const struct ir_inst *i, const char *key)
{
    return ir_attr_find(i->attrs, key) ? util_const(m, i, key) : NULL;
}

/* An integer list attribute of n values, or `def` repeated when absent. */
static void int_list(const struct ir_inst *i, const char *key, int64_t def, int64_t *out, size_t n)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    ICE_IF(a && (a->kind != IR_INTS || a->ints.n != n), "%s: attribute %s", ir_op_name(i->op), key);
    for (size_t k = 0; k < n; k++) out[k] = a ? a->ints.v[k] : def;
}

/* Row-major strides of a tensor's axes. */
static void axis_strides(const struct ir_type *t, int64_t *stride)
{
    int64_t s = 1;
    for (uint32_t d = t->rank; d-- > 0;) {
        stride[d] = s;
        s *= t->dim[d];
    }
}

/* Geometry of a sliding window, padded to three spatial axes with leading ones. */
struct window {
    int64_t in[MAX_SPATIAL], out[MAX_SPATIAL], kernel[MAX_SPATIAL], stride[MAX_SPATIAL], dilation[MAX_SPATIAL];
    int64_t pad_lo[MAX_SPATIAL], pad_hi[MAX_SPATIAL];
};

static void window_of(struct window *w, const struct ir_inst *i, const int64_t *kernel)
{
    const struct ir_type *in = &i->args[0]->type, *out = &i->type;
    uint32_t nd = out->rank - 2, lead = MAX_SPATIAL - nd;
    ICE_IF(out->rank < 3 || nd > MAX_SPATIAL || in->rank != out->rank, "%s of rank %u", ir_op_name(i->op), in->rank);
    int64_t strides[MAX_SPATIAL], dilations[MAX_SPATIAL], pads[2 * MAX_SPATIAL];
    int_list(i, "strides", 1, strides, nd);
    int_list(i, "dilations", 1, dilations, nd);
    int_list(i, "pads", 0, pads, 2 * nd);
    for (uint32_t d = 0; d < MAX_SPATIAL; d++) {
        w->in[d] = w->out[d] = w->kernel[d] = w->stride[d] = w->dilation[d] = 1;
        w->pad_lo[d] = w->pad_hi[d] = 0;
        if (d < lead) continue;
        uint32_t s = d - lead;
        w->in[d] = in->dim[2 + s];
        w->out[d] = out->dim[2 + s];
        w->kernel[d] = kernel[s];
        w->stride[d] = strides[s];
        w->dilation[d] = dilations[s];
        w->pad_lo[d] = pads[s];
        w->pad_hi[d] = pads[nd + s];
    }
}

static void keep_strides(struct affine *out, const struct ir_inst *i)
{
    out->nstrides = i->type.rank - 2;
    int_list(i, "strides", 1, out->stride, out->nstrides);
}

/* An elementwise operation: rows follow columns one to one. */
static void unit_strides(struct affine *out, const struct ir_inst *i)
{
    if (i->type.rank < 3) return;
    out->nstrides = i->type.rank - 2;
    for (uint32_t d = 0; d < out->nstrides; d++) out->stride[d] = 1;
}

/* Per output position of axis d: the first position whose window loses the same taps to the padding. */
static int64_t *same_taps(struct arena *a, const struct window *w, int d)
{
    int64_t *first = ARENA_ARRAY(a, int64_t, w->out[d] + 1);
    for (int64_t o = 0; o < w->out[d]; o++)
        for (first[o] = 0; first[o] < o; first[o]++) {
            bool same = true;
            for (int64_t k = 0; k < w->kernel[d] && same; k++) {
                int64_t p = o * w->stride[d] - w->pad_lo[d] + k * w->dilation[d], q = p - (o - first[o]) * w->stride[d];
                same = (p >= 0 && p < w->in[d]) == (q >= 0 && q < w->in[d]);
            }
            if (same) break;
        }
    return first;
}

/* The window of weights of output channel co at o, in all its input channels. */
static void put_window(struct sparse *b, const struct window *w, const double *k, int64_t channel, int64_t channels, const int64_t *o)
{
    int64_t plane = w->in[0] * w->in[1] * w->in[2];
    for (int64_t c = 0; c < channels; c++)
        for (int64_t kz = 0; kz < w->kernel[0]; kz++) {
            int64_t iz = o[0] * w->stride[0] - w->pad_lo[0] + kz * w->dilation[0];
            for (int64_t ky = 0; ky < w->kernel[1]; ky++) {
                int64_t iy = o[1] * w->stride[1] - w->pad_lo[1] + ky * w->dilation[1];
                for (int64_t kx = 0; kx < w->kernel[2]; kx++, k++) {
                    int64_t ix = o[2] * w->stride[2] - w->pad_lo[2] + kx * w->dilation[2];
                    if (iz < 0 || iz >= w->in[0] || iy < 0 || iy >= w->in[1] || ix < 0 || ix >= w->in[2]) continue;
                    sparse_put(b, (channel + c) * plane + (iz * w->in[1] + iy) * w->in[2] + ix, *k);
                }
            }
        }
}

static void conv(struct arena *a, const struct ir_module *m, const struct ir_inst *i, struct affine *out)
{
    const struct ir_const *wc = util_const(m, i, "weight"), *bc = optional_const(m, i, "bias");
    double *weight = doubles(a, wc), *bias = bc ? doubles(a, bc) : NULL;
    struct window w;
    window_of(&w, i, wc->dim + 2);
    int64_t cin = i->args[0]->type.dim[1], cout = i->type.dim[1], groups = ir_get_int(i->attrs, "groups", 1);
    int64_t cg = cin / groups, og = cout / groups;
    int64_t ksize = w.kernel[0] * w.kernel[1] * w.kernel[2], rows = cout * w.out[0] * w.out[1] * w.out[2];
    const int64_t *first[MAX_SPATIAL];
    for (int d = 0; d < MAX_SPATIAL; d++) first[d] = same_taps(a, &w, d);
    struct sparse b;
    sparse_begin(&b, a, rows, cin * w.in[0] * w.in[1] * w.in[2]);
    if (bias) out->bias = ARENA_ARRAY(a, double, rows);
    for (int64_t co = 0; co < cout; co++)
        for (int64_t z = 0; z < w.out[0]; z++)
            for (int64_t y = 0; y < w.out[1]; y++)
                for (int64_t x = 0; x < w.out[2]; x++) {
                    int64_t o[] = {z, y, x}, f[] = {first[0][z], first[1][y], first[2][x]};
                    if (bias) out->bias[b.row] = bias[co];
                    if (f[0] == z && f[1] == y && f[2] == x) {
                        put_window(&b, &w, weight + co * cg * ksize, co / og * cg, cg, o);
                        sparse_end_row(&b);
                        continue;
                    }
                    int64_t move = ((z - f[0]) * w.stride[0] * w.in[1] + (y - f[1]) * w.stride[1]) * w.in[2] + (x - f[2]) * w.stride[2];
                    sparse_same_row(&b, ((co * w.out[0] + f[0]) * w.out[1] + f[1]) * w.out[2] + f[2], move);
                }
    out->mat = sparse_finish(&b);
    arena_release(a, weight);
    keep_strides(out, i);
}

/* The map of one sample repeated for every entry of a first axis that is not 1 (inner tensors only: a program's own batch axis is 1). */
static void per_sample(struct arena *a, const struct ir_inst *i, struct affine *out)
{
    int64_t samples = i->type.dim[0], rows = out->mat.rows, cols = out->mat.cols;
    if (samples == 1) return;
    struct sparse b;
    sparse_begin(&b, a, samples * rows, samples * cols);
    for (int64_t s = 0; s < samples; s++)
        for (int64_t r = 0; r < rows; r++) {
            struct ir_row row = ir_csr_row(&out->mat, r);
            for (int64_t e = row.lo; e < row.hi; e++) sparse_put(&b, s * cols + ir_csr_col(&out->mat, row, e), out->mat.val[e]);
            sparse_end_row(&b);
        }
    out->mat = sparse_finish(&b);
    double *bias = out->bias ? ARENA_ARRAY(a, double, samples * rows) : NULL;
    for (int64_t r = 0; bias && r < samples * rows; r++) bias[r] = out->bias[r % rows];
    out->bias = bias;
    out->nstrides = 0;
}

static void avgpool(struct arena *a, const struct ir_inst *i, struct affine *out)
{
    int64_t kernel[MAX_SPATIAL], include = ir_get_int(i->attrs, "count_include_pad", 0);
    ICE_IF(i->type.rank < 3 || i->type.rank > 2 + MAX_SPATIAL, "pooling of rank %u", i->type.rank);
    int_list(i, "kernel", 1, kernel, i->type.rank - 2);
    struct window w;
    window_of(&w, i, kernel);
    int64_t c = i->type.dim[1], plane = w.in[0] * w.in[1] * w.in[2];
    struct sparse b;
    sparse_begin(&b, a, c * w.out[0] * w.out[1] * w.out[2], c * plane);
    for (int64_t ch = 0; ch < c; ch++)
        for (int64_t z = 0; z < w.out[0]; z++)
            for (int64_t y = 0; y < w.out[1]; y++)
                for (int64_t x = 0; x < w.out[2]; x++) {
                    int64_t lo = b.fill, o[MAX_SPATIAL] = {z, y, x}, counted = 1;
                    for (int d = 0; d < MAX_SPATIAL; d++) {
                        int64_t n = 0;
                        for (int64_t k = 0; k < w.kernel[d]; k++) {
                            int64_t p = o[d] * w.stride[d] - w.pad_lo[d] + k * w.dilation[d];
                            n += include ? p < w.in[d] + w.pad_hi[d] : p >= 0 && p < w.in[d];
                        }
                        counted *= n;
                    }
                    for (int64_t kz = 0; kz < w.kernel[0]; kz++)
                        for (int64_t ky = 0; ky < w.kernel[1]; ky++)
                            for (int64_t kx = 0; kx < w.kernel[2]; kx++) {
                                int64_t iz = z * w.stride[0] - w.pad_lo[0] + kz * w.dilation[0];
                                int64_t iy = y * w.stride[1] - w.pad_lo[1] + ky * w.dilation[1];
                                int64_t ix = x * w.stride[2] - w.pad_lo[2] + kx * w.dilation[2];
                                if (iz < 0 || iz >= w.in[0] || iy < 0 || iy >= w.in[1] || ix < 0 || ix >= w.in[2]) continue;
                                sparse_put(&b, ch * plane + (iz * w.in[1] + iy) * w.in[2] + ix, 1);
                            }
                    for (int64_t k = lo; k < b.fill; k++) b.val[k] = 1.0 / (double)counted;
                    sparse_end_row(&b);
                }
    out->mat = sparse_finish(&b);
    keep_strides(out, i);
}

static void gemm(struct arena *a, const struct ir_module *m, const struct ir_inst *i, struct affine *out)
{
    const struct ir_const *wc = util_const(m, i, "weight"), *bc = optional_const(m, i, "bias");
    double *bias = bc ? doubles(a, bc) : NULL;
    int64_t no = wc->dim[0], ni = wc->dim[1], batch = ir_type_numel(&i->args[0]->type) / ni;
    struct sparse b;
    sparse_begin(&b, a, batch * no, batch * ni);
    if (bias) out->bias = ARENA_ARRAY(a, double, batch * no);
    for (int64_t s = 0; s < batch; s++)
        for (int64_t o = 0; o < no; o++) {
            if (bias) out->bias[b.row] = bias[o];
            for (int64_t k = 0; k < ni; k++) sparse_put(&b, s * ni + k, ir_const_at(wc, o * ni + k));
            sparse_end_row(&b);
        }
    out->mat = sparse_finish(&b);
}

/* y[i] = scale[i] x[i] + shift[i]; factors by flat index. */
static struct ir_csr diagonal(struct arena *a, int64_t n, const double *factor)
{
    struct sparse b;
    sparse_begin(&b, a, n, n);
    for (int64_t k = 0; k < n; k++) {
        sparse_put(&b, k, factor[k]);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

static void batchnorm(struct arena *a, const struct ir_module *m, const struct ir_inst *i, struct affine *out)
{
    const struct ir_const *scale = util_const(m, i, "scale"), *shift = util_const(m, i, "shift");
    int64_t n = ir_type_numel(&i->type), c = i->type.dim[1], inner = n / (i->type.dim[0] * c);
    double *f = ARENA_ARRAY(a, double, n);
    out->bias = ARENA_ARRAY(a, double, n);
    for (int64_t k = 0; k < n; k++) {
        f[k] = ir_const_at(scale, k / inner % c);
        out->bias[k] = ir_const_at(shift, k / inner % c);
    }
    out->mat = diagonal(a, n, f);
    unit_strides(out, i);
}

struct ir_csr affine_broadcast(struct arena *a, const struct ir_type *from, const struct ir_type *to)
{
    int64_t n = ir_type_numel(to);
    struct sparse b;
    sparse_begin(&b, a, n, ir_type_numel(from));
    for (int64_t k = 0; k < n; k++) {
        sparse_put(&b, util_broadcast(to, from->rank, from->dim, k), 1);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

/* addc (bias) and mulc (factors) with numpy broadcasting of both sides. */
static void constant(struct arena *a, const struct ir_module *m, const struct ir_inst *i, struct affine *out)
{
    const struct ir_const *c = util_const(m, i, "value");
    int64_t n = ir_type_numel(&i->type);
    double *v = ARENA_ARRAY(a, double, n);
    for (int64_t k = 0; k < n; k++) v[k] = ir_const_at(c, util_broadcast(&i->type, c->rank, c->dim, k));
    struct ir_csr spread = affine_broadcast(a, &i->args[0]->type, &i->type);
    if (i->op == IR_TENSOR_addc) {
        out->bias = v;
        out->mat = spread;
    } else {
        struct ir_csr d = diagonal(a, n, v);
        out->mat = sparse_mul(a, &d, &spread);
    }
    if (ir_type_equal(&i->type, &i->args[0]->type)) unit_strides(out, i);
}

static void reduce(struct arena *a, const struct ir_inst *i, struct affine *out)
{
    const struct ir_type *t = &i->args[0]->type;
    const struct ir_attr *axes = ir_attr_find(i->attrs, "axes");
    bool gone[IR_MAX_RANK] = {false};
    for (uint32_t d = 0; d < t->rank; d++) gone[d] = axes == NULL;
    for (size_t k = 0; axes && k < axes->ints.n; k++)
        gone[axes->ints.v[k] < 0 ? axes->ints.v[k] + t->rank : axes->ints.v[k]] = true;
    int64_t n = ir_type_numel(t), rows = ir_type_numel(&i->type), each = n / rows, stride[IR_MAX_RANK];
    axis_strides(t, stride);
    double v = strcmp(ir_get_string(i->attrs, "mode", "mean"), "mean") == 0 ? 1.0 / (double)each : 1;
    struct sparse b;
    sparse_begin(&b, a, rows, n);
    int64_t at[IR_MAX_RANK] = {0};              // the kept axes
    for (int64_t r = 0; r < rows; r++) {
        int64_t rest = r, base = 0;
        for (uint32_t d = t->rank; d-- > 0;) {
            at[d] = gone[d] ? 0 : rest % t->dim[d];
            if (!gone[d]) rest /= t->dim[d];
            base += at[d] * stride[d];
        }
        for (int64_t k = 0; k < each; k++) {
            int64_t in = k, col = base;
            for (uint32_t d = t->rank; d-- > 0;)
                if (gone[d]) {
                    col += in % t->dim[d] * stride[d];
                    in /= t->dim[d];
                }
            sparse_put(&b, col, v);
        }
        sparse_end_row(&b);
    }
    out->mat = sparse_finish(&b);
}

/* Operators that move elements: row -> column, or -1 for padding. */
static int64_t moved_from(const struct ir_module *m, const struct ir_inst *i, uint32_t arg, int64_t row)
{
    const struct ir_type *in = &i->args[arg]->type, *out = &i->type;
    int64_t si[IR_MAX_RANK], so[IR_MAX_RANK], col = 0;
    axis_strides(in, si);
    axis_strides(out, so);
    const struct ir_attr *list;
    switch (i->op) {
    case IR_TENSOR_reshape: return row;
    case IR_TENSOR_transpose:
        list = ir_attr_find(i->attrs, "perm");
        for (uint32_t d = 0; d < out->rank; d++) {
            int64_t from = list ? list->ints.v[d] : out->rank - 1 - d;
            col += row / so[d] % out->dim[d] * si[from];
        }
        return col;
    case IR_TENSOR_slice: {
        const struct ir_attr *axes = ir_attr_find(i->attrs, "axes"), *starts = ir_attr_find(i->attrs, "starts");
        const struct ir_attr *steps = ir_attr_find(i->attrs, "steps");
        for (uint32_t d = 0; d < out->rank; d++) {
            int64_t start = 0, step = 1;
            for (size_t k = 0; k < starts->ints.n; k++) {
                int64_t ax = axes ? axes->ints.v[k] : (int64_t)k;
                if ((ax < 0 ? ax + out->rank : ax) != d) continue;
                step = steps ? steps->ints.v[k] : 1;
                start = starts->ints.v[k] < 0 ? starts->ints.v[k] + in->dim[d] : starts->ints.v[k];
                if (start < 0) start = 0;
                if (start > in->dim[d] - 1) start = in->dim[d] - 1;
            }
            col += (start + row / so[d] % out->dim[d] * step) * si[d];
        }
        return col;
    }
    case IR_TENSOR_pad:
        list = ir_attr_find(i->attrs, "pads");
        for (uint32_t d = 0; d < out->rank; d++) {
            int64_t at = row / so[d] % out->dim[d] - list->ints.v[d];
            if (at < 0 || at >= in->dim[d]) return -1;
            col += at * si[d];
        }
        return col;
    case IR_TENSOR_gather: {
        const struct ir_const *idx = util_const(m, i, "indices");
        int64_t axis = ir_get_int(i->attrs, "axis", 0);
        if (axis < 0) axis += in->rank;
        int64_t inner = si[axis], n = ir_const_numel(idx), rest = row / inner;
        int64_t at = (int64_t)ir_const_at(idx, rest % n);
        return (rest / n * in->dim[axis] + (at < 0 ? at + in->dim[axis] : at)) * inner + row % inner;
    }
    default: {                          // concat
        int64_t axis = ir_get_int(i->attrs, "axis", 0), before = 0;
        if (axis < 0) axis += out->rank;
        for (uint32_t k = 0; k < arg; k++) before += i->args[k]->type.dim[axis];
        int64_t at = row / so[axis] % out->dim[axis] - before;
        if (at < 0 || at >= in->dim[axis]) return -1;
        int64_t outer = row / (so[axis] * out->dim[axis]);
        return (outer * in->dim[axis] + at) * so[axis] + row % so[axis];
    }
    }
}

static void moved(struct arena *a, const struct ir_module *m, const struct ir_inst *i, uint32_t arg, struct affine *out)
{
    int64_t rows = ir_type_numel(&i->type);
    double fill = i->op == IR_TENSOR_pad ? ir_get_float(i->attrs, "value", 0) : 0;
    struct sparse b;
    sparse_begin(&b, a, rows, ir_type_numel(&i->args[arg]->type));
    if (fill != 0) out->bias = ARENA_ARRAY(a, double, rows);
    for (int64_t r = 0; r < rows; r++) {
        int64_t c = moved_from(m, i, arg, r);
        if (c >= 0) sparse_put(&b, c, 1);
        else if (fill != 0) out->bias[r] = fill;
        sparse_end_row(&b);
    }
    out->mat = sparse_finish(&b);
    const struct ir_type *in = &i->args[arg]->type;
    bool spatial = i->op == IR_TENSOR_pad || i->op == IR_TENSOR_concat || i->op == IR_TENSOR_slice;
    if (!spatial || i->type.rank < 3 || in->rank != i->type.rank) return;
    out->nstrides = i->type.rank - 2;
    for (uint32_t d = 0; d < out->nstrides; d++) out->stride[d] = 1;
    const struct ir_attr *axes = ir_attr_find(i->attrs, "axes"), *steps = ir_attr_find(i->attrs, "steps");
    for (size_t k = 0; i->op == IR_TENSOR_slice && steps && k < steps->ints.n; k++) {
        int64_t ax = axes ? axes->ints.v[k] : (int64_t)k;
        if (ax < 0) ax += i->type.rank;
        if (steps->ints.v[k] < 1) out->nstrides = 0;
        else if (ax >= 2) out->stride[ax - 2] = steps->ints.v[k];
    }
}

bool affine_of(struct arena *a, const struct ir_module *m, const struct ir_inst *i, uint32_t arg, struct affine *out)
{
    memset(out, 0, sizeof *out);
    switch (i->op) {
    case IR_TENSOR_conv: conv(a, m, i, out); per_sample(a, i, out); return true;
    case IR_TENSOR_gemm: gemm(a, m, i, out); return true;
    case IR_TENSOR_batchnorm: batchnorm(a, m, i, out); return true;
    case IR_TENSOR_avgpool: avgpool(a, i, out); per_sample(a, i, out); return true;
    case IR_TENSOR_reduce: reduce(a, i, out); return true;
    case IR_TENSOR_addc:
    case IR_TENSOR_mulc: constant(a, m, i, out); return true;
    case IR_TENSOR_reshape:
    case IR_TENSOR_transpose:
    case IR_TENSOR_slice:
    case IR_TENSOR_pad:
    case IR_TENSOR_gather:
    case IR_TENSOR_concat: moved(a, m, i, arg, out); return true;
    case IR_TENSOR_affine: {
        out->mat = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
        const struct ir_const *b = optional_const(m, i, "bias");
        if (b) out->bias = doubles(a, b);
        const struct ir_attr *s = ir_attr_find(i->attrs, "strides");
        if (s) out->nstrides = (uint32_t)s->ints.n;
        for (size_t k = 0; s && k < s->ints.n; k++) out->stride[k] = s->ints.v[k];
        return true;
    }
    default: return false;
    }
}

struct affine affine_compose(struct arena *a, const struct affine *outer, const struct affine *inner)
{
    struct affine c = {.mat = sparse_mul(a, &outer->mat, &inner->mat)};
    int64_t n = outer->mat.rows;
    if (outer->bias || inner->bias) {
        c.bias = ARENA_ARRAY(a, double, n);
        if (inner->bias) sparse_apply(c.bias, &outer->mat, inner->bias);
        for (int64_t i = 0; outer->bias && i < n; i++) c.bias[i] += outer->bias[i];
    }
    if (outer->nstrides == inner->nstrides) {
        c.nstrides = outer->nstrides;
        for (uint32_t d = 0; d < c.nstrides; d++) c.stride[d] = outer->stride[d] * inner->stride[d];
    }
    return c;
}

double affine_price(int64_t max_row, int64_t max_col)
{
    double d = (double)(max_row < max_col ? max_row : max_col);
    return 2 * sqrt(d) + 0.1 * d;
}
