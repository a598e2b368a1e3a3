// SPDX-License-Identifier: Apache-2.0
// tacet simulate: the planned program on plain numbers, with the errors that encryption would add.
#include "cmd.h"
#include "diag.h"
#include "interp.h"
#include "noise.h"

#include <math.h>
#include <stdio.h>

/* Polynomials are fitted on [-1,1] and bootstraps made for a range; an argument outside loses its meaning under encryption. The
 * argument has been observed before, so what it reached is remembered by instruction, for each of the samples that run together. */
struct watch {
    const struct ir_module *m;
    double **largest;           // by instruction id, then sample of this run
    double *worst;              // by instruction id, of polynomials and bootstraps: over the range
    int64_t *worst_row, *outside;       // sample; samples outside
    int64_t row, rows;          // first sample of this run, samples at once at most
};

static const double bounded = 1.25;         // passes/actnet.c bounds fitted polynomials that far beyond [-1,1]

/* The range of the argument: 0 where any value is as good. */
static double range_of(const struct ir_module *m, const struct ir_inst *i)
{
    return i->op == IR_CKKS_poly ? bounded : i->op == IR_CKKS_evalmod ? noise_boot_range(m, i) : 0;
}

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct watch *w = arg;
    int64_t numel = ir_type_numel(&i->type), rows = n / numel;
    double range = range_of(w->m, i);
    for (int64_t r = 0; r < rows; r++) {
        double m = 0;
        for (int64_t k = r * numel; k < (r + 1) * numel; k++)
            if (!(fabs(value[k]) <= m)) m = fabs(value[k]);             // NaN stays
        w->largest[i->id][r] = m;
        if (!(range > 0)) continue;
        double x = w->largest[i->args[0]->id][r] / range;
        w->outside[i->id] += !(x <= 1.0001);
        if (x <= w->worst[i->id]) continue;
        w->worst[i->id] = x;
        w->worst_row[i->id] = (w->row + r) * ir_batch(w->m);
    }
    if (i == w->m->last) w->row += rows;
}

static void watch_init(struct watch *w, struct arena *a, struct ir_module *m, int64_t rows)
{
    ir_renumber(m);
    size_t count = m->last ? m->last->id + 1 : 0;
    *w = (struct watch){.m = m, .rows = interp_rows(m, rows)};
    w->largest = ARENA_ARRAY(a, double *, count);
    w->worst = ARENA_ARRAY(a, double, count);
    w->worst_row = ARENA_ARRAY(a, int64_t, count);
    w->outside = ARENA_ARRAY(a, int64_t, count);
    for (size_t k = 0; k < count; k++) w->largest[k] = ARENA_ARRAY(a, double, w->rows);
}

static void watch_report(const struct watch *w)
{
    for (const struct ir_inst *i = w->m->first; i; i = i->next)
        if (w->outside[i->id])
            diag_warn(ir_get_string(i->attrs, "node", "a polynomial"), "%s leaves the planned range in %lld of %lld runs, most in that of sample %lld: "
                      "%.3g times; calibrate with data like this", i->op == IR_CKKS_poly ? "its argument" : "what is bootstrapped", (long long)w->outside[i->id], (long long)w->row, (long long)w->worst_row[i->id],
                      w->worst[i->id]);
}

static int simulate(struct arena *a, struct ir_module *program, const char *dir, const struct arg_list *input,
                    const struct arg_list *output, const char *labels, int seed, int first)
{
    struct samples s;
    struct ir_noise noise = {.seed = (uint64_t)seed};
    const char **out = ARENA_ARRAY(a, const char *, program->noutputs + 1);
    struct watch w;
    int64_t *classes = NULL;
    const struct ir_run run = {.noise = &noise, .observe = observe, .arg = &w};
    if (samples_load(&s, a, program, "--input", input) || outputs_match(out, program, "--output", output)) return -1;
    if (first && first < s.rows) s.rows = first;
    if (labels && labels_read(&classes, a, "--labels", labels, s.rows)) return -1;
    s.labels = classes;
    watch_init(&w, a, program, s.rows);
    if (samples_interp(&s, a, program, &run, "simulating")) return -1;
    for (uint32_t k = 0; k < program->noutputs; k++)
        if (out[k] && samples_write(&s, program, k, out[k])) return -1;
    watch_report(&w);
    return samples_against_model(&s, a, program, dir, "");
}

int cmd_simulate(int argc, char **argv)
{
    struct arg_list input = {0}, output = {0}, dir;
    const char *labels = NULL;
    int seed = 1, first = 0;
    bool quiet = false;
    const struct arg_spec specs[] = {
        {"--input", 'i', "[NAME=]FILE", "samples (.npy, .npz, .pb), the first axis may be a batch; repeat for several inputs", .list = &input},
        {"--output", 'o', "[NAME=]FILE", "where results go (.npy); repeat for several outputs", .list = &output},
        {"--labels", 0, "FILE", "true classes: how many predictions are right, of the plain model and of the program", .string = &labels},
        {"--first", 0, "N", "only the first N samples", .count = &first},
        {"--seed", 0, "S", "of the simulated errors (1)", .count = &seed},
        {"--quiet", 'q', NULL, "no progress", .flag = &quiet},
        {.name = NULL},
    };
    const struct arg_command cmd = {"simulate", "DIR --input X.npy [--output Y.npy] [options]",
        "Runs the planned program on plain numbers, adding the errors that encryption would, and compares with the model.", NULL, 1, 1,
        specs};
    enum args_result r = args_parse(&cmd, argc, argv, &dir);
    if (r != ARGS_OK) return r == ARGS_ERROR;
    if (!input.n) {
        diag_error("simulate", "no input: --input FILE");
        return 1;
    }
    diag_set_quiet(quiet);
    progress_quiet(quiet);
    struct arena *a = arena_new();
    struct ir_module *program = ir_load(arena_printf(a, "%s/program.ir", dir.v[0]));
    int bad = !program || simulate(a, program, dir.v[0], &input, &output, labels, seed, first);
    if (program) ir_module_free(program);
    arena_free(a);
    return bad;
}
