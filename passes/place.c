// SPDX-License-Identifier: Apache-2.0
// Given which operands read refreshed copies, the rest follows: every value lies as low as its readers allow, which is cheapest, since an
// operation costs less the lower it runs. So the search is over that choice alone. It sweeps the program backwards; a state holds, for
// every value with a reader already seen and its definition not, the level wanted of the value itself and whether a refreshed copy
// is wanted; that is all that the rest of the program can know. Of two states the one with no higher wants and no higher cost makes the
// other useless. On chains and on series-parallel graphs few values are open at a time and the search is exact and fast (the levels of
// a shortest path over (layer, level) with regions for forks); on any other graph it is exact while the states fit the beam.
#include "place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = -1, WIDEST = 256 };       // open values at a time

struct state {
    double cost;
    uint32_t from;                      // in the layer before
    uint8_t boots;                      // bit k: operand k reads the copy
    int8_t *want;                       // per open value: level of the value itself or NONE, then 1 if a copy is wanted
};

struct layer {
    uint32_t count;
    struct state *state;
};

struct search {
    const struct place *p;
    struct arena *scratch;
    uint32_t nopen, open[WIDEST];
    uint32_t nnext, next[WIDEST];
};

double place_cost(const struct place *p, const bool *boot, int *level, struct arena *scratch)
{
    int *want = ARENA_ARRAY(scratch, int, p->count + 1);
    bool *copy = ARENA_ARRAY(scratch, bool, p->count + 1);
    double sum = 0;
    for (uint32_t k = 0; k < p->count; k++) want[k] = NONE;
    for (uint32_t k = 0; k < p->noutputs; k++) want[p->output[k]] = 0;
    for (uint32_t v = p->count; v-- > 0;) {
        const struct place_value *x = &p->value[v];
        if (copy[v]) {
            sum += x->boot_cost;
            if (want[v] < x->boot_need) want[v] = x->boot_need;
        }
        if (want[v] == NONE) continue;
        int in = want[v] + x->used;
        if (in > p->top || (x->low && in > p->left)) return INFINITY;
        sum += x->cost[want[v]];
        for (uint32_t k = 0; k < x->nargs; k++) {
            uint32_t a = x->arg[k];
            if (boot[2 * v + k] && in > p->left) return INFINITY;
            if (boot[2 * v + k]) copy[a] = true;
            else if (want[a] < in) want[a] = in;
        }
    }
    for (uint32_t k = 0; level && k < p->count; k++) level[k] = want[k];
    return sum;
}

static int index_of(const uint32_t *list, uint32_t n, uint32_t v)
{
    for (uint32_t k = 0; k < n; k++)
        if (list[k] == v) return (int)k;
    return NONE;
}

static int by_cost(const void *a, const void *b)
{
    const struct state *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->boots < y->boots ? -1 : x->boots > y->boots;
}

static bool dominates(const struct state *a, const struct state *b, uint32_t n)
{
    for (uint32_t k = 0; k < 2 * n; k++)
        if (a->want[k] > b->want[k]) return false;
    return true;                        // and a costs no more: states are sorted
}

static void prune(struct layer *l, uint32_t open, uint32_t beam)
{
    uint32_t kept = 0;
    qsort(l->state, l->count, sizeof *l->state, by_cost);
    for (uint32_t k = 0; k < l->count && kept < beam; k++) {
        bool useless = false;
        for (uint32_t j = 0; j < kept && !useless; j++) useless = dominates(&l->state[j], &l->state[k], open);
        if (!useless) l->state[kept++] = l->state[k];
    }
    l->count = kept;
}

/* The open values once the definition of v is behind: false if they are too many. */
static bool advance(struct search *s, uint32_t v)
{
    const struct place_value *x = &s->p->value[v];
    s->nnext = 0;
    for (uint32_t k = 0; k < s->nopen; k++)
        if (s->open[k] != v) s->next[s->nnext++] = s->open[k];
    for (uint32_t k = 0; k < x->nargs; k++) {
        if (index_of(s->next, s->nnext, x->arg[k]) != NONE) continue;
        if (s->nnext == WIDEST) return false;
        s->next[s->nnext++] = x->arg[k];
    }
    return true;
}

/* State `from` of the layer before with the definition of v taken in: false if no level serves. */
static bool step(struct search *s, struct state *out, const struct state *before, uint32_t from, uint32_t v, uint8_t boots)
{
    const struct place *p = s->p;
    const struct place_value *x = &p->value[v];
    int at = index_of(s->open, s->nopen, v), want = before->want[2 * at];
    double cost = before->cost;
    if (before->want[2 * at + 1]) {
        cost += x->boot_cost;
        if (want < x->boot_need) want = x->boot_need;
    }
    int in = want + x->used;
    if (in > p->top || ((x->low || boots) && in > p->left)) return false;
    *out = (struct state){cost + x->cost[want], from, boots, ARENA_ARRAY(s->scratch, int8_t, 2 * s->nnext + 1)};
    for (uint32_t k = 0; k < s->nnext; k++) {
        int old = index_of(s->open, s->nopen, s->next[k]);
        out->want[2 * k] = old == NONE ? NONE : before->want[2 * old];
        out->want[2 * k + 1] = old == NONE ? 0 : before->want[2 * old + 1];
    }
    for (uint32_t k = 0; k < x->nargs; k++) {
        int8_t *w = &out->want[2 * index_of(s->next, s->nnext, x->arg[k])];
        if (boots >> k & 1) w[1] = 1;
        else if (w[0] < in) w[0] = (int8_t)in;
    }
    return true;
}

double place_solve(const struct place *p, bool *boot, uint32_t beam, struct arena *scratch)
{
    struct search s = {.p = p, .scratch = scratch};
    struct layer *layer = ARENA_ARRAY(scratch, struct layer, p->count + 1);
    for (uint32_t k = 0; k < p->noutputs; k++)
        if (index_of(s.open, s.nopen, p->output[k]) == NONE && s.nopen < WIDEST) s.open[s.nopen++] = p->output[k];
    layer[p->count] = (struct layer){1, ARENA_NEW(scratch, struct state)};
    layer[p->count].state->want = ARENA_ARRAY(scratch, int8_t, 2 * s.nopen + 1);
    for (uint32_t v = p->count; v-- > 0;) {
        const struct place_value *x = &p->value[v];
        struct layer *before = &layer[v + 1], *l = &layer[v];
        bool dead = index_of(s.open, s.nopen, v) == NONE;
        if (dead) {                     // nobody reads it
            *l = (struct layer){before->count, ARENA_ARRAY(scratch, struct state, before->count)};
            for (uint32_t k = 0; k < l->count; k++)
                l->state[k] = (struct state){before->state[k].cost, k, 0, before->state[k].want};
            continue;
        }
        if (!advance(&s, v)) return INFINITY;
        uint32_t choices = x->nargs == 2 && x->arg[0] != x->arg[1] ? 4 : x->nargs ? 2 : 1;
        l->state = ARENA_ARRAY(scratch, struct state, before->count * choices);
        for (uint32_t k = 0; k < before->count; k++)
            for (uint32_t c = 0; c < choices; c++) {
                uint8_t boots = (uint8_t)(x->nargs == 2 && choices == 2 ? 3 * c : c);
                l->count += step(&s, &l->state[l->count], &before->state[k], k, v, boots);
            }
        prune(l, s.nnext, beam);
        if (!l->count) return INFINITY;
        s.nopen = s.nnext;
        memcpy(s.open, s.next, s.nnext * sizeof *s.open);
    }
    uint32_t at = 0;                    // the cheapest comes first
    for (uint32_t v = 0; v < p->count; v++) {
        const struct state *x = &layer[v].state[at];
        boot[2 * v] = x->boots & 1;
        boot[2 * v + 1] = x->boots >> 1;
        at = x->from;
    }
    return layer[0].state->cost;
}
