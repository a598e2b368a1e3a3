// SPDX-License-Identifier: Apache-2.0
// Hybrid key switching: ModUp extends each digit from its primes to QP, the inner product with the key follows prime by
// prime, ModDown divides by P (and, merged, by the last q). NTTs: (d+2)(ell+K) in all. Base conversion runs over tiles
// of columns, which are the units of parallel work there; everything else runs over limbs. source [HK20]
#include "internal.h"
#include "thread.h"

#include <assert.h>
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
    // digits and two tiles for each thread, or in ModDown a limb for each thread
    const size_t up = ck_digits_words(ctx, g, level) + (size_t)ctx->threads * 2 * tile_size(ctx), down = ctx->threads * ctx->n;
    return up > down ? up : down;
}

static bool own_limb(const struct ck_gadget *g, uint32_t ell, uint32_t digit, uint32_t j)
{
    return j < ell && j / g->alpha == digit;
}

// out = times sum f[i] g[i] for polynomials of the products of a sum: words [at, at + size) of limb j.
static void part_of(uint64_t *out, const struct ck_context *ctx, const struct ck_sum *sum, uint32_t part, uint32_t j, size_t at, size_t size)
{
    const uint64_t *f[2 * CK_SUM_PRODUCTS], *g[2 * CK_SUM_PRODUCTS];
    const struct ck_mod *mod = &ctx->mod[j];
    uint32_t count = 0;
    at += j * ctx->n;
    for (uint32_t i = 0; i < sum->nproduct; i++)
        for (uint32_t x = part == 2; x <= (part > 0); x++, count++) {
            f[count] = ck_ct_poly(sum->product[i].x, x) + at;
            g[count] = ck_ct_poly(sum->product[i].y, part - x) + at;
        }
    if (count == 1) ctx->k->mul(out, f[0], g[0], size, mod);
    else ctx->k->inner(out, f, g, count, size, mod);
    if (sum->times == 2) ctx->k->add(out, out, out, size, mod);
}

// The conversions of ModUp of the polynomial a, or of the last part of a sum: all limbs of the digits (in QP, at digit[i]) in coefficient form.
static void extend(uint64_t *const *digit, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a,
                   const struct ck_sum *sum, uint32_t level)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell), tiles = tile_count(ctx);
    const size_t n = ctx->n;
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < ell; j++) {
        uint64_t *own = digit[j / g->alpha] + j * n;
        for (uint32_t t = 0; t < ck_ntt_blocks(ctx->logn); t++) {
            const size_t at = t * CK_NTT_TILE;
            if (sum) part_of(own + at, ctx, sum, 2, j, at, CK_NTT_TILE);
            else memcpy(own + at, a + j * n + at, CK_NTT_TILE * sizeof *a);
            ctx->k->intt_block(own + at, t, ctx->ntt[j]);
        }
        ctx->k->intt_columns(own, ctx->ntt[j]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < d * tiles; t++) {
        const uint32_t i = t / tiles;
        const size_t at = (t % tiles) * tile_size(ctx);
        const uint64_t *in[CK_MAX_PRIMES];
        uint64_t *out[CK_MAX_PRIMES];
        uint32_t nin = 0, nout = 0;
        for (uint32_t j = 0; j < wide; j++) {
            uint64_t *limb = digit[i] + j * n + at;
            if (own_limb(g, ell, i, j)) in[nin++] = limb;
            else out[nout++] = limb;
        }
        ctx->k->conv(out, in, tile_size(ctx), g->up[level * g->max_digits + i]);
    }
}

/* What goes with the switched polynomial on one limb: the factors of a sum modulo its prime. */
struct lower {
    struct ck_shoup factor[CK_SUM_TERMS];
    uint64_t constant;
};

static void lower_init(struct lower *w, const struct ck_sum *sum, const struct ck_mod *mod)
{
    for (uint32_t i = 0; i < sum->nterm; i++) w->factor[i] = ck_residue_shoup(sum->term[i].factor, mod);
    w->constant = ck_residue(sum->constant, mod);
}

// acc += P (its degree-0 and degree-1 parts) on one tile of limb j in Q; tmp: a tile.
static void raise_tile(uint64_t *acc0, uint64_t *acc1, const struct ck_context *ctx, const struct ck_gadget *g,
                       const struct ck_switch *in, const struct lower *w, uint32_t j, size_t at, uint64_t *tmp)
{
    const struct ck_kernels *k = ctx->k;
    const struct ck_mod *mod = &ctx->mod[j];
    const struct ck_sum *sum = in->sum;
    const size_t tile = tile_size(ctx), from = j * ctx->n + at;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t *acc = i ? acc1 : acc0;
        if (i && in->raise[i]) k->muladdc(acc, in->raise[i] + from, &g->p[j], tile, mod);      // the other one is added by inner_key
        if (!sum) continue;
        part_of(tmp, ctx, sum, i, j, at, tile);
        for (uint32_t t = 0; t < sum->nterm; t++) k->muladdc(tmp, ck_ct_poly(sum->term[t].ct, i) + from, &w->factor[t], tile, mod);
        if (!i && w->constant) k->addc(tmp, tmp, w->constant, tile, mod);
        k->muladdc(acc, tmp, &g->p[j], tile, mod);
    }
}

// The packed words of digit i from word `at` of limb j on.
static const uint8_t *packed(const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key, uint32_t i, uint32_t ell, uint32_t j,
                             size_t at)
{
    const uint32_t row = j < ell ? j : key->level + 1 + j - ell;
    return ck_key_limb(g, key, i, row) + at / 8 * ctx->mod[ck_limb_prime(ctx, ell, j)].bits;
}

void ck_key_row_init(struct ck_key_row *row, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key, uint32_t ell, uint32_t j)
{
    const uint32_t prime = ck_limb_prime(ctx, ell, j);
    row->d = ck_gadget_digits(g, ell);
    row->seed = key->seed;
    row->mod = &ctx->mod[prime];
    row->ahead[0] = NULL;
    row->raise = NULL;
    row->factor = j < ell ? &g->p[j] : NULL;
    row->perm = NULL;
    row->lazy = row->add = false;
    for (uint32_t i = 0; i < row->d; i++) {
        row->b[i] = packed(ctx, g, key, i, ell, j, 0);
        row->index[i] = ck_key_stream(i, prime);
    }
}

void ck_key_row_ahead(struct ck_key_row *row, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *next, uint32_t ell, uint32_t j,
                      size_t at)
{
    for (uint32_t i = 0; i < row->d; i++) row->ahead[i] = packed(ctx, g, next, i, ell, j, at);
}

/* One limb of an inner product, the j-th of polynomials in QP. */
struct limb {
    uint32_t j, ell;
    uint64_t *acc0, *acc1;              // N words each; may be those of the first two digits
    const uint64_t *digit[CK_MAX_Q];    // NULL: the last part of the sum that is switched
    uint64_t *open[CK_MAX_Q];           // the digit's limb where its transform is still to be done, else NULL
    const struct ck_switch *in;         // what is raised, where the sums go
    bool coeff;                         // the sums are wanted in coefficient form
};

// Between the passes of its transforms the limb is worked tile by tile; tmp: two tiles. False if the expansion failed.
static bool inner_limb(const struct limb *l, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key,
                       uint64_t *tmp)
{
    const struct ck_kernels *k = ctx->k;
    const struct ck_ntt *ntt = ctx->ntt[ck_limb_prime(ctx, l->ell, l->j)];
    const size_t tile = tile_size(ctx), span = l->in->perm ? ctx->n : tile;    // with an automorphism a tile may need any other one
    const struct ck_shoup one = ck_shoup_init(1, &ctx->mod[ck_limb_prime(ctx, l->ell, l->j)]);     // factor of what is not raised
    struct ck_key_row row;
    struct lower w;
    bool ok = true;
    ck_key_row_init(&row, ctx, g, key, l->ell, l->j);
    row.perm = l->in->perm;
    row.add = l->in->into;
    if (l->j < l->ell && l->in->raise[0]) row.raise = l->in->raise[0] + l->j * ctx->n;
    if (l->in->plus) {
        row.raise = l->in->plus + l->j * ctx->n;
        row.factor = &one;
    }
    if (l->j < l->ell && l->in->sum) lower_init(&w, l->in->sum, &ctx->mod[l->j]);
    for (uint32_t i = 0; i < row.d; i++) {
        row.x[i] = l->digit[i];
        if (l->open[i]) k->ntt_columns(l->open[i], ntt);
    }
    for (size_t at = 0; at < ctx->n; at += tile) {
        uint64_t *acc0 = l->acc0 + at, *acc1 = l->acc1 + at;
        for (uint32_t i = 0; i < row.d && at % span == 0; i++)
            for (size_t s = at; l->open[i] && s < at + span; s += CK_NTT_TILE)
                k->ntt_block(l->open[i] + s, (uint32_t)(s / CK_NTT_TILE), ntt, NULL);
        for (uint32_t i = 0; i < row.d; i++) {
            if (l->digit[i]) continue;
            part_of(tmp + tile, ctx, l->in->sum, 2, l->j, at, tile);
            row.x[i] = (const uint64_t *)((uintptr_t)(tmp + tile) - at * sizeof *tmp);     // it counts from the start of the limb
        }
        if (at + tile < ctx->n) ck_key_row_ahead(&row, ctx, g, key, l->ell, l->j, ck_tile_from(row.perm, at + tile, tile));
        else row.ahead[0] = NULL;
        ok &= k->inner_key(k, acc0, acc1, &row, at, tile);
        if (l->j < l->ell) raise_tile(acc0, acc1, ctx, g, l->in, &w, l->j, at, tmp);
        for (size_t s = 0; l->coeff && s < tile; s += CK_NTT_TILE) {
            k->intt_block(acc0 + s, (uint32_t)((at + s) / CK_NTT_TILE), ntt);
            k->intt_block(acc1 + s, (uint32_t)((at + s) / CK_NTT_TILE), ntt);
        }
    }
    if (!l->coeff) return ok;
    k->intt_columns(l->acc0, ntt);
    k->intt_columns(l->acc1, ntt);
    return ok;
}

const uint64_t *ck_digit_limb(const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *digits, const uint64_t *a, uint32_t ell, uint32_t i,
                              uint32_t j)
{
    return own_limb(g, ell, i, j) ? a + j * ctx->n : digits + (i * (ell + g->np) + j) * ctx->n;
}

void ck_modup(uint64_t *digits, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a,
              uint32_t level, struct ck_scratch *s)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t n = ctx->n, mark = s->used;
    uint64_t *digit[CK_MAX_Q];
    for (uint32_t i = 0; i < d; i++) digit[i] = digits + i * wide * n;
    extend(digit, ctx, g, a, NULL, level);
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < d * wide; t++) {
        // all digits of one prime before the next: its twiddles stay in cache
        const uint32_t i = t % d, j = t / d;
        uint64_t *limb = digits + (i * wide + j) * n;
        if (!own_limb(g, ell, i, j)) ctx->k->ntt(limb, ctx->ntt[ck_limb_prime(ctx, ell, j)]);
    }
    s->used = mark;
}

enum ck_err ck_inner(uint64_t *out, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key,
                     const uint64_t *digits, const uint64_t *a, const struct ck_inner_opt *opt, uint32_t level)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t n = ctx->n;
    const struct ck_switch raise = {.raise = {opt->raise, NULL}, .perm = opt->perm};
    int bad = 0;
    CK_PARALLEL_SUM(ctx->threads, bad)
    for (uint32_t j = 0; j < wide; j++) {
        struct limb l = {.j = j, .ell = ell, .acc0 = out + j * n, .acc1 = out + (wide + j) * n, .in = &raise,
                         .coeff = j >= ell && opt->tail == CK_TAIL_P};
        for (uint32_t i = 0; i < d; i++) l.digit[i] = ck_digit_limb(ctx, g, digits, a, ell, i, j);
        bad += !inner_limb(&l, ctx, g, key, NULL);
    }
    return bad ? CK_ERANDOM : CK_OK;
}

enum ck_err ck_switch(uint64_t *acc, const struct ck_context *ctx, const struct ck_gadget *g, const struct ck_key *key,
                      const struct ck_switch *in, uint32_t level, struct ck_scratch *s)
{
    const uint32_t ell = level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const uint32_t first_coeff = in->tail == CK_TAIL_EVAL ? wide : in->tail == CK_TAIL_P ? ell : level;
    const size_t n = ctx->n, mark = s->used;
    uint64_t *to = in->into ? in->into : acc, *tmp = ck_scratch_take(s, (size_t)ctx->threads * 2 * tile_size(ctx));
    uint64_t *more = d > 2 ? ck_scratch_take(s, (size_t)(d - 2) * wide * n) : NULL;
    // The sums take the place of the first two digits, whose limbs are in cache when they are written.
    uint64_t *place[CK_MAX_Q];
    for (uint32_t i = 0; i < d; i++) place[i] = i < 2 ? acc + i * wide * n : more + (i - 2) * wide * n;
    assert(!in->into || (!in->sum && !in->raise[1] && in->tail == CK_TAIL_EVAL));
    extend(place, ctx, g, in->a, in->sum, level);
    int bad = 0;
    CK_PARALLEL_SUM(ctx->threads, bad)
    for (uint32_t j = 0; j < wide; j++) {
        // everything that concerns one prime, while it is in cache
        struct limb l = {.j = j, .ell = ell, .acc0 = to + j * n, .acc1 = to + (wide + j) * n, .in = in, .coeff = j >= first_coeff};
        for (uint32_t i = 0; i < d; i++) {
            uint64_t *limb = place[i] + j * n;
            const bool own = own_limb(g, ell, i, j);
            l.open[i] = own ? NULL : limb;
            l.digit[i] = !own ? limb : in->a ? in->a + j * n : NULL;
        }
        bad += !inner_limb(&l, ctx, g, key, tmp + (size_t)ck_thread_index() * 2 * tile_size(ctx));
    }
    s->used = mark;
    return bad ? CK_ERANDOM : CK_OK;
}

void ck_moddown(uint64_t *out, size_t out_stride, const struct ck_context *ctx, const struct ck_gadget *g,
                uint64_t *acc, size_t acc_stride, uint32_t count, uint32_t level, const struct ck_moddown_opt *opt,
                struct ck_scratch *s)
{
    const uint32_t ell = level + 1, keep = opt->rescale ? level : ell, cut = ell + g->np - keep;
    const uint32_t tiles = tile_count(ctx);
    const struct ck_conv *conv = opt->rescale ? g->down_rescale[level] : g->down[level];
    const struct ck_shoup *inv = opt->rescale ? g->pqinv + level * (g->max_level + 1) : g->pinv;
    const struct ck_kernels *k = ctx->k;
    const size_t n = ctx->n, mark = s->used;
    uint64_t *local = opt->perm ? ck_scratch_take(s, (size_t)ctx->threads * n) : NULL;
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < (opt->coeff ? 0 : count * cut); t++) {
        const uint32_t j = keep + t % cut;
        k->intt(acc + t / cut * acc_stride + j * n, ctx->ntt[ck_limb_prime(ctx, ell, j)]);
    }
    // What is converted stands where the result will: no other memory is passed over.
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < count * tiles; t++) {
        const uint32_t i = t / tiles;
        const size_t at = (t % tiles) * tile_size(ctx);
        const uint64_t *from[CK_MAX_PRIMES];
        uint64_t *to[CK_MAX_PRIMES];
        for (uint32_t j = 0; j < cut; j++) from[j] = acc + i * acc_stride + (keep + j) * n + at;
        for (uint32_t j = 0; j < keep; j++) to[j] = out + i * out_stride + j * n + at;
        k->conv(to, from, tile_size(ctx), conv);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < count * keep; t++) {
        const uint32_t i = t % count, j = t / count;
        const uint64_t *a = acc + i * acc_stride + j * n;
        uint64_t *to = out + i * out_stride + j * n, *sum = opt->perm ? local + (size_t)ck_thread_index() * n : to;
        k->ntt_columns(to, ctx->ntt[j]);
        for (size_t at = 0; at < n; at += CK_NTT_TILE) {
            k->ntt_block(to + at, (uint32_t)(at / CK_NTT_TILE), ctx->ntt[j], a + at);
            k->submulc(sum + at, a + at, to + at, &inv[j], CK_NTT_TILE, &ctx->mod[j]);
        }
        if (opt->perm) k->permute(to, sum, opt->perm, 0, n);
    }
    s->used = mark;
}

void ck_raise_add(uint64_t *acc, const struct ck_context *ctx, const struct ck_gadget *g, const uint64_t *a,
                  uint32_t level)
{
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= level; j++)
        ctx->k->muladdc(acc + j * ctx->n, a + j * ctx->n, &g->p[j], ctx->n, &ctx->mod[j]);
}
