// SPDX-License-Identifier: Apache-2.0
// affine, layout and bsgs: the vec program must compute what the tensor program does, on whole networks (given as arguments) and on
// random operators; rotations, products and diagonals are printed a layer and bounded for the networks with known figures.
#include "../../compiler/diag.h"
#include "../../compiler/layout.h"
#include "../../frontend/onnx.h"
#include "../../passes/linmap.h"
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
        struct linmap_counts c = linmap_count(a, m, i);
        if (print)
            printf("  %-32.32s %2u->%u rot %3u (%u+%u+%u) diag %4u keys %3u  %s\n", ir_get_string(i->attrs, "node", "?"),
                   i->args[0]->type.count, i->type.count, c.rotations, c.babies, c.giants, c.folds, c.diagonals, c.keys,
                   ir_get_string(i->attrs, "layout", ""));
        t.rotations += c.rotations;
        t.products += c.diagonals;
        t.additions += c.additions;
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
        layout_pack(s, &l, x[k]);
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
        layout_unpack(y, &l, out[o]);
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
    {"orion_lenet_mnist", 282, 0}, {"resnet20_cifar10", 860, 0}, {"mlp_square", 56, 0},
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

int main(int argc, char **argv)
{
    diag_set_quiet(1);
    for (int k = 1; k < argc; k++) check_network(argv[k]);
    return test_done();
}
