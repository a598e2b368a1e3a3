// SPDX-License-Identifier: Apache-2.0
// Beam search over the classes in program order. A state holds the places chosen so far; an edge is priced once both its ends are
// chosen. States that agree on every class that still has open edges differ only in the past, so the cheapest of them is kept: on a chain
// of layers this is exact dynamic programming over the candidates. Prices are remembered by (pattern, place, place).
#include "layout_search.h"

#include "../compiler/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BEAM = 96, BEAM_LARGE = 16, LARGE = 2000000, MAX_CANDIDATES = 64, MEMO = 1 << 14, MAX_PLACES = 1 << 14 };

static const double MARGIN = 60;        // states this many rotations behind the best are not looked at
static const double VECTOR = 50;        // what one more vector costs in slotwise operations and bootstraps, in rotations

struct memo {
    uint64_t pattern;
    uint32_t in, to;            // place ids + 1; 0: free
    double cost, limit;         // cost: infinite if it is `limit` or more
};

struct search {
    struct lproblem *p;
    struct arena *scratch;      // emptied after each price
    struct memo *memo;
    uint32_t nplaces;
    struct place *places[MAX_PLACES];
    const char *text[MAX_PLACES];
};

struct state {
    const struct place **place; // per class
    double cost;
};

static struct place *intern(struct search *s, const struct candidate *c)
{
    const char *text = layout_print(s->p->arena, &c->l);
    for (uint32_t d = 0; d < c->l.rank; d++) text = arena_printf(s->p->arena, "%s,%lld", text, (long long)c->l.dim[d]);
    for (uint32_t d = 0; d < c->g.nd; d++)
        text = arena_printf(s->p->arena, "%s/%lld:%lld", text, (long long)c->g.unit[d], (long long)c->g.block);
    for (uint32_t k = 0; k < s->nplaces; k++)
        if (strcmp(s->text[k], text) == 0) return s->places[k];
    ICE_IF(s->nplaces == MAX_PLACES, "too many layouts");
    s->text[s->nplaces] = text;
    s->places[s->nplaces] = place_new(s->p->arena, &c->l, &c->g, s->nplaces);
    return s->places[s->nplaces++];
}

/* The price of an edge, or infinity if it is `limit` or more. */
static double price(struct search *s, const struct ledge *e, const struct place *in, const struct place *to, double limit)
{
    uint64_t h = (e->pattern ^ in->id * 0x9e3779b97f4a7c15u ^ to->id * 0xc2b2ae3d27d4eb4fu) * 0xff51afd7ed558ccdu;
    for (uint32_t k = (uint32_t)(h >> 40) % MEMO, tries = 0; tries < MEMO; k = (k + 1) % MEMO, tries++) {
        struct memo *m = &s->memo[k];
        bool same = m->pattern == e->pattern && m->in == in->id + 1 && m->to == to->id + 1;
        if (m->in && !same) continue;
        if (m->in && (m->cost < INFINITY || limit <= m->limit)) return m->cost;
        struct map_plan plan;
        map_plan(s->scratch, &plan, &e->rows, in, to, limit);
        arena_reset(s->scratch);
        *m = (struct memo){e->pattern, in->id + 1, to->id + 1, plan.cost, limit};
        return plan.cost;
    }
    ICE("layout search: the memory of prices is full");
}

/* Has the class an edge to a class that comes after `done`? */
static bool open_class(const struct lproblem *p, uint32_t class, uint32_t done)
{
    for (uint32_t k = 0; k < p->nedges; k++) {
        const struct ledge *e = &p->edges[k];
        if ((e->from == class && e->to > done) || (e->to == class && e->from > done)) return true;
    }
    return false;
}

static bool same_frontier(const struct lproblem *p, const struct state *a, const struct state *b, const bool *open, uint32_t done)
{
    for (uint32_t c = 0; c <= done; c++)
        if (open[c] && a->place[c] != b->place[c]) return false;
    return true;
}

static int state_cmp(const void *x, const void *y)
{
    const struct state *a = x, *b = y;
    return a->cost < b->cost ? -1 : a->cost > b->cost;
}

static uint32_t extend(struct search *s, const struct state *old, uint32_t nold, uint32_t class, struct state *out, uint32_t max)
{
    struct lproblem *p = s->p;
    struct candidate cand[MAX_CANDIDATES];
    uint32_t n = 0;
    double best = INFINITY;
    for (uint32_t k = 0; k < nold; k++) {
        uint32_t nc = layout_candidates(p, class, old[k].place, cand, MAX_CANDIDATES);
        for (uint32_t c = 0; c < nc && n < max; c++) {
            const struct place *pl = intern(s, &cand[c]);
            if (!pl) continue;
            struct state t = {ARENA_ARRAY(p->arena, const struct place *, p->nclasses), old[k].cost};
            memcpy(t.place, old[k].place, sizeof *t.place * p->nclasses);
            t.place[class] = pl;
            t.cost += VECTOR * (pl->count - 1);
            for (uint32_t e = 0; e < p->nedges && t.cost < INFINITY; e++) {
                const struct ledge *d = &p->edges[e];
                if ((d->from == class && d->to <= class) || (d->to == class && d->from < class))
                    t.cost += price(s, d, t.place[d->from], t.place[d->to], best + MARGIN - t.cost);
            }
            if (t.cost < best) best = t.cost;
            if (t.cost < best + MARGIN) out[n++] = t;
        }
    }
    return n;
}

static uint32_t prune(const struct lproblem *p, struct state *v, uint32_t n, uint32_t done)
{
    bool *open = ARENA_ARRAY(p->arena, bool, p->nclasses);
    for (uint32_t c = 0; c <= done; c++) open[c] = open_class(p, c, done);
    qsort(v, n, sizeof *v, state_cmp);
    uint32_t kept = 0;
    int64_t nnz = 0;
    for (uint32_t e = 0; e < p->nedges; e++) nnz += p->edges[e].nnz;
    uint32_t width = nnz > LARGE ? BEAM_LARGE : BEAM;
    for (uint32_t k = 0; k < n && kept < width; k++) {
        bool fresh = true;
        for (uint32_t j = 0; j < kept && fresh; j++) fresh = !same_frontier(p, &v[j], &v[k], open, done);
        if (fresh) v[kept++] = v[k];
    }
    return kept;
}

double layout_search(struct lproblem *p)
{
    struct search *s = ARENA_NEW(p->arena, struct search);
    s->p = p;
    s->scratch = arena_new();
    s->memo = ARENA_ARRAY(p->arena, struct memo, MEMO);
    uint32_t max = BEAM * MAX_CANDIDATES, n = 1;
    struct state *beam = ARENA_ARRAY(p->arena, struct state, max), *next = ARENA_ARRAY(p->arena, struct state, max);
    beam[0].place = ARENA_ARRAY(p->arena, const struct place *, p->nclasses);
    for (uint32_t c = 0; c < p->nclasses; c++) {
        uint32_t m = extend(s, beam, n, c, next, max);
        ICE_IF(m == 0, "no layout fits");
        n = prune(p, next, m, c);
        struct state *t = beam;
        beam = next;
        next = t;
    }
    for (uint32_t c = 0; c < p->nclasses; c++) p->classes[c].place = beam[0].place[c];
    arena_free(s->scratch);
    return n ? beam[0].cost : 0;
}
