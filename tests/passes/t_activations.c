// SPDX-License-Identifier: Apache-2.0
// activations: --activation text; a residual network of ReLU and sigmoid becomes polynomials close to it, with no factor left outside the
// affine operators; composite minimax; messages for what cannot be done.
#include "fixture.h"
#include "../../passes/actspec.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { ROWS = 600, DIM = 12 };

static struct ir_inst *gemm(struct ir_module *m, struct ir_inst *x, int64_t out, double size, uint64_t *seed)
{
    int64_t dim[2] = {out, x->type.dim[1]}, shape[2] = {1, out};
    struct ir_const *w = ir_const_add(m, "w", IR_F64, 2, dim);
    for (int64_t k = 0; k < ir_const_numel(w); k++) ((double *)w->data)[k] = size * fixture_random(seed);
    struct ir_inst *y = ir_build(m, NULL, IR_TENSOR_gemm, ir_type_tensor(2, shape), 1, &x);
    ir_set_symbol(m, &y->attrs, "weight", w->name);
    return y;
}

static struct ir_inst *act(struct ir_module *m, struct ir_inst *x, const char *fn, const char *node)
{
    struct ir_inst *y = ir_build(m, NULL, IR_TENSOR_act, x->type, 1, &x);
    ir_set_string(m, &y->attrs, "fn", fn);
    ir_set_string(m, &y->attrs, "node", node);
    return y;
}

static struct ir_module *network(void)
{
    static const int64_t dim[] = {1, DIM};
    uint64_t seed = 11;
    struct ir_module *m = ir_module_new("residual", IR_TENSOR);
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(2, dim), 0, NULL);
    ir_set_string(m, &x->attrs, "name", "x");
    struct ir_inst *a = act(m, gemm(m, x, 16, 1, &seed), "relu", "first");
    struct ir_inst *b = act(m, gemm(m, a, 16, 0.7, &seed), "relu", "inner");
    struct ir_inst *sum = ir_build(m, NULL, IR_TENSOR_add, a->type, 2, (struct ir_inst *[]){gemm(m, b, 16, 0.7, &seed), a});
    struct ir_inst *c = act(m, act(m, sum, "relu", "joined"), "sigmoid", "last");
    ir_add_output(m, gemm(m, c, 5, 4, &seed), NULL);
    return m;
}

/* Fraction of rows with the same top-1, and the largest error relative to the range. */
static double compare(struct ir_module *m, const double *rows, double *error)
{
    struct ir_module *plain = network();
    ir_renumber(plain);
    ir_renumber(m);
    int same = 0;
    double range = 0;
    *error = 0;
    for (int r = 0; r < ROWS; r++) {
        double u[5], v[5], *ou[1] = {u}, *ov[1] = {v};
        const double *in[1] = {rows + r * DIM};
        struct ir_run run = {0};
        CHECK(ir_interp(plain, in, ou, &run) == 0 && ir_interp(m, in, ov, &run) == 0);
        int a = 0, b = 0;
        for (int k = 0; k < 5; k++) {
            if (u[k] > u[a]) a = k;
            if (v[k] > v[b]) b = k;
            range = fmax(range, fabs(u[k]));
            *error = fmax(*error, fabs(u[k] - v[k]));
        }
        same += a == b;
    }
    *error /= range;
    ir_module_free(plain);
    return (double)same / ROWS;
}

static int count(const struct ir_module *m, enum ir_op op)
{
    int n = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) n += i->op == op;
    return n;
}

static bool affine(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_gemm || i->op == IR_TENSOR_mulc || i->op == IR_TENSOR_addc;
}

/* mulc that no gemm can absorb, on either side. */
static int stray_factors(const struct ir_module *m)
{
    int stray = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op != IR_TENSOR_mulc) continue;
        const struct ir_inst *x = i->args[0];
        while (x->nargs && affine(x) && x->op != IR_TENSOR_gemm) x = x->args[0];
        bool absorbed = x->op == IR_TENSOR_gemm, all = true;
        for (const struct ir_inst *u = i->next; u; u = u->next)
            if (u->nargs && u->args[0] == i && u->op != IR_TENSOR_gemm) all = false;
        stray += !absorbed && !all;
    }
    return stray;
}

static void check_spec(void)
{
    struct actspec s;
    CHECK(actspec_find(&s, NULL, "n", "relu") == 0 && s.kind == ACTSPEC_AUTO);
    CHECK(actspec_find(&s, "Relu=minimax:7,15,15,n=cheb:31", "m", "relu") == 0 && s.kind == ACTSPEC_MINIMAX && s.count == 3);
    CHECK(s.degree[0] == 7 && s.degree[2] == 15);
    CHECK(actspec_find(&s, "Relu=minimax:7,15,15,n=cheb:31", "n", "relu") == 0 && s.kind == ACTSPEC_CHEB && s.degree[0] == 31);
    CHECK(actspec_find(&s, "n=auto,Relu=cheb:3", "n", "relu") == 0 && s.kind == ACTSPEC_AUTO);
    CHECK(actspec_find(&s, "Tanh=cheb:5", "n", "relu") == 0 && s.kind == ACTSPEC_AUTO);
    CHECK(actspec_find(&s, "auto:1.5", "n", "relu") == 0 && s.kind == ACTSPEC_AUTO && s.points == 1.5);
    static const char *const wrong[] = {"Relu", "Relu=", "Relu=cheb", "Relu=cheb:", "Relu=cheb:x", "Relu=cheb:0", "Relu=cheb:7,9",
                                        "Relu=minimax:6", "Relu=best:3", "auto:", "auto:x", "Relu=auto:101", "a=b=cheb:3", "Relu=minimax:1,1,1,1,1,1,1,1,1"};
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++)
        CHECKF(actspec_find(&s, wrong[k], "n", "relu") == -1, "accepted \"%s\"", wrong[k]);
}

int main(void)
{
    diag_set_quiet(2);
    check_spec();
    static double rows[ROWS * DIM];
    uint64_t seed = 99;
    for (int k = 0; k < ROWS * DIM; k++) rows[k] = fixture_random(&seed);
    struct options opt = {.calib = rows, .ncalib = ROWS};
    double error;
    static const char *const option[] = {NULL, "relu=cheb:63,sigmoid=cheb:15", "relu=minimax:7,15,15,last=cheb:31"};
    static const double bound[] = {0.5, 0.05, 0.01};
    for (int k = 0; k < 3; k++) {
        struct ir_module *m = network();
        opt.activation = option[k];
        CHECK(fixture_pass(m, "fold", &opt) == 0 && fixture_pass(m, "calibrate", &opt) == 0);
        CHECK(fixture_pass(m, "activations", &opt) == 0);
        CHECK(count(m, IR_TENSOR_act) == 0 && count(m, IR_TENSOR_poly) == (k == 2 ? 10 : 4));
        double same = compare(m, rows, &error);
        CHECKF(same >= (k == 0 ? 0.995 : 0.97) && error < bound[k], "option %d: top-1 kept %g, error %g", k, same, error);
        CHECKF(stray_factors(m) == 0, "option %d: %d factors outside affine operators", k, stray_factors(m));
        ir_module_free(m);
    }
    struct ir_module *m = network();
    opt.activation = "sigmoid=minimax:7,7";
    CHECK(fixture_pass(m, "calibrate", &opt) == 0 && fixture_pass(m, "activations", &opt) == -1);
    ir_module_free(m);
    m = network();
    CHECK(fixture_pass(m, "calibrate", &(struct options){0}) == -1);
    ir_module_free(m);
    return test_done();
}
