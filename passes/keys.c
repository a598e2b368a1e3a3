// SPDX-License-Identifier: Apache-2.0
// The exact set of evaluation keys: relinearisation (rotation 0) if anything is relinearised, and every rotation that a linear map's baby
// steps, giant steps and folds or a single rotation use; each with the highest level at which it is used, since a key cut to
// level l is smaller by the limbs above. Where levels differ in gadget, each gadget has a key of its own: the one of low levels is small,
// and a switch by it takes half the time. Rotations are reduced to [0,n). What of it is kept is chosen by keyset.c.
// Module attributes: key_rot and key_level, lists of equal length, ascending by rotation, then level.
#include "pass.h"
#include "plan.h"

#include "../compiler/diag.h"

struct state {
    int64_t n;
    uint32_t gadget[CK_MAX_Q], ngadget;
    int32_t *level;             // by rotation and gadget: highest use, -1: none
};

static void use(struct state *s, int64_t rotation, int32_t at)
{
    rotation = (rotation % s->n + s->n) % s->n;
    int32_t *level = &s->level[rotation * s->ngadget + s->gadget[at]];
    if (*level < at) *level = at;
}

static void use_list(struct state *s, const struct ir_inst *i, const char *key)
{
    const int64_t *v;
    for (size_t k = plan_list(&v, i, key); k > 0; k--)
        if (v[k - 1] % s->n) use(s, v[k - 1], i->args[0]->type.level);
}

enum pass_res pass_keys(struct pass_ctx *ctx, struct ir_module *m)
{
    struct ck_params par;
    if (!plan_params(&par, m)) {
        diag_error(m->name, "no parameters: run the params pass first");
        return PASS_FAIL;
    }
    struct state s = {.n = m->first ? m->first->type.n : 1};
    s.ngadget = plan_gadgets(s.gadget, &par);
    const size_t room = (size_t)s.n * s.ngadget;
    s.level = ARENA_ARRAY(ctx->scratch, int32_t, room);
    for (size_t r = 0; r < room; r++) s.level[r] = -1;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        if (i->type.level >= (int32_t)par.nq) {
            diag_error(m->name, "%%%u lies at level %d, there are %u primes: run the params pass first", i->id, i->type.level, par.nq);
            return PASS_FAIL;
        }
        int32_t at = i->nargs ? i->args[0]->type.level : 0;
        if (i->op == IR_CKKS_rot && ir_get_int(i->attrs, "k", 0) % s.n) use(&s, ir_get_int(i->attrs, "k", 0), at);
        if (i->op == IR_CKKS_relin) use(&s, 0, at);
        for (int32_t l = at; i->op == IR_CKKS_poly && l > i->type.level; l--) use(&s, 0, l);
        if (i->op != IR_CKKS_linear) continue;
        use_list(&s, i, "baby");
        use_list(&s, i, "fold");
        use_list(&s, i, "giant");
    }
    int64_t *rotations = ARENA_ARRAY(ctx->scratch, int64_t, room), *levels = ARENA_ARRAY(ctx->scratch, int64_t, room);
    size_t count = 0;
    for (int64_t r = 0; r < s.n; r++)
        for (int32_t l = 0; l < (int32_t)par.nq; l++) {
            if (s.level[r * s.ngadget + s.gadget[l]] != l) continue;
            rotations[count] = r;
            levels[count++] = l;
        }
    ir_set_ints(m, &m->attrs, "key_rot", rotations, count);
    ir_set_ints(m, &m->attrs, "key_level", levels, count);
    return PASS_CHANGED;
}
