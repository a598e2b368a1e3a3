// SPDX-License-Identifier: Apache-2.0
// Hybrid key switching: ModUp extends each digit from its primes to QP, the inner product with the key follows prime by prime,
// ModDown divides by P (and, merged, by the last q). NTTs: (d+2)(ell+K) in all. Base conversion runs over tiles of columns, which
// are the units of parallel work there; everything else runs over limbs. source [HK20]
#include "internal.h"
#include "thread.h"

#include <string.h>

enum { TILE = 4096 };       // columns per conversion task: the tile of all limbs stays in L2

static uint32_t tile_count(const struct ck_context *ctx)
{
    return ctx->n > TILE ? (uint32_t)(ctx->n / TILE) : 1;
}

static size_t tile_size(const struct ck_context *ctx)
{
    return ctx->n > TILE ? TILE : ctx->n;
}

size_t ck_digits_words(const struct ck_context *ctx, const struct ck_gadget *g, uint32_t level)
{
    return (size_t)ck_gadget_digits(g, level + 1) * (level + 1 + g->np) * ctx->n;
}

size_t ck_keyswitch_scratch(const struct ck_context *ctx, const struct ck_gadget *g, uint32_t level)
{
    // coefficients and digits of ModUp, a limb per thread; two converted polynomials of ModDown need less
    size_t up = ck_digits_words(ctx, g, level) + (size_t)(level + 1 + (uint32_t)ctx->threads) * ctx->n;
    size_t down = (size_t)2 * (level + 1) * ctx->n;
    return up > down ? up : down;
}

static bool own_limb(const struct ck_gadget *g, uint32_t ell, uint32_t digit, uint32_t j)
{
    return j < ell && j / g->alpha == digit;
}

// The conversions of ModUp: all limbs of `digits` but those that a digit owns, in coefficient form.
static void extend(uint64_t *digits, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a,
                   uint32_t level, uint64_t *coeff)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell), tiles = tile_count(ctx);
    const size_t n = ctx->n;
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < ell; j++) {
        memcpy(coeff + j * n, a + j * n, n * sizeof *a);
        ctx->k->intt(coeff + j * n, ctx->ntt[j]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < d * tiles; t++) {
        const uint32_t i = t / tiles;
        const size_t at = (t % tiles) * tile_size(ctx);
        const uint64_t *in[CK_MAX_PRIMES];
        uint64_t *out[CK_MAX_PRIMES];
        uint32_t nin = 0, nout = 0;
        for (uint32_t j = 0; j < wide; j++) {
            if (own_limb(g, ell, i, j)) in[nin++] = coeff + j * n + at;
            else out[nout++] = digits + (i * wide + j) * n + at;
        }
        ctx->k->conv(out, in, tile_size(ctx), g->up[level * g->max_digits + i]);
    }
}

// acc0, acc1 (limb j of the two sums) += digit * (b, a) of digit i, or = for the first digit.
static void inner_limb(uint64_t *acc0, uint64_t *acc1, const struct ck_context *ctx, const struct ck_gadget *g,
                       const struct ck_key *key, const uint64_t *digit, uint32_t i, uint32_t j, uint32_t ell, uint64_t *tmp)
{
    const uint32_t prime = ck_limb_prime(ctx, ell, j), kell = key->level + 1;
    const size_t row = (size_t)i * (kell + g->np) + (j < ell ? j : kell + j - ell);
    const struct ck_mod *mod = &ctx->mod[prime];
    const uint64_t *b = key->b + row * ctx->n;
    ctx->k->expand(tmp, key->seed, ck_key_stream(i, prime), ctx->n, mod);
    if (i == 0) {
        ctx->k->mul(acc0, digit, b, ctx->n, mod);
        ctx->k->mul(acc1, digit, tmp, ctx->n, mod);
    } else {
        ctx->k->muladd2(acc0, acc1, digit, b, tmp, ctx->n, mod);
    }
}

void ck_modup(uint64_t *digits, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a, uint32_t level,
              struct ck_scratch *s)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t n = ctx->n, mark = s->used;
    extend(digits, ctx, g, a, level, ck_scratch_take(s, ell * n));
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < d * wide; t++) {
        // all digits of one prime before the next: its twiddles stay in cache
        const uint32_t i = t % d, j = t / d;
        uint64_t *limb = digits + (i * wide + j) * n;
        if (own_limb(g, ell, i, j)) memcpy(limb, a + j * n, n * sizeof *a);
        else ctx->k->ntt(limb, ctx->ntt[ck_limb_prime(ctx, ell, j)]);
    }
    s->used = mark;
}

void ck_inner(uint64_t *acc, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key,
              const uint64_t *digits, uint32_t level, struct ck_scratch *s)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t n = ctx->n, mark = s->used;
    uint64_t *tmp = ck_scratch_take(s, (size_t)ctx->threads * n);
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < wide; j++)
        for (uint32_t i = 0; i < d; i++)
            inner_limb(acc + j * n, acc + (wide + j) * n, ctx, g, key, digits + (i * wide + j) * n, i, j, ell,
                       tmp + (size_t)ck_thread_index() * n);
    s->used = mark;
}

void ck_modup_inner(uint64_t *acc, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key,
                    const uint64_t *a, uint32_t level, struct ck_scratch *s)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t n = ctx->n, mark = s->used;
    uint64_t *tmp = ck_scratch_take(s, (size_t)ctx->threads * n);
    uint64_t *coeff = ck_scratch_take(s, ell * n), *digits = ck_scratch_take(s, (size_t)d * wide * n);
    extend(digits, ctx, g, a, level, coeff);
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < wide; j++)
        for (uint32_t i = 0; i < d; i++) {
            const uint64_t *digit = a + j * n;
            if (!own_limb(g, ell, i, j)) {
                uint64_t *limb = digits + (i * wide + j) * n;
                ctx->k->ntt(limb, ctx->ntt[ck_limb_prime(ctx, ell, j)]);
                digit = limb;
            }
            inner_limb(acc + j * n, acc + (wide + j) * n, ctx, g, key, digit, i, j, ell,
                       tmp + (size_t)ck_thread_index() * n);
        }
    s->used = mark;
}

void ck_moddown(uint64_t *out, size_t out_stride, const struct ck_context *ctx, const struct ck_gadget *g, uint64_t *acc,
                size_t acc_stride, uint32_t count, uint32_t level, const struct ck_moddown_opt *opt, struct ck_scratch *s)
{
    const uint32_t ell = level + 1, keep = opt->rescale ? level : ell, cut = ell + g->np - keep, tiles = tile_count(ctx);
    const struct ck_conv *conv = opt->rescale ? g->down_rescale[level] : g->down[level];
    const struct ck_shoup *inv = opt->rescale ? g->pqinv + level * (g->max_level + 1) : g->pinv;
    const struct ck_kernels *k = ctx->k;
    const size_t n = ctx->n, mark = s->used;
    uint64_t *low = ck_scratch_take(s, (size_t)count * keep * n);
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < count * cut; t++) {
        const uint32_t j = keep + t % cut;
        k->intt(acc + t / cut * acc_stride + j * n, ctx->ntt[ck_limb_prime(ctx, ell, j)]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < count * tiles; t++) {
        const uint32_t i = t / tiles;
        const size_t at = (t % tiles) * tile_size(ctx);
        const uint64_t *from[CK_MAX_PRIMES];
        uint64_t *to[CK_MAX_PRIMES];
        for (uint32_t j = 0; j < cut; j++) from[j] = acc + i * acc_stride + (keep + j) * n + at;
        for (uint32_t j = 0; j < keep; j++) to[j] = low + (i * keep + j) * n + at;
        k->conv(to, from, tile_size(ctx), conv);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < count * keep; t++) {
        const uint32_t i = t % count, j = t / count;
        const struct ck_mod *mod = &ctx->mod[j];
        const uint64_t *a = acc + i * acc_stride + j * n;
        uint64_t *part = low + (i * keep + j) * n, *to = out + i * out_stride + j * n;
        uint64_t *direct = opt->perm ? part : to;
        k->ntt(part, ctx->ntt[j]);
        k->submulc(direct, a, part, &inv[j], n, mod);
        if (opt->add[i]) k->add(direct, direct, opt->add[i] + j * n, n, mod);
        if (opt->perm) k->permute(to, direct, opt->perm, n);
    }
    s->used = mark;
}

void ck_raise_add(uint64_t *acc, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a, uint32_t level)
{
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= level; j++)
        ctx->k->muladdc(acc + j * ctx->n, a + j * ctx->n, &g->p[j], ctx->n, &ctx->mod[j]);
}
