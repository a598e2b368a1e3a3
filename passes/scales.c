// SPDX-License-Identifier: Apache-2.0
// The exact scale of every value.
//
// Values joined by add, sub, addc and drop must share one scale: they form a class (classes.h). A class without a product is free:
// inputs are encoded, and linear maps, polynomials and constant products land, at whatever scale is asked for, because their plaintexts
// are encoded at out_scale q_l / in_scale. A product's class has scale s1 s2 / q_l, unless one operand is private to the product: then that
// operand's scale follows from the class, which stays free. levels.c makes sure that a class has one answer.
// A free class gets Delta / its largest value: then every value uses the same bits of the modulus, q_0 needs no
// headroom beyond the margin however large the logits are, and noise is relative to the range. A class that polynomials read keeps Delta
// (their argument is in [-1,1]), and so do the operands of products that are summed, whose scales must agree. A class that is
// bootstrapped gets the scale at which its range, with a margin, fills the interval of the bootstrap; the result's scale follows.
// Costs nothing at run time: no correction, no level.
#include "scales.h"
#include "classes.h"
#include "plan.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

static const double boot_margin = 2;            // a bootstrap's interval over the range that a few inputs showed

struct solved {
    double plain;               // the scale to keep; 0: free
    bool argument;              // what is bootstrapped here is a polynomial's argument
    bool known, busy;
    double scale;
};

struct state {
    const struct ir_module *m;
    struct classes classes;
    struct solved *solved;      // by class
    const double *q;
    double target;
    struct ck_boot_shape boot;  // of bootstraps, with the parameters that they need
    struct ck_params par;
};

static double scale_of(struct state *s, const struct ir_inst *i);

/* What the operation makes of its operands' scales. */
static double scale_fixed(struct state *s, const struct ir_inst *i)
{
    double in = scale_of(s, i->args[0]);
    switch (i->op) {
    case IR_CKKS_mul: return in * scale_of(s, i->args[1]);
    case IR_CKKS_rescale: return in / s->q[i->args[0]->type.level];
    case IR_CKKS_stc: return ck_boot_part_scale(&s->par, &s->boot, CK_BOOT_STC, in);
    case IR_CKKS_modraise: return ck_boot_part_scale(&s->par, &s->boot, CK_BOOT_MODRAISE, in);
    case IR_CKKS_cts: return ck_boot_part_scale(&s->par, &s->boot, CK_BOOT_CTS, in);
    case IR_CKKS_evalmod: return ck_boot_part_scale(&s->par, &s->boot, CK_BOOT_EVALMOD, in);
    default: ICE("%s has no scale of its own", ir_op_name(i->op));
    }
}

/* The interval that a bootstrap is made for. What a polynomial reads, before or after, lies in [-1,1] with the margin of all calibration
 * data. */
static double boot_range(const struct solved *x, double range)
{
    return x->argument && range <= 1 ? 1 : boot_margin * range;
}

/* Is this class the operand that its product adjusts? Both may be free; then it is one of them. */
static bool is_private(const struct state *s, const struct scale_class *c)
{
    int own = c->reader ? class_private(&s->classes, c->reader) : -1;
    return own >= 0 && class_of(&s->classes, c->reader->args[own]) == c;
}

/* The private operand of a product lands where the product's class wants it. */
static double scale_private(struct state *s, const struct scale_class *c)
{
    const struct ir_inst *p = c->reader, *rescale = p;
    while (class_product(rescale) != p) rescale = rescale->next;
    int own = class_private(&s->classes, p);
    return scale_of(s, rescale) * s->q[p->type.level] / scale_of(s, p->args[1 - own]);
}

static double scale_of(struct state *s, const struct ir_inst *i)
{
    uint32_t r = s->classes.root[i->id];
    const struct scale_class *c = &s->classes.of[r];
    struct solved *x = &s->solved[r];
    if (x->known) return x->scale;
    ICE_IF(x->busy, "the scale of %%%u depends on itself", i->id);
    x->busy = true;
    double range = fmax(c->range, 0x1p-12);
    if (i->op == IR_CKKS_stc || i->op == IR_CKKS_modraise || i->op == IR_CKKS_cts) x->scale = scale_fixed(s, i);
    else if (c->source) x->scale = scale_fixed(s, c->source);
    else if (is_private(s, c)) x->scale = scale_private(s, c);
    else if (c->boot) x->scale = ck_boot_nominal(&s->par, &s->boot) / boot_range(x, range);
    else if (x->plain > 0) x->scale = x->plain;
    else x->scale = s->target / range;
    x->known = true;
    return x->scale;
}

/* Polynomials' arguments and the operands of products that are summed with others. */
static void find_plain(struct state *s)
{
    for (const struct ir_inst *i = s->m->first; i; i = i->next) {
        const struct ir_inst *p = class_product(i);
        if (i->op == IR_CKKS_stc)
            s->solved[s->classes.root[i->args[0]->id]].argument |= class_of(&s->classes, i->args[0])->poly;
        if (i->op == IR_CKKS_evalmod && class_of(&s->classes, i)->poly)
            s->solved[s->classes.root[i->args[0]->args[0]->args[0]->args[0]->id]].argument = true;
        if (i->op == IR_CKKS_poly) {
            struct solved *x = &s->solved[s->classes.root[i->args[0]->id]];
            if (!(x->plain > 0)) x->plain = s->target;
            // the landing level of bootstraps: squared and divided by its larger prime, the argument falls to the target
            if (s->boot.nstc && i->args[0]->type.level == (int32_t)s->boot.top - (int32_t)ck_boot_depth(&s->boot))
                x->plain = sqrt(s->target * s->q[i->args[0]->type.level]);
        }
        if (p && class_private(&s->classes, p) < 0 && class_of(&s->classes, i)->products > 1)
            for (uint32_t a = 0; a < p->nargs; a++) {
                struct solved *x = &s->solved[s->classes.root[p->args[a]->id]];
                if (!(x->plain > 0)) x->plain = s->target;
            }
    }
}

void scales_assign(struct ir_module *m, const double *q, double target, struct arena *scratch)
{
    ir_renumber(m);
    struct state s = {.m = m, .classes = classes_find(m, scratch), .q = q, .target = target};
    s.solved = ARENA_ARRAY(scratch, struct solved, m->last ? m->last->id + 1 : 1);
    if (plan_boot(&s.boot, m)) plan_params(&s.par, m);
    find_plain(&s);
    for (struct ir_inst *i = m->first; i; i = i->next) i->type.scale = scale_of(&s, i);
    for (struct ir_inst *i = m->first; i; i = i->next) {
        bool fixed = i->op == IR_CKKS_mul || i->op == IR_CKKS_rescale || i->op == IR_CKKS_evalmod;
        ICE_IF(fixed && fabs(scale_fixed(&s, i) / i->type.scale - 1) > 0x1p-48, "the scale of %%%u has two answers", i->id);
    }
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
