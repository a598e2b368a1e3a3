// SPDX-License-Identifier: Apache-2.0
// affine, layout and bsgs: the vec program must compute what the tensor program does, on whole networks (given as arguments) and on
// random operators; rotations, products and diagonals are printed a layer and bounded for the networks with known figures.
#include "../../compiler/diag.h"
#include "../../compiler/layout.h"
#include "../../frontend/onnx.h"
#include "../../compiler/linmap.h"
#include "../../passes/pass.h"
#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t seed = 12345;

static double uniform(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53 * 2 - 1;
}

static double *random_array(struct arena *a, int64_t n)
{
    double *v = ARENA_ARRAY(a, double, n);
    for (int64_t k = 0; k < n; k++) v[k] = uniform();
    return v;
}

/* Stand-ins for what the activations pass does: any degree will do here. */
static void polynomials(struct ir_module *m)
{
    int64_t three = 3;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op != IR_TENSOR_act && i->op != IR_TENSOR_maxpool) continue;
        struct ir_const *c = ir_const_add(m, "stand.in", IR_F64, 1, &three);
        memcpy(c->data, (double[]){0.1, 0.3, 0.02}, 3 * sizeof(double));
        if (i->op == IR_TENSOR_maxpool) {
            i->op = IR_TENSOR_avgpool;
            continue;
        }
        i->op = IR_TENSOR_poly;
        i->attrs = NULL;
        ir_set_symbol(m, &i->attrs, "coeffs", c->name);
    }
}

static int run_pass(struct ir_module *m, const struct options *opt, const char *name)
{
    struct timespec t0, t1;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    int r = pass_run(pass_find(name), m, opt);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    double s = (double)(t1.tv_sec - t0.tv_sec) + 1e-9 * (double)(t1.tv_nsec - t0.tv_nsec);
    if (s > 0.5) printf("  pass %s: %.1f s\n", name, s);
    return r;
}

struct totals {
    uint32_t rotations, products, additions, ct_products, levels;
};

static struct totals count(struct ir_module *m, int print)
{
    struct totals t = {0};
    struct arena *a = arena_new();
    for (struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op == IR_VEC_mul) t.ct_products += i->type.count;
        if (i->op == IR_VEC_add || i->op == IR_VEC_sub || i->op == IR_VEC_addc) t.additions += i->type.count;
        if (i->op == IR_VEC_input && print) printf("  input %s\n", ir_get_string(i->attrs, "layout", ""));
        if (i->op != IR_VEC_linear) continue;
        struct linmap_counts c = linmap_count(m, i);
        if (print)
            printf("  %-32.32s %2u->%u rot %3u (%u+%u+%u) diag %4u keys %3u  %s\n", ir_get_string(i->attrs, "node", "?"),
                   i->args[0]->type.count, i->type.count, (unsigned)c.rotations, (unsigned)c.babies, (unsigned)c.giants,
                   (unsigned)c.folds, (unsigned)c.diagonals, (unsigned)c.keys, ir_get_string(i->attrs, "layout", ""));
        t.rotations += (uint32_t)c.rotations;
        t.products += (uint32_t)c.diagonals;
        t.additions += (uint32_t)c.additions;
        arena_reset(a);
    }
    arena_free(a);
    return t;
}

/* Largest difference over the largest value of two runs of the same network, before and after the passes. */
static double difference(struct arena *a, struct ir_module *m, double **want, const double *const *x, const int64_t *numel)
{
    uint32_t nin = 0, k = 0;
    for (struct ir_inst *i = m->first; i && i->op == IR_VEC_input; i = i->next) nin++;
    const double **slots = ARENA_ARRAY(a, const double *, nin);
    for (struct ir_inst *i = m->first; k < nin; i = i->next, k++) {
        struct layout l;
        if (layout_parse(&l, ir_get_string(i->attrs, "layout", ""))) return INFINITY;
        double *s = ARENA_ARRAY(a, double, ir_type_numel(&i->type));
        layout_pack(s, &l, x[k], 1);
        slots[k] = s;
    }
    double **out = ARENA_ARRAY(a, double *, m->noutputs);
    for (uint32_t o = 0; o < m->noutputs; o++) out[o] = ARENA_ARRAY(a, double, ir_type_numel(&m->outputs[o]->type));
    if (ir_interp(m, slots, out, NULL)) return INFINITY;
    double worst = 0, top = 0;
    for (uint32_t o = 0; o < m->noutputs; o++) {
        struct layout l;
        if (layout_parse(&l, ir_get_string(m->output_attrs[o], "layout", "")) || layout_numel(&l) != numel[o]) return INFINITY;
        double *y = ARENA_ARRAY(a, double, numel[o]);
        layout_unpack(y, &l, out[o], 1);
        for (int64_t e = 0; e < numel[o]; e++) {
            worst = fmax(worst, fabs(y[e] - want[o][e]));
            top = fmax(top, fabs(want[o][e]));
        }
    }
    return top > 0 ? worst / top : worst;
}

/* Runs the three passes and compares; returns the totals. */
static struct totals check_module(struct ir_module *m, const struct options *opt, const char *name, int print)
{
    struct arena *a = arena_new();
    const double *x[64];
    double *want[64];
    int64_t numel[64];
    uint32_t nin = 0;
    for (struct ir_inst *i = m->first; i && i->op == IR_TENSOR_input; i = i->next) x[nin++] = random_array(a, ir_type_numel(&i->type));
    for (uint32_t o = 0; o < m->noutputs; o++) {
        numel[o] = ir_type_numel(&m->outputs[o]->type);
        want[o] = ARENA_ARRAY(a, double, numel[o]);
    }
    struct totals t = {0};
    int bad = ir_interp(m, x, want, NULL);
    for (const char *const *p = (const char *const[]){"affine", "layout", "bsgs", NULL}; !bad && *p; p++) bad = run_pass(m, opt, *p);
    CHECKF(!bad, "%s: a pass failed", name);
    if (!bad) {
        double d = difference(a, m, want, x, numel);
        CHECKF(d < 1e-9, "%s: differs by %g", name, d);
        t = count(m, print);
    }
    arena_free(a);
    return t;
}

/* Most rotations (and operations of all kinds) that a network may need. */
static const struct {
    const char *name;
    uint32_t rotations, operations;
} bound[] = {
    {"mlp_square_mnist", 56, 0}, {"mlp_square_fashion", 56, 0}, {"lola_mnist", 45, 0}, {"cryptonets_mnist", 100, 344},
    {"orion_lenet_mnist", 282, 0}, {"resnet20_cifar10", 860, 0}, {"mlp_square", 56, 0}, {"cryptonets_square", 100, 344},
};

static void check_network(const char *path)
{
    struct ir_module *m = onnx_load(path);
    CHECKF(m != NULL, "%s does not load", path);
    if (!m) return;
    struct options opt = {0};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    printf("%s\n", name);
    polynomials(m);
    if (run_pass(m, &opt, "fold") == 0) {
        struct totals t = check_module(m, &opt, name, 1);
        uint32_t all = t.rotations + t.products + t.additions + t.ct_products;
        printf("  total: %u rotations, %u products, %u additions, %u ciphertext products, %u operations\n", t.rotations, t.products,
               t.additions, t.ct_products, all);
        for (size_t k = 0; k < sizeof bound / sizeof *bound; k++) {
            size_t len = strlen(bound[k].name);
            if (strncmp(name, bound[k].name, len) || strcmp(name + len, ".onnx")) continue;
            CHECKF(t.rotations <= bound[k].rotations, "%s: %u rotations, at most %u wanted", name, t.rotations, bound[k].rotations);
            if (bound[k].operations)
                CHECKF(all <= bound[k].operations, "%s: %u operations, at most %u wanted", name, all, bound[k].operations);
        }
    }
    ir_module_free(m);
}

static int64_t pick(int64_t lo, int64_t hi)
{
    return lo + (int64_t)((uniform() * 0.5 + 0.5) * (double)(hi - lo + 1));
}

static const char *random_const(struct ir_module *m, const char *name, uint32_t rank, const int64_t *dim)
{
    struct ir_const *c = ir_const_add(m, name, IR_F64, rank, dim);
    for (int64_t k = 0; k < ir_const_numel(c); k++) ((double *)c->data)[k] = uniform();
    return c->name;
}

/* Convolution or pooling with random geometry; NULL if the window does not fit. */
static struct ir_inst *random_window(struct ir_module *m, struct ir_inst *x, int pool, int64_t out_channels)
{
    uint32_t nd = x->type.rank - 2;
    int64_t kernel[2], strides[2], dilations[2], pads[4], dim[4] = {1}, w[4];
    for (uint32_t d = 0; d < nd; d++) {
        kernel[d] = pick(1, 4);
        strides[d] = pick(1, 3);
        dilations[d] = pool ? 1 : pick(1, 2);
        pads[d] = pick(0, kernel[d] - 1);
        pads[nd + d] = pick(0, kernel[d] - 1);
        int64_t room = x->type.dim[2 + d] + pads[d] + pads[nd + d] - dilations[d] * (kernel[d] - 1) - 1;
        if (room < 0) return NULL;
        dim[2 + d] = room / strides[d] + 1;
        w[2 + d] = kernel[d];
    }
    int64_t cin = x->type.dim[1], groups = !pool && cin % 2 == 0 && out_channels % 2 == 0 ? pick(1, 2) : 1;
    dim[1] = pool ? cin : out_channels;
    struct ir_inst *y = ir_build(m, NULL, pool ? IR_TENSOR_avgpool : IR_TENSOR_conv, ir_type_tensor(nd + 2, dim), 1, &x);
    ir_set_ints(m, &y->attrs, "strides", strides, nd);
    ir_set_ints(m, &y->attrs, "pads", pads, 2 * nd);
    if (pool) {
        ir_set_ints(m, &y->attrs, "kernel", kernel, nd);
        ir_set_int(m, &y->attrs, "count_include_pad", pick(0, 1));
        return y;
    }
    w[0] = dim[1];
    w[1] = cin / groups;
    ir_set_ints(m, &y->attrs, "dilations", dilations, nd);
    ir_set_int(m, &y->attrs, "groups", groups);
    ir_set_symbol(m, &y->attrs, "weight", random_const(m, "w", nd + 2, w));
    if (pick(0, 1)) ir_set_symbol(m, &y->attrs, "bias", random_const(m, "b", 1, &dim[1]));
    return y;
}

static struct ir_inst *square(struct ir_module *m, struct ir_inst *x)
{
    return ir_build(m, NULL, IR_TENSOR_mul, x->type, 2, (struct ir_inst *[]){x, x});
}

static struct ir_inst *gemm(struct ir_module *m, struct ir_inst *x, int64_t rows)
{
    int64_t n = ir_type_numel(&x->type), flat[2] = {1, n}, dim[2] = {1, rows}, w[2] = {rows, n};
    x = ir_build(m, NULL, IR_TENSOR_reshape, ir_type_tensor(2, flat), 1, &x);
    struct ir_inst *y = ir_build(m, NULL, IR_TENSOR_gemm, ir_type_tensor(2, dim), 1, &x);
    ir_set_symbol(m, &y->attrs, "weight", random_const(m, "w", 2, w));
    ir_set_symbol(m, &y->attrs, "bias", random_const(m, "b", 1, &rows));
    return y;
}

/* input -> window -> square -> [residual block of the same shape] -> window -> concat with its square -> gemm. */
static void check_random(int round)
{
    struct ir_module *m = ir_module_new("random", IR_TENSOR);
    uint32_t nd = (uint32_t)pick(1, 2);
    int64_t dim[4] = {1, pick(1, 4), pick(4, 11), pick(4, 11)};
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(nd + 2, dim), 0, NULL);
    ir_set_string(m, &x->attrs, "name", "x");
    struct ir_inst *y = random_window(m, x, 0, pick(1, 6)), *z;
    if (!y) y = x;
    y = square(m, y);
    if (pick(0, 1)) {                   // residual: 1-wide convolution beside the identity
        int64_t w[4] = {y->type.dim[1], y->type.dim[1], 1, 1};
        z = ir_build(m, NULL, IR_TENSOR_conv, y->type, 1, &y);
        ir_set_symbol(m, &z->attrs, "weight", random_const(m, "w", nd + 2, w));
        y = ir_build(m, NULL, pick(0, 1) ? IR_TENSOR_add : IR_TENSOR_sub, y->type, 2, (struct ir_inst *[]){z, y});
        y = square(m, y);
    }
    z = random_window(m, y, (int)pick(0, 1), pick(1, 6));
    if (z) y = z;
    if (pick(0, 1)) {
        struct ir_type t = y->type;
        t.dim[1] *= 2;
        z = square(m, y);
        y = ir_build(m, NULL, IR_TENSOR_concat, t, 2, (struct ir_inst *[]){z, y});
        ir_set_int(m, &y->attrs, "axis", 1);
    }
    if (pick(0, 1)) {
        struct ir_inst *c = ir_build(m, NULL, IR_TENSOR_mulc, y->type, 1, &y);
        ir_set_symbol(m, &c->attrs, "value", random_const(m, "k", 1, &y->type.dim[y->type.rank - 1]));
        y = c;
    }
    if (pick(0, 2)) y = gemm(m, pick(0, 1) ? square(m, y) : y, pick(1, 20));
    struct ir_attr *attrs = NULL;
    ir_set_string(m, &attrs, "name", "y");
    ir_add_output(m, y, attrs);
    ir_renumber(m);
    CHECKF(ir_verify(m) == 0, "round %d: the test's own network is wrong", round);
    struct options opt = {.log_slots = (int[]){0, 5, 7, 9, 12}[pick(0, 4)]};
    char name[64];
    snprintf(name, sizeof name, "round %d (slots 2^%d)", round, opt.log_slots);
    check_module(m, &opt, name, 0);
    ir_module_free(m);
}

int main(int argc, char **argv)
{
    diag_set_quiet(1);
    for (int k = 1; k < argc; k++) check_network(argv[k]);
    for (int round = 0; round < 150; round++) check_random(round);
    return test_done();
}
