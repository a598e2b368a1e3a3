// SPDX-License-Identifier: Apache-2.0
// Greedy search for the rotation keys to keep. At every level of use the rotations form a tree below 0: a node's edge is its last step, whose key
// is kept. To begin with all hang from 0. Dropping a key (or lowering it to its next level of use) takes the nodes whose edge it was off the
// tree; each is hung up again where that costs the uses at the level least, over rotations that nobody uses if need be. The price of a
// move is the time of all uses after it less that before, by what the runtime does (time_of); the move with the least time a byte
// is made. Prices of other moves grow by that in most cases, so a stale price is looked at again only when it is the least.
#include "routes.h"

#include "../compiler/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    int32_t rotation;
    uint32_t level, most;       // now; to begin with
    bool fixed, alive, ladder;  // ladder: not the program's own, not dropped before the budget is reached
    int32_t next;               // of the same rotation, -1: none
    // the best move
    double us, bytes;
    uint32_t to;                // level, ROUTES_TOP: none
    uint32_t version;           // when it was priced
    bool stuck;                 // no move is possible
};

struct tree {
    uint32_t level;
    int32_t *step;              // by rotation 1..n: the last step, 0: not in the tree
    uint32_t *kids;             // by rotation 0..n
    int32_t *node;              // what was ever in the tree
    bool *listed;               // among them
    uint32_t nnode;
    uint32_t *first, *uses;     // uses of rotation r: uses[first[r]..first[r+1])
};

struct undo {
    struct tree *tree;
    int32_t rotation, step;
};

struct state {
    const struct routes *p;
    struct arena *arena;
    struct kept *key;
    uint32_t nkey;
    int32_t *by_rotation;       // first key of a rotation, -1: none
    int32_t *rotations;         // that have or had keys
    uint32_t nrotation;
    struct tree *tree;
    uint32_t ntree;
    uint32_t *tree_of;          // by use
    uint64_t **member;          // by use: a bit for each of its rotations
    double *us;                 // by use
    struct undo *log;
    size_t nlog, room;
    uint32_t *seen, *hub, *paid, now;      // stamps by rotation; paid: by rotation and gadget
    int32_t *queue, *came;      // of the search over rotations that nobody uses
    double bytes;
    uint32_t version;
};

/* ---- keys ---- */

/* The key of lowest level that serves a rotation at `level`, -1: none. */
static int32_t serve(const struct state *s, int32_t rotation, uint32_t level)
{
    int32_t best = -1;
    for (int32_t k = s->by_rotation[rotation]; k >= 0; k = s->key[k].next)
        if (s->key[k].alive && s->key[k].level >= level && (best < 0 || s->key[k].level < s->key[best].level)) best = k;
    return best;
}

/* Bytes that a key takes besides the fixed ones, which it replaces where it has their gadget. */
static double marginal(const struct state *s, int32_t rotation, uint32_t level)
{
    double saved = 0;
    for (int32_t k = s->by_rotation[rotation]; k >= 0; k = s->key[k].next) {
        const struct kept *f = &s->key[k];
        if (f->fixed && s->p->gadget[f->level] == s->p->gadget[level]) saved = fmax(saved, s->p->bytes[f->level]);
    }
    return fmax(s->p->bytes[level] - saved, 0);
}

static void add_key(struct state *s, int32_t rotation, uint32_t level, bool fixed, bool ladder)
{
    for (int32_t k = s->by_rotation[rotation]; ladder && k >= 0; k = s->key[k].next)
        if (s->p->gadget[s->key[k].level] == s->p->gadget[level] && s->key[k].level >= level) return;
    if (s->by_rotation[rotation] < 0) s->rotations[s->nrotation++] = rotation;
    s->key[s->nkey] = (struct kept){.rotation = rotation, .level = level, .most = level, .fixed = fixed, .alive = true, .ladder = ladder,
                                    .next = s->by_rotation[rotation], .version = UINT32_MAX};
    s->by_rotation[rotation] = (int32_t)s->nkey++;
}

/* ---- trees ---- */

static int32_t before(const struct state *s, const struct tree *t, int32_t r)
{
    return r == (int32_t)s->p->n ? 0 : (r - t->step[r]) & (int32_t)(s->p->n - 1);
}

static const struct routes_price *step_price(const struct state *s, const struct tree *t, int32_t step)
{
    int32_t k = serve(s, step, t->level);
    ICE_IF(k < 0, "no key for a step of %d at level %u", step, t->level);
    return &s->p->price[t->level][s->key[k].level];
}

static uint32_t step_gadget(const struct state *s, const struct tree *t, int32_t step)
{
    return s->p->gadget[s->key[serve(s, step, t->level)].level];
}

static void set_step(struct state *s, struct tree *t, int32_t r, int32_t step)
{
    if (s->nlog == s->room) {
        struct undo *more = ARENA_ARRAY(s->arena, struct undo, s->room *= 2);
        memcpy(more, s->log, s->nlog * sizeof *more);
        s->log = more;
    }
    s->log[s->nlog++] = (struct undo){t, r, t->step[r]};
    if (t->step[r]) t->kids[before(s, t, r)]--;
    t->step[r] = step;
    if (step) t->kids[before(s, t, r)]++;
}

static bool is_member(const struct state *s, uint32_t use, int32_t r)
{
    return s->member[use][r / 64] >> (r % 64) & 1;
}

/* Time of a use, as the runtime goes about it. */
static double time_of(struct state *s, uint32_t use)
{
    const struct routes_use *u = &s->p->use[use];
    const struct tree *t = &s->tree[s->tree_of[use]];
    double sum = 0;
    uint32_t votes[ROUTES_GADGETS] = {0}, main = 0, nodes = 0;
    s->now++;
    for (uint32_t k = 0; k < u->n; k++)
        for (int32_t r = u->rotation[k]; r && (u->kind != ROUTES_HOISTED || s->seen[r] != s->now); r = before(s, t, r)) {
            if (u->kind == ROUTES_SUMS && r != u->rotation[k] && is_member(s, use, r)) break;
            if (u->kind != ROUTES_HOISTED) {
                sum += step_price(s, t, t->step[r])->whole;
                continue;
            }
            s->seen[r] = s->now;
            s->queue[nodes++] = r;
            if (before(s, t, r)) s->hub[before(s, t, r)] = s->now;
            else votes[step_gadget(s, t, t->step[r])]++;
        }
    for (uint32_t g = 1; g < ROUTES_GADGETS; g++)
        if (votes[g] > votes[main]) main = g;
    for (uint32_t k = 0; k < nodes; k++) {
        const int32_t r = s->queue[k], from = before(s, t, r);
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
static double path(const struct state *s, const struct tree *t, int32_t r)
{
    double sum = 0;
    for (; r; r = before(s, t, r)) {
        if (!t->step[r]) return INFINITY;
        sum += step_price(s, t, t->step[r])->whole;
    }
    return sum;
}

/* What the uses of r pay if it hangs from `from`, to which the way costs `way`, by a step. */
static double hanging(const struct state *s, const struct tree *t, int32_t r, int32_t from, double way, int32_t step)
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
static bool hang_far(struct state *s, struct tree *t, int32_t r)
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
            if (step > mask || s->seen[from] == s->now || serve(s, step, t->level) < 0) continue;
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
                set_step(s, t, y, (y - x) & mask);
            }
            return true;
        }
    }
    return false;
}

/* Hangs r where its uses pay least. False: there is no way. */
static bool hang(struct state *s, struct tree *t, int32_t r)
{
    const int32_t mask = (int32_t)(s->p->n - 1), own = serve(s, r, t->level);
    if (own >= 0 && (r > mask || s->p->gadget[s->key[own].level] == s->p->gadget[t->level])) {
        set_step(s, t, r, r);
        return true;
    }
    if (r > mask) return false;
    int32_t best = own >= 0 ? r : 0;
    double least = own >= 0 ? hanging(s, t, r, 0, 0, r) : INFINITY;
    for (uint32_t k = 0; k < s->nrotation; k++) {
        const int32_t step = s->rotations[k], from = (r - step) & mask;
        if (step > mask || !from || !t->step[from] || serve(s, step, t->level) < 0) continue;
        const double way = path(s, t, from);
        if (!isfinite(way)) continue;
        const double us = hanging(s, t, r, from, way, step);
        if (us >= least) continue;
        least = us;
        best = step;
    }
    if (best) set_step(s, t, r, best);
    return best;
}

/* Is it off the tree, and needed there? */
static bool is_loose(const struct tree *t, int32_t r) { return !t->step[r] && (t->first[r] < t->first[r + 1] || t->kids[r]); }

/* Takes what a key carried, and the rotation itself, off a tree and hangs it up again. */
static bool rehang(struct state *s, struct tree *t, int32_t rotation)
{
    const size_t mark = s->nlog;
    for (uint32_t k = 0; k < t->nnode; k++) {
        const int32_t r = t->node[k];
        if (t->step[r] && (t->step[r] == rotation || r == rotation)) set_step(s, t, r, 0);
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

/* ---- moves ---- */

/* Gives a key another level, ROUTES_TOP: none. The change of time is in *us; taken back unless `keep`. False if a rotation has no way
 * then. */
static bool change(struct state *s, struct kept *key, uint32_t level, bool keep, double *us)
{
    const bool was = key->alive;
    const uint32_t old = key->level;
    const size_t mark = s->nlog;
    bool touched[ROUTES_TOP] = {false}, ok = true;
    int32_t served[ROUTES_TOP];
    for (uint32_t t = 0; t < s->ntree; t++) served[t] = serve(s, key->rotation, s->tree[t].level);
    key->alive = level < ROUTES_TOP;
    if (key->alive) key->level = level;
    *us = 0;
    for (uint32_t t = 0; t < s->ntree && ok; t++) {
        if (served[t] == serve(s, key->rotation, s->tree[t].level)) continue;
        touched[t] = true;
        ok = rehang(s, &s->tree[t], key->rotation);
    }
    for (uint32_t u = 0; u < s->p->nuse && ok; u++) {
        if (!touched[s->tree_of[u]]) continue;
        const double now = time_of(s, u);
        *us += now - s->us[u];
        if (keep) s->us[u] = now;
    }
    if (ok && keep) {
        s->bytes += (key->alive ? marginal(s, key->rotation, key->level) : 0) - (was ? marginal(s, key->rotation, old) : 0);
        s->version++;
        s->nlog = 0;
        return true;
    }
    while (s->nlog > mark) {
        const struct undo *u = &s->log[s->nlog - 1];
        set_step(s, u->tree, u->rotation, u->step);
        s->nlog -= 2;
    }
    key->alive = was;
    key->level = old;
    return ok;
}

/* The next level below the key's at which a step by its rotation is made with the same gadget, ROUTES_TOP if there is none. */
static uint32_t lower_level(const struct state *s, const struct kept *key)
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
static void price(struct state *s, struct kept *key)
{
    const uint32_t lower = lower_level(s, key);
    const double all = marginal(s, key->rotation, key->level);
    double us;
    key->stuck = true;
    if (change(s, key, ROUTES_TOP, false, &us)) {
        key->stuck = false;
        key->to = ROUTES_TOP;
        key->us = us;
        key->bytes = all;
    }
    if (lower < ROUTES_TOP && (key->stuck || key->us > 0) && change(s, key, lower, false, &us)) {
        const double bytes = all - marginal(s, key->rotation, lower);
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
static bool move(struct state *s, bool ladder)
{
    for (;;) {
        struct kept *best = NULL;
        for (uint32_t k = 0; k < s->nkey; k++) {
            struct kept *key = &s->key[k];
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
static void fill(struct state *s)
{
    for (;;) {
        struct kept *best = NULL;
        double least = 0;
        for (uint32_t k = 0; k < s->nkey; k++) {
            struct kept *key = &s->key[k];
            if (key->fixed || (key->alive && key->level == key->most)) continue;
            const double more = marginal(s, key->rotation, key->most) - (key->alive ? marginal(s, key->rotation, key->level) : 0);
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

static struct tree *tree_at(struct state *s, uint32_t level)
{
    uint32_t k = 0;
    while (k < s->ntree && s->tree[k].level != level) k++;
    if (k == s->ntree) {
        struct tree *t = &s->tree[s->ntree++];
        *t = (struct tree){.level = level};
        t->step = ARENA_ARRAY(s->arena, int32_t, s->p->n + 1);
        t->kids = ARENA_ARRAY(s->arena, uint32_t, s->p->n + 1);
        t->node = ARENA_ARRAY(s->arena, int32_t, s->p->n + 1);
        t->listed = ARENA_ARRAY(s->arena, bool, s->p->n + 1);
        t->first = ARENA_ARRAY(s->arena, uint32_t, s->p->n + 3);
    }
    return &s->tree[k];
}

static struct state begin(const struct routes *p, uint32_t nkey, struct arena *arena)
{
    const uint32_t n = p->n;
    struct state s = {.p = p, .arena = arena, .room = 1024};
    s.log = ARENA_ARRAY(arena, struct undo, s.room);
    s.key = ARENA_ARRAY(arena, struct kept, nkey + p->nfixed + ROUTES_GADGETS * 32);
    s.by_rotation = ARENA_ARRAY(arena, int32_t, n + 1);
    memset(s.by_rotation, 0xff, (n + 1) * sizeof *s.by_rotation);
    s.rotations = ARENA_ARRAY(arena, int32_t, n + 1);
    s.tree = ARENA_ARRAY(arena, struct tree, ROUTES_TOP);
    s.tree_of = ARENA_ARRAY(arena, uint32_t, p->nuse);
    s.member = ARENA_ARRAY(arena, uint64_t *, p->nuse);
    s.us = ARENA_ARRAY(arena, double, p->nuse);
    s.seen = ARENA_ARRAY(arena, uint32_t, n + 1);
    s.hub = ARENA_ARRAY(arena, uint32_t, n + 1);
    s.paid = ARENA_ARRAY(arena, uint32_t, (size_t)(n + 1) * ROUTES_GADGETS);
    s.queue = ARENA_ARRAY(arena, int32_t, n + 1);
    s.came = ARENA_ARRAY(arena, int32_t, n + 1);
    for (uint32_t u = 0; u < p->nuse; u++) {
        struct tree *t = tree_at(&s, p->use[u].level);
        s.tree_of[u] = (uint32_t)(t - s.tree);
        s.member[u] = ARENA_ARRAY(arena, uint64_t, n / 64 + 1);
        for (uint32_t k = 0; k < p->use[u].n; k++) {
            s.member[u][p->use[u].rotation[k] / 64] |= UINT64_C(1) << (p->use[u].rotation[k] % 64);
            t->first[p->use[u].rotation[k] + 2]++;
        }
    }
    for (uint32_t k = 0; k < s.ntree; k++) {
        struct tree *t = &s.tree[k];
        for (uint32_t r = 0; r < n + 1; r++) {
            t->listed[r] = t->first[r + 2] > 0;
            if (t->listed[r]) t->node[t->nnode++] = (int32_t)r;
            t->first[r + 2] += t->first[r + 1];
        }
        t->uses = ARENA_ARRAY(arena, uint32_t, t->first[n + 2]);
    }
    for (uint32_t u = 0; u < p->nuse; u++) {
        struct tree *t = &s.tree[s.tree_of[u]];
        for (uint32_t k = 0; k < p->use[u].n; k++) t->uses[t->first[p->use[u].rotation[k] + 1]++] = u;
    }
    for (uint32_t k = 0; k < p->nfixed; k++) add_key(&s, p->fixed[k].rotation, p->fixed[k].level, true, false);
    return s;
}

/* Powers of two, times what divides all rotations, for every gadget that is used. */
static void add_ladder(struct state *s)
{
    int32_t unit = (int32_t)s->p->n;
    for (uint32_t u = 0; u < s->p->nuse; u++)
        for (uint32_t k = 0; k < s->p->use[u].n; k++)
            while (s->p->use[u].rotation[k] % unit) unit /= 2;
    for (uint32_t g = 0; g < ROUTES_GADGETS; g++) {
        uint32_t top = 0;
        for (uint32_t t = 0; t < s->ntree; t++)
            if (s->p->gadget[s->tree[t].level] == g && s->tree[t].level > top) top = s->tree[t].level;
        for (int32_t r = unit; top && r < (int32_t)s->p->n; r *= 2) add_key(s, r, top, false, true);
    }
}

static bool search(struct state *s, bool ladder)
{
    for (uint32_t k = 0; k < s->p->nkey; k++) add_key(s, s->p->key[k].rotation, s->p->key[k].level, false, false);
    if (ladder) add_ladder(s);
    for (uint32_t t = 0; t < s->ntree; t++)
        for (uint32_t k = 0; k < s->tree[t].nnode; k++) {
            const int32_t r = s->tree[t].node[k];
            ICE_IF(serve(s, r, s->tree[t].level) < 0, "no key for rotation %d at level %u", r, s->tree[t].level);
            set_step(s, &s->tree[t], r, r);
        }
    s->nlog = 0;
    for (uint32_t u = 0; u < s->p->nuse; u++) s->us[u] = time_of(s, u);
    for (uint32_t k = 0; k < s->nkey; k++)
        if (!s->key[k].fixed) s->bytes += marginal(s, s->key[k].rotation, s->key[k].level);
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
static int32_t look_up(const struct state *s, int32_t r, uint32_t level, const struct routes_step *step, uint32_t nstep)
{
    const int32_t key = serve(s, r, level);
    const struct routes_step *best = NULL;
    for (uint32_t k = 0; k < nstep; k++)
        if (step[k].rotation == r && step[k].level >= level && (!best || step[k].level < best->level)) best = &step[k];
    if (!best || (key >= 0 && s->key[key].level <= best->level)) return key < 0 ? 0 : r;
    return serve(s, best->step, level) < 0 ? 0 : best->step;
}

static int trees_down(const void *x, const void *y)
{
    const struct tree *a = *(const struct tree *const *)x, *b = *(const struct tree *const *)y;
    return (a->level < b->level) - (a->level > b->level);
}

/* What the runtime cannot know by itself: steps that its look-up would not give. From the highest level, since a lower entry does not show there. */
static void take_steps(struct state *s, struct routes_plan *out)
{
    const struct tree *order[ROUTES_TOP];
    uint32_t room = 0;
    for (uint32_t t = 0; t < s->ntree; t++) {
        order[t] = &s->tree[t];
        room += s->tree[t].nnode;
    }
    qsort(order, s->ntree, sizeof *order, trees_down);
    out->step = ARENA_ARRAY(s->arena, struct routes_step, room);
    for (uint32_t k = 0; k < s->ntree; k++) {
        const struct tree *t = order[k];
        s->now++;
        for (uint32_t i = 0; i < t->nnode; i++) {
            if (t->first[t->node[i]] == t->first[t->node[i] + 1]) continue;
            for (int32_t r = t->node[i]; r && s->seen[r] != s->now; r = before(s, t, r)) {
                s->seen[r] = s->now;
                if (look_up(s, r, t->level, out->step, out->nstep) == t->step[r]) continue;
                out->step[out->nstep++] = (struct routes_step){r, t->level, t->step[r]};
                ICE_IF(look_up(s, r, t->level, out->step, out->nstep) != t->step[r], "rotation %d at level %u has another key", r, t->level);
            }
        }
    }
    qsort(out->step, out->nstep, sizeof *out->step, steps_by_rotation_level);
}

static void take(struct state *s, struct routes_plan *out)
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
    struct state s = begin(p, p->nkey, arena);
    const bool plain = search(&s, false);
    take(&s, out);
    bool dropped = !plain;
    for (uint32_t k = 0; k < s.nkey && !dropped; k++)
        dropped = !s.key[k].fixed && (!s.key[k].alive || s.key[k].level < s.key[k].most) && s.key[k].us > 1e-9;
    if (!dropped) return true;
    struct state more = begin(p, p->nkey, arena);
    const bool ladder = search(&more, true);
    struct routes_plan other;
    take(&more, &other);
    if (plain != ladder ? ladder : plain ? other.total < out->total : other.bytes < out->bytes) *out = other;
    return plain || ladder;
}

double routes_time(const struct routes *p, const struct routes_key *key, uint32_t nkey, const struct routes_step *step, uint32_t nstep, double *us,
                   struct arena *scratch)
{
    struct state s = begin(p, nkey, scratch);
    double total = 0;
    for (uint32_t k = 0; k < nkey; k++) add_key(&s, key[k].rotation, key[k].level, false, false);
    for (uint32_t i = 0; i < s.ntree; i++) {
        struct tree *t = &s.tree[i];
        for (uint32_t k = 0; k < t->nnode; k++)
            for (int32_t r = t->node[k]; r && !t->step[r]; r = before(&s, t, r)) {
                const int32_t last = look_up(&s, r, t->level, step, nstep);
                if (!last) return INFINITY;
                set_step(&s, t, r, last);
            }
        for (uint32_t k = 0; k < t->nnode; k++) {       // no circles
            uint32_t steps = 0;
            for (int32_t r = t->node[k]; r; r = before(&s, t, r))
                if (steps++ > p->n) return INFINITY;
        }
    }
    for (uint32_t u = 0; u < p->nuse; u++) {
        const double now = time_of(&s, u);
        if (us) us[u] = now;
        total += now;
    }
    return total;
}
