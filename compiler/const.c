// SPDX-License-Identifier: Apache-2.0
// Named constants and the sparse matrices made of four of them.
#include "diag.h"
#include "ir.h"
#include <stdio.h>
#include <string.h>

static const size_t dtype_size[] = {[IR_F64] = 8, [IR_F32] = 4, [IR_I64] = 8, [IR_I32] = 4};

int64_t ir_const_numel(const struct ir_const *c)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < c->rank; i++) n *= c->dim[i];
    return n;
}

struct ir_const *ir_const_find(const struct ir_module *m, const char *name)
{
    for (struct ir_const *c = m->consts; c; c = c->next)
        if (!strcmp(c->name, name)) return c;
    return NULL;
}

// Is `name`, or one of its parts "name.*", taken?
static bool taken(const struct ir_module *m, const char *name)
{
    size_t n = strlen(name);
    for (const struct ir_const *c = m->consts; c; c = c->next)
        if (!strncmp(c->name, name, n) && (!c->name[n] || c->name[n] == '.')) return true;
    return false;
}

static const char *unique(struct ir_module *m, const char *name)
{
    const char *u = arena_strdup(m->arena, name);
    for (unsigned k = 1; taken(m, u); k++) u = arena_printf(m->arena, "%s_%u", name, k);
    return u;
}

static struct ir_const *add(struct ir_module *m, const char *name, enum ir_dtype dtype, uint32_t rank, const int64_t *dim)
{
    ICE_IF(rank > IR_MAX_RANK, "constant '%s' of rank %u", name, rank);
    struct ir_const *c = ARENA_NEW(m->arena, struct ir_const);
    c->name = name;
    c->dtype = dtype;
    c->rank = rank;
    if (rank) memcpy(c->dim, dim, rank * sizeof *dim);
    c->data = arena_alloc(m->arena, (size_t)ir_const_numel(c) * dtype_size[dtype]);
    *(m->last_const ? &m->last_const->next : &m->consts) = c;
    return m->last_const = c;
}

struct ir_const *ir_const_add(struct ir_module *m, const char *name, enum ir_dtype dtype, uint32_t rank, const int64_t *dim)
{
    return add(m, unique(m, name), dtype, rank, dim);
}

double ir_const_at(const struct ir_const *c, int64_t i)
{
    switch (c->dtype) {
    case IR_F64: return ((const double *)c->data)[i];
    case IR_F32: return ((const float *)c->data)[i];
    case IR_I64: return (double)((const int64_t *)c->data)[i];
    case IR_I32: return ((const int32_t *)c->data)[i];
    }
    return 0;
}

void ir_consts_in_text(struct ir_module *m, int64_t most)
{
    for (struct ir_const *c = m->consts; c; c = c->next) c->in_text = ir_const_numel(c) <= most;
}

// Does any attribute of this list name the constant, or the matrix that it is a part of?
static bool named(const struct ir_attr *a, const struct ir_const *c)
{
    for (; a; a = a->next) {
        if (a->kind != IR_SYMBOL) continue;
        size_t n = strlen(a->s);
        if (!strncmp(c->name, a->s, n) && (!c->name[n] || c->name[n] == '.')) return true;
    }
    return false;
}

void ir_const_gc(struct ir_module *m)
{
    struct ir_const **at = &m->consts;
    m->last_const = NULL;
    while (*at) {
        bool used = named(m->attrs, *at);
        for (const struct ir_inst *i = m->first; i && !used; i = i->next) used = named(i->attrs, *at);
        for (uint32_t k = 0; k < m->noutputs && !used; k++) used = named(m->output_attrs[k], *at);
        if (used) {
            m->last_const = *at;
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
        }
    }
}

const char *ir_csr_add(struct ir_module *m, const char *name, const struct ir_csr *a)
{
    const char *base = unique(m, name);
    int64_t nnz = a->ptr[a->rows], ptrs = a->rows + 1, two = 2;
    struct ir_const *dim = add(m, arena_printf(m->arena, "%s.dim", base), IR_I64, 1, &two);
    memcpy(dim->data, (int64_t[]){a->rows, a->cols}, 2 * sizeof(int64_t));
    memcpy(add(m, arena_printf(m->arena, "%s.ptr", base), IR_I64, 1, &ptrs)->data, a->ptr, (size_t)ptrs * 8);
    struct ir_const *col = add(m, arena_printf(m->arena, "%s.col", base), IR_I32, 1, &nnz);
    struct ir_const *val = add(m, arena_printf(m->arena, "%s.val", base), IR_F64, 1, &nnz);
    if (nnz) {
        memcpy(col->data, a->col, (size_t)nnz * 4);
        memcpy(val->data, a->val, (size_t)nnz * 8);
    }
    return base;
}

// The part "name.suffix", checked.
static struct ir_const *part(const struct ir_module *m, const char *name, const char *suffix, enum ir_dtype dtype)
{
    size_t n = strlen(name);
    for (struct ir_const *c = m->consts; c; c = c->next)
        if (!strncmp(c->name, name, n) && c->name[n] == '.' && !strcmp(c->name + n + 1, suffix)) {
            ICE_IF(c->dtype != dtype || c->rank != 1, "'%s' is not part of a sparse matrix", c->name);
            return c;
        }
    ICE("sparse matrix '%s' has no part '%s'", name, suffix);
}

struct ir_csr ir_csr_find(const struct ir_module *m, const char *name)
{
    const int64_t *dim = part(m, name, "dim", IR_I64)->data;
    return (struct ir_csr){dim[0], dim[1], part(m, name, "ptr", IR_I64)->data, part(m, name, "col", IR_I32)->data,
                           part(m, name, "val", IR_F64)->data};
}
