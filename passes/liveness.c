// SPDX-License-Identifier: Apache-2.0
// Gives every value a register: a bundle of ciphertexts allocated once before the program runs. Walks the program in order; a register is
// free again after its value's last use. Slotwise operations (add, sub, addc, mulc, relin, rescale, drop), whose runtime functions
// may write over their first operand, reuse the register of an operand that dies there; linear, poly, mul and rot do not alias.
// Among the free registers of the right count the one wasting least is taken, growing it if none is large enough.
// Attributes: reg on every instruction; on the module nregs, reg_count, reg_degree, reg_level (lists by register), bytes_regs,
// bytes_keys (with those of bootstraps), bytes_weights, bytes_peak (predicted, with scratch) and seconds (predicted, one thread).
#include "pass.h"
#include "plan.h"

#include "../compiler/diag.h"
#include <math.h>

struct reg {
    uint32_t count, degree;
    int32_t level;
    bool busy;
};

struct state {
    struct reg *reg;
    int64_t n;
    int64_t *of;                // by instruction id
    uint32_t *uses;             // by id: uses left
};

static bool may_alias(enum ir_op op)
{
    switch (op) {
    case IR_CKKS_add: case IR_CKKS_sub: case IR_CKKS_addc: case IR_CKKS_mulc: case IR_CKKS_relin: case IR_CKKS_rescale:
    case IR_CKKS_drop: return true;
    default: return false;
    }
}

static double words(uint32_t count, int32_t level, uint32_t degree) { return (double)count * (level + 1) * (degree + 1); }

static double growth(const struct reg *r, const struct ir_type *t)
{
    int32_t level = r->level > t->level ? r->level : t->level;
    uint32_t degree = r->degree > t->degree ? r->degree : t->degree;
    double now = words(r->count, r->level, r->degree), then = words(r->count, level, degree);
    // growing costs memory; an oversized register costs nothing, but is better left for a large value
    return (then - now) * 1e6 + now;
}

/* The level that a register needs: the factors of StC and CtS, and EvalMod's steps, pass through their result's. */
static int32_t room(const struct ir_inst *i)
{
    if (i->op == IR_CKKS_stc) return i->args[0]->type.level;        // two share one: their sum lies there first
    return i->op == IR_CKKS_cts || i->op == IR_CKKS_evalmod ? i->args[0]->type.level - 1 : i->type.level;
}

static int64_t allocate(struct state *s, const struct ir_inst *i)
{
    struct ir_type wide = i->type;
    wide.level = room(i);
    const struct ir_type *t = &wide;
    int64_t best = -1;
    for (int64_t r = 0; r < s->n; r++)
        if (!s->reg[r].busy && s->reg[r].count == t->count && (best < 0 || growth(&s->reg[r], t) < growth(&s->reg[best], t)))
            best = r;
    if (best < 0) {
        best = s->n++;
        s->reg[best].count = t->count;
    }
    return best;
}

static void occupy(struct state *s, int64_t r, const struct ir_inst *i)
{
    struct reg *g = &s->reg[r];
    g->busy = true;
    if (room(i) > g->level) g->level = room(i);
    if (i->type.degree > g->degree) g->degree = i->type.degree;
    s->of[i->id] = r;
}

static void assign(struct state *s, struct ir_inst *i)
{
    int64_t r = -1;
    for (uint32_t a = 0; a < i->nargs && r < 0 && may_alias(i->op); a++) {
        const struct ir_inst *x = i->args[a];
        uint32_t here = 0;
        for (uint32_t b = 0; b < i->nargs; b++) here += i->args[b] == x;
        if (a == 0 && s->uses[x->id] == here && x->type.count == i->type.count) r = s->of[x->id];
    }
    if (r < 0) r = allocate(s, i);
    occupy(s, r, i);
    for (uint32_t a = 0; a < i->nargs; a++) {
        const struct ir_inst *x = i->args[a];
        if (--s->uses[x->id] == 0 && s->of[x->id] != r) s->reg[s->of[x->id]].busy = false;
    }
    if (s->uses[i->id] == 0) s->reg[r].busy = false;
}

static double weight_bytes(const struct ir_module *m, const struct ir_inst *i)
{
    // 4-byte coefficients in the subring: 2n of them for each plaintext, and for each bias
    return 8.0 * i->type.n * (double)(ir_get_int(i->attrs, "terms", 0) + (ir_attr_find(i->attrs, "bias") ? i->type.count : 0));
}

/* Words of temporary space: the widest linear map keeps its decomposed inputs and double-width accumulators. */
static double scratch_words(const struct ck_params *par, const struct ir_inst *i)
{
    if (!i->nargs) return 0;
    uint32_t limbs = (uint32_t)i->args[0]->type.level + 1, alpha, np;
    ck_params_gadget(par, limbs, &alpha, &np);
    const int64_t *v;
    double wide = limbs + np, polys = (limbs + alpha - 1) / alpha + 4;
    if (i->op == IR_CKKS_linear) polys += 2.0 * (double)plan_list(&v, i, "baby") * i->args[0]->type.count + 2;
    if (i->op == IR_CKKS_poly) polys += 24;
    // two threads' transforms of 128 plaintexts of a linear map
    const double held = i->op == IR_CKKS_linear ? 4 * fmin(128, (double)ir_get_int(i->attrs, "terms", 0)) * ldexp((double)i->type.n, -(int)par->logn) : 0;
    return polys * wide + held;
}

/* Registers of all values; ids are in order. */
static struct state assign_all(const struct ir_module *m, struct arena *scratch)
{
    uint32_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) count++;
    struct state s = {ARENA_ARRAY(scratch, struct reg, count), 0, ARENA_ARRAY(scratch, int64_t, count), ARENA_ARRAY(scratch, uint32_t, count)};
    for (struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t a = 0; a < i->nargs; a++) s.uses[i->args[a]->id]++;
    for (uint32_t k = 0; k < m->noutputs; k++) s.uses[m->outputs[k]->id]++;
    for (struct ir_inst *i = m->first; i; i = i->next)                  // inputs are all there from the start
        if (!i->nargs) occupy(&s, allocate(&s, i), i);
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->nargs) assign(&s, i);
    return s;
}

/* Bytes by purpose. */
struct memory {
    double regs, weights, boot_plain, scratch;
};

static struct memory memory_of(const struct state *s, const struct ck_params *par, const struct ir_module *m)
{
    const double limb = 8.0 * (double)((uint64_t)1 << par->logn);
    struct memory b = {0};
    for (int64_t r = 0; r < s->n; r++) b.regs += words(s->reg[r].count, s->reg[r].level, s->reg[r].degree) * limb;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op == IR_CKKS_linear) b.weights += weight_bytes(m, i);
        b.scratch = fmax(b.scratch, scratch_words(par, i) * limb);
    }
    struct ck_boot_shape boot;
    if (plan_boot(&boot, m)) {
        b.boot_plain = ck_boot_plain_bytes(par, &boot);
        b.scratch = fmax(b.scratch, ck_boot_scratch_bytes(par, &boot));
    }
    return b;
}

static double besides_keys(const struct memory *b) { return b->regs + b->weights + b->boot_plain + b->scratch; }

double plan_bytes_besides_keys(const struct ck_params *par, struct ir_module *m, struct arena *scratch)
{
    ir_renumber(m);
    const struct state s = assign_all(m, scratch);
    const struct memory b = memory_of(&s, par, m);
    return besides_keys(&b);
}

enum pass_res pass_liveness(struct pass_ctx *ctx, struct ir_module *m)
{
    struct ck_params par;
    if (!plan_params(&par, m)) {
        diag_error(m->name, "no parameters: run the params pass first");
        return PASS_FAIL;
    }
    ir_renumber(m);
    const struct state s = assign_all(m, ctx->scratch);
    const struct ck_cost *cost = plan_constants(ctx->opt);
    double us = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        double t = plan_cost(cost, &par, m, i, ir_get_int(i->attrs, "terms", 0)) + ir_get_float(i->attrs, "us_keys", 0);
        if (i->nargs) ir_set_float(m, &i->attrs, "us", t);
        us += t;
        ir_set_int(m, &i->attrs, "reg", s.of[i->id]);
    }
    int64_t *list[3];
    for (int k = 0; k < 3; k++) list[k] = ARENA_ARRAY(ctx->scratch, int64_t, s.n + 1);
    for (int64_t r = 0; r < s.n; r++) {
        list[0][r] = s.reg[r].count;
        list[1][r] = s.reg[r].degree;
        list[2][r] = s.reg[r].level;
    }
    const struct memory b = memory_of(&s, &par, m);
    const double keys = plan_keys_bytes(&par, m), peak = besides_keys(&b) + keys;
    ir_set_int(m, &m->attrs, "nregs", s.n);
    ir_set_ints(m, &m->attrs, "reg_count", list[0], (size_t)s.n);
    ir_set_ints(m, &m->attrs, "reg_degree", list[1], (size_t)s.n);
    ir_set_ints(m, &m->attrs, "reg_level", list[2], (size_t)s.n);
    ir_set_int(m, &m->attrs, "bytes_regs", (int64_t)b.regs);
    ir_set_int(m, &m->attrs, "bytes_keys", (int64_t)keys);
    ir_set_int(m, &m->attrs, "bytes_weights", (int64_t)b.weights);
    ir_set_int(m, &m->attrs, "bytes_peak", (int64_t)peak);
    ir_set_float(m, &m->attrs, "seconds", us * 1e-6);
    if (ctx->opt->memory <= 0 || peak <= (double)ctx->opt->memory) return PASS_CHANGED;
    diag_error("--memory", "the server will need %.0f MiB, more than the %.0f MiB allowed: --logn for a smaller ring, activations of lower degree, or "
               "--memory %.0fMiB", ceil(peak / 0x1p20), (double)ctx->opt->memory / 0x1p20, ceil(peak / 0x1p20));
    return PASS_FAIL;
}
