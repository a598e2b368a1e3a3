// SPDX-License-Identifier: Apache-2.0
// tacet compile: model in, folder of programs out.
#include "../codegen/codegen.h"
#include "../frontend/onnx.h"
#include "cmd.h"
#include "diag.h"
#include "folder.h"
#include "locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct compile {
    const char *output, *start_at, *stop_after, *runtime, *cc;
    struct arg_list dump_after;
    bool time_passes, no_build, quiet;
    int jobs;
    struct arena *arena;
    struct pass_flags flags;
    struct options opt;
    size_t done, total;                 // passes
    struct codegen_node *nodes;         // of the model as it was read
    size_t nnodes;
};

static bool has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && !strcmp(s + n - k, suffix);
}

static void after_pass(void *arg, const struct pass *p, struct ir_module *m, double seconds)
{
    struct compile *c = arg;
    progress(p->name, ++c->done, c->total + 1);
    if (c->time_passes) {
        size_t insts = 0;
        for (struct ir_inst *i = m->first; i; i = i->next) insts++;
        fprintf(stderr, "%-14s %8.3f s  %zu instructions\n", p->name, seconds, insts);
    }
    for (size_t i = 0; i < c->dump_after.n; i++)
        if (!strcmp(c->dump_after.v[i], p->name) || !strcmp(c->dump_after.v[i], "all")) {
            printf("// after %s\n", p->name);
            ir_print(stdout, m);
        }
}

/* Builds the programs in `dir`; 0, or -1 after diag_error. */
static int build(struct compile *c, const char *dir)
{
    char jobs[16];
    snprintf(jobs, sizeof jobs, "%d", c->jobs ? c->jobs : 2);
    const char *const argv[] = {"ninja", "-C", dir, "-j", jobs, NULL};
    struct child child;
    progress("building the programs", c->total, c->total + 1);
    if (child_run(&child, argv, true)) return -1;
    if (child.status) {
        const char *const loud[] = {"ninja", "-C", dir, "-j", "1", NULL};
        child_run(&child, loud, false);
        diag_error(c->output, "building the generated programs failed, see above");
        return -1;
    }
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Remembers each node's operator and shape, which the passes merge away. A node that became several instructions is named after the
 * first that is more than moving elements; its shape is the last one's. */
static void remember_nodes(struct compile *c, const struct ir_module *m)
{
    static const char *const names[IR_OP_COUNT] = {
        [IR_TENSOR_conv] = "Conv",       [IR_TENSOR_gemm] = "Gemm",       [IR_TENSOR_batchnorm] = "BatchNorm",
        [IR_TENSOR_avgpool] = "AvgPool", [IR_TENSOR_maxpool] = "MaxPool", [IR_TENSOR_reduce] = "Reduce",
        [IR_TENSOR_add] = "Add",         [IR_TENSOR_sub] = "Sub",         [IR_TENSOR_mul] = "Mul",
        [IR_TENSOR_addc] = "Add",        [IR_TENSOR_mulc] = "Mul",        [IR_TENSOR_pow] = "Pow",
        [IR_TENSOR_poly] = "Polynomial", [IR_TENSOR_affine] = "Affine",
    };
    size_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) count++;
    c->nodes = ARENA_ARRAY(c->arena, struct codegen_node, count + 1);
    for (struct ir_inst *i = m->first; i; i = i->next) {
        const char *node = ir_get_string(i->attrs, "node", NULL), *what = names[i->op];
        if (!node || i->op == IR_TENSOR_input) continue;
        if (i->op == IR_TENSOR_act) what = ir_get_string(i->attrs, "fn", "Activation");
        size_t k = 0;
        while (k < c->nnodes && strcmp(c->nodes[k].name, node)) k++;
        if (k == c->nnodes) c->nodes[c->nnodes++] = (struct codegen_node){.name = arena_strdup(c->arena, node)};
        if (what && !c->nodes[k].operator) c->nodes[k].operator = arena_strdup(c->arena, what);
        c->nodes[k].shape = i->type;
    }
    for (size_t k = 0; k < c->nnodes; k++)
        if (!c->nodes[k].operator) c->nodes[k].operator = "Move";
}

/* Says when this machine could not run what was planned. */
static void compare_memory(const struct ir_module *m)
{
    char need[32], have[32];
    double peak = (double)ir_get_int(m->attrs, "bytes_peak", 0), machine = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (peak <= machine) return;
    diag_warn(m->name, "planned for a larger machine: the server will need %s, this one has %s", bytes_text(need, peak), bytes_text(have, machine));
}

/* Passes, files, programs, into the folder `tmp`. */
static int compile_into(struct compile *c, struct ir_module *m, const char *model, const char *tmp)
{
    struct runtime_place place;
    if (locate_runtime(&place, c->arena, c->runtime)) return -1;
    if (m->dialect == IR_TENSOR && ir_save(m, arena_printf(c->arena, "%s/model.ir", tmp))) return -1;
    if (m->dialect == IR_TENSOR) remember_nodes(c, m);
    const char *start = c->start_at;
    if (c->opt.batch == OPTIONS_BATCH_AUTO) {
        if (pipeline_run(m, &c->opt, start, "affine", after_pass, c) || batch_choose(&c->opt, c->arena, m, tmp)) return -1;
        start = "layout";
    }
    if (pipeline_run(m, &c->opt, start, NULL, after_pass, c)) return -1;
    const struct codegen_options gen = {
        .nodes = c->nodes,
        .nnodes = c->nnodes,
        .source = base_name(model),
        .version = TACET_VERSION,
        .include = place.include,
        .archive = place.archive,
        .cc = c->cc,
        .precision = c->opt.precision,
        .threads = c->opt.threads,
        .cost = c->opt.cost,
        .progress = progress,
        .plan_only = c->no_build,
    };
    if (codegen_write(m, tmp, &gen)) return -1;
    compare_memory(m);
    return c->no_build ? 0 : build(c, tmp);
}

static struct ir_module *load(struct compile *c, const char *model)
{
    bool text = has_suffix(model, ".ir");
    if (c->start_at && !text) {
        diag_error("--start-at", "reads IR text (FILE.ir), not %s", model);
        return NULL;
    }
    return text ? ir_load(model) : onnx_load(model);
}

static bool pass_name_good(const char *option, const char *name)
{
    if (!name || pass_find(name)) return true;
    diag_error(option, "there is no pass \"%s\"; `tacet opt --list` names them", name);
    return false;
}

static int compile(struct compile *c, const char *model)
{
    bool good = pass_name_good("--start-at", c->start_at);
    good = pass_name_good("--stop-after", c->stop_after) && good;      // both are reported
    for (size_t i = 0; i < c->dump_after.n; i++)
        good &= !strcmp(c->dump_after.v[i], "all") || pass_name_good("--dump-after", c->dump_after.v[i]);
    if (!good) return -1;
    if (!c->output && !c->stop_after) {
        diag_error("compile", "no output: -o DIR");
        return -1;
    }
    struct ir_module *m = load(c, model);
    if (!m) return -1;
    for (const char *const *p = pass_pipeline; *p; p++) c->total++;
    int bad = pass_flags_resolve(&c->opt, c->arena, &c->flags, m);
    if (!bad && c->opt.batch == OPTIONS_BATCH_AUTO && (c->stop_after || m->dialect != IR_TENSOR)) {
        diag_error("--batch", "auto plans a whole program from its tensors on: give a number%s", c->stop_after ? ", or no --stop-after" : "");
        bad = -1;
    }
    if (!bad && c->stop_after) {
        bad = pipeline_run(m, &c->opt, c->start_at, c->stop_after, after_pass, c);
        progress("", 1, 1);
        if (!bad && c->output) bad = ir_save(m, c->output);
        if (!bad && !c->output) ir_print(stdout, m);
    } else if (!bad) {
        char *tmp = folder_begin(c->arena, c->output, "plan.json");
        bad = !tmp || compile_into(c, m, model, tmp);
        progress("", 1, 1);
        if (tmp) bad |= folder_end(c->arena, tmp, c->output, !bad);
    }
    ir_module_free(m);
    return bad ? -1 : 0;
}

int cmd_compile(int argc, char **argv)
{
    struct compile c = {.flags = PASS_FLAGS_INIT, .cc = "cc"};
    const struct arg_spec specs[] = {
        {"--output", 'o', "DIR", "folder to make (with --stop-after: IR text file)", .string = &c.output},
        PASS_FLAG_SPECS(c.flags),
        {"--jobs", 'j', "J", "compiler processes at once (2)", .count = &c.jobs},
        {"--no-build", 0, NULL, "plan only: no weights and no programs, enough for inspect and simulate", .flag = &c.no_build},
        {"--cc", 0, "CC", "C compiler for the generated code (cc)", .string = &c.cc},
        {"--runtime", 0, "DIR", "ck.h and libck.a, or the prefix they are installed under; also TACET_RUNTIME",
         .string = &c.runtime},
        {"--dump-after", 0, "PASS", "print the IR after a pass, or after `all`; may be repeated", .list = &c.dump_after},
        {"--start-at", 0, "PASS", "the model is IR text; begin with this pass", .string = &c.start_at},
        {"--stop-after", 0, "PASS", "write IR text after this pass instead of programs", .string = &c.stop_after},
        {"--time-passes", 0, NULL, "print the time of each pass", .flag = &c.time_passes},
        {"--quiet", 'q', NULL, "no progress, no notes", .flag = &c.quiet},
        {.name = NULL},
    };
    const struct arg_command cmd = {
        "compile", "MODEL.onnx -o DIR [options]", "Plans the model, writes C, weights and build file to DIR and builds client and server there.",
        "The folder appears complete or not at all; an earlier one is replaced. Nothing is random: the same model, samples and options give the\n"
        "same files. Sizes read like 512MiB or 4GiB.", 1, 1, specs};
    struct arg_list model;
    enum args_result r = args_parse(&cmd, argc, argv, &model);
    if (r != ARGS_OK) return r == ARGS_ERROR;
    diag_set_quiet(c.quiet);
    progress_quiet(c.quiet);
    c.arena = arena_new();
    double start = seconds_now();
    int bad = compile(&c, model.v[0]);
    if (!bad && c.output) diag_note("%s written in %.2f s", c.output, seconds_now() - start);
    arena_free(c.arena);
    return bad ? 1 : 0;
}
