// SPDX-License-Identifier: Apache-2.0
// Linear maps: baby-step giant-step over generalised diagonals. ModUp once per input (hoisting); baby rotations are
// kept modulo QP, so that they need no ModDown (double hoisting), or modulo Q where many plaintext products share one
// baby and K fewer transforms of each plaintext pay more. Giant steps and folds add up modulo QP and share one ModDown,
// merged with the rescale, per output. The inner sums of all giant steps are formed first, prime by prime (linear_sum.c).
// source [BMTH21] for double hoisting
#include "linear_impl.h"
#include "thread.h"

#include <math.h>
#include <string.h>

enum { TILE = 4096, TILE_MIN = 512, BABY_WORDS = 1 << 17 };     // babies of one tile: 1 MiB of L2

static const struct ck_key *find(const struct lin_map *m, int32_t k)
{
    return ck_evk_find(m->ev->evk, ck_galois_rotation(m->ctx, k), m->level);
}

static bool is_turn(const struct lin_map *m, int32_t k)
{
    return ck_galois_rotation(m->ctx, k) != 1;
}

static const struct ck_gadget *gadget_of(const struct lin_map *m, const struct ck_key *key)
{
    return &m->ev->evk->gadget[key->gadget];
}

static enum ck_err need_key(struct lin_map *m, int32_t rotation)
{
    if (!is_turn(m, rotation)) return CK_OK;
    const struct ck_key *key = find(m, rotation);
    if (!key) return CK_EKEY;
    if (!m->g) m->g = gadget_of(m, key);
    return CK_OK;
}

// Every key that is used is there; the first baby's gadget, else the first giant's or fold's, is that of the sums.
static enum ck_err check_keys(struct lin_map *m)
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
        if (!t->pt.rows != !lin->term[0].pt.rows) return CK_EFORMAT;
        if (!i) continue;
        const struct ck_lin_term *p = t - 1;    // order (out, giant, in)
        if (t->out < p->out || (t->out == p->out && (t->giant < p->giant || (t->giant == p->giant && t->in < p->in))))
            return CK_ESHAPE;
    }
    return CK_OK;
}

/* ---- tables ---- */

static size_t words_for(size_t count, size_t size)
{
    return (count * size + 63) / 64 * 8;
}

static size_t table_words(const struct lin_map *m)
{
    const size_t terms = m->lin->nterm, pairs = (size_t)m->lin->nin * m->lin->nbaby;
    return words_for(pairs, sizeof *m->source_of) + words_for(terms < pairs ? terms : pairs, sizeof *m->source) +
           words_for(terms, sizeof *m->group) + words_for(terms, sizeof *m->plain);
}

// Sources by input, groups in the order of terms; `at` has room for table_words.
static void make_tables(struct lin_map *m, uint64_t *at)
{
    const struct ck_lin *lin = m->lin;
    const size_t pairs = (size_t)lin->nin * lin->nbaby, most = lin->nterm < pairs ? lin->nterm : pairs;
    m->source_of = (uint32_t *)at;
    m->source = (struct lin_source *)(at += words_for(pairs, sizeof *m->source_of));
    m->group = (struct lin_group *)(at += words_for(most, sizeof *m->source));
    m->plain = (struct ck_plain *)(at + words_for(lin->nterm, sizeof *m->group));
    m->nsource = m->ngroup = m->most = 0;
    memset(m->source_of, 0, pairs * sizeof *m->source_of);
    for (uint32_t i = 0; i < lin->nterm; i++) m->source_of[lin->term[i].in * lin->nbaby + lin->term[i].baby] = 1;
    for (uint32_t i = 0; i < lin->nin; i++) {
        const uint32_t first = m->nsource;
        for (uint32_t b = 0; b < lin->nbaby; b++) {
            uint32_t *index = &m->source_of[i * lin->nbaby + b];
            if (!*index) continue;
            m->source[m->nsource++] = (struct lin_source){.in = i, .baby = b};
            *index = m->nsource;
        }
        if (m->nsource - first > m->most) m->most = m->nsource - first;
    }
    for (uint32_t i = 0; i < lin->nterm; i++) {
        const struct ck_lin_term *t = &lin->term[i];
        if (!i || t->out != t[-1].out || t->giant != t[-1].giant)
            m->group[m->ngroup++] = (struct lin_group){.from = i, .out = t->out, .rotation = lin->giant[t->giant]};
        m->group[m->ngroup - 1].to = i + 1;
    }
}

/* ---- plan ---- */

// The choice between babies in Q and in QP by the cost model.
static void choose_width(struct lin_map *m)
{
    const struct ck_lin *lin = m->lin;
    const struct ck_cost *c = &ck_cost_default;
    if (!m->g) return;
    uint32_t babies = 0, groups = 0;
    for (uint32_t s = 0; s < m->nsource; s++) babies += is_turn(m, lin->baby[m->source[s].baby]);
    for (uint32_t i = 0; i < m->ngroup; i++) groups += is_turn(m, m->group[i].rotation);
    const double k = m->g->np, ell = m->ell, down = (ell + k) * c->t_ntt + ell * k * c->t_conv;
    const int shrink = (int)m->ctx->logn - (int)m->ctx->par.log_slots - 1;
    const double plain = (lin->term[0].pt.rows ? 0 : ldexp(c->t_ntt, -shrink) + c->t_elt) + c->t_mul;
    const bool wide = babies && lin->nterm * k * plain + groups * down < babies * 2 * down;
    m->kin = wide ? m->g->np : 0;
    m->kout = wide || groups || lin->nfold ? m->g->np : 0;
    for (uint32_t s = 0; wide && s < m->nsource; s++) {
        const int32_t turn = lin->baby[m->source[s].baby];
        m->nmixed += is_turn(m, turn) && gadget_of(m, find(m, turn)) != m->g;
    }
}

// The groups of the output with the most.
static uint32_t largest_output(const struct lin_map *m)
{
    uint32_t most = 0;
    for (uint32_t g = 0, here = 0; g < m->ngroup; g++) {
        here = g && m->group[g].out == m->group[g - 1].out ? here + 1 : 1;
        if (here > most) most = here;
    }
    return most;
}

// The passes. Whole rows of `inner` words are counted: sums of groups and, in Q or if kept, babies; digits of the inputs.
static void choose_passes(struct lin_map *m)
{
    const uint32_t nin = m->lin->nin;
    const size_t inner = lin_inner_words(m), budget = m->ev->baby_bytes / sizeof(uint64_t);
    const size_t digits = m->kin ? ck_digits_words(m->ctx, m->g, m->level) : 0, sums = m->ngroup * inner;
    const size_t one = m->kin ? digits : m->most * inner;               // of an input
    const size_t all = m->kin ? nin * digits : m->nsource * inner;
    const uint32_t output = largest_output(m);
    const size_t batched = m->nsource * inner + (m->kin ? nin * digits : 0) + output * inner;
    m->chunk = nin;
    m->batch = m->ngroup;
    if (all + sums <= budget) return;
    if (one + sums <= budget || one + sums <= batched) {
        m->chunk = m->kin && sums + digits < budget ? (uint32_t)((budget - sums) / digits) : 1;
        return;
    }
    m->keep = m->kin;
    m->batch = batched < budget ? output + (uint32_t)((budget - batched) / inner) : output;
}

static uint32_t widest(const struct lin_map *m)
{
    uint32_t np = m->kout;
    for (uint32_t i = 0; m->g && i < m->ev->evk->ngadget; i++)
        if (m->ev->evk->gadget[i].max_level >= m->level && m->ev->evk->gadget[i].np > np) np = m->ev->evk->gadget[i].np;
    return np;
}

static uint64_t *take(struct lin_map *m, size_t words)
{
    m->words += (words + 7) & ~(size_t)7;
    return m->counting ? NULL : ck_scratch_take(&m->ev->scratch, words);
}

// Scratch of the call, counted or taken; what the key switches take on top is counted only.
static void lay_out(struct lin_map *m)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, inner = lin_inner_words(m);
    m->words = 0;
    m->pool = take(m, m->kin && !m->keep ? 0 : (m->chunk < m->lin->nin ? (size_t)m->chunk * m->most : m->nsource) * inner);
    m->mixed = take(m, m->nmixed * (size_t)2 * m->ell * n);
    m->low = take(m, (size_t)2 * m->ell * n);
    m->sums = take(m, m->batch * inner);
    m->outer = take(m, (size_t)2 * (m->ell + m->kout) * n);
    m->spare = take(m, m->lin->nfold ? (size_t)2 * (m->ell + m->kout) * n : 0);
    m->acc = take(m, (size_t)2 * (m->ell + widest(m)) * n);
    m->digits = take(m, m->g ? ck_digits_words(ctx, m->g, m->level) * (m->kin ? m->chunk : 1) : 0);
    m->local_words = (ck_lin_sums_words(m) + 7) & ~(size_t)7;
    m->local = take(m, (size_t)ctx->threads * m->local_words);
    size_t switching = (2 + (size_t)ctx->threads) * n;       // of a plain rescale
    for (uint32_t i = 0; m->g && i < m->ev->evk->ngadget; i++) {
        const struct ck_gadget *g = &m->ev->evk->gadget[i];
        if (g->max_level < m->level) continue;
        const size_t words = ck_keyswitch_scratch(ctx, g, m->level);
        if (words > switching) switching = words;
    }
    m->words += switching + 64;
}

static enum ck_err prepare(struct lin_map *m, struct ck_eval *ev, const struct ck_lin *lin, uint32_t level)
{
    *m = (struct lin_map){.ev = ev, .ctx = ev->ctx, .lin = lin, .level = level, .ell = level + 1};
    if (level == 0 || level >= ev->ctx->par.nq) return CK_ELEVEL;
    CK_TRY(check_terms(lin));
    CK_TRY(check_keys(m));
    // The tables are needed before the scratch is known, and again after it may have moved.
    const size_t tables = table_words(m);
    CK_TRY(ck_scratch_reserve(ev, tables));
    make_tables(m, ev->scratch.base + ev->scratch.used);
    choose_width(m);
    choose_passes(m);
    const uint32_t at_once = m->chunk < lin->nin ? m->chunk * m->most : m->nsource;
    m->tile = ev->ctx->n < TILE ? ev->ctx->n : TILE;
    while (m->kin && m->tile > TILE_MIN && 2 * at_once * m->tile > BABY_WORDS) m->tile /= 2;
    m->counting = true;
    lay_out(m);
    m->words += tables + 8;
    return ck_scratch_reserve(ev, m->words);
}

static void take_scratch(struct lin_map *m)
{
    const size_t words = m->words;
    make_tables(m, ck_scratch_take(&m->ev->scratch, table_words(m)));
    m->counting = false;
    lay_out(m);
    m->words = words;
}

/* ---- sources ---- */

// A rotated input modulo Q into `to`: hoisted if the key's gadget is that of the digits, at `digits`.
static enum ck_err turn_low(struct lin_map *m, uint64_t *to, const struct ck_ct *in, const struct ck_key *key)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_gadget *g = gadget_of(m, key);
    const uint64_t *c0 = ck_ct_poly(in, 0);
    struct ck_scratch *s = &m->ev->scratch;
    if (g == m->g) {
        const struct ck_inner_opt opt = {.raise = c0, .tail = CK_TAIL_P};
        CK_TRY(ck_inner(m->acc, ctx, g, key, m->digits, &opt, m->level, s));
    } else {
        const struct ck_switch what = {.a = ck_ct_poly(in, 1), .raise = {c0, NULL}, .tail = CK_TAIL_P};
        CK_TRY(ck_switch(m->acc, ctx, g, key, &what, m->level, s));
    }
    const struct ck_moddown_opt opt = {.perm = key->perm, .coeff = true};
    ck_moddown(to, m->ell * ctx->n, ctx, g, m->acc, (m->ell + g->np) * ctx->n, 2, m->level, &opt, s);
    return CK_OK;
}

// What the pass needs of its inputs: digits, and polynomials of the sources that are not made on the fly.
static enum ck_err make_sources(struct lin_map *m, const struct ck_ct *in, const struct lin_pass *p)
{
    const struct ck_lin *lin = m->lin;
    const size_t low = (size_t)2 * m->ell * m->ctx->n;
    uint64_t *pool = m->pool, *mixed = m->mixed;
    uint32_t extended = UINT32_MAX;
    for (uint32_t i = p->source0; i < p->source1; i++) {
        struct lin_source *s = &m->source[i];
        const struct ck_ct *ct = &in[s->in];
        const int32_t k = lin->baby[s->baby];
        for (uint32_t j = 0; j < 2; j++) s->poly[j] = ck_ct_poly(ct, j);
        if (!is_turn(m, k)) continue;
        const struct ck_key *key = find(m, k);
        const bool same = gadget_of(m, key) == m->g;
        if (same && extended != s->in) {
            uint64_t *digits = m->digits + (m->kin ? s->in - p->in0 : 0) * ck_digits_words(m->ctx, m->g, m->level);
            ck_modup(digits, m->ctx, m->g, ck_ct_poly(ct, 1), m->level, &m->ev->scratch);
            extended = s->in;
        }
        if (same && m->kin) {
            s->key = key;
            continue;
        }
        uint64_t **to = m->kin ? &mixed : &pool;
        CK_TRY(turn_low(m, *to, ct, key));
        for (uint32_t j = 0; j < 2; j++) s->poly[j] = *to + j * low / 2;
        *to += low;
    }
    return CK_OK;
}

/* ---- outer sums ---- */

// sum += P a, or sum += a where sum has no special limbs.
static void add_low(const struct lin_map *m, uint64_t *sum, const uint64_t *a, uint32_t special)
{
    if (special) {
        ck_raise_add(sum, m->ctx, m->g, a, m->level);
        return;
    }
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t j = 0; j < m->ell; j++)
        m->ctx->k->add(sum + j * m->ctx->n, sum + j * m->ctx->n, a + j * m->ctx->n, m->ctx->n, &m->ctx->mod[j]);
}

// sum += perm(a + b) on all limbs of two polynomials; b (NULL: none) has the first only. perm NULL: none.
static void add_permuted(const struct lin_map *m, uint64_t *sum, const uint64_t *a, const uint64_t *b, const uint32_t *perm)
{
    const struct ck_kernels *k = m->ctx->k;
    const size_t n = m->ctx->n;
    const uint32_t wide = m->ell + m->kout;
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t t = 0; t < 2 * wide; t++) {
        const uint32_t i = t % 2, j = t / 2;
        const struct ck_mod *mod = &m->ctx->mod[ck_limb_prime(m->ctx, m->ell, j)];
        const size_t at = (i * wide + j) * n;
        const uint64_t *from = a + at;
        uint64_t *tmp = m->local + (size_t)ck_thread_index() * m->local_words;
        if (b && !i) {
            k->add(m->acc + at, from, b + at, n, mod);
            from = m->acc + at;
        }
        if (perm) k->permute(tmp, from, perm, n);
        k->add(sum + at, sum + at, perm ? tmp : from, n, mod);
    }
}

// outer += automorphism of u, two polynomials with `special` special limbs (0 or kout); u is destroyed.
static enum ck_err add_turned(struct lin_map *m, uint64_t *u, uint32_t special, int32_t rotation)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, wide = m->ell + m->kout, poly = (m->ell + special) * n;
    struct ck_scratch *s = &m->ev->scratch;
    if (!is_turn(m, rotation)) {
        if (special == m->kout) add_permuted(m, m->outer, u, NULL, NULL);
        else
            for (uint32_t i = 0; i < 2; i++) add_low(m, m->outer + i * wide * n, u + i * poly, m->kout);
        return CK_OK;
    }
    const struct ck_key *key = find(m, rotation);
    const struct ck_gadget *g = gadget_of(m, key);
    const struct ck_moddown_opt plain = {0};
    const uint64_t *c1 = u + poly;
    if (special) {
        ck_moddown(m->low, 0, ctx, m->g, u + poly, 0, 1, m->level, &plain, s);
        c1 = m->low;
    }
    const struct ck_switch in = {.a = c1, .raise = {g == m->g && !special ? u : NULL, NULL}};
    CK_TRY(ck_switch(m->acc, ctx, g, key, &in, m->level, s));
    if (g == m->g) {
        add_permuted(m, m->outer, m->acc, special ? u : NULL, key->perm);
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

static enum ck_err add_bias(const struct lin_map *m, struct ck_ct *out, const struct ck_pt_ref *ref)
{
    const struct ck_context *ctx = m->ctx;
    struct ck_plain p;
    CK_TRY(ck_plain_open(&p, ctx, m->ev->weights, ref, 0));
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= out->level; j++) {
        uint64_t *limb = ck_ct_poly(out, 0) + j * ctx->n;
        const uint64_t *pt = ck_plain_limb(&p, ctx, j, m->local + (size_t)ck_thread_index() * m->local_words);
        ctx->k->add(limb, limb, pt, ctx->n, &ctx->mod[j]);
    }
    return CK_OK;
}

// Folds, the merged ModDown and rescale, the bias.
static enum ck_err finish_output(struct lin_map *m, struct ck_ct *out, uint32_t o)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_lin *lin = m->lin;
    const size_t n = ctx->n, poly = (m->ell + m->kout) * n;
    for (uint32_t f = 0; f < lin->nfold; f++) {
        uint64_t *copy = m->spare;
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

// The output o from its groups [from, to), whose sums are complete. A sum that needs no rotation is the outer sum to begin with.
static enum ck_err make_output(struct lin_map *m, struct ck_ct *out, uint32_t o, uint32_t from, uint32_t to, uint32_t first)
{
    const size_t wide = m->ell + m->kout, inner = lin_inner_words(m);
    uint64_t *own = m->outer;
    if (from < to && !is_turn(m, m->group[from].rotation) && m->kin == m->kout) {
        m->outer = m->sums + (from - first) * inner;
        from++;
    } else {
        CK_PARALLEL(m->ctx->threads)
        for (size_t j = 0; j < 2 * wide; j++) memset(m->outer + j * m->ctx->n, 0, m->ctx->n * sizeof *m->outer);
    }
    enum ck_err err = CK_OK;
    for (uint32_t g = from; !err && g < to; g++) err = add_turned(m, m->sums + (g - first) * inner, m->kin, m->group[g].rotation);
    if (!err) err = finish_output(m, out, o);
    m->outer = own;
    return err;
}

/* ---- the call ---- */

static enum ck_err run(struct lin_map *m, struct ck_ct *out, const struct ck_ct *in)
{
    const struct ck_lin *lin = m->lin;
    uint32_t o = 0;
    struct lin_pass p = {0};
    while (o < lin->nout) {
        // the groups of the outputs [o, end)
        uint32_t end = o, group1 = p.group0;
        do {
            uint32_t next = group1;
            while (next < m->ngroup && m->group[next].out == end) next++;
            if (end > o && next - p.group0 > m->batch) break;
            group1 = next;
        } while (++end < lin->nout);
        p.group1 = group1;
        p.make = p.group0 == 0;
        for (p.in0 = p.source0 = 0; p.in0 < lin->nin; p.in0 = p.in1, p.source0 = p.source1) {
            p.in1 = lin->nin - p.in0 > m->chunk ? p.in0 + m->chunk : lin->nin;
            for (p.source1 = p.source0; p.source1 < m->nsource && m->source[p.source1].in < p.in1; p.source1++) {}
            if (p.make) CK_TRY(make_sources(m, in, &p));
            if (p.group1 > p.group0) CK_TRY(ck_lin_sums(m, &p));
        }
        for (uint32_t from = p.group0, to; o < end; o++, from = to) {
            for (to = from; to < p.group1 && m->group[to].out == o; to++) {}
            CK_TRY(make_output(m, &out[o], o, from, to, p.group0));
        }
        p.group0 = p.group1;
    }
    return CK_OK;
}

enum ck_err ck_linear_reserve(struct ck_eval *ev, const struct ck_lin *lin, uint32_t level)
{
    struct lin_map m;
    return prepare(&m, ev, lin, level);
}

enum ck_err ck_linear_words(struct ck_eval *ev, const struct ck_lin *lin, uint32_t level, size_t *words)
{
    struct lin_map m;
    CK_TRY(prepare(&m, ev, lin, level));
    *words = m.words;
    return CK_OK;
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
        if (!lin->bias) continue;
        if (lin->bias[o].rows) return CK_EFORMAT;
        CK_TRY(ck_plain_open(&p, ev->ctx, ev->weights, &lin->bias[o], 0));
    }
    return CK_OK;
}

enum ck_err ck_linear(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_lin *lin)
{
    struct lin_map m;
    const size_t mark = ev->scratch.used;
    CK_TRY(check_operands(ev, out, in, lin));
    CK_TRY(prepare(&m, ev, lin, in[0].level));
    take_scratch(&m);
    enum ck_err err = CK_OK;
    for (uint32_t t = 0; !err && t < lin->nterm; t++)
        err = ck_plain_open(&m.plain[t], ev->ctx, ev->weights, &lin->term[t].pt, m.ell + m.kin);
    if (!err) err = run(&m, out, in);
    ev->scratch.used = mark;
    return err;
}
