// SPDX-License-Identifier: Apache-2.0
// Gemm, MatMul, BatchNormalization, reductions. Every product has one constant side and becomes y = x W^T + b with W stored [out, in].

#include "load.h"
#include <math.h>
#include <string.h>

/* x [..., in] times the constant matrix whose entry (k, j) is at c[offset + k*sk + j*sj], j < out: [..., out]. */
static struct ir_inst *product(struct node *n, struct ir_inst *x, const struct ctensor *c, int64_t offset, int64_t sk, int64_t sj,
                               int64_t out, double alpha)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x), ws = {.rank = 2};
    int64_t in = s.dim[s.rank - 1];
    ws.dim[0] = out;
    ws.dim[1] = in;
    if (shape_check(n, &ws))
        return NULL;
    double *w = ARENA_ARRAY(n->ld->arena, double, out * in);
    for (int64_t j = 0; j < out; j++)
        for (int64_t k = 0; k < in; k++)
            w[j * in + k] = alpha * const_at(c, offset + k * sk + j * sj);
    const char *name = emit_weight(n, c->name, &ws, w);
    s.dim[s.rank - 1] = out;
    struct ir_inst *y = name ? emit1(n, IR_TENSOR_gemm, &s, x) : NULL;
    if (y)
        ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "weight", name);
    return y;
}

static struct ir_inst *swap_last(struct node *n, struct ir_inst *x)
{
    int64_t perm[IR_MAX_RANK];
    if (!x)
        return NULL;
    uint32_t r = x->type.rank;
    for (uint32_t i = 0; i < r; i++)
        perm[i] = i;
    perm[r - 1] = r - 2;
    perm[r - 2] = r - 1;
    return emit_transpose(n, x, perm);
}

int op_gemm(struct node *n)
{
    double alpha = attr_float(n, "alpha", 1), beta = attr_float(n, "beta", 1);
    bool ta = attr_int(n, "transA", 0) != 0, tb = attr_int(n, "transB", 0) != 0;
    struct shape a, b;
    if (in_shape(n, 0, &a) || in_shape(n, 1, &b))
        return node_error(n, "two inputs are needed");
    if (in_inst(n, 0) && in_inst(n, 1))
        return node_error(n, "a product of two encrypted matrices %s and %s is not supported; one must be a constant",
                          shape_print(n->ld->arena, &a), shape_print(n->ld->arena, &b));
    if (a.rank != 2 || b.rank != 2 || a.dim[!ta] != b.dim[tb])
        return node_error(n, "matrices %s and %s do not fit", shape_print(n->ld->arena, &a), shape_print(n->ld->arena, &b));
    int64_t rows = a.dim[ta], cols = b.dim[!tb];
    struct shape out = {.rank = 2, .dim = {rows, cols}};
    struct ir_inst *y;
    const struct ctensor *bias = in_const(n, 2);
    if (in_inst(n, 0)) {
        const struct ctensor *c = in_const(n, 1);
        struct ir_inst *x = ta ? swap_last(n, in_inst(n, 0)) : in_inst(n, 0);
        y = product(n, x, c, 0, tb ? 1 : cols, tb ? b.dim[1] : 1, cols, alpha);
        bool vector = bias && bias->numel == cols && (bias->s.rank == 1 || (bias->s.rank == 2 && bias->s.dim[0] == 1));
        if (y && vector) {
            double *v = ARENA_ARRAY(n->ld->arena, double, cols);
            for (int64_t i = 0; i < cols; i++)
                v[i] = beta * const_at(bias, i);
            struct shape bs = {.rank = 1, .dim = {cols}};
            const char *name = emit_weight(n, bias->name, &bs, v);
            if (!name)
                return -1;
            ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "bias", name);
            return out_inst(n, 0, y);
        }
    } else if (in_const(n, 0) && in_inst(n, 1)) {
        /* Y^T = B'^T A'^T */
        const struct ctensor *c = in_const(n, 0);
        struct ir_inst *x = tb ? in_inst(n, 1) : swap_last(n, in_inst(n, 1));
        y = swap_last(n, product(n, x, c, 0, ta ? a.dim[1] : 1, ta ? 1 : a.dim[1], rows, alpha));
    } else {
        /* both constant, C encrypted: a constant plus C */
        return node_error(n, "a product of two constants; fold the model's constants first");
    }
    struct shape have;
    if (y && in_shape(n, 2, &have) == 0) {
        struct shape joint;
        if (shape_broadcast(n, &out, &have, &joint))
            return -1;
        if (!shape_equal(&joint, &out))
            return node_error(n, "input C %s does not broadcast to the result %s", shape_print(n->ld->arena, &have),
                              shape_print(n->ld->arena, &out));
        if (bias)
            y = emit_addc(n, y, bias, beta);
        else
            y = emit2(n, IR_TENSOR_add, &out, y, emit_broadcast(n, emit_mulr(n, in_inst(n, 2), beta), &out));
    }
    return out_inst(n, 0, y);
}

/* Multiply with a constant of more than two axes: one product for each of its matrices, concatenated again. `x` is [batch..., M, K]
 * (the constant on the right) or [batch..., N, K] (on the left, x transposed). */
static struct ir_inst *batched(struct node *n, struct ir_inst *x, const struct ctensor *c, const struct shape *batch, int64_t sk,
                               int64_t sj, int64_t out)
{
    int64_t count = shape_numel(batch), per = c->s.dim[c->s.rank - 1] * c->s.dim[c->s.rank - 2];
    if (count > 64) {
        node_error(n, "a constant operand of %lld matrices, at most 64 are supported", (long long)count);
        return NULL;
    }
    struct shape full = inst_shape(x), cb = {.rank = c->s.rank - 2};
    int64_t m = full.dim[full.rank - 2], k = full.dim[full.rank - 1], stride[IR_MAX_RANK];
    memcpy(cb.dim, c->s.dim, cb.rank * sizeof cb.dim[0]);
    full = *batch;
    full.dim[full.rank++] = m;
    full.dim[full.rank++] = k;
    shape_strides(&cb, batch, stride);
    struct shape flat = {.rank = 3, .dim = {count, m, k}}, all = {.rank = 3, .dim = {count, m, out}}, res = *batch;
    struct ir_inst *part[64] = {NULL};
    x = emit_reshape(n, emit_broadcast(n, x, &full), &flat);
    for (int64_t i = 0; x && i < count; i++) {
        int64_t at = 0, rest = i;
        for (uint32_t d = batch->rank; d-- > 0; rest /= batch->dim[d])
            at += rest % batch->dim[d] * stride[d];
        int64_t start[3] = {i, 0, 0}, end[3] = {i + 1, m, k}, step[3] = {1, 1, 1};
        if (!(part[i] = product(n, emit_slice(n, x, start, end, step), c, at * per, sk, sj, out, 1)))
            return NULL;
    }
    struct ir_inst *y = x && count > 1 ? emit(n, IR_TENSOR_concat, &all, (uint32_t)count, part) : part[0];
    if (y && count > 1)
        ir_set_int(n->ld->mod, ir_inst_attrs(y), "axis", 0);
    res.dim[res.rank++] = m;
    res.dim[res.rank++] = out;
    return y ? emit_reshape(n, y, &res) : NULL;
}

int op_matmul(struct node *n)
{
    struct shape a, b, batch;
    if (in_shape(n, 0, &a) || in_shape(n, 1, &b))
        return node_error(n, "two inputs are needed");
    if (in_inst(n, 0) && in_inst(n, 1))
        return node_error(n, "a product of two encrypted matrices %s and %s is not supported; one must be a constant",
                          shape_print(n->ld->arena, &a), shape_print(n->ld->arena, &b));
    struct ir_inst *x = in_inst(n, 0) ? in_inst(n, 0) : in_inst(n, 1);
    const struct ctensor *c = in_const(n, 0) ? in_const(n, 0) : in_const(n, 1);
    bool left = in_const(n, 0) != NULL, va = a.rank == 1, vb = b.rank == 1;     // left: the constant is on the left
    if (!a.rank || !b.rank || a.dim[a.rank - 1] != b.dim[vb ? 0 : b.rank - 2])
        return node_error(n, "matrices %s and %s do not fit", shape_print(n->ld->arena, &a), shape_print(n->ld->arena, &b));
    if (a.rank > IR_MAX_RANK - 2 || b.rank > IR_MAX_RANK - 2)
        return node_error(n, "more than %d axes", IR_MAX_RANK - 2);
    struct ctensor m = *c;                                      // vectors become matrices of one row or column
    struct shape xs = inst_shape(x), out;
    if (m.s.rank == 1) {
        m.s = left ? (struct shape){.rank = 2, .dim = {1, m.numel}} : (struct shape){.rank = 2, .dim = {m.numel, 1}};
    }
    if (xs.rank == 1) {
        xs = left ? (struct shape){.rank = 2, .dim = {xs.dim[0], 1}} : (struct shape){.rank = 2, .dim = {1, xs.dim[0]}};
        x = emit_reshape(n, x, &xs);
    }
    struct shape xb = {.rank = xs.rank - 2}, cb = {.rank = m.s.rank - 2};
    memcpy(xb.dim, xs.dim, xb.rank * sizeof xb.dim[0]);
    memcpy(cb.dim, m.s.dim, cb.rank * sizeof cb.dim[0]);
    if (shape_broadcast(n, &xb, &cb, &batch))
        return -1;
    int64_t rows = m.s.dim[m.s.rank - 2], cols = m.s.dim[m.s.rank - 1];
    if (shape_check(n, &m.s))
        return -1;
    struct ir_inst *y;
    if (left)
        x = swap_last(n, x);                                    // Y^T = X^T C^T
    if (!x)
        return -1;
    int64_t sk = left ? 1 : cols, sj = left ? cols : 1, nout = left ? rows : cols;
    if (shape_numel(&cb) == 1 && cb.rank <= xb.rank)
        y = product(n, x, &m, 0, sk, sj, nout, 1);
    else
        y = batched(n, x, &m, &batch, sk, sj, nout);
    if (left)
        y = swap_last(n, y);
    out = batch;
    if (!va)
        out.dim[out.rank++] = a.dim[a.rank - 2];
    if (!vb)
        out.dim[out.rank++] = b.dim[b.rank - 1];
    return out_inst(n, 0, y ? emit_reshape(n, y, &out) : NULL);
}

int op_batchnorm(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *p[4];
    static const char *const what[4] = {"scale", "bias", "mean", "variance"};
    if (in_need_inst(n, 0, &x))
        return -1;
    for (size_t i = 0; i < 4; i++)
        if (in_need_const(n, i + 1, what[i], &p[i]))
            return -1;
    struct shape s = inst_shape(x);
    int64_t c = s.rank >= 2 ? s.dim[1] : 0;
    for (size_t i = 0; i < 4; i++)
        if (p[i]->numel != c)
            return node_error(n, "%s has %lld elements, the input %s has %lld channels", what[i], (long long)p[i]->numel,
                              shape_print(n->ld->arena, &s), (long long)c);
    if (attr_int(n, "training_mode", 0))
        return node_error(n, "training mode: its statistics depend on encrypted data; export the model in eval mode");
    if (n->ld->opset < 9 && !attr_int(n, "spatial", 1) && s.rank > 2)
        return node_error(n, "spatial=0 is not supported");
    double eps = attr_float(n, "epsilon", 1e-5);
    double *scale = ARENA_ARRAY(n->ld->arena, double, c), *shift = ARENA_ARRAY(n->ld->arena, double, c);
    for (int64_t i = 0; i < c; i++) {
        double var = const_at(p[3], i) + eps;
        if (!(var > 0))
            return node_error(n, "variance %g of channel %lld is not positive", var, (long long)i);
        scale[i] = const_at(p[0], i) / sqrt(var);
        shift[i] = const_at(p[1], i) - const_at(p[2], i) * scale[i];
    }
    struct shape cs = {.rank = 1, .dim = {c}};
    const char *a = emit_weight(n, arena_printf(n->ld->arena, "%s.scale", n->name), &cs, scale);
    const char *b = a ? emit_weight(n, arena_printf(n->ld->arena, "%s.shift", n->name), &cs, shift) : NULL;
    struct ir_inst *y = b ? emit1(n, IR_TENSOR_batchnorm, &s, x) : NULL;
    if (!y)
        return -1;
    ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "scale", a);
    ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "shift", b);
    return out_inst(n, 0, y);
}

int op_reduce(struct node *n)
{
    struct ir_inst *x;
    struct ints axes;
    bool mark[IR_MAX_RANK];
    if (in_need_inst(n, 0, &x) || in_ints(n, "axes", 1, &axes))
        return -1;
    struct shape s = inst_shape(x), out = {0};
    if (!axes.n && attr_int(n, "noop_with_empty_axes", 0))
        return out_alias(n, 0, 0);
    if (shape_axes(n, &axes, s.rank, mark))
        return -1;
    int64_t list[IR_MAX_RANK], keep = attr_int(n, "keepdims", 1) != 0;
    size_t k = 0;
    for (uint32_t i = 0; i < s.rank; i++) {
        if (mark[i] || !axes.n) {
            list[k++] = i;
            if (keep)
                out.dim[out.rank++] = 1;
        } else {
            out.dim[out.rank++] = s.dim[i];
        }
    }
    if (!strcmp(n->op, "ReduceSumSquare"))
        x = emit2(n, IR_TENSOR_mul, &s, x, x);
    struct ir_inst *y = emit1(n, IR_TENSOR_reduce, &out, x);
    if (!y)
        return -1;
    emit_ints(n, y, "axes", list, k);
    ir_set_int(n->ld->mod, ir_inst_attrs(y), "keepdims", keep);
    ir_set_string(n->ld->mod, ir_inst_attrs(y), "mode", strcmp(n->op, "ReduceMean") ? "sum" : "mean");
    return out_inst(n, 0, y);
}
