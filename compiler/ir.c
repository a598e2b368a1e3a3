// SPDX-License-Identifier: Apache-2.0
// The module: a list of instructions in order of evaluation, edited in place.
#include "ir.h"
#include "diag.h"
#include <string.h>

static const struct {
    const char *name;
    enum ir_dialect dialect;
} ops[] = {
#define TENSOR_PREFIX "tensor."
#define VEC_PREFIX "vec."
#define CKKS_PREFIX "ckks."
#define OP(d, n, min, max, summary) {d##_PREFIX #n, IR_##d},
#include "ops.def"
#undef OP
};

const char *ir_op_name(enum ir_op op)
{
    return ops[op].name;
}

enum ir_dialect ir_op_dialect(enum ir_op op)
{
    return ops[op].dialect;
}

int64_t ir_type_numel(const struct ir_type *t)
{
    if (t->kind != IR_TENSOR) return (int64_t)t->count * t->n;
    int64_t n = 1;
    for (uint32_t i = 0; i < t->rank; i++) n *= t->dim[i];
    return n;
}

bool ir_type_equal(const struct ir_type *a, const struct ir_type *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == IR_TENSOR) return a->rank == b->rank && !memcmp(a->dim, b->dim, a->rank * sizeof *a->dim);
    if (a->count != b->count || a->n != b->n) return false;
    return a->kind == IR_VEC || (a->level == b->level && a->degree == b->degree && a->scale == b->scale);
}

struct ir_type ir_type_tensor(uint32_t rank, const int64_t *dim)
{
    ICE_IF(rank > IR_MAX_RANK, "tensor of rank %u", rank);
    struct ir_type t = {.kind = IR_TENSOR, .rank = rank};
    if (rank) memcpy(t.dim, dim, rank * sizeof *dim);
    return t;
}

struct ir_type ir_type_vec(uint32_t count, uint32_t n)
{
    return (struct ir_type){.kind = IR_VEC, .count = count, .n = n};
}

struct ir_type ir_type_ct(uint32_t count, uint32_t n, int32_t level, double scale, uint32_t degree)
{
    return (struct ir_type){.kind = IR_CKKS, .count = count, .n = n, .level = level, .degree = degree, .scale = scale};
}

struct ir_module *ir_module_new(const char *name, enum ir_dialect dialect)
{
    struct arena *a = arena_new();
    struct ir_module *m = ARENA_NEW(a, struct ir_module);
    m->arena = a;
    m->name = arena_strdup(a, name);
    m->dialect = dialect;
    return m;
}

void ir_module_free(struct ir_module *m)
{
    if (m) arena_free(m->arena);
}

void ir_renumber(struct ir_module *m)
{
    uint32_t id = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) i->id = id++;
}

struct ir_inst *ir_build(struct ir_module *m, struct ir_inst *before, enum ir_op op, struct ir_type type, uint32_t nargs,
                         struct ir_inst *const *args)
{
    struct ir_inst *i = ARENA_NEW(m->arena, struct ir_inst);
    i->op = op;
    i->type = type;
    i->nargs = nargs;
    i->args = arena_copy(m->arena, args, nargs * sizeof *args);
    i->next = before;
    i->prev = before ? before->prev : m->last;
    *(i->prev ? &i->prev->next : &m->first) = i;
    *(before ? &before->prev : &m->last) = i;
    return i;
}

void ir_remove(struct ir_module *m, struct ir_inst *i)
{
    *(i->prev ? &i->prev->next : &m->first) = i->next;
    *(i->next ? &i->next->prev : &m->last) = i->prev;
    i->prev = i->next = NULL;
}

void ir_replace_uses(struct ir_module *m, struct ir_inst *old, struct ir_inst *with)
{
    for (struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t k = 0; k < i->nargs; k++)
            if (i->args[k] == old && i != with) i->args[k] = with;
    for (uint32_t k = 0; k < m->noutputs; k++)
        if (m->outputs[k] == old) m->outputs[k] = with;
}

uint32_t ir_count_uses(const struct ir_module *m, const struct ir_inst *v)
{
    uint32_t n = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t k = 0; k < i->nargs; k++) n += i->args[k] == v;
    for (uint32_t k = 0; k < m->noutputs; k++) n += m->outputs[k] == v;
    return n;
}

static bool is_input(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_input || i->op == IR_VEC_input || i->op == IR_CKKS_input;
}

void ir_remove_dead(struct ir_module *m)
{
    ir_renumber(m);
    uint32_t n = m->last ? m->last->id + 1 : 0;
    uint8_t *live = arena_alloc(m->arena, n);
    for (uint32_t k = 0; k < m->noutputs; k++) live[m->outputs[k]->id] = 1;
    for (struct ir_inst *i = m->last, *prev; i; i = prev) {
        prev = i->prev;
        if (!live[i->id] && !is_input(i)) {
            ir_remove(m, i);
            continue;
        }
        for (uint32_t k = 0; k < i->nargs; k++) live[i->args[k]->id] = 1;
    }
}

void ir_add_output(struct ir_module *m, struct ir_inst *v, struct ir_attr *attrs)
{
    struct ir_inst **o = ARENA_ARRAY(m->arena, struct ir_inst *, m->noutputs + 1);
    struct ir_attr **at = ARENA_ARRAY(m->arena, struct ir_attr *, m->noutputs + 1);
    if (m->noutputs) {
        memcpy(o, m->outputs, m->noutputs * sizeof(*o));
        memcpy(at, m->output_attrs, m->noutputs * sizeof(*at));
    }
    o[m->noutputs] = v;
    at[m->noutputs++] = attrs;
    m->outputs = o;
    m->output_attrs = at;
}

struct ir_attr **ir_inst_attrs(struct ir_inst *i)
{
    return &i->attrs;
}
