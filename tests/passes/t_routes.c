// SPDX-License-Identifier: Apache-2.0
// The choice of rotation keys against all choices on small random programs, and on shapes whose answer is known: chains of giant steps, keys
// that bootstraps have, rotations without structure, budgets that cannot be met.
#include "../../passes/routes.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { N = 16, LOW = 2, HIGH = 5, ROTATIONS = 4, USES = 3 };

static uint64_t state = 1;

static uint32_t dice(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

/* Levels up to 3 have a gadget of half the price. */
static void prices(struct routes *p, uint32_t n)
{
    *p = (struct routes){.n = n, .budget = INFINITY};
    for (uint32_t k = 0; k < ROUTES_TOP; k++) {
        p->gadget[k] = k > 3;
        p->bytes[k] = (k + 1.0) * (k > 3 ? 4 : 1);
        for (uint32_t l = 0; l <= k; l++) {
            const double one = (l + 1.0) * (k > 3 ? 2 : 1);
            p->price[l][k] = (struct routes_price){.modup = 4 * one, .hoisted = 3 * one, .moddown = 1.5 * one, .whole = 10 * one};
        }
    }
}

static struct routes_use use_of(enum routes_kind kind, uint32_t level, double count, const int32_t *rotation, uint32_t n)
{
    return (struct routes_use){kind, level, count, n, rotation};
}

/* One level of a program: the best tree for the kept keys, each rotation by any step that a key makes. */
static double best_tree(const struct routes *p, uint32_t level, const int32_t *rotation, const struct routes_key *key, uint32_t nkey, struct arena *a)
{
    struct routes one = *p;
    struct routes_use *use = ARENA_ARRAY(a, struct routes_use, p->nuse);
    one.use = use;
    one.nuse = 0;
    for (uint32_t u = 0; u < p->nuse; u++)
        if (p->use[u].level == level) use[one.nuse++] = p->use[u];
    double best = one.nuse ? INFINITY : 0;
    int32_t last[ROTATIONS];
    uint32_t nlast = 0, all = one.nuse > 0;
    for (int k = 0; k < ROTATIONS; k++) {
        bool kept = false;
        for (uint32_t j = 0; j < nkey; j++) kept |= key[j].rotation == rotation[k] && key[j].level >= level;
        if (kept) last[nlast++] = rotation[k];
    }
    for (int k = 0; k < ROTATIONS; k++) all *= nlast;
    struct arena *scratch = arena_new();
    for (uint32_t at = 0; at < all; at++, arena_reset(scratch)) {
        struct routes_step step[ROTATIONS];
        uint32_t rest = at;
        for (int k = 0; k < ROTATIONS; k++, rest /= nlast) step[k] = (struct routes_step){rotation[k], level, last[rest % nlast]};
        best = fmin(best, routes_time(&one, key, nkey, step, ROTATIONS, NULL, scratch));
    }
    arena_free(scratch);
    return best;
}

/* The least time within the budget over all sets of the program's own keys. */
static double exhaustive(const struct routes *p, const int32_t *rotation, struct arena *a)
{
    double best = INFINITY;
    for (uint32_t bits = 1; bits < 1u << p->nkey; bits++) {
        struct routes_key key[2 * ROTATIONS];
        uint32_t n = 0;
        double bytes = 0;
        for (uint32_t k = 0; k < p->nkey; k++)
            if (bits >> k & 1) {
                key[n++] = p->key[k];
                bytes += p->bytes[p->key[k].level];
            }
        if (bytes <= p->budget) best = fmin(best, best_tree(p, LOW, rotation, key, n, a) + best_tree(p, HIGH, rotation, key, n, a));
    }
    return best;
}

/* The plan's own account of itself is what its keys and routes take. */
static void consistent(const struct routes *p, const struct routes_plan *plan, bool within, struct arena *a)
{
    double bytes = 0, us = 0, told = routes_time(p, plan->key, plan->nkey, plan->step, plan->nstep, NULL, a);
    for (uint32_t k = 0; k < plan->nkey; k++) bytes += p->bytes[plan->key[k].level];
    for (uint32_t u = 0; u < p->nuse; u++) us += plan->us[u];
    CHECKF(fabs(told - plan->total) < 1e-6 && fabs(us - plan->total) < 1e-6, "planned %g, by use %g, routed %g", plan->total, us, told);
    CHECK(p->nfixed || fabs(bytes - plan->bytes) < 1e-6);
    CHECK(!within || plan->bytes <= p->budget);
}

static void small_programs(void)
{
    double ratio = 0, worst = 0;
    int solved = 0;
    for (int round = 0; round < 60; round++) {
        struct arena *a = arena_new();
        struct routes p;
        struct routes_use use[USES];
        struct routes_key key[2 * ROTATIONS];
        int32_t rotation[ROTATIONS], list[USES][ROTATIONS];
        bool wanted[2][ROTATIONS] = {{false}};
        prices(&p, N);
        for (int k = 0; k < ROTATIONS; k++) {
            bool again = true;
            while (again) {
                rotation[k] = 1 + (int32_t)dice(N - 1);
                again = false;
                for (int j = 0; j < k; j++) again |= rotation[j] == rotation[k];
            }
        }
        for (uint32_t u = 0; u < USES; u++) {
            uint32_t n = 0;
            const uint32_t high = dice(2);
            for (int k = 0; k < ROTATIONS; k++)
                if (dice(3)) {
                    list[u][n++] = rotation[k];
                    wanted[high][k] = true;
                }
            use[u] = use_of((enum routes_kind)dice(3), high ? HIGH : LOW, 1 + dice(3), list[u], n);
        }
        for (int k = 0; k < 2 * ROTATIONS; k++)
            if (wanted[k / ROTATIONS][k % ROTATIONS])
                key[p.nkey++] = (struct routes_key){rotation[k % ROTATIONS], k / ROTATIONS ? HIGH : LOW};
        double all = 0;
        for (uint32_t k = 0; k < p.nkey; k++) all += p.bytes[key[k].level];
        p.use = use;
        p.nuse = USES;
        p.key = key;
        p.budget = all * (0.5 + 0.1 * dice(6));
        struct routes_plan plan;
        const bool ok = routes_solve(&p, &plan, a);
        consistent(&p, &plan, ok, a);
        const double want = exhaustive(&p, rotation, a);
        CHECKF(ok || !isfinite(want), "round %d: no plan within %g bytes", round, p.budget);
        if (isfinite(want) && want > 0) {
            solved++;
            ratio += plan.total / want;
            worst = fmax(worst, plan.total / want);
        }
        if (!ok) {      // the number that would do
            p.budget = plan.bytes;
            CHECK(routes_solve(&p, &plan, a));
            consistent(&p, &plan, true, a);
        }
        arena_free(a);
    }
    CHECKF(solved >= 30 && ratio / solved < 1.05 && worst < 1.35, "%d solved, time %.3f of the least on average, %.3f at worst", solved,
           ratio / solved, worst);
}

/* Giant steps in a row need one key and no time more; so do those whose key bootstraps have. */
static void free_keys(void)
{
    struct arena *a = arena_new();
    struct routes p;
    const int32_t giants[] = {32, 64, 96, 128, 160}, babies[] = {1, 2, 3}, relin[] = {1024};
    struct routes_use use[] = {use_of(ROUTES_SUMS, LOW, 1, giants, 5), use_of(ROUTES_HOISTED, LOW, 1, babies, 3), use_of(ROUTES_SINGLE, 7, 1, relin, 1)};
    struct routes_key key[9], fixed[] = {{2, 3}, {1024, 9}, {64, 9}};
    prices(&p, 1024);
    for (int k = 0; k < 5; k++) key[k] = (struct routes_key){giants[k], LOW};
    for (int k = 0; k < 3; k++) key[5 + k] = (struct routes_key){babies[k], LOW};
    key[8] = (struct routes_key){1024, 7};
    p.use = use;
    p.nuse = 3;
    p.key = key;
    p.nkey = 9;
    p.fixed = fixed;
    p.nfixed = 3;
    struct routes_plan plan;
    CHECK(routes_solve(&p, &plan, a));
    consistent(&p, &plan, true, a);
    const struct routes_price *c = &p.price[LOW][LOW];
    CHECK(plan.nkey == 3 && plan.key[0].rotation == 1 && plan.key[1].rotation == 3 && plan.key[2].rotation == 32);
    CHECK(plan.nstep == 4);         // 64 has a key of bootstraps, but of a larger gadget
    CHECK(fabs(plan.total - (5 * c->whole + c->modup + 3 * c->hoisted + p.price[7][9].whole)) < 1e-9);

    p.budget = 0;                   // of 2 and 64 come neither 1 nor, in a few steps, 32
    CHECK(!routes_solve(&p, &plan, a));
    consistent(&p, &plan, false, a);
    CHECK(plan.nkey == 2 && plan.bytes == 2 * p.bytes[LOW]);
    p.budget = plan.bytes;
    CHECK(routes_solve(&p, &plan, a) && plan.nkey == 2);
    arena_free(a);
}

/* Rotations without structure: powers of two do where the program's own amounts do not. */
static void no_structure(void)
{
    struct arena *a = arena_new();
    struct routes p;
    int32_t list[40];
    struct routes_key key[40];
    prices(&p, 4096);
    for (int k = 0; k < 40; k++) {
        list[k] = 100 * k + 1 + (int32_t)dice(99);
        key[k] = (struct routes_key){list[k], LOW};
    }
    struct routes_use use = use_of(ROUTES_SINGLE, LOW, 1, list, 40);
    p.use = &use;
    p.nuse = 1;
    p.key = key;
    p.nkey = 40;
    for (uint32_t keys = 38; keys >= 13; keys -= 5) {
        struct routes_plan plan;
        p.budget = keys * p.bytes[LOW];
        CHECKF(routes_solve(&p, &plan, a), "no plan with %u keys", keys);
        consistent(&p, &plan, true, a);
        CHECKF(plan.total < 40 * 7 * p.price[LOW][LOW].whole, "%u keys: time %g", keys, plan.total);
    }
    arena_free(a);
}

int main(void)
{
    small_programs();
    free_keys();
    no_structure();
    return test_done();
}
