// SPDX-License-Identifier: Apache-2.0
// Shapes of tensor operations: the type of every result follows from operands and attributes.
#include "act.h"
#include "verify.h"
#include <string.h>

static int64_t at(const struct ir_inst *i, const char *key, size_t k, int64_t def)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    return a && k < a->ints.n ? a->ints.v[k] : def;
}

// Is the list absent or of this length, with all entries in [lo, hi]?
static bool list_ok(const struct ir_inst *i, const char *key, size_t n, int64_t lo, int64_t hi)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    if (!a) return true;
    if (a->ints.n != n) return false;
    for (size_t k = 0; k < n; k++)
        if (a->ints.v[k] < lo || a->ints.v[k] > hi) return false;
    return true;
}

enum { BIG = 1 << 24 };     // bound of pads, kernels and strides: products stay far from overflow

// Checks the spatial axes of a convolution or pooling.
static const char *window(const struct ir_inst *i, const int64_t *kernel)
{
    const struct ir_type *in = &i->args[0]->type, *out = &i->type;
    if (in->rank != out->rank || in->rank < 3 || in->rank > 4) return "input and result are [batch, channels, 1 or 2 axes]";
    uint32_t rank = in->rank - 2;
    if (!list_ok(i, "strides", rank, 1, BIG) || !list_ok(i, "dilations", rank, 1, BIG) || !list_ok(i, "pads", 2 * rank, 0, BIG))
        return "strides, dilations or pads do not fit the axes";
    for (uint32_t d = 0; d < rank; d++) {
        int64_t k = kernel[d], s = at(i, "strides", d, 1), dil = at(i, "dilations", d, 1);
        if (k < 1 || k > BIG) return "a kernel extent is not positive";
        int64_t room = in->dim[2 + d] + at(i, "pads", d, 0) + at(i, "pads", rank + d, 0) - dil * (k - 1) - 1;
        if (room < 0 || out->dim[2 + d] != room / s + 1) return "the result's spatial shape is wrong";
    }
    return in->dim[0] == out->dim[0] ? NULL : "the batch axes differ";
}

static const char *vector_of(const struct ir_module *m, const struct ir_inst *i, const char *key, int64_t n)
{
    const struct ir_const *c = verify_const(m, i, key);
    return !c || ir_const_numel(c) == n ? NULL : arena_printf(m->arena, "constant '%s' has not %lld elements", c->name, (long long)n);
}

static const char *conv(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_const *w = verify_const(m, i, "weight");
    int64_t groups = ir_get_int(i->attrs, "groups", 1);
    const struct ir_type *in = &i->args[0]->type;
    if (w->rank != in->rank || in->rank < 3) return "the weight's rank is not that of the input";
    if (groups < 1 || groups > in->dim[1] || in->dim[1] % groups || w->dim[0] % groups || w->dim[1] != in->dim[1] / groups ||
        w->dim[0] != i->type.dim[1])
        return "the weight does not fit the channels and groups";
    const char *wrong = window(i, w->dim + 2);
    return wrong ? wrong : vector_of(m, i, "bias", w->dim[0]);
}

static const char *gemm(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_const *w = verify_const(m, i, "weight");
    const struct ir_type *in = &i->args[0]->type;
    if (w->rank != 2 || !in->rank || in->dim[in->rank - 1] != w->dim[1]) return "the weight is not [out, in] for this input";
    if (!i->type.rank || i->type.dim[i->type.rank - 1] != w->dim[0] ||
        ir_type_numel(&i->type) / w->dim[0] != ir_type_numel(in) / w->dim[1])
        return "the result's shape is wrong";
    return vector_of(m, i, "bias", w->dim[0]);
}

// Does (rank, dim) broadcast to t?
static bool spreads(uint32_t rank, const int64_t *dim, const struct ir_type *t)
{
    if (rank > t->rank) return false;
    for (uint32_t d = 0; d < rank; d++)
        if (dim[d] != 1 && dim[d] != t->dim[t->rank - rank + d]) return false;
    return true;
}

static const char *binary(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_type *a = &i->args[0]->type, *b = i->nargs > 1 ? &i->args[1]->type : NULL;
    const struct ir_const *c = b ? NULL : verify_const(m, i, "value");
    uint32_t rank = b ? b->rank : c->rank;
    const int64_t *dim = b ? b->dim : c->dim;
    return spreads(a->rank, a->dim, &i->type) && spreads(rank, dim, &i->type) ? NULL : "the operands do not broadcast to the result";
}

static const char *reduce(const struct ir_inst *i)
{
    const struct ir_type *t = &i->args[0]->type;
    const struct ir_attr *axes = ir_attr_find(i->attrs, "axes");
    bool gone[IR_MAX_RANK] = {false};
    const char *mode = ir_get_string(i->attrs, "mode", "mean");
    if (strcmp(mode, "mean") && strcmp(mode, "sum")) return "the mode is sum or mean";
    for (uint32_t d = 0; d < t->rank; d++) gone[d] = !axes;
    for (size_t k = 0; axes && k < axes->ints.n; k++) {
        int64_t a = axes->ints.v[k];
        if (a < -(int64_t)t->rank || a >= (int64_t)t->rank) return "an axis is out of range";
        gone[a < 0 ? a + t->rank : a] = true;
    }
    int64_t rows = 1;
    for (uint32_t d = 0; d < t->rank; d++) rows *= gone[d] ? 1 : t->dim[d];
    return rows == ir_type_numel(&i->type) ? NULL : "the result's shape is wrong";
}

static const char *slice(const struct ir_inst *i)
{
    const struct ir_type *t = &i->args[0]->type;
    size_t n = ir_attr_find(i->attrs, "starts")->ints.n;
    if (n > t->rank || !list_ok(i, "axes", n, -(int64_t)t->rank, (int64_t)t->rank - 1) || !list_ok(i, "steps", n, -BIG, BIG))
        return "axes, starts and steps do not fit";
    if (i->type.rank != t->rank) return "the result's rank is wrong";
    bool seen[IR_MAX_RANK] = {false};
    for (size_t s = 0; s < n; s++) {
        int64_t d = at(i, "axes", s, (int64_t)s), first = at(i, "starts", s, 0), step = at(i, "steps", s, 1);
        if (d < 0) d += t->rank;
        if (seen[d] || step == 0 || first < -BIG || first > BIG) return "an axis repeats, or a start or step is unusable";
        seen[d] = true;
        int64_t len = t->dim[d], top = len - (step < 0);
        if (first < 0) first += len;
        first = first < 0 ? 0 : first > top ? top : first;
        int64_t last = first + (i->type.dim[d] - 1) * step;
        if (first < 0 || first >= len || last < 0 || last >= len) return "the slice leaves the input";
    }
    for (uint32_t d = 0; d < t->rank; d++)
        if (!seen[d] && i->type.dim[d] != t->dim[d]) return "the result's shape is wrong";
    return NULL;
}

static const char *move(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_type *t = &i->args[0]->type, *o = &i->type;
    if (t->rank != o->rank) return "the result's rank is wrong";
    if (i->op == IR_TENSOR_transpose) {
        bool seen[IR_MAX_RANK] = {false};
        if (!list_ok(i, "perm", t->rank, 0, (int64_t)t->rank - 1)) return "perm does not list the axes";
        for (uint32_t d = 0; d < t->rank; d++) {
            int64_t a = at(i, "perm", d, 0);
            if (seen[a] || o->dim[d] != t->dim[a]) return "perm repeats an axis or the result's shape is wrong";
            seen[a] = true;
        }
        return NULL;
    }
    if (i->op == IR_TENSOR_pad) {
        if (!list_ok(i, "pads", 2 * (size_t)t->rank, -BIG, BIG)) return "pads do not fit the axes";
        for (uint32_t d = 0; d < t->rank; d++)
            if (o->dim[d] != t->dim[d] + at(i, "pads", d, 0) + at(i, "pads", t->rank + d, 0)) return "the result's shape is wrong";
        return NULL;
    }
    const struct ir_const *index = verify_const(m, i, "indices");
    int64_t axis = ir_get_int(i->attrs, "axis", 0);
    if (axis < 0) axis += t->rank;
    if (axis < 0 || axis >= (int64_t)t->rank || ir_const_numel(index) != o->dim[axis]) return "axis or indices do not fit";
    for (int64_t k = 0; k < o->dim[axis]; k++) {
        double v = ir_const_at(index, k);
        if (!(v >= -(double)t->dim[axis] && v < (double)t->dim[axis])) return "an index is out of range";
    }
    for (uint32_t d = 0; d < t->rank; d++)
        if (d != axis && o->dim[d] != t->dim[d]) return "the result's shape is wrong";
    return NULL;
}

static const char *concat(const struct ir_inst *i)
{
    int64_t axis = ir_get_int(i->attrs, "axis", 0), sum = 0;
    if (axis < 0) axis += i->type.rank;
    if (axis < 0 || axis >= (int64_t)i->type.rank) return "the axis is out of range";
    for (uint32_t k = 0; k < i->nargs; k++) {
        const struct ir_type *t = &i->args[k]->type;
        if (t->rank != i->type.rank) return "the operands' ranks differ";
        for (uint32_t d = 0; d < t->rank; d++)
            if (d != axis && t->dim[d] != i->type.dim[d]) return "the operands' shapes do not fit";
        sum += t->dim[axis];
    }
    return sum == i->type.dim[axis] ? NULL : "the result's shape is wrong";
}

static const char *coeffs(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_const *c = verify_const(m, i, "coeffs");
    if (c->dtype != IR_F64 || ir_const_numel(c) < 1 || ir_const_numel(c) > 4096) return "coeffs is not 1..4096 doubles";
    return ir_get_float(i->attrs, "half", 1) > 0 ? NULL : "half is not positive";
}

const char *verify_tensor(const struct ir_module *m, const struct ir_inst *i)
{
    const char *wrong;
    bool same = i->nargs && ir_type_equal(&i->type, &i->args[0]->type);
    switch (i->op) {
    case IR_TENSOR_input: return NULL;
    case IR_TENSOR_conv: return conv(m, i);
    case IR_TENSOR_gemm: return gemm(m, i);
    case IR_TENSOR_batchnorm:
        if (!same || i->type.rank < 2) return "the result's shape is not the input's, or it has no channels";
        wrong = vector_of(m, i, "scale", i->type.dim[1]);
        return wrong ? wrong : vector_of(m, i, "shift", i->type.dim[1]);
    case IR_TENSOR_avgpool:
    case IR_TENSOR_maxpool: {
        const struct ir_attr *k = ir_attr_find(i->attrs, "kernel");
        if (i->args[0]->type.rank < 3 || k->ints.n != i->args[0]->type.rank - 2) return "the kernel does not fit the axes";
        wrong = window(i, k->ints.v);
        return wrong ? wrong : i->type.dim[1] == i->args[0]->type.dim[1] ? NULL : "the channels differ";
    }
    case IR_TENSOR_reduce: return reduce(i);
    case IR_TENSOR_reshape:
        return ir_type_numel(&i->type) == ir_type_numel(&i->args[0]->type) ? NULL : "the number of elements changes";
    case IR_TENSOR_slice: return slice(i);
    case IR_TENSOR_transpose:
    case IR_TENSOR_pad:
    case IR_TENSOR_gather: return move(m, i);
    case IR_TENSOR_concat: return concat(i);
    case IR_TENSOR_affine:
        wrong = verify_csr(m, ir_get_string(i->attrs, "mat", ""), ir_type_numel(&i->type), ir_type_numel(&i->args[0]->type));
        return wrong ? wrong : vector_of(m, i, "bias", ir_type_numel(&i->type));
    case IR_TENSOR_pow: {
        int64_t e = ir_get_int(i->attrs, "exponent", 0);
        return !same ? "the result's shape is not the input's" : e >= 1 && e <= 64 ? NULL : "the exponent is not in 1..64";
    }
    case IR_TENSOR_act:
        if (!act_find(ir_get_string(i->attrs, "fn", ""))) return "there is no such function";
        return same ? NULL : "the result's shape is not the input's";
    case IR_TENSOR_poly: return same ? coeffs(m, i) : "the result's shape is not the input's";
    default: return binary(m, i);
    }
}
