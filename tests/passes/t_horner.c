// SPDX-License-Identifier: Apache-2.0
// horner: a composition of two odd polynomials in Horner form, as AutoFHE's networks write ReLU, becomes two tensor.poly and one
// product, with the same values; what other operators read on the way is kept.
#include "fixture.h"
#include "../test.h"
#include <math.h>

static struct ir_module *m;

static struct ir_inst *constant(struct ir_inst *x, enum ir_op op, double v)
{
    struct ir_const *c = ir_const_add(m, "c", IR_F64, 0, NULL);
    ((double *)c->data)[0] = v;
    struct ir_inst *y = ir_build(m, NULL, op, x->type, 1, &x);
    ir_set_symbol(m, &y->attrs, "value", c->name);
    return y;
}

/* x (c[0] + x^2 (c[1] + x^2 (...))) */
static struct ir_inst *odd(struct ir_inst *x, const double *c, int terms)
{
    struct ir_inst *square = fixture_two(m, IR_TENSOR_mul, x, x), *y = constant(square, IR_TENSOR_mulc, c[terms - 1]);
    for (int k = terms - 2; k >= 0; k--) {
        y = constant(y, IR_TENSOR_addc, c[k]);
        y = fixture_two(m, IR_TENSOR_mul, y, k ? square : x);
    }
    return y;
}

static int count(enum ir_op op)
{
    int n = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) n += i->op == op;
    return n;
}

int main(void)
{
    static const int64_t dim[] = {1, 40};
    static const double f[] = {1.9, -1.2, 0.3}, g[] = {2.1, -1.7, 0.8, -0.2};
    m = ir_module_new("horner", IR_TENSOR);
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(2, dim), 0, NULL);
    ir_set_string(m, &x->attrs, "name", "x");
    struct ir_inst *t = constant(x, IR_TENSOR_mulc, 0.25), *s = odd(odd(t, f, 3), g, 4);
    ir_add_output(m, fixture_two(m, IR_TENSOR_mul, constant(s, IR_TENSOR_addc, 0.5), x), NULL);
    ir_add_output(m, constant(fixture_two(m, IR_TENSOR_mul, x, x), IR_TENSOR_mulc, 3), NULL);      // degree 2 stays a product

    double in[40], out[4][40], *before[2] = {out[0], out[1]}, *after[2] = {out[2], out[3]};
    const double *ins[1] = {in};
    struct ir_run r = {0};
    struct options opt = {.input_lo = -4, .input_hi = 4};
    for (int k = 0; k < 40; k++) in[k] = (k - 20) / 5.0;
    CHECK(ir_interp(m, ins, before, &r) == 0);
    CHECK(fixture_pass(m, "calibrate", &opt) == 0 && fixture_pass(m, "horner", &opt) == 0);
    CHECK(ir_interp(m, ins, after, &r) == 0);
    for (int k = 0; k < 40; k++)
        for (int o = 0; o < 2; o++)
            CHECKF(fabs(out[o][k] - out[o + 2][k]) <= 1e-11 * (1 + fabs(out[o][k])), "%g became %g", out[o][k], out[o + 2][k]);
    CHECKF(count(IR_TENSOR_poly) == 2 && count(IR_TENSOR_mul) == 2, "%d polynomials, %d products", count(IR_TENSOR_poly),
           count(IR_TENSOR_mul));
    ir_module_free(m);
    return test_done();
}
