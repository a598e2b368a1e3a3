// SPDX-License-Identifier: Apache-2.0
// ModRaise: coefficients modulo q_0, under the ephemeral sparse secret s', become residues modulo all primes, under the secret s and
// traced to the subring of the slots.
//
// The coefficients of c_1 are below q_0, so that they are a digit by themselves: the switch back from s' takes one digit and one special prime
// p, whatever the level. With G the automorphisms X -> X^g, g = 1 mod 2N/2^f, the trace of c_0 + c_1 s' over G is 2^f times the coefficients
// of c_0 at the multiples of 2^f, plus the sum of g(c_1) g(s'): one inner product of the images of c_1 with keys from g(s') to s, and one division
// by p. What is left of the trace onto n slots, log2(N/2n) - f steps, are automorphisms of the usual kind. Transforms: 3 (l + 2).
#include "boot_impl.h"
#include "thread.h"

#include <string.h>

enum { TILE = 4096 };

struct raise {
    const struct ck_context *ctx;
    const struct ck_gadget *g;
    const struct ck_key *key[1u << CK_BOOT_MAX_FOLD];
    uint32_t *const *perm;      // image i is perm[i] of c_1
    uint32_t count, ell;        // images, limbs of the result
    uint64_t *low[2];           // coefficients modulo q_0: of -c_0 where they are kept, of c_1
    uint64_t *rest;             // of the two sums modulo p
};

static size_t tile_of(const struct ck_context *ctx)
{
    return ctx->n < TILE ? ctx->n : TILE;
}

static size_t local_words(const struct ck_context *ctx)
{
    return ctx->n + 4 * tile_of(ctx);
}

// Limb j of the inner product, in evaluation form. tmp: local_words. False if an expansion failed.
static bool inner(const struct raise *r, uint64_t *acc0, uint64_t *acc1, uint32_t j, uint64_t *tmp)
{
    const struct ck_context *ctx = r->ctx;
    const struct ck_kernels *k = ctx->k;
    const uint32_t prime = ck_limb_prime(ctx, r->ell, j);
    const struct ck_mod *mod = &ctx->mod[prime];
    const size_t n = ctx->n, tile = tile_of(ctx);
    uint64_t *x = tmp, *image = x + n, *part0 = image + tile, *part1 = part0 + tile, *a = part1 + tile;
    bool ok = true;
    k->lift(x, r->low[1], n, mod, &ctx->mod[0]);
    k->ntt(x, ctx->ntt[prime]);
    for (size_t at = 0; at < n; at += tile) {
        ok &= ck_inner_tile(acc0 + at, acc1 + at, ctx, r->g, r->key[0], (const uint64_t *const[]){x + at}, j, r->ell, at, tile, a);
        for (uint32_t i = 1; i < r->count; i++) {
            k->permute(image, x, r->perm[i] + at, tile);
            ok &= ck_inner_tile(part0, part1, ctx, r->g, r->key[i], (const uint64_t *const[]){image}, j, r->ell, at, tile, a);
            k->add(acc0 + at, acc0 + at, part0, tile, mod);
            k->add(acc1 + at, acc1 + at, part1, tile, mod);
        }
    }
    return ok;
}

// (acc - rest) / p for limb j of both sums; p 2^f c_0 joins before the transform.
static void divide(const struct raise *r, uint64_t *acc0, uint64_t *acc1, uint32_t j, uint64_t *tmp)
{
    const struct ck_context *ctx = r->ctx;
    const struct ck_kernels *k = ctx->k;
    const struct ck_mod *mod = &ctx->mod[j];
    const size_t n = ctx->n, tile = tile_of(ctx);
    const struct ck_shoup up = ck_shoup_init(r->g->p[j].w * r->count % mod->q, mod);
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t *part = tmp, *c0 = tmp + n, *acc = i ? acc1 : acc0;
        k->lift(part, r->rest + i * n, n, mod, &ctx->mod[ctx->par.nq]);
        for (size_t at = 0; !i && at < n; at += tile) {
            k->lift(c0, r->low[0] + at, tile, mod, &ctx->mod[0]);
            k->muladdc(part + at, c0, &up, tile, mod);
        }
        k->ntt(part, ctx->ntt[j]);
        k->submulc(acc, acc, part, &r->g->pinv[j], n, mod);
    }
}

// Both polynomials as coefficients modulo q_0; of c_0 the multiples of `count`, negated.
static void take_low(const struct raise *r, const struct ck_ct *ct)
{
    const struct ck_context *ctx = r->ctx;
    const uint64_t q = ctx->mod[0].q;
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(r->low[i], ck_ct_poly(ct, i), ctx->n * sizeof *r->low[i]);
        ctx->k->intt(r->low[i], ctx->ntt[0]);
    }
    for (size_t i = 0; i < ctx->n; i++) r->low[0][i] = i % r->count || !r->low[0][i] ? 0 : q - r->low[0][i];
}

static enum ck_err raise(struct ck_eval *ev, struct ck_ct *ct, const struct ck_boot *boot)
{
    const struct ck_context *ctx = ev->ctx;
    const uint32_t top = boot->shape.top, fold = ck_boot_fold(&ctx->par);
    struct raise r = {.ctx = ctx, .perm = boot->perm, .count = 1u << fold, .ell = top + 1};
    for (uint32_t i = 0; i < r.count; i++) {
        r.key[i] = ck_evk_find(ev->evk, ck_key_from_sparse(ck_boot_fold_galois(&ctx->par, i)), top);
        if (!r.key[i]) return CK_EKEY;
    }
    r.g = &ev->evk->gadget[r.key[0]->gadget];
    const size_t mark = ev->scratch.used, each = local_words(ctx);
    CK_TRY(ck_scratch_reserve(ev, 4 * ctx->n + (size_t)ctx->threads * each + 64));
    for (uint32_t i = 0; i < 2; i++) r.low[i] = ck_scratch_take(&ev->scratch, ctx->n);
    r.rest = ck_scratch_take(&ev->scratch, 2 * ctx->n);
    uint64_t *local = ck_scratch_take(&ev->scratch, (size_t)ctx->threads * each);
    take_low(&r, ct);
    int bad = !inner(&r, r.rest, r.rest + ctx->n, r.ell, local);
    for (uint32_t i = 0; i < 2; i++) ctx->k->intt(r.rest + i * ctx->n, ctx->ntt[ctx->par.nq]);
    CK_PARALLEL_SUM(ctx->threads, bad)
    for (uint32_t j = 0; j < r.ell; j++) {
        uint64_t *tmp = local + (size_t)ck_thread_index() * each, *acc0 = ck_ct_poly(ct, 0) + j * ctx->n, *acc1 = ck_ct_poly(ct, 1) + j * ctx->n;
        bad += !inner(&r, acc0, acc1, j, tmp);
        divide(&r, acc0, acc1, j, tmp);
    }
    ct->level = top;
    ev->scratch.used = mark;
    return bad ? CK_ERANDOM : CK_OK;
}

// ct under the sparse secret, at level 0.
static enum ck_err to_sparse(struct ck_eval *ev, struct ck_ct *ct)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_key *key = ck_evk_find(ev->evk, CK_KEY_TO_SPARSE, 0);
    if (!key) return CK_EKEY;
    const struct ck_gadget *g = &ev->evk->gadget[key->gadget];
    const size_t poly = (1 + g->np) * ctx->n, mark = ev->scratch.used;
    CK_TRY(ck_scratch_reserve(ev, 2 * poly + ck_keyswitch_scratch(ctx, g, 0) + 64));
    uint64_t *acc = ck_scratch_take(&ev->scratch, 2 * poly);
    const struct ck_switch what = {.a = ck_ct_poly(ct, 1), .raise = {ck_ct_poly(ct, 0), NULL}, .tail = CK_TAIL_P};
    enum ck_err err = ck_switch(acc, ctx, g, key, &what, 0, &ev->scratch);
    const struct ck_moddown_opt opt = {.coeff = true};
    if (!err) ck_moddown(ct->data, (ct->max_level + 1) * ctx->n, ctx, g, acc, poly, 2, 0, &opt, &ev->scratch);
    ev->scratch.used = mark;
    return err;
}

enum ck_err ck_boot_modraise(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    const struct ck_context *ctx = ev->ctx;
    const uint32_t fold = ck_boot_fold(&ctx->par);
    if (in->level != 0) return CK_ELEVEL;
    if (in->degree != 1) return CK_EDEGREE;
    CK_TRY(ck_boot_check_scale(in->scale, boot->nominal));
    if (!out->data || out->logn != ctx->logn || out->max_level < boot->shape.top) return CK_ESHAPE;
    CK_TRY(ck_drop(ev, out, in, 0));
    CK_TRY(to_sparse(ev, out));
    CK_TRY(raise(ev, out, boot));
    for (uint32_t k = ctx->par.log_slots; k + fold + 1 < ctx->logn; k++)
        CK_TRY(ck_boot_add_galois(ev, out, ck_boot_trace_galois(&ctx->par, k)));
    out->scale = ck_boot_part_scale(&ctx->par, &boot->shape, CK_BOOT_MODRAISE, in->scale);
    return CK_OK;
}
