// SPDX-License-Identifier: Apache-2.0
// Option tables: parsing and help.
#include "args.h"
#include "diag.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int args_bytes(int64_t *out, const char *text)
{
    static const struct { const char *unit; double factor; } units[] = {
        {"", 1},       {"B", 1},     {"KiB", 1024}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}, {"kB", 1e3},
        {"KB", 1e3},   {"MB", 1e6},  {"GB", 1e9},   {"TB", 1e12},    {"K", 1024},     {"M", 0x1p20},   {"G", 0x1p30},
    };
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0)) return -1;
    while (*end == ' ') end++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].unit)) {
            if (value * units[i].factor > 0x1p62) return -1;
            *out = (int64_t)(value * units[i].factor);
            return 0;
        }
    return -1;
}

int args_range(double out[2], const char *text)
{
    char *end;
    double lo = strtod(text, &end);
    if (end == text || *end != ',') return -1;
    const char *second = end + 1;
    double hi = strtod(second, &end);
    if (end == second || *end || !isfinite(lo) || !isfinite(hi) || !(lo < hi)) return -1;
    out[0] = lo;
    out[1] = hi;
    return 0;
}

static const struct arg_spec *find_spec(const struct arg_command *cmd, const char *name, size_t len, char letter)
{
    for (const struct arg_spec *s = cmd->specs; s->name; s++)
        if (letter ? s->letter == letter : strlen(s->name) == len && !strncmp(s->name, name, len)) return s;
    return NULL;
}

static int store(const struct arg_spec *s, const char *value)
{
    if (s->string) {
        bool known = !s->words;
        for (const char *const *w = s->words; w && *w; w++) known |= !strcmp(*w, value);
        if (!known) {
            char all[512] = "";
            for (const char *const *w = s->words; *w; w++)
                snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", *all ? ", " : "", *w);
            diag_error(s->name, "\"%s\" is none of %s", value, all);
            return -1;
        }
        *s->string = value;
    } else if (s->count) {
        char *end;
        errno = 0;
        long v = strtol(value, &end, 10);
        if (end == value || *end || errno || v < 0 || v > INT_MAX) {
            diag_error(s->name, "\"%s\" is not a whole number from 0", value);
            return -1;
        }
        *s->count = (int)v;
    } else if (s->bytes) {
        if (args_bytes(s->bytes, value)) {
            diag_error(s->name, "\"%s\" is not a size such as 512MiB or 4GiB", value);
            return -1;
        }
    } else if (s->range) {
        if (args_range(s->range, value)) {
            diag_error(s->name, "\"%s\" is not a range LO,HI with LO below HI, such as 0,1", value);
            return -1;
        }
    } else if (s->list->n == ARG_LIST_MAX) {
        diag_error(s->name, "given more than %d times", ARG_LIST_MAX);
        return -1;
    } else {
        s->list->v[s->list->n++] = value;
    }
    return 0;
}

static int unknown(const struct arg_command *cmd, const char *arg)
{
    diag_error(cmd->name, "unknown option %s; `tacet %s --help` lists them", arg, cmd->name);
    return -1;
}

/* One option at argv[*i]; advances *i over a value that stands apart. */
static int parse_option(const struct arg_command *cmd, int argc, char **argv, int *i)
{
    const char *arg = argv[*i], *value = NULL;
    const struct arg_spec *s;
    if (arg[1] == '-') {
        size_t len = strcspn(arg, "=");
        s = find_spec(cmd, arg, len, 0);
        if (arg[len]) value = arg + len + 1;
    } else {
        s = find_spec(cmd, NULL, 0, arg[1]);
        if (arg[2]) value = arg + 2;
    }
    if (!s) return unknown(cmd, arg);
    if (s->flag) {
        if (value) {
            diag_error(s->name, "takes no value");
            return -1;
        }
        *s->flag = true;
        return 0;
    }
    if (!value) {
        if (*i + 1 >= argc) {
            diag_error(s->name, "needs a value %s", s->meta);
            return -1;
        }
        value = argv[++*i];
    }
    return store(s, value);
}

enum args_result args_parse(const struct arg_command *cmd, int argc, char **argv, struct arg_list *positional)
{
    bool options = true;
    int bad = 0;
    positional->n = 0;
    for (int i = 1; i < argc; i++)
        if (options && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
            args_help(cmd);
            return ARGS_HELP;
        } else if (!strcmp(argv[i], "--")) {
            break;
        }
    for (int i = 1; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            bad |= parse_option(cmd, argc, argv, &i);
        } else if (positional->n == ARG_LIST_MAX) {
            diag_error(cmd->name, "too many arguments");
            return ARGS_ERROR;
        } else {
            positional->v[positional->n++] = argv[i];
        }
    }
    if (bad) return ARGS_ERROR;
    if (positional->n < cmd->positional_min) {
        diag_error(cmd->name, "an argument is missing: tacet %s %s", cmd->name, cmd->synopsis);
        return ARGS_ERROR;
    }
    if (positional->n > cmd->positional_max) {
        diag_error(cmd->name, "\"%s\" is one argument too many: tacet %s %s", positional->v[cmd->positional_max], cmd->name,
                   cmd->synopsis);
        return ARGS_ERROR;
    }
    return ARGS_OK;
}

void args_help(const struct arg_command *cmd)
{
    printf("usage: tacet %s %s\n\n%s\n", cmd->name, cmd->synopsis, cmd->summary);
    if (cmd->details) printf("\n%s\n", cmd->details);
    printf("\noptions:\n");
    for (const struct arg_spec *s = cmd->specs; s->name; s++) {
        char left[64];
        snprintf(left, sizeof left, "%c%c%s %s%s%s", s->letter ? '-' : ' ', s->letter ? s->letter : ' ', s->letter ? "," : " ",
                 s->name, s->meta ? " " : "", s->meta ? s->meta : "");
        if (strlen(left) > 30)
            printf("  %s\n  %-30s %s\n", left, "", s->help);
        else
            printf("  %-30s %s\n", left, s->help);
    }
    printf("  %-30s %s\n", "-h, --help", "this text");
}
