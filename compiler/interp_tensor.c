// SPDX-License-Identifier: Apache-2.0
// tensor operations by their definitions, over all samples of a run. Operations that move elements or broadcast work out their index maps once
// and apply them to every sample.
#include "act.h"
#include "diag.h"
#include "interp.h"
#include <math.h>
#include <string.h>

static int64_t attr_int_at(const struct ir_inst *i, const char *key, size_t k, int64_t def)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    return a && a->kind == IR_INTS && k < a->ints.n ? a->ints.v[k] : def;
}

static void pool_sample(const struct interp_window *w, const struct ir_inst *i, const double *x, double *out)
{
    bool max = i->op == IR_TENSOR_maxpool, include = ir_get_int(i->attrs, "count_include_pad", 0) != 0;
    int64_t maps = i->type.dim[0] * i->type.dim[1], plane = w->in[0] * w->in[1];
    for (int64_t c = 0; c < maps; c++, x += plane)
        for (int64_t oy = 0; oy < w->out[0]; oy++)
            for (int64_t ox = 0; ox < w->out[1]; ox++) {
                double sum = 0, top = -INFINITY;
                int64_t count = 0;
                for (int64_t ky = 0; ky < w->kernel[0]; ky++)
                    for (int64_t kx = 0; kx < w->kernel[1]; kx++) {
                        int64_t y = oy * w->stride[0] - w->pad[0] + ky, z = ox * w->stride[1] - w->pad[1] + kx;
                        bool real = y >= 0 && y < w->in[0] && z >= 0 && z < w->in[1];
                        bool padded = y < w->in[0] + w->pad_end[0] && z < w->in[1] + w->pad_end[1];
                        count += include ? padded : real;
                        if (!real) continue;
                        sum += x[y * w->in[1] + z];
                        top = fmax(top, x[y * w->in[1] + z]);
                    }
                *out++ = max ? top : sum / (double)(count ? count : 1);
            }
}

static void pool(struct interp *in, const struct ir_inst *i, double *out)
{
    struct interp_window w = interp_window(i, NULL);
    const double *x = interp_arg(in, i, 0);
    int64_t nx = ir_type_numel(&i->args[0]->type), ny = ir_type_numel(&i->type);
#pragma omp parallel for if (in->rows > 1)
    for (int64_t r = 0; r < in->rows; r++) pool_sample(&w, i, x + r * nx, out + r * ny);
}

static void gemm(struct interp *in, const struct ir_inst *i, double *out)
{
    enum { SIDE = 8 };                  // outputs side by side: independent sums
    const struct ir_const *wc = ir_const_find(in->m, ir_get_string(i->attrs, "weight", ""));
    ICE_IF(!wc, "gemm without weight");
    const double *w = interp_const(in, i, "weight"), *bias = interp_const(in, i, "bias"), *x = interp_arg(in, i, 0);
    int64_t no = wc->dim[0], ni = wc->dim[1], rows = in->rows * ir_type_numel(&i->type) / no;
#pragma omp parallel for if (rows > 1)
    for (int64_t r = 0; r < rows; r++)
        for (int64_t o = 0; o < no; o += SIDE) {
            int64_t n = no - o < SIDE ? no - o : SIDE;
            double s[SIDE] = {0};
            const double *row[SIDE];
            for (int64_t j = 0; j < SIDE; j++) {
                row[j] = w + (o + (j < n ? j : 0)) * ni;
                s[j] = bias && j < n ? bias[o + j] : 0;
            }
            for (int64_t k = 0; k < ni; k++)
                for (int j = 0; j < SIDE; j++) s[j] += row[j][k] * x[r * ni + k];
            memcpy(out + r * no + o, s, (size_t)n * sizeof *s);
        }
}

// A walk over all indices of a shape; step() moves to the next one in row-major order.
struct walk {
    uint32_t rank;
    int64_t dim[IR_MAX_RANK], at[IR_MAX_RANK];
};
static struct walk walk_of(const struct ir_type *t)
{
    struct walk w = {.rank = t->rank};
    memcpy(w.dim, t->dim, sizeof w.dim);
    return w;
}
static void step(struct walk *w)
{
    for (uint32_t d = w->rank; d-- > 0;) {
        if (++w->at[d] < w->dim[d]) return;
        w->at[d] = 0;
    }
}
static int64_t flat(uint32_t rank, const int64_t *dim, const int64_t *at)
{
    int64_t k = 0;
    for (uint32_t d = 0; d < rank; d++) k = k * dim[d] + at[d];
    return k;
}
// Index into a tensor of shape (rank, dim) broadcast to the walked shape.
static int64_t spread(const struct walk *w, uint32_t rank, const int64_t *dim)
{
    int64_t k = 0;
    for (uint32_t d = 0; d < rank; d++) k = k * dim[d] + (dim[d] == 1 ? 0 : w->at[w->rank - rank + d]);
    return k;
}

static double combine(enum ir_op op, double a, double b)
{
    switch (op) {
    case IR_TENSOR_add:
    case IR_TENSOR_addc: return a + b;
    case IR_TENSOR_sub: return a - b;
    default: return a * b;
    }
}

/* Where the elements of a type read an operand of shape (rank, dim) broadcast to it: step k, or map[k] if there is a map. */
struct reads {
    int64_t step;
    const int64_t *map;
};

static struct reads broadcast(struct interp *in, const struct ir_type *t, uint32_t rank, const int64_t *dim)
{
    int64_t numel = 1, n = ir_type_numel(t);
    for (uint32_t d = 0; d < rank; d++) numel *= dim[d];
    if (numel == n || numel == 1) return (struct reads){numel == n, NULL};
    int64_t *map = ARENA_ARRAY(in->arena, int64_t, n);
    struct walk w = walk_of(t);
    for (int64_t k = 0; k < n; k++, step(&w)) map[k] = spread(&w, rank, dim);
    return (struct reads){0, map};
}

static void binary(struct interp *in, const struct ir_inst *i, double *out)
{
    const struct ir_type *ta = &i->args[0]->type, *tb = i->nargs > 1 ? &i->args[1]->type : NULL;
    const struct ir_const *c = tb ? NULL : ir_const_find(in->m, ir_get_string(i->attrs, "value", ""));
    const double *a = interp_arg(in, i, 0), *b = tb ? interp_arg(in, i, 1) : interp_const(in, i, "value");
    struct reads ra = broadcast(in, &i->type, ta->rank, ta->dim);
    struct reads rb = tb ? broadcast(in, &i->type, tb->rank, tb->dim) : broadcast(in, &i->type, c->rank, c->dim);
    int64_t n = ir_type_numel(&i->type), na = ir_type_numel(ta), nb = tb ? ir_type_numel(tb) : 0;
#pragma omp parallel for if (in->rows > 1)
    for (int64_t r = 0; r < in->rows; r++)
        for (int64_t k = 0; k < n; k++)
            out[r * n + k] = combine(i->op, a[r * na + (ra.map ? ra.map[k] : ra.step * k)], b[r * nb + (rb.map ? rb.map[k] : rb.step * k)]);
}

static int64_t axis_of(int64_t a, uint32_t rank)
{
    return a < 0 ? a + rank : a;
}

static void reduce(struct interp *in, const struct ir_inst *i, double *out)
{
    const struct ir_type *t = &i->args[0]->type;
    const struct ir_attr *axes = ir_attr_find(i->attrs, "axes");
    bool gone[IR_MAX_RANK] = {false};
    for (uint32_t d = 0; d < t->rank; d++) gone[d] = !axes;
    for (size_t k = 0; axes && k < axes->ints.n; k++) gone[axis_of(axes->ints.v[k], t->rank)] = true;
    const double *x = interp_arg(in, i, 0);
    int64_t n = ir_type_numel(t), left = ir_type_numel(&i->type), *to = ARENA_ARRAY(in->arena, int64_t, n);
    struct walk w = walk_of(t);
    for (int64_t k = 0; k < n; k++, step(&w))
        for (uint32_t d = 0; d < t->rank; d++)
            if (!gone[d]) to[k] = to[k] * t->dim[d] + w.at[d];
    bool mean = !strcmp(ir_get_string(i->attrs, "mode", "mean"), "mean");
#pragma omp parallel for if (in->rows > 1)
    for (int64_t r = 0; r < in->rows; r++) {
        double *y = out + r * left;
        for (int64_t k = 0; k < n; k++) y[to[k]] += x[r * n + k];
        for (int64_t k = 0; mean && k < left; k++) y[k] *= (double)left / (double)n;
    }
}

// transpose, slice, pad, gather: each output element is one input element or a fill value.
static void move(struct interp *in, const struct ir_inst *i, double *out)
{
    const struct ir_type *t = &i->args[0]->type;
    const double *x = interp_arg(in, i, 0);
    const struct ir_attr *axes = ir_attr_find(i->attrs, "axes"), *starts = ir_attr_find(i->attrs, "starts");
    const double *index = i->op == IR_TENSOR_gather ? interp_const(in, i, "indices") : NULL;
    int64_t axis = axis_of(ir_get_int(i->attrs, "axis", 0), t->rank);
    int64_t n = ir_type_numel(&i->type), nx = ir_type_numel(t), *from = ARENA_ARRAY(in->arena, int64_t, n);
    double value = ir_get_float(i->attrs, "value", 0);
    struct walk w = walk_of(&i->type);
    for (int64_t k = 0; k < n; k++, step(&w)) {
        int64_t at[IR_MAX_RANK];
        bool real = true;
        memcpy(at, w.at, sizeof at);
        switch (i->op) {
        case IR_TENSOR_transpose:
            for (uint32_t d = 0; d < t->rank; d++) at[attr_int_at(i, "perm", d, t->rank - 1 - d)] = w.at[d];
            break;
        case IR_TENSOR_slice:
            for (size_t s = 0; s < starts->ints.n; s++) {
                int64_t d = axis_of(axes ? axes->ints.v[s] : (int64_t)s, t->rank), first = starts->ints.v[s];
                int64_t stride = attr_int_at(i, "steps", s, 1);
                if (first < 0) first += t->dim[d];
                first = first < 0 ? 0 : first > t->dim[d] - (stride < 0) ? t->dim[d] - (stride < 0) : first;
                at[d] = first + w.at[d] * stride;
            }
            break;
        case IR_TENSOR_pad:
            for (uint32_t d = 0; d < t->rank; d++) {
                at[d] -= attr_int_at(i, "pads", d, 0);
                real = real && at[d] >= 0 && at[d] < t->dim[d];
            }
            break;
        default:
            at[axis] = (int64_t)index[w.at[axis]];
            if (at[axis] < 0) at[axis] += t->dim[axis];
        }
        from[k] = real ? flat(t->rank, t->dim, at) : -1;
    }
#pragma omp parallel for if (in->rows > 1)
    for (int64_t r = 0; r < in->rows; r++)
        for (int64_t k = 0; k < n; k++) out[r * n + k] = from[k] < 0 ? value : x[r * nx + from[k]];
}

static void concat(struct interp *in, const struct ir_inst *i, double *out)
{
    int64_t axis = axis_of(ir_get_int(i->attrs, "axis", 0), i->type.rank), inner = 1, outer, before = 0;
    outer = in->rows;
    for (uint32_t d = 0; d < i->type.rank; d++)
        if (d < axis)
            outer *= i->type.dim[d];
        else
            inner *= i->type.dim[d];
    for (uint32_t a = 0; a < i->nargs; a++) {
        int64_t part = in->rows * ir_type_numel(&i->args[a]->type) / outer;
        const double *x = interp_arg(in, i, a);
        for (int64_t o = 0; o < outer; o++) memcpy(out + o * inner + before, x + o * part, (size_t)part * sizeof *x);
        before += part;
    }
}

void interp_tensor(struct interp *in, const struct ir_inst *i, double *out)
{
    int64_t numel = ir_type_numel(&i->type), n = in->rows * numel;
    const double *x = i->nargs ? interp_arg(in, i, 0) : NULL;
    switch (i->op) {
    case IR_TENSOR_conv: interp_conv(in, i, out); break;
    case IR_TENSOR_gemm: gemm(in, i, out); break;
    case IR_TENSOR_avgpool:
    case IR_TENSOR_maxpool: pool(in, i, out); break;
    case IR_TENSOR_reduce: reduce(in, i, out); break;
    case IR_TENSOR_reshape: memcpy(out, x, (size_t)n * sizeof *x); break;
    case IR_TENSOR_transpose:
    case IR_TENSOR_slice:
    case IR_TENSOR_pad:
    case IR_TENSOR_gather: move(in, i, out); break;
    case IR_TENSOR_concat: concat(in, i, out); break;
    case IR_TENSOR_add:
    case IR_TENSOR_sub:
    case IR_TENSOR_mul:
    case IR_TENSOR_addc:
    case IR_TENSOR_mulc: binary(in, i, out); break;
    case IR_TENSOR_batchnorm: {
        const double *scale = interp_const(in, i, "scale"), *shift = interp_const(in, i, "shift");
        int64_t c = i->type.dim[1], inner = numel / (i->type.dim[0] * c);
#pragma omp parallel for if (in->rows > 1)
        for (int64_t k = 0; k < n; k++) out[k] = x[k] * scale[k / inner % c] + shift[k / inner % c];
        break;
    }
    case IR_TENSOR_pow: {
        int64_t e = ir_get_int(i->attrs, "exponent", 1);
#pragma omp parallel for if (in->rows > 1)
        for (int64_t k = 0; k < n; k++) {
            double y = 1;
            for (int64_t j = 0; j < e; j++) y *= x[k];
            out[k] = y;
        }
        break;
    }
    case IR_TENSOR_act: {
        act_fn fn = act_find(ir_get_string(i->attrs, "fn", ""));
        ICE_IF(!fn, "no function '%s'", ir_get_string(i->attrs, "fn", ""));
#pragma omp parallel for if (in->rows > 1)
        for (int64_t k = 0; k < n; k++) out[k] = fn(x[k], i->attrs);
        break;
    }
    case IR_TENSOR_poly: {
        const double *c = interp_const(in, i, "coeffs");
        int64_t terms = ir_const_numel(ir_const_find(in->m, ir_get_string(i->attrs, "coeffs", "")));
        double mid = ir_get_float(i->attrs, "mid", 0), half = ir_get_float(i->attrs, "half", 1);
        interp_chebyshev(out, c, terms, x, n, mid, half);
        break;
    }
    case IR_TENSOR_affine: {
        struct ir_csr a = ir_csr_find(in->m, ir_get_string(i->attrs, "mat", ""));
        const double *bias = interp_const(in, i, "bias");
        for (int64_t r = 0; bias && r < in->rows; r++) memcpy(out + r * numel, bias, (size_t)numel * sizeof *out);
        interp_csr(out, &a, x, in->rows);
        break;
    }
    default: ICE("no interpreter for %s", ir_op_name(i->op));
    }
}
