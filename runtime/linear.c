// SPDX-License-Identifier: Apache-2.0
// Linear maps: baby-step giant-step over generalised diagonals. ModUp once per input (hoisting); baby rotations are
// kept modulo QP, so that they need no ModDown (double hoisting), or modulo Q where many plaintext products share one
// baby and K fewer transforms of each plaintext pay more. Giant steps and folds add up modulo QP and share one ModDown,
// merged with the rescale, per output. source [BMTH21] for double hoisting
#include "internal.h"
#include "plain.h"
#include "thread.h"

#include <math.h>
#include <string.h>

/* One call. Limbs: ell in Q; kin special ones of babies and inner sums; kout of outer sums; kin <= kout. */
struct map {
    struct ck_eval *ev;
    const struct ck_context *ctx;
    const struct ck_lin *lin;
    const struct ck_gadget *g;      // of the sums; NULL: nothing is rotated
    uint32_t level, ell, kin, kout;
    uint32_t ngroup;                // distinct (out, giant)
    uint32_t nslot;                 // distinct (in, baby)
    uint32_t most;                  // most babies of one input
    bool stream;                    // one input at a time and a sum per group; else all babies and one sum
    size_t words;                   // scratch of the whole call
    uint8_t *used;                  // nin x nbaby: the pair occurs
    uint64_t **slot;                // [2 (in nbaby + baby) + polynomial]: the rotated input
    uint64_t *pool, *sums, *outer, *acc, *low, *digits, *local;
    size_t pool_at;                 // slots of the pool taken
};

static size_t inner_words(const struct map *m)
{
    return (size_t)2 * (m->ell + m->kin) * m->ctx->n;
}

static const struct ck_key *find(const struct map *m, int32_t k)
{
    return ck_evk_find(m->ev->evk, ck_galois_rotation(m->ctx, k), m->level);
}

static bool is_turn(const struct map *m, int32_t k)
{
    return ck_galois_rotation(m->ctx, k) != 1;
}

static bool new_group(const struct ck_lin_term *t, uint32_t i)
{
    return i == 0 || t[i].out != t[i - 1].out || t[i].giant != t[i - 1].giant;
}

static enum ck_err need_key(struct map *m, int32_t rotation)
{
    if (!is_turn(m, rotation)) return CK_OK;
    const struct ck_key *key = find(m, rotation);
    if (!key) return CK_EKEY;
    if (!m->g) m->g = &m->ev->evk->gadget[key->gadget];
    return CK_OK;
}

// Every key that is used is there; the first baby's gadget, else the first giant's or fold's, is that of the sums.
static enum ck_err check_keys(struct map *m)
{
    const struct ck_lin *lin = m->lin;
    for (uint32_t i = 0; i < lin->nterm; i++) CK_TRY(need_key(m, lin->baby[lin->term[i].baby]));
    for (uint32_t i = 0; i < lin->nterm; i++) CK_TRY(need_key(m, lin->giant[lin->term[i].giant]));
    for (uint32_t i = 0; i < lin->nfold; i++) CK_TRY(need_key(m, lin->fold[i]));
    return CK_OK;
}

static enum ck_err check_terms(const struct ck_lin *lin)
{
    if (!lin->nin || !lin->nout || !(lin->out_scale > 0)) return CK_ESHAPE;
    for (uint32_t i = 0; i < lin->nterm; i++) {
        const struct ck_lin_term *t = &lin->term[i];
        if (t->out >= lin->nout || t->in >= lin->nin) return CK_ESHAPE;
        if (t->giant >= lin->ngiant || t->baby >= lin->nbaby) return CK_ESHAPE;
        if (!i) continue;
        const struct ck_lin_term *p = t - 1;    // order (out, giant, in)
        if (t->out < p->out || (t->out == p->out && (t->giant < p->giant || (t->giant == p->giant && t->in < p->in))))
            return CK_ESHAPE;
    }
    return CK_OK;
}

// Counts, the choice between babies in Q and in QP by the cost model, and the scratch. used is filled by the caller.
static void plan(struct map *m)
{
    const struct ck_lin *lin = m->lin;
    const struct ck_cost *c = &ck_cost_default;
    uint32_t turned_babies = 0, turned_groups = 0;
    for (uint32_t i = 0; i < lin->nin; i++) {
        uint32_t here = 0;
        for (uint32_t b = 0; b < lin->nbaby; b++) {
            if (!m->used[i * lin->nbaby + b]) continue;
            here++;
            turned_babies += is_turn(m, lin->baby[b]);
        }
        m->nslot += here;
        if (here > m->most) m->most = here;
    }
    for (uint32_t i = 0; i < lin->nterm; i++) {
        if (!new_group(lin->term, i)) continue;
        m->ngroup++;
        turned_groups += is_turn(m, lin->giant[lin->term[i].giant]);
    }
    if (m->g) {
        const double k = m->g->np, ell = m->ell, down = (ell + k) * c->t_ntt + ell * k * c->t_conv;
        const int shrink = (int)m->ctx->logn - (int)m->ctx->par.log_slots - 1;
        const double plain = ldexp(c->t_ntt, -shrink) + c->t_elt + 2 * c->t_mul;
        const bool wide = turned_babies && lin->nterm * k * plain + turned_groups * down < turned_babies * 2 * down;
        m->kin = wide ? m->g->np : 0;
        m->kout = wide || turned_groups || lin->nfold ? m->g->np : 0;
    }
    const size_t inner = inner_words(m), n = m->ctx->n, all = m->nslot * inner;
    const size_t each = m->most * inner + m->ngroup * inner;
    m->stream = all + inner > each && all * sizeof(uint64_t) > m->ev->baby_bytes;
    uint32_t widest = m->kout;
    size_t switching = (2 + (size_t)m->ctx->threads) * n;       // of a plain rescale
    for (uint32_t i = 0; m->g && i < m->ev->evk->ngadget; i++) {
        const struct ck_gadget *g = &m->ev->evk->gadget[i];
        if (g->max_level < m->level) continue;
        size_t words = ck_keyswitch_scratch(m->ctx, g, m->level);
        if (words > switching) switching = words;
        if (g->np > widest) widest = g->np;
    }
    const size_t full = (size_t)2 * (m->ell + widest) * n;
    m->words = (m->stream ? each : all + inner) + 3 * full + (size_t)2 * m->ell * n + switching +
               (m->g ? ck_digits_words(m->ctx, m->g, m->level) : 0) + (size_t)lin->nin * lin->nbaby * 2 +
               (size_t)m->ctx->threads * (ck_plain_scratch(m->ctx) + 8) + 64;
}

static void mark_used(struct map *m, uint64_t *table)
{
    const struct ck_lin *lin = m->lin;
    m->used = (uint8_t *)table;
    memset(m->used, 0, (size_t)lin->nin * lin->nbaby);
    for (uint32_t i = 0; i < lin->nterm; i++) m->used[lin->term[i].in * lin->nbaby + lin->term[i].baby] = 1;
}

static enum ck_err prepare(struct map *m, struct ck_eval *ev, const struct ck_lin *lin, uint32_t level)
{
    *m = (struct map){.ev = ev, .ctx = ev->ctx, .lin = lin, .level = level, .ell = level + 1};
    if (level == 0 || level >= ev->ctx->par.nq) return CK_ELEVEL;
    CK_TRY(check_terms(lin));
    CK_TRY(check_keys(m));
    // The table of used pairs is needed before the scratch is known, and again after it may have moved.
    const size_t table = (size_t)lin->nin * lin->nbaby / 8 + 1;
    CK_TRY(ck_scratch_reserve(ev, table));
    mark_used(m, ev->scratch.base + ev->scratch.used);
    plan(m);
    m->words += table + 8;
    CK_TRY(ck_scratch_reserve(ev, m->words));
    mark_used(m, ck_scratch_take(&ev->scratch, table));
    return CK_OK;
}

static void zero(const struct map *m, uint64_t *p, size_t limbs)
{
    CK_PARALLEL(m->ctx->threads)
    for (size_t j = 0; j < limbs; j++) memset(p + j * m->ctx->n, 0, m->ctx->n * sizeof *p);
}

// sum += P a, or sum += a where sum has no special limbs.
static void add_low(const struct map *m, uint64_t *sum, const uint64_t *a, uint32_t special)
{
    if (special) {
        ck_raise_add(sum, m->ctx, m->g, a, m->level);
        return;
    }
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t j = 0; j < m->ell; j++)
        m->ctx->k->add(sum + j * m->ctx->n, sum + j * m->ctx->n, a + j * m->ctx->n, m->ctx->n, &m->ctx->mod[j]);
}

// sum += perm(a) on `limbs` limbs of two polynomials of the same stride; perm = NULL: no automorphism.
static void add_permuted(const struct map *m, uint64_t *sum, const uint64_t *a, const uint32_t *perm, uint32_t limbs)
{
    const size_t n = m->ctx->n, local = ck_plain_scratch(m->ctx);
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t t = 0; t < 2 * limbs; t++) {
        const uint64_t *from = a + t * n;
        uint64_t *tmp = m->local + (size_t)ck_thread_index() * local;
        if (perm) m->ctx->k->permute(tmp, from, perm, n);
        m->ctx->k->add(sum + t * n, sum + t * n, perm ? tmp : from, n,
                       &m->ctx->mod[ck_limb_prime(m->ctx, m->ell, t % limbs)]);
    }
}

// outer += automorphism of u, two polynomials with `special` special limbs (0 or kout); u is destroyed.
static enum ck_err add_turned(struct map *m, uint64_t *u, uint32_t special, int32_t rotation)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, wide = m->ell + m->kout, poly = (m->ell + special) * n;
    struct ck_scratch *s = &m->ev->scratch;
    if (!is_turn(m, rotation)) {
        if (special == m->kout) add_permuted(m, m->outer, u, NULL, (uint32_t)wide);
        else
            for (uint32_t i = 0; i < 2; i++) add_low(m, m->outer + i * wide * n, u + i * poly, m->kout);
        return CK_OK;
    }
    const struct ck_key *key = find(m, rotation);
    const struct ck_gadget *g = &m->ev->evk->gadget[key->gadget];
    const struct ck_moddown_opt plain = {0};
    const uint64_t *c1 = u + poly;
    if (special) {
        ck_moddown(m->low, 0, ctx, m->g, u + poly, 0, 1, m->level, &plain, s);
        c1 = m->low;
    }
    const struct ck_switch in = {.a = c1};
    CK_TRY(ck_switch(m->acc, ctx, g, key, &in, m->level, s));
    if (g == m->g) {
        if (special) {
            CK_PARALLEL(ctx->threads)
            for (uint32_t j = 0; j < wide; j++)
                ctx->k->add(m->acc + j * n, m->acc + j * n, u + j * n, n, &ctx->mod[ck_limb_prime(ctx, m->ell, j)]);
        } else {
            add_low(m, m->acc, u, m->kout);
        }
        add_permuted(m, m->outer, m->acc, key->perm, (uint32_t)wide);
        return CK_OK;
    }
    // A key of another P: finish the rotation in Q and raise it.
    const uint64_t *c0 = u;
    uint64_t *done = m->low + m->ell * n;
    if (special) {
        ck_moddown(done, 0, ctx, m->g, u, 0, 1, m->level, &plain, s);
        memcpy(u, done, m->ell * n * sizeof *u);
    }
    const struct ck_moddown_opt turn = {.perm = key->perm, .add = {c0, NULL}};
    ck_moddown(m->low, m->ell * n, ctx, g, m->acc, (m->ell + g->np) * n, 2, m->level, &turn, s);
    for (uint32_t i = 0; i < 2; i++) add_low(m, m->outer + i * wide * n, m->low + i * m->ell * n, m->kout);
    return CK_OK;
}

// One rotated input into its slot.
static enum ck_err make_baby(struct map *m, const struct ck_ct *in, uint32_t index, int32_t rotation)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, wide = m->ell + m->kin;
    struct ck_scratch *s = &m->ev->scratch;
    uint64_t **slot = m->slot + 2 * index;
    const bool turn = is_turn(m, rotation);
    if (!turn && !m->kin) {
        for (uint32_t i = 0; i < 2; i++) slot[i] = ck_ct_poly(in, i);
        return CK_OK;
    }
    uint64_t *to = m->pool + m->pool_at++ * inner_words(m);
    for (uint32_t i = 0; i < 2; i++) slot[i] = to + i * wide * n;
    if (!turn) {
        zero(m, to, 2 * wide);
        for (uint32_t i = 0; i < 2; i++) add_low(m, slot[i], ck_ct_poly(in, i), m->kin);
        return CK_OK;
    }
    const struct ck_key *key = find(m, rotation);
    const struct ck_gadget *g = &m->ev->evk->gadget[key->gadget];
    const uint64_t *c0 = ck_ct_poly(in, 0);
    if (g == m->g && m->kin)
        return ck_inner(to, ctx, g, key, m->digits, &(struct ck_inner_opt){.raise = c0, .perm = key->perm}, m->level, s);
    if (g == m->g) {
        const struct ck_inner_opt opt = {.raise = c0, .tail = CK_TAIL_P};
        CK_TRY(ck_inner(m->acc, ctx, g, key, m->digits, &opt, m->level, s));
    } else {
        const struct ck_switch what = {.a = ck_ct_poly(in, 1), .raise = {c0, NULL}, .tail = CK_TAIL_P};
        CK_TRY(ck_switch(m->acc, ctx, g, key, &what, m->level, s));
    }
    const struct ck_moddown_opt opt = {.perm = key->perm, .coeff = true};
    const size_t acc_stride = (m->ell + g->np) * n;
    ck_moddown(m->kin ? m->low : to, m->ell * n, ctx, g, m->acc, acc_stride, 2, m->level, &opt, s);
    if (m->kin) {
        zero(m, to, 2 * wide);
        for (uint32_t i = 0; i < 2; i++) add_low(m, slot[i], m->low + i * m->ell * n, m->kin);
    }
    return CK_OK;
}

static enum ck_err make_babies(struct map *m, const struct ck_ct *in, uint32_t i)
{
    const struct ck_lin *lin = m->lin;
    bool extended = false;
    for (uint32_t b = 0; b < lin->nbaby; b++) {
        const uint32_t index = i * lin->nbaby + b;
        if (!m->used[index]) continue;
        if (!extended && is_turn(m, lin->baby[b])) {
            ck_modup(m->digits, m->ctx, m->g, ck_ct_poly(in, 1), m->level, &m->ev->scratch);
            extended = true;
        }
        CK_TRY(make_baby(m, in, index, lin->baby[b]));
    }
    return CK_OK;
}

// sum (+)= plaintexts times babies, for terms [from, to) of one group.
static enum ck_err add_products(const struct map *m, uint64_t *sum, uint32_t from, uint32_t to, bool fresh)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_lin *lin = m->lin;
    const size_t n = ctx->n, local = ck_plain_scratch(ctx);
    const uint32_t wide = m->ell + m->kin;
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < wide; j++) {
        const uint32_t prime = ck_limb_prime(ctx, m->ell, j);
        const struct ck_mod *mod = &ctx->mod[prime];
        uint64_t *sum0 = sum + j * n, *sum1 = sum + (wide + j) * n;
        for (uint32_t t = from; t < to; t++) {
            struct ck_plain p;
            if (ck_plain_open(&p, ctx, m->ev->weights, &lin->term[t].pt) != CK_OK) continue;    // checked before
            const uint64_t *pt = ck_plain_limb(&p, ctx, prime, m->local + (size_t)ck_thread_index() * local);
            uint64_t *const *slot = m->slot + 2 * (lin->term[t].in * lin->nbaby + lin->term[t].baby);
            if (fresh && t == from) {
                ctx->k->mul(sum0, pt, slot[0] + j * n, n, mod);
                ctx->k->mul(sum1, pt, slot[1] + j * n, n, mod);
            } else {
                ctx->k->muladd2(sum0, sum1, pt, slot[0] + j * n, slot[1] + j * n, n, mod);
            }
        }
    }
    return CK_OK;
}

static enum ck_err add_bias(const struct map *m, struct ck_ct *out, const struct ck_pt_ref *ref)
{
    const struct ck_context *ctx = m->ctx;
    struct ck_plain p;
    CK_TRY(ck_plain_open(&p, ctx, m->ev->weights, ref));
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= out->level; j++) {
        uint64_t *limb = ck_ct_poly(out, 0) + j * ctx->n;
        const uint64_t *pt = ck_plain_limb(&p, ctx, j, m->local + (size_t)ck_thread_index() * ck_plain_scratch(ctx));
        ctx->k->add(limb, limb, pt, ctx->n, &ctx->mod[j]);
    }
    return CK_OK;
}

// Folds, the merged ModDown and rescale, the bias.
static enum ck_err finish_output(struct map *m, struct ck_ct *out, uint32_t o)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_lin *lin = m->lin;
    const size_t n = ctx->n, poly = (m->ell + m->kout) * n;
    uint64_t *copy = m->outer + 2 * poly;
    for (uint32_t f = 0; f < lin->nfold; f++) {
        memcpy(copy, m->outer, 2 * poly * sizeof *copy);
        CK_TRY(add_turned(m, copy, m->kout, lin->fold[f]));
    }
    if (m->kout) {
        const struct ck_moddown_opt opt = {.rescale = true};
        ck_moddown(out->data, (out->max_level + 1) * n, ctx, m->g, m->outer, poly, 2, m->level, &opt, &m->ev->scratch);
        CK_TRY(ck_ct_shape(out, ctx, m->level - 1, 1));
    } else {
        struct ck_ct sum = ck_ct_view(ctx, m->outer, m->level, 1);
        sum.level = m->level;
        sum.degree = 1;
        sum.scale = 1;
        CK_TRY(ck_rescale(m->ev, out, &sum));
    }
    out->scale = lin->out_scale;
    return lin->bias ? add_bias(m, out, &lin->bias[o]) : CK_OK;
}

static void take_scratch(struct map *m)
{
    const struct ck_context *ctx = m->ctx;
    struct ck_scratch *s = &m->ev->scratch;
    const size_t n = ctx->n, inner = inner_words(m);
    uint32_t widest = m->kout;
    for (uint32_t i = 0; m->g && i < m->ev->evk->ngadget; i++)
        if (m->ev->evk->gadget[i].max_level >= m->level && m->ev->evk->gadget[i].np > widest)
            widest = m->ev->evk->gadget[i].np;
    m->slot = (uint64_t **)ck_scratch_take(s, (size_t)m->lin->nin * m->lin->nbaby * 2);
    m->pool = ck_scratch_take(s, (m->stream ? m->most : m->nslot) * inner);
    m->sums = ck_scratch_take(s, (m->stream ? m->ngroup : 1) * inner);
    m->outer = ck_scratch_take(s, (size_t)4 * (m->ell + m->kout) * n);      // and its copy for folds
    m->acc = ck_scratch_take(s, (size_t)2 * (m->ell + widest) * n);
    m->low = ck_scratch_take(s, (size_t)2 * m->ell * n);
    m->digits = m->g ? ck_scratch_take(s, ck_digits_words(ctx, m->g, m->level)) : NULL;
    m->local = ck_scratch_take(s, (size_t)ctx->threads * ck_plain_scratch(ctx));
}

// Adds the products of inputs [first, last) of every group; the last call finishes groups and outputs.
static enum ck_err run_groups(struct map *m, struct ck_ct *out, uint32_t first, uint32_t last)
{
    const struct ck_lin *lin = m->lin;
    const uint32_t final = last == lin->nin;
    uint32_t t = 0, group = 0;
    for (uint32_t o = 0; o < lin->nout; o++) {
        if (final) zero(m, m->outer, (size_t)2 * (m->ell + m->kout));
        while (t < lin->nterm && lin->term[t].out == o) {
            uint32_t end = t + 1, from, to;
            while (end < lin->nterm && !new_group(lin->term, end)) end++;
            for (from = t; from < end && lin->term[from].in < first; from++) {}
            for (to = from; to < end && lin->term[to].in < last; to++) {}
            uint64_t *sum = m->sums + (m->stream ? group : 0) * inner_words(m);
            if (to > from) CK_TRY(add_products(m, sum, from, to, from == t));
            if (final) CK_TRY(add_turned(m, sum, m->kin, lin->giant[lin->term[t].giant]));
            group++;
            t = end;
        }
        if (final) CK_TRY(finish_output(m, &out[o], o));
    }
    return CK_OK;
}

enum ck_err ck_linear_reserve(struct ck_eval *ev, const struct ck_lin *lin, uint32_t level)
{
    struct map m;
    const size_t mark = ev->scratch.used;
    enum ck_err err = prepare(&m, ev, lin, level);
    ev->scratch.used = mark;
    return err;
}

enum ck_err ck_linear_words(struct ck_eval *ev, const struct ck_lin *lin, uint32_t level, size_t *words)
{
    struct map m;
    const size_t mark = ev->scratch.used;
    enum ck_err err = prepare(&m, ev, lin, level);
    ev->scratch.used = mark;
    if (err == CK_OK) *words = m.words;
    return err;
}

static enum ck_err check_operands(const struct ck_eval *ev, const struct ck_ct *out, const struct ck_ct *in,
                                  const struct ck_lin *lin)
{
    struct ck_plain p;
    for (uint32_t i = 0; i < lin->nin; i++) {
        if (!in[i].data || in[i].logn != ev->ctx->logn) return CK_ESHAPE;
        if (in[i].level != in[0].level) return CK_ELEVEL;
        if (in[i].degree != 1) return CK_EDEGREE;
        if (!ck_scale_equal(in[i].scale, in[0].scale)) return CK_ESCALE;
    }
    if (in[0].level == 0) return CK_ELEVEL;
    for (uint32_t o = 0; o < lin->nout; o++) {
        if (!out[o].data || out[o].logn != ev->ctx->logn || out[o].max_level + 1 < in[0].level) return CK_ESHAPE;
        for (uint32_t i = 0; i < lin->nin; i++)
            if (out[o].data == in[i].data) return CK_ESHAPE;
        if (lin->bias) CK_TRY(ck_plain_open(&p, ev->ctx, ev->weights, &lin->bias[o]));
    }
    for (uint32_t t = 0; t < lin->nterm; t++) CK_TRY(ck_plain_open(&p, ev->ctx, ev->weights, &lin->term[t].pt));
    return CK_OK;
}

enum ck_err ck_linear(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_lin *lin)
{
    struct map m;
    const size_t mark = ev->scratch.used;
    CK_TRY(check_operands(ev, out, in, lin));
    enum ck_err err = prepare(&m, ev, lin, in[0].level);
    if (err == CK_OK) {
        take_scratch(&m);
        const uint32_t step = m.stream ? 1 : lin->nin;
        for (uint32_t i = 0; err == CK_OK && i < lin->nin; i += step) {
            m.pool_at = 0;
            for (uint32_t j = i; err == CK_OK && j < i + step; j++) err = make_babies(&m, &in[j], j);
            if (err == CK_OK) err = run_groups(&m, out, i, i + step);
        }
    }
    ev->scratch.used = mark;
    return err;
}
