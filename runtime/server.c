// SPDX-License-Identifier: Apache-2.0
// The generated server program: evaluates the model on encrypted inputs. It reads weights, evaluation keys and ciphertexts; no code here
// reads a secret.
#include "internal.h"
#include "port.h"
#include "program.h"
#include "steps.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: server run --keys KEYS/eval.keys --input x.ct --output y.ct [options]\n"
    "\n"
    "Runs the model on encrypted inputs. Needs the evaluation keys only, never the secret key.\n"
    "\n"
    "  --keys FILE      evaluation keys, from `client keygen`\n"
    "  --input FILE     ciphertexts, from `client encrypt`; every sample in it is run\n"
    "  --output FILE    encrypted results, for `client decrypt`\n"
    "  --threads T      threads (default: as many as there are processors)\n"
    "  --weights FILE   weights (default: weights.bin beside this program)\n"
    "  --layers         print the time of every step and every part\n"
    "  --report FILE    write the times as JSON, in the order of plan.json's layers\n"
    "  --trace FILE     write the value of every step too, encrypted: whoever has the secret key can read the\n"
    "                   weights off them (`client decrypt`, `tacet compare`)\n"
    "  --quiet          no progress, no figures\n";

struct server {
    const struct ck_program *p;
    struct ck_context *ctx;
    struct ck_weights *weights;
    struct ck_evk *evk;
    struct ck_file keys;            // open with evk, which borrows from it
    struct ck_boot *boot;           // NULL: the program does not bootstrap
    struct ck_eval *eval;
    struct ck_ct **reg;             // own: nregs arrays
    struct ck_progress progress;
    struct ck_steps steps;
    struct ck_writer trace;         // open if p->trace
    struct ck_ct *kept;             // own: what goes to the trace, at its lower level
    uint32_t nkept, group, here;    // the group that runs, and its samples
    char *weights_path;
};

/* The value of a step as the next section of the trace. */
static enum ck_err keep(struct server *s, size_t step)
{
    const struct ck_step *t = &s->p->model->steps[step];
    struct ck_port port = ck_trace_port(s->p->model, t);
    for (uint32_t i = 0; i < t->count; i++) CK_TRY(ck_drop(s->eval, &s->kept[i], &s->reg[t->reg][i], port.level));
    return ck_ct_save_section(&s->trace, CK_TAG("TRCE"), s->kept, s->ctx, &port, (uint32_t)step, s->group, s->here);
}

/* All steps before `step` are done. */
static enum ck_err finished(struct server *s, size_t step)
{
    ck_steps_stop(&s->steps);
    return s->p->trace && step ? keep(s, step - 1) : CK_OK;
}

static enum ck_err announce(void *arg, size_t step)
{
    struct server *s = arg;
    const struct ck_step *now = &s->p->model->steps[step];
    CK_TRY(finished(s, step));
    ck_progress_step(&s->progress, step, s->p->model->nsteps, *now->node ? now->node : now->op);
    ck_steps_start(&s->steps, step);
    return CK_OK;
}

/* weights.bin beside the executable, malloc'd. */
static char *beside_executable(void)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0) return ck_path_join(".", "weights.bin");
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (slash) *slash = 0;
    return ck_path_join(exe, "weights.bin");
}

static enum ck_err room_for_trace(struct server *s)
{
    const struct ck_model *m = s->p->model;
    uint32_t level = 0;
    for (size_t k = 0; k < m->nsteps; k++) {
        struct ck_port port = ck_trace_port(m, &m->steps[k]);
        if (port.level > level) level = port.level;
        if (port.count > s->nkept) s->nkept = port.count;
    }
    if (!(s->kept = calloc(s->nkept + 1, sizeof *s->kept))) return CK_ENOMEM;
    for (uint32_t i = 0; i < s->nkept; i++) CK_TRY(ck_ct_init(&s->kept[i], s->ctx, level, 1));
    return CK_OK;
}

static int load(struct server *s, struct ck_print *keys)
{
    const struct ck_program *p = s->p;
    const struct ck_model *m = p->model;
    s->ctx = ck_program_context(p);
    if (!s->ctx) return 1;
    s->weights_path = p->weights ? strdup(p->weights) : beside_executable();
    if (!s->weights_path) return ck_fail_err(p, NULL, CK_ENOMEM);
    struct ck_file f;
    const char *why = ck_file_open(&f, s->weights_path, CK_KIND_WEIGHTS);
    if (!why) {
        why = ck_weights_load(&s->weights, &f, &m->params, m->fingerprint, m->weights_bytes);
        ck_file_close(&f);
    }
    if (why) return ck_fail(p, s->weights_path, "%s%s", why, access(s->weights_path, F_OK) ? "; give it with --weights" : "");

    why = ck_file_open(&s->keys, p->keys, CK_KIND_EVAL);
    if (why) return ck_fail(p, p->keys, "%s", why);
    why = ck_evk_load(&s->evk, s->ctx, &s->keys);
    *keys = s->keys.prints.keys;
    if (!why) {
        size_t count;
        struct ck_galois_spec *spec = ck_program_keys(p, s->ctx, &count);
        if (!spec) return 1;
        why = ck_evk_covers(s->evk, spec, count);
        free(spec);
    }
    if (why && !strcmp(why, ck_err_text(CK_ENOMEM))) return ck_fail_err(p, p->keys, CK_ENOMEM);
    if (why) return ck_fail(p, p->keys, "%s", why);

    enum ck_err err = ck_eval_new(&s->eval, s->ctx, s->evk, s->weights);
    if (err == CK_OK && m->boot) err = ck_boot_new(&s->boot, s->ctx, m->boot);
    if (err == CK_OK) ck_eval_use_boot(s->eval, s->boot);
    if (err == CK_OK) ck_eval_use_routes(s->eval, m->routes, m->nroutes);
    if (err == CK_OK) ck_eval_watch(s->eval, announce, s);
    s->reg = err == CK_OK ? calloc(m->nregs + 1, sizeof *s->reg) : NULL;
    if (err == CK_OK && !s->reg) err = CK_ENOMEM;
    for (uint32_t r = 0; r < m->nregs && err == CK_OK; r++) {
        s->reg[r] = calloc(m->regs[r].count + 1, sizeof **s->reg);
        if (!s->reg[r]) err = CK_ENOMEM;
        for (uint32_t i = 0; i < m->regs[r].count && err == CK_OK; i++)
            err = ck_ct_init(&s->reg[r][i], s->ctx, m->regs[r].max_level, m->regs[r].max_degree);
    }
    if (err == CK_OK) err = ck_steps_init(&s->steps, m);
    if (err == CK_OK && p->trace) err = room_for_trace(s);
    return err == CK_OK ? 0 : ck_fail_err(p, NULL, err);
}

static void unload(struct server *s)
{
    const struct ck_model *m = s->p->model;
    for (uint32_t r = 0; s->reg && r < m->nregs; r++) {
        for (uint32_t i = 0; s->reg[r] && i < m->regs[r].count; i++) ck_ct_clear(&s->reg[r][i]);
        free(s->reg[r]);
    }
    free(s->reg);
    for (uint32_t i = 0; s->kept && i < s->nkept; i++) ck_ct_clear(&s->kept[i]);
    free(s->kept);
    ck_steps_clear(&s->steps);
    ck_eval_free(s->eval);
    ck_boot_free(s->boot);
    ck_evk_free(s->evk);
    ck_file_close(&s->keys);
    ck_weights_close(s->weights);
    ck_context_free(s->ctx);
    free(s->weights_path);
}

/* One group of `here` samples: read the inputs, run, append the outputs. */
static int run_group(struct server *s, const struct ck_file *in, struct ck_writer *w, uint32_t group, uint32_t here)
{
    const struct ck_program *p = s->p;
    const struct ck_model *m = p->model;
    for (uint32_t i = 0; i < m->nin; i++) {
        const struct ck_section *sec = &in->section[(size_t)group * m->nin + i];
        const char *why = ck_ct_load(s->reg[m->in_reg[i]], s->ctx, sec, &m->in[i]);
        ck_section_done(in, sec);
        if (why) return ck_fail(p, p->input[0], "%s", why);
    }
    s->group = group;
    s->here = here;
    enum ck_err err = m->run(s->eval, s->reg);
    if (err == CK_OK) err = finished(s, m->nsteps);
    if (err != CK_OK) return ck_fail_err(p, s->progress.what, err);
    for (uint32_t i = 0; i < m->nout; i++) {
        const struct ck_ct *ct = s->reg[m->out_reg[i]];
        for (uint32_t c = 0; c < m->out[i].count; c++)
            if (ct[c].level != m->out[i].level || ct[c].degree != 1 || !ck_scale_equal(ct[c].scale, m->out[i].scale))
                return ck_fail_err(p, m->out[i].name, CK_ESCALE);
        err = ck_ct_save_section(w, CK_TAG("OUTP"), ct, s->ctx, &m->out[i], i, group, here);
        if (err != CK_OK) return ck_fail_err(p, p->output[0], err);
    }
    return 0;
}

/* What the run took, on standard output and in the report. */
static int report(struct server *s, uint32_t samples, double total)
{
    const struct ck_program *p = s->p;
    s->steps.peak_bytes = ck_peak_bytes();
    s->steps.threads = (uint32_t)s->ctx->threads;
    if (p->layers) ck_steps_print(&s->steps);
    if (p->mode != CK_PROGRESS_QUIET)
        printf("%u sample%s%s, %.3f s each, %.3f s loading; peak memory %s\n", samples, samples == 1 ? "" : "s",
               ck_groups_text(p->model, samples), total / samples, s->steps.loading, ck_bytes_text(s->steps.peak_bytes));
    const char *why = p->report ? ck_steps_write(&s->steps, p->report) : NULL;
    return why ? ck_fail(p, p->report, "%s", why) : 0;
}

static int run_all(struct server *s, const struct ck_file *in, const struct ck_print *keys)
{
    const struct ck_program *p = s->p;
    const struct ck_model *m = p->model;
    uint32_t samples = 0;
    const char *why = ck_ct_file_check(&samples, in, m, CK_TAG("INPT"));
    if (why) return ck_fail(p, p->input[0], "%s", why);
    if (memcmp(keys, &in->prints.keys, sizeof *keys))
        return ck_fail(p, p->input[0], "is encrypted under another key set than %s; encrypt it with the secret key from the same keygen",
                       p->keys);
    const uint32_t batch = ck_port_batch(m->in), groups = (uint32_t)ck_model_groups(m, samples);
    size_t most = CK_FILE_SECTIONS_MAX / (p->trace && m->nsteps > m->nout ? m->nsteps : m->nout);
    if (groups > most)
        return ck_fail(p, p->input[0], "holds %u samples; at most %zu fit one %s", samples, most * batch, p->trace ? "trace" : "file");
    struct ck_writer w;
    why = ck_writer_open(&w, p->output[0], 0644, CK_KIND_CIPHERTEXT, 64, groups * m->nout, &in->prints);
    if (why) return ck_fail(p, p->output[0], "%s", why);
    if (p->trace && (why = ck_writer_open(&s->trace, p->trace, 0644, CK_KIND_CIPHERTEXT, 64, groups * (uint32_t)m->nsteps, &in->prints))) {
        ck_writer_close(&w, 0);
        return ck_fail(p, p->trace, "%s", why);
    }
    double total = 0;
    int rc = 0;
    for (uint32_t i = 0; i < groups && !rc && !w.why && !(p->trace && s->trace.why); i++) {
        const uint32_t first = i * batch, here = samples - first < batch ? samples - first : batch;
        char title[48];
        if (here == 1) snprintf(title, sizeof title, "sample %u/%u", first + 1, samples);
        else snprintf(title, sizeof title, "samples %u-%u/%u", first + 1, first + here, samples);
        ck_progress_begin(&s->progress, p->mode, title);
        s->progress.share = s->steps.share;
        rc = run_group(s, in, &w, i, here);
        double t = ck_progress_end(&s->progress);
        total += t;
        s->steps.samples++;
        if (!rc && p->mode != CK_PROGRESS_QUIET) printf("%s: %.3f s\n", title, t);
        fflush(stdout);
    }
    if (p->trace && (why = ck_writer_close(&s->trace, !rc && !w.why)) && !rc && !w.why) rc = ck_fail(p, p->trace, "%s", why);
    why = ck_writer_close(&w, !rc);
    if (!rc && why) rc = ck_fail(p, p->output[0], "%s", why);
    return rc ? rc : report(s, samples, total);
}

static int run(const struct ck_program *p)
{
    if (p->nin != 1 || p->nout != 1)
        return ck_fail(p, NULL, "run wants one --input and one --output; a ciphertext file holds all inputs of the model");
    double start = ck_progress_now();
    struct server s = {.p = p};
    struct ck_file in = {0};
    struct ck_print keys;
    // The small file first: a wrong input is told before gigabytes of keys are read.
    const char *why = ck_file_open(&in, p->input[0], CK_KIND_CIPHERTEXT);
    uint32_t samples;
    if (!why && (why = ck_ct_file_check(&samples, &in, p->model, CK_TAG("INPT")))) ck_file_close(&in);
    if (why) return ck_fail(p, p->input[0], "%s", why);
    int rc = load(&s, &keys);
    s.steps.loading = ck_progress_now() - start;
    if (!rc) rc = run_all(&s, &in, &keys);
    ck_file_close(&in);
    unload(&s);
    return rc;
}

int ck_server_main(const struct ck_model *m, int argc, char **argv)
{
    static const struct ck_command command[] = {
        {"run", CK_OPT_KEYS | CK_OPT_INPUT | CK_OPT_OUTPUT,
         CK_OPT_WEIGHTS | CK_OPT_LAYERS | CK_OPT_REPORT | CK_OPT_TRACE, help, run},
    };
    return ck_program_main("server", help, command, 1, m, argc, argv);
}
