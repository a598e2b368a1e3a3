// SPDX-License-Identifier: Apache-2.0
// Encodes every plaintext of a program: diagonals of linear maps, biases, added constants. Each is stored once, at the scale its use
// needs: a plaintext that multiplies a ciphertext of scale s at level l so that the rescaled product has scale t has scale t q_l / s.
#include "../compiler/diag.h"
#include "../compiler/linmap.h"
#include "emit.h"
#include "encode.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum { DEFAULT_PRECISION = 20, TOGETHER = 1024 };     // TOGETHER: plaintexts in memory at a time, even

struct coder {
    struct program *p;
    const char *where;                      // the file, for messages
    struct store *store;
    struct encoder *encoder;
    uint32_t n, batch;                      // slots; samples interleaved in them
    double *slots[2];
    double *coeff[2];
    void *packed;
    size_t done, total;                     // linear maps, for progress
};

static int failed(const struct coder *c)
{
    diag_error(c->where, "cannot be written: %s", strerror(errno));
    return -1;
}

/* Writes coefficients at the given scale; 0 or -1 after diag_error. */
static int put(struct coder *c, struct piece_ref *ref, const double *coeff, double scale, double max_error, const char *node,
               double *worst)
{
    struct encoded e;
    if (encoder_round(&e, c->packed, coeff, 2 * c->n, scale, max_error)) {
        diag_error(node, "a weight is too large for its scale 2^%.1f", log2(scale));
        return -1;
    }
    int64_t at = store_add(c->store, c->packed, (size_t)2 * c->n * e.width);
    if (at < 0) {
        return failed(c);
    }
    *ref = (struct piece_ref){(uint64_t)at, e.shift, e.width};
    if (worst) *worst = fmax(*worst, e.slot_error);
    return 0;
}

/* A bundle of vectors added to ciphertexts of the given scale; rounding stays below the scale's own resolution where it can. */
static int put_bundle(struct coder *c, struct op *op, const struct ir_const *values, double scale)
{
    uint32_t count = op->inst->type.count;
    op->plain = ARENA_ARRAY(c->p->arena, struct piece_ref, count);
    ICE_IF(ir_const_numel(values) != (int64_t)count * c->n / c->batch, "@%s does not fill its bundle", values->name);
    for (uint32_t k = 0; k < count; k++) {
        for (uint32_t j = 0; j < c->n; j++) c->slots[0][j] = ir_const_at(values, ((int64_t)k * c->n + j) / c->batch);
        encoder_run(c->encoder, c->coeff[0], NULL, c->slots[0], NULL);
        if (put(c, &op->plain[k], c->coeff[0], scale, 0, program_node(op->inst), NULL)) return -1;
    }
    return 0;
}

/* One sample's values, for every sample of a batch. */
static const double *repeated(struct coder *c, int which, const double *one)
{
    if (c->batch == 1) return one;
    for (uint32_t j = 0; j < c->n; j++) c->slots[which][j] = one[j / c->batch];
    return c->slots[which];
}

static double largest_weight(const struct ir_csr *mat)
{
    double m = 0;
    for (int64_t k = 0; k < ir_csr_stored(mat); k++) m = fmax(m, fabs(mat->val[k]));
    return m;
}

/* Encodes the terms of output vector o, some of them at a time; two share a transform. */
static int put_terms(struct coder *c, struct op *op, const struct ir_csr *mat, uint32_t o, const struct linmap_term *d, size_t n,
                     double scale, double max_error, double *square)
{
    struct arena *scratch = arena_new();
    struct linmap_steps steps = linmap_steps(c->p->m, op->inst);
    const uint32_t one = c->n / c->batch;
    double *pt = ARENA_ARRAY(scratch, double, (n < TOGETHER ? n : TOGETHER) * one);
    int bad = 0;
    for (size_t k = 0; k < n && !bad; k++) {
        if (k % TOGETHER == 0) linmap_plaintexts(pt, d + k, n - k < TOGETHER ? n - k : TOGETHER, mat, one, o, &steps);
        if (k % 2 == 0) {
            const double *first = pt + k % TOGETHER * one, *second = k + 1 < n ? first + one : NULL;
            encoder_run(c->encoder, c->coeff[0], second ? c->coeff[1] : NULL, repeated(c, 0, first), second ? repeated(c, 1, second) : NULL);
        }
        struct lin_term *t = &op->terms[op->nterms++];
        *t = (struct lin_term){.out = o, .in = d[k].in, .giant = d[k].giant, .baby = d[k].baby};
        double error = 0;
        bad = put(c, &t->pt, c->coeff[k % 2], scale, max_error, program_node(op->inst), &error);
        op->weight_error = fmax(op->weight_error, error);
        *square += error * error;
    }
    arena_free(scratch);
    return bad;
}

static int put_linear(struct coder *c, struct op *op)
{
    struct program *p = c->p;
    const struct ir_inst *i = op->inst;
    const struct ir_type *from = &i->args[0]->type;
    struct linmap_steps steps = linmap_steps(p->m, i);
    struct ir_csr mat = ir_csr_find(p->m, ir_get_string(i->attrs, "mat", ""));
    double scale = i->type.scale * (double)p->params.q[from->level] / from->scale;
    int precision = p->opt->precision ? p->opt->precision : DEFAULT_PRECISION;
    double max_error = ldexp(largest_weight(&mat), -precision), square = 0;
    struct arena *scratch = arena_new();
    struct linmap_sets sets;
    linmap_diagonals(scratch, &sets, &mat, c->n / c->batch);
    op->terms = ARENA_ARRAY(p->arena, struct lin_term, sets.ptr[sets.nin * sets.nout] + 1);
    int bad = 0;
    for (uint32_t o = 0; o < sets.nout && !bad; o++) {
        struct linmap_term *d;
        size_t n = linmap_terms(&d, scratch, &sets, o, &steps);
        bad = put_terms(c, op, &mat, o, d, n, scale, max_error, &square);
    }
    arena_free(scratch);
    if (bad) return -1;
    op->weight_rms = op->nterms ? sqrt(square / (double)op->nterms / 2) : 0;
    const char *bias = ir_get_string(i->attrs, "bias", NULL);
    return bias ? put_bundle(c, op, ir_const_find(p->m, bias), i->type.scale) : 0;
}

static int put_op(struct coder *c, struct op *op)
{
    switch (op->inst->op) {
    case IR_CKKS_linear:
        if (c->p->opt->progress) c->p->opt->progress("encoding weights", c->done++, c->total);
        return put_linear(c, op);
    case IR_CKKS_addc:
        return put_bundle(c, op, ir_const_find(c->p->m, ir_get_string(op->inst->attrs, "value", "")), op->inst->type.scale);
    default: return 0;
    }
}

int weights_write(struct program *p, FILE *f, const char *where)
{
    struct arena *scratch = arena_new();
    struct coder c = {.p = p, .where = where, .store = store_new(scratch, f), .n = 1u << p->params.log_slots,
                      .batch = (uint32_t)ir_batch(p->m)};
    c.encoder = encoder_new(scratch, c.n);
    c.coeff[0] = ARENA_ARRAY(scratch, double, 2 * c.n);
    c.coeff[1] = ARENA_ARRAY(scratch, double, 2 * c.n);
    for (int k = 0; k < 2; k++) c.slots[k] = ARENA_ARRAY(scratch, double, c.n);
    c.packed = ARENA_ARRAY(scratch, int32_t, 2 * c.n);
    for (size_t k = 0; k < p->nops; k++) c.total += p->ops[k].inst->op == IR_CKKS_linear;
    int bad = 0;
    for (size_t k = 0; k < p->nops && !bad; k++) bad = put_op(&c, &p->ops[k]);
    p->weights_bytes = store_bytes(c.store);
    if (!bad && fflush(f)) bad = failed(&c);
    arena_free(scratch);
    return bad;
}
