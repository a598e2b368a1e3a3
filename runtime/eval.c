// SPDX-License-Identifier: Apache-2.0
// Evaluators: one running program's context, keys, weights and stack of scratch memory.
#include "internal.h"

#include <assert.h>

static const size_t default_baby_bytes = (size_t)1 << 30;

static size_t round_words(size_t words)
{
    return (words + 7) & ~(size_t)7;        // 64 bytes
}

uint64_t *ck_scratch_take(struct ck_scratch *s, size_t words)
{
    uint64_t *p = s->base + s->used;
    s->used += round_words(words);
    assert(s->used <= s->size);
    return p;
}

enum ck_err ck_scratch_reserve(struct ck_eval *ev, size_t words)
{
    struct ck_scratch *s = &ev->scratch;
    if (words <= s->size && s->used <= s->size - words) return CK_OK;
    if (s->used) return CK_ENOMEM;          // words in use do not move
    uint64_t *base = ck_mem_alloc(round_words(words) * sizeof *base);
    if (!base) return CK_ENOMEM;
    ck_mem_free(s->base, s->size * sizeof *base);
    s->base = base;
    s->size = round_words(words);
    return CK_OK;
}

// The largest need of one operation on ciphertexts: a key switch at the highest level of each gadget.
static size_t basic_words(const struct ck_context *ctx, const struct ck_evk *evk)
{
    size_t most = ((size_t)ctx->threads + 3) * ctx->n;
    for (uint32_t i = 0; evk && i < evk->ngadget; i++) {
        const struct ck_gadget *g = &evk->gadget[i];
        size_t acc = (size_t)2 * (g->max_level + 1 + g->np) * ctx->n;
        size_t words = acc + ck_keyswitch_scratch(ctx, g, g->max_level);
        if (words > most) most = words;
    }
    return most;
}

enum ck_err ck_eval_new(struct ck_eval **out, const struct ck_context *ctx, const struct ck_evk *evk,
                        const struct ck_weights *weights)
{
    if (evk && evk->ctx != ctx) return CK_EMATCH;
    struct ck_eval *ev = ck_mem_alloc(sizeof *ev);
    if (!ev) return CK_ENOMEM;
    ev->ctx = ctx;
    ev->evk = evk;
    ev->weights = weights;
    ev->baby_bytes = default_baby_bytes;
    enum ck_err err = ck_scratch_reserve(ev, basic_words(ctx, evk));
    if (err != CK_OK) {
        ck_eval_free(ev);
        return err;
    }
    *out = ev;
    return CK_OK;
}

void ck_eval_free(struct ck_eval *ev)
{
    if (!ev) return;
    ck_mem_free(ev->scratch.base, ev->scratch.size * sizeof *ev->scratch.base);
    ck_mem_free(ev, sizeof *ev);
}

void ck_eval_use_boot(struct ck_eval *ev, const struct ck_boot *boot)
{
    ev->boot = boot;
}

const struct ck_boot *ck_eval_boot(const struct ck_eval *ev)
{
    return ev->boot;
}

void ck_eval_use_routes(struct ck_eval *ev, const struct ck_route *route, size_t count)
{
    ev->route = route;
    ev->nroute = count;
}

const struct ck_key *ck_eval_turn(const struct ck_eval *ev, int32_t k, uint32_t level, int32_t *before)
{
    const struct ck_key *key = ck_evk_find(ev->evk, ck_galois_rotation(ev->ctx, k), level);
    // First route not below (k, level).
    size_t lo = 0, hi = ev->nroute;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const struct ck_route *r = &ev->route[mid];
        if (r->rotation < k || (r->rotation == k && r->level < level)) lo = mid + 1;
        else hi = mid;
    }
    *before = 0;
    if (lo == ev->nroute || ev->route[lo].rotation != k || (key && key->level <= ev->route[lo].level)) return key;
    *before = ck_rotation(ev->ctx, k - ev->route[lo].step);
    return ck_evk_find(ev->evk, ck_galois_rotation(ev->ctx, ev->route[lo].step), level);
}

void ck_eval_watch(struct ck_eval *ev, enum ck_err (*step)(void *arg, size_t step), void *arg)
{
    ev->step = step;
    ev->step_arg = arg;
}

enum ck_err ck_eval_step(struct ck_eval *ev, size_t step)
{
    return ev->step ? ev->step(ev->step_arg, step) : CK_OK;
}
