// SPDX-License-Identifier: Apache-2.0
// Chooses among the keys that the program uses those to keep. A rotation without a key is composed of kept ones, those of bootstraps among them,
// which stay whole: keys that cost no time go first, then, down to --key-memory and what --memory leaves for them, those that cost least time a
// byte (routes.c).
// A chain of giant steps costs nothing (each inner sum joins the next), a composed baby is hoisted from another place and made in Q, which
// costs two ModDowns; the added time is on the instructions, for liveness. Costs no level; every composed rotation adds the noise of one more.
// Attributes: us_keys on instructions (time beyond that with every key at its level); on the module key_rot and key_level as they are
// kept, route_rot, route_level and route_step (struct ck_route).
#include "pass.h"
#include "plan.h"
#include "routes.h"

#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

_Static_assert((int)ROUTES_GADGETS >= (int)CK_MAX_CLASSES && (int)ROUTES_TOP >= (int)CK_MAX_Q, "a gadget for each class of keys, a level for each prime");

struct state {
    struct routes r;
    struct routes_use *use;
    const struct ir_inst **of;      // by use
    uint32_t room;
    struct arena *scratch;
};

/* One more use; rotations are reduced to (0, n) and repeated ones dropped. */
static void add_use(struct state *s, const struct ir_inst *i, enum routes_kind kind, int32_t level, double count, const int64_t *v, size_t n)
{
    if (s->r.nuse == s->room) {
        struct routes_use *more = ARENA_ARRAY(s->scratch, struct routes_use, 2 * s->room + 64);
        const struct ir_inst **of = ARENA_ARRAY(s->scratch, const struct ir_inst *, 2 * s->room + 64);
        if (s->room) memcpy(more, s->use, s->room * sizeof *more), memcpy(of, s->of, s->room * sizeof *of);
        s->use = more;
        s->of = of;
        s->room = 2 * s->room + 64;
    }
    int32_t *rotation = ARENA_ARRAY(s->scratch, int32_t, n + 1);
    uint32_t kept = 0;
    for (size_t k = 0; k < n; k++) {
        const int64_t all = s->r.n, r = v[k] == all ? all : (v[k] % all + all) % all;
        bool twice = r == 0;
        for (uint32_t j = 0; j < kept; j++) twice |= kind != ROUTES_SINGLE && rotation[j] == r;
        if (!twice) rotation[kept++] = (int32_t)r;
    }
    if (!kept) return;
    s->of[s->r.nuse] = i;
    s->use[s->r.nuse++] = (struct routes_use){kind, (uint32_t)level, count, kept, rotation};
}

static void add_list(struct state *s, const struct ir_inst *i, enum routes_kind kind, uint32_t count, const char *key)
{
    const int64_t *v;
    const size_t n = plan_list(&v, i, key);
    add_use(s, i, kind, i->args[0]->type.level, count, v, n);
}

static void find_uses(struct state *s, const struct ir_module *m)
{
    const int64_t relin = s->r.n;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        if (!i->nargs) continue;
        const int32_t level = i->args[0]->type.level;
        const uint32_t count = i->type.count;
        int64_t k;
        switch (i->op) {
        case IR_CKKS_linear:
            add_list(s, i, ROUTES_HOISTED, i->args[0]->type.count, "baby");
            add_list(s, i, ROUTES_SUMS, count, "giant");
            add_list(s, i, ROUTES_SINGLE, count, "fold");
            break;
        case IR_CKKS_rot:
            k = ir_get_int(i->attrs, "k", 0);
            add_use(s, i, ROUTES_SINGLE, level, count, &k, 1);
            break;
        case IR_CKKS_relin: add_use(s, i, ROUTES_SINGLE, level, count, &relin, 1); break;
        case IR_CKKS_poly:      // products at every level on the way
            for (int32_t l = level; l > i->type.level; l--)
                add_use(s, i, ROUTES_SINGLE, l, (double)plan_count(m, i, 0).relins / (level - i->type.level), &relin, 1);
            break;
        default: break;
        }
    }
    s->r.use = s->use;
}

/* The keys of the module, relinearisation as rotation n. */
static void read_keys(struct state *s, const struct ir_module *m)
{
    const struct ir_attr *rot = ir_attr_find(m->attrs, "key_rot"), *level = ir_attr_find(m->attrs, "key_level");
    struct routes_key *key = ARENA_ARRAY(s->scratch, struct routes_key, rot->ints.n + 1);
    for (size_t k = 0; k < rot->ints.n; k++)
        key[k] = (struct routes_key){rot->ints.v[k] ? (int32_t)rot->ints.v[k] : (int32_t)s->r.n, (uint32_t)level->ints.v[k]};
    s->r.key = key;
    s->r.nkey = (uint32_t)rot->ints.n;
}

static void read_boot(struct state *s, const struct ck_params *par, const struct ck_boot_shape *boot)
{
    int32_t *rotation = ARENA_ARRAY(s->scratch, int32_t, CK_BOOT_MAX_KEYS);
    uint32_t *level = ARENA_ARRAY(s->scratch, uint32_t, CK_BOOT_MAX_KEYS);
    s->r.nfixed = ck_boot_rotations(rotation, level, par, boot);
    struct routes_key *fixed = ARENA_ARRAY(s->scratch, struct routes_key, s->r.nfixed + 1);
    for (uint32_t k = 0; k < s->r.nfixed; k++) fixed[k] = (struct routes_key){rotation[k] ? rotation[k] : (int32_t)s->r.n, level[k]};
    s->r.fixed = fixed;
}

/* Time of a use where every rotation has a key of its level. */
static double direct(const struct routes *r, const struct routes_use *u)
{
    const struct routes_price *p = &r->price[u->level][u->level];
    return u->count * (u->kind == ROUTES_HOISTED ? p->modup + u->n * p->hoisted : u->n * p->whole);
}

static void write(struct ir_module *m, const struct state *s, const struct routes_plan *plan)
{
    const size_t room = plan->nkey > plan->nstep ? plan->nkey : plan->nstep;
    int64_t *a = ARENA_ARRAY(s->scratch, int64_t, room + 1), *b = ARENA_ARRAY(s->scratch, int64_t, room + 1), *c = ARENA_ARRAY(s->scratch, int64_t, room + 1);
    size_t first = 0;
    while (first < plan->nkey && plan->key[first].rotation < (int32_t)s->r.n) first++;      // relinearisation comes first
    for (uint32_t k = 0; k < plan->nkey; k++) {
        const struct routes_key *key = &plan->key[(first + k) % plan->nkey];
        a[k] = key->rotation % (int32_t)s->r.n;
        b[k] = key->level;
    }
    ir_set_ints(m, &m->attrs, "key_rot", a, plan->nkey);
    ir_set_ints(m, &m->attrs, "key_level", b, plan->nkey);
    for (uint32_t k = 0; k < plan->nstep; k++) {
        a[k] = plan->step[k].rotation;
        b[k] = plan->step[k].level;
        c[k] = plan->step[k].step;
    }
    if (plan->nstep) {
        ir_set_ints(m, &m->attrs, "route_rot", a, plan->nstep);
        ir_set_ints(m, &m->attrs, "route_level", b, plan->nstep);
        ir_set_ints(m, &m->attrs, "route_step", c, plan->nstep);
    }
    for (struct ir_inst *i = m->first; i; i = i->next) {
        double more = 0;
        for (uint32_t u = 0; u < s->r.nuse; u++)
            if (s->of[u] == i) more += plan->us[u] - direct(&s->r, &s->use[u]);
        if (fabs(more) > 1e-9) ir_set_float(m, &i->attrs, "us_keys", more);
    }
}

enum pass_res pass_keyset(struct pass_ctx *ctx, struct ir_module *m)
{
    struct ck_params par;
    if (!plan_params(&par, m) || !ir_attr_find(m->attrs, "key_rot")) {
        diag_error(m->name, "no parameters or keys: run the params and keys passes first");
        return PASS_FAIL;
    }
    struct state s = {.r.n = m->first->type.n, .scratch = ctx->scratch};
    struct ck_boot_shape boot;
    double booting = 0;
    if (plan_boot(&boot, m)) {
        booting = ck_boot_key_bytes(&par, &boot);
        read_boot(&s, &par, &boot);
    }
    find_uses(&s, m);
    read_keys(&s, m);
    plan_gadgets(s.r.gadget, &par);
    for (uint32_t key = 0; key < par.nq; key++) {
        s.r.bytes[key] = plan_key_bytes(&par, key);
        for (uint32_t l = 0; l <= key; l++) {
            const struct ck_switch_cost c = ck_cost_switch(plan_constants(ctx->opt), &par, l + 1, key + 1);
            s.r.price[l][key] = (struct routes_price){c.whole, c.modup, c.hoisted, c.moddown};
        }
    }
    double budget = ctx->opt->key_memory > 0 ? (double)ctx->opt->key_memory : INFINITY;
    if (ctx->opt->memory > 0) budget = fmin(budget, (double)ctx->opt->memory - plan_bytes_besides_keys(&par, m, ctx->scratch));
    s.r.budget = budget - booting;
    const double before = plan_keys_bytes(&par, m), mib = 0x1p-20;
    const uint32_t nkey = s.r.nkey;
    struct routes_plan plan;
    const bool within = routes_solve(&s.r, &plan, ctx->scratch);
    if (!within && ctx->opt->key_memory > 0 && booting + plan.bytes > (double)ctx->opt->key_memory) {
        const double least = ceil((booting + plan.bytes) * mib);
        const char *of_those = booting > 0 ? arena_printf(ctx->scratch, ", %.0f MiB of them for bootstraps", ceil(booting * mib)) : "";
        diag_error("--key-memory", "the evaluation keys take %.0f MiB at least%s, more than the %.1f MiB allowed: --key-memory %.0fMiB, or --logn "
                   "for a smaller ring, or activations of lower degree", least, of_those, (double)ctx->opt->key_memory * mib, least);
        return PASS_FAIL;
    }
    const double told = routes_time(&s.r, plan.key, plan.nkey, plan.step, plan.nstep, NULL, ctx->scratch);
    ICE_IF(!(fabs(told - plan.total) <= 1e-6 * plan.total + 1e-6), "the keys take %g us as planned, %g as routed", plan.total, told);
    double every = 0;
    for (uint32_t u = 0; u < s.r.nuse; u++) every += direct(&s.r, &s.use[u]);
    write(m, &s, &plan);
    if (plan.nkey < nkey && within)
        diag_note("keys: %u of %u kept%s, %.0f MiB instead of %.0f; %u rotations composed, %.3f s more on one core", plan.nkey, nkey,
                  booting > 0 ? " besides those of bootstraps" : "", plan_keys_bytes(&par, m) * mib, before * mib, plan.nstep,
                  fmax(plan.total - every, 0) * 1e-6);
    return PASS_CHANGED;
}
