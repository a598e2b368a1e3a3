// SPDX-License-Identifier: Apache-2.0
// vec -> vec: inserts vec.bootstrap where the depth of the program exceeds the modulus.
//
// For every number of levels that a bootstrap may leave, the parameter set follows (boot_set.c), with it the time of every operation at every
// level and of a bootstrap, and the search (place.c) finds the cheapest places; the cheapest number wins. A program that fits a ring without
// bootstrapping stays as it is where that is cheaper. A value whose scale is fixed by a product is multiplied by 1 before it
// can be bootstrapped, which costs one level more (levels.c inserts it).
// Module attribute set: boot_left, the levels left after a bootstrap. Costs: what it inserts; keys of two to three GiB.
#include "pass.h"
#include "boot_set.h"
#include "classes.h"
#include "place.h"
#include "plan.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

enum { LEFT_MIN = 4, LEFT_MAX = 24, BEAM = 2048, ALWAYS_FITS = 16 };
static const double near_best = 1.12;      // within this the fewest bootstraps win, since each costs precision
static const double shallow_bits = 38;      // of a prime where nothing is bootstrapped: an estimate, params.c decides

struct search {
    struct ir_module *m;
    const struct options *opt;
    struct arena *scratch;
    uint32_t count, log_slots;
    struct ir_inst **inst;              // by id
    int64_t *terms;                     // by id
    struct classes classes;
    struct place_value *value;          // by id; place.value
    struct place place;
    bool *none;                         // the choice of no bootstrap
    int depth;
};

static void prepare(struct search *s)
{
    ir_renumber(s->m);
    s->count = s->m->last ? s->m->last->id + 1 : 0;
    s->inst = ARENA_ARRAY(s->scratch, struct ir_inst *, s->count + 1);
    s->terms = ARENA_ARRAY(s->scratch, int64_t, s->count + 1);
    s->classes = classes_find(s->m, s->scratch);
    s->value = ARENA_ARRAY(s->scratch, struct place_value, s->count + 1);
    uint32_t *output = ARENA_ARRAY(s->scratch, uint32_t, s->m->noutputs + 1);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        struct place_value *v = &s->value[i->id];
        s->inst[i->id] = i;
        v->nargs = i->nargs;
        for (uint32_t k = 0; k < i->nargs; k++) v->arg[k] = i->args[k]->id;
        v->used = plan_levels(s->m, i);
        v->low = i->op == IR_VEC_poly || i->op == IR_VEC_mul;
        if (i->op == IR_VEC_linear) s->terms[i->id] = plan_terms(s->m, i, s->scratch);
    }
    for (uint32_t k = 0; k < s->m->noutputs; k++) output[k] = s->m->outputs[k]->id;
    s->place = (struct place){.count = s->count, .value = s->value, .output = output, .noutputs = s->m->noutputs};
    s->none = ARENA_ARRAY(s->scratch, bool, 2 * s->count + 2);
    while (1u << s->log_slots < s->m->first->type.n) s->log_slots++;
}

/* Times of every operation at every level under a set of parameters. */
static void price(struct search *s, const struct ck_params *par, const struct ck_boot_shape *boot, int left, int top)
{
    const struct ck_cost *constants = plan_constants(s->opt);
    double shared = 0, own = boot ? ck_cost_boot_part(constants, par, boot, CK_BOOT_EVALMOD) : 0;
    if (boot) shared = ck_cost_boot(constants, par, boot) - own;
    s->place.left = left;
    s->place.top = top;
    for (uint32_t v = 0; v < s->count; v++) {
        const struct ir_inst *i = s->inst[v];
        struct place_value *x = &s->value[v];
        double *cost = ARENA_ARRAY(s->scratch, double, top + 1);
        for (int l = 0; l + x->used <= top; l++) cost[l] = plan_cost_at(constants, par, s->m, i, s->terms[v], l + x->used, l);
        x->cost = cost;
        x->boot_cost = own * i->type.count + shared * plan_pairs(i->type.count);
        x->boot_need = (boot ? (int)boot->stc_levels : 0) + (class_of(&s->classes, i)->source != NULL);
    }
}

/* Depth of the program as it is; at most PLACE_TOP - 1, or more: PLACE_TOP. */
static int depth_of(struct search *s)
{
    int *need = ARENA_ARRAY(s->scratch, int, s->count + 1), most = 0;
    for (uint32_t v = s->count; v-- > 0;) {
        const struct place_value *x = &s->place.value[v];
        if (need[v] > most) most = need[v];
        for (uint32_t k = 0; k < x->nargs; k++)
            if (need[x->arg[k]] < need[v] + x->used) need[x->arg[k]] = need[v] + x->used;
    }
    return most < PLACE_TOP ? most : PLACE_TOP;
}

/* Time without bootstraps at the largest ring; INFINITY if the modulus does not fit. */
static double shallow_cost(struct search *s)
{
    double limit = s->opt->security < 0 ? 1e9 : ck_security_max_logqp(CK_LOGN_MAX), best = INFINITY;
    for (uint32_t alpha = 1; s->depth < CK_MAX_Q && alpha <= (uint32_t)s->depth; alpha++) {
        struct ck_params par = {.logn = CK_LOGN_MAX, .log_slots = s->log_slots, .nq = (uint32_t)s->depth + 1, .alpha = alpha,
                                .security = s->opt->security < 0 ? 0 : 128};
        par.np = (uint32_t)ceil(alpha * shallow_bits / 46.8);
        if (par.np > CK_MAX_P || 46.8 * (par.np + 1) + shallow_bits * s->depth > limit) continue;
        for (uint32_t k = 0; k < par.nq; k++) par.q[k] = (uint64_t)exp2(shallow_bits);
        for (uint32_t k = 0; k < par.np; k++) par.p[k] = (uint64_t)exp2(46.8);
        if (!ck_params_classes(&par)) continue;
        price(s, &par, NULL, PLACE_TOP - 1, s->depth);
        best = fmin(best, place_cost(&s->place, s->none, NULL, s->scratch));
    }
    return best;
}

static double boot_cost(struct search *s, uint32_t left, bool *boot)
{
    struct boot_set set;
    if (!boot_set_make(&set, s->opt, s->log_slots, left, false)) return INFINITY;
    price(s, &set.par, &set.shape, (int)left, (int)set.shape.top);
    return place_solve(&s->place, boot, BEAM, s->scratch);
}

struct plan {
    bool *boot;                         // place_solve's choice; NULL: there is none
    double cost;
    int64_t bootstraps;                 // ciphertexts
};

static struct plan make_plan(struct search *s, uint32_t left)
{
    struct plan p = {ARENA_ARRAY(s->scratch, bool, 2 * s->count + 2), 0, 0};
    p.cost = boot_cost(s, left, p.boot);
    if (p.cost == INFINITY) return (struct plan){.cost = INFINITY};
    bool *copy = ARENA_ARRAY(s->scratch, bool, s->count);
    for (uint32_t v = 0; v < s->count; v++)
        for (uint32_t k = 0; k < s->inst[v]->nargs; k++)
            if (p.boot[2 * v + k]) copy[s->inst[v]->args[k]->id] = true;
    for (uint32_t v = 0; v < s->count; v++) p.bootstraps += copy[v] ? s->inst[v]->type.count : 0;
    return p;
}

static bool better(const struct plan *a, const struct plan *b)
{
    return a->bootstraps != b->bootstraps ? a->bootstraps < b->bootstraps : a->cost < b->cost;
}

static void insert(struct search *s, const bool *boot)
{
    for (uint32_t v = 0; v < s->count; v++) {
        struct ir_inst *i = s->inst[v], *fresh = NULL;
        for (uint32_t u = v + 1; u < s->count; u++)
            for (uint32_t k = 0; k < s->inst[u]->nargs; k++) {
                if (s->inst[u]->args[k] != i || !boot[2 * u + k]) continue;
                if (!fresh) {
                    fresh = ir_build(s->m, i->next, IR_VEC_bootstrap, i->type, 1, &i);
                    ir_copy_attrs(s->m, &fresh->attrs, i->attrs);
                    static const char *const gone[] = {"baby", "bias", "coeffs", "fold", "giant", "mat", "terms", "value"};
                    for (size_t g = 0; g < sizeof gone / sizeof *gone; g++) ir_unset(&fresh->attrs, gone[g]);
                }
                s->inst[u]->args[k] = fresh;
            }
    }
}

enum pass_res pass_bootstraps(struct pass_ctx *ctx, struct ir_module *m)
{
    struct search s = {.m = m, .opt = ctx->opt, .scratch = ctx->scratch};
    int pinned = ctx->opt->bootstrap;
    ir_remove_dead(m);
    if (!m->first || pinned < 0) return PASS_OK;
    prepare(&s);
    s.depth = depth_of(&s);
    if (s.depth <= ALWAYS_FITS && !pinned) return PASS_OK;
    double best = pinned || (ctx->opt->logn && ctx->opt->logn < CK_LOGN_MAX) ? INFINITY : shallow_cost(&s);
    struct plan plan[LEFT_MAX + 1] = {{0}};
    uint32_t best_left = 0;
    for (uint32_t left = LEFT_MIN; left <= LEFT_MAX; left++) {
        if (pinned && left != (uint32_t)pinned) continue;
        plan[left] = make_plan(&s, left);
        best = fmin(best, plan[left].cost);
    }
    for (uint32_t left = LEFT_MIN; left <= LEFT_MAX; left++)
        if (plan[left].boot && plan[left].cost <= best * near_best && (!best_left || better(&plan[left], &plan[best_left]))) best_left = left;
    if (pinned && !best_left) {
        diag_error("--bootstrap", "no secure parameters leave %d levels after a bootstrap that this program can use: auto chooses", pinned);
        return PASS_FAIL;
    }
    if (!best_left) return PASS_OK;      // params.c finds a ring, or says what would help
    insert(&s, plan[best_left].boot);
    ir_set_int(m, &m->attrs, "boot_left", best_left);
    return PASS_CHANGED;
}
