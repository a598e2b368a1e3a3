// SPDX-License-Identifier: Apache-2.0
// tacet simulate: the planned program on plain numbers, with the errors that encryption would add.
#include "cmd.h"
#include "diag.h"
#include "noise.h"

#include <math.h>
#include <stdio.h>

/* Polynomials are fitted on [-1,1]; an argument outside loses its meaning under encryption. The argument of a polynomial has been
 * observed just before, so its value is remembered by instruction. */
struct watch {
    struct arena *arena;
    double *largest;            // by instruction id
    uint32_t count;
    double worst;
    const char *where;
};

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct watch *w = arg;
    if (i->id < w->count) {
        double m = 0;
        for (int64_t k = 0; k < n; k++) m = fmax(m, fabs(value[k]));
        w->largest[i->id] = m;
    }
    if (i->op != IR_CKKS_poly || i->args[0]->id >= w->count) return;
    double m = w->largest[i->args[0]->id];
    if (m > w->worst) {
        w->worst = m;
        w->where = ir_get_string(i->attrs, "node", "a polynomial");
    }
}

static int simulate(struct arena *a, struct ir_module *program, const char *dir, const struct arg_list *input,
                    const struct arg_list *output, int seed, int first)
{
    struct samples s;
    struct ir_noise noise = {.seed = (uint64_t)seed};
    const char **out = ARENA_ARRAY(a, const char *, program->noutputs + 1);
    struct watch w = {.arena = a};
    ir_renumber(program);
    for (struct ir_inst *i = program->first; i; i = i->next) w.count++;
    w.largest = ARENA_ARRAY(a, double, w.count + 1);
    const struct ir_run run = {.noise = &noise, .observe = observe, .arg = &w};
    if (samples_load(&s, a, program, "--input", input) || outputs_match(out, program, "--output", output)) return -1;
    if (first && first < s.rows) s.rows = first;
    if (samples_interp(&s, a, program, &run, "simulating")) return -1;
    for (uint32_t k = 0; k < program->noutputs; k++)
        if (out[k] && samples_write(&s, program, k, out[k])) return -1;
    if (w.worst > 1.0001)
        diag_warn(w.where, "its argument reaches %.2f times the range it was planned for; calibrate with data like this", w.worst);
    return samples_against_model(&s, a, program, dir, "");
}

int cmd_simulate(int argc, char **argv)
{
    struct arg_list input = {0}, output = {0}, dir;
    int seed = 1, first = 0;
    bool quiet = false;
    const struct arg_spec specs[] = {
        {"--input", 'i', "[NAME=]FILE", "samples (.npy, .npz, .pb), the first axis may be a batch; repeat for several inputs", .list = &input},
        {"--output", 'o', "[NAME=]FILE", "where results go (.npy); repeat for several outputs", .list = &output},
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
    int bad = !program || simulate(a, program, dir.v[0], &input, &output, seed, first);
    if (program) ir_module_free(program);
    arena_free(a);
    return bad;
}
