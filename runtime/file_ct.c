// SPDX-License-Identifier: Apache-2.0
// Ciphertexts in files. A fresh ciphertext is a seed and its b-part; a computed one is both polynomials. Residues take as many bits
// as their prime has. A section starts with one block of CT_HEAD bytes for each of its ciphertexts, the polynomials follow.
#include "internal.h"
#include "port.h"
#include "store.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CT_HEAD = 64 };      // scale (8), level (4), polynomials stored (4), samples missing in the group (4), zero (12), seed (32)

static uint64_t poly_bytes(const struct ck_context *ctx, uint32_t level)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i <= level; i++) bits += ctx->mod[i].bits;
    return bits * (ctx->n / 8);
}

struct ck_port ck_trace_port(const struct ck_model *m, const struct ck_step *step)
{
    enum { ROOM = 20 };         // bits for the largest value and its sign
    uint32_t level = 0;
    double bits = log2((double)m->params.q[0]);
    while (level < step->level && bits < log2(step->scale) + ROOM) bits += log2((double)m->params.q[++level]);
    return (struct ck_port){.name = step->node, .n = 1u << m->params.log_slots, .log_batch = m->in->log_batch, .count = step->count,
                            .level = level, .scale = step->scale};
}

/* Samples that the group in a section lacks. */
static uint32_t missing(const struct ck_section *s)
{
    uint32_t v = 0;
    if (s->len >= CT_HEAD) memcpy(&v, s->data + 16, sizeof v);
    return v;
}

const char *ck_ct_file_check(uint32_t *samples, const struct ck_file *f, const struct ck_model *m, uint32_t tag)
{
    static const char bad[] = "is damaged (contents)";
    const struct { uint32_t tag; size_t ports; const char *other; } kinds[] = {
        {CK_TAG("INPT"), m->nin, "holds encrypted inputs; results, from `server run`, are wanted"},
        {CK_TAG("OUTP"), m->nout, "holds encrypted results; inputs, from `client encrypt`, are wanted"},
        {CK_TAG("TRCE"), m->nsteps, "holds a trace of a run; inputs, from `client encrypt`, are wanted"},
    };
    size_t ports = 1;
    const char *why = ck_prints_match(f, &m->params, NULL, m->fingerprint);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !why; k++) {
        if (kinds[k].tag == tag) ports = kinds[k].ports;
        else if (f->nsections && f->section[0].tag == kinds[k].tag) why = kinds[k].other;
    }
    if (why) return why;
    if (f->nsections == 0 || f->nsections % ports) return bad;
    for (uint32_t i = 0; i < f->nsections; i++) {
        const struct ck_section *s = &f->section[i];
        if (s->tag != tag || s->a != (int32_t)(i % ports) || s->b != i / ports) return bad;
    }
    const uint32_t batch = ck_port_batch(m->in);
    const uint64_t groups = f->nsections / ports;
    *samples = (uint32_t)groups;
    if (tag == CK_TAG("TRCE")) return NULL;
    for (uint32_t i = 0; i < f->nsections; i++) {
        const uint32_t gone = missing(&f->section[i]);
        if (gone != missing(&f->section[i / ports * ports]) || gone >= batch || (gone && i / ports + 1 < groups)) return bad;
    }
    if (groups * batch > UINT32_MAX) return bad;
    *samples = (uint32_t)(groups * batch) - missing(&f->section[f->nsections - 1]);
    return NULL;
}

const char *ck_ct_load(struct ck_ct *out, const struct ck_context *ctx, const struct ck_section *s, const struct ck_port *port)
{
    static const char bad[] = "is damaged (contents)";
    uint64_t one = poly_bytes(ctx, port->level), need = 0;
    const char *why = ck_section_check(s);
    if (why) return why;
    if (s->len < (uint64_t)port->count * CT_HEAD) return bad;
    for (uint32_t i = 0; i < port->count; i++) {
        uint32_t head[4];
        double scale;
        memcpy(head, s->data + i * CT_HEAD, sizeof head);
        memcpy(&scale, head, sizeof scale);
        if (head[2] != port->level || !ck_scale_equal(scale, port->scale) || head[3] < 1 || head[3] > 2) return bad;
        need += CT_HEAD + head[3] * one;
    }
    if (s->len != need) return bad;
    const uint64_t *packed = (const uint64_t *)(s->data + (size_t)port->count * CT_HEAD);
    for (uint32_t i = 0; i < port->count; i++) {
        const uint8_t *head = s->data + i * CT_HEAD;
        uint32_t polys;
        memcpy(&polys, head + 12, 4);
        enum ck_err err = ck_ct_shape(&out[i], ctx, port->level, 1);
        if (err != CK_OK) return ck_err_text(err);
        memcpy(&out[i].scale, head, 8);
        for (uint32_t p = 0; p < polys; p++)
            for (uint32_t j = 0; j <= port->level; j++) {
                const struct ck_mod *m = &ctx->mod[j];
                if (ctx->k->unpack(ck_ct_poly(&out[i], p) + j * ctx->n, packed, ctx->n, m->bits) >= m->q) return bad;
                packed += ctx->n / 64 * m->bits;
            }
        if (polys == 1) ck_ct_expand(&out[i], ctx, head + CT_HEAD - CK_SEED_BYTES);
    }
    return NULL;
}

static void put_head(struct ck_writer *w, const struct ck_ct *ct, uint32_t polys, uint32_t gone, const uint8_t *seed)
{
    uint8_t head[CT_HEAD] = {0};
    memcpy(head, &ct->scale, 8);
    memcpy(head + 8, &ct->level, 4);
    memcpy(head + 12, &polys, 4);
    memcpy(head + 16, &gone, 4);
    if (seed) memcpy(head + CT_HEAD - CK_SEED_BYTES, seed, CK_SEED_BYTES);
    ck_writer_put(w, head, sizeof head);
}

static void put_poly(struct ck_writer *w, const struct ck_ct *ct, uint32_t i, const struct ck_context *ctx, uint64_t *packed)
{
    for (uint32_t j = 0; j <= ct->level; j++) {
        ck_pack(packed, ck_ct_poly(ct, i) + j * ctx->n, ctx->n, ctx->mod[j].bits);
        ck_writer_put(w, packed, ctx->n / 8 * ctx->mod[j].bits);
    }
}

enum ck_err ck_ct_encrypt_section(struct ck_writer *w, struct ck_ct *ct, const struct ck_context *ctx,
                                  const struct ck_secret *sk, const double *values, const struct ck_port *port,
                                  uint32_t port_index, uint32_t group, uint32_t samples)
{
    uint8_t (*seed)[CK_SEED_BYTES] = malloc(port->count * sizeof *seed);
    uint64_t *packed = malloc(ctx->n * sizeof *packed);
    enum ck_err err = seed && packed ? CK_OK : CK_ENOMEM;
    if (err == CK_OK) ck_writer_section(w, CK_TAG("INPT"), (int32_t)port_index, group);
    for (uint32_t i = 0; i < port->count && err == CK_OK; i++) {
        err = ck_encrypt_seeded(&ct[i], seed[i], ctx, sk, values + (size_t)i * port->n, port->level, port->scale);
        if (err == CK_OK) put_head(w, &ct[i], 1, ck_port_batch(port) - samples, seed[i]);
    }
    for (uint32_t i = 0; i < port->count && err == CK_OK; i++) put_poly(w, &ct[i], 0, ctx, packed);
    free(seed);
    free(packed);
    return err;
}

enum ck_err ck_ct_save_section(struct ck_writer *w, uint32_t tag, const struct ck_ct *ct, const struct ck_context *ctx,
                               const struct ck_port *port, uint32_t port_index, uint32_t group, uint32_t samples)
{
    uint64_t *packed = malloc(ctx->n * sizeof *packed);
    if (!packed) return CK_ENOMEM;
    ck_writer_section(w, tag, (int32_t)port_index, group);
    for (uint32_t i = 0; i < port->count; i++) put_head(w, &ct[i], 2, ck_port_batch(port) - samples, NULL);
    for (uint32_t i = 0; i < port->count; i++)
        for (uint32_t p = 0; p < 2; p++) put_poly(w, &ct[i], p, ctx, packed);
    free(packed);
    return CK_OK;
}
