// SPDX-License-Identifier: Apache-2.0
// tensor -> vec: every value gets a layout, every affine map becomes a slot-space matrix.
//
// Slotwise operations (products, sums, polynomials, constants) tie their operands and result to one layout: a class. Affine maps lead
// from class to class; reshape changes nothing. The search prices each map between candidate layouts by its rotations and products under
// the BSGS planner. Costs one level a map; the number n of slots is one for the program.
// source: [HS14] diagonals and folding; multiplexed layouts as in [LLK+22], [EBAS23]; see docs/design/0003-layouts.md.
#include "pass.h"
#include "affine.h"
#include "layout_search.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

static const int64_t MAX_NUMEL = 1 << 24;

struct state {
    struct arena *a;
    struct ir_module *m;
    uint32_t n;
    uint32_t *root;             // union-find by instruction id
    uint32_t *class_of;         // by id of the root: class index + 1
    struct lproblem p;
    uint32_t *edge_of;          // by id of an affine: edge index
    struct ir_inst **value;     // by id: its vec instruction
};

static uint32_t find(uint32_t *root, uint32_t k)
{
    while (root[k] != k) k = root[k] = root[root[k]];
    return k;
}

static uint32_t class_of(struct state *s, const struct ir_inst *i)
{
    return s->class_of[find(s->root, i->id)] - 1;
}

static bool slotwise(enum ir_op op)
{
    switch (op) {
    case IR_TENSOR_add:
    case IR_TENSOR_sub:
    case IR_TENSOR_mul:
    case IR_TENSOR_poly:
    case IR_TENSOR_addc:
    case IR_TENSOR_mulc:
    case IR_TENSOR_reshape: return true;
    default: return false;
    }
}

static int check(struct state *s)
{
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        const char *where = ir_get_string(i->attrs, "node", NULL);
        bool known = i->op == IR_TENSOR_input || i->op == IR_TENSOR_affine || slotwise(i->op);
        if (known && i->op == IR_TENSOR_mulc) known = ir_const_numel(util_const(s->m, i, "value")) == 1;
        if (known && i->op == IR_TENSOR_poly)
            known = ir_get_float(i->attrs, "half", 1) == 1 && ir_get_float(i->attrs, "mid", 0) == 0;
        if (ir_type_numel(&i->type) > MAX_NUMEL) {
            diag_error(where, "%s gives %lld elements, at most %lld are supported", ir_op_name(i->op),
                       (long long)ir_type_numel(&i->type), (long long)MAX_NUMEL);
            return -1;
        }
        for (uint32_t k = 0; known && k < i->nargs && slotwise(i->op); k++)
            known = ir_type_numel(&i->args[k]->type) == ir_type_numel(&i->type);
        if (known) continue;
        diag_error(where, "%s cannot be laid out; run the pass \"affine\" first", ir_op_name(i->op));
        return -1;
    }
    return 0;
}

/* Axes of a class: those of the type without the batch axis of extent 1 (inner values may lack one: their first axis then counts). */
static uint32_t axes_of(const struct ir_type *t)
{
    bool batch = t->rank > 1 && t->dim[0] == 1;
    return t->rank == 0 ? 1 : t->rank - batch;
}

static void shape_of(struct lclass *c, const struct ir_type *t)
{
    c->rank = axes_of(t);
    c->dim[0] = 1;
    for (uint32_t d = 0; d < c->rank && t->rank; d++) c->dim[d] = t->dim[t->rank - c->rank + d];
}

/* Classes in program order; a class takes the shape of its input if it has one, else the shape with most axes. */
static void make_classes(struct state *s, uint32_t count)
{
    s->root = ARENA_ARRAY(s->a, uint32_t, count);
    s->class_of = ARENA_ARRAY(s->a, uint32_t, count);
    for (uint32_t k = 0; k < count; k++) s->root[k] = k;
    for (struct ir_inst *i = s->m->first; i; i = i->next)
        for (uint32_t k = 0; k < i->nargs && slotwise(i->op); k++) s->root[find(s->root, i->args[k]->id)] = find(s->root, i->id);
    s->p.classes = ARENA_ARRAY(s->a, struct lclass, count);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        uint32_t r = find(s->root, i->id);
        if (!s->class_of[r]) s->class_of[r] = ++s->p.nclasses;
        struct lclass *c = &s->p.classes[s->class_of[r] - 1];
        if (i->op == IR_TENSOR_input) {
            shape_of(c, &i->type);
            c->client = true;
        } else if (!c->client && (c->rank == 0 || axes_of(&i->type) > c->rank)) {
            shape_of(c, &i->type);
        }
    }
    for (uint32_t k = 0; k < s->m->noutputs; k++) s->p.classes[class_of(s, s->m->outputs[k])].output = true;
    for (struct ir_inst *i = s->m->first; i; i = i->next)       // a class that a map writes is not the client's to pack
        if (i->op == IR_TENSOR_affine) s->p.classes[class_of(s, i)].client = false;
}

static void make_edges(struct state *s, uint32_t count)
{
    s->edge_of = ARENA_ARRAY(s->a, uint32_t, count);
    s->p.edges = ARENA_ARRAY(s->a, struct ledge, count);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_TENSOR_affine) continue;
        s->edge_of[i->id] = s->p.nedges;
        struct ledge *e = &s->p.edges[s->p.nedges++];
        e->from = class_of(s, i->args[0]);
        e->to = class_of(s, i);
        struct ir_csr mat = ir_csr_find(s->m, ir_get_string(i->attrs, "mat", ""));
        e->rows = map_rows(s->a, &mat, s->p.classes[e->from].rank, s->p.classes[e->from].dim);
        e->nnz = ir_csr_nnz(&mat);
        e->pattern = sparse_pattern_hash(&mat);
        const struct ir_attr *st = ir_attr_find(i->attrs, "strides");
        e->nstrides = st ? (uint32_t)st->ints.n : 0;
        for (uint32_t k = 0; k < e->nstrides; k++) e->stride[k] = st->ints.v[k];
    }
}

/* Levels from the inputs to the deepest value. */
static int depth(struct state *s, uint32_t count)
{
    int *level = ARENA_ARRAY(s->a, int, count), deepest = 0;
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        size_t degree = 1;
        int use = 0;
        if (i->op == IR_TENSOR_affine || i->op == IR_TENSOR_mul || i->op == IR_TENSOR_mulc) use = 1;
        if (i->op == IR_TENSOR_poly) {
            util_coeffs(s->m, i, &degree);
            for (use = 0; ((size_t)1 << use) < degree + 1;) use++;
        }
        for (uint32_t k = 0; k < i->nargs; k++)
            if (level[i->args[k]->id] > level[i->id]) level[i->id] = level[i->args[k]->id];
        level[i->id] += use;
        if (level[i->id] > deepest) deepest = level[i->id];
    }
    return deepest;
}

/* Slots of a vector. Rotations cost the same for any n <= N/2, and copies of small tensors save rotations, so n is N/2 for the least N
 * that a chain of this depth can have; deeper programs bootstrap, which is cheaper with fewer slots: then the largest tensor decides. A batch
 * shares the ring: its samples get an equal part each. */
static uint32_t choose_slots(struct state *s, const struct options *opt, uint32_t count)
{
    if (opt && opt->log_slots) return 1u << opt->log_slots;
    uint32_t batch = opt && opt->batch > 1 ? (uint32_t)opt->batch : 1;
    int64_t largest = 1;
    for (struct ir_inst *i = s->m->first; i; i = i->next)
        if (ir_type_numel(&i->type) > largest) largest = ir_type_numel(&i->type);
    uint32_t most = CK_LOGN_MAX - 1, least = 9, logn = CK_LOGN_MIN;
    int levels = depth(s, count);
    double bits = 50 + 30.0 * levels + 40;          // a base prime, a prime a level, a special prime: the least there can be
    while (logn < CK_LOGN_MAX && ck_security_max_logqp(logn) < bits) logn++;
    if (opt && opt->logn) logn = (uint32_t)opt->logn;
    if (bits <= ck_security_max_logqp(logn)) return (1u << (logn - 1)) / batch;
    while (least < most && (INT64_C(1) << least) < largest) least++;
    if (1u << least > (1u << most) / batch) return (1u << most) / batch;
    return 1u << least;
}

static struct ir_inst *emit(struct state *s, const struct ir_inst *from, enum ir_op op, uint32_t nargs, struct ir_inst *const *args)
{
    const struct place *p = s->p.classes[class_of(s, from)].place;
    struct ir_inst *i = ir_build(s->m, NULL, op, ir_type_vec(p->count, s->n), nargs, args);
    for (const char *const *k = (const char *const[]){"node", "rlo", "rhi", "name", NULL}; *k; k++) {
        const struct ir_attr *a = ir_attr_find(from->attrs, *k);
        if (a && a->kind == IR_STRING) ir_set_string(s->m, &i->attrs, *k, a->s);
        if (a && a->kind == IR_FLOAT) ir_set_float(s->m, &i->attrs, *k, a->f);
    }
    return i;
}

/* The layout seen as one of the given type: the same digits, or all digits on one axis if the class has another shape. */
static const char *layout_text(struct state *s, const struct place *p, const struct ir_type *t)
{
    struct layout l = p->l;
    struct lclass c = {0};
    shape_of(&c, t);
    if (c.rank != l.rank || memcmp(c.dim, l.dim, sizeof *c.dim * c.rank) != 0) {
        uint32_t axes = 0;
        for (uint32_t d = 0; d < c.rank; d++) axes += c.dim[d] != 1;
        if (axes <= 1) {
            uint32_t axis = 0;
            while (axis + 1 < c.rank && c.dim[axis] == 1) axis++;
            l.rank = c.rank;
            memcpy(l.dim, c.dim, sizeof l.dim);
            for (uint32_t d = 0; d < l.ndigits; d++) l.digit[d].axis = axis;
        }
    }
    return layout_print(s->a, &l);
}

static const char *spread_const(struct state *s, const struct place *p, const struct ir_const *c, const char *name,
                                const struct ir_type *t)
{
    double *v = ARENA_ARRAY(s->a, double, p->numel);
    for (int64_t k = 0; k < p->numel; k++)
        v[k] = ir_const_at(c, ir_const_numel(c) == p->numel ? k : util_broadcast(t, c->rank, c->dim, k));
    int64_t n = (int64_t)p->count * s->n;
    struct ir_const *out = ir_const_add(s->m, name, IR_F64, 1, &n);
    place_spread(out->data, p, v);
    return out->name;
}

static struct ir_inst *emit_linear(struct state *s, struct ir_inst *i, struct ir_inst *x)
{
    const struct ledge *e = &s->p.edges[s->edge_of[i->id]];
    const struct place *in = s->p.classes[e->from].place, *to = s->p.classes[e->to].place;
    struct arena *tmp = arena_new();
    struct map_plan plan;
    map_plan(tmp, &plan, &e->rows, in, to, INFINITY);
    struct ir_csr m = map_matrix(tmp, &plan, &e->rows, in, to);
    struct ir_inst *y = emit(s, i, IR_VEC_linear, 1, &x);
    ir_set_symbol(s->m, &y->attrs, "mat", ir_csr_add(s->m, ir_get_string(i->attrs, "mat", "m"), &m));
    ir_set_ints(s->m, &y->attrs, "baby", plan.plan.baby, plan.plan.nbaby);
    ir_set_ints(s->m, &y->attrs, "giant", plan.plan.giant, plan.plan.ngiant);
    if (plan.nfold) ir_set_ints(s->m, &y->attrs, "fold", plan.fold, plan.nfold);
    if (ir_attr_find(i->attrs, "bias")) {
        const struct ir_const *b = util_const(s->m, i, "bias");
        ir_set_symbol(s->m, &y->attrs, "bias", spread_const(s, to, b, b->name, &i->type));
    }
    ir_set_string(s->m, &y->attrs, "layout", layout_text(s, to, &i->type));
    arena_free(tmp);
    ir_csr_drop(s->m, ir_get_string(i->attrs, "mat", ""));
    ir_unset(&i->attrs, "mat");
    return y;
}

static struct ir_inst *convert(struct state *s, struct ir_inst *i)
{
    const struct place *p = s->p.classes[class_of(s, i)].place;
    struct ir_inst *args[2] = {NULL, NULL}, *y;
    for (uint32_t k = 0; k < i->nargs; k++) args[k] = s->value[i->args[k]->id];
    const struct ir_attr *shape;
    size_t degree;
    switch (i->op) {
    case IR_TENSOR_input:
        y = emit(s, i, IR_VEC_input, 0, NULL);
        ir_set_string(s->m, &y->attrs, "layout", layout_text(s, p, &i->type));
        shape = ir_attr_find(i->attrs, "shape");
        if (shape) ir_set_ints(s->m, &y->attrs, "shape", shape->ints.v, shape->ints.n);
        else ir_set_ints(s->m, &y->attrs, "shape", i->type.dim, i->type.rank);
        return y;
    case IR_TENSOR_affine: return emit_linear(s, i, args[0]);
    case IR_TENSOR_reshape: return args[0];
    case IR_TENSOR_add: return emit(s, i, IR_VEC_add, 2, args);
    case IR_TENSOR_sub: return emit(s, i, IR_VEC_sub, 2, args);
    case IR_TENSOR_mul: return emit(s, i, IR_VEC_mul, 2, args);
    case IR_TENSOR_addc: {
        const struct ir_const *c = util_const(s->m, i, "value");
        y = emit(s, i, IR_VEC_addc, 1, args);
        ir_set_symbol(s->m, &y->attrs, "value", spread_const(s, p, c, c->name, &i->type));
        return y;
    }
    case IR_TENSOR_mulc:
        y = emit(s, i, IR_VEC_mulc, 1, args);
        ir_set_float(s->m, &y->attrs, "value", ir_const_at(util_const(s->m, i, "value"), 0));
        return y;
    default: {          // poly
        const double *c = util_coeffs(s->m, i, &degree);
        y = emit(s, i, IR_VEC_poly, 1, args);
        util_set_coeffs(s->m, y, c, degree);
        return y;
    }
    }
}

enum pass_res pass_layout(struct pass_ctx *ctx, struct ir_module *m)
{
    ir_remove_dead(m);
    ir_renumber(m);
    uint32_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) i->id = count++;
    struct state s = {.a = ctx->scratch, .m = m};
    if (check(&s) != 0) return PASS_FAIL;
    s.n = choose_slots(&s, ctx->opt, count);
    if (!s.n) {
        diag_error("--batch", "%d samples need more slots than the ring of this program has", ctx->opt->batch);
        return PASS_FAIL;
    }
    make_classes(&s, count);
    make_edges(&s, count);
    s.p.arena = ctx->scratch;
    s.p.n = s.n;
    layout_search(&s.p);

    s.value = ARENA_ARRAY(s.a, struct ir_inst *, count);
    struct ir_inst *last = m->last;
    m->dialect = IR_VEC;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        s.value[i->id] = convert(&s, i);
        if (i == last) break;
    }
    for (uint32_t k = 0; k < m->noutputs; k++) {
        struct ir_inst *y = m->outputs[k];
        ir_set_string(m, &m->output_attrs[k], "layout", layout_text(&s, s.p.classes[class_of(&s, y)].place, &y->type));
        if (!ir_attr_find(m->output_attrs[k], "shape"))
            ir_set_ints(m, &m->output_attrs[k], "shape", y->type.dim, y->type.rank);
        m->outputs[k] = s.value[y->id];
    }
    for (struct ir_inst *i = last, *prev; i; i = prev) {
        prev = i->prev;
        ir_remove(m, i);
    }
    return PASS_CHANGED;
}
