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

// Takes a constant off the list. Its data goes at once if it is large.
static void drop(struct ir_module *m, struct ir_const **at)
{
    arena_release(m->arena, (*at)->data);
    *at = (*at)->next;
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
            drop(m, at);
        }
    }
}

int64_t ir_csr_nnz(const struct ir_csr *m)
{
    int64_t nnz = 0;
    if (!m->line) return m->ptr[m->rows];
    for (int64_t r = 0; r < m->rows; r++) nnz += m->ptr[m->line[r] + 1] - m->ptr[m->line[r]];
    return nnz;
}

static void add_part(struct ir_module *m, const char *base, const char *suffix, enum ir_dtype dtype, int64_t n, const void *v)
{
    struct ir_const *c = add(m, arena_printf(m->arena, "%s.%s", base, suffix), dtype, 1, &n);
    if (n) memcpy(c->data, v, (size_t)n * dtype_size[dtype]);
}

const char *ir_csr_add(struct ir_module *m, const char *name, const struct ir_csr *a)
{
    const char *base = unique(m, name);
    int64_t nnz = ir_csr_stored(a), lines = a->line ? a->lines : a->rows;
    const int64_t dim[] = {a->rows, a->cols, (int64_t)a->mask + 1};
    add_part(m, base, "dim", IR_I64, a->line ? 3 : 2, dim);
    add_part(m, base, "ptr", IR_I64, lines + 1, a->ptr);
    add_part(m, base, "col", IR_I32, nnz, a->col);
    add_part(m, base, "val", IR_F64, nnz, a->val);
    if (a->line) add_part(m, base, "line", IR_I32, a->rows, a->line);
    if (a->line) add_part(m, base, "shift", IR_I32, a->rows, a->shift);
    return base;
}

static bool is_part(const char *const_name, const char *name)
{
    size_t n = strlen(name);
    if (strncmp(const_name, name, n) || const_name[n] != '.') return false;
    for (const char *const *s = (const char *const[]){"dim", "ptr", "col", "val", "line", "shift", NULL}; *s; s++)
        if (!strcmp(const_name + n + 1, *s)) return true;
    return false;
}

void ir_csr_drop(struct ir_module *m, const char *name)
{
    m->last_const = NULL;
    for (struct ir_const **at = &m->consts; *at;) {
        if (is_part((*at)->name, name)) {
            drop(m, at);
        } else {
            m->last_const = *at;
            at = &(*at)->next;
        }
    }
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
    const struct ir_const *dims = part(m, name, "dim", IR_I64), *ptr = part(m, name, "ptr", IR_I64);
    const int64_t *dim = dims->data;
    struct ir_csr a = {.rows = dim[0], .cols = dim[1], .ptr = ptr->data, .col = part(m, name, "col", IR_I32)->data,
                       .val = part(m, name, "val", IR_F64)->data};
    if (dims->dim[0] == 2) return a;
    a.lines = ptr->dim[0] - 1;
    a.line = part(m, name, "line", IR_I32)->data;
    a.shift = part(m, name, "shift", IR_I32)->data;
    a.mask = (int32_t)(dim[2] - 1);
    return a;
}
