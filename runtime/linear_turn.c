// SPDX-License-Identifier: Apache-2.0
// The rotated inputs of a linear map. Turns form a tree below the input: a baby with a key of its own hangs from the input, a composed one
// from the turn before its last step (ck_eval_turn). What hangs from one turn and has one gadget shares a ModUp, so composed
// babies are hoisted as others are, from another place. In QP, leaves below the input are left to linear_sum.c, which makes them on the fly.
#include "linear_impl.h"
#include "thread.h"

#include <string.h>

// A turn that is no baby comes before the last step of a route.
static size_t most_turns(const struct lin_map *m)
{
    return m->lin->nbaby + m->ev->nroute;
}

size_t ck_lin_turn_words(const struct lin_map *m)
{
    return lin_words_for(m->lin->nbaby, sizeof *m->turn_of) + lin_words_for(most_turns(m), sizeof *m->turn);
}

// Index + 1 of a rotation in [0, n), which is added after those before it; 0 for none.
static uint32_t turn_at(struct lin_map *m, int32_t rotation)
{
    if (!rotation) return 0;
    for (uint32_t t = 0; t < m->nturn; t++)
        if (m->turn[t].rotation == rotation) return t + 1;
    int32_t before;
    const struct ck_key *key = lin_step(m, rotation, &before);
    const uint32_t from = turn_at(m, before);
    if (from) m->turn[from - 1].children++;
    m->turn[m->nturn++] = (struct lin_turn){.rotation = rotation, .from = from, .key = key};
    return m->nturn;
}

void ck_lin_turns(struct lin_map *m)
{
    const struct ck_lin *lin = m->lin;
    m->turn = (struct lin_turn *)(void *)((uint64_t *)(void *)m->turn_of + lin_words_for(lin->nbaby, sizeof *m->turn_of));
    m->nturn = 0;
    memset(m->turn_of, 0, lin->nbaby * sizeof *m->turn_of);
    for (uint32_t s = 0; s < m->nsource && !lin->raised; s++) {
        const uint32_t b = m->source[s].baby;
        m->turn_of[b] = turn_at(m, ck_rotation(m->ctx, lin->baby[b]));
    }
}

static bool on_the_fly(const struct lin_map *m, const struct lin_turn *t)
{
    return m->kin && !t->from && !t->children && lin_gadget(m, t->key) == m->g;
}

// Marks the turns that the sources [from, to), of one input, need.
static void mark(struct lin_map *m, uint32_t from, uint32_t to)
{
    for (uint32_t t = 0; t < m->nturn; t++) {
        m->turn[t].wanted = false;
        m->turn[t].source = 0;
    }
    for (uint32_t s = from; s < to; s++) {
        uint32_t t = m->turn_of[m->source[s].baby];
        if (t) m->turn[t - 1].source = s + 1;
        for (; t; t = m->turn[t - 1].from) m->turn[t - 1].wanted = true;
    }
}

void ck_lin_turns_count(struct lin_map *m)
{
    m->nmixed = m->nhub = 0;
    for (uint32_t from = 0, to; from < m->nsource; from = to) {
        for (to = from; to < m->nsource && m->source[to].in == m->source[from].in; to++) {}
        mark(m, from, to);
        uint32_t hubs = 0;
        for (uint32_t t = 0; t < m->nturn; t++) {
            const struct lin_turn *turn = &m->turn[t];
            if (!turn->wanted) continue;
            hubs += !turn->source;
            m->nmixed += turn->source && m->kin && !on_the_fly(m, turn);
        }
        if (hubs > m->nhub) m->nhub = hubs;
    }
}

size_t ck_lin_turn_digits(const struct lin_map *m)
{
    size_t most = 0;
    for (uint32_t t = 0; t < m->nturn; t++) {
        const struct ck_gadget *g = lin_gadget(m, m->turn[t].key);
        if (!m->turn[t].from && g == m->g) continue;
        const size_t words = ck_digits_words(m->ctx, g, m->level);
        if (words > most) most = words;
    }
    return most;
}

// Places of the next turn: a source's in the pool or among the mixed ones, another's among the hubs.
struct places {
    uint64_t *source, *hub;
};

// One turn of c0, c1 in Q, from the digits of c1 or, where it is the only one of them, without.
static enum ck_err make_turn(struct lin_map *m, struct lin_turn *t, const uint64_t *const c[2], const uint64_t *digits, struct places *at)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_gadget *g = lin_gadget(m, t->key);
    struct ck_scratch *s = &m->ev->scratch;
    const size_t poly = m->ell * ctx->n, apart = lin_turned_words(m, 0);
    if (digits) {
        const struct ck_inner_opt opt = {.raise = c[0], .tail = CK_TAIL_P};
        CK_TRY(ck_inner(m->acc, ctx, g, t->key, digits, c[1], &opt, m->level));
    } else {
        const struct ck_switch what = {.a = c[1], .raise = {c[0], NULL}, .tail = CK_TAIL_P};
        CK_TRY(ck_switch(m->acc, ctx, g, t->key, &what, m->level, s));
    }
    uint64_t **place = t->source ? &at->source : &at->hub, *to = *place;
    *place += 2 * apart;
    const struct ck_moddown_opt opt = {.perm = t->key->perm, .coeff = true};
    ck_moddown(to, apart, ctx, g, m->acc, poly + g->np * ctx->n, 2, m->level, &opt, s);
    for (uint32_t j = 0; j < 2; j++) {
        t->poly[j] = to + j * apart;
        if (t->source) m->source[t->source - 1].poly[j] = t->poly[j];
    }
    return CK_OK;
}

// The turns that hang from `from` (a turn + 1, or 0: the input) with polynomials c and have keys of gadget g.
static enum ck_err make_children(struct lin_map *m, uint32_t from, const uint64_t *const c[2], const struct ck_gadget *g, uint64_t *digits,
                                 struct places *at)
{
    uint32_t count = 0, fly = 0;
    for (uint32_t i = from; i < m->nturn; i++) {
        const struct lin_turn *t = &m->turn[i];
        if (!t->wanted || t->from != from || lin_gadget(m, t->key) != g) continue;
        count++;
        fly += on_the_fly(m, t);
    }
    if (!count) return CK_OK;
    const bool main = !from && g == m->g;
    if (!main) digits = m->more;
    if (count == 1 && !fly) digits = NULL;
    if (digits) ck_modup(digits, m->ctx, g, c[1], m->level, &m->ev->scratch);
    for (uint32_t i = from; i < m->nturn; i++) {
        struct lin_turn *t = &m->turn[i];
        if (!t->wanted || t->from != from || lin_gadget(m, t->key) != g) continue;
        if (on_the_fly(m, t)) m->source[t->source - 1].key = t->key;
        else CK_TRY(make_turn(m, t, c, digits, at));
    }
    return CK_OK;
}

enum ck_err ck_lin_sources(struct lin_map *m, const struct ck_ct *in, const struct lin_pass *p)
{
    struct places at = {.source = m->kin ? m->mixed : m->pool};
    for (uint32_t s = p->source0, end; s < p->source1; s = end) {
        const struct ck_ct *ct = &in[m->source[s].in];
        const uint64_t *c[2] = {ck_ct_poly(ct, 0), ck_ct_poly(ct, 1)};
        for (end = s; end < p->source1 && m->source[end].in == m->source[s].in; end++)
            for (uint32_t j = 0; j < 2; j++) m->source[end].poly[j] = c[j];
        mark(m, s, end);
        at.hub = m->hubs;
        uint64_t *digits = m->digits;
        if (m->kin) digits += (m->source[s].in - p->in0) * ck_digits_words(m->ctx, m->g, m->level);
        for (uint32_t from = 0; m->nturn && from <= m->nturn; from++) {        // without turns there may be no keys
            if (from && (!m->turn[from - 1].wanted || !m->turn[from - 1].children)) continue;
            for (uint32_t g = 0; g < m->ev->evk->ngadget; g++)
                CK_TRY(make_children(m, from, from ? m->turn[from - 1].poly : c, &m->ev->evk->gadget[g], digits, &at));
        }
    }
    return CK_OK;
}

// The one digit of what ModRaise left is the polynomial itself (ck_digit_limb); only its centred coefficients modulo the special primes are made.
static void raised_digit(struct lin_map *m, const uint64_t *a)
{
    const struct ck_context *ctx = m->ctx;
    const struct ck_kernels *k = ctx->k;
    const size_t n = ctx->n;
    uint64_t *low = m->acc;
    memcpy(low, a, n * sizeof *low);
    k->intt(low, ctx->ntt[0]);
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = m->ell; j < m->ell + m->kin; j++) {
        const uint32_t prime = ck_limb_prime(ctx, m->ell, j);
        uint64_t *to = m->digits + j * n;
        k->lift(to, low, n, &ctx->mod[prime], &ctx->mod[0]);
        k->ntt(to, ctx->ntt[prime]);
    }
}

enum ck_err ck_lin_raised_sources(struct lin_map *m, const struct ck_ct *in)
{
    raised_digit(m, ck_ct_poly(in, 1));
    for (uint32_t s = 0; s < m->nsource; s++) {
        struct lin_source *source = &m->source[s];
        source->key = lin_raised_key(m, m->lin->baby[source->baby]);
        for (uint32_t j = 0; j < 2; j++) source->poly[j] = ck_ct_poly(in, j);
    }
    return CK_OK;
}
