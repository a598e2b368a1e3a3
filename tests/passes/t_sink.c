// SPDX-License-Identifier: Apache-2.0
// sink: the network keeps its function, and no constant factor is left where it would cost a level.
#include "fixture.h"
#include "../test.h"
#include <math.h>
#include <string.h>

static const char text[] =
    "module @sink tensor\n"
    "const @w f64[2x2x1x1] = [1, 0x1p-1, -1, 0x1p-2]\nconst @p f64[4] = [0, 1, 0, 0x1p-2]\nconst @q f64[3] = [0x1p-1, 1, 0x1p-1]\n"
    "const @n f64[] = [0x1p-2]\nconst @b f64[] = [3]\nconst @w2 f64[1x2x1x1] = [2, -3]\nconst @w1 f64[1x2x1x1] = [1, 0x1p-1]\n"
    "func @main(%0: tensor<1x2x3x3> {name=\"x\"}) -> (tensor<1x2x3x3>) {\n"
    "  %1 = tensor.conv %0 {weight=@w} : tensor<1x2x3x3>\n"
    "  %2 = tensor.mulc %1 {value=@n} : tensor<1x2x3x3>\n"
    "  %3 = tensor.mulc %1 {value=@b} : tensor<1x2x3x3>\n"
    "  %4 = tensor.poly %2 {coeffs=@p} : tensor<1x2x3x3>\n"
    "  %5 = tensor.poly %4 {coeffs=@q} : tensor<1x2x3x3>\n"
    "  %6 = tensor.mul %5, %3 : tensor<1x2x3x3>\n"
    "  %7 = tensor.mulc %6 {value=@b} : tensor<1x2x3x3>\n"
    "  %8 = tensor.conv %7 {weight=@w} : tensor<1x2x3x3>\n"
    "  %9 = tensor.add %8, %7 : tensor<1x2x3x3>\n"
    "  %10 = tensor.mulc %9 {value=@n} : tensor<1x2x3x3>\n"
    "  %11 = tensor.poly %10 {coeffs=@q} : tensor<1x2x3x3>\n"
    "  %12 = tensor.mulc %11 {rhi=0x1p+1, rlo=-0x1p+1, value=@w2} : tensor<1x2x3x3>\n"
    "  %13 = tensor.mul %12, %11 : tensor<1x2x3x3>\n"
    "  %14 = tensor.mulc %11 {value=@w1} : tensor<1x2x3x3>\n"
    "  %15 = tensor.add %13, %14 : tensor<1x2x3x3>\n"
    "  %16 = tensor.conv %15 {weight=@w} : tensor<1x2x3x3>\n"
    "  ret %16\n}\n";

static void run(struct ir_module *m, const double *x, double *y)
{
    CHECK(ir_interp(m, &x, &y, NULL) == 0);
}

/* Levels from the input: a factor that only convolutions read, or whose operand is a convolution read by it alone, is free. */
static int depth(const struct ir_module *m)
{
    int d[64] = {0}, most = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        int own = i->op == IR_TENSOR_conv || i->op == IR_TENSOR_mul ? 1 : i->op == IR_TENSOR_poly ? 2 : 0;
        if (i->op == IR_TENSOR_mulc) {
            bool before = i->args[0]->op == IR_TENSOR_conv && ir_count_uses(m, i->args[0]) == 1, after = true;
            for (const struct ir_inst *u = i->next; u; u = u->next)
                for (uint32_t a = 0; a < u->nargs; a++) after &= u->args[a] != i || u->op == IR_TENSOR_conv || u->op == IR_TENSOR_addc;
            own = !before && !after;
        }
        for (uint32_t a = 0; a < i->nargs; a++) d[i->id] = d[i->args[a]->id] > d[i->id] ? d[i->args[a]->id] : d[i->id];
        d[i->id] += own;
        most = d[i->id] > most ? d[i->id] : most;
    }
    return most;
}

int main(void)
{
    struct ir_module *m = ir_parse("text", text, strlen(text));
    CHECK(m && ir_verify(m) == 0);
    uint64_t seed = 4;
    double x[18], before[18], after[18];
    for (int k = 0; k < 18; k++) x[k] = fixture_random(&seed);
    run(m, x, before);
    struct options opt = {0};
    ir_renumber(m);
    CHECK(depth(m) == 15);
    CHECK(fixture_pass(m, "sink", &opt) == 0);
    run(m, x, after);
    for (int k = 0; k < 18; k++) CHECKF(fabs(before[k] - after[k]) < 1e-12 * (1 + fabs(before[k])), "%g became %g", before[k], after[k]);
    CHECKF(depth(m) == 11, "depth %d", depth(m));           // 3 convolutions, 3 polynomials of 2, a product, a square
    CHECK(fixture_pass(m, "sink", &opt) == 0);
    run(m, x, before);
    CHECK(memcmp(before, after, sizeof after) == 0);        // nothing is left to do
    ir_module_free(m);
    return test_done();
}
