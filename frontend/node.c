// SPDX-License-Identifier: Apache-2.0
// Access to a node: messages about it, its attributes, inputs and results, and constants.

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
