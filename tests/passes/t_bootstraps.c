// SPDX-License-Identifier: Apache-2.0
// Programs deeper than the modulus, from vec to the end of the pipeline: bootstraps inserted, every level reached, one scale for summands,
// and results that differ from the plain ones by no more than the sine does.
#include "fixture.h"
#include "../../passes/boot_set.h"
#include "../runtime/boot_sets.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { SLOTS = 1024 };

static int count(const struct ir_module *m, enum ir_op op)
{
    int n = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) n += i->op == op;
    return n;
}

static struct ir_inst *series(struct ir_module *m, struct ir_inst *x, int degree)
{
    int64_t terms = degree + 1;
    struct ir_const *c = ir_const_add(m, "coeffs", IR_F64, 1, &terms);
    memset(c->data, 0, (size_t)terms * sizeof(double));
    ((double *)c->data)[1] = 0.6;
    ((double *)c->data)[degree] = 0.3;
    struct ir_inst *y = ir_build(m, NULL, IR_VEC_poly, x->type, 1, &x);
    ir_set_symbol(m, &y->attrs, "coeffs", c->name);
    return y;
}

/* `blocks` of: a polynomial of 5 levels, a linear map, and where `skip` the sum with what went in. */
static struct ir_module *deep(int blocks, bool skip)
{
    struct ir_module *m = ir_module_new("deep", IR_VEC);
    struct ir_inst *x = fixture_input(m, SLOTS);
    uint64_t seed = 5;
    for (int b = 0; b < blocks; b++) {
        struct ir_inst *y = fixture_linear(m, series(m, x, 31), 4, 0.2, &seed);
        x = skip ? fixture_two(m, IR_VEC_add, y, x) : y;
        if (skip) x = fixture_linear(m, x, 1, 0.5, &seed);
    }
    ir_add_output(m, x, NULL);
    return m;
}

/* Bits by which the scale of a polynomial's powers of two leaves the program's: squares of a wrong scale double what is wrong. */
static double drift(const struct ir_module *m)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    double target = ir_get_float(m->attrs, "scale", 0), worst = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op != IR_CKKS_poly) continue;
        double scale = i->args[0]->type.scale;
        for (int l = i->args[0]->type.level; l > i->type.level + 1; l--) {
            scale *= scale / (double)q->ints.v[l];
            worst = fmax(worst, fabs(log2(scale / target)));
        }
    }
    return worst;
}

static void finish(struct ir_module *m, const struct options *opt, int least, int most)
{
    double before[SLOTS], after[SLOTS], worst = 0, top = 0;
    CHECK(fixture_run(m, SLOTS, before) == 0);
    static const char *const passes[] = {"bootstraps", "levels", "params", "scales", "keys", "liveness"};
    for (int k = 0; k < 6; k++) CHECKF(fixture_pass(m, passes[k], opt) == 0, "pass %s", passes[k]);
    if (m->dialect != IR_CKKS) return;
    int boots = count(m, IR_CKKS_modraise);
    CHECKF(boots >= least && boots <= most, "%d bootstraps, %d to %d wanted", boots, least, most);
    CHECK(count(m, IR_CKKS_stc) == boots && count(m, IR_CKKS_cts) == boots && count(m, IR_CKKS_evalmod) == boots);
    CHECK(boots == 0 || ir_get_int(m->attrs, "logn", 0) == 16);
    CHECKF(ir_get_float(m->attrs, "precision", 0) > 8, "precision %g", ir_get_float(m->attrs, "precision", 0));
    // What is bootstrapped as well keeps the scale of the bootstrap, 0.6 bits below: 9.6 bits for the 16th power.
    CHECKF(drift(m) < 10, "scales of a polynomial drift by %.1f bits", drift(m));
    CHECK(fixture_run(m, SLOTS, after) == 0);
    for (int k = 0; k < SLOTS; k++) {
        worst = fmax(worst, fabs(after[k] - before[k]));
        top = fmax(top, fabs(before[k]));
    }
    CHECKF(worst < 0x1p-12 * top, "off by %g of %g", worst, top);
}

/* A set is secure at every level, and the special primes of every level exceed its digits. */
static void member(const struct boot_set *set, uint32_t left)
{
    const struct ck_params *par = &set->par;
    CHECKF(!ck_params_check(par) && !ck_boot_check(par, &set->shape), "%u levels left", left);
    double q = 0, most = 0;
    for (uint32_t limbs = 1; limbs <= par->nq; limbs++) {
        uint32_t alpha, np;
        ck_params_gadget(par, limbs, &alpha, &np);
        double p = 0, digit = 0;
        q += log2((double)par->q[limbs - 1]);
        for (uint32_t k = 0; k < np; k++) p += log2((double)par->p[k]);
        for (uint32_t k = 0; k < limbs; k++) {
            digit = k % alpha ? digit + log2((double)par->q[k]) : log2((double)par->q[k]);
            CHECKF(digit < p - 0.4, "%u levels left, %u limbs", left, limbs);
        }
        CHECKF(q + p <= 1747 && alpha >= 1 && np <= par->np, "%u levels left, %u limbs", left, limbs);
        most = fmax(most, q + p);
    }
    CHECK(fabs(most - ck_params_logqp(par)) < 1e-6);
}

/* The sets that the runtime's tests and the benchmark run are those that the compiler would choose. Every member of the family is secure, digits of
 * lower keys included. */
static void family(void)
{
    const struct options opt = {0};
    struct boot_set have;
    for (size_t i = 0; i < sizeof named_sets / sizeof *named_sets; i++) {
        struct ck_params par;
        struct ck_boot_shape shape;
        named_set_make(&par, &shape, &named_sets[i]);
        CHECK(boot_set_make(&have, &opt, par.log_slots, named_sets[i].left, true));
        CHECKF(!memcmp(&have.par, &par, sizeof par), "%s: alpha %u, %u special primes", named_sets[i].name, have.par.alpha, have.par.np);
        CHECK(have.shape.top == shape.top && have.shape.ratio == shape.ratio);
    }
    static const uint32_t log_slots[] = {4, 9, 14, 15};
    for (uint32_t left = 4; left <= 24; left++)
        for (uint32_t k = 0; k < 4; k++)
            if (boot_set_make(&have, &opt, log_slots[k], left, true)) member(&have, left);
}

int main(void)
{
    struct options opt = {0};
    family();

    struct ir_module *m = deep(2, false);       // 12 levels fit a ring as they are
    finish(m, &opt, 0, 0);
    ir_module_free(m);

    m = deep(8, false);                         // 48 levels
    finish(m, &opt, 2, 4);
    ir_module_free(m);

    m = deep(8, true);                          // with skips that lie beside the bootstraps
    finish(m, &opt, 2, 8);
    ir_module_free(m);

    opt.bootstrap = 9;
    m = deep(8, false);                         // pinned: one block between two bootstraps
    finish(m, &opt, 6, 8);
    CHECK(ir_get_int(m->attrs, "boot_left", 0) == 9);
    ir_module_free(m);

    diag_set_quiet(2);
    opt.bootstrap = 60;                         // no such set
    m = deep(8, false);
    CHECK(fixture_pass(m, "bootstraps", &opt) == -1);
    ir_module_free(m);
    opt.bootstrap = -1;
    m = deep(10, false);                        // 60 levels and no bootstraps allowed
    CHECK(fixture_pass(m, "bootstraps", &opt) == 0 && count(m, IR_VEC_bootstrap) == 0);
    CHECK(fixture_pass(m, "levels", &opt) == 0 && fixture_pass(m, "params", &opt) == -1);
    ir_module_free(m);
    return test_done();
}
