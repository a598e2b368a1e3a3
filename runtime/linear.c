// SPDX-License-Identifier: Apache-2.0
// Linear maps: baby-step giant-step over generalised diagonals. ModUp once per input (hoisting); baby rotations are
// kept modulo QP, so that they need no ModDown (double hoisting), or modulo Q where many plaintext products share one
// baby and K fewer transforms of each plaintext pay more. Giant steps and folds add up modulo QP and share one ModDown,
// merged with the rescale, per output. The inner sums of all giant steps are formed first, prime by prime (linear_sum.c). Rotations without a
// key are composed (ck_eval_turn): babies from other turns of the input (linear_turn.c); an inner sum whose giant step r lacks one is turned
// by the last step and added to the sum of the giant step before it, where there is one, so that a chain of giants costs no key switch more.
// source [BMTH21] for double hoisting
#include "linear_impl.h"
#include "thread.h"

#include <math.h>
#include <string.h>

enum { TILE = 4096, TILE_MIN = 512, BABY_WORDS = 1 << 17 };     // babies of one tile: 1 MiB of L2

static bool is_turn(const struct lin_map *m, int32_t k)
{
    return ck_rotation(m->ctx, k) != 0;
}

// The keys of a rotation are there; uses[gadget] counts its first step, which digits of the input may serve, or all of them.
static enum ck_err need_keys(const struct lin_map *m, int32_t rotation, bool all, uint32_t *uses)
{
    size_t steps = 0;
    for (int32_t at = ck_rotation(m->ctx, rotation), before; at; at = before) {
        const struct ck_key *key = lin_step(m, at, &before);
        if (!key || steps++ > m->ev->nroute) return CK_EKEY;
        uses[key->gadget] += all || !before;
    }
    return CK_OK;
}

// What ModRaise left, under the sparse secret, is turned by the keys back from it.
static enum ck_err check_raised_keys(struct lin_map *m)
{
    for (uint32_t i = 0; i < m->lin->nterm; i++) {
        const struct ck_key *key = lin_raised_key(m, m->lin->baby[m->lin->term[i].baby]);
        if (!key) return CK_EKEY;
        m->g = lin_gadget(m, key);
    }
    return CK_OK;
}

// Every key that is used is there. The gadget of most babies, else of most giants and folds, is that of the sums.
static enum ck_err check_keys(struct lin_map *m)
{
    const struct ck_lin *lin = m->lin;
    if (lin->raised) return check_raised_keys(m);
    uint32_t baby[CK_MAX_GADGETS] = {0}, outer[CK_MAX_GADGETS] = {0}, babies = 0;
    for (uint32_t i = 0; i < lin->nterm; i++) {
        CK_TRY(need_keys(m, lin->baby[lin->term[i].baby], false, baby));
        CK_TRY(need_keys(m, lin->giant[lin->term[i].giant], true, outer));
    }
    for (uint32_t i = 0; i < lin->nfold; i++) CK_TRY(need_keys(m, lin->fold[i], true, outer));
    for (uint32_t i = 0; i < lin->ngalois; i++) {
        const struct ck_key *key = ck_evk_find(m->ev->evk, lin->galois[i], m->level);
        if (!key) return CK_EKEY;
        outer[key->gadget]++;
    }
    for (uint32_t g = 0; g < CK_MAX_GADGETS; g++) babies += baby[g];
    const uint32_t *uses = babies ? baby : outer;
    uint32_t best = 0;
    for (uint32_t g = 1; g < CK_MAX_GADGETS; g++)
        if (uses[g] > uses[best]) best = g;
    if (uses[best]) m->g = &m->ev->evk->gadget[best];
    return CK_OK;
}

static enum ck_err check_terms(const struct ck_lin *lin)
{
    if (!lin->nin || !lin->nout || !(lin->out_scale > 0)) return CK_ESHAPE;
    if (lin->ngalois > CK_LIN_MAX_GALOIS) return CK_ESHAPE;
    if (lin->raised && (lin->nin > 1 || lin->nfold || lin->ngalois || lin->ngiant != 1 || lin->giant[0])) return CK_ESHAPE;
    for (uint32_t i = 0; i < lin->nterm; i++) {
        const struct ck_lin_term *t = &lin->term[i];
        if (t->out >= lin->nout || t->in >= lin->nin) return CK_ESHAPE;
        if (t->giant >= lin->ngiant || t->baby >= lin->nbaby) return CK_ESHAPE;
        if (!t->pt.rows != !lin->term[0].pt.rows || (t->pt.rows && t->pt.shift != lin->term[0].pt.shift)) return CK_EFORMAT;
        if (!i) continue;
        const struct ck_lin_term *p = t - 1;    // order (out, giant, in)
        if (t->out < p->out || (t->out == p->out && (t->giant < p->giant || (t->giant == p->giant && t->in < p->in))))
            return CK_ESHAPE;
    }
    return CK_OK;
}

/* ---- tables ---- */

static size_t table_words(const struct lin_map *m)
{
    const size_t terms = m->lin->nterm, pairs = (size_t)m->lin->nin * m->lin->nbaby;
    return lin_words_for(pairs, sizeof *m->source_of) + lin_words_for(terms < pairs ? terms : pairs, sizeof *m->source) +
           lin_words_for(terms, sizeof *m->group) + lin_words_for(terms, sizeof *m->plain) + ck_lin_turn_words(m);
}

// Sources by input, groups in the order of terms; `at` has room for table_words.
static void make_tables(struct lin_map *m, uint64_t *at)
{
    const struct ck_lin *lin = m->lin;
    const size_t pairs = (size_t)lin->nin * lin->nbaby, most = lin->nterm < pairs ? lin->nterm : pairs;
    m->source_of = (uint32_t *)at;
    m->source = (struct lin_source *)(at += lin_words_for(pairs, sizeof *m->source_of));
    m->group = (struct lin_group *)(at += lin_words_for(most, sizeof *m->source));
    m->plain = (struct ck_plain *)(at += lin_words_for(lin->nterm, sizeof *m->group));
    m->turn_of = (uint32_t *)(at + lin_words_for(lin->nterm, sizeof *m->plain));
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
            m->group[m->ngroup++] = (struct lin_group){.from = i, .out = t->out, .rotation = ck_rotation(m->ctx, lin->giant[t->giant])};
        m->group[m->ngroup - 1].to = i + 1;
    }
    for (uint32_t i = 0; i < m->ngroup; i++)
        for (int32_t k = m->group[i].rotation; k; m->group[i].depth++) lin_step(m, k, &k);
    ck_lin_turns(m);
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
    if (lin->raised) {
        m->kin = m->kout = m->g->np;
        return;
    }
    const double k = m->g->np, ell = m->ell, down = (ell + k) * c->t_ntt + ell * k * c->t_conv;
    const int shrink = (int)m->ctx->logn - (int)m->ctx->par.log_slots - 1;
    const double plain = (lin->term[0].pt.rows ? 0 : ldexp(c->t_ntt, -shrink) + c->t_elt) + c->t_mul;
    const bool wide = babies && lin->nterm * k * plain + groups * down < babies * 2 * down;
    m->kin = wide ? m->g->np : 0;
    m->kout = wide || groups || lin->nfold || lin->ngalois ? m->g->np : 0;
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
    m->pool = take(m, m->kin && !m->keep ? 0 : (m->chunk < m->lin->nin ? (size_t)m->chunk * m->most : m->nsource) * 2 *
                          lin_turned_words(m, m->kin));
    m->mixed = take(m, m->nmixed * 2 * lin_turned_words(m, 0));
    m->low = take(m, (size_t)2 * m->ell * n);
    m->sums = take(m, m->batch * inner);
    m->outer = take(m, (size_t)2 * (m->ell + m->kout) * n);
    m->spare = take(m, m->lin->nfold || m->lin->ngalois ? (size_t)2 * (m->ell + m->kout) * n : 0);
    m->acc = take(m, (size_t)2 * (m->ell + widest(m)) * n);
    m->digits = take(m, m->g ? ck_digits_words(ctx, m->g, m->level) * (m->kin ? m->chunk : 1) : 0);
    m->hubs = take(m, m->nhub * 2 * lin_turned_words(m, 0));
    m->more = take(m, ck_lin_turn_digits(m));
    m->local_words = (ck_lin_sums_words(m) + 7) & ~(size_t)7;
    m->local = take(m, (size_t)ctx->threads * m->local_words);
    size_t switching = ck_rescale_scratch(ctx, 1);
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
    ck_lin_turns_count(m);
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

// The outer sum again, before automorphisms of it are added to it.
static uint64_t *copy_outer(const struct lin_map *m)
{
    const size_t n = m->ctx->n;
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t t = 0; t < 2 * (m->ell + m->kout); t++) memcpy(m->spare + t * n, m->outer + t * n, n * sizeof *m->spare);
    return m->spare;
}

// outer += a, two polynomials with kout special limbs.
static void add_wide(const struct lin_map *m, const uint64_t *a)
{
    const size_t n = m->ctx->n;
    const uint32_t wide = m->ell + m->kout;
    CK_PARALLEL(m->ctx->threads)
    for (uint32_t t = 0; t < 2 * wide; t++) {
        const struct ck_mod *mod = &m->ctx->mod[ck_limb_prime(m->ctx, m->ell, t % wide)];
        m->ctx->k->add(m->outer + t * n, m->outer + t * n, a + t * n, n, mod);
    }
}

// outer += a sum that is not turned.
static void add_sum(const struct lin_map *m, const uint64_t *u)
{
    if (m->kin == m->kout) {
        add_wide(m, u);
        return;
    }
    for (uint32_t i = 0; i < 2; i++) add_low(m, m->outer + i * (m->ell + m->kout) * m->ctx->n, u + i * m->ell * m->ctx->n, m->kout);
}

// Automorphism of u, two polynomials with `special` special limbs (0 or kout), by one key. The result is in Q, in the place of u.
static enum ck_err turn_low(struct lin_map *m, uint64_t *u, uint32_t special, const struct ck_key *key)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_gadget *g = lin_gadget(m, key);
    const size_t poly = m->ell * ctx->n;
    struct ck_scratch *s = &m->ev->scratch;
    const uint64_t *from = u;
    if (special) {
        const struct ck_moddown_opt plain = {0};
        ck_moddown(m->low, poly, ctx, m->g, u, (m->ell + special) * ctx->n, 2, m->level, &plain, s);
        from = m->low;
    }
    const struct ck_switch in = {.a = from + poly, .raise = {from, NULL}, .tail = CK_TAIL_P};
    CK_TRY(ck_switch(m->acc, ctx, g, key, &in, m->level, s));
    const struct ck_moddown_opt turn = {.perm = key->perm, .coeff = true};
    ck_moddown(u, poly, ctx, g, m->acc, (m->ell + g->np) * ctx->n, 2, m->level, &turn, s);
    return CK_OK;
}

// sum (with `into` special limbs, 0 or kout) += automorphism of u (with `special`) by one key; u is destroyed.
static enum ck_err add_turned(struct lin_map *m, uint64_t *sum, uint32_t into, uint64_t *u, uint32_t special, const struct ck_key *key)
{
    const struct ck_context *ctx = m->ctx;
    const size_t n = ctx->n, poly = (m->ell + special) * n;
    struct ck_scratch *s = &m->ev->scratch;
    if (lin_gadget(m, key) != m->g || !into) {     // a key of another P, or a sum in Q: finish the rotation in Q
        CK_TRY(turn_low(m, u, special, key));
        for (uint32_t i = 0; i < 2; i++) add_low(m, sum + i * (m->ell + into) * n, u + i * m->ell * n, into);
        return CK_OK;
    }
    const uint64_t *c1 = u + poly;
    if (special) {
        const struct ck_moddown_opt plain = {0};
        ck_moddown(m->low, 0, ctx, m->g, u + poly, 0, 1, m->level, &plain, s);
        c1 = m->low;
    }
    const struct ck_switch in = {.a = c1, .raise = {special ? NULL : u, NULL}, .plus = special ? u : NULL, .into = sum, .perm = key->perm};
    return ck_switch(m->acc, ctx, m->g, key, &in, m->level, s);
}

// outer += u turned by a rotation; u, with `special` special limbs, is destroyed. A giant step before the last one that has a sum among
// [from, to) takes it instead, and passes it on.
static enum ck_err turn_sum(struct lin_map *m, uint64_t *u, uint32_t special, int32_t rotation, uint64_t *sums, uint32_t from, uint32_t to)
{
    int32_t before;
    const struct ck_key *key = lin_step(m, rotation, &before);
    for (; before; key = lin_step(m, before, &before)) {
        uint32_t g = from;
        while (g < to && m->group[g].rotation != before) g++;
        if (g < to) return add_turned(m, sums + (g - from) * lin_inner_words(m), m->kin, u, special, key);
        CK_TRY(turn_low(m, u, special, key));
        special = 0;
    }
    return add_turned(m, m->outer, m->kout, u, special, key);
}

// outer += its automorphisms by all of lin->galois: one ModUp for all of them.
static enum ck_err add_automorphisms(struct lin_map *m)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_lin *lin = m->lin;
    const uint32_t wide = m->ell + m->kout, d = ck_gadget_digits(m->g, m->ell);
    const size_t n = ctx->n, poly = wide * n;
    const struct ck_moddown_opt plain = {0};
    const struct ck_key *key[CK_LIN_MAX_GALOIS];
    for (uint32_t i = 0; i < lin->ngalois; i++) {
        key[i] = ck_evk_find(m->ev->evk, lin->galois[i], m->level);
        if (!key[i] || lin_gadget(m, key[i]) != m->g) return CK_EKEY;
    }
    ck_moddown(m->low, 0, ctx, m->g, copy_outer(m) + poly, 0, 1, m->level, &plain, &m->ev->scratch);
    ck_modup(m->digits, ctx, m->g, m->low, m->level, &m->ev->scratch);
    int bad = 0;
    CK_PARALLEL_SUM(ctx->threads, bad)
    for (uint32_t j = 0; j < wide; j++) {
        const struct ck_shoup one = ck_shoup_init(1, &ctx->mod[ck_limb_prime(ctx, m->ell, j)]);
        struct ck_key_row row[CK_LIN_MAX_GALOIS];
        for (uint32_t i = 0; i < lin->ngalois; i++) {
            ck_key_row_init(&row[i], ctx, m->g, key[i], m->ell, j);
            for (uint32_t k = 0; k < d; k++) row[i].x[k] = ck_digit_limb(ctx, m->g, m->digits, m->low, m->ell, k, j);
            row[i].raise = m->spare + j * n;
            row[i].factor = &one;
            row[i].perm = key[i]->perm;
            row[i].add = true;
        }
        for (size_t at = 0; at < n; at += m->tile)
            for (uint32_t i = 0; i < lin->ngalois; i++) {
                // the next tile in this order
                const uint32_t k = (i + 1) % lin->ngalois;
                const size_t next = k ? at : at + m->tile;
                uint64_t *to = m->outer + j * n + at;
                row[i].ahead[0] = NULL;
                if (next < n) ck_key_row_ahead(&row[i], ctx, m->g, key[k], m->ell, j, ck_tile_from(key[k]->perm, next, m->tile));
                bad += !ctx->k->inner_key(ctx->k, to, to + poly, &row[i], at, m->tile);
            }
    }
    return bad ? CK_ERANDOM : CK_OK;
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

// Folds, automorphisms, the merged ModDown and rescale, the bias.
static enum ck_err finish_output(struct lin_map *m, struct ck_ct *out, uint32_t o)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_lin *lin = m->lin;
    const size_t n = ctx->n, poly = (m->ell + m->kout) * n;
    for (uint32_t f = 0; f < lin->nfold; f++) {
        uint64_t *copy = copy_outer(m);
        const int32_t fold = ck_rotation(m->ctx, lin->fold[f]);
        if (fold) CK_TRY(turn_sum(m, copy, m->kout, fold, NULL, 0, 0));
        else add_wide(m, copy);
    }
    if (lin->ngalois) CK_TRY(add_automorphisms(m));
    if (m->kout) {
        const struct ck_moddown_opt opt = {.rescale = !lin->keep_level};
        ck_moddown(out->data, (out->max_level + 1) * n, ctx, m->g, m->outer, poly, 2, m->level, &opt, &m->ev->scratch);
        CK_TRY(ck_ct_shape(out, ctx, m->level - !lin->keep_level, 1));
    } else {
        struct ck_ct sum = ck_ct_view(ctx, m->outer, m->level, 1);
        sum.level = m->level;
        sum.degree = 1;
        sum.scale = 1;
        CK_TRY(lin->keep_level ? ck_drop(m->ev, out, &sum, m->level) : ck_rescale(m->ev, out, &sum));
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
    uint32_t depth = 0;
    for (uint32_t g = from; g < to; g++) depth = m->group[g].depth > depth ? m->group[g].depth : depth;
    uint64_t *sums = m->sums + (from - first) * inner;
    for (; depth; depth--)      // what is added to another sum comes first
        for (uint32_t g = from; !err && g < to; g++)
            if (m->group[g].depth == depth)
                err = turn_sum(m, sums + (g - from) * inner, m->kin, m->group[g].rotation, sums, from, to);
    for (uint32_t g = from; !err && g < to; g++)
        if (!m->group[g].depth) add_sum(m, sums + (g - from) * inner);
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
            if (p.make) CK_TRY(lin->raised ? ck_lin_raised_sources(m, in) : ck_lin_sources(m, in, &p));
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
        if (!out[o].data || out[o].logn != ev->ctx->logn || out[o].max_level + !lin->keep_level < in[0].level) return CK_ESHAPE;
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
