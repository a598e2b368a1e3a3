// SPDX-License-Identifier: Apache-2.0
// The order of the passes: the one visible list, and the loop that runs it with the verifier after every pass.
#include "pass.h"

#include "../compiler/diag.h"
#include <string.h>
#include <time.h>

const char *const pass_pipeline[] = {
    "fold",         // tensor
    "maxpool",
    "calibrate",
    "horner",
    "sink",
    "activations",
    "affine",
    "layout",       // tensor -> vec
    "bsgs",
    "batch",
    "bootstraps",
    "levels",       // vec -> ckks
    "params",
    "scales",
    "keys",
    "keyset",
    "liveness",
    NULL,
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int pass_run(const struct pass *p, struct ir_module *m, const struct options *opt)
{
    static const char *const dialect[] = {"tensor", "vec", "ckks"};
    if (m->dialect != p->in) {
        diag_error(m->name, "pass %s works on the %s dialect, the module is in %s", p->name, dialect[p->in],
                   dialect[m->dialect]);
        return -1;
    }
    struct pass_ctx ctx = {.opt = opt, .scratch = arena_new()};
    enum pass_res res = p->run(&ctx, m);
    arena_free(ctx.scratch);
    if (res == PASS_FAIL) return -1;
    ICE_IF(m->dialect != p->out, "pass %s left the module in the %s dialect", p->name, dialect[m->dialect]);
    ir_renumber(m);
    ir_const_gc(m);
    return ir_verify(m);
}

int pipeline_run(struct ir_module *m, const struct options *opt, const char *start_at, const char *stop_after,
                 void (*after)(void *arg, const struct pass *, struct ir_module *, double seconds), void *arg)
{
    if ((start_at && !pass_find(start_at)) || (stop_after && !pass_find(stop_after))) {
        diag_error("--start-at/--stop-after", "there is no pass \"%s\"",
                   start_at && !pass_find(start_at) ? start_at : stop_after);
        return -1;
    }
    int running = start_at == NULL;
    for (const char *const *name = pass_pipeline; *name; name++) {
        if (!running && strcmp(*name, start_at) != 0) continue;
        running = 1;
        const struct pass *p = pass_find(*name);
        ICE_IF(!p, "the pipeline names the pass %s, which does not exist", *name);
        double t = seconds();
        if (pass_run(p, m, opt) != 0) return -1;
        if (after) after(arg, p, m, seconds() - t);
        if (stop_after && strcmp(*name, stop_after) == 0) break;
    }
    return 0;
}
