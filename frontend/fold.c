// SPDX-License-Identifier: Apache-2.0
// Constant folding, part one: what exporters leave behind to compute shapes (Shape, Constant, ConstantOfShape, Cast, Concat, Expand, Tile,
// Range, Where). Every result is charged against the load's budget, so a small file cannot ask for much memory.

#include "load.h"
#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

/* Next index in row-major order. */
static void advance(const struct shape *s, int64_t *index)
{
    for (uint32_t i = s->rank; i-- > 0;) {
        if (++index[i] < s->dim[i])
            return;
        index[i] = 0;
    }
}

static int64_t offset(const struct shape *s, const int64_t *index, const int64_t *stride)
{
    int64_t at = 0;
    for (uint32_t i = 0; i < s->rank; i++)
        at += index[i] * stride[i];
    return at;
}

int fold_identity(struct node *n)
{
    const struct ctensor *training = in_const(n, 2);
    if (!strcmp(n->op, "Dropout") && training && training->numel == 1 && const_at(training, 0) != 0)
        return node_error(n, "training mode; export the model in eval mode");
    if (!strcmp(n->op, "Dropout") && n->nout > 1 && in_const(n, 0)) {
        struct ctensor *mask = const_new(n, DT(BOOL), &in_const(n, 0)->s);
        for (int64_t i = 0; mask && i < mask->numel; i++)
            mask->i[i] = 1;
        if (out_const(n, 1, mask))
            return -1;
    }
    return out_alias(n, 0, 0);
}

/* Shape (with start and end) and Size of any value. */
int fold_shape(struct node *n)
{
    struct shape s, one = {.rank = 1};
    if (in_shape(n, 0, &s))
        return node_error(n, "input 0 is missing");
    if (!strcmp(n->op, "Size")) {
        struct shape scalar = {.rank = 0};
        struct ctensor *c = const_new(n, DT(INT64), &scalar);
        if (c)
            c->i[0] = shape_numel(&s);
        return out_const(n, 0, c);
    }
    int64_t r = s.rank, b = attr_int(n, "start", 0), e = attr_int(n, "end", r);
    b += b < 0 ? r : 0;
    e += e < 0 ? r : 0;
    b = b < 0 ? 0 : b > r ? r : b;
    e = e < b ? b : e > r ? r : e;
    one.dim[0] = e - b;
    struct ctensor *c = const_new(n, DT(INT64), &one);
    for (int64_t i = 0; c && i < e - b; i++)
        c->i[i] = s.dim[b + i];
    return out_const(n, 0, c);
}

static int from_tensor(struct node *n, const Onnx__TensorProto *t, struct ctensor **c)
{
    const char *where = arena_printf(n->ld->arena, "%s: node \"%s\" (%s)", n->ld->file, n->name, n->op);
    *c = tensor_decode(n->ld->arena, where, n->ld->dir, t);
    if (!*c) {
        n->ld->errors++;
        return -1;
    }
    (*c)->name = n->name;
    return 0;
}

int fold_constant(struct node *n)
{
    const Onnx__AttributeProto *a;
    struct ctensor *c = NULL;
    struct shape s = {.rank = 0};
    if ((a = node_attr(n, "value")) && a->t)
        return from_tensor(n, a->t, &c) ? -1 : out_const(n, 0, c);
    if ((a = node_attr(n, "value_float"))) {
        if ((c = const_new(n, DT(FLOAT), &s)))
            c->f[0] = a->f;
    } else if ((a = node_attr(n, "value_int"))) {
        if ((c = const_new(n, DT(INT64), &s)))
            c->i[0] = a->i;
    } else if ((a = node_attr(n, "value_floats")) || (a = node_attr(n, "value_ints"))) {
        bool ints = a->n_ints > 0 || !strcmp(a->name, "value_ints");
        s = (struct shape){.rank = 1, .dim = {(int64_t)(ints ? a->n_ints : a->n_floats)}};
        c = const_new(n, ints ? DT(INT64) : DT(FLOAT), &s);
        for (int64_t i = 0; c && i < c->numel; i++) {
            if (ints)
                c->i[i] = a->ints[i];
            else
                c->f[i] = a->floats[i];
        }
    } else {
        return node_error(n, "a constant without a dense numeric value");
    }
    return out_const(n, 0, c);
}

/* A 1-D integer input as a shape. */
static int as_shape(struct node *n, size_t i, struct shape *s)
{
    const struct ctensor *c;
    if (in_need_const(n, i, "the shape", &c))
        return -1;
    if (c->numel > IR_MAX_RANK)
        return node_error(n, "a shape of %lld axes, at most %d are supported", (long long)c->numel, IR_MAX_RANK);
    *s = (struct shape){.rank = (uint32_t)c->numel};
    for (uint32_t k = 0; k < s->rank; k++)
        s->dim[k] = const_int(c, k);
    return 0;
}

int fold_constantofshape(struct node *n)
{
    struct shape s;
    struct ctensor *v = NULL;
    const Onnx__AttributeProto *a = node_attr(n, "value");
    if (as_shape(n, 0, &s) || (a && a->t && from_tensor(n, a->t, &v)))
        return -1;
    if (v && v->numel != 1)
        return node_error(n, "the value has %lld elements", (long long)v->numel);
    struct ctensor *c = const_new(n, v ? v->type : DT(FLOAT), &s);
    for (int64_t i = 0; c && v && i < c->numel; i++)
        c->i[i] = v->i[0];              // moves the 64 bits of either kind
    return out_const(n, 0, c);
}

/* An integer as its type holds it: low bits, sign extended. */
int64_t type_wrap(int32_t type, int64_t v)
{
    switch (type) {
    case DT(BOOL): return v != 0;
    case DT(INT8): return (int8_t)v;
    case DT(UINT8): return (uint8_t)v;
    case DT(INT16): return (int16_t)v;
    case DT(UINT16): return (uint16_t)v;
    case DT(INT32): return (int32_t)v;
    case DT(UINT32): return (uint32_t)v;
    default: return v;
    }
}

int fold_cast(struct node *n)
{
    const struct ctensor *c;
    int32_t to = (int32_t)attr_int(n, "to", DT(FLOAT));
    if (in_need_const(n, 0, "data", &c))
        return -1;
    if (to <= 0 || to == DT(STRING) || to == DT(COMPLEX64) || to == DT(COMPLEX128) || to > DT(BFLOAT16))
        return node_error(n, "cast to %s is not supported", type_name(to));
    struct ctensor *d = const_new(n, to, &c->s);
    for (int64_t i = 0; d && i < c->numel; i++) {
        if (d->is_int)
            d->i[i] = to == DT(BOOL) ? const_at(c, i) != 0 : type_wrap(to, const_int(c, i));
        else
            d->f[i] = to == DT(FLOAT) ? (double)(float)const_at(c, i) : const_at(c, i);
    }
    return out_const(n, 0, d);
}

int fold_concat(struct node *n)
{
    struct shape out = {0};
    uint32_t axis = 0;
    for (size_t i = 0; i < n->nin; i++) {
        const struct ctensor *c;
        if (in_need_const(n, i, "part", &c))
            return -1;
        if (i == 0) {
            out = c->s;
            if (shape_axis(n, attr_int(n, "axis", 1), out.rank, &axis))
                return -1;
            continue;
        }
        struct shape t = c->s;
        if (t.rank == out.rank)
            t.dim[axis] = out.dim[axis];
        if (!shape_equal(&t, &out) || c->is_int != in_const(n, 0)->is_int)
            return node_error(n, "part %zu does not fit the first", i);
        out.dim[axis] += c->s.dim[axis];
        if (out.dim[axis] > INT32_MAX)
            return node_error(n, "too large");
    }
    if (!n->nin)
        return node_error(n, "no input");
    struct ctensor *d = const_new(n, in_const(n, 0)->type, &out);
    if (!d)
        return -1;
    int64_t inner = 1, total = out.dim[axis], at = 0;
    for (uint32_t i = axis + 1; i < out.rank; i++)
        inner *= out.dim[i];
    for (size_t i = 0; i < n->nin; i++) {
        const struct ctensor *c = in_const(n, i);
        int64_t block = c->s.dim[axis] * inner;
        for (int64_t k = 0; k < c->numel; k++)
            d->i[k / block * total * inner + at * inner + k % block] = c->i[k];
        at += c->s.dim[axis];
    }
    return out_const(n, 0, d);
}

/* out[k] = c[...] with c broadcast to the shape. */
static int spread(struct node *n, const struct ctensor *c, const struct shape *out)
{
    struct ctensor *d = const_new(n, c->type, out);
    int64_t stride[IR_MAX_RANK], index[IR_MAX_RANK] = {0};
    shape_strides(&c->s, out, stride);
    for (int64_t k = 0; d && k < d->numel; k++, advance(out, index))
        d->i[k] = c->i[offset(out, index, stride)];
    return out_const(n, 0, d);
}

int fold_expand(struct node *n)
{
    const struct ctensor *c;
    struct shape want, out;
    if (in_need_const(n, 0, "data", &c) || as_shape(n, 1, &want) || shape_broadcast(n, &c->s, &want, &out))
        return -1;
    return spread(n, c, &out);
}

int fold_tile(struct node *n)
{
    const struct ctensor *c;
    struct shape repeat = {0}, out;
    if (in_need_const(n, 0, "data", &c) || as_shape(n, 1, &repeat))
        return -1;
    if (repeat.rank != c->s.rank)
        return node_error(n, "%u repeats for %u axes", repeat.rank, c->s.rank);
    out = c->s;
    for (uint32_t i = 0; i < out.rank; i++)
        if (repeat.dim[i] < 0 || __builtin_mul_overflow(out.dim[i], repeat.dim[i], &out.dim[i]))
            return node_error(n, "%lld repeats", (long long)repeat.dim[i]);
    struct ctensor *d = const_new(n, c->type, &out);
    int64_t stride[IR_MAX_RANK], index[IR_MAX_RANK] = {0}, within[IR_MAX_RANK] = {0};
    shape_strides(&c->s, &c->s, stride);
    for (int64_t k = 0; d && k < d->numel; k++, advance(&out, index)) {
        for (uint32_t i = 0; i < out.rank; i++)
            within[i] = index[i] % c->s.dim[i];
        d->i[k] = c->i[offset(&out, within, stride)];
    }
    return out_const(n, 0, d);
}

int fold_range(struct node *n)
{
    const struct ctensor *c[3];
    double v[3];
    for (size_t i = 0; i < 3; i++) {
        if (in_need_const(n, i, "bound", &c[i]))
            return -1;
        if (c[i]->numel != 1)
            return node_error(n, "bound %zu is not a scalar", i);
        v[i] = const_at(c[i], 0);
    }
    double count = ceil((v[1] - v[0]) / v[2]);
    if (!(v[2] != 0) || !(count < 0x1p31))
        return node_error(n, "a range from %g to %g by %g", v[0], v[1], v[2]);
    struct shape s = {.rank = 1, .dim = {count > 0 ? (int64_t)count : 0}};
    struct ctensor *d = const_new(n, c[0]->type, &s);
    for (int64_t i = 0; d && i < d->numel; i++) {
        if (d->is_int)
            d->i[i] = (int64_t)((uint64_t)const_int(c[0], 0) + (uint64_t)i * (uint64_t)const_int(c[2], 0));
        else
            d->f[i] = v[0] + (double)i * v[2];
    }
    return out_const(n, 0, d);
}

int fold_where(struct node *n)
{
    const struct ctensor *c, *x, *y;
    struct shape xy, out;
    if (in_need_const(n, 0, "the condition", &c) || in_need_const(n, 1, "data", &x) || in_need_const(n, 2, "data", &y) ||
        shape_broadcast(n, &x->s, &y->s, &xy) || shape_broadcast(n, &xy, &c->s, &out))
        return -1;
    if (x->is_int != y->is_int)
        return node_error(n, "operands of types %s and %s", type_name(x->type), type_name(y->type));
    struct ctensor *d = const_new(n, x->type, &out);
    int64_t sc[IR_MAX_RANK], sx[IR_MAX_RANK], sy[IR_MAX_RANK], index[IR_MAX_RANK] = {0};
    shape_strides(&c->s, &out, sc);
    shape_strides(&x->s, &out, sx);
    shape_strides(&y->s, &out, sy);
    for (int64_t k = 0; d && k < d->numel; k++, advance(&out, index))
        d->i[k] = const_at(c, offset(&out, index, sc)) != 0 ? x->i[offset(&out, index, sx)] : y->i[offset(&out, index, sy)];
    return out_const(n, 0, d);
}
