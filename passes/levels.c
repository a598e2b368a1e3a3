// SPDX-License-Identifier: Apache-2.0
// vec -> ckks: gives every value its level and inserts relinearise, rescale and drop; a bootstrap becomes its four parts.
//
// Levels are assigned backwards: outputs end at level 0, an operation that uses k levels asks its operands for k more than its
// result. So every value sits as low as its deepest reader allows, every operation runs at the fewest limbs, and the depth of
// the whole program, which fixes the modulus, is the length of its longest path. A reader that sits lower gets a drop, made once per
// (value, level). Costs: linear 1, mul 1, mulc 1, poly ceil(log2(degree+1)), the rest 0.
//
// Products also fix their own scale (s1 s2 / q). Where a sum joins a product with something whose scale is fixed differently
// (products at different levels, or a product whose operands depend on the sum's own scale as in x + x^2), no choice of scales makes the sum exact;
// the product then gets a multiplication by 1 (one level), which lands on any scale; so does a product, or the result of a bootstrap, that
// is bootstrapped (again) unchanged. Products with a private free operand have any scale (classes.h). See scales.c.
#include "pass.h"
#include "classes.h"
#include "plan.h"
#include "util.h"

#include "../compiler/diag.h"

struct state {
    struct ir_module *m;
    uint32_t count;
    int *need;                  // by id: level of the result
    struct classes classes;
    struct ck_boot_shape boot;  // of vec.bootstrap, where there is one
};

/* Level of its operands. */
static int want_of(const struct state *s, const struct ir_inst *i)
{
    return i->op == IR_VEC_bootstrap ? (int)s->boot.stc_levels : s->need[i->id] + plan_levels(s->m, i);
}

static int left_by(const struct ck_boot_shape *boot) { return (int)boot->top - (int)ck_boot_depth(boot); }

static void assign_levels(struct state *s)
{
    for (uint32_t k = 0; k < s->count; k++) s->need[k] = 0;
    for (struct ir_inst *i = s->m->last; i; i = i->prev) {
        int want = want_of(s, i);
        for (uint32_t a = 0; a < i->nargs; a++)
            if (s->need[i->args[a]->id] < want) s->need[i->args[a]->id] = want;
    }
}

static bool keeps_scale(enum ir_op op) { return op == IR_VEC_add || op == IR_VEC_sub || op == IR_VEC_addc; }

/* Sums and bootstraps, or all readers, read the value times 1 instead, which lands on any scale. */
static void split(struct state *s, struct ir_inst *x, bool all)
{
    struct ir_inst *one = ir_build(s->m, x->next, IR_VEC_mulc, x->type, 1, &x);
    ir_copy_attrs(s->m, &one->attrs, x->attrs);
    ir_set_float(s->m, &one->attrs, "value", 1.0);
    for (struct ir_inst *u = one->next; u; u = u->next)
        for (uint32_t a = 0; a < u->nargs; a++)
            if ((all || keeps_scale(u->op) || u->op == IR_VEC_bootstrap) && u->args[a] == x) u->args[a] = one;
    for (uint32_t k = 0; all && k < s->m->noutputs; k++)
        if (s->m->outputs[k] == x) s->m->outputs[k] = one;
}

/* Does it define the scale of its class? */
static bool defines(const struct state *s, const struct ir_inst *i)
{
    return i->op == IR_VEC_bootstrap || (i->op == IR_VEC_mul && class_private(&s->classes, i) < 0);
}

/* Does the scale of class r follow from itself: products in r read classes whose products read ... r? */
static bool depends_on_itself(const struct state *s, struct arena *scratch, uint32_t r)
{
    bool *reached = ARENA_ARRAY(scratch, bool, s->count), more = true;
    for (bool first = true; more && !reached[r]; first = false) {
        more = false;
        for (const struct ir_inst *i = s->m->first; i; i = i->next) {
            uint32_t own = s->classes.root[i->id];
            if (i->op != IR_VEC_mul || !defines(s, i) || !(first ? own == r : reached[own])) continue;
            for (uint32_t a = 0; a < 2; a++) {
                uint32_t from = s->classes.root[i->args[a]->id];
                more |= !reached[from];
                reached[from] = true;
            }
        }
    }
    return reached[r];
}

/* Classes that no choice of scales makes exact. */
static bool *inexact(struct state *s, struct arena *scratch)
{
    struct ir_inst **first = ARENA_ARRAY(scratch, struct ir_inst *, s->count);  // by class: what first defines its scale
    bool *bad = ARENA_ARRAY(scratch, bool, s->count);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (!defines(s, i)) continue;
        uint32_t r = s->classes.root[i->id];
        const struct scale_class *c = &s->classes.of[r];
        if (!first[r]) first[r] = i;
        else if (c->boots || s->need[first[r]->id] != s->need[i->id]) bad[r] = true;
        for (uint32_t a = 0; a < 2 && i->op == IR_VEC_mul; a++)
            if (c->products > 1 && class_of(&s->classes, i->args[a])->source) bad[r] = true;
        if (first[r] == i && i->op == IR_VEC_mul && depends_on_itself(s, scratch, r)) bad[r] = true;
    }
    return bad;
}

/* The scale after a bootstrap is larger than the program's, and only the prime at the landing level makes up for it when a polynomial
 * squares the value. One that is wanted lower has a level to spare for landing on the right scale. */
static bool split_low_bootstraps(struct state *s)
{
    bool any = false;
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_VEC_bootstrap || !class_of(&s->classes, i)->poly || s->need[i->id] >= left_by(&s->boot)) continue;
        split(s, i, true);
        any = true;
    }
    return any;
}

/* Finds values whose sum with others, or whose bootstrap, cannot be exact and splits them off; true if any was found. */
static bool split_products(struct state *s, struct arena *scratch)
{
    bool *bad = inexact(s, scratch), *kept = ARENA_ARRAY(scratch, bool, s->count), any = false;
    for (struct ir_inst *i = s->m->last, *prev; i; i = prev) {
        prev = i->prev;
        if (!defines(s, i)) continue;
        uint32_t r = s->classes.root[i->id];
        const struct scale_class *c = &s->classes.of[r];
        if (!c->boot) {
            if (!bad[r]) continue;
            // The last of several, often the deepest, keeps its scale; the next round looks at what is left.
            if (c->products + c->boots > 1 && !kept[r]) {
                kept[r] = true;
                continue;
            }
        }
        split(s, i, false);
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

static struct ir_inst *lower_bootstrap(struct ir_module *m, struct ir_inst *i, struct ir_inst *x, const struct ck_boot_shape *s)
{
    const int top = (int)s->top;
    const struct { enum ir_op op; int level; } part[] = {
        {IR_CKKS_stc, 0}, {IR_CKKS_modraise, top}, {IR_CKKS_cts, top - (int)s->ncts}, {IR_CKKS_evalmod, left_by(s)}};
    for (int k = 0; k < 4; k++) {
        x = ir_build(m, i, part[k].op, at_level(&i->type, part[k].level, 1), 1, &x);
        ir_copy_attrs(m, &x->attrs, i->attrs);
    }
    return x;
}

static struct ir_inst *lower_inst(struct state *s, struct ir_inst *i, struct ir_inst **arg, int level)
{
    struct ir_module *m = s->m;
    if (i->op == IR_VEC_bootstrap) return lower_bootstrap(m, i, arg[0], &s->boot);
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
        s = (struct state){.m = m};
        bool boots = plan_boot(&s.boot, m);
        for (struct ir_inst *i = m->first; i; i = i->next) {
            s.count++;
            if (i->op != IR_VEC_bootstrap || boots) continue;
            diag_error(m->name, "vec.bootstrap without the module attribute boot_left: run the bootstraps pass first");
            return PASS_FAIL;
        }
        s.need = ARENA_ARRAY(ctx->scratch, int, s.count);
        assign_levels(&s);
        s.classes = classes_find(m, ctx->scratch);
    } while (split_products(&s, ctx->scratch) || split_low_bootstraps(&s));
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->op == IR_VEC_bootstrap && s.need[i->id] > left_by(&s.boot)) {
            diag_error(util_where(ctx->scratch, i), "%d levels are wanted after its bootstrap, which leaves %d: --bootstrap %d",
                       s.need[i->id], left_by(&s.boot), s.need[i->id]);
            return PASS_FAIL;
        }

    struct ir_inst **map = ARENA_ARRAY(ctx->scratch, struct ir_inst *, s.count);
    struct low **made = ARENA_ARRAY(ctx->scratch, struct low *, s.count);
    struct ir_inst *last = m->last;
    for (struct ir_inst *i = m->first, *next; i; i = next) {
        next = i == last ? NULL : i->next;
        struct ir_inst *arg[2] = {NULL, NULL};
        for (uint32_t a = 0; a < i->nargs; a++) {
            uint32_t id = i->args[a]->id;
            arg[a] = lowered(m, ctx->scratch, i, map[id], &made[id], want_of(&s, i));
        }
        map[i->id] = lower_inst(&s, i, arg, s.need[i->id]);
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
