// SPDX-License-Identifier: Apache-2.0
// Time of each step: means over the samples, beside what the compiler predicted.
#include "steps.h"
#include "npy.h"
#include "progress.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum ck_err ck_steps_init(struct ck_steps *out, const struct ck_model *m)
{
    *out = (struct ck_steps){.model = m, .now = m->nsteps};
    out->seconds = calloc(m->nsteps + 1, sizeof *out->seconds);
    out->share = calloc(m->nsteps + 1, sizeof *out->share);
    if (!out->seconds || !out->share) {
        ck_steps_clear(out);
        return CK_ENOMEM;
    }
    double all = 0, before = 0;
    for (size_t k = 0; k < m->nsteps; k++) all += m->steps[k].seconds;
    for (size_t k = 0; k < m->nsteps; before += m->steps[k++].seconds) out->share[k] = all > 0 ? before / all : 0;
    if (all <= 0) {
        free(out->share);
        out->share = NULL;
    }
    return CK_OK;
}

void ck_steps_clear(struct ck_steps *s)
{
    free(s->seconds);
    free(s->share);
    s->seconds = s->share = NULL;
}

void ck_steps_start(struct ck_steps *s, size_t step)
{
    s->now = step;
    s->since = ck_progress_now();
}

void ck_steps_stop(struct ck_steps *s)
{
    if (s->now < s->model->nsteps) s->seconds[s->now] += ck_progress_now() - s->since;
    s->now = s->model->nsteps;
}

static double measured(const struct ck_steps *s, size_t k)
{
    return s->samples ? s->seconds[k] / s->samples : 0;
}

static void line(const char *name, const char *op, double predicted, double seconds, double all)
{
    printf("  %-32.32s %-12.12s %8.3f s %8.3f s %5.1f %%\n", name, op, predicted, seconds, all > 0 ? 100 * seconds / all : 0);
}

void ck_steps_print(const struct ck_steps *s)
{
    const struct ck_model *m = s->model;
    double all = 0, predicted = 0;
    for (size_t k = 0; k < m->nsteps; k++) all += measured(s, k), predicted += m->steps[k].seconds;
    printf("  %-32s %-12s %10s %10s %7s\n", "step", "operator", "predicted", "measured", "share");
    for (size_t k = 0; k < m->nsteps; k++) line(m->steps[k].node, m->steps[k].op, m->steps[k].seconds, measured(s, k), all);
    for (size_t k = 0; k < m->nsteps; k++) {        // each part where it first occurs
        const char *part = m->steps[k].part;
        size_t first = 0;
        double p = 0, t = 0;
        while (strcmp(m->steps[first].part, part)) first++;
        for (size_t j = first; j < m->nsteps; j++)
            if (!strcmp(m->steps[j].part, part)) p += m->steps[j].seconds, t += measured(s, j);
        if (first == k) line("", part, p, t, all);
    }
    line("", "all", predicted, all, all);
    printf("  (a sample; predicted for one core, measured with %u thread%s)\n", s->threads, s->threads == 1 ? "" : "s");
}

const char *ck_steps_write(const struct ck_steps *s, const char *path)
{
    struct ck_out_file o;
    const char *why = ck_out_open(&o, path, 0644);
    if (why) return why;
    fprintf(o.f, "{\"samples\": %u, \"threads\": %u, \"loading\": %.6g, \"peak_bytes\": %llu,\n \"seconds\": [", s->samples, s->threads,
            s->loading, (unsigned long long)s->peak_bytes);
    for (size_t k = 0; k < s->model->nsteps; k++) fprintf(o.f, "%s%.6g", !k ? "" : k % 12 ? ", " : ",\n  ", measured(s, k));
    fprintf(o.f, "]}\n");
    return ck_out_close(&o, 1);
}
