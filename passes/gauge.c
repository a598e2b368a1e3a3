// SPDX-License-Identifier: Apache-2.0
// Normalising activation inputs without paying a level.
//
// Every tensor value v may be kept as S v for a factor S of our choice. Affine operators absorb factors on either side (the affine pass
// composes the inserted mulc with them), polynomials absorb one in their coefficients, but sum and summands must share theirs: they form
// a class (union-find over add, sub and an addc between). A class that an activation reads gets S = 1/half of that activation, so a
// residual sum arrives normalised and its shortcut, the previous polynomial's output, is scaled by its coefficients.
//
// On top of that every channel may have its own factor, 1/shape[c], as long as nothing but homogeneous functions (ReLU: f(s x) = s f(x))
// stands between: classes that such a function joins form a group and share one shape, so the channels of a whole residual stage are
// normalised together, each to its own range, and a convolution at its end changes to the next shape. Inputs and outputs of the network
// keep S = 1.
#include "gauge.h"
#include "actspec.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

static const double least_share = 0.2;       // of a channel's range in the group's largest: rare channels get room

struct class {
    uint32_t parent;
    bool pinned;
    double half;                // largest half of the activations that read it, 0 if none
    double factor;
    uint32_t group;             // parent of the union-find over classes
    int64_t channels;           // 0: none of its own
    double *shape;              // of the group's root: NULL for ones
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

static uint32_t group_root(struct class *c, uint32_t k)
{
    while (c[k].group != k) k = c[k].group = c[c[k].group].group;
    return k;
}

static struct class *group_of(struct state *s, const struct ir_inst *i) { return &s->c[group_root(s->c, find(s->c, i->id))]; }

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

/* v times factor / shape[c], or v divided by it: one number, or one per channel shaped to broadcast on axis 1. */
static struct ir_inst *times(struct state *s, struct ir_inst *before, struct ir_inst *v, double factor, const struct class *group, bool inverse)
{
    const double *shape = group->shape;
    if (!shape && factor == 1) return v;
    int64_t dim[IR_MAX_RANK] = {0};
    uint32_t rank = shape ? v->type.rank : 0;
    for (uint32_t d = 0; d < rank; d++) dim[d] = d == 1 ? v->type.dim[1] : 1;
    struct ir_const *c = ir_const_add(s->m, "gauge", IR_F64, rank, dim);
    for (int64_t k = 0, n = ir_const_numel(c); k < n; k++) {
        double f = shape ? factor / shape[k] : factor;
        ((double *)c->data)[k] = inverse ? 1 / f : f;
    }
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
    for (uint32_t k = 0; k < s->count; k++) s->c[k] = (struct class){.parent = k, .group = k, .factor = 1};
    for (struct ir_inst *i = s->m->first; i; i = i->next)
        for (uint32_t a = 0; joins(i) && a < i->nargs; a++) s->c[find(s->c, i->id)].parent = find(s->c, i->args[a]->id);
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        struct class *c = class_of(s, i);
        c->pinned |= i->op == IR_TENSOR_input || i->op == IR_TENSOR_mul || i->op == IR_TENSOR_poly || i->op == IR_TENSOR_maxpool;
    }
    for (uint32_t k = 0; k < s->m->noutputs; k++) class_of(s, s->m->outputs[k])->pinned = true;
    for (struct ir_inst *i = s->m->first; i; i = i->next)         // readers that take no factor
        for (uint32_t a = 0; a < i->nargs; a++)
            if (!is_affine(i) && !joins(i) && i->op != IR_TENSOR_act) class_of(s, i->args[a])->pinned = true;
}

static bool homogeneous(const struct ir_inst *act) { return actspec_homogeneous(ir_get_string(act->attrs, "fn", "")); }

/* Groups of classes that homogeneous functions join, and the shape of each: by channel the largest share of a site's range. */
static void find_shapes(struct state *s, const struct gauge_site *site, const struct gauge_range *range, uint32_t sites)
{
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        struct class *c = class_of(s, i);
        int64_t own = i->type.rank >= 2 ? i->type.dim[1] : -1;
        if (c->pinned || (c->channels && c->channels != own)) own = -1;
        for (uint32_t a = 0; joins(i) && a < i->nargs; a++)
            if (!ir_type_equal(&i->type, &i->args[a]->type)) own = -1;
        c->channels = c->channels < 0 ? -1 : own;
    }
    for (uint32_t k = 0; k < sites; k++) {
        const struct ir_inst *act = site[k].act;
        struct class *in = group_of(s, act->args[0]), *out = group_of(s, act);
        bool same = homogeneous(act) && in->channels == out->channels;
        if (!same) in->channels = out->channels = -1;
        else if (in != out) in->group = (uint32_t)(out - s->c);
    }
    for (uint32_t k = 0; k < sites; k++) {
        struct class *g = group_of(s, site[k].act);
        double top = 0;
        if (g->channels <= 0) continue;
        if (!g->shape) {
            g->shape = ARENA_ARRAY(s->scratch, double, g->channels);
            for (int64_t c = 0; c < g->channels; c++) g->shape[c] = least_share;
        }
        for (int64_t c = 0; c < g->channels; c++) top = fmax(top, range[k].channel_max[c]);
        for (int64_t c = 0; c < g->channels && top > 0; c++) g->shape[c] = fmax(g->shape[c], range[k].channel_max[c] / top);
    }
}

/* The members of a class with factor S: affine results get a mulc, affine readers outside the class its inverse. */
static void apply_factors(struct state *s, struct gauge_site *site, uint32_t sites)
{
    struct ir_inst *last = s->m->last;
    for (struct ir_inst *i = s->m->first, *next; i; i = next) {
        next = i == last ? NULL : i->next;
        double factor = class_of(s, i)->factor;
        const struct class *group = group_of(s, i);
        if (factor == 1 && !group->shape) continue;
        struct ir_inst *kept = i;
        if (i->op == IR_TENSOR_act) {
            for (uint32_t k = 0; k < sites; k++)
                if (site[k].act == i) site[k].gain *= factor;
        } else if (i->op == IR_TENSOR_addc && joins(i)) {
            struct ir_const *c = util_const(s->m, i, "value");
            struct ir_const *scaled = ir_const_add(s->m, c->name, IR_F64, i->type.rank, i->type.dim);
            int64_t inner = 1;
            for (uint32_t d = 2; d < i->type.rank; d++) inner *= i->type.dim[d];
            for (int64_t k = 0, n = ir_const_numel(scaled); k < n; k++)
                ((double *)scaled->data)[k] = factor * ir_const_at(c, util_broadcast(&i->type, c->rank, c->dim, k)) /
                                              (group->shape ? group->shape[k / inner % group->channels] : 1);
            ir_set_symbol(s->m, &i->attrs, "value", scaled->name);
        } else if (!joins(i)) {
            kept = times(s, i->next, i, factor, group, false);
        }
        for (struct ir_inst *u = kept->next; u; u = u->next) {
            bool reads = false;
            for (uint32_t a = 0; a < u->nargs; a++) reads |= u->args[a] == i;
            if (!reads || u == kept) continue;
            bool outside = is_affine(u) && !joins(u);
            struct ir_inst *w = outside ? times(s, u, kept, factor, group, true) : kept;
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
    find_shapes(&s, site, range, sites);
    for (uint32_t k = 0; k < sites; k++) {
        const struct class *g = group_of(&s, site[k].act);
        double mid = homogeneous(site[k].act) ? 0 : (range[k].lo + range[k].hi) / 2, top = 0;
        for (int64_t c = 0; g->shape && c < g->channels; c++) top = fmax(top, range[k].channel_max[c] / g->shape[c]);
        if (!g->shape) top = fmax(range[k].hi - mid, mid - range[k].lo);
        // Not below a share of its middle: a value that the data leaves constant must not have its noise blown up.
        site[k].mid = mid;
        site[k].half = margin * fmax(top, fmax(fabs(mid) * 0x1p-6, 1e-6));
        site[k].gain = 1;
        site[k].shape = g->shape;
        struct class *c = class_of(&s, site[k].act->args[0]);
        c->half = fmax(c->half, site[k].half);
    }
    for (uint32_t k = 0; k < sites; k++) {
        struct class *c = class_of(&s, site[k].act->args[0]);
        if (!c->pinned) c->factor = 1 / c->half;
    }
    double *carried = ARENA_ARRAY(scratch, double, sites);           // by the argument once the factors are in
    for (uint32_t k = 0; k < sites; k++) carried[k] = class_of(&s, site[k].act->args[0])->factor;
    apply_factors(&s, site, sites);
    const struct class none = {0};
    for (uint32_t k = 0; k < sites; k++) {
        struct ir_inst *act = site[k].act, *x = act->args[0];
        if (carried[k] == 1) x = times(&s, act, x, 1 / site[k].half, &none, false);
        else site[k].half = 1 / carried[k];
        act->args[0] = plus(&s, act, x, -site[k].mid / site[k].half);
    }
}
