// SPDX-License-Identifier: Apache-2.0
// vec -> ckks: gives every value its level and inserts relinearise, rescale and drop.
//
// Levels are assigned backwards: outputs end at level 0, an operation that uses k levels asks its operands for k more than its
// result. So every value sits as low as its deepest reader allows, every operation runs at the fewest limbs, and the depth of
// the whole program, which fixes the modulus, is the length of its longest path. A reader that sits lower gets a drop, made once per
// (value, level). Costs: linear 1, mul 1, mulc 1, poly ceil(log2(degree+1)), the rest 0.
//
// Products also fix their own scale (s1 s2 / q). Where a sum joins a product with something whose scale is fixed differently
// (products at different levels, or a product whose operands depend on the sum's own scale as in x + x^2), no choice of scales makes the sum exact;
// the product then gets a multiplication by 1 (one level), which lands on any scale. See scales.c.
#include "pass.h"
#include "cheb.h"
#include "util.h"

#include "../compiler/diag.h"

struct state {
    struct ir_module *m;
    uint32_t count;
    int *need;                  // by id: level of the result
    uint32_t *root;             // by id: union-find over "same scale"
};

static int op_levels(const struct ir_module *m, const struct ir_inst *i)
{
    size_t degree;
    switch (i->op) {
    case IR_VEC_linear: case IR_VEC_mul: case IR_VEC_mulc: return 1;
    case IR_VEC_poly:
        util_coeffs(m, i, &degree);
        return cheb_depth(degree);
    default: return 0;
    }
}

static void assign_levels(struct state *s)
{
    for (uint32_t k = 0; k < s->count; k++) s->need[k] = 0;
    for (struct ir_inst *i = s->m->last; i; i = i->prev) {
        int want = s->need[i->id] + op_levels(s->m, i);
        for (uint32_t a = 0; a < i->nargs; a++)
            if (s->need[i->args[a]->id] < want) s->need[i->args[a]->id] = want;
    }
}

static uint32_t find(struct state *s, uint32_t k)
{
    while (s->root[k] != k) k = s->root[k] = s->root[s->root[k]];
    return k;
}

static void unite(struct state *s, const struct ir_inst *a, const struct ir_inst *b)
{
    s->root[find(s, a->id)] = find(s, b->id);
}

static bool keeps_scale(enum ir_op op) { return op == IR_VEC_add || op == IR_VEC_sub || op == IR_VEC_addc; }

/* Sums read the product times 1 instead, which lands on any scale. */
static void split(struct state *s, struct ir_inst *mul)
{
    struct ir_inst *one = ir_build(s->m, mul->next, IR_VEC_mulc, mul->type, 1, &mul);
    ir_copy_attrs(s->m, &one->attrs, mul->attrs);
    ir_set_float(s->m, &one->attrs, "value", 1.0);
    for (struct ir_inst *u = one->next; u; u = u->next)
        for (uint32_t a = 0; a < u->nargs; a++)
            if (keeps_scale(u->op) && u->args[a] == mul) u->args[a] = one;
}

/* Does the scale of class r follow from itself: products in r read classes whose products read ... r? */
static bool depends_on_itself(struct state *s, struct arena *scratch, uint32_t r)
{
    bool *reached = ARENA_ARRAY(scratch, bool, s->count), more = true;
    for (bool first = true; more && !reached[r]; first = false) {
        more = false;
        for (const struct ir_inst *i = s->m->first; i; i = i->next) {
            uint32_t own = find(s, i->id);
            if (i->op != IR_VEC_mul || !(first ? own == r : reached[own])) continue;
            for (uint32_t a = 0; a < 2; a++) {
                uint32_t from = find(s, i->args[a]->id);
                more |= !reached[from];
                reached[from] = true;
            }
        }
    }
    return reached[r];
}

/* Finds products whose sum with others cannot be exact and splits them off; true if any was found. */
static bool split_products(struct state *s, struct arena *scratch)
{
    for (uint32_t k = 0; k < s->count; k++) s->root[k] = k;
    for (struct ir_inst *i = s->m->first; i; i = i->next)
        if (keeps_scale(i->op))
            for (uint32_t a = 0; a < i->nargs; a++) unite(s, i, i->args[a]);
    struct ir_inst **mul = ARENA_ARRAY(scratch, struct ir_inst *, s->count);    // by class: its first product
    uint32_t *muls = ARENA_ARRAY(scratch, uint32_t, s->count);                  // by class: how many
    uint32_t *kept = ARENA_ARRAY(scratch, uint32_t, s->count);                  // by class: left as it is
    bool *bad = ARENA_ARRAY(scratch, bool, s->count);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_VEC_mul) continue;
        uint32_t r = find(s, i->id);
        if (muls[r]++ == 0) mul[r] = i;
        else if (s->need[mul[r]->id] != s->need[i->id]) bad[r] = true;
    }
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_VEC_mul) continue;
        uint32_t r = find(s, i->id);
        for (uint32_t a = 0; a < 2; a++) {
            uint32_t ra = find(s, i->args[a]->id);
            if (muls[r] > 1 && muls[ra]) bad[r] = true;
        }
        if (mul[r] == i && depends_on_itself(s, scratch, r)) bad[r] = true;
    }
    bool any = false;
    for (struct ir_inst *i = s->m->last, *prev; i; i = prev) {
        prev = i->prev;
        if (i->op != IR_VEC_mul) continue;
        uint32_t r = find(s, i->id);
        // The last product of several, often the deepest, keeps its scale; the next round looks at what is left.
        if (!bad[r] || (muls[r] > 1 && kept[r]++ == 0)) continue;
        split(s, i);
        any = true;
    }
    return any;
}

struct low {                    // a drop already made
    struct ir_inst *inst;
    struct low *next;
};

static struct ir_type at_level(const struct ir_type *t, int level, uint32_t degree)
{
    return ir_type_ct(t->count, t->n, level, 0, degree);
}

/* The ckks value of `v` lowered to `level`. */
static struct ir_inst *lowered(struct ir_module *m, struct arena *scratch, struct ir_inst *before, struct ir_inst *v,
                               struct low **made, int level)
{
    if (v->type.level == level) return v;
    for (struct low *l = *made; l; l = l->next)
        if (l->inst->type.level == level) return l->inst;
    ICE_IF(v->type.level < level, "level %d wanted of a value at level %d", level, v->type.level);
    struct low *l = ARENA_NEW(scratch, struct low);
    *l = (struct low){ir_build(m, before, IR_CKKS_drop, at_level(&v->type, level, 1), 1, &v), *made};
    *made = l;
    return l->inst;
}

static struct ir_inst *lower_inst(struct ir_module *m, struct ir_inst *i, struct ir_inst **arg, int level)
{
    static const struct { enum ir_op from, to; } same[] = {
        {IR_VEC_input, IR_CKKS_input}, {IR_VEC_linear, IR_CKKS_linear}, {IR_VEC_add, IR_CKKS_add}, {IR_VEC_sub, IR_CKKS_sub},
        {IR_VEC_mulc, IR_CKKS_mulc},   {IR_VEC_addc, IR_CKKS_addc},     {IR_VEC_poly, IR_CKKS_poly},
    };
    if (i->op == IR_VEC_mul) {
        struct ir_inst *x = ir_build(m, i, IR_CKKS_mul, at_level(&i->type, level + 1, 2), 2, arg);
        x = ir_build(m, i, IR_CKKS_relin, at_level(&i->type, level + 1, 1), 1, &x);
        x = ir_build(m, i, IR_CKKS_rescale, at_level(&i->type, level, 1), 1, &x);
        ir_copy_attrs(m, &x->attrs, i->attrs);
        return x;
    }
    for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
        if (same[k].from != i->op) continue;
        struct ir_inst *x = ir_build(m, i, same[k].to, at_level(&i->type, level, 1), i->nargs, arg);
        ir_copy_attrs(m, &x->attrs, i->attrs);
        return x;
    }
    ICE("%s has no lowering to ckks", ir_op_name(i->op));
}

enum pass_res pass_levels(struct pass_ctx *ctx, struct ir_module *m)
{
    ir_remove_dead(m);
    struct state s;
    do {
        ir_renumber(m);
        s = (struct state){.m = m, .count = 0};
        for (struct ir_inst *i = m->first; i; i = i->next) s.count++;
        s.need = ARENA_ARRAY(ctx->scratch, int, s.count);
        s.root = ARENA_ARRAY(ctx->scratch, uint32_t, s.count);
        assign_levels(&s);
    } while (split_products(&s, ctx->scratch));

    struct ir_inst **map = ARENA_ARRAY(ctx->scratch, struct ir_inst *, s.count);
    struct low **made = ARENA_ARRAY(ctx->scratch, struct low *, s.count);
    struct ir_inst *last = m->last;
    for (struct ir_inst *i = m->first, *next; i; i = next) {
        next = i == last ? NULL : i->next;
        struct ir_inst *arg[2] = {NULL, NULL};
        for (uint32_t a = 0; a < i->nargs; a++) {
            uint32_t id = i->args[a]->id;
            arg[a] = lowered(m, ctx->scratch, i, map[id], &made[id], s.need[i->id] + op_levels(m, i));
        }
        map[i->id] = lower_inst(m, i, arg, s.need[i->id]);
    }
    for (uint32_t k = 0; k < m->noutputs; k++) {
        uint32_t id = m->outputs[k]->id;
        m->outputs[k] = lowered(m, ctx->scratch, NULL, map[id], &made[id], 0);
    }
    for (struct ir_inst *i = m->last, *prev; i; i = prev) {
        prev = i->prev;
        if (ir_op_dialect(i->op) == IR_VEC) ir_remove(m, i);
    }
    m->dialect = IR_CKKS;
    return PASS_CHANGED;
}
