// SPDX-License-Identifier: Apache-2.0
// The exact scale of every value.
//
// Values joined by add, sub, addc and drop must share one scale: they form a class (union-find). A class without a product is free:
// inputs are encoded, and linear maps, polynomials and constant products land, at whatever scale is asked for, because their plaintexts
// are encoded at out_scale q_l / in_scale. A product's class has scale s1 s2 / q_l. levels.c makes sure that a class has one answer.
// A free class gets Delta / its largest value: then every value uses the same bits of the modulus, q_0 needs no
// headroom beyond the margin however large the logits are, and noise is relative to the range. A class that polynomials read keeps Delta
// (their argument is in [-1,1]), and so do the operands of products that are summed, whose scales must agree.
// Costs nothing at run time: no correction, no level.
#include "scales.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

struct class {
    uint32_t parent;
    bool plain;                 // keep the target
    bool known, busy;
    uint32_t products;
    double range, scale;
    struct ir_inst *source;     // the first mul or rescale in it
};

struct state {
    struct class *c;
    const double *q;
    double target;
};

static uint32_t find(struct class *c, uint32_t k)
{
    while (c[k].parent != k) k = c[k].parent = c[c[k].parent].parent;
    return k;
}

static bool fixed(enum ir_op op) { return op == IR_CKKS_mul || op == IR_CKKS_rescale; }

static double scale_of(struct state *s, const struct ir_inst *i);

static double scale_fixed(struct state *s, const struct ir_inst *i)
{
    if (i->op == IR_CKKS_mul) return scale_of(s, i->args[0]) * scale_of(s, i->args[1]);
    return scale_of(s, i->args[0]) / s->q[i->args[0]->type.level];
}

static double scale_of(struct state *s, const struct ir_inst *i)
{
    struct class *c = &s->c[find(s->c, i->id)];
    if (c->known) return c->scale;
    ICE_IF(c->busy, "the scale of %%%u depends on itself", i->id);
    c->busy = true;
    if (c->source) {
        c->scale = scale_fixed(s, c->source);
    } else {
        c->scale = c->plain ? s->target : s->target / fmax(c->range, 0x1p-12);
    }
    c->known = true;
    return c->scale;
}

void scales_assign(struct ir_module *m, const double *q, double target, struct arena *scratch)
{
    ir_renumber(m);
    uint32_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) count++;
    struct state s = {ARENA_ARRAY(scratch, struct class, count), q, target};
    for (uint32_t k = 0; k < count; k++) s.c[k].parent = k;
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->op == IR_CKKS_add || i->op == IR_CKKS_sub || i->op == IR_CKKS_addc || i->op == IR_CKKS_drop ||
            i->op == IR_CKKS_relin || i->op == IR_CKKS_rot)
            for (uint32_t a = 0; a < i->nargs; a++) s.c[find(s.c, i->id)].parent = find(s.c, i->args[a]->id);
    for (struct ir_inst *i = m->first; i; i = i->next) {
        struct class *c = &s.c[find(s.c, i->id)];
        c->range = fmax(c->range, util_range(i, 1));
        if (fixed(i->op)) {
            if (!c->source) c->source = i;
            c->products++;
        }
        if (i->op == IR_CKKS_poly) s.c[find(s.c, i->args[0]->id)].plain = true;
    }
    for (struct ir_inst *i = m->first; i; i = i->next)         // products that are summed: plain operands
        if (i->op == IR_CKKS_rescale && s.c[find(s.c, i->id)].products > 1) {
            const struct ir_inst *p = i->args[0];
            while (p->op == IR_CKKS_relin) p = p->args[0];
            for (uint32_t a = 0; a < p->nargs; a++) s.c[find(s.c, p->args[a]->id)].plain = true;
        }
    for (struct ir_inst *i = m->first; i; i = i->next) i->type.scale = scale_of(&s, i);
    for (struct ir_inst *i = m->first; i; i = i->next)
        ICE_IF(fixed(i->op) && fabs(scale_fixed(&s, i) / i->type.scale - 1) > 0x1p-50, "the scale of %%%u has two answers",
               i->id);
}

enum pass_res pass_scales(struct pass_ctx *ctx, struct ir_module *m)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    if (!q || q->kind != IR_INTS) {
        diag_error(m->name, "no primes: run the params pass first");
        return PASS_FAIL;
    }
    double *qd = ARENA_ARRAY(ctx->scratch, double, q->ints.n);
    for (size_t k = 0; k < q->ints.n; k++) qd[k] = (double)q->ints.v[k];
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->type.level >= (int64_t)q->ints.n) {
            diag_error(m->name, "level %d needs %d primes, the module has %zu", i->type.level, i->type.level + 1, q->ints.n);
            return PASS_FAIL;
        }
    scales_assign(m, qd, ir_get_float(m->attrs, "scale", 0), ctx->scratch);
    return PASS_CHANGED;
}
