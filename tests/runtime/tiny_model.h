// SPDX-License-Identifier: Apache-2.0
// A program written by hand, for the tests of files and programs: inputs a and b of shape 2x3, outputs prod = a b (2x3, plain) and
// best = argmax over the last axis of w prod + c. Ring 2^10, 32 slots, marked insecure.
#ifndef CK_TINY_MODEL_H
#define CK_TINY_MODEL_H

#include "fixture.h"
#include "internal.h"
#include "store.h"

#include <string.h>

static const double tiny_w[6] = {1, -2, 0.5, 3, 1, -1}, tiny_c[6] = {0.25, 0, 0, -1, 0.5, 0};
enum { TINY_SLOTS = 32, TINY_PT = 2 * TINY_SLOTS * 4 };

static struct ck_lin tiny_lin;

static enum ck_err tiny_run(struct ck_eval *e, struct ck_ct *const *reg)
{
    CK_TRY(ck_eval_step(e, 0));
    CK_TRY(ck_mul(e, reg[2], reg[0], reg[1]));
    CK_TRY(ck_relin_rescale(e, reg[2], reg[2]));
    CK_TRY(ck_eval_step(e, 1));
    return ck_linear(e, reg[3], reg[2], &tiny_lin);
}

/* Integer coefficients of 6 values in the first slots, at `scale`. */
static void tiny_encode(int32_t *out, const struct ck_context *ctx, const double *v, double scale)
{
    double pair[2 * TINY_SLOTS] = {0}, coeff[2 * TINY_SLOTS];
    for (int i = 0; i < 6; i++) pair[2 * i] = v[i];
    ck_embed(coeff, ctx, pair, scale);
    for (int i = 0; i < 2 * TINY_SLOTS; i++) out[i] = (int32_t)lrint(ldexp(coeff[i], -12));
}

/* The model, static. Its weights (TINY_PT * 2 bytes) go to `weights`. */
static inline const struct ck_model *tiny_model(int32_t weights[2 * 2 * TINY_SLOTS])
{
    static struct ck_model m = {.name = "tiny", .fingerprint = "tiny model of the tests"};
    static const struct ck_key_spec keys[] = {{0, 2}, {1, 1}, {-3, 1}, {1, 1}};
    static const struct ck_digit digit[] = {{0, 2, 3}, {1, 3, 1}};
    static struct ck_port in[2], out[2];
    static const uint32_t in_reg[] = {0, 1}, out_reg[] = {2, 3};
    static const struct ck_reg regs[] = {{1, 2, 1}, {1, 2, 1}, {1, 2, 2}, {1, 1, 1}};
    static struct ck_step steps[2];
    static const int32_t zero[1] = {0};
    static const struct ck_lin_term term[] = {{0, 0, 0, 0, {0, 12, 4, 0}}};
    static const struct ck_pt_ref bias[] = {{TINY_PT, 12, 4, 0}};

    m.params = fixture_params(10, 5, 40, 3, 1, 1);
    m.keys = keys;
    m.nkeys = 4;
    m.nin = m.nout = 2;
    m.nregs = 4;
    m.in = in;
    m.out = out;
    m.regs = regs;
    m.in_reg = in_reg;
    m.out_reg = out_reg;
    m.steps = steps;
    m.nsteps = 2;
    m.weights_bytes = 2 * TINY_PT;
    m.run = tiny_run;
    double s = 0x1p40, s1 = s * s / (double)m.params.q[2];
    struct ck_port port = {.name = "a", .rank = 3, .dim = {1, 2, 3}, .n = TINY_SLOTS, .period = TINY_SLOTS, .ndigits = 2,
                           .digit = digit, .count = 1, .level = 2, .scale = s, .lo = -2, .hi = 2};
    in[0] = in[1] = out[0] = out[1] = port;
    in[1].name = "b";
    out[0].name = "prod";
    out[0].level = 1;
    out[0].scale = s1;
    out[0].error = out[1].error = 0x1p-20;
    out[1].name = "best";
    out[1].level = 0;
    out[1].scale = s;
    out[1].post = CK_POST_ARGMAX;
    out[1].axis = 2;
    steps[0] = (struct ck_step){"product", "Mul", "activation", 2, 1, 1, s1, 1e-4};
    steps[1] = (struct ck_step){"affine", "Gemm", "linear", 3, 1, 0, s, 3e-4};
    tiny_lin = (struct ck_lin){.nin = 1, .nout = 1, .ngiant = 1, .nbaby = 1, .nterm = 1, .giant = zero, .baby = zero,
                               .term = term, .bias = bias, .out_scale = s};
    struct ck_context *ctx;
    if (ck_context_new(&ctx, &m.params, 1) != CK_OK) abort();
    tiny_encode(weights, ctx, tiny_w, s * (double)m.params.q[1] / s1);
    tiny_encode(weights + 2 * TINY_SLOTS, ctx, tiny_c, s);
    ck_context_free(ctx);
    return &m;
}

/* weights.bin of the model. */
static inline const char *tiny_write_weights(const char *path, const struct ck_model *m, const int32_t *weights)
{
    struct ck_prints prints = {.params = ck_print_params(&m->params)};
    memcpy(prints.model.b, m->fingerprint, sizeof prints.model.b);
    struct ck_writer w;
    const char *why = ck_writer_open(&w, path, 0644, CK_KIND_WEIGHTS, 4096, 1, &prints);
    if (why) return why;
    ck_writer_section(&w, CK_TAG("DATA"), 0, 0);
    ck_writer_put(&w, weights, 2 * TINY_PT);
    return ck_writer_close(&w, 1);
}
#endif
