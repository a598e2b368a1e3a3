// SPDX-License-Identifier: Apache-2.0
// Plaintexts of the weights file, transformed on use: small integers in the subring of the slots become residues, are
// transformed at size 2n and spread over the N positions of the ring.
#include "plain.h"
#include "thread.h"

#include <assert.h>

static enum ck_err open_transforms(struct ck_plain *out, const struct ck_context *ctx, const struct ck_weights *w,
                                   const struct ck_pt_ref *ref, uint32_t limbs)
{
    if (ref->rows < limbs || ref->shift > ctx->par.log_slots + 1 || ref->offset % sizeof(uint64_t)) return CK_EFORMAT;
    const size_t bytes = ((size_t)ref->rows << ref->shift) * sizeof(uint64_t);
    if (bytes > w->size || ref->offset > w->size - bytes) return CK_EFORMAT;
    *out = (struct ck_plain){.eval = (const uint64_t *)(const void *)(w->data + ref->offset), .logm = ref->shift};
    return CK_OK;
}

enum ck_err ck_plain_open(struct ck_plain *out, const struct ck_context *ctx, const struct ck_weights *w,
                          const struct ck_pt_ref *ref, uint32_t limbs)
{
    const size_t count = (size_t)2 << ctx->par.log_slots;
    if (!w) return CK_EMATCH;
    if (ref->rows) return open_transforms(out, ctx, w, ref, limbs);
    if ((ref->width != 2 && ref->width != 4 && ref->width != 8) || ref->offset % ref->width) return CK_EFORMAT;
    const size_t bytes = count * ref->width;
    if (bytes > w->size || ref->offset > w->size - bytes) return CK_EFORMAT;
    const uint8_t *at = w->data + ref->offset;
    if ((uintptr_t)at % ref->width) return CK_EFORMAT;
    *out = (struct ck_plain){.shift = ref->shift, .logm = ctx->par.log_slots + 1};
    if (ref->width == 2) out->c16 = (const int16_t *)(const void *)at;
    else if (ref->width == 4) out->c32 = (const int32_t *)(const void *)at;
    else out->c64 = (const int64_t *)(const void *)at;
    return CK_OK;
}

size_t ck_plain_scratch(const struct ck_context *ctx)
{
    // the spread values; the subring's values, coefficients as int32 and the residues of the upper halves
    return ctx->n + ((size_t)5 << ctx->par.log_slots) + 8;
}

// Residues of 2n coefficients. Those of 64 bits are split as upper 2^30 + lower.
static void residues(uint64_t *out, const struct ck_plain *p, const struct ck_context *ctx, uint32_t prime, uint64_t *tmp)
{
    const size_t count = (size_t)2 << ctx->par.log_slots;
    const struct ck_mod *m = &ctx->mod[prime];
    int32_t *part = (int32_t *)tmp;
    if (p->c32) {
        ctx->k->from_i32(out, p->c32, p->shift, count, m);
    } else if (p->c16) {
        for (size_t i = 0; i < count; i++) part[i] = p->c16[i];
        ctx->k->from_i32(out, part, p->shift, count, m);
    } else {
        uint64_t *upper = tmp + count / 2;
        for (size_t i = 0; i < count; i++) part[i] = (int32_t)(p->c64[i] >> 30);
        ctx->k->from_i32(upper, part, p->shift + 30, count, m);
        for (size_t i = 0; i < count; i++) part[i] = (int32_t)(p->c64[i] & 0x3fffffff);
        ctx->k->from_i32(out, part, p->shift, count, m);
        ctx->k->add(out, out, upper, count, m);
    }
}

void ck_plain_values(uint64_t *out, const struct ck_plain *p, const struct ck_context *ctx, uint32_t prime, uint64_t *scratch)
{
    residues(out, p, ctx, prime, scratch);
    ctx->k->ntt(out, ck_sub_ntt(ctx, prime));
}

const uint64_t *ck_plain_piece(uint64_t *room, const struct ck_context *ctx, const uint64_t *values, uint32_t logm, size_t at, uint32_t logp)
{
    const uint32_t shift = ctx->logn - logm;
    if (!shift) return values + at;
    assert(logp == ctx->logn || logp >= shift + 6);
    ctx->k->spread(room, logp, values + (at >> shift), logp - shift);
    return room;
}

const uint64_t *ck_plain_limb(const struct ck_plain *p, const struct ck_context *ctx, uint32_t prime, uint64_t *scratch)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    uint64_t *values = scratch + ctx->n;
    ck_plain_values(values, p, ctx, prime, values + 2 * n);
    return ck_plain_piece(scratch, ctx, values, p->logm, 0, ctx->logn);
}

enum ck_err ck_add_plain(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_pt_ref *ref)
{
    const struct ck_context *ctx = ev->ctx;
    struct ck_plain p;
    CK_TRY(ck_plain_open(&p, ctx, ev->weights, ref, 1));
    if (p.eval) return CK_EFORMAT;
    CK_TRY(ck_drop(ev, out, a, a->level));
    const size_t mark = ev->scratch.used, words = ck_plain_scratch(ctx);
    CK_TRY(ck_scratch_reserve(ev, words * (size_t)ctx->threads));
    uint64_t *local = ck_scratch_take(&ev->scratch, words * (size_t)ctx->threads);
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= out->level; j++) {
        uint64_t *limb = ck_ct_poly(out, 0) + j * ctx->n;
        const uint64_t *pt = ck_plain_limb(&p, ctx, j, local + (size_t)ck_thread_index() * words);
        ctx->k->add(limb, limb, pt, ctx->n, &ctx->mod[j]);
    }
    ev->scratch.used = mark;
    return CK_OK;
}
