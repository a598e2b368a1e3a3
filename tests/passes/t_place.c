// SPDX-License-Identifier: Apache-2.0
// The search for bootstraps against all choices on small random programs, and on the shapes that it must solve exactly at size: chains
// and residual blocks.
#include "../../passes/place.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { MOST = 9, TOP = 12 };

static uint64_t state = 1;

static uint32_t dice(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static double *prices(struct arena *a, int used)
{
    double *c = ARENA_ARRAY(a, double, TOP + 1);
    c[0] = dice(20);
    for (int l = 1; l + used <= TOP; l++) c[l] = c[l - 1] + dice(10);
    return c;
}

static void random_program(struct place *p, struct arena *a)
{
    struct place_value *v = ARENA_ARRAY(a, struct place_value, MOST);
    uint32_t *out = ARENA_ARRAY(a, uint32_t, 2);
    p->count = 3 + dice(MOST - 3);
    for (uint32_t k = 0; k < p->count; k++) {
        v[k].nargs = k ? 1 + dice(2) : 0;
        for (uint32_t j = 0; j < v[k].nargs; j++) v[k].arg[j] = dice(3) ? k - 1 : dice(k);
        v[k].used = k ? (int)dice(4) : 0;
        v[k].low = dice(2);
        v[k].boot_need = 1 + (int)dice(2);
        v[k].boot_cost = 10 + dice(80);
        v[k].cost = prices(a, v[k].used);
    }
    out[0] = p->count - 1;
    out[1] = dice(p->count);
    *p = (struct place){.count = p->count, .value = v, .output = out, .noutputs = 1 + dice(2), .left = 4, .top = 7};
}

/* The best of all choices; equal operands agree. */
static double exhaustive(const struct place *p, struct arena *a)
{
    uint32_t slot[2 * MOST], slots = 0;
    for (uint32_t v = 0; v < p->count; v++)
        for (uint32_t k = 0; k < p->value[v].nargs; k++)
            if (!k || p->value[v].arg[0] != p->value[v].arg[1]) slot[slots++] = 2 * v + k;
    double best = INFINITY;
    for (uint32_t bits = 0; bits < 1u << slots; bits++) {
        bool boot[2 * MOST] = {0};
        for (uint32_t k = 0; k < slots; k++) boot[slot[k]] = bits >> k & 1;
        for (uint32_t v = 0; v < p->count; v++)
            if (p->value[v].nargs == 2 && p->value[v].arg[0] == p->value[v].arg[1]) boot[2 * v + 1] = boot[2 * v];
        best = fmin(best, place_cost(p, boot, NULL, a));
    }
    return best;
}

static void small_programs(void)
{
    int solved = 0, impossible = 0;
    for (int round = 0; round < 300; round++) {
        struct arena *a = arena_new();
        struct place p;
        random_program(&p, a);
        bool boot[2 * MOST + 2];
        double want = exhaustive(&p, a), got = place_solve(&p, boot, 1 << 20, a);
        CHECKF(want == got, "program %d: %g, all choices give %g", round, got, want);
        if (got < INFINITY) {
            double again = place_cost(&p, boot, NULL, a);
            CHECKF(again == got, "program %d: the choice costs %g, not %g", round, again, got);
            double narrow = place_solve(&p, boot, 4, a);
            CHECK(narrow >= got);
        }
        solved += got < INFINITY;
        impossible += got == INFINITY;
        arena_free(a);
    }
    CHECKF(solved > 50 && impossible > 5, "%d solved, %d impossible: the programs are no test", solved, impossible);
}

/* `blocks` times y = act(conv(act(conv(x))) + x) with activations of 14 levels, as in ResNet: one bootstrap an activation. */
static void residual(uint32_t blocks)
{
    struct arena *a = arena_new();
    uint32_t count = 3 + 5 * blocks, n = 0, out;
    struct place_value *v = ARENA_ARRAY(a, struct place_value, count);
    double *flat = ARENA_ARRAY(a, double, 31), boots = 0;
    for (int l = 0; l <= 30; l++) flat[l] = 0.01 * l;
    v[n++] = (struct place_value){.cost = flat};
    v[n++] = (struct place_value){.nargs = 1, .arg = {0}, .used = 1, .cost = flat};
    v[n++] = (struct place_value){.nargs = 1, .arg = {1}, .used = 14, .low = true, .cost = flat};
    for (uint32_t b = 0; b < blocks; b++) {
        uint32_t x = n - 1;
        v[n] = (struct place_value){.nargs = 1, .arg = {x}, .used = 1, .cost = flat};
        v[n + 1] = (struct place_value){.nargs = 1, .arg = {n}, .used = 14, .low = true, .cost = flat};
        v[n + 2] = (struct place_value){.nargs = 1, .arg = {n + 1}, .used = 1, .cost = flat};
        v[n + 3] = (struct place_value){.nargs = 2, .arg = {n + 2, x}, .cost = flat};
        v[n + 4] = (struct place_value){.nargs = 1, .arg = {n + 3}, .used = 14, .low = true, .cost = flat};
        n += 5;
    }
    for (uint32_t k = 0; k < n; k++) v[k].boot_need = 2, v[k].boot_cost = 100;
    out = n - 1;
    struct place p = {.count = n, .value = v, .output = &out, .noutputs = 1, .left = 17, .top = 29};
    bool *boot = ARENA_ARRAY(a, bool, 2 * n + 2), *seen = ARENA_ARRAY(a, bool, n);
    CHECK(place_solve(&p, boot, 4096, a) < INFINITY);
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t j = 0; j < v[k].nargs; j++)
            if (boot[2 * k + j] && !seen[v[k].arg[j]]) seen[v[k].arg[j]] = true, boots++;
    CHECKF(boots == 2 * blocks, "%g bootstraps for %u blocks", boots, blocks);
    arena_free(a);
}

int main(void)
{
    small_programs();
    residual(9);                // ResNet-20
    residual(54);               // ResNet-110
    return test_done();
}
