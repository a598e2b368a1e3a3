// SPDX-License-Identifier: Apache-2.0
// maxpool: with exact absolute values the lowered network is the pooling itself, for windows with strides and padding, in 1-D and 2-D.
#include "fixture.h"
#include "../test.h"
#include <math.h>

static void check(const int64_t *in, uint32_t rank, int64_t kernel, int64_t stride, int64_t pad)
{
    int64_t dim[4] = {1, in[0], in[1], in[2]}, out[4] = {1, in[0], 0, 0}, k[2] = {kernel, kernel}, s[2] = {stride, stride}, p[4] = {pad, pad, pad, pad};
    for (uint32_t d = 2; d < rank; d++) out[d] = (dim[d] + 2 * pad - kernel) / stride + 1;
    struct ir_module *m = ir_module_new("pool", IR_TENSOR);
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(rank, dim), 0, NULL);
    ir_set_string(m, &x->attrs, "name", "x");
    struct ir_inst *y = ir_build(m, NULL, IR_TENSOR_maxpool, ir_type_tensor(rank, out), 1, &x);
    ir_set_ints(m, &y->attrs, "kernel", k, rank - 2);
    ir_set_ints(m, &y->attrs, "strides", s, rank - 2);
    ir_set_ints(m, &y->attrs, "pads", p, 2 * (rank - 2));
    ir_add_output(m, y, NULL);
    double input[512], want[512], got[512];
    uint64_t seed = 8;
    int64_t n = ir_type_numel(&y->type);
    for (int64_t e = 0; e < ir_type_numel(&x->type); e++) input[e] = fixture_random(&seed) - 0.7;
    CHECK(ir_interp(m, &(const double *){input}, &(double *){want}, NULL) == 0);
    CHECK(fixture_pass(m, "maxpool", &(struct options){0}) == 0);
    for (const struct ir_inst *i = m->first; i; i = i->next) CHECK(i->op != IR_TENSOR_maxpool);
    CHECK(ir_interp(m, &(const double *){input}, &(double *){got}, NULL) == 0);
    for (int64_t e = 0; e < n; e++) CHECKF(fabs(want[e] - got[e]) < 1e-14, "kernel %d: %g, not %g", (int)kernel, got[e], want[e]);
    ir_module_free(m);
}

int main(void)
{
    check((const int64_t[]){2, 8, 8}, 4, 2, 2, 0);
    check((const int64_t[]){3, 9, 7}, 4, 3, 2, 1);
    check((const int64_t[]){1, 6, 6}, 4, 5, 1, 2);
    check((const int64_t[]){2, 17, 1}, 3, 4, 3, 0);
    check((const int64_t[]){2, 5, 5}, 4, 1, 1, 0);
    return test_done();
}
