// SPDX-License-Identifier: Apache-2.0
// Affine maps between layouts: renumbers rows and columns into slots and counts the diagonals that this takes.
//
// Entry (r, c) may use any copy of its column, and in a folded map any row slot of its residue class, so its diagonal is fixed only
// modulo the smaller period. The planner works modulo that number; each diagonal is then the sum of its baby and giant step, and the
// entry's slots follow. With skewed copies of the input, a folded map reads, of all copies, the one whose diagonal lies nearest to
// zero: k copies divide the number of diagonals by k.
// source: [HS14] folding; skewed copies are this compiler's.
#include "layout_map.h"

#include "../compiler/diag.h"
#include "sparse.h"
#include <math.h>
#include <string.h>

struct place *place_new(struct arena *a, const struct layout *l, const struct geometry *g, uint32_t id)
{
    struct place *p = ARENA_NEW(a, struct place);
    p->l = *l;
    p->g = *g;
    p->count = layout_count(l);
    p->numel = layout_numel(l);
    p->id = id;
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

/* Marks the diagonals of each block; gives up, returning false, beyond `most` of them. */
static bool mark_direct(uint8_t *used, uint32_t modulus, int64_t most, const struct ir_csr *m, const struct place *in,
                        const struct place *to)
{
    uint32_t n = in->l.n, mask = n - 1, copies = row_copies(&in->l, &to->l);
    int64_t count = 0;
    for (int64_t r = 0; r < m->rows; r++) {
        uint32_t so = (uint32_t)to->slot[r];
        for (uint32_t k = 0; k < copies; k++) {
            uint32_t s = copy_slot(&to->l, so & mask, k);
            uint8_t *block = used + (size_t)(so / n) * in->count * modulus;
            for (int64_t e = m->ptr[r]; e < m->ptr[r + 1]; e++) {
                uint32_t sc = (uint32_t)in->slot[m->col[e]];
                uint8_t *u = &block[(size_t)(sc / n) * modulus + direct_diagonal(&in->l, sc & mask, s)];
                count += !*u;
                *u = 1;
            }
        }
        if (count > most) return false;
    }
    return true;
}

static bool mark_fold(struct arena *a, uint8_t *used, uint32_t modulus, int64_t most, const struct ir_csr *m,
                      const struct place *in, const struct place *to)
{
    uint32_t n = in->l.n, mask = modulus - 1;
    const uint32_t *diagonal = nearest_copies(a, &in->l, modulus).diagonal;
    int64_t count = 0;
    for (int64_t r = 0; r < m->rows; r++) {
        uint32_t s = (uint32_t)to->slot[r];
        for (int64_t e = m->ptr[r]; e < m->ptr[r + 1]; e++) {
            uint32_t sc = (uint32_t)in->slot[m->col[e]];
            uint8_t *u = &used[(size_t)(sc / n) * modulus + diagonal[(sc - s) & mask]];
            count += !*u;
            *u = 1;
        }
        if (count > most) return false;
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

static void sets_of(struct arena *a, struct bsgs_sets *out, const uint8_t *used, uint32_t modulus, uint32_t nin, uint32_t nout)
{
    uint32_t blocks = nin * nout, total = 0, at = 0;
    for (size_t k = 0; k < (size_t)blocks * modulus; k++) total += used[k];
    uint32_t *ptr = ARENA_ARRAY(a, uint32_t, blocks + 1), *d = ARENA_ARRAY(a, uint32_t, total + 1);
    for (uint32_t b = 0; b < blocks; b++) {
        for (uint32_t k = 0; k < modulus; k++)
            if (used[(size_t)b * modulus + k]) d[at++] = k;
        ptr[b + 1] = at;
    }
    *out = (struct bsgs_sets){modulus, nin, nout, ptr, d};
}

static void price_mode(struct arena *a, struct map_plan *out, enum map_mode mode, const struct ir_csr *m, const struct place *in,
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
    uint8_t *used = ARENA_ARRAY(a, uint8_t, (size_t)in->count * to->count * p.modulus);
    int64_t most = 1;
    while (most <= INT32_MAX && least_price((double)most, in, to) < out->cost) most *= 2;
    bool ok = mode == MAP_DIRECT ? mark_direct(used, p.modulus, most, m, in, to)
                                 : mark_fold(a, used, p.modulus, most, m, in, to);
    if (!ok) return;
    struct bsgs_sets sets;
    sets_of(a, &sets, used, p.modulus, in->count, to->count);
    bsgs_plan(a, &p.plan, &sets, &bsgs_weights_default);
    p.cost = p.plan.cost + bsgs_weights_default.fold * p.nfold;
    if (p.cost < out->cost) *out = p;
}

void map_plan(struct arena *a, struct map_plan *out, const struct ir_csr *m, const struct place *in, const struct place *to,
              double limit)
{
    *out = (struct map_plan){.mode = MAP_NONE, .cost = limit};
    bool foldable = to->count == 1 && to->l.skew == 0 && to->l.period <= in->l.period &&
                    to->l.period < (in->l.skew ? in->l.n : in->l.period);
    if (foldable) price_mode(a, out, MAP_FOLD, m, in, to);
    price_mode(a, out, MAP_DIRECT, m, in, to);
    if (out->mode == MAP_NONE) out->cost = INFINITY;
}

/* An entry of the slot-space matrix. */
struct spot {
    int64_t row;
    int32_t col;
    double val;
};

struct spots {
    struct spot *e;
    int64_t n;
};

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

static void direct_spots(struct spots *out, const uint32_t *lifted, const struct ir_csr *m, const struct place *in,
                         const struct place *to)
{
    uint32_t n = in->l.n, mask = n - 1, copies = n / to->l.period;
    for (int64_t r = 0; r < m->rows; r++) {
        int64_t so = to->slot[r], vector = so / n * n;
        for (uint32_t k = 0; k < copies; k++) {
            uint32_t s = copy_slot(&to->l, (uint32_t)so & mask, k);
            for (int64_t e = m->ptr[r]; e < m->ptr[r + 1]; e++) {
                uint32_t sc = (uint32_t)in->slot[m->col[e]];
                uint32_t c = (s + lifted[direct_diagonal(&in->l, sc & mask, s)]) & mask;
                out->e[out->n++] = (struct spot){vector + s, (int32_t)(sc / n * n + c), m->val[e]};
            }
        }
    }
}

static void fold_spots(struct arena *a, struct spots *out, const uint32_t *lifted, const struct ir_csr *m,
                       const struct place *in, const struct place *to)
{
    uint32_t n = in->l.n, mask = n - 1, period = in->l.skew ? n : in->l.period, modulus = to->l.period;
    struct nearest near = nearest_copies(a, &in->l, modulus);
    for (int64_t r = 0; r < m->rows; r++)
        for (int64_t e = m->ptr[r]; e < m->ptr[r + 1]; e++) {
            uint32_t sc = (uint32_t)in->slot[m->col[e]], x = (sc - (uint32_t)to->slot[r]) & (modulus - 1);
            uint32_t d = lifted[near.diagonal[x]], c = copy_slot(&in->l, sc & mask, near.copy[x]), s = (c - d) & (period - 1);
            for (uint32_t at = s; at < n; at += period)
                out->e[out->n++] = (struct spot){at, (int32_t)(sc / n * n + ((at + d) & mask)), m->val[e]};
        }
}

struct ir_csr map_matrix(struct arena *a, const struct map_plan *p, const struct ir_csr *m, const struct place *in,
                         const struct place *to)
{
    uint32_t n = in->l.n, *lifted = lifts(a, p, n);
    int64_t rows = (int64_t)to->count * n, nnz = sparse_nnz(m);
    int64_t each = p->mode == MAP_DIRECT ? n / to->l.period : in->l.skew ? 1 : n / in->l.period;
    struct spots list = {ARENA_ARRAY(a, struct spot, nnz * each + 1), 0};
    if (p->mode == MAP_DIRECT) direct_spots(&list, lifted, m, in, to);
    else fold_spots(a, &list, lifted, m, in, to);

    /* counting sort by row */
    int64_t *start = ARENA_ARRAY(a, int64_t, rows + 1);
    for (int64_t k = 0; k < list.n; k++) start[list.e[k].row + 1]++;
    for (int64_t r = 0; r < rows; r++) start[r + 1] += start[r];
    int64_t *fill = arena_copy(a, start, sizeof *start * (size_t)(rows + 1)), *order = ARENA_ARRAY(a, int64_t, list.n + 1);
    for (int64_t k = 0; k < list.n; k++) order[fill[list.e[k].row]++] = k;
    struct sparse b;
    sparse_begin(&b, a, rows, (int64_t)in->count * n, list.n);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = start[r]; k < start[r + 1]; k++) sparse_put(&b, list.e[order[k]].col, list.e[order[k]].val);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}
