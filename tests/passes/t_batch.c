// SPDX-License-Identifier: Apache-2.0
// The batched program computes each sample as the program of one sample does, in vec and at the end of the pipeline; a rotation that would mix
// samples does not verify; batches that do not fit are refused.
#include "fixture.h"
#include "../../compiler/layout.h"
#include "../test.h"
#include <math.h>
#include <string.h>

enum { N = 64, OUT = 16, MOST = 8 };

/* x -> M x folded by 32 -> squared, plus a constant, a polynomial -> another map; result in the first OUT slots. */
static struct ir_module *network(void)
{
    uint64_t seed = 5;
    struct ir_module *m = ir_module_new("batch", IR_VEC);
    struct ir_inst *x = fixture_input(m, N), *y = fixture_linear(m, x, 8, 0.1, &seed);
    int64_t fold = 32, n = N, shape[2] = {1, OUT}, three = 3;
    ir_set_ints(m, &y->attrs, "fold", &fold, 1);
    struct ir_const *c = ir_const_add(m, "c", IR_F64, 1, &n), *b = ir_const_add(m, "b", IR_F64, 1, &n);
    for (int k = 0; k < N; k++) {
        ((double *)c->data)[k] = fixture_random(&seed) / 4;
        ((double *)b->data)[k] = fixture_random(&seed) / 4;
    }
    ir_set_symbol(m, &y->attrs, "bias", b->name);
    y = fixture_two(m, IR_VEC_mul, y, y);
    y = ir_build(m, NULL, IR_VEC_addc, y->type, 1, &y);
    ir_set_symbol(m, &y->attrs, "value", c->name);
    y = ir_build(m, NULL, IR_VEC_poly, y->type, 1, &y);
    struct ir_const *p = ir_const_add(m, "p", IR_F64, 1, &three);
    memcpy(p->data, (double[]){0.5, 0.25, -0.125}, 3 * sizeof(double));
    ir_set_symbol(m, &y->attrs, "coeffs", p->name);
    y = fixture_linear(m, y, 11, 0.2, &seed);
    struct ir_attr *attrs = NULL;
    ir_set_string(m, &attrs, "name", "y");
    ir_set_string(m, &attrs, "layout", "n=64 period=64 [16:1]");
    ir_set_ints(m, &attrs, "shape", shape, 2);
    ir_add_output(m, y, attrs);
    ir_renumber(m);
    CHECK(!ir_verify(m));
    return m;
}

/* The results of `samples` samples, all in one run. */
static void run(double *y, struct ir_module *m, const double *x, uint32_t samples)
{
    static double in[N * MOST], out[N * MOST];
    struct layout l;
    CHECK(!layout_parse(&l, ir_get_string(m->first->attrs, "layout", "")));
    layout_pack(in, &l, x, samples);
    CHECK(!ir_interp(m, (const double *[]){in}, (double *[]){out}, NULL));
    CHECK(!layout_parse(&l, ir_get_string(m->output_attrs[0], "layout", "")));
    layout_unpack(y, &l, out, samples);
}

static void equal(int batch, uint32_t samples)
{
    struct options opt = {.batch = batch, .precision = 10, .security = 128, .cost = ck_cost_default};
    double x[N * MOST], want[OUT * MOST], got[OUT * MOST];
    uint64_t seed = 11;
    struct ir_module *m = network();
    for (int k = 0; k < N * MOST; k++) x[k] = fixture_random(&seed);
    for (uint32_t k = 0; k < samples; k++) run(want + k * OUT, m, x + k * N, 1);
    static const char *const passes[] = {"batch", "levels", "params", "scales", "keys", "liveness"};
    for (int p = 0; p < 6; p++) {
        CHECKF(!fixture_pass(m, passes[p], &opt), "pass %s", passes[p]);
        run(got, m, x, samples);
        for (uint32_t k = 0; k < samples * OUT; k++)
            CHECKF(fabs(got[k] - want[k]) < 1e-12, "batch %d, after %s: sample %u differs by %g", batch, passes[p], k / OUT,
                   fabs(got[k] - want[k]));
    }
    CHECK(ir_batch(m) == batch && m->first->type.n == (uint32_t)(N * batch));
    const struct ir_attr *keys = ir_attr_find(m->attrs, "key_rot");
    for (size_t k = 0; k < keys->ints.n; k++) CHECK(keys->ints.v[k] % batch == 0);
    ir_module_free(m);
}

int main(void)
{
    equal(1, 1);
    equal(2, 2);
    equal(8, 8);
    equal(8, 5);

    struct options opt = {.batch = 4};
    struct ir_module *m = network();
    diag_set_quiet(2);
    CHECK(!fixture_pass(m, "batch", &opt));
    CHECK(fixture_pass(m, "batch", &opt));              // twice
    for (struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op != IR_VEC_linear) continue;
        int64_t baby[2] = {0, 1};
        ir_set_ints(m, &i->attrs, "baby", baby, 2);
    }
    CHECK(ir_verify(m));                                // a rotation by one slot
    ir_module_free(m);
    m = network();
    opt.batch = 1024;                                   // 2^16 slots
    CHECK(fixture_pass(m, "batch", &opt));
    ir_module_free(m);
    return test_done();
}
