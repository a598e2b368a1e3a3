// SPDX-License-Identifier: Apache-2.0
// Every linear operator becomes one sparse affine map y = A x + b, and neighbouring maps are multiplied out where that is cheaper.
//
//   - broadcasting operands of add/sub/mul get an explicit copying map; concat becomes a sum of embedded parts;
//   - a polynomial's change of variable (x - mid) / half becomes a map in front of it, which its neighbours absorb;
//   - add(A x, B x) becomes (A + B) x; a map of a sum of embeddings is distributed over it, which saves their level;
//   - permutations, selections, embeddings and diagonal scalings are always absorbed by a neighbouring map;
//   - other products B (A x) are formed, best gain first, while the price of B A is below those of A and B plus one level.
// At the end multiples of the identity go back to reshape, mulc and addc, which cost no rotation (and addc no level).
// Pays: one level and one set of rotations a product; costs compile time proportional to the entries.
// source: composition before layout is this compiler's own; the general products' price is counted as in BSGS [HS14].
#include "pass.h"
#include "affine.h"
#include "util.h"

#include "../compiler/diag.h"

#include <string.h>

static const int64_t MAX_ENTRIES = INT64_C(1) << 34;     // of one matrix; a convolution stores far fewer
static const double LEVEL_PRICE = 8;    // rotations that one level is worth

struct state {
    struct arena *a;
    struct ir_module *m;
    struct affine *map;         // by instruction id: of the tensor.affine instructions
    int64_t *max_row, *max_col; // by id; -1: not counted yet
    uint32_t *version;          // by id: changes with the map
    uint64_t *refused;          // by id: versions of this map and of the one it reads when composing them did not pay
    uint32_t count, cap, versions;
};

static void number(struct state *s, struct ir_inst *i)
{
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? 2 * s->cap : 256;
        struct affine *map = ARENA_ARRAY(s->a, struct affine, cap);
        int64_t *r = ARENA_ARRAY(s->a, int64_t, cap), *c = ARENA_ARRAY(s->a, int64_t, cap);
        uint32_t *v = ARENA_ARRAY(s->a, uint32_t, cap);
        uint64_t *f = ARENA_ARRAY(s->a, uint64_t, cap);
        if (s->count) {
            memcpy(map, s->map, sizeof *map * s->count);
            memcpy(r, s->max_row, sizeof *r * s->count);
            memcpy(c, s->max_col, sizeof *c * s->count);
            memcpy(v, s->version, sizeof *v * s->count);
            memcpy(f, s->refused, sizeof *f * s->count);
        }
        s->map = map;
        s->max_row = r;
        s->max_col = c;
        s->version = v;
        s->refused = f;
        s->cap = cap;
    }
    s->max_row[s->count] = s->max_col[s->count] = -1;
    i->id = s->count++;
}

static void keep_node(struct state *s, struct ir_inst *to, const struct ir_inst *from)
{
    const char *node = ir_get_string(from->attrs, "node", NULL);
    if (node && to != from) ir_set_string(s->m, &to->attrs, "node", node);
}

/* The map of an instruction that has gone, or that gets another. */
static void drop_map(struct state *s, const struct ir_inst *i)
{
    struct affine *f = &s->map[i->id];
    if (!f->shared) sparse_drop(s->a, &f->mat);
    *f = (struct affine){0};
}

static void set_map(struct state *s, struct ir_inst *i, struct affine map)
{
    drop_map(s, i);
    s->map[i->id] = map;
    s->version[i->id] = ++s->versions;
    s->max_row[i->id] = s->max_col[i->id] = -1;
}

/* Turns an instruction into a map, keeping its name only. */
static void become(struct state *s, struct ir_inst *i, struct affine map)
{
    const char *node = ir_get_string(i->attrs, "node", NULL);
    i->op = IR_TENSOR_affine;
    i->attrs = NULL;
    if (node) ir_set_string(s->m, &i->attrs, "node", node);
    set_map(s, i, map);
}

static struct ir_inst *new_map(struct state *s, struct ir_inst *before, struct ir_type t, struct ir_inst *x, struct affine map)
{
    struct ir_inst *y = ir_build(s->m, before, IR_TENSOR_affine, t, 1, &x);
    number(s, y);
    set_map(s, y, map);
    keep_node(s, y, before);
    return y;
}

static void spread_operands(struct state *s, struct ir_inst *i)
{
    for (uint32_t k = 0; k < i->nargs; k++) {
        if (ir_type_equal(&i->args[k]->type, &i->type)) continue;
        struct affine f = {.mat = affine_broadcast(s->a, &i->args[k]->type, &i->type)};
        struct ir_inst *old = i->args[k], *wide = new_map(s, i, i->type, old, f);
        for (uint32_t j = k; j < i->nargs; j++)
            if (i->args[j] == old) i->args[j] = wide;
    }
}

/* x = poly((x - mid) / half) -> poly(map(x)). */
static void normalise_poly(struct state *s, struct ir_inst *i)
{
    double half = ir_get_float(i->attrs, "half", 1), mid = ir_get_float(i->attrs, "mid", 0);
    if (half == 1 && mid == 0) return;
    int64_t n = ir_type_numel(&i->type);
    struct affine f = {.mat = sparse_identity(s->a, n)};
    for (int64_t k = 0; k < ir_csr_stored(&f.mat); k++) f.mat.val[k] = 1 / half;
    if (mid != 0) {
        f.bias = ARENA_ARRAY(s->a, double, n);
        for (int64_t k = 0; k < n; k++) f.bias[k] = -mid / half;
    }
    if (i->type.rank >= 3) f.nstrides = i->type.rank - 2;
    for (uint32_t d = 0; d < f.nstrides; d++) f.stride[d] = 1;
    i->args[0] = new_map(s, i, i->type, i->args[0], f);
    ir_set_float(s->m, &i->attrs, "half", 1);
    ir_set_float(s->m, &i->attrs, "mid", 0);
}

static void lower_concat(struct state *s, struct ir_inst *i)
{
    struct ir_inst *sum = NULL;
    for (uint32_t k = 0; k < i->nargs; k++) {
        struct affine f;
        affine_of(s->a, s->m, i, k, &f);
        struct ir_inst *part = new_map(s, i, i->type, i->args[k], f);
        if (sum) {
            struct ir_inst *both[2] = {sum, part};
            sum = ir_build(s->m, i, IR_TENSOR_add, i->type, 2, both);
            number(s, sum);
            keep_node(s, sum, i);
        } else {
            sum = part;
        }
    }
    ir_replace_uses(s->m, i, sum);
    ir_remove(s->m, i);
}

/* Refuses what no machine could hold; 0 or -1. */
static int check_size(struct state *s, const struct ir_inst *i)
{
    int64_t entries = ir_type_numel(&i->type);
    if (i->op == IR_TENSOR_conv || i->op == IR_TENSOR_gemm) {
        const struct ir_const *w = util_const(s->m, i, "weight");
        int64_t rows = w->dim[0] > 0 ? w->dim[0] : 1;
        if (__builtin_mul_overflow(entries, ir_const_numel(w) / rows, &entries)) entries = INT64_MAX;
    }
    if (entries <= MAX_ENTRIES) return 0;
    diag_error(ir_get_string(i->attrs, "node", NULL), "%s is too large: its matrix would have %lld entries, at most %lld are supported",
               ir_op_name(i->op), (long long)entries, (long long)MAX_ENTRIES);
    return -1;
}

static int lower(struct state *s)
{
    for (struct ir_inst *i = s->m->first, *next; i; i = next) {
        next = i->next;
        struct affine f;
        if (check_size(s, i) != 0) return -1;
        switch (i->op) {
        case IR_TENSOR_input: break;
        case IR_TENSOR_add:
        case IR_TENSOR_sub:
        case IR_TENSOR_mul: spread_operands(s, i); break;
        case IR_TENSOR_poly: normalise_poly(s, i); break;
        case IR_TENSOR_concat: lower_concat(s, i); break;
        default:
            if (!affine_of(s->a, s->m, i, 0, &f)) {
                diag_error(ir_get_string(i->attrs, "node", NULL), "%s is left over: it is neither linear nor a polynomial",
                           ir_op_name(i->op));
                return -1;
            }
            become(s, i, f);
        }
    }
    return 0;
}

static bool is_map(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_affine;
}

static bool is_sum(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_add || i->op == IR_TENSOR_sub;
}

static int64_t max_row(struct state *s, const struct ir_inst *i)
{
    if (s->max_row[i->id] < 0) s->max_row[i->id] = sparse_max_row(&s->map[i->id].mat);
    return s->max_row[i->id];
}

static int64_t max_col(struct state *s, const struct ir_inst *i)
{
    if (s->max_col[i->id] < 0) s->max_col[i->id] = sparse_max_col(&s->map[i->id].mat);
    return s->max_col[i->id];
}

/* A permutation, selection, embedding or diagonal scaling. */
static bool monomial(struct state *s, const struct ir_inst *i)
{
    return max_row(s, i) <= 1 && max_col(s, i) <= 1;
}

static double *sum_bias(struct state *s, int64_t n, const double *a, const double *b, double factor)
{
    if (!a && !b) return NULL;
    double *c = ARENA_ARRAY(s->a, double, n);
    for (int64_t k = 0; k < n; k++) c[k] = (a ? a[k] : 0) + (b ? factor * b[k] : 0);
    return c;
}

/* add(A x, B x) -> (A + B) x, and add(x, x) -> 2 x. */
static bool merge_sum(struct state *s, struct ir_inst *i)
{
    if (!is_sum(i)) return false;
    struct ir_inst *u = i->args[0], *v = i->args[1];
    double factor = i->op == IR_TENSOR_sub ? -1 : 1;
    struct affine f = {0};
    if (u == v) {
        f.mat = sparse_identity(s->a, ir_type_numel(&i->type));
        f.mat = sparse_add(s->a, &f.mat, &f.mat, factor);
        i->nargs = 1;
        become(s, i, f);
        return true;
    }
    if (!is_map(u) || !is_map(v) || u->args[0] != v->args[0]) return false;
    if (ir_count_uses(s->m, u) != 1 || ir_count_uses(s->m, v) != 1) return false;
    struct affine *a = &s->map[u->id], *b = &s->map[v->id];
    f.mat = sparse_add(s->a, &a->mat, &b->mat, factor);
    f.bias = sum_bias(s, f.mat.rows, a->bias, b->bias, factor);
    if (a->nstrides == b->nstrides && memcmp(a->stride, b->stride, sizeof *a->stride * a->nstrides) == 0) {
        f.nstrides = a->nstrides;
        memcpy(f.stride, a->stride, sizeof f.stride);
    }
    i->nargs = 1;
    i->args[0] = u->args[0];
    become(s, i, f);
    drop_map(s, u);
    drop_map(s, v);
    ir_remove(s->m, u);
    ir_remove(s->m, v);
    return true;
}

/* C (A x + B y) -> C A x + C B y for embeddings A and B (concatenation) that nobody else reads. */
static bool distribute(struct state *s, struct ir_inst *i)
{
    if (!is_map(i) || !is_sum(i->args[0])) return false;
    struct ir_inst *sum = i->args[0], *part[2];
    if (ir_count_uses(s->m, sum) != 1) return false;
    for (int k = 0; k < 2; k++) {
        struct ir_inst *x = sum->args[k];
        bool nested = is_sum(x) && ir_count_uses(s->m, x) == 1;
        bool embedded = is_map(x) && ir_count_uses(s->m, x) == 1 && monomial(s, x);
        if (!nested && !embedded) return false;
    }
    struct affine outer = s->map[i->id];
    for (int k = 0; k < 2; k++) {
        struct affine f = outer;
        f.shared = true;
        if (k == 1) f.bias = NULL;
        part[k] = new_map(s, i, i->type, sum->args[k], f);
    }
    struct ir_inst *y = ir_build(s->m, i, sum->op, i->type, 2, part);
    number(s, y);
    keep_node(s, y, i);
    ir_replace_uses(s->m, i, y);
    ir_remove(s->m, i);
    ir_remove(s->m, sum);
    return true;
}

static double price(struct state *s, const struct ir_inst *i)
{
    return affine_price(max_row(s, i), max_col(s, i));
}

/* What composing `v` with the map it reads gains, in rotations; negative or zero: not worth it. */
static double gain(struct state *s, struct ir_inst *v)
{
    struct ir_inst *u = v->args[0];
    const struct ir_csr *a = &s->map[u->id].mat, *b = &s->map[v->id].mat;
    bool alone = ir_count_uses(s->m, u) == 1;
    if (monomial(s, u) || (monomial(s, v) && alone)) return 1e30;
    uint64_t pair = (uint64_t)s->version[u->id] << 32 | s->version[v->id];
    if (s->refused[v->id] == pair) return -1;
    double parts = price(s, v) + (alone ? price(s, u) : 0) + LEVEL_PRICE;
    int64_t limit = 4 * (ir_csr_nnz(a) + ir_csr_nnz(b)) + 65536;
    double g = -1;
    int64_t row, col;
    if (sparse_mul_nnz(b, a, limit, &row, &col) >= 0) g = parts - affine_price(row, col);
    if (g <= 0) s->refused[v->id] = pair;
    return g;
}

static void compose_into(struct state *s, struct ir_inst *v)
{
    struct ir_inst *u = v->args[0];
    set_map(s, v, affine_compose(s->a, &s->map[v->id], &s->map[u->id]));
    v->args[0] = u->args[0];
    if (ir_count_uses(s->m, u) > 0) return;
    drop_map(s, u);
    ir_remove(s->m, u);
}

static bool compose_best(struct state *s)
{
    struct ir_inst *best = NULL;
    double most = 0;
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (!is_map(i) || !is_map(i->args[0])) continue;
        double g = gain(s, i);
        if (g > most) {
            most = g;
            best = i;
        }
        if (g >= 1e30) break;
    }
    if (best) compose_into(s, best);
    return best != NULL;
}

static struct ir_const *constant(struct state *s, const struct ir_inst *i, const char *suffix, const double *v, bool uniform)
{
    const char *node = ir_get_string(i->attrs, "node", "map");
    char *name = arena_printf(s->a, "%s.%s", node, suffix);
    for (char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '.')) *c = '_';
    if (name[0] >= '0' && name[0] <= '9') name = arena_printf(s->a, "n%s", name);
    struct ir_const *k = uniform ? ir_const_add(s->m, name, IR_F64, 0, NULL)
                                 : ir_const_add(s->m, name, IR_F64, i->type.rank, i->type.dim);
    memcpy(k->data, v, sizeof *v * (uniform ? 1 : (size_t)ir_type_numel(&i->type)));
    return k;
}

static bool all_same(const double *v, int64_t n)
{
    for (int64_t k = 1; k < n; k++)
        if (v[k] != v[0]) return false;
    return true;
}

/* A multiple of the identity: reshape, mulc and addc as needed. */
static void unmap(struct state *s, struct ir_inst *i, double factor)
{
    struct affine *f = &s->map[i->id];
    int64_t n = ir_type_numel(&i->type);
    struct ir_inst *x = i->args[0];
    if (!ir_type_equal(&x->type, &i->type)) {
        x = ir_build(s->m, i, IR_TENSOR_reshape, i->type, 1, &x);
        keep_node(s, x, i);
    }
    if (factor != 1) {
        x = ir_build(s->m, i, IR_TENSOR_mulc, i->type, 1, &x);
        keep_node(s, x, i);
        ir_set_symbol(s->m, &x->attrs, "value", constant(s, i, "factor", &factor, true)->name);
    }
    bool any = false;
    for (int64_t k = 0; f->bias && k < n; k++) any |= f->bias[k] != 0;
    if (any) {
        x = ir_build(s->m, i, IR_TENSOR_addc, i->type, 1, &x);
        keep_node(s, x, i);
        ir_set_symbol(s->m, &x->attrs, "value", constant(s, i, "bias", f->bias, all_same(f->bias, n))->name);
    }
    ir_replace_uses(s->m, i, x);
    ir_remove(s->m, i);
}

static void commit(struct state *s, struct ir_inst *i)
{
    struct affine *f = &s->map[i->id];
    double factor;
    if (sparse_is_scalar(&f->mat, &factor)) {
        unmap(s, i, factor);
        return;
    }
    const char *node = ir_get_string(i->attrs, "node", "map");
    char *name = arena_strdup(s->a, node);
    for (char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '.')) *c = '_';
    if (!*name || (name[0] >= '0' && name[0] <= '9')) name = arena_printf(s->a, "n%s", name);
    int64_t n = f->mat.rows;
    ir_set_symbol(s->m, &i->attrs, "mat", ir_csr_add(s->m, name, &f->mat));
    if (f->nstrides) ir_set_ints(s->m, &i->attrs, "strides", f->stride, f->nstrides);
    bool any = false;
    for (int64_t k = 0; f->bias && k < n; k++) any |= f->bias[k] != 0;
    if (any) {
        struct ir_const *b = ir_const_add(s->m, arena_printf(s->a, "%s.bias", name), IR_F64, 1, &n);
        memcpy(b->data, f->bias, sizeof(double) * (size_t)n);
        ir_set_symbol(s->m, &i->attrs, "bias", b->name);
    }
    drop_map(s, i);
}

enum pass_res pass_affine(struct pass_ctx *ctx, struct ir_module *m)
{
    struct state s = {.a = ctx->scratch, .m = m};
    ir_remove_dead(m);
    for (struct ir_inst *i = m->first; i; i = i->next) number(&s, i);
    if (lower(&s) != 0) return PASS_FAIL;
    for (bool again = true; again;) {
        again = false;
        for (struct ir_inst *i = m->first, *next; i; i = next) {
            next = i->next;
            if (merge_sum(&s, i) || distribute(&s, i)) again = true;
        }
        while (compose_best(&s)) again = true;
    }
    for (struct ir_inst *i = m->first, *next; i; i = next) {
        next = i->next;
        if (is_map(i)) commit(&s, i);
    }
    return PASS_CHANGED;
}
