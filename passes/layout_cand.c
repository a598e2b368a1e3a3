// SPDX-License-Identifier: Apache-2.0
// Candidate layouts of a class of values.
//   dense       row-major, with the least period that holds the tensor and without copies;
//   planes      every channel starts at a multiple of a power of two;
//   multiplexed for the result of a convolution or pooling with strides s: spatial steps grow by s, and channels fill the gaps so
//               made (in any proportion of gap and block), so that each window sits where it lies in the input: one level for any stride;
//   skewed      a copy k turned by k d slots inside its period; the client makes such copies for nothing, a convolution carries them on,
//               and a dense or folded map that reads them needs fewer diagonals (layout_map.c).
// source: [LLK+22] multiplexed packing; [EBAS23] in a single level.
#include "layout_search.h"

#include <string.h>

enum { SKEW_NNZ = 400000 };     // total entries up to which skews of inputs are tried

struct list {
    struct candidate *out;
    uint32_t n, max;
};

static int64_t pow2_above(int64_t v)
{
    int64_t p = 1;
    while (p < v) p *= 2;
    return p;
}

static void add(struct list *l, const struct candidate *c)
{
    int64_t least = (layout_numel(&c->l) + c->l.n - 1) / c->l.n;
    if (layout_count(&c->l) > 2 * least + 1) return;       // every vector costs bootstraps
    if (l->n < l->max) l->out[l->n++] = *c;
}

static int64_t span(const struct layout *l)
{
    int64_t top = l->offset;
    for (uint32_t d = 0; d < l->ndigits; d++) top += (l->digit[d].extent - 1) * l->digit[d].stride;
    return top + 1;
}

static int64_t work(const struct lproblem *p)
{
    int64_t nnz = 0;
    for (uint32_t e = 0; e < p->nedges; e++) nnz += p->edges[e].nnz;
    return nnz;
}

/* The client's copies, turned by every power of two. */
static void add_skewed(struct list *list, const struct lproblem *p, struct candidate c)
{
    if (c.l.period == p->n || work(p) > SKEW_NNZ) return;
    for (int64_t skew = 1; skew < c.l.period; skew *= 2) {
        c.l.skew = skew;
        add(list, &c);
    }
}

/* Row-major; and with every channel on a power of two. */
static void plain(struct list *list, const struct lproblem *p, const struct lclass *c)
{
    struct candidate k = {.l = layout_dense(c->rank, c->dim, p->n)};
    int64_t plane = 1;
    for (uint32_t d = 1; d < c->rank; d++) plane *= c->dim[d];
    if (c->rank > 1) {
        k.g.nd = c->rank - 1;
        for (uint32_t d = 1; d < c->rank; d++) k.g.unit[d - 1] = k.l.digit[d].stride;
        k.g.block = plane;
    }
    for (int padded = 0; padded < (c->rank > 1 ? 2 : 1); padded++) {
        if (padded) {
            if (plane == pow2_above(plane) && c->dim[0] > 1) break;
            k.l.digit[0].stride = k.g.block = pow2_above(plane);
        }
        int64_t least = pow2_above(padded ? c->dim[0] * k.g.block : span(&k.l));
        k.l.skew = 0;
        k.l.period = (uint32_t)(least < p->n ? least : p->n);
        add(list, &k);
        if (c->client) {
            add_skewed(list, p, k);     // plain copies cost the client nothing, so a longer period is never better
        } else if (k.l.period < p->n) {
            k.l.period = p->n;
            add(list, &k);
        }
    }
}

/* Digits of the channel axis of a result: nb blocks, and share[d] of the gap positions along spatial axis d. */
static bool channel_digits(struct layout *l, const struct geometry *g, const int64_t *gap, const int64_t *share, int64_t channels,
                           int64_t block)
{
    int64_t positions = 1;
    for (uint32_t d = 0; d < g->nd; d++) positions *= share[d];
    int64_t blocks = (channels + positions - 1) / positions;
    if (positions > 1 && positions > channels && positions / 2 >= channels) return false;      // a smaller share does
    l->ndigits = 0;
    l->digit[l->ndigits++] = (struct layout_digit){0, blocks, block};
    for (uint32_t d = 0; d < g->nd; d++)
        if (share[d] > 1) l->digit[l->ndigits++] = (struct layout_digit){0, share[d], g->unit[d] * (gap[d] / share[d])};
    return true;
}

static bool exact(const struct layout *l)
{
    int64_t product[IR_MAX_RANK];
    for (uint32_t d = 0; d < l->rank; d++) product[d] = 1;
    for (uint32_t d = 0; d < l->ndigits; d++) product[l->digit[d].axis] *= l->digit[d].extent;
    for (uint32_t d = 0; d < l->rank; d++)
        if (product[d] != l->dim[d]) return false;
    return true;
}

/* Sets the period of a multiplexed layout and adds it, and its skewed copies where a later map could read them. */
static void add_periodic(struct list *list, const struct lproblem *p, const struct lclass *c, const struct place *in,
                         struct candidate k)
{
    int64_t blocks = k.l.digit[0].extent, extent = blocks * k.g.block;
    if (c->output && !exact(&k.l)) return;
    k.l.skew = 0;
    if (in->l.skew) {                   // carried on: block b lies in copy b of the input
        int64_t period = pow2_above(blocks) * in->l.period;
        if (k.g.block != in->l.period || period > p->n) return;
        k.l.digit[0].stride += in->l.skew;
        k.l.period = (uint32_t)period;
        k.l.skew = period < p->n ? pow2_above(blocks) * in->l.skew % period : 0;
        add(list, &k);
        return;
    }
    if (span(&k.l) > extent) extent = span(&k.l);
    int64_t least = pow2_above(extent);
    k.l.period = (uint32_t)(least < p->n ? least : p->n);
    add(list, &k);
    if (k.l.period == p->n) return;
    int64_t copies = p->n / k.l.period;
    k.l.skew = k.l.period / copies;
    if (k.l.skew > 0 && copies <= 8) add(list, &k);
    k.l.skew = 0;
    k.l.period = p->n;
    add(list, &k);
}

static void spatial_digits(struct layout *l, const struct lclass *c, const struct place *in, const struct ledge *e)
{
    for (uint32_t d = 0; d < in->g.nd; d++) {
        int64_t stride = in->l.digit[in->l.ndigits - in->g.nd + d].stride * e->stride[d];
        l->digit[l->ndigits++] = (struct layout_digit){d + 1, c->dim[d + 1], stride};
    }
}

/* Every way to share the channels among gaps and blocks. */
static void multiplexed(struct list *list, const struct lproblem *p, const struct lclass *c, const struct place *in,
                        const struct ledge *e)
{
    const struct geometry *g = &in->g;
    if (g->nd == 0 || e->nstrides != g->nd || c->rank != g->nd + 1 || in->l.rank != c->rank) return;
    struct candidate k = {.g = *g};
    int64_t gap[IR_MAX_RANK], share[IR_MAX_RANK];
    k.l.n = p->n;
    k.l.rank = c->rank;
    memcpy(k.l.dim, c->dim, sizeof k.l.dim);
    for (uint32_t d = 0; d < g->nd; d++) {
        gap[d] = in->l.digit[in->l.ndigits - g->nd + d].stride * e->stride[d] / g->unit[d];
        share[d] = 1;
    }
    if (in->l.dim[0] == c->dim[0]) {            // every channel stays where it is
        k.l.ndigits = in->l.ndigits - g->nd;
        memcpy(k.l.digit, in->l.digit, sizeof *k.l.digit * k.l.ndigits);
        spatial_digits(&k.l, c, in, e);
        k.l.period = in->l.period;
        k.l.skew = in->l.skew;
        if (!c->output || exact(&k.l)) add(list, &k);
    }
    for (;;) {
        if (channel_digits(&k.l, g, gap, share, c->dim[0], g->block)) {
            spatial_digits(&k.l, c, in, e);
            add_periodic(list, p, c, in, k);
        }
        uint32_t d = 0;
        for (; d < g->nd; share[d++] = 1) {     // next combination of divisors
            do share[d]++;
            while (share[d] <= gap[d] && gap[d] % share[d]);
            if (share[d] <= gap[d]) break;
        }
        if (d == g->nd) break;
    }
}

uint32_t layout_candidates(const struct lproblem *p, uint32_t class, const struct place *const *place, struct candidate *out,
                           uint32_t max)
{
    struct list l = {out, 0, max};
    const struct lclass *c = &p->classes[class];
    for (uint32_t e = 0; e < p->nedges; e++) {
        const struct ledge *d = &p->edges[e];
        if (d->to == class && d->from != class && place[d->from]) multiplexed(&l, p, c, place[d->from], d);
    }
    if (l.n > max / 2) l.n = max / 2;
    plain(&l, p, c);
    return l.n;
}
