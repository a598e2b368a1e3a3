// SPDX-License-Identifier: Apache-2.0
// Greedy search for the rotation keys to keep. At every level of use the rotations form a tree below 0: a node's edge is its last step, whose key
// is kept. To begin with all hang from 0. Dropping a key (or lowering it to its next level of use) takes the nodes whose edge it was off the
// tree; each is hung up again where that costs the uses at the level least, over rotations that nobody uses if need be. The price of a
// move is the time of all uses after it less that before, by what the runtime does (routes_time_of); the move with the least time a byte
// is made. Prices of other moves grow by that in most cases, so a stale price is looked at again only when it is the least.
#include "routes_impl.h"

#include "../compiler/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- moves ---- */

/* Gives a key another level, ROUTES_TOP: none. The change of time is in *us; taken back unless `keep`. False if a rotation has no way
 * then. */
static bool change(struct routes_state *s, struct routes_kept *key, uint32_t level, bool keep, double *us)
{
    const bool was = key->alive;
    const uint32_t old = key->level;
    const size_t mark = s->nlog;
    bool touched[ROUTES_TOP] = {false}, ok = true;
    int32_t served[ROUTES_TOP];
    for (uint32_t t = 0; t < s->ntree; t++) served[t] = routes_serve(s, key->rotation, s->tree[t].level);
    key->alive = level < ROUTES_TOP;
    if (key->alive) key->level = level;
    *us = 0;
    for (uint32_t t = 0; t < s->ntree && ok; t++) {
        if (served[t] == routes_serve(s, key->rotation, s->tree[t].level)) continue;
        touched[t] = true;
        ok = routes_rehang(s, &s->tree[t], key->rotation);
    }
    for (uint32_t u = 0; u < s->p->nuse && ok; u++) {
        if (!touched[s->tree_of[u]]) continue;
        const double now = routes_time_of(s, u);
        *us += now - s->us[u];
        if (keep) s->us[u] = now;
    }
    if (ok && keep) {
        s->bytes += (key->alive ? routes_marginal(s, key->rotation, key->level) : 0) - (was ? routes_marginal(s, key->rotation, old) : 0);
        s->version++;
        s->nlog = 0;
        return true;
    }
    while (s->nlog > mark) {
        const struct routes_undo *u = &s->log[s->nlog - 1];
        routes_set_step(s, u->tree, u->rotation, u->step);
        s->nlog -= 2;
    }
    key->alive = was;
    key->level = old;
    return ok;
}

/* The next level below the key's at which a step by its rotation is made with the same gadget, ROUTES_TOP if there is none. */
static uint32_t lower_level(const struct routes_state *s, const struct routes_kept *key)
{
    uint32_t best = ROUTES_TOP;
    for (uint32_t t = 0; t < s->ntree; t++) {
        const uint32_t l = s->tree[t].level;
        bool used = false;
        if (l >= key->level || s->p->gadget[l] != s->p->gadget[key->level] || (best < ROUTES_TOP && l < best)) continue;
        for (uint32_t k = 0; k < s->tree[t].nnode && !used; k++) used = s->tree[t].step[s->tree[t].node[k]] == key->rotation;
        if (used) best = l;
    }
    return best;
}

static double ratio(double us, double bytes) { return bytes > 0 ? us / bytes : us > 0 ? INFINITY : -INFINITY; }

/* Prices both moves of a key: dropped, or lowered. */
static void price(struct routes_state *s, struct routes_kept *key)
{
    const uint32_t lower = lower_level(s, key);
    const double all = routes_marginal(s, key->rotation, key->level);
    double us;
    key->stuck = true;
    if (change(s, key, ROUTES_TOP, false, &us)) {
        key->stuck = false;
        key->to = ROUTES_TOP;
        key->us = us;
        key->bytes = all;
    }
    if (lower < ROUTES_TOP && (key->stuck || key->us > 0) && change(s, key, lower, false, &us)) {
        const double bytes = all - routes_marginal(s, key->rotation, lower);
        if (key->stuck || ratio(us, bytes) < ratio(key->us, key->bytes)) {
            key->stuck = false;
            key->to = lower;
            key->us = us;
            key->bytes = bytes;
        }
    }
    key->version = s->version;
}

/* Makes the cheapest move, if it is free or the bytes are above the budget. */
static bool move(struct routes_state *s, bool ladder)
{
    for (;;) {
        struct routes_kept *best = NULL;
        for (uint32_t k = 0; k < s->nkey; k++) {
            struct routes_kept *key = &s->key[k];
            if (key->fixed || !key->alive || key->stuck || (key->ladder && !ladder)) continue;
            if (key->version == UINT32_MAX) price(s, key);
            if (!key->stuck && (!best || ratio(key->us, key->bytes) < ratio(best->us, best->bytes))) best = key;
        }
        if (!best) return false;
        if (best->version != s->version) {
            price(s, best);
            continue;
        }
        if (best->us > 1e-9 && s->bytes <= s->p->budget) return false;
        double us;
        change(s, best, best->to, true, &us);
        best->version = UINT32_MAX;
        return true;
    }
}

/* Puts keys back where they fit, the one that saves most time a byte first. */
static void fill(struct routes_state *s)
{
    for (;;) {
        struct routes_kept *best = NULL;
        double least = 0;
        for (uint32_t k = 0; k < s->nkey; k++) {
            struct routes_kept *key = &s->key[k];
            if (key->fixed || (key->alive && key->level == key->most)) continue;
            const double more = routes_marginal(s, key->rotation, key->most) - (key->alive ? routes_marginal(s, key->rotation, key->level) : 0);
            double us;
            if (s->bytes + more > s->p->budget || !change(s, key, key->most, false, &us) || us >= -1e-9) continue;
            if (ratio(us, more) < least) least = ratio(us, more), best = key;
        }
        if (!best) return;
        double us;
        change(s, best, best->most, true, &us);
    }
}

/* ---- set-up and result ---- */

static struct routes_tree *tree_at(struct routes_state *s, uint32_t level)
{
    uint32_t k = 0;
    while (k < s->ntree && s->tree[k].level != level) k++;
    if (k == s->ntree) {
        struct routes_tree *t = &s->tree[s->ntree++];
        *t = (struct routes_tree){.level = level};
        t->step = ARENA_ARRAY(s->arena, int32_t, s->p->n + 1);
        t->kids = ARENA_ARRAY(s->arena, uint32_t, s->p->n + 1);
        t->node = ARENA_ARRAY(s->arena, int32_t, s->p->n + 1);
        t->listed = ARENA_ARRAY(s->arena, bool, s->p->n + 1);
        t->first = ARENA_ARRAY(s->arena, uint32_t, s->p->n + 3);
    }
    return &s->tree[k];
}

static struct routes_state begin(const struct routes *p, uint32_t nkey, struct arena *arena)
{
    const uint32_t n = p->n;
    struct routes_state s = {.p = p, .arena = arena, .room = 1024};
    s.log = ARENA_ARRAY(arena, struct routes_undo, s.room);
    s.key = ARENA_ARRAY(arena, struct routes_kept, nkey + p->nfixed + ROUTES_GADGETS * 32);
    s.by_rotation = ARENA_ARRAY(arena, int32_t, n + 1);
    memset(s.by_rotation, 0xff, (n + 1) * sizeof *s.by_rotation);
    s.rotations = ARENA_ARRAY(arena, int32_t, n + 1);
    s.tree = ARENA_ARRAY(arena, struct routes_tree, ROUTES_TOP);
    s.tree_of = ARENA_ARRAY(arena, uint32_t, p->nuse);
    s.member = ARENA_ARRAY(arena, uint64_t *, p->nuse);
    s.us = ARENA_ARRAY(arena, double, p->nuse);
    s.seen = ARENA_ARRAY(arena, uint32_t, n + 1);
    s.hub = ARENA_ARRAY(arena, uint32_t, n + 1);
    s.paid = ARENA_ARRAY(arena, uint32_t, (size_t)(n + 1) * ROUTES_GADGETS);
    s.queue = ARENA_ARRAY(arena, int32_t, n + 1);
    s.came = ARENA_ARRAY(arena, int32_t, n + 1);
    for (uint32_t u = 0; u < p->nuse; u++) {
        struct routes_tree *t = tree_at(&s, p->use[u].level);
        s.tree_of[u] = (uint32_t)(t - s.tree);
        s.member[u] = ARENA_ARRAY(arena, uint64_t, n / 64 + 1);
        for (uint32_t k = 0; k < p->use[u].n; k++) {
            s.member[u][p->use[u].rotation[k] / 64] |= UINT64_C(1) << (p->use[u].rotation[k] % 64);
            t->first[p->use[u].rotation[k] + 2]++;
        }
    }
    for (uint32_t k = 0; k < s.ntree; k++) {
        struct routes_tree *t = &s.tree[k];
        for (uint32_t r = 0; r < n + 1; r++) {
            t->listed[r] = t->first[r + 2] > 0;
            if (t->listed[r]) t->node[t->nnode++] = (int32_t)r;
            t->first[r + 2] += t->first[r + 1];
        }
        t->uses = ARENA_ARRAY(arena, uint32_t, t->first[n + 2]);
    }
    for (uint32_t u = 0; u < p->nuse; u++) {
        struct routes_tree *t = &s.tree[s.tree_of[u]];
        for (uint32_t k = 0; k < p->use[u].n; k++) t->uses[t->first[p->use[u].rotation[k] + 1]++] = u;
    }
    for (uint32_t k = 0; k < p->nfixed; k++) routes_add_key(&s, p->fixed[k].rotation, p->fixed[k].level, true, false);
    return s;
}

/* Powers of two, times what divides all rotations, for every gadget that is used. */
static void add_ladder(struct routes_state *s)
{
    int32_t unit = (int32_t)s->p->n;
    for (uint32_t u = 0; u < s->p->nuse; u++)
        for (uint32_t k = 0; k < s->p->use[u].n; k++)
            while (s->p->use[u].rotation[k] % unit) unit /= 2;
    for (uint32_t g = 0; g < ROUTES_GADGETS; g++) {
        uint32_t top = 0;
        for (uint32_t t = 0; t < s->ntree; t++)
            if (s->p->gadget[s->tree[t].level] == g && s->tree[t].level > top) top = s->tree[t].level;
        for (int32_t r = unit; top && r < (int32_t)s->p->n; r *= 2) routes_add_key(s, r, top, false, true);
    }
}

static bool search(struct routes_state *s, bool ladder)
{
    for (uint32_t k = 0; k < s->p->nkey; k++) routes_add_key(s, s->p->key[k].rotation, s->p->key[k].level, false, false);
    if (ladder) add_ladder(s);
    for (uint32_t t = 0; t < s->ntree; t++)
        for (uint32_t k = 0; k < s->tree[t].nnode; k++) {
            const int32_t r = s->tree[t].node[k];
            ICE_IF(routes_serve(s, r, s->tree[t].level) < 0, "no key for rotation %d at level %u", r, s->tree[t].level);
            routes_set_step(s, &s->tree[t], r, r);
        }
    s->nlog = 0;
    for (uint32_t u = 0; u < s->p->nuse; u++) s->us[u] = routes_time_of(s, u);
    for (uint32_t k = 0; k < s->nkey; k++)
        if (!s->key[k].fixed) s->bytes += routes_marginal(s, s->key[k].rotation, s->key[k].level);
    while (move(s, false)) {}
    while (ladder && move(s, true)) {}
    if (s->bytes > s->p->budget) return false;
    fill(s);
    return true;
}

static int by_rotation_level(const void *x, const void *y)
{
    const struct routes_key *a = x, *b = y;
    if (a->rotation != b->rotation) return a->rotation < b->rotation ? -1 : 1;
    return (a->level > b->level) - (a->level < b->level);
}

static int steps_by_rotation_level(const void *x, const void *y)
{
    const struct routes_step *a = x, *b = y;
    if (a->rotation != b->rotation) return a->rotation < b->rotation ? -1 : 1;
    return (a->level > b->level) - (a->level < b->level);
}

/* The last step of r at `level` by the rules of ck_eval_turn; 0: none. */
static int32_t look_up(const struct routes_state *s, int32_t r, uint32_t level, const struct routes_step *step, uint32_t nstep)
{
    const int32_t key = routes_serve(s, r, level);
    const struct routes_step *best = NULL;
    for (uint32_t k = 0; k < nstep; k++)
        if (step[k].rotation == r && step[k].level >= level && (!best || step[k].level < best->level)) best = &step[k];
    if (!best || (key >= 0 && s->key[key].level <= best->level)) return key < 0 ? 0 : r;
    return routes_serve(s, best->step, level) < 0 ? 0 : best->step;
}

static int trees_down(const void *x, const void *y)
{
    const struct routes_tree *a = *(const struct routes_tree *const *)x, *b = *(const struct routes_tree *const *)y;
    return (a->level < b->level) - (a->level > b->level);
}

/* What the runtime cannot know by itself: steps that its look-up would not give. From the highest level, since a lower entry does not show there. */
static void take_steps(struct routes_state *s, struct routes_plan *out)
{
    const struct routes_tree *order[ROUTES_TOP];
    uint32_t room = 0;
    for (uint32_t t = 0; t < s->ntree; t++) {
        order[t] = &s->tree[t];
        room += s->tree[t].nnode;
    }
    qsort(order, s->ntree, sizeof *order, trees_down);
    out->step = ARENA_ARRAY(s->arena, struct routes_step, room);
    for (uint32_t k = 0; k < s->ntree; k++) {
        const struct routes_tree *t = order[k];
        s->now++;
        for (uint32_t i = 0; i < t->nnode; i++) {
            if (t->first[t->node[i]] == t->first[t->node[i] + 1]) continue;
            for (int32_t r = t->node[i]; r && s->seen[r] != s->now; r = routes_before(s, t, r)) {
                s->seen[r] = s->now;
                if (look_up(s, r, t->level, out->step, out->nstep) == t->step[r]) continue;
                out->step[out->nstep++] = (struct routes_step){r, t->level, t->step[r]};
                ICE_IF(look_up(s, r, t->level, out->step, out->nstep) != t->step[r], "rotation %d at level %u has another key", r, t->level);
            }
        }
    }
    qsort(out->step, out->nstep, sizeof *out->step, steps_by_rotation_level);
}

static void take(struct routes_state *s, struct routes_plan *out)
{
    *out = (struct routes_plan){.bytes = s->bytes, .us = s->us, .key = ARENA_ARRAY(s->arena, struct routes_key, s->nkey)};
    for (uint32_t k = 0; k < s->nkey; k++)
        if (!s->key[k].fixed && s->key[k].alive) out->key[out->nkey++] = (struct routes_key){s->key[k].rotation, s->key[k].level};
    qsort(out->key, out->nkey, sizeof *out->key, by_rotation_level);
    take_steps(s, out);
    for (uint32_t u = 0; u < s->p->nuse; u++) out->total += s->us[u];
}

bool routes_solve(const struct routes *p, struct routes_plan *out, struct arena *arena)
{
    struct routes_state s = begin(p, p->nkey, arena);
    const bool plain = search(&s, false);
    take(&s, out);
    bool dropped = !plain;
    for (uint32_t k = 0; k < s.nkey && !dropped; k++)
        dropped = !s.key[k].fixed && (!s.key[k].alive || s.key[k].level < s.key[k].most) && s.key[k].us > 1e-9;
    if (!dropped) return true;
    struct routes_state more = begin(p, p->nkey, arena);
    const bool ladder = search(&more, true);
    struct routes_plan other;
    take(&more, &other);
    if (plain != ladder ? ladder : plain ? other.total < out->total : other.bytes < out->bytes) *out = other;
    return plain || ladder;
}

double routes_time(const struct routes *p, const struct routes_key *key, uint32_t nkey, const struct routes_step *step, uint32_t nstep, double *us,
                   struct arena *scratch)
{
    struct routes_state s = begin(p, nkey, scratch);
    double total = 0;
    for (uint32_t k = 0; k < nkey; k++) routes_add_key(&s, key[k].rotation, key[k].level, false, false);
    for (uint32_t i = 0; i < s.ntree; i++) {
        struct routes_tree *t = &s.tree[i];
        for (uint32_t k = 0; k < t->nnode; k++)
            for (int32_t r = t->node[k]; r && !t->step[r]; r = routes_before(&s, t, r)) {
                const int32_t last = look_up(&s, r, t->level, step, nstep);
                if (!last) return INFINITY;
                routes_set_step(&s, t, r, last);
            }
        for (uint32_t k = 0; k < t->nnode; k++) {       // no circles
            uint32_t steps = 0;
            for (int32_t r = t->node[k]; r; r = routes_before(&s, t, r))
                if (steps++ > p->n) return INFINITY;
        }
    }
    for (uint32_t u = 0; u < p->nuse; u++) {
        const double now = routes_time_of(&s, u);
        if (us) us[u] = now;
        total += now;
    }
    return total;
}
