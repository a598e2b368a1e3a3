// SPDX-License-Identifier: Apache-2.0
// fold: identities go, constants merge, powers become products; the interpreter computes the same before and after.
#include "fixture.h"
#include "../test.h"
#include <math.h>

static const int64_t dim[] = {1, 3, 2, 2};

static struct ir_inst *with_const(struct ir_module *m, struct ir_inst *x, enum ir_op op, uint32_t rank, const int64_t *shape,
                                  double first, double step)
{
    struct ir_const *c = ir_const_add(m, "c", IR_F64, rank, shape);
    for (int64_t k = 0; k < ir_const_numel(c); k++) ((double *)c->data)[k] = first + step * (double)k;
    struct ir_inst *y = ir_build(m, NULL, op, x->type, 1, &x);
    ir_set_symbol(m, &y->attrs, "value", c->name);
    return y;
}

static int count(const struct ir_module *m, enum ir_op op)
{
    int n = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) n += i->op == op;
    return n;
}

int main(void)
{
    struct ir_module *m = ir_module_new("fold", IR_TENSOR);
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(4, dim), 0, NULL), *y = x;
    ir_set_string(m, &x->attrs, "name", "x");
    static const int64_t channel[] = {1, 3, 1, 1};
    y = with_const(m, y, IR_TENSOR_addc, 0, NULL, 0, 0);                    // + 0
    y = with_const(m, y, IR_TENSOR_mulc, 4, channel, 2, 1);
    y = with_const(m, y, IR_TENSOR_mulc, 0, NULL, -1.5, 0);                 // merges
    y = ir_build(m, NULL, IR_TENSOR_reshape, y->type, 1, &y);               // same shape
    y = with_const(m, y, IR_TENSOR_addc, 0, NULL, 1, 0);
    y = with_const(m, y, IR_TENSOR_addc, 4, dim, 0.25, 0.5);                // merges
    y = ir_build(m, NULL, IR_TENSOR_pow, y->type, 1, &y);
    ir_set_int(m, &y->attrs, "exponent", 7);
    ir_build(m, NULL, IR_TENSOR_reshape, y->type, 1, &y);                   // dead
    ir_add_output(m, y, NULL);

    double in[12], before[12], after[12], *out[1] = {before};
    const double *ins[1] = {in};
    uint64_t seed = 5;
    for (int k = 0; k < 12; k++) in[k] = fixture_random(&seed);
    struct ir_run r = {0};
    struct options opt = {0};
    ir_renumber(m);
    CHECK(ir_interp(m, ins, out, &r) == 0);
    CHECK(fixture_pass(m, "fold", &opt) == 0);
    out[0] = after;
    CHECK(ir_interp(m, ins, out, &r) == 0);
    for (int k = 0; k < 12; k++) CHECKF(fabs(after[k] - before[k]) <= 1e-12 * fabs(before[k]), "%g %g", before[k], after[k]);
    CHECK(count(m, IR_TENSOR_mulc) == 1 && count(m, IR_TENSOR_addc) == 1 && count(m, IR_TENSOR_reshape) == 0);
    CHECK(count(m, IR_TENSOR_pow) == 0 && count(m, IR_TENSOR_mul) == 4);    // x^2, x^4, x^3 = x^2 x, x^7 = x^4 x^3
    ir_module_free(m);
    return test_done();
}
