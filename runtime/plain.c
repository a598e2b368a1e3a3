// SPDX-License-Identifier: Apache-2.0
// Plaintexts of the weights file, transformed on use: small integers in the subring of the slots become residues, are
// transformed at size 2n and spread over the N positions of the ring.
#include "plain.h"
#include "thread.h"

enum ck_err ck_plain_open(struct ck_plain *out, const struct ck_context *ctx, const struct ck_weights *w,
                          const struct ck_pt_ref *ref)
{
    const size_t count = (size_t)2 << ctx->par.log_slots;
    if (!w) return CK_EMATCH;
    if ((ref->width != 2 && ref->width != 4 && ref->width != 8) || ref->offset % ref->width) return CK_EFORMAT;
    const size_t bytes = count * ref->width;
    if (bytes > w->size || ref->offset > w->size - bytes) return CK_EFORMAT;
    const uint8_t *at = w->data + ref->offset;
    if ((uintptr_t)at % ref->width) return CK_EFORMAT;
    *out = (struct ck_plain){.shift = ref->shift};
    if (ref->width == 2) out->c16 = (const int16_t *)(const void *)at;
    else if (ref->width == 4) out->c32 = (const int32_t *)(const void *)at;
    else out->c64 = (const int64_t *)(const void *)at;
    return CK_OK;
}

size_t ck_plain_scratch(const struct ck_context *ctx)
{
    // the spread values, the subring's values, coefficients as int32 and the residues of the upper halves
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

const uint64_t *ck_plain_limb(const struct ck_plain *p, const struct ck_context *ctx, uint32_t prime, uint64_t *scratch)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    const bool full = 2 * n == ctx->n;
    uint64_t *wide = scratch, *sub = full ? wide : scratch + ctx->n;
    residues(sub, p, ctx, prime, scratch + ctx->n + 2 * n);
    ctx->k->ntt(sub, ck_sub_ntt(ctx, prime));
    if (!full) ctx->k->spread(wide, ctx->logn, sub, ctx->par.log_slots + 1);
    return wide;
}

enum ck_err ck_add_plain(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_pt_ref *ref)
{
    const struct ck_context *ctx = ev->ctx;
    struct ck_plain p;
    CK_TRY(ck_plain_open(&p, ctx, ev->weights, ref));
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
