// SPDX-License-Identifier: Apache-2.0
// compile --batch auto: the number of samples in a run whose predicted time per sample is least. The program is planned from the layouts on for
// 1, 2, 4, ... samples, as long as the input of a sample leaves room for another and the time per sample falls.
#include "cmd.h"
#include "diag.h"

#include <stdio.h>
#include <unistd.h>

/* Predicted seconds a sample; below 0 where there is no such plan. *fits: every input of the plan is one ciphertext. */
static double trial(bool *fits, const struct options *opt, const char *path)
{
    double seconds = -1;
    struct ir_module *m = ir_load(path);
    ICE_IF(!m, "a plan could not be read back");
    *fits = true;
    if (!pipeline_run(m, opt, "layout", NULL, NULL, NULL)) {
        seconds = ir_get_float(m->attrs, "seconds", 0) / (double)ir_batch(m);
        for (uint32_t i = 0; ir_input(m, i); i++) *fits &= ir_input(m, i)->type.count == 1;
    }
    ir_module_free(m);
    return seconds;
}

int batch_choose(struct options *opt, struct arena *a, struct ir_module *m, const char *dir)
{
    const char *path = arena_printf(a, "%s/batch.ir", dir), *constants = arena_printf(a, "%s.npz", path);
    int bad = ir_save(m, path), most = 1 << (CK_LOGN_MAX - 1);
    double alone = 0, best = 0;
    opt->batch = 1;
    int quiet = diag_set_quiet(2);
    for (int batch = 1; !bad && batch <= most; batch *= 2) {
        struct options one = *opt;
        bool fits;
        one.batch = batch;
        progress("trying batches", (size_t)batch, (size_t)most + 1);
        double t = trial(&fits, &one, path);
        if (t < 0 || !fits || (batch > 1 && t >= best)) break;
        if (batch == 1) alone = t;
        best = t;
        opt->batch = batch;
    }
    diag_set_quiet(quiet);
    diag_reset();                   // what went wrong in a trial is not the user's concern
    unlink(path);
    unlink(constants);
    if (!bad && opt->batch > 1)
        diag_note("batches of %d samples: %.3g s a sample predicted, %.3g s alone", opt->batch, best, alone);
    return bad;
}
