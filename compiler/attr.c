// SPDX-License-Identifier: Apache-2.0
// Attributes: a list sorted by key, so that printing and comparing are canonical.
#include "diag.h"
#include "ir.h"
#include <string.h>

const struct ir_attr *ir_attr_find(const struct ir_attr *list, const char *key)
{
    for (; list; list = list->next)
        if (!strcmp(list->key, key)) return list;
    return NULL;
}

// The attribute of this key, made in its sorted place if absent.
static struct ir_attr *slot(struct ir_module *m, struct ir_attr **list, const char *key, enum ir_attr_kind kind)
{
    while (*list && strcmp((*list)->key, key) < 0) list = &(*list)->next;
    if (!*list || strcmp((*list)->key, key)) {
        struct ir_attr *a = ARENA_NEW(m->arena, struct ir_attr);
        a->key = arena_strdup(m->arena, key);
        a->next = *list;
        *list = a;
    }
    (*list)->kind = kind;
    return *list;
}

void ir_set_int(struct ir_module *m, struct ir_attr **list, const char *key, int64_t v)
{
    slot(m, list, key, IR_INT)->i = v;
}

void ir_set_float(struct ir_module *m, struct ir_attr **list, const char *key, double v)
{
    slot(m, list, key, IR_FLOAT)->f = v;
}

void ir_set_string(struct ir_module *m, struct ir_attr **list, const char *key, const char *v)
{
    const char *copy = arena_strdup(m->arena, v);
    slot(m, list, key, IR_STRING)->s = copy;
}

void ir_set_symbol(struct ir_module *m, struct ir_attr **list, const char *key, const char *v)
{
    const char *copy = arena_strdup(m->arena, v);
    slot(m, list, key, IR_SYMBOL)->s = copy;
}

void ir_set_ints(struct ir_module *m, struct ir_attr **list, const char *key, const int64_t *v, size_t n)
{
    const int64_t *copy = arena_copy(m->arena, v, n * sizeof *v);
    struct ir_attr *a = slot(m, list, key, IR_INTS);
    a->ints.v = copy;
    a->ints.n = n;
}

void ir_set_floats(struct ir_module *m, struct ir_attr **list, const char *key, const double *v, size_t n)
{
    const double *copy = arena_copy(m->arena, v, n * sizeof *v);
    struct ir_attr *a = slot(m, list, key, IR_FLOATS);
    a->floats.v = copy;
    a->floats.n = n;
}

void ir_unset(struct ir_attr **list, const char *key)
{
    while (*list && strcmp((*list)->key, key)) list = &(*list)->next;
    if (*list) *list = (*list)->next;
}

int64_t ir_get_int(const struct ir_attr *list, const char *key, int64_t def)
{
    const struct ir_attr *a = ir_attr_find(list, key);
    ICE_IF(a && a->kind != IR_INT, "attribute '%s' is not an integer", key);
    return a ? a->i : def;
}

double ir_get_float(const struct ir_attr *list, const char *key, double def)
{
    const struct ir_attr *a = ir_attr_find(list, key);
    ICE_IF(a && a->kind != IR_FLOAT, "attribute '%s' is not a float", key);
    return a ? a->f : def;
}

const char *ir_get_string(const struct ir_attr *list, const char *key, const char *def)
{
    const struct ir_attr *a = ir_attr_find(list, key);
    ICE_IF(a && a->kind != IR_STRING && a->kind != IR_SYMBOL, "attribute '%s' is not a string or symbol", key);
    return a ? a->s : def;
}

void ir_copy_attrs(struct ir_module *m, struct ir_attr **to, const struct ir_attr *from)
{
    for (; from; from = from->next) switch (from->kind) {
        case IR_INT: ir_set_int(m, to, from->key, from->i); break;
        case IR_FLOAT: ir_set_float(m, to, from->key, from->f); break;
        case IR_STRING: ir_set_string(m, to, from->key, from->s); break;
        case IR_SYMBOL: ir_set_symbol(m, to, from->key, from->s); break;
        case IR_INTS: ir_set_ints(m, to, from->key, from->ints.v, from->ints.n); break;
        case IR_FLOATS: ir_set_floats(m, to, from->key, from->floats.v, from->floats.n); break;
        }
}

int64_t ir_batch(const struct ir_module *m)
{
    return ir_get_int(m->attrs, "batch", 1);
}
