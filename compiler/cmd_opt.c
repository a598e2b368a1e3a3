// SPDX-License-Identifier: Apache-2.0
// tacet opt: passes on IR text.
#include "cmd.h"
#include "diag.h"

#include <stdio.h>
#include <string.h>

static int list_passes(void)
{
    for (const struct pass *p = pass_table; p->name; p++) printf("%-14s %s\n", p->name, p->summary);
    return 0;
}

/* Runs the comma-separated passes; 0 or -1. */
static int run_passes(struct ir_module *m, const struct options *opt, struct arena *a, const char *names)
{
    char *rest = arena_strdup(a, names);
    for (char *name; (name = strsep(&rest, ","));) {
        if (!*name) continue;
        const struct pass *p = pass_find(name);
        if (!p) {
            diag_error("--passes", "there is no pass \"%s\"; `tacet opt --list` names them", name);
            return -1;
        }
        if (pass_run(p, m, opt)) return -1;
    }
    return 0;
}

static int no_auto(const struct options *opt)
{
    if (opt->batch != OPTIONS_BATCH_AUTO) return 0;
    diag_error("--batch", "auto is a choice between whole plans, which `tacet compile` makes: give a number");
    return -1;
}

int cmd_opt(int argc, char **argv)
{
    struct pass_flags flags = PASS_FLAGS_INIT;
    const char *passes = "", *output = NULL;
    bool list = false;
    int in_text = 0;
    const struct arg_spec specs[] = {
        {"--passes", 0, "A,B,C", "passes to run, in this order", .string = &passes},
        {"--output", 'o', "FILE", "write FILE and FILE.npz instead of printing the text", .string = &output},
        {"--constants", 0, "N", "print constants of at most N elements in the text", .count = &in_text},
        {"--list", 0, NULL, "print the passes", .flag = &list},
        PASS_FLAG_SPECS(flags),
        {.name = NULL},
    };
    const struct arg_command cmd = {
        "opt", "FILE.ir --passes A,B,C [-o OUT.ir] [options]", "Runs passes on IR text and prints IR text. Constants are read from FILE.ir.npz.",
        NULL, 0, 1, specs};
    struct arg_list files;
    enum args_result r = args_parse(&cmd, argc, argv, &files);
    if (r != ARGS_OK) return r == ARGS_ERROR;
    if (list) return list_passes();
    if (!files.n) {
        diag_error("opt", "no file: tacet opt %s", cmd.synopsis);
        return 1;
    }
    struct ir_module *m = ir_load(files.v[0]);
    if (!m) return 1;
    struct arena *a = arena_new();
    struct options opt;
    int bad = pass_flags_resolve(&opt, a, &flags, m) || no_auto(&opt) || run_passes(m, &opt, a, passes);
    if (in_text > 0) ir_consts_in_text(m, in_text);
    if (!bad && output)
        bad = ir_save(m, output);
    else if (!bad)
        ir_print(stdout, m);
    arena_free(a);
    ir_module_free(m);
    return bad != 0;
}
