// SPDX-License-Identifier: Apache-2.0
// Access to a node's attributes and inputs, and the instructions that operator groups build from.

#include "load.h"
#include "../compiler/diag.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *where(struct node *n)
{
    return arena_printf(n->ld->arena, "%s: node \"%s\" (%s)", n->ld->file, n->name, n->op);
}

int node_error(struct node *n, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_error(where(n), "%s", text);
    n->ld->errors++;
    return -1;
}

void node_note(struct node *n, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_note("%s: %s", where(n), text);
}

const char *shape_print(struct arena *a, const struct shape *s)
{
    const char *text = "[";
    for (uint32_t i = 0; i < s->rank; i++)
        text = arena_printf(a, "%s%s%lld", text, i ? "," : "", (long long)s->dim[i]);
    return arena_printf(a, "%s]", text);
}

const char *safe_text(struct arena *a, const char *s)
{
    char *t = arena_strdup(a, s);
    for (char *p = t; *p; p++)
        if (*p < 32 || *p > 126 || *p == '"' || *p == '\\')
            *p = '_';
    return t;
}

const char *safe_symbol(struct arena *a, const char *s)
{
    char *t = arena_printf(a, "%s%s", (*s >= '0' && *s <= '9') || !*s ? "c" : "", s);
    for (char *p = t; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '.'))
            *p = '_';
    return t;
}

const Onnx__AttributeProto *node_attr(const struct node *n, const char *key)
{
    for (size_t i = 0; i < n->p->n_attribute; i++)
        if (n->p->attribute[i]->name && !strcmp(n->p->attribute[i]->name, key))
            return n->p->attribute[i];
    return NULL;
}

int64_t attr_int(const struct node *n, const char *key, int64_t def)
{
    const Onnx__AttributeProto *a = node_attr(n, key);
    return a && a->has_i ? a->i : def;
}

double attr_float(const struct node *n, const char *key, double def)
{
    const Onnx__AttributeProto *a = node_attr(n, key);
    return a && a->has_f ? (double)a->f : def;
}

struct ints attr_ints(const struct node *n, const char *key)
{
    const Onnx__AttributeProto *a = node_attr(n, key);
    if (!a)
        return (struct ints){0};
    return (struct ints){.present = true, .n = a->n_ints, .v = a->ints};
}

const char *attr_str(const struct node *n, const char *key, const char *def)
{
    const Onnx__AttributeProto *a = node_attr(n, key);
    if (!a || !a->has_s)
        return def;
    char *t = arena_alloc(n->ld->arena, a->s.len + 1);
    memcpy(t, a->s.data, a->s.len);
    return safe_text(n->ld->arena, t);
}

bool attr_is(const struct node *n, const char *key, const char *value, bool def)
{
    const char *s = attr_str(n, key, NULL);
    return s ? !strcmp(s, value) : def;
}

/* ---- inputs ---- */

bool in_has(const struct node *n, size_t i)
{
    return i < n->nin && n->in[i];
}

const struct ctensor *in_const(struct node *n, size_t i)
{
    return in_has(n, i) && n->in[i]->kind == VAL_CONST ? n->in[i]->c : NULL;
}

struct ir_inst *in_inst(struct node *n, size_t i)
{
    return in_has(n, i) && n->in[i]->kind == VAL_INST ? n->in[i]->inst : NULL;
}

int in_shape(struct node *n, size_t i, struct shape *s)
{
    memset(s, 0, sizeof *s);
    if (in_const(n, i))
        *s = in_const(n, i)->s;
    else if (in_inst(n, i))
        *s = inst_shape(in_inst(n, i));
    else
        return -1;
    return 0;
}

int in_need_inst(struct node *n, size_t i, struct ir_inst **x)
{
    if ((*x = in_inst(n, i)))
        return 0;
    if (!in_has(n, i))
        return node_error(n, "input %zu is missing", i);
    return node_error(n, "input %zu (\"%s\") is a constant, an encrypted value is expected there", i, n->in[i]->name);
}

int in_need_const(struct node *n, size_t i, const char *what, const struct ctensor **c)
{
    if ((*c = in_const(n, i)))
        return 0;
    if (!in_has(n, i))
        return node_error(n, "input %zu (%s) is missing", i, what);
    struct shape s = inst_shape(n->in[i]->inst);
    return node_error(n, "input %zu (%s, \"%s\" of shape %s) depends on encrypted data; it must be a constant of the model", i, what,
                      n->in[i]->name, shape_print(n->ld->arena, &s));
}

int in_ints(struct node *n, const char *key, size_t i, struct ints *v)
{
    *v = attr_ints(n, key);
    if (v->present || !in_has(n, i))
        return 0;
    const struct ctensor *c;
    if (in_need_const(n, i, key, &c))
        return -1;
    int64_t *x = ARENA_ARRAY(n->ld->arena, int64_t, c->numel ? c->numel : 1);
    for (int64_t k = 0; k < c->numel; k++)
        x[k] = const_int(c, k);
    *v = (struct ints){.present = true, .n = (size_t)c->numel, .v = x};
    return 0;
}

/* ---- constants ---- */

double const_at(const struct ctensor *c, int64_t i)
{
    return c->is_int ? (c->type == DT(UINT64) ? (double)(uint64_t)c->i[i] : (double)c->i[i]) : c->f[i];
}

int64_t const_int(const struct ctensor *c, int64_t i)
{
    if (c->is_int)
        return c->i[i];
    double v = c->f[i];
    return isnan(v) ? 0 : v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

struct ctensor *const_new(struct node *n, int32_t type, const struct shape *s)
{
    int64_t numel = 1;
    bool bad = false;
    for (uint32_t i = 0; i < s->rank; i++)
        bad |= s->dim[i] < 0 || __builtin_mul_overflow(numel, s->dim[i], &numel);
    if (bad || numel > n->ld->fold_left) {
        node_error(n, "the constant %s is too large to compute while loading", shape_print(n->ld->arena, s));
        return NULL;
    }
    n->ld->fold_left -= numel;
    struct ctensor *c = ARENA_NEW(n->ld->arena, struct ctensor);
    c->name = n->name;
    c->type = type;
    c->is_int = type_is_int(type);
    c->s = *s;
    c->numel = numel;
    c->f = ARENA_ARRAY(n->ld->arena, double, numel ? numel : 1);
    return c;
}

/* ---- results ---- */

int out_inst(struct node *n, size_t i, struct ir_inst *x)
{
    if (!x)
        return -1;
    if (i < n->nout && n->out[i]) {
        n->out[i]->kind = VAL_INST;
        n->out[i]->inst = x;
    }
    return 0;
}

int out_const(struct node *n, size_t i, struct ctensor *c)
{
    if (!c)
        return -1;
    if (i < n->nout && n->out[i]) {
        n->out[i]->kind = VAL_CONST;
        n->out[i]->c = c;
    }
    return 0;
}

int out_alias(struct node *n, size_t i, size_t input)
{
    if (!in_has(n, input))
        return node_error(n, "input %zu is missing", input);
    if (i < n->nout && n->out[i]) {
        struct val *to = n->out[i], *from = n->in[input];
        to->kind = from->kind;
        to->c = from->c;
        to->inst = from->inst;
        to->post = from->post;
    }
    return 0;
}

/* ---- instructions ---- */

struct shape inst_shape(const struct ir_inst *x)
{
    struct shape s = {.rank = x->type.rank};
    memcpy(s.dim, x->type.dim, x->type.rank * sizeof s.dim[0]);
    return s;
}

int shape_check(struct node *n, const struct shape *s)
{
    int64_t numel = 1;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->dim[i] < 1)
            return node_error(n, "an empty tensor %s has nothing to compute", shape_print(n->ld->arena, s));
        if (__builtin_mul_overflow(numel, s->dim[i], &numel) || numel > (int64_t)1 << LOAD_MAX_NUMEL_LOG2)
            return node_error(n, "a tensor %s is too large", shape_print(n->ld->arena, s));
    }
    return 0;
}

struct ir_inst *emit(struct node *n, enum ir_op op, const struct shape *s, uint32_t nargs, struct ir_inst *const *args)
{
    for (uint32_t i = 0; i < nargs; i++)
        if (!args[i])
            return NULL;
    if (shape_check(n, s))
        return NULL;
    struct ir_inst *x = ir_build(n->ld->mod, NULL, op, ir_type_tensor(s->rank, s->dim), nargs, args);
    ir_set_string(n->ld->mod, ir_inst_attrs(x), "node", n->name);
    return x;
}

struct ir_inst *emit1(struct node *n, enum ir_op op, const struct shape *s, struct ir_inst *a)
{
    return emit(n, op, s, 1, &a);
}

struct ir_inst *emit2(struct node *n, enum ir_op op, const struct shape *s, struct ir_inst *a, struct ir_inst *b)
{
    return emit(n, op, s, 2, (struct ir_inst *[]){a, b});
}

void emit_ints(struct node *n, struct ir_inst *x, const char *key, const int64_t *v, size_t count)
{
    if (x)
        ir_set_ints(n->ld->mod, ir_inst_attrs(x), key, v, count);
}

struct ir_inst *emit_reshape(struct node *n, struct ir_inst *x, const struct shape *s)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x);
    return shape_equal(&have, s) ? x : emit1(n, IR_TENSOR_reshape, s, x);
}

struct ir_inst *emit_transpose(struct node *n, struct ir_inst *x, const int64_t *perm)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x), out = in;
    bool identity = true;
    for (uint32_t i = 0; i < in.rank; i++) {
        out.dim[i] = in.dim[perm[i]];
        identity &= perm[i] == i;
    }
    if (identity)
        return x;
    struct ir_inst *y = emit1(n, IR_TENSOR_transpose, &out, x);
    emit_ints(n, y, "perm", perm, in.rank);
    return y;
}

const char *emit_weight(struct node *n, const char *hint, const struct shape *s, const double *v)
{
    int64_t numel = shape_numel(s);
    bool single = true;
    for (int64_t i = 0; i < numel; i++) {
        if (!isfinite(v[i])) {
            node_error(n, "the constant \"%s\" holds a NaN or an infinity (element %lld)", hint, (long long)i);
            return NULL;
        }
        single &= fabs(v[i]) < 0x1p127 && (double)(float)v[i] == v[i];
    }
    struct ir_const *c = ir_const_add(n->ld->mod, safe_symbol(n->ld->arena, *hint ? hint : n->name), single ? IR_F32 : IR_F64, s->rank,
                                      s->dim);
    for (int64_t i = 0; i < numel; i++) {
        if (single)
            ((float *)c->data)[i] = (float)v[i];
        else
            ((double *)c->data)[i] = v[i];
    }
    return c->name;
}

struct ir_inst *emit_broadcast(struct node *n, struct ir_inst *x, const struct shape *s)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x), wide = {.rank = s->rank};
    for (uint32_t i = 0; i < s->rank; i++)
        wide.dim[i] = i + have.rank < s->rank ? 1 : have.dim[i + have.rank - s->rank];
    x = emit_reshape(n, x, &wide);
    for (uint32_t i = 0; x && i < s->rank; i++) {
        if (wide.dim[i] == s->dim[i])
            continue;
        int64_t *zero = index_array(n, s->dim[i]);
        x = zero ? emit_gather(n, x, i, zero, s->dim[i]) : NULL;
    }
    return x;
}

/* x op (factor * c), broadcast; a stretched x is expanded first so that the result has the shape of the operand. */
static struct ir_inst *emit_with_const(struct node *n, enum ir_op op, struct ir_inst *x, const struct ctensor *c, double factor)
{
    if (!x)
        return NULL;
    struct shape have = inst_shape(x), out;
    if (shape_broadcast(n, &have, &c->s, &out) || shape_check(n, &out))
        return NULL;
    if (!(x = emit_broadcast(n, x, &out)))
        return NULL;
    double *v = ARENA_ARRAY(n->ld->arena, double, c->numel ? c->numel : 1);
    for (int64_t i = 0; i < c->numel; i++)
        v[i] = factor * const_at(c, i);
    const char *w = emit_weight(n, c->name, &c->s, v);
    if (!w)
        return NULL;
    struct ir_inst *y = emit1(n, op, &out, x);
    if (y)
        ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "value", w);
    return y;
}

struct ir_inst *emit_addc(struct node *n, struct ir_inst *x, const struct ctensor *c, double factor)
{
    return emit_with_const(n, IR_TENSOR_addc, x, c, factor);
}

struct ir_inst *emit_mulc(struct node *n, struct ir_inst *x, const struct ctensor *c, double factor)
{
    return emit_with_const(n, IR_TENSOR_mulc, x, c, factor);
}

static const struct ctensor *number(struct node *n, double v)
{
    struct ctensor *c = ARENA_NEW(n->ld->arena, struct ctensor);
    c->name = n->name;
    c->type = DT(DOUBLE);
    c->numel = 1;
    c->f = ARENA_NEW(n->ld->arena, double);
    c->f[0] = v;
    return c;
}

struct ir_inst *emit_addr(struct node *n, struct ir_inst *x, double v)
{
    return v == 0 ? x : emit_addc(n, x, number(n, v), 1);
}

struct ir_inst *emit_mulr(struct node *n, struct ir_inst *x, double v)
{
    return v == 1 ? x : emit_mulc(n, x, number(n, v), 1);
}

int64_t *index_array(struct node *n, int64_t count)
{
    if (count < 0 || count > n->ld->fold_left) {
        node_error(n, "an axis of %lld elements is too large", (long long)count);
        return NULL;
    }
    n->ld->fold_left -= count;
    return ARENA_ARRAY(n->ld->arena, int64_t, count ? count : 1);
}

struct ir_inst *emit_gather(struct node *n, struct ir_inst *x, int64_t axis, const int64_t *index, int64_t count)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x);
    s.dim[axis] = count;
    struct ir_inst *y = emit1(n, IR_TENSOR_gather, &s, x);
    if (!y)
        return NULL;
    struct ir_const *c = ir_const_add(n->ld->mod, safe_symbol(n->ld->arena, arena_printf(n->ld->arena, "%s.index", n->name)), IR_I64, 1,
                                      &count);
    memcpy(c->data, index, (size_t)count * sizeof *index);
    ir_set_int(n->ld->mod, ir_inst_attrs(y), "axis", axis);
    ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "indices", c->name);
    return y;
}

struct ir_inst *emit_slice(struct node *n, struct ir_inst *x, const int64_t *start, const int64_t *end, const int64_t *step)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x), out = in;
    int64_t axes[IR_MAX_RANK] = {0}, s[IR_MAX_RANK] = {0}, e[IR_MAX_RANK] = {0}, t[IR_MAX_RANK] = {0};
    size_t k = 0;
    for (uint32_t i = 0; i < in.rank; i++) {
        if (start[i] == 0 && end[i] == in.dim[i] && step[i] == 1)
            continue;
        out.dim[i] = end[i] > start[i] ? (end[i] - start[i] - 1) / step[i] + 1 : 0;
        axes[k] = i, s[k] = start[i], e[k] = end[i], t[k] = step[i];
        k++;
    }
    if (!k)
        return x;
    struct ir_inst *y = emit1(n, IR_TENSOR_slice, &out, x);
    emit_ints(n, y, "axes", axes, k);
    emit_ints(n, y, "starts", s, k);
    emit_ints(n, y, "ends", e, k);
    emit_ints(n, y, "steps", t, k);
    return y;
}

struct ir_inst *emit_pad(struct node *n, struct ir_inst *x, const int64_t *pads, double value)
{
    if (!x)
        return NULL;
    struct shape in = inst_shape(x);
    int64_t start[IR_MAX_RANK] = {0}, end[IR_MAX_RANK] = {0}, step[IR_MAX_RANK] = {0}, grow[2 * IR_MAX_RANK];
    bool any = false;
    for (uint32_t i = 0; i < in.rank; i++) {
        int64_t lo = pads[i], hi = pads[i + in.rank], limit = (int64_t)1 << LOAD_MAX_NUMEL_LOG2;
        if (lo < -limit || hi < -limit || lo > limit || hi > limit) {
            node_error(n, "padding %lld, %lld out of range", (long long)lo, (long long)hi);
            return NULL;
        }
        start[i] = lo < 0 ? -lo : 0;
        end[i] = in.dim[i] - (hi < 0 ? -hi : 0);
        step[i] = 1;
        grow[i] = lo > 0 ? lo : 0;
        grow[i + in.rank] = hi > 0 ? hi : 0;
        any |= grow[i] || grow[i + in.rank];
    }
    if (!(x = emit_slice(n, x, start, end, step)) || !any)
        return x;
    struct shape out = inst_shape(x);
    for (uint32_t i = 0; i < out.rank; i++)
        out.dim[i] += grow[i] + grow[i + out.rank];
    if (!isfinite(value)) {
        node_error(n, "padding with an infinity or a NaN");
        return NULL;
    }
    struct ir_inst *y = emit1(n, IR_TENSOR_pad, &out, x);
    emit_ints(n, y, "pads", grow, 2 * out.rank);
    if (y)
        ir_set_float(n->ld->mod, ir_inst_attrs(y), "value", value);
    return y;
}

struct ir_inst *emit_act(struct node *n, struct ir_inst *x, const char *fn)
{
    if (!x)
        return NULL;
    struct shape s = inst_shape(x);
    struct ir_inst *y = emit1(n, IR_TENSOR_act, &s, x);
    if (y)
        ir_set_string(n->ld->mod, ir_inst_attrs(y), "fn", fn);
    return y;
}
