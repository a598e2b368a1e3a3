// SPDX-License-Identifier: Apache-2.0
// The state of the search for rotation keys: which key serves where, the trees of last steps, what a use takes by them, and hanging rotations up
// again that lost their step.
#include "routes_impl.h"

#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

/* ---- keys ---- */

int32_t routes_serve(const struct routes_state *s, int32_t rotation, uint32_t level)
{
    int32_t best = -1;
    for (int32_t k = s->by_rotation[rotation]; k >= 0; k = s->key[k].next)
        if (s->key[k].alive && s->key[k].level >= level && (best < 0 || s->key[k].level < s->key[best].level)) best = k;
    return best;
}

double routes_marginal(const struct routes_state *s, int32_t rotation, uint32_t level)
{
    double saved = 0;
    for (int32_t k = s->by_rotation[rotation]; k >= 0; k = s->key[k].next) {
        const struct routes_kept *f = &s->key[k];
        if (f->fixed && s->p->gadget[f->level] == s->p->gadget[level]) saved = fmax(saved, s->p->bytes[f->level]);
    }
    return fmax(s->p->bytes[level] - saved, 0);
}

void routes_add_key(struct routes_state *s, int32_t rotation, uint32_t level, bool fixed, bool ladder)
{
    for (int32_t k = s->by_rotation[rotation]; ladder && k >= 0; k = s->key[k].next)
        if (s->p->gadget[s->key[k].level] == s->p->gadget[level] && s->key[k].level >= level) return;
    if (s->by_rotation[rotation] < 0) s->rotations[s->nrotation++] = rotation;
    s->key[s->nkey] = (struct routes_kept){.rotation = rotation, .level = level, .most = level, .fixed = fixed, .alive = true, .ladder = ladder,
                                    .next = s->by_rotation[rotation], .version = UINT32_MAX};
    s->by_rotation[rotation] = (int32_t)s->nkey++;
}

/* ---- trees ---- */

int32_t routes_before(const struct routes_state *s, const struct routes_tree *t, int32_t r)
{
    return r == (int32_t)s->p->n ? 0 : (r - t->step[r]) & (int32_t)(s->p->n - 1);
}

static const struct routes_price *step_price(const struct routes_state *s, const struct routes_tree *t, int32_t step)
{
    int32_t k = routes_serve(s, step, t->level);
    ICE_IF(k < 0, "no key for a step of %d at level %u", step, t->level);
    return &s->p->price[t->level][s->key[k].level];
}

static uint32_t step_gadget(const struct routes_state *s, const struct routes_tree *t, int32_t step)
{
    return s->p->gadget[s->key[routes_serve(s, step, t->level)].level];
}

void routes_set_step(struct routes_state *s, struct routes_tree *t, int32_t r, int32_t step)
{
    if (s->nlog == s->room) {
        struct routes_undo *more = ARENA_ARRAY(s->arena, struct routes_undo, s->room *= 2);
        memcpy(more, s->log, s->nlog * sizeof *more);
        s->log = more;
    }
    s->log[s->nlog++] = (struct routes_undo){t, r, t->step[r]};
    if (t->step[r]) t->kids[routes_before(s, t, r)]--;
    t->step[r] = step;
    if (step) t->kids[routes_before(s, t, r)]++;
}

static bool is_member(const struct routes_state *s, uint32_t use, int32_t r)
{
    return s->member[use][r / 64] >> (r % 64) & 1;
}

double routes_time_of(struct routes_state *s, uint32_t use)
{
    const struct routes_use *u = &s->p->use[use];
    const struct routes_tree *t = &s->tree[s->tree_of[use]];
    double sum = 0;
    uint32_t votes[ROUTES_GADGETS] = {0}, main = 0, nodes = 0;
    s->now++;
    for (uint32_t k = 0; k < u->n; k++)
        for (int32_t r = u->rotation[k]; r && (u->kind != ROUTES_HOISTED || s->seen[r] != s->now); r = routes_before(s, t, r)) {
            if (u->kind == ROUTES_SUMS && r != u->rotation[k] && is_member(s, use, r)) break;
            if (u->kind != ROUTES_HOISTED) {
                sum += step_price(s, t, t->step[r])->whole;
                continue;
            }
            s->seen[r] = s->now;
            s->queue[nodes++] = r;
            if (routes_before(s, t, r)) s->hub[routes_before(s, t, r)] = s->now;
            else votes[step_gadget(s, t, t->step[r])]++;
        }
    for (uint32_t g = 1; g < ROUTES_GADGETS; g++)
        if (votes[g] > votes[main]) main = g;
    for (uint32_t k = 0; k < nodes; k++) {
        const int32_t r = s->queue[k], from = routes_before(s, t, r);
        const struct routes_price *price = step_price(s, t, t->step[r]);
        const uint32_t gadget = step_gadget(s, t, t->step[r]);
        uint32_t *paid = &s->paid[(size_t)from * ROUTES_GADGETS + gadget];
        if (*paid != s->now) sum += price->modup;
        *paid = s->now;
        sum += price->hoisted + (from || s->hub[r] == s->now || gadget != main ? 2 * price->moddown : 0);
    }
    return sum * u->count;
}

/* Time of the way to r, INFINITY where it is not connected. */
static double path(const struct routes_state *s, const struct routes_tree *t, int32_t r)
{
    double sum = 0;
    for (; r; r = routes_before(s, t, r)) {
        if (!t->step[r]) return INFINITY;
        sum += step_price(s, t, t->step[r])->whole;
    }
    return sum;
}

/* What the uses of r pay if it hangs from `from`, to which the way costs `way`, by a step. */
static double hanging(const struct routes_state *s, const struct routes_tree *t, int32_t r, int32_t from, double way, int32_t step)
{
    const struct routes_price *price = step_price(s, t, step);
    double sum = 0;
    for (uint32_t k = t->first[r]; k < t->first[r + 1]; k++) {
        const struct routes_use *u = &s->p->use[t->uses[k]];
        const double more = from && !is_member(s, t->uses[k], from) ? way : 0;
        switch (u->kind) {
        case ROUTES_HOISTED:
            sum += u->count * (price->hoisted + (from ? 2 * price->moddown : 0) + (t->kids[from] ? 0 : price->modup) + more);
            break;
        case ROUTES_SUMS: sum += u->count * (price->whole + more); break;
        case ROUTES_SINGLE: sum += u->count * (price->whole + way); break;
        }
    }
    return t->first[r] == t->first[r + 1] ? way + price->whole : sum;
}

/* Hangs r over rotations that nobody uses: the way of fewest steps from what is connected. */
static bool hang_far(struct routes_state *s, struct routes_tree *t, int32_t r)
{
    enum { MOST_STEPS = 6 };
    const int32_t mask = (int32_t)(s->p->n - 1);
    uint32_t head = 0, tail = 0, depth_end = 1, depth = 1;
    s->now++;
    s->queue[tail++] = r;
    s->seen[r] = s->now;
    for (; head < tail && depth <= MOST_STEPS; head++) {
        if (head == depth_end) depth_end = tail, depth++;
        const int32_t at = s->queue[head];
        for (uint32_t k = 0; k < s->nrotation; k++) {
            const int32_t step = s->rotations[k], from = (at - step) & mask;
            if (step > mask || s->seen[from] == s->now || routes_serve(s, step, t->level) < 0) continue;
            s->seen[from] = s->now;
            s->came[from] = at;
            if (!isfinite(path(s, t, from))) {
                s->queue[tail++] = from;
                continue;
            }
            for (int32_t x = from; x != r; x = s->came[x]) {
                const int32_t y = s->came[x];
                if (!t->listed[y]) t->node[t->nnode++] = y;
                t->listed[y] = true;
                routes_set_step(s, t, y, (y - x) & mask);
            }
            return true;
        }
    }
    return false;
}

/* Hangs r where its uses pay least. False: there is no way. */
static bool hang(struct routes_state *s, struct routes_tree *t, int32_t r)
{
    const int32_t mask = (int32_t)(s->p->n - 1), own = routes_serve(s, r, t->level);
    if (own >= 0 && (r > mask || s->p->gadget[s->key[own].level] == s->p->gadget[t->level])) {
        routes_set_step(s, t, r, r);
        return true;
    }
    if (r > mask) return false;
    int32_t best = own >= 0 ? r : 0;
    double least = own >= 0 ? hanging(s, t, r, 0, 0, r) : INFINITY;
    for (uint32_t k = 0; k < s->nrotation; k++) {
        const int32_t step = s->rotations[k], from = (r - step) & mask;
        if (step > mask || !from || !t->step[from] || routes_serve(s, step, t->level) < 0) continue;
        const double way = path(s, t, from);
        if (!isfinite(way)) continue;
        const double us = hanging(s, t, r, from, way, step);
        if (us >= least) continue;
        least = us;
        best = step;
    }
    if (best) routes_set_step(s, t, r, best);
    return best;
}

/* Is it off the tree, and needed there? */
static bool is_loose(const struct routes_tree *t, int32_t r) { return !t->step[r] && (t->first[r] < t->first[r + 1] || t->kids[r]); }

bool routes_rehang(struct routes_state *s, struct routes_tree *t, int32_t rotation)
{
    const size_t mark = s->nlog;
    for (uint32_t k = 0; k < t->nnode; k++) {
        const int32_t r = t->node[k];
        if (t->step[r] && (t->step[r] == rotation || r == rotation)) routes_set_step(s, t, r, 0);
    }
    const size_t end = s->nlog;
    for (;;) {
        bool left = false, moved = false;
        for (size_t k = mark; k < end; k++) {
            const int32_t r = s->log[k].rotation;
            if (!is_loose(t, r)) continue;
            if (hang(s, t, r)) moved = true;
            else left = true;
        }
        if (!left) return true;
        for (size_t k = mark; k < end && !moved; k++)
            moved = is_loose(t, s->log[k].rotation) && s->log[k].rotation < (int32_t)s->p->n && hang_far(s, t, s->log[k].rotation);
        if (!moved) return false;
    }
}

