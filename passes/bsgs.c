// SPDX-License-Identifier: Apache-2.0
// Chooses baby and giant steps for every linear map.
//
// Diagonals D live on a circle of `modulus` slots. The circle is cut at the widest gap of D, so that x = d - origin runs over a
// short interval in which the minimum of every digit of a structured set (columns, rows, channel planes) sits at zero. A split
// writes x as a sum of two digit groups: low = x mod m1, mid = (x - low) mod m2, high = the rest; each group or its complement may be
// the baby steps. Tried are all small moduli and those distances at which D overlaps itself most, which are its row and plane
// strides. The split is shifted so that one of its pairs is (0, 0) where 0 is a diagonal, since rotations by 0 are free.
// Baby steps are shared by all output ciphertexts, giant steps by all inputs.
// source: [HS14] baby-step giant-step; structured splits and sharing are this compiler's.
#include "bsgs.h"

#include "pass.h"

#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>

const struct bsgs_weights bsgs_weights_default = {
    .baby = 0.5, .giant = 1, .fold = 1, .hoist = 0.3, .product = 0.02, .key = 0.05,
};

enum { MAX_MODULI = 320, MAX_STRIDES = 20, SAMPLE = 48 };

struct search {
    struct arena *a;
    const struct linmap_sets *sets;
    const struct bsgs_weights *w;
    uint32_t modulus, n;            // n diagonals in the union
    uint32_t *x;                    // offsets from the origin, ascending
    uint32_t origin;
    uint32_t *stamp_b, *stamp_g, now;
    double best;
    uint32_t m1, m2;                // best split
    int kind;                       // which group is the baby steps: bit 0 low, bit 1 mid, bit 2 high
};

static int u32_cmp(const void *p, const void *q)
{
    uint32_t a = *(const uint32_t *)p, b = *(const uint32_t *)q;
    return a < b ? -1 : a > b;
}

static void part(uint32_t x, uint32_t m1, uint32_t m2, int kind, uint32_t *b, uint32_t *g)
{
    uint32_t low = x % m1, mid = m2 ? (x - low) % m2 : 0, high = x - low - mid;
    *b = (kind & 1 ? low : 0) + (kind & 2 ? mid : 0) + (kind & 4 ? high : 0);
    *g = x - *b;
}

static void try_split(struct search *s, uint32_t m1, uint32_t m2, int kind)
{
    uint32_t nb = 0, ng = 0;
    s->now++;
    double wb = s->w->baby * s->sets->nin + s->w->key, wg = s->w->giant * s->sets->nout + s->w->key, cost = 0;
    for (uint32_t k = 0; k < s->n; k++) {
        uint32_t b, g;
        part(s->x[k], m1, m2, kind, &b, &g);
        if (s->stamp_b[b] != s->now) {
            s->stamp_b[b] = s->now;
            cost += nb++ ? wb : 0;
        }
        if (s->stamp_g[g] != s->now) {
            s->stamp_g[g] = s->now;
            cost += ng++ ? wg : 0;
        }
        if (cost >= s->best) return;
    }
    if (nb > 1) cost += s->w->hoist * s->sets->nin;
    if (cost >= s->best) return;
    s->best = cost;
    s->m1 = m1;
    s->m2 = m2;
    s->kind = kind;
}

static void take_union(struct search *s, struct bsgs_plan *out)
{
    uint32_t total = s->sets->ptr[s->sets->nin * s->sets->nout], n = 0;
    uint8_t *used = ARENA_ARRAY(s->a, uint8_t, s->modulus);
    for (uint32_t k = 0; k < total; k++) {
        n += !used[s->sets->d[k]];
        used[s->sets->d[k]] = 1;
    }
    out->union_d = ARENA_ARRAY(s->a, uint32_t, n + 1);
    for (uint32_t d = 0; d < s->modulus; d++)
        if (used[d]) out->union_d[out->nunion++] = d;
}

/* Cuts the circle at its widest gap. */
static void unroll(struct search *s, const struct bsgs_plan *u)
{
    uint32_t widest = 0, first = 0;
    for (uint32_t k = 0; k < u->nunion; k++) {
        uint32_t before = k ? u->union_d[k] - u->union_d[k - 1] : u->union_d[0] + s->modulus - u->union_d[u->nunion - 1];
        if (before > widest) {
            widest = before;
            first = k;
        }
    }
    s->origin = u->union_d[first];
    s->n = u->nunion;
    s->x = ARENA_ARRAY(s->a, uint32_t, s->n);
    for (uint32_t k = 0; k < s->n; k++)
        s->x[k] = (u->union_d[(first + k) % s->n] + s->modulus - s->origin) % s->modulus;
}

struct tally {
    uint32_t distance, count;
};

static int tally_cmp(const void *p, const void *q)
{
    const struct tally *a = p, *b = q;
    if (a->count != b->count) return a->count > b->count ? -1 : 1;
    return a->distance < b->distance ? -1 : a->distance > b->distance;
}

/* Distances at which the set overlaps itself most. */
static uint32_t strides(struct search *s, uint32_t *out)
{
    uint32_t *count = ARENA_ARRAY(s->a, uint32_t, s->modulus + 1), n = 0;
    uint32_t step = s->n > SAMPLE ? s->n / SAMPLE : 1;
    for (uint32_t i = 0; i < s->n; i += step)
        for (uint32_t j = i + 1; j < s->n; j++) count[s->x[j] - s->x[i]]++;
    struct tally *t = ARENA_ARRAY(s->a, struct tally, s->modulus);
    for (uint32_t k = 2; k < s->modulus; k++)
        if (count[k]) t[n++] = (struct tally){k, count[k]};
    qsort(t, n, sizeof *t, tally_cmp);
    if (n > MAX_STRIDES) n = MAX_STRIDES;
    for (uint32_t k = 0; k < n; k++) out[k] = t[k].distance;
    return n;
}

static void add_modulus(struct search *s, uint32_t *list, uint32_t *n, uint64_t m)
{
    if (m < 1 || m > s->x[s->n - 1] + 1 || *n == MAX_MODULI) return;
    for (uint32_t k = 0; k < *n; k++)
        if (list[k] == m) return;
    list[(*n)++] = (uint32_t)m;
}

static void search_splits(struct search *s)
{
    uint32_t stride[MAX_STRIDES], nstride = strides(s, stride), list[MAX_MODULI], n = 0;
    uint32_t small = s->n <= 2048 ? 96 : 16;
    for (uint32_t m = 1; m <= small; m++) add_modulus(s, list, &n, m);
    for (uint64_t m = 1; m <= s->modulus; m *= 2) add_modulus(s, list, &n, m);
    uint32_t structural = n;
    for (uint32_t k = 0; k < nstride; k++)
        for (uint64_t f = 1; f <= (k < 8 ? 12 : 2); f++) add_modulus(s, list, &n, f * stride[k]);
    s->best = 1e300;
    for (uint32_t k = 0; k < n; k++) {
        try_split(s, list[k], 0, 1);
        try_split(s, list[k], 0, 4);
    }
    uint32_t from = s->n <= 2048 ? 0 : structural;
    uint32_t low_limit = s->n <= 600 ? 12 : 0;
    for (uint32_t i = from; i < n; i++) {
        if (i >= low_limit && i < structural) continue;
        for (uint32_t j = structural; j < n; j++) {
            if (list[j] <= list[i]) continue;
            try_split(s, list[i], list[j], 2);
            try_split(s, list[i], list[j], 5);
        }
    }
}

static int i64_cmp(const void *p, const void *q)
{
    int64_t a = *(const int64_t *)p, b = *(const int64_t *)q;
    return a < b ? -1 : a > b;
}

static int64_t centre(int64_t v, int64_t m)
{
    v = ((v % m) + m) % m;
    return 2 * v > m ? v - m : v;
}

static uint32_t unique(int64_t *v, uint32_t n)
{
    uint32_t m = 0;
    qsort(v, n, sizeof *v, i64_cmp);
    for (uint32_t k = 0; k < n; k++)
        if (k == 0 || v[k] != v[m - 1]) v[m++] = v[k];
    return m;
}

static uint32_t index_of(const int64_t *v, uint32_t n, int64_t want)
{
    const int64_t *at = bsearch(&want, v, n, sizeof *v, i64_cmp);
    ICE_IF(!at, "a rotation step went missing");
    return (uint32_t)(at - v);
}

uint32_t bsgs_find(const struct bsgs_plan *p, uint32_t d)
{
    const uint32_t *at = bsearch(&d, p->union_d, p->nunion, sizeof d, u32_cmp);
    ICE_IF(!at, "diagonal %u is not in the plan", d);
    return (uint32_t)(at - p->union_d);
}

/* Exact price: per input the baby steps it uses, per output its giant steps, all products, distinct keys. */
static double price(struct arena *a, const struct bsgs_plan *p, const struct linmap_sets *s, const struct bsgs_weights *w)
{
    uint8_t *b = ARENA_ARRAY(a, uint8_t, s->nin * p->nbaby + 1), *g = ARENA_ARRAY(a, uint8_t, s->nout * p->ngiant + 1);
    uint32_t *index = ARENA_ARRAY(a, uint32_t, s->modulus);
    for (uint32_t k = 0; k < p->nunion; k++) index[p->union_d[k]] = k;
    for (uint32_t o = 0; o < s->nout; o++)
        for (uint32_t i = 0; i < s->nin; i++)
            for (uint32_t k = s->ptr[o * s->nin + i]; k < s->ptr[o * s->nin + i + 1]; k++) {
                uint32_t u = index[s->d[k]];
                b[i * p->nbaby + p->of_baby[u]] = 1;
                g[o * p->ngiant + p->of_giant[u]] = 1;
            }
    double cost = w->product * s->ptr[s->nin * s->nout];
    for (uint32_t i = 0; i < s->nin; i++) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < p->nbaby; k++) n += b[i * p->nbaby + k] && p->baby[k] != 0;
        cost += n * w->baby + (n ? w->hoist : 0);
    }
    for (uint32_t o = 0; o < s->nout; o++)
        for (uint32_t k = 0; k < p->ngiant; k++)
            if (g[o * p->ngiant + k] && p->giant[k] != 0) cost += w->giant;
    uint32_t keys = 0;
    for (uint32_t k = 0; k < p->nbaby; k++) keys += p->baby[k] != 0;
    for (uint32_t k = 0; k < p->ngiant; k++) {
        bool have = p->giant[k] == 0 || bsearch(&p->giant[k], p->baby, p->nbaby, sizeof *p->baby, i64_cmp);
        keys += !have;
    }
    return cost + w->key * keys;
}

static void no_diagonals(struct arena *a, struct bsgs_plan *out)
{
    memset(out, 0, sizeof *out);
    out->nbaby = out->ngiant = 1;
    out->baby = ARENA_ARRAY(a, int64_t, 1);
    out->giant = ARENA_ARRAY(a, int64_t, 1);
    out->union_d = ARENA_ARRAY(a, uint32_t, 1);
}

void bsgs_plan(struct arena *a, struct bsgs_plan *out, const struct linmap_sets *sets, const struct bsgs_weights *w)
{
    no_diagonals(a, out);
    if (sets->ptr[sets->nin * sets->nout] == 0) return;
    struct search s = {.a = a, .sets = sets, .w = w, .modulus = sets->modulus};
    take_union(&s, out);
    unroll(&s, out);
    s.stamp_b = ARENA_ARRAY(a, uint32_t, s.modulus);
    s.stamp_g = ARENA_ARRAY(a, uint32_t, s.modulus);
    search_splits(&s);

    /* shift so that diagonal 0 (or else the first) splits as 0 + its giant step, and a giant step is 0 */
    uint32_t zero = out->union_d[0] == 0 ? (s.modulus - s.origin) % s.modulus : 0, b0, g0;
    part(zero, s.m1, s.m2, s.kind, &b0, &g0);
    int64_t shift_b = out->union_d[0] == 0 ? -(int64_t)b0 : (int64_t)s.origin + g0;
    int64_t shift_g = (int64_t)s.origin - shift_b, m = s.modulus;
    uint32_t n = out->nunion;
    int64_t *b = ARENA_ARRAY(a, int64_t, n), *g = ARENA_ARRAY(a, int64_t, n);
    out->baby = ARENA_ARRAY(a, int64_t, n);
    out->giant = ARENA_ARRAY(a, int64_t, n);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t x = (out->union_d[k] + s.modulus - s.origin) % s.modulus, pb, pg;
        part(x, s.m1, s.m2, s.kind, &pb, &pg);
        out->baby[k] = b[k] = centre(pb + shift_b, m);
        out->giant[k] = g[k] = centre(pg + shift_g, m);
    }
    out->nbaby = unique(out->baby, n);
    out->ngiant = unique(out->giant, n);
    out->of_baby = ARENA_ARRAY(a, uint32_t, n);
    out->of_giant = ARENA_ARRAY(a, uint32_t, n);
    for (uint32_t k = 0; k < n; k++) {
        out->of_baby[k] = index_of(out->baby, out->nbaby, b[k]);
        out->of_giant[k] = index_of(out->giant, out->ngiant, g[k]);
    }
    out->cost = price(a, out, sets, w);
}

bool bsgs_plan_given(struct arena *a, struct bsgs_plan *out, const struct linmap_sets *sets, const struct bsgs_weights *w,
                     const int64_t *baby, uint32_t nbaby, const int64_t *giant, uint32_t ngiant)
{
    no_diagonals(a, out);
    if (sets->ptr[sets->nin * sets->nout] == 0) return true;
    struct search s = {.a = a, .sets = sets, .w = w, .modulus = sets->modulus};
    take_union(&s, out);
    uint32_t n = out->nunion;
    int64_t m = sets->modulus;
    out->baby = arena_copy(a, baby, sizeof *baby * nbaby);
    out->giant = arena_copy(a, giant, sizeof *giant * ngiant);
    out->nbaby = unique(out->baby, nbaby);
    out->ngiant = unique(out->giant, ngiant);
    int64_t *by_residue = ARENA_ARRAY(a, int64_t, m);      // baby index + 1
    for (uint32_t k = out->nbaby; k-- > 0;) by_residue[((out->baby[k] % m) + m) % m] = k + 1;
    out->of_baby = ARENA_ARRAY(a, uint32_t, n);
    out->of_giant = ARENA_ARRAY(a, uint32_t, n);
    for (uint32_t k = 0; k < n; k++) {
        bool found = false;
        for (uint32_t g = 0; g < out->ngiant && !found; g++) {
            int64_t r = (((int64_t)out->union_d[k] - out->giant[g]) % m + m) % m;
            if (!by_residue[r]) continue;
            out->of_baby[k] = (uint32_t)(by_residue[r] - 1);
            out->of_giant[k] = g;
            found = true;
        }
        if (!found) return false;
    }
    out->cost = price(a, out, sets, w);
    return true;
}

static void plan_one(struct pass_ctx *ctx, struct ir_module *m, struct ir_inst *i)
{
    struct ir_csr mat = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    struct linmap_sets sets;
    linmap_diagonals(ctx->scratch, &sets, &mat, i->type.n);
    struct bsgs_plan best, given;
    bsgs_plan(ctx->scratch, &best, &sets, &bsgs_weights_default);
    const struct ir_attr *b = ir_attr_find(i->attrs, "baby"), *g = ir_attr_find(i->attrs, "giant");
    if (b && g && bsgs_plan_given(ctx->scratch, &given, &sets, &bsgs_weights_default, b->ints.v, (uint32_t)b->ints.n,
                                  g->ints.v, (uint32_t)g->ints.n) && given.cost <= best.cost)
        best = given;
    ir_set_ints(m, &i->attrs, "baby", best.baby, best.nbaby);
    ir_set_ints(m, &i->attrs, "giant", best.giant, best.ngiant);
}

enum pass_res pass_bsgs(struct pass_ctx *ctx, struct ir_module *m)
{
    enum pass_res res = PASS_OK;
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->op == IR_VEC_linear) {
            plan_one(ctx, m, i);
            arena_reset(ctx->scratch);
            res = PASS_CHANGED;
        }
    return res;
}
