// SPDX-License-Identifier: Apache-2.0
// The inner sums of a linear map, prime by prime and tile by tile: babies of a tile are made (modulo QP: the inner product of digits and
// key, permuted) and multiplied by the plaintexts of every group while they are in cache, and each sum is reduced once.
#include "linear_impl.h"
#include "thread.h"

#include <assert.h>
#include <string.h>

enum {
    MOST = 64,                              // products before a reduction (ck_kernels.inner2)
    HELD = 128,                             // transforms of plaintexts held at once: each source is read so much less often
    PIECE_MIN = 256, PIECE_MAX = 512,       // words of a tile per product, so that the pieces of all babies stay in L1 ...
    L1_WORDS = 1 << 14,                     // ... of which they may take so many
};

static size_t piece_of(const struct lin_map *m)
{
    size_t piece = m->tile < PIECE_MAX ? m->tile : PIECE_MAX;
    while (piece > PIECE_MIN && 2 * m->nsource * piece > L1_WORDS) piece /= 2;
    return piece;
}

static uint32_t log2_of(size_t x)
{
    return (uint32_t)__builtin_ctzll(x);
}

static bool is_made(const struct lin_map *m)
{
    return m->kin > 0;
}

// Terms of a group whose input is in the pass.
static void terms_of(const struct lin_map *m, const struct lin_pass *p, const struct lin_group *g, uint32_t *from, uint32_t *to)
{
    const struct ck_lin_term *t = m->lin->term;
    for (*from = g->from; *from < g->to && t[*from].in < p->in0; ++*from) {}
    for (*to = *from; *to < g->to && t[*to].in < p->in1; ++*to) {}
}

static uint32_t last_term(const struct lin_map *m, const struct lin_pass *p)
{
    return m->group[p->group1 - 1].to;
}

// The end of the terms from `from` on whose plaintexts are held at once: the last end of a group among HELD, if there is one.
static uint32_t batch_end(const struct lin_map *m, const struct lin_pass *p, uint32_t from)
{
    if (m->lin->term[0].pt.rows || last_term(m, p) - from <= HELD) return last_term(m, p);
    uint32_t end = from + HELD;
    for (uint32_t g = p->group0; g < p->group1 && m->group[g].to <= from + HELD; g++)
        if (m->group[g].to > from) end = m->group[g].to;
    return end;
}

// Whether every plaintext of the pass can be had at once, so that babies need not outlive a tile.
static bool all_at_once(const struct lin_map *m, const struct lin_pass *p)
{
    return batch_end(m, p, m->group[p->group0].from) == last_term(m, p);
}

static uint32_t at_most(uint32_t x, uint32_t most)
{
    return x < most ? x : most;
}

static size_t plain_words(const struct lin_map *m)
{
    return m->lin->term[0].pt.rows ? 0 : ((size_t)2 << m->ctx->par.log_slots) + LIN_SKEW;
}

size_t ck_lin_sums_words(const struct lin_map *m)
{
    const uint32_t terms = m->lin->nterm;
    const size_t span = terms > HELD && plain_words(m) ? m->ctx->n : m->tile;
    size_t sources = m->chunk < m->lin->nin ? (size_t)m->chunk * m->most : m->nsource;
    if (!is_made(m) || m->keep) sources = 0;
    return sources * 2 * (span + LIN_SKEW) + at_most(terms, HELD) * plain_words(m) + (at_most(terms, MOST) + 2) * piece_of(m) +
           ck_plain_scratch(m->ctx) + 64;
}

// One tile of both polynomials of a baby modulo QP, limb j. False if the expansion failed.
static bool make_tile(const struct lin_map *m, const struct lin_pass *p, uint32_t source, uint64_t *const out[2], uint32_t j, size_t at)
{
    const struct lin_source *s = &m->source[source];
    const struct ck_context *ctx = m->ctx;
    const struct ck_kernels *k = ctx->k;
    const struct ck_gadget *g = m->g;
    const uint32_t wide = m->ell + m->kin;
    const size_t n = ctx->n;
    if (!s->key) {
        for (uint32_t i = 0; i < 2 && j < m->ell; i++) k->mulc(out[i], s->poly[i] + j * n + at, &g->p[j], m->tile, &ctx->mod[j]);
        return true;
    }
    struct ck_key_row row;
    ck_key_row_init(&row, ctx, g, s->key, m->ell, j);
    const uint64_t *digits = m->digits + (s->in - p->in0) * row.d * wide * n;
    for (uint32_t i = 0; i < row.d; i++) row.x[i] = ck_digit_limb(ctx, g, digits, s->poly[1], m->ell, i, j);
    row.perm = s->key->perm;
    row.lazy = true;
    if (j < m->ell) row.raise = s->poly[0] + j * n;
    const struct lin_source *next = s + 1, *end = m->source + p->source1;
    while (next < end && !next->key) next++;
    if (next < end) ck_key_row_ahead(&row, ctx, g, next->key, m->ell, j, ck_tile_from(next->key->perm, at, m->tile));
    return k->inner_key(k, out[0], out[1], &row, at, m->tile);
}

// Where tile `at` of polynomial i of a source is; `babies` holds those of the span that starts at base.
static uint64_t *baby_at(const struct lin_map *m, const struct lin_pass *p, uint32_t source, uint32_t i, uint32_t j, size_t at,
                         uint64_t *babies, size_t base, size_t span)
{
    if (m->keep) return m->pool + (source * 2 + i) * lin_turned_words(m, m->kin) + j * m->ctx->n + at;
    return babies + ((source - p->source0) * 2 + i) * (span + LIN_SKEW) + (at - base);
}

struct workspace {
    uint64_t *babies, *plain, *spread, *more, *scratch;
    size_t span;
};

// The sum of a group (+)= its terms [from, to), at most MOST, on one piece of limb j.
static void product_piece(const struct lin_map *m, const struct lin_pass *p, const struct workspace *w, uint32_t group, uint32_t from,
                          uint32_t to, uint32_t first, uint32_t j, size_t at, size_t base)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, piece = piece_of(m);
    const uint32_t wide = m->ell + m->kin;
    const struct ck_mod *mod = &ctx->mod[ck_limb_prime(ctx, m->ell, j)];
    const uint64_t *a[MOST], *x[MOST], *y[MOST];
    uint64_t *sum = m->sums + (group - p->group0) * lin_inner_words(m), *to0 = sum + j * n + at, *to1 = sum + (wide + j) * n + at;
    const uint32_t logm = m->plain[from].logm;
    const bool half = logm + 1 == ctx->logn, rows = logm + 3 <= ctx->logn, first_sum = from == m->group[group].from;
    uint32_t d = 0;
    for (uint32_t t = from; t < to; t++) {
        const struct ck_lin_term *term = &m->lin->term[t];
        const uint32_t source = m->source_of[term->in * m->lin->nbaby + term->baby] - 1;
        const struct lin_source *s = &m->source[source];
        const struct ck_plain *pt = &m->plain[t];
        if (is_made(m) && !s->key && j >= m->ell) continue;       // P times it is 0 there
        const uint64_t *values = pt->eval ? pt->eval + ((size_t)j << pt->logm) : w->plain + (t - first) * plain_words(m);
        a[d] = rows ? values : half ? values + at / 2 : ck_plain_piece(w->spread + d * piece, ctx, values, pt->logm, at, log2_of(piece));
        x[d] = is_made(m) ? baby_at(m, p, source, 0, j, at, w->babies, base, w->span) : s->poly[0] + j * n + at;
        y[d] = is_made(m) ? baby_at(m, p, source, 1, j, at, w->babies, base, w->span) : s->poly[1] + j * n + at;
        d++;
    }
    uint64_t *out0 = first_sum ? to0 : w->more, *out1 = first_sum ? to1 : w->more + piece;
    if (rows) ctx->k->inner2_rows(ctx->k, out0, out1, a, logm, ctx->logn, at, x, y, d, piece, mod);
    else if (half) ctx->k->inner2_half(ctx->k, out0, out1, a, x, y, d, piece, mod);
    else ctx->k->inner2(out0, out1, a, x, y, d, piece, mod);
    if (first_sum) return;
    ctx->k->add(to0, to0, out0, piece, mod);
    ctx->k->add(to1, to1, out1, piece, mod);
}

// The same for all terms of the group among [first, last).
static void product_group(const struct lin_map *m, const struct lin_pass *p, const struct workspace *w, uint32_t group, uint32_t first, uint32_t last,
                          uint32_t j, size_t at, size_t base)
{
    uint32_t from, end;
    if (m->group[group].to <= first || m->group[group].from >= last) return;
    terms_of(m, p, &m->group[group], &from, &end);
    if (from < first) from = first;
    if (end > last) end = last;
    for (uint32_t to; from < end; from = to) {
        to = end - from > MOST ? from + MOST : end;
        product_piece(m, p, w, group, from, to, first, j, at, base);
    }
}

static void transform(const struct lin_map *m, const struct lin_pass *p, const struct workspace *w, uint32_t first, uint32_t last, uint32_t j)
{
    const uint32_t prime = ck_limb_prime(m->ctx, m->ell, j);
    for (uint32_t t = first; t < last; t++) {
        const uint16_t in = m->lin->term[t].in;
        if (!m->plain[t].eval && in >= p->in0 && in < p->in1)
            ck_plain_values(w->plain + (t - first) * plain_words(m), &m->plain[t], m->ctx, prime, w->scratch);
    }
}

// All that a pass does with one prime.
static bool sum_limb(const struct lin_map *m, const struct lin_pass *p, uint32_t j, uint64_t *local)
{
    const size_t n = m->ctx->n, tile = m->tile, piece = piece_of(m);
    const bool once = all_at_once(m, p);
    const uint32_t begin = m->group[p->group0].from, end = last_term(m, p);
    struct workspace w = {.babies = local, .span = once ? tile : n};
    w.plain = w.babies + (is_made(m) && !m->keep ? (p->source1 - p->source0) * 2 * (w.span + LIN_SKEW) : 0);
    w.spread = w.plain + at_most(m->lin->nterm, HELD) * plain_words(m);
    w.more = w.spread + at_most(m->lin->nterm, MOST) * piece;
    w.scratch = w.more + 2 * piece;
    bool ok = true;
    for (size_t base = 0; base < n; base += w.span) {
        for (size_t at = base; is_made(m) && p->make && at < base + w.span; at += tile)
            for (uint32_t s = p->source0; s < p->source1; s++) {
                uint64_t *const out[] = {baby_at(m, p, s, 0, j, at, w.babies, base, w.span),
                                         baby_at(m, p, s, 1, j, at, w.babies, base, w.span)};
                ok &= make_tile(m, p, s, out, j, at);
            }
        for (uint32_t first = begin, last; first < end; first = last) {
            last = batch_end(m, p, first);
            if (base == 0) transform(m, p, &w, first, last, j);
            for (size_t at = base; at < base + w.span; at += piece)
                for (uint32_t g = p->group0; g < p->group1; g++) product_group(m, p, &w, g, first, last, j, at, base);
        }
    }
    return ok;
}

enum ck_err ck_lin_sums(const struct lin_map *m, const struct lin_pass *p)
{
    int bad = 0;
    CK_PARALLEL_SUM(m->ctx->threads, bad)
    for (uint32_t j = 0; j < m->ell + m->kin; j++) bad += !sum_limb(m, p, j, m->local + (size_t)ck_thread_index() * m->local_words);
    return bad ? CK_ERANDOM : CK_OK;
}
