// SPDX-License-Identifier: Apache-2.0
// The exact set of evaluation keys: relinearisation (rotation 0) if anything is relinearised, and every rotation that a linear map's baby
// steps, giant steps and folds or a single rotation use; each with the highest level at which it is used, since a key cut to
// level l is smaller by the limbs above. Rotations are reduced to [0,n).
// Module attributes: key_rot and key_level, lists of equal length, ascending by rotation.
#include "pass.h"
#include "plan.h"

#include "../compiler/diag.h"

static void use(int32_t *level, int64_t n, int64_t rotation, int32_t at)
{
    rotation = (rotation % n + n) % n;
    if (level[rotation] < at) level[rotation] = at;
}

enum pass_res pass_keys(struct pass_ctx *ctx, struct ir_module *m)
{
    int64_t n = m->first ? m->first->type.n : 1;
    int32_t *level = ARENA_ARRAY(ctx->scratch, int32_t, n), relin = -1;
    for (int64_t r = 0; r < n; r++) level[r] = -1;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        int32_t at = i->nargs ? i->args[0]->type.level : 0;
        if (i->op == IR_CKKS_rot) use(level, n, ir_get_int(i->attrs, "k", 0), at);
        if (i->op == IR_CKKS_relin || i->op == IR_CKKS_poly) relin = at > relin ? at : relin;
        if (i->op != IR_CKKS_linear) continue;
        static const char *const lists[] = {"baby", "fold", "giant"};
        for (int k = 0; k < 3; k++) {
            const int64_t *v;
            for (size_t len = plan_list(&v, i, lists[k]); len > 0; len--) use(level, n, v[len - 1], at);
        }
    }
    int64_t *rotations = ARENA_ARRAY(ctx->scratch, int64_t, n + 1), *levels = ARENA_ARRAY(ctx->scratch, int64_t, n + 1);
    size_t count = 0;
    level[0] = relin;
    for (int64_t r = 0; r < n; r++) {
        if (level[r] < 0) continue;
        rotations[count] = r;
        levels[count++] = level[r];
    }
    ir_set_ints(m, &m->attrs, "key_rot", rotations, count);
    ir_set_ints(m, &m->attrs, "key_level", levels, count);
    return PASS_CHANGED;
}
