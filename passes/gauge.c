// SPDX-License-Identifier: Apache-2.0
// Normalising activation inputs without paying a level.
//
// Every tensor value v may be kept as S v for a factor S of our choice. Affine operators absorb factors on either side (the affine pass
// composes the inserted mulc with them), polynomials absorb one in their coefficients, but sum and summands must share theirs: they form
// a class (union-find over add, sub and an addc between). A class that an activation reads gets S = 1/half of that activation, so a
// residual sum arrives normalised and its shortcut, the previous polynomial's output, is scaled by its coefficients. A class of
// one affine result read by a homogeneous function (ReLU) alone gets one factor per channel: f(x) = h f(x/h), h folded on both sides,
// which fits every channel's own range. Inputs and outputs of the network keep S = 1.
#include "gauge.h"
#include "actspec.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

struct class {
    uint32_t parent;
    bool pinned, summed;
    double half;                // largest half of the activations that read it, 0 if none
    double factor;
};

struct state {
    struct ir_module *m;
    struct arena *scratch;
    struct class *c;
    uint32_t count;
};

static uint32_t find(struct class *c, uint32_t k)
{
    while (c[k].parent != k) k = c[k].parent = c[c[k].parent].parent;
    return k;
}

static struct class *class_of(struct state *s, const struct ir_inst *i) { return &s->c[find(s->c, i->id)]; }

static bool is_affine(const struct ir_inst *i)
{
    switch (i->op) {
    case IR_TENSOR_conv: case IR_TENSOR_gemm: case IR_TENSOR_batchnorm: case IR_TENSOR_avgpool: case IR_TENSOR_reduce:
    case IR_TENSOR_reshape: case IR_TENSOR_transpose: case IR_TENSOR_slice: case IR_TENSOR_pad: case IR_TENSOR_gather:
    case IR_TENSOR_concat: case IR_TENSOR_addc: case IR_TENSOR_mulc: case IR_TENSOR_affine: return true;
    default: return false;
    }
}

static bool is_sum(const struct ir_inst *i) { return i->op == IR_TENSOR_add || i->op == IR_TENSOR_sub; }

/* addc right after a sum belongs to the sum's class; elsewhere it is affine. Broadcasting operands is fine: factors are uniform. */
static bool joins(const struct ir_inst *i)
{
    return is_sum(i) || (i->op == IR_TENSOR_addc && (is_sum(i->args[0]) || (i->args[0]->op == IR_TENSOR_addc && joins(i->args[0]))));
}

static bool used_only_by(const struct ir_module *m, const struct ir_inst *v, const struct ir_inst *act)
{
    return v == act->args[0] && ir_count_uses(m, v) == 1;
}

static bool used_only_by_affine(const struct ir_module *m, const struct ir_inst *v)
{
    for (uint32_t k = 0; k < m->noutputs; k++)
        if (m->outputs[k] == v) return false;
    for (const struct ir_inst *i = v->next; i; i = i->next)
        for (uint32_t a = 0; a < i->nargs; a++)
            if (i->args[a] == v && (!is_affine(i) || joins(i))) return false;
    return true;
}

/* A constant for mulc: one number, or one per channel shaped to broadcast on axis 1. */
static struct ir_inst *times(struct state *s, struct ir_inst *before, struct ir_inst *v, int64_t channels, const double *f, bool inverse)
{
    if (channels == 0 && f[0] == 1) return v;
    int64_t dim[IR_MAX_RANK] = {0};
    uint32_t rank = channels ? v->type.rank : 0;
    for (uint32_t d = 0; d < rank; d++) dim[d] = d == 1 ? channels : 1;
    struct ir_const *c = ir_const_add(s->m, "gauge", IR_F64, rank, dim);
    for (int64_t k = 0; k < (channels ? channels : 1); k++) ((double *)c->data)[k] = inverse ? 1 / f[k] : f[k];
    struct ir_inst *r = ir_build(s->m, before, IR_TENSOR_mulc, v->type, 1, &v);
    ir_set_symbol(s->m, &r->attrs, "value", c->name);
    const char *node = ir_get_string(v->attrs, "node", NULL);
    if (node) ir_set_string(s->m, &r->attrs, "node", node);
    return r;
}

static struct ir_inst *plus(struct state *s, struct ir_inst *before, struct ir_inst *v, double shift)
{
    if (shift == 0) return v;
    struct ir_const *c = ir_const_add(s->m, "gauge", IR_F64, 0, NULL);
    ((double *)c->data)[0] = shift;
    struct ir_inst *r = ir_build(s->m, before, IR_TENSOR_addc, v->type, 1, &v);
    ir_set_symbol(s->m, &r->attrs, "value", c->name);
    return r;
}

static void classify(struct state *s)
{
    for (uint32_t k = 0; k < s->count; k++) s->c[k] = (struct class){.parent = k, .factor = 1};
    for (struct ir_inst *i = s->m->first; i; i = i->next)
        for (uint32_t a = 0; joins(i) && a < i->nargs; a++) s->c[find(s->c, i->id)].parent = find(s->c, i->args[a]->id);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        struct class *c = class_of(s, i);
        c->summed |= joins(i);
        c->pinned |= i->op == IR_TENSOR_input || i->op == IR_TENSOR_mul || i->op == IR_TENSOR_poly || i->op == IR_TENSOR_maxpool;
    }
    for (uint32_t k = 0; k < s->m->noutputs; k++) class_of(s, s->m->outputs[k])->pinned = true;
    for (struct ir_inst *i = s->m->first; i; i = i->next)         // readers that take no factor
        for (uint32_t a = 0; a < i->nargs; a++)
            if (!is_affine(i) && !joins(i) && i->op != IR_TENSOR_act) class_of(s, i->args[a])->pinned = true;
}

/* The members of a class with factor S: affine results get a mulc, affine readers outside the class its inverse. */
static void apply_factors(struct state *s, struct gauge_site *site, uint32_t sites)
{
    struct ir_inst *last = s->m->last;
    for (struct ir_inst *i = s->m->first, *next; i; i = next) {
        next = i == last ? NULL : i->next;
        double factor = class_of(s, i)->factor;
        if (factor == 1) continue;
        struct ir_inst *kept = i;
        if (i->op == IR_TENSOR_act) {
            for (uint32_t k = 0; k < sites; k++)
                if (site[k].act == i) site[k].gain *= factor;
        } else if (i->op == IR_TENSOR_addc && joins(i)) {
            struct ir_const *c = util_const(s->m, i, "value"), *scaled = ir_const_add(s->m, c->name, IR_F64, c->rank, c->dim);
            for (int64_t k = 0, n = ir_const_numel(c); k < n; k++) ((double *)scaled->data)[k] = factor * ir_const_at(c, k);
            ir_set_symbol(s->m, &i->attrs, "value", scaled->name);
        } else if (!joins(i)) {
            kept = times(s, i->next, i, 0, &factor, false);
        }
        for (struct ir_inst *u = kept->next; u; u = u->next) {
            bool reads = false;
            for (uint32_t a = 0; a < u->nargs; a++) reads |= u->args[a] == i;
            if (!reads || u == kept) continue;
            bool outside = is_affine(u) && !joins(u);
            struct ir_inst *w = outside ? times(s, u, kept, 0, &factor, true) : kept;
            for (uint32_t a = 0; a < u->nargs; a++)
                if (u->args[a] == i) u->args[a] = w;
        }
    }
}

void gauge_apply(struct ir_module *m, struct gauge_site *site, const struct gauge_range *range, uint32_t sites, double margin,
                 struct arena *scratch)
{
    ir_renumber(m);
    struct state s = {m, scratch, NULL, 0};
    for (struct ir_inst *i = m->first; i; i = i->next) s.count++;
    s.c = ARENA_ARRAY(scratch, struct class, s.count);
    classify(&s);
    for (uint32_t k = 0; k < sites; k++) {
        bool homogeneous = actspec_homogeneous(ir_get_string(site[k].act->attrs, "fn", ""));
        double mid = homogeneous ? 0 : (range[k].lo + range[k].hi) / 2;
        // Not below a share of its middle: a value that the data leaves constant must not have its noise blown up.
        double half = margin * fmax(fmax(range[k].hi - mid, mid - range[k].lo), fmax(fabs(mid) * 0x1p-6, 1e-6));
        site[k].mid = mid;
        site[k].half = half;
        site[k].gain = 1;
        struct class *c = class_of(&s, site[k].act->args[0]);
        c->half = fmax(c->half, half);
        struct ir_inst *x = site[k].act->args[0];
        bool alone = homogeneous && !c->summed && !c->pinned && is_affine(x) && used_only_by(m, x, site[k].act) &&
                     used_only_by_affine(m, site[k].act) && range[k].channels > 0;
        if (!alone) continue;
        site[k].channels = range[k].channels;
        site[k].channel_half = ARENA_ARRAY(scratch, double, range[k].channels);
        for (int64_t ch = 0; ch < range[k].channels; ch++)          // a channel that never moved still gets a sane range
            site[k].channel_half[ch] = margin * fmax(range[k].channel_max[ch], 1e-3 * half);
    }
    for (uint32_t k = 0; k < sites; k++) {
        struct class *c = class_of(&s, site[k].act->args[0]);
        if (!c->pinned && !site[k].channels) c->factor = 1 / c->half;
    }
    double *carried = ARENA_ARRAY(scratch, double, sites);           // by the argument once the factors are in
    for (uint32_t k = 0; k < sites; k++) carried[k] = class_of(&s, site[k].act->args[0])->factor;
    apply_factors(&s, site, sites);
    for (uint32_t k = 0; k < sites; k++) {
        struct ir_inst *act = site[k].act, *x = act->args[0];
        if (site[k].channels) {
            act->args[0] = times(&s, act, x, site[k].channels, site[k].channel_half, true);
            for (struct ir_inst *u = act->next; u; u = u->next)
                for (uint32_t a = 0; a < u->nargs; a++)
                    if (u->args[a] == act) u->args[a] = times(&s, u, act, site[k].channels, site[k].channel_half, false);
            site[k].half = 1;
            continue;
        }
        double inverse = 1 / site[k].half;
        if (carried[k] == 1) x = times(&s, act, x, 0, &inverse, false);
        else site[k].half = 1 / carried[k];
        act->args[0] = plus(&s, act, x, -site[k].mid / site[k].half);
    }
}
