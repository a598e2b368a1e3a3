// SPDX-License-Identifier: Apache-2.0
// Affine maps between layouts: renumbers rows and columns into slots and counts the diagonals that this takes.
//
// Entry (r, c) may use any copy of its column, and in a folded map any row slot of its residue class, so its diagonal is fixed only
// modulo the smaller period. The planner works modulo that number; each diagonal is then the sum of its baby and giant step, and the
// entry's slots follow. With skewed copies of the input, a folded map reads, of all copies, the one whose diagonal lies nearest to
// zero: k copies divide the number of diagonals by k.
//
// Rows of a convolution are few rows moved about. Where the place of the columns is uniform, a moved row has the diagonals of the row that
// it is like, in the same blocks unless one of its columns crossed into another ciphertext: `struct walk` tells, and skips it.
// source: [HS14] folding; skewed copies are this compiler's.
#include "layout_map.h"

#include "../compiler/diag.h"
#include "marks.h"
#include "sparse.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct place *place_new(struct arena *a, const struct layout *l, const struct geometry *g, uint32_t id)
{
    struct place *p = ARENA_NEW(a, struct place);
    p->l = *l;
    p->g = *g;
    p->count = layout_count(l);
    p->numel = layout_numel(l);
    p->id = id;
    uint32_t digits[IR_MAX_RANK] = {0};
    for (uint32_t d = 0; d < l->ndigits; d++) {
        digits[l->digit[d].axis]++;
        if (l->digit[d].axis) p->reach += (l->digit[d].extent - 1) * l->digit[d].stride;
    }
    p->uniform = true;
    for (uint32_t d = 1; d < l->rank; d++) p->uniform &= digits[d] <= 1;
    p->slot = ARENA_ARRAY(a, int32_t, p->numel);
    uint8_t *taken = ARENA_ARRAY(a, uint8_t, (size_t)p->count * l->n);
    for (int64_t e = 0; e < p->numel; e++) {
        int64_t s = layout_slot(l, e);
        if (s % l->n >= l->period || taken[s]) return NULL;
        taken[s] = 1;
        p->slot[e] = (int32_t)s;
    }
    return p;
}

/* Slot of copy k within its vector. */
static uint32_t copy_slot(const struct layout *l, uint32_t s, uint32_t k)
{
    return k * l->period + (uint32_t)((s + (uint64_t)k * (uint64_t)l->skew) % l->period);
}

void place_spread(double *slots, const struct place *p, const double *tensor)
{
    uint32_t n = p->l.n, copies = n / p->l.period;
    memset(slots, 0, sizeof *slots * n * p->count);
    for (int64_t e = 0; e < p->numel; e++)
        for (uint32_t k = 0; k < copies; k++)
            slots[p->slot[e] / n * n + copy_slot(&p->l, (uint32_t)p->slot[e] % n, k)] = tensor[e];
}

/* The diagonal and the copy of the column that a folded map uses, by (column slot - row slot) modulo the output's period. */
struct nearest {
    uint32_t *diagonal, *copy;
};

static struct nearest nearest_copies(struct arena *a, const struct layout *in, uint32_t period)
{
    struct nearest t = {ARENA_ARRAY(a, uint32_t, period), ARENA_ARRAY(a, uint32_t, period)};
    uint32_t copies = in->skew ? in->n / in->period : 1;
    for (uint32_t x = 0; x < period; x++) {
        uint32_t distance = UINT32_MAX;
        for (uint32_t k = 0; k < copies; k++) {
            uint32_t r = (x + k * (uint32_t)in->skew) & (period - 1), far = 2 * r > period ? period - r : r;
            if (far > distance || (far == distance && r > t.diagonal[x])) continue;
            distance = far;
            t.diagonal[x] = r;
            t.copy[x] = k;
        }
    }
    return t;
}

/* Copies of the rows that must be looked at: one where the rest follows from periodicity. */
static uint32_t row_copies(const struct layout *in, const struct layout *to)
{
    bool follow = in->skew == 0 && to->skew == 0 && in->period <= to->period;
    return follow ? 1 : to->n / to->period;
}

static uint32_t direct_diagonal(const struct layout *in, uint32_t c, uint32_t s)
{
    if (in->skew == 0) return (c - s) & (in->period - 1);
    return (copy_slot(in, c, s / in->period) - s) & (in->n - 1);
}

/* Rows of one map between two places, copy by copy. */
struct walk {
    struct arena *a;
    const struct map_rows *m;
    const struct place *in, *to;
    const int32_t *like;        // rows that count as met have equal numbers here
    uint32_t modulus, copies;   // diagonals are compared modulo `modulus`
    bool skip;                  // moved rows can be told
    bool whole;                 // rows count as met wherever their columns cross: all of them moved like the row itself
    int64_t by;                 // slots by which the row asked for last lies from the one that it is like
    struct edge {               // by kind
        uint32_t n, *at;        // distances at which one of its columns crosses into another ciphertext, modulo n, ascending
        bool known;
    } *edge;
    struct seen {
        uint64_t key;
        int64_t row;            // caller's own
    } *seen;                    // by (like, copy)
};

/* Rows count as met if their columns are alike, or only if their entries are: `entries`. */
static void walk_begin(struct walk *w, struct arena *a, const struct map_rows *m, bool entries, const struct place *in, const struct place *to,
                       uint32_t modulus, uint32_t copies, bool skip)
{
    *w = (struct walk){.a = a, .m = m, .in = in, .to = to, .like = entries ? m->like : m->kind, .modulus = modulus, .copies = copies,
                       .skip = skip && in->uniform};
    if (!w->skip) return;
    w->seen = ARENA_ARRAY(a, struct seen, (entries ? m->mat.rows : m->kinds) * copies + 1);
    if (in->count > 1) w->edge = ARENA_ARRAY(a, struct edge, m->kinds + 1);
}

static int u32_cmp(const void *p, const void *q)
{
    uint32_t a = *(const uint32_t *)p, b = *(const uint32_t *)q;
    return a < b ? -1 : a > b;
}

/* Crossings of row r that a move within a channel can meet; all of them if the row lies in one channel, since that may be left. */
static void find_edges(struct walk *w, struct edge *e, int64_t r, bool all)
{
    struct ir_row row = ir_csr_row(&w->m->mat, r);
    uint32_t n = w->in->l.n;
    e->known = true;
    for (int fill = 0; fill < 2; fill++) {
        e->n = 0;
        for (int64_t k = row.lo; k < row.hi; k++) {
            uint32_t left = n - ((uint32_t)w->in->slot[ir_csr_col(&w->m->mat, row, k)] & (n - 1));
            if (!all && left > w->in->reach && left < n - w->in->reach) continue;
            if (fill) e->at[e->n] = left;
            e->n++;
        }
        if (!fill) e->at = ARENA_ARRAY(w->a, uint32_t, e->n + 1);
    }
    qsort(e->at, e->n, sizeof *e->at, u32_cmp);
}

/* How often a move by `by` slots takes columns of row r across: equal for equal blocks of all of them. */
static uint64_t crossings(struct walk *w, int64_t r, int64_t by)
{
    struct edge *e = &w->edge[w->m->kind[r]];
    uint32_t n = w->in->l.n, part = (uint32_t)by & (n - 1), lo = 0;
    if (!e->known) {
        struct ir_row row = ir_csr_row(&w->m->mat, r);
        int64_t plane = w->in->numel / w->in->l.dim[0];
        int32_t first = ir_csr_col(&w->m->mat, row, row.lo), last = ir_csr_col(&w->m->mat, row, row.hi - 1);
        find_edges(w, e, r, first / plane == last / plane);
    }
    for (uint32_t hi = e->n; lo < hi;) {
        uint32_t mid = (lo + hi) / 2;
        if (e->at[mid] <= part) lo = mid + 1;
        else hi = mid;
    }
    return (uint64_t)(by - part) / n << 20 ^ lo;
}

/* Copy k of row r, at slot s of its vector: was a row with the same diagonals in the same blocks met before? Then *seen is its. */
static bool walk_met(struct walk *w, int64_t r, uint32_t k, uint32_t s, struct seen **seen)
{
    if (!w->skip) return false;
    const struct ir_csr *m = &w->m->mat;
    int64_t alike = w->m->alike[r];
    struct ir_row row = ir_csr_row(m, r), base = ir_csr_row(m, alike);
    if (row.lo == row.hi) return false;
    int64_t by = w->by = alike == r ? 0 : w->in->slot[ir_csr_col(m, row, row.lo)] - (int64_t)w->in->slot[ir_csr_col(m, base, base.lo)];
    uint64_t key = 1 + ((s - (uint64_t)by) & (w->modulus - 1)), block = (uint64_t)w->to->slot[r] / w->to->l.n;
    key |= block << 17;
    if (w->whole) key = (uint64_t)(w->to->slot[r] - by) + (UINT64_C(1) << 40);
    else if (w->in->count > 1) key ^= crossings(w, alike, by) << 34;
    *seen = &w->seen[w->like[r] * w->copies + k];
    if ((*seen)->key == key) return true;
    (*seen)->key = key;
    return false;
}

/* The slots that rows of one kind read, once a second of them is marked. */
struct kind_shape {
    bool met;
    struct marks_shape bits;
};

/* Marks a row at slot s by the shape of its kind, if that is less work than by its entries. */
static bool mark_kind(struct marks *used, size_t block, struct kind_shape *shape, const struct walk *w, int64_t r, uint32_t s)
{
    struct ir_row row = ir_csr_row(&w->m->mat, w->m->alike[r]);
    const int32_t *slot = w->in->slot;
    if (!shape->met) {
        shape->met = true;
        return false;
    }
    if (!shape->bits.size) {
        int64_t lo = INT64_MAX, hi = 0;
        for (int64_t e = row.lo; e < row.hi; e++) {
            int64_t c = slot[ir_csr_col(&w->m->mat, row, e)];
            lo = c < lo ? c : lo;
            hi = c > hi ? c : hi;
        }
        if ((hi - lo) / 64 > row.hi - row.lo) return false;
        marks_shape_init(&shape->bits, w->a, lo, hi);
        for (int64_t e = row.lo; e < row.hi; e++) marks_shape_add(&shape->bits, slot[ir_csr_col(&w->m->mat, row, e)]);
    }
    marks_add_shape(used, block, &shape->bits, w->by, s);
    return true;
}

/* Marks the diagonals of each block; gives up, returning false, beyond `most` of them. */
static bool mark_direct(struct arena *a, struct marks *used, int64_t most, const struct map_rows *rows, const struct place *in,
                        const struct place *to)
{
    const struct ir_csr *m = &rows->mat;
    uint32_t n = in->l.n, mask = n - 1, copies = row_copies(&in->l, &to->l);
    struct walk w;
    struct seen *seen;
    struct kind_shape *shape = NULL;
    walk_begin(&w, a, rows, false, in, to, used->modulus, copies, in->l.skew == 0);
    if (w.skip && used->modulus % 64 == 0 && (in->count == 1 || in->l.period == n)) shape = ARENA_ARRAY(a, struct kind_shape, rows->kinds + 1);
    for (int64_t r = 0; r < m->rows; r++) {
        uint32_t so = (uint32_t)to->slot[r];
        struct ir_row row = ir_csr_row(m, r);
        size_t block = (size_t)(so / n) * in->count;
        for (uint32_t k = 0; k < copies; k++) {
            uint32_t s = copy_slot(&to->l, so & mask, k);
            if (walk_met(&w, r, k, s, &seen)) continue;
            if (shape && row.lo < row.hi && mark_kind(used, block, &shape[rows->kind[r]], &w, r, s & (used->modulus - 1))) continue;
            for (int64_t e = row.lo; e < row.hi; e++) {
                uint32_t sc = (uint32_t)in->slot[ir_csr_col(m, row, e)];
                marks_add(used, block + sc / n, direct_diagonal(&in->l, sc & mask, s));
            }
        }
        if (used->count > most) return false;
    }
    return true;
}

static bool mark_fold(struct arena *a, struct marks *used, int64_t most, const struct map_rows *rows, const struct place *in,
                      const struct place *to)
{
    const struct ir_csr *m = &rows->mat;
    uint32_t n = in->l.n, mask = used->modulus - 1;
    const uint32_t *diagonal = nearest_copies(a, &in->l, used->modulus).diagonal;
    struct walk w;
    struct seen *seen;
    walk_begin(&w, a, rows, false, in, to, used->modulus, 1, true);
    for (int64_t r = 0; r < m->rows; r++) {
        uint32_t s = (uint32_t)to->slot[r];
        struct ir_row row = ir_csr_row(m, r);
        if (walk_met(&w, r, 0, s, &seen)) continue;
        for (int64_t e = row.lo; e < row.hi; e++) {
            uint32_t sc = (uint32_t)in->slot[ir_csr_col(m, row, e)];
            marks_add(used, sc / n, diagonal[(sc - s) & mask]);
        }
        if (used->count > most) return false;
    }
    return true;
}

/* Least price of a map of `total` diagonals. */
static double least_price(double total, const struct place *in, const struct place *to)
{
    const struct bsgs_weights *w = &bsgs_weights_default;
    double b = w->baby * in->count, g = w->giant * to->count;
    return 2 * sqrt(b * g * total / (in->count * to->count)) - b - g + w->product * total;
}

static void sets_of(struct arena *a, struct linmap_sets *out, const struct marks *used, uint32_t nin, uint32_t nout)
{
    uint32_t blocks = nin * nout, at = 0;
    uint32_t *ptr = ARENA_ARRAY(a, uint32_t, blocks + 1), *d = ARENA_ARRAY(a, uint32_t, used->count + 1);
    for (uint32_t b = 0; b < blocks; b++) {
        for (uint32_t k = 0; k < used->modulus; k++)
            if (marks_has(used, b, k)) d[at++] = k;
        ptr[b + 1] = at;
    }
    *out = (struct linmap_sets){used->modulus, nin, nout, ptr, d};
}

static void price_mode(struct arena *a, struct map_plan *out, enum map_mode mode, const struct map_rows *m, const struct place *in,
                       const struct place *to)
{
    struct map_plan p = {.mode = mode};
    uint32_t n = in->l.n;
    if (mode == MAP_DIRECT) {
        p.modulus = in->l.skew ? n : in->l.period;
    } else {
        p.modulus = to->l.period;
        for (uint32_t f = (in->l.skew ? n : in->l.period) / 2; f >= p.modulus; f /= 2) p.fold[p.nfold++] = f;
    }
    struct marks used;
    marks_init(&used, a, (size_t)in->count * to->count, p.modulus);
    int64_t most = 1;
    while (most <= INT32_MAX && least_price((double)most, in, to) < out->cost) most *= 2;
    bool ok = mode == MAP_DIRECT ? mark_direct(a, &used, most, m, in, to) : mark_fold(a, &used, most, m, in, to);
    if (!ok) return;
    struct linmap_sets sets;
    sets_of(a, &sets, &used, in->count, to->count);
    bsgs_plan(a, &p.plan, &sets, &bsgs_weights_default);
    p.cost = p.plan.cost + bsgs_weights_default.fold * p.nfold;
    if (p.cost < out->cost) *out = p;
}

void map_plan(struct arena *a, struct map_plan *out, const struct map_rows *m, const struct place *in, const struct place *to,
              double limit)
{
    *out = (struct map_plan){.mode = MAP_NONE, .cost = limit};
    bool foldable = to->count == 1 && to->l.skew == 0 && to->l.period <= in->l.period &&
                    to->l.period < (in->l.skew ? in->l.n : in->l.period);
    if (foldable) price_mode(a, out, MAP_FOLD, m, in, to);
    price_mode(a, out, MAP_DIRECT, m, in, to);
    if (out->mode == MAP_NONE) out->cost = INFINITY;
}

static uint32_t lift(const struct bsgs_plan *p, uint32_t d, uint32_t n)
{
    uint32_t u = bsgs_find(p, d);
    return (uint32_t)(p->baby[p->of_baby[u]] + p->giant[p->of_giant[u]]) & (n - 1);
}

/* Diagonal modulo n of each residue. */
static uint32_t *lifts(struct arena *a, const struct map_plan *p, uint32_t n)
{
    uint32_t *v = ARENA_ARRAY(a, uint32_t, p->modulus);
    for (uint32_t k = 0; k < p->plan.nunion; k++) v[p->plan.union_d[k]] = lift(&p->plan, p->plan.union_d[k], n);
    return v;
}

/* Over several ciphertexts without copies, slots are numbered through: a moved row is the same row wherever its columns cross into another
 * ciphertext, so a convolution has as many lines as it has kinds of borders. */
static struct ir_csr direct_matrix(struct arena *a, const uint32_t *lifted, const struct map_plan *p, const struct map_rows *rows,
                                   const struct place *in, const struct place *to)
{
    const struct ir_csr *m = &rows->mat;
    uint32_t n = in->l.n, mask = n - 1, copies = n / to->l.period;
    int64_t nrows = (int64_t)to->count * n;
    struct owner {
        int32_t row;            // + 1
        uint32_t copy;
    } *owner = ARENA_ARRAY(a, struct owner, nrows);
    for (int64_t r = 0; r < m->rows; r++)
        for (uint32_t k = 0; k < copies; k++)
            owner[to->slot[r] / n * n + copy_slot(&to->l, (uint32_t)to->slot[r] & mask, k)] = (struct owner){(int32_t)r + 1, k};
    struct walk w;
    struct sparse b;
    walk_begin(&w, a, rows, true, in, to, p->modulus, copies, in->l.skew == 0);
    w.whole = in->count > 1 && in->l.period == n && to->l.period == n;
    if (w.whole) sparse_begin(&b, a, nrows, (int64_t)in->count * n);
    else sparse_begin_slots(&b, a, nrows, (int64_t)in->count * n, n);
    for (int64_t at = 0; at < nrows; at++) {
        struct seen *seen = NULL;
        int64_t r = owner[at].row - 1;
        uint32_t s = (uint32_t)at & mask;
        if (r >= 0 && walk_met(&w, r, owner[at].copy, s, &seen)) {
            sparse_same_row(&b, seen->row, at - seen->row);
            continue;
        }
        struct ir_row row = r >= 0 ? ir_csr_row(m, r) : (struct ir_row){0, 0, 0};
        for (int64_t e = row.lo; e < row.hi; e++) {
            uint32_t sc = (uint32_t)in->slot[ir_csr_col(m, row, e)];
            uint32_t c = (s + lifted[direct_diagonal(&in->l, sc & mask, s)]) & mask;
            sparse_put(&b, sc / n * n + c, m->val[e]);
        }
        if (seen) seen->row = at;
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

/* Entries by the slot that takes them, in one period of the input; the rows after it repeat. */
static struct ir_csr fold_matrix(struct arena *a, const uint32_t *lifted, const struct map_rows *rows, const struct place *in,
                                 const struct place *to)
{
    const struct ir_csr *m = &rows->mat;
    uint32_t n = in->l.n, mask = n - 1, period = in->l.skew ? n : in->l.period, modulus = to->l.period;
    struct nearest near = nearest_copies(a, &in->l, modulus);
    struct spot {
        int32_t col;
        double val;
    } *spot = NULL;
    int64_t *start = ARENA_ARRAY(a, int64_t, period + 1);
    for (int fill = 0; fill < 2; fill++) {
        for (int64_t r = 0; r < m->rows; r++) {
            struct ir_row row = ir_csr_row(m, r);
            for (int64_t e = row.lo; e < row.hi; e++) {
                uint32_t sc = (uint32_t)in->slot[ir_csr_col(m, row, e)], x = (sc - (uint32_t)to->slot[r]) & (modulus - 1);
                uint32_t d = lifted[near.diagonal[x]], c = copy_slot(&in->l, sc & mask, near.copy[x]), s = (c - d) & (period - 1);
                if (fill) spot[start[s]++] = (struct spot){(int32_t)(sc / n * n + ((s + d) & mask)), m->val[e]};
                else start[s + 1]++;
            }
        }
        for (uint32_t s = 0; s < period && !fill; s++) start[s + 1] += start[s];
        if (!fill) spot = ARENA_ARRAY(a, struct spot, start[period] + 1);
    }
    struct sparse b;
    sparse_begin_slots(&b, a, n, (int64_t)in->count * n, n);
    for (uint32_t s = 0; s < n; s++) {
        if (s >= period) {
            sparse_same_row(&b, s - period, period);
            continue;
        }
        for (int64_t k = s ? start[s - 1] : 0; k < start[s]; k++) sparse_put(&b, spot[k].col, spot[k].val);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

struct ir_csr map_matrix(struct arena *a, const struct map_plan *p, const struct map_rows *m, const struct place *in,
                         const struct place *to)
{
    const uint32_t *lifted = lifts(a, p, in->l.n);
    return p->mode == MAP_DIRECT ? direct_matrix(a, lifted, p, m, in, to) : fold_matrix(a, lifted, m, in, to);
}
