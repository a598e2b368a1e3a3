// SPDX-License-Identifier: Apache-2.0
// interp: convolution against its definition (strides, pads, dilations, groups, 1-D), many samples at once against one by one in every dialect
// example, sparse products, the Chebyshev series against cosines.
#include "../../compiler/diag.h"
#include "../../compiler/interp.h"
#include "../test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

struct shape {
    int64_t channels, height, width, out, groups, kernel[2], stride[2], dilation[2], pad[4];
};

static int64_t extent(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t before, int64_t after)
{
    return (in + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

static void check_conv(const struct shape *s, int64_t rows)
{
    uint64_t seed = 5;
    int64_t oh = extent(s->height, s->kernel[0], s->stride[0], s->dilation[0], s->pad[0], s->pad[2]);
    int64_t ow = extent(s->width, s->kernel[1], s->stride[1], s->dilation[1], s->pad[1], s->pad[3]), cg = s->channels / s->groups;
    struct ir_module *m = ir_module_new("conv", IR_TENSOR);
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(4, (int64_t[]){1, s->channels, s->height, s->width}), 0, NULL);
    struct ir_const *w = ir_const_add(m, "w", IR_F32, 4, (int64_t[]){s->out, cg, s->kernel[0], s->kernel[1]});
    struct ir_const *bias = ir_const_add(m, "b", IR_F64, 1, &s->out);
    for (int64_t k = 0; k < ir_const_numel(w); k++) ((float *)w->data)[k] = (float)uniform(&seed);
    for (int64_t k = 0; k < s->out; k++) ((double *)bias->data)[k] = uniform(&seed);
    struct ir_inst *y = ir_build(m, NULL, IR_TENSOR_conv, ir_type_tensor(4, (int64_t[]){1, s->out, oh, ow}), 1, &x);
    ir_set_symbol(m, &y->attrs, "weight", w->name);
    ir_set_symbol(m, &y->attrs, "bias", bias->name);
    ir_set_ints(m, &y->attrs, "strides", s->stride, 2);
    ir_set_ints(m, &y->attrs, "dilations", s->dilation, 2);
    ir_set_ints(m, &y->attrs, "pads", s->pad, 4);
    ir_set_int(m, &y->attrs, "groups", s->groups);
    ir_add_output(m, y, NULL);
    int64_t nx = ir_type_numel(&x->type), ny = ir_type_numel(&y->type);
    double *in = malloc((size_t)(rows * nx) * sizeof *in), *out = malloc((size_t)(rows * ny) * sizeof *out), worst = 0;
    for (int64_t k = 0; k < rows * nx; k++) in[k] = uniform(&seed);
    CHECK(ir_interp(m, &(const double *){in}, &out, &(struct ir_run){.rows = rows}) == 0);
    for (int64_t k = 0; k < rows * ny; k++) {
        int64_t r = k / ny, o = k % ny / (oh * ow), py = k / ow % oh, px = k % ow;
        double want = ((double *)bias->data)[o];
        for (int64_t c = 0; c < cg; c++)
            for (int64_t a = 0; a < s->kernel[0]; a++)
                for (int64_t b = 0; b < s->kernel[1]; b++) {
                    int64_t iy = py * s->stride[0] + a * s->dilation[0] - s->pad[0], ix = px * s->stride[1] + b * s->dilation[1] - s->pad[1];
                    if (iy < 0 || iy >= s->height || ix < 0 || ix >= s->width) continue;
                    want += ((float *)w->data)[((o * cg + c) * s->kernel[0] + a) * s->kernel[1] + b] *
                            in[r * nx + ((o / (s->out / s->groups) * cg + c) * s->height + iy) * s->width + ix];
                }
        worst = fmax(worst, fabs(want - out[k]));
    }
    CHECKF(worst < 1e-12, "conv %lldx%lldx%lld: error %g", (long long)s->channels, (long long)s->height, (long long)s->width, worst);
    free(in);
    free(out);
    ir_module_free(m);
}

/* A module with one of most tensor operations on 2x4x4 and its packed kin: all samples at once give the bits of one at a time. */
static const char tensor_text[] =
    "module @many tensor\n"
    "const @s f64[2] = [1, 0x1p-1]\nconst @k f64[2x1x1] = [1, 2]\nconst @one f64[] = [2]\nconst @p f64[3] = [0, 1, 0x1p-2]\n"
    "const @i i64[2] = [1, 0]\nconst @g.w f64[3x4] = [1, 0, 0, 0x1p-1, 0, 1, 0, 0, 0, 0, 1, 1]\n"
    "const @a.dim i64[2] = [2, 3]\nconst @a.ptr i64[3] = [0, 2, 3]\nconst @a.col i32[3] = [0, 2, 1]\nconst @a.val f64[3] = [1, -1, 0x1p-2]\n"
    "func @main(%0: tensor<1x2x4x4> {name=\"x\"}) -> (tensor<1x2>) {\n"
    "  %1 = tensor.batchnorm %0 {scale=@s, shift=@s} : tensor<1x2x4x4>\n"
    "  %2 = tensor.act %1 {fn=\"tanh\"} : tensor<1x2x4x4>\n"
    "  %3 = tensor.mulc %2 {value=@k} : tensor<1x2x4x4>\n"
    "  %4 = tensor.addc %3 {value=@one} : tensor<1x2x4x4>\n"
    "  %5 = tensor.poly %4 {coeffs=@p, half=0x1p+1} : tensor<1x2x4x4>\n"
    "  %6 = tensor.mul %5, %4 : tensor<1x2x4x4>\n"
    "  %7 = tensor.avgpool %6 {kernel=[2, 2], strides=[2, 2]} : tensor<1x2x2x2>\n"
    "  %8 = tensor.maxpool %6 {kernel=[3, 3], strides=[1, 1]} : tensor<1x2x2x2>\n"
    "  %9 = tensor.pad %7 {pads=[0, 0, 1, 1, 0, 0, 1, 1], value=0x1p+0} : tensor<1x2x4x4>\n"
    "  %10 = tensor.slice %9 {axes=[2, 3], ends=[4, 4], starts=[0, 0], steps=[2, 2]} : tensor<1x2x2x2>\n"
    "  %11 = tensor.transpose %10 {perm=[0, 1, 3, 2]} : tensor<1x2x2x2>\n"
    "  %12 = tensor.gather %11 {axis=1, indices=@i} : tensor<1x2x2x2>\n"
    "  %13 = tensor.concat %12, %8 {axis=1} : tensor<1x4x2x2>\n"
    "  %14 = tensor.reduce %13 {axes=[2, 3], keepdims=0, mode=\"mean\"} : tensor<1x4>\n"
    "  %15 = tensor.pow %14 {exponent=3} : tensor<1x4>\n"
    "  %16 = tensor.gemm %15 {weight=@g.w} : tensor<1x3>\n"
    "  %17 = tensor.affine %16 {bias=@s, mat=@a} : tensor<1x2>\n"
    "  ret %17\n}\n";
static const char vec_text[] =
    "module @packed vec\n"
    "const @m.dim i64[2] = [8, 8]\nconst @m.ptr i64[9] = [0, 2, 2, 3, 3, 3, 3, 3, 4]\nconst @m.col i32[4] = [1, 2, 7, 0]\n"
    "const @m.val f64[4] = [1, -1, 0x1p-1, 3]\nconst @b f64[1x8] = [1, 0, 0, 0, 0, 0, 0, 1]\nconst @p f64[4] = [0x1p-1, 0x1.4p-1, 0, -0x1p-3]\n"
    "func @main(%0: vec<1x8> {layout=\"n=8 period=8 [8:1]\", name=\"x\", shape=[1, 8]}) -> (vec<1x8> {layout=\"n=8 period=8 [8:1]\", name=\"y\", shape=[1, 8]}) {\n"
    "  %1 = vec.linear %0 {bias=@b, fold=[4, 2], mat=@m} : vec<1x8>\n"
    "  %2 = vec.mul %1, %1 : vec<1x8>\n"
    "  %3 = vec.poly %2 {coeffs=@p} : vec<1x8>\n"
    "  %4 = vec.mulc %3 {value=0x1p-1} : vec<1x8>\n"
    "  %5 = vec.addc %4 {value=@b} : vec<1x8>\n"
    "  %6 = vec.sub %5, %1 : vec<1x8>\n"
    "  ret %6\n}\n";

static void check_rows(const char *text, int64_t rows)
{
    uint64_t seed = 3;
    struct ir_module *m = ir_parse("text", text, strlen(text));
    CHECK(m && ir_verify(m) == 0);
    if (!m) return;
    int64_t nx = ir_type_numel(&m->first->type), ny = ir_type_numel(&m->outputs[0]->type);
    double *in = malloc((size_t)(rows * nx) * sizeof *in), *at_once = malloc((size_t)(rows * ny) * sizeof *in), *one = malloc((size_t)ny * sizeof *in);
    for (int64_t k = 0; k < rows * nx; k++) in[k] = uniform(&seed);
    CHECK(ir_interp(m, &(const double *){in}, &at_once, &(struct ir_run){.rows = rows}) == 0);
    for (int64_t r = 0; r < rows; r++) {
        CHECK(ir_interp(m, &(const double *){in + r * nx}, &one, NULL) == 0);
        CHECKF(memcmp(one, at_once + r * ny, (size_t)ny * sizeof *one) == 0, "%s: sample %lld of %lld", m->name, (long long)r, (long long)rows);
    }
    free(in);
    free(at_once);
    free(one);
    ir_module_free(m);
}

static void check_chebyshev(void)
{
    enum { DEGREE = 33, POINTS = 77 };
    double c[DEGREE + 1], x[POINTS], y[POINTS];
    uint64_t seed = 9;
    for (int k = 0; k <= DEGREE; k++) c[k] = uniform(&seed);
    for (int j = 0; j < POINTS; j++) x[j] = 3 + 2 * uniform(&seed);
    interp_chebyshev(y, c, DEGREE + 1, x, POINTS, 3, 2);
    for (int j = 0; j < POINTS; j++) {
        double want = 0, angle = acos((x[j] - 3) / 2);
        for (int k = 0; k <= DEGREE; k++) want += c[k] * cos(k * angle);
        CHECKF(fabs(want - y[j]) < 1e-11, "series at %g: %g, not %g", x[j], y[j], want);
    }
}

int main(void)
{
    static const struct shape shape[] = {
        {16, 32, 32, 16, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}},
        {16, 32, 32, 6, 1, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}},
        {6, 9, 11, 9, 3, {3, 2}, {2, 1}, {1, 2}, {0, 2, 1, 1}},
        {5, 8, 8, 5, 5, {5, 5}, {1, 1}, {1, 1}, {2, 2, 2, 2}},
        {3, 7, 20, 4, 1, {1, 1}, {3, 2}, {1, 1}, {0, 0, 0, 0}},
        {4, 6, 6, 3, 1, {2, 2}, {1, 1}, {2, 2}, {-1, -1, 0, 0}},
        {2, 1, 33, 5, 1, {1, 4}, {1, 1}, {1, 1}, {0, 3, 0, 0}},
    };
    for (size_t k = 0; k < sizeof shape / sizeof *shape; k++) check_conv(&shape[k], k % 2 ? 1 : 3);
    for (int64_t rows = 1; rows < 20; rows += 6) {
        check_rows(tensor_text, rows);
        check_rows(vec_text, rows);
    }
    check_chebyshev();
    return test_done();
}
