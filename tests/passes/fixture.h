// SPDX-License-Identifier: Apache-2.0
// Small modules built by hand for the tests of passes.
#ifndef TACET_TEST_PASSES_FIXTURE_H
#define TACET_TEST_PASSES_FIXTURE_H

#include "../../compiler/diag.h"
#include "../../passes/pass.h"
#include <stdlib.h>

/* Runs one pass with its verifier; 0 or -1. */
static inline int fixture_pass(struct ir_module *m, const char *name, const struct options *opt)
{
    const struct pass *p = pass_find(name);
    return p ? pass_run(p, m, opt) : -1;
}

static inline double fixture_random(uint64_t *state)       // in [-1,1]
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

/* Interprets a module of one input and one output of `slots` slots on random values; 0 or -1. */
static inline int fixture_run(struct ir_module *m, int slots, double *out)
{
    double *in = malloc((size_t)slots * sizeof *in), *outs[1] = {out};
    const double *ins[1] = {in};
    uint64_t seed = 7;
    for (int k = 0; in && k < slots; k++) in[k] = fixture_random(&seed);
    struct ir_run r = {0};
    ir_renumber(m);
    int bad = in ? ir_interp(m, ins, outs, &r) : -1;
    free(in);
    return bad;
}

/* A vec.linear on one ciphertext of n slots with the given diagonals, entries random times `size`; babies 0..3, giants multiples of 4. */
static inline struct ir_inst *fixture_linear(struct ir_module *m, struct ir_inst *x, int diagonals, double size, uint64_t *seed)
{
    int64_t n = x->type.n, zero = 0, baby[4] = {0, 1, 2, 3}, giant[64];
    struct ir_csr a = {.rows = n, .cols = n, .ptr = calloc((size_t)n + 1, 8), .col = malloc((size_t)(n * diagonals) * 4),
                       .val = malloc((size_t)(n * diagonals) * 8)};
    for (int64_t r = 0; r < n; r++) {
        a.ptr[r + 1] = a.ptr[r] + diagonals;
        int64_t wrap = r + diagonals > n ? r + diagonals - n : 0;      // columns ascend: the wrapped ones first
        for (int64_t k = 0; k < diagonals; k++) {
            a.col[a.ptr[r] + k] = (int32_t)(k < wrap ? k : r + k - wrap);
            a.val[a.ptr[r] + k] = size * fixture_random(seed);
        }
    }
    for (int g = 0; g * 4 < diagonals; g++) giant[g] = 4 * g;
    struct ir_inst *y = ir_build(m, NULL, IR_VEC_linear, x->type, 1, &x);
    ir_set_symbol(m, &y->attrs, "mat", ir_csr_add(m, "mat", &a));
    ir_set_ints(m, &y->attrs, "baby", baby, 4);
    ir_set_ints(m, &y->attrs, "giant", giant, (size_t)(diagonals + 3) / 4);
    ir_set_ints(m, &y->attrs, "fold", &zero, 0);
    free(a.ptr);
    free(a.col);
    free(a.val);
    return y;
}

static inline struct ir_inst *fixture_input(struct ir_module *m, uint32_t n)
{
    struct ir_inst *x = ir_build(m, NULL, IR_VEC_input, ir_type_vec(1, n), 0, NULL);
    int64_t shape[2] = {1, n};
    char text[96];
    snprintf(text, sizeof text, "n=%u period=%u [%u:1]", n, n, n);
    ir_set_string(m, &x->attrs, "name", "x");
    ir_set_string(m, &x->attrs, "layout", text);
    ir_set_ints(m, &x->attrs, "shape", shape, 2);
    return x;
}

static inline struct ir_inst *fixture_two(struct ir_module *m, enum ir_op op, struct ir_inst *a, struct ir_inst *b)
{
    return ir_build(m, NULL, op, a->type, 2, (struct ir_inst *[]){a, b});
}
#endif
