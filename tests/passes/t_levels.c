// SPDX-License-Identifier: Apache-2.0
// vec -> ckks to the end of the pipeline on hand-built programs: least levels, one scale for summands, secure parameters, exact
// keys, registers that no two live values share, and unchanged results of the interpreter.
#include "fixture.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { SLOTS = 256 };

static void check_registers(const struct ir_module *m)
{
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        int64_t reg = ir_get_int(i->attrs, "reg", -1);
        CHECK(reg >= 0 && reg < ir_get_int(m->attrs, "nregs", 0));
        CHECK(ir_attr_find(m->attrs, "reg_level")->ints.v[reg] >= i->type.level);
        CHECK(ir_attr_find(m->attrs, "reg_degree")->ints.v[reg] >= i->type.degree);
        // no later write into the register before the last use of i
        const struct ir_inst *last = i;
        for (const struct ir_inst *u = i->next; u; u = u->next)
            for (uint32_t a = 0; a < u->nargs; a++)
                if (u->args[a] == i) last = u;
        for (uint32_t k = 0; k < m->noutputs; k++)
            if (m->outputs[k] == i) last = NULL;
        for (const struct ir_inst *u = i->next; u && u != last; u = u->next)
            CHECKF(ir_get_int(u->attrs, "reg", -1) != reg, "%%%u is overwritten by %%%u", i->id, u->id);
    }
}

/* Levels to the end; returns the predicted precision. */
static void finish(struct ir_module *m, int depth, const struct options *opt)
{
    double before[SLOTS], after[SLOTS];
    CHECK(fixture_run(m, SLOTS, before) == 0);
    static const char *const passes[] = {"levels", "params", "scales", "keys", "liveness"};
    for (int k = 0; k < 5; k++) CHECKF(fixture_pass(m, passes[k], opt) == 0, "pass %s", passes[k]);
    CHECK(fixture_run(m, SLOTS, after) == 0);
    CHECK(memcmp(before, after, sizeof before) == 0);
    CHECKF(m->first->type.level == depth, "input at level %d, want %d", m->first->type.level, depth);
    for (uint32_t k = 0; k < m->noutputs; k++) CHECK(m->outputs[k]->type.level == 0);
    CHECK(ir_get_float(m->attrs, "precision", 0) >= 14);
    check_registers(m);
    char *text = ir_print_string(m);
    if (getenv("PRINT")) puts(text);
    free(text);
}

static struct ir_module *begin(const char *name, struct ir_inst **x)
{
    struct ir_module *m = ir_module_new(name, IR_VEC);
    *x = fixture_input(m, SLOTS);
    return m;
}

static void output(struct ir_module *m, struct ir_inst *y) { ir_add_output(m, y, NULL); }

int main(void)
{
    struct options opt = {0};
    uint64_t seed = 3;
    struct ir_inst *x, *y, *z;

    struct ir_module *m = begin("mlp", &x);                 // linear, square, linear, square, linear: 5 levels
    y = fixture_linear(m, x, 16, 1, &seed);
    y = fixture_linear(m, fixture_two(m, IR_VEC_mul, y, y), 16, 1, &seed);
    y = fixture_linear(m, fixture_two(m, IR_VEC_mul, y, y), 7, 1, &seed);
    output(m, y);
    finish(m, 5, &opt);
    CHECKF(ir_get_int(m->attrs, "logn", 0) <= 14, "N = 2^%d", (int)ir_get_int(m->attrs, "logn", 0));
    const struct ir_attr *rot = ir_attr_find(m->attrs, "key_rot"), *level = ir_attr_find(m->attrs, "key_level");
    static const int64_t want[][2] = {{0, 4}, {1, 5}, {2, 5}, {3, 5}, {4, 5}, {8, 5}, {12, 5}};
    CHECK(rot->ints.n == 7 && level->ints.n == 7);
    for (size_t k = 0; k < 7 && k < rot->ints.n; k++) CHECK(rot->ints.v[k] == want[k][0] && level->ints.v[k] == want[k][1]);
    ir_module_free(m);

    m = begin("residual", &x);                              // linear + square: the linear map lands on the square's scale
    y = fixture_linear(m, x, 8, 1, &seed);
    z = fixture_two(m, IR_VEC_mul, y, y);
    y = fixture_two(m, IR_VEC_add, fixture_linear(m, y, 4, 1, &seed), z);
    output(m, fixture_linear(m, y, 4, 1, &seed));
    finish(m, 3, &opt);
    ir_module_free(m);

    m = begin("powers", &x);
    y = fixture_two(m, IR_VEC_mul, x, x);
    z = fixture_two(m, IR_VEC_mul, y, y);
    output(m, fixture_two(m, IR_VEC_add, y, z));
    finish(m, 2, &opt);                                     // x^2 is multiplied by 1 beside the second squaring
    ir_module_free(m);

    m = begin("polynomial", &x);
    y = fixture_linear(m, x, 8, 0.1, &seed);
    z = ir_build(m, NULL, IR_VEC_poly, y->type, 1, &y);
    int64_t terms = 8;
    struct ir_const *c = ir_const_add(m, "coeffs", IR_F64, 1, &terms);
    for (int k = 0; k < 8; k++) ((double *)c->data)[k] = 1.0 / (k + 1);
    ir_set_symbol(m, &z->attrs, "coeffs", c->name);
    output(m, fixture_linear(m, z, 4, 1, &seed));
    finish(m, 5, &opt);
    ir_module_free(m);

    m = begin("too deep", &x);
    for (y = x, seed = 1; seed < 70; seed++) y = fixture_two(m, IR_VEC_mul, y, y);
    output(m, y);
    diag_set_quiet(2);
    CHECK(fixture_pass(m, "levels", &opt) == 0);
    CHECK(fixture_pass(m, "params", &opt) == -1 && diag_error_count() > 0);
    ir_module_free(m);
    return test_done();
}
