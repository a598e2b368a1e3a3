// SPDX-License-Identifier: Apache-2.0
// Arguments and messages of the generated programs.
#include "program.h"
#include "internal.h"
#include "port.h"
#include "thread.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const struct {
    const char *name;
    unsigned bit;
} options[] = {
    {"--keys", CK_OPT_KEYS}, {"--input", CK_OPT_INPUT}, {"--output", CK_OPT_OUTPUT}, {"--weights", CK_OPT_WEIGHTS},
    {"--report", CK_OPT_REPORT}, {"--trace", CK_OPT_TRACE},
};

int ck_fail(const struct ck_program *p, const char *where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: %s%s", p->name, where ? where : "", where ? ": " : "");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return 1;
}

int ck_fail_err(const struct ck_program *p, const char *where, enum ck_err err)
{
    if (err == CK_ENOMEM)
        return ck_fail(p, where, "out of memory; this program is predicted to need %s",
                       ck_bytes_text(p->model->peak_bytes));
    if (err == CK_ERANDOM || err == CK_ERANGE || err == CK_ESECURE || err == CK_EIO)
        return ck_fail(p, where, "%s", ck_err_text(err));
    ck_fail(p, where, "%s (a fault of the program, not yours)", ck_err_text(err));
    return 2;
}

uint64_t ck_peak_bytes(void)
{
    struct rusage u;
    return getrusage(RUSAGE_SELF, &u) ? 0 : (uint64_t)u.ru_maxrss * 1024;
}

const char *ck_bytes_text(uint64_t bytes)
{
    static _Thread_local char text[4][32];
    static _Thread_local int turn;
    char *t = text[turn = (turn + 1) % 4];
    double b = (double)bytes;
    if (b < 1024) snprintf(t, sizeof text[0], "%.0f bytes", b);
    else if (b < 0x1p20) snprintf(t, sizeof text[0], "%.1f KiB", b * 0x1p-10);
    else if (b < 0x1p30) snprintf(t, sizeof text[0], "%.1f MiB", b * 0x1p-20);
    else snprintf(t, sizeof text[0], "%.2f GiB", b * 0x1p-30);
    return t;
}

const char *ck_groups_text(const struct ck_model *m, size_t samples)
{
    static _Thread_local char text[48];
    const size_t groups = ck_model_groups(m, samples);
    if (ck_port_batch(m->in) == 1) return "";
    snprintf(text, sizeof text, " in %zu group%s of %u", groups, groups == 1 ? "" : "s", ck_port_batch(m->in));
    return text;
}

char *ck_path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = malloc(n);
    if (path) snprintf(path, n, "%s%s%s", dir, *dir && dir[strlen(dir) - 1] == '/' ? "" : "/", name);
    return path;
}

struct ck_context *ck_program_context(const struct ck_program *p)
{
    struct ck_context *ctx = NULL;
    const char *why = ck_params_check(&p->model->params);
    if (why) {
        ck_fail(p, NULL, "this program's parameters are refused: %s; compile the model again", why);
        return NULL;
    }
    enum ck_err err = ck_context_new(&ctx, &p->model->params, p->threads ? p->threads : ck_thread_max());
    if (err == CK_EPARAM) ck_fail(p, NULL, "%s (CK_CPU wants c, avx2, avx512 or ifma)", ck_err_text(err));
    else if (err != CK_OK) ck_fail_err(p, NULL, err);
    return err == CK_OK ? ctx : NULL;
}

/* A key serves in place of another of the same automorphism, gadget and no higher level: the program and its bootstraps share it. */
static size_t share_keys(struct ck_galois_spec *spec, size_t count, const struct ck_params *par)
{
    uint32_t alpha[2], np[2];
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        int shared = 0;
        ck_params_gadget(par, spec[i].level + 1, &alpha[0], &np[0]);
        for (size_t k = 0; k < count && !shared; k++) {
            if (k == i || spec[k].galois != spec[i].galois || spec[k].level < spec[i].level) continue;
            ck_params_gadget(par, spec[k].level + 1, &alpha[1], &np[1]);
            shared = (spec[k].level > spec[i].level || k < i) && alpha[0] == alpha[1] && np[0] == np[1];
        }
        if (!shared) spec[kept++] = spec[i];
    }
    return kept;
}

struct ck_galois_spec *ck_program_keys(const struct ck_program *p, const struct ck_context *ctx, size_t *count)
{
    const struct ck_model *m = p->model;
    struct ck_galois_spec *spec = malloc((m->nkeys + 1) * sizeof *spec);
    enum ck_err err = spec ? CK_OK : CK_ENOMEM;
    for (size_t i = 0; i < m->nkeys && err == CK_OK; i++) err = ck_key_spec_galois(&spec[i], ctx, &m->keys[i]);
    *count = m->nkeys;
    if (err == CK_OK && m->boot) err = ck_boot_keys(ctx, m->boot, &spec, count);
    if (err == CK_OK) {
        *count = share_keys(spec, *count, &m->params);
        return spec;
    }
    free(spec);
    ck_fail_err(p, NULL, err);
    return NULL;
}

/* The value of option `name` at argv[*i], as "--name value" or "--name=value"; NULL if argv[*i] is another option. */
static const char *option_value(const char *name, int *i, int argc, char **argv, int *missing)
{
    size_t n = strlen(name);
    if (strncmp(argv[*i], name, n)) return NULL;
    if (argv[*i][n] == '=') return argv[*i] + n + 1;
    if (argv[*i][n]) return NULL;
    if (*i + 1 == argc) {
        *missing = 1;
        return "";
    }
    return argv[++*i];
}

/* The whole of `text` as a number from 1 to most. */
static int number(int *out, const struct ck_program *p, const char *name, const char *text, int most)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (*end || v < 1 || v > most) return ck_fail(p, name, "wants a number from 1 to %d, not '%s'", most, text);
    *out = (int)v;
    return 0;
}

static int parse(struct ck_program *p, const struct ck_command *c, int argc, char **argv)
{
    unsigned seen = 0, known = c->needs | c->takes;
    int missing = 0;
    for (int i = 0; i < argc; i++) {
        const char *v = NULL, *word = argv[i];
        unsigned bit = 0;
        for (size_t k = 0; k < sizeof options / sizeof *options && !bit; k++)
            if ((v = option_value(options[k].name, &i, argc, argv, &missing))) bit = options[k].bit;
        if (!bit && (v = option_value("--threads", &i, argc, argv, &missing))) {
            if (!missing && number(&p->threads, p, "--threads", v, 1024)) return 1;
        } else if (!bit && (known & CK_OPT_FLOOD) && (v = option_value("--flood", &i, argc, argv, &missing))) {
            if (!missing && number(&p->flood, p, "--flood", v, 64)) return 1;
        } else if (!bit && !strcmp(argv[i], "--quiet")) {
            p->mode = CK_PROGRESS_QUIET;
        } else if (!bit && (known & CK_OPT_FORCE) && !strcmp(argv[i], "--force")) {
            p->force = 1;
        } else if (!bit && (known & CK_OPT_LAYERS) && !strcmp(argv[i], "--layers")) {
            p->layers = 1;
        } else if (!(bit & known)) {
            return ck_fail(p, NULL, "'%s' is not an option of %s; see %s %s --help", word, c->name, p->name, c->name);
        }
        if (missing) return ck_fail(p, word, "wants a value");
        if ((bit & seen) && bit != CK_OPT_INPUT && bit != CK_OPT_OUTPUT)
            return ck_fail(p, NULL, "%.*s is given twice", (int)strcspn(word, "="), word);
        seen |= bit;
        switch (bit) {
        case CK_OPT_KEYS: p->keys = v; break;
        case CK_OPT_WEIGHTS: p->weights = v; break;
        case CK_OPT_REPORT: p->report = v; break;
        case CK_OPT_TRACE: p->trace = v; break;
        case CK_OPT_INPUT: p->input[p->nin++] = v; break;
        case CK_OPT_OUTPUT: p->output[p->nout++] = v; break;
        default: break;
        }
    }
    for (size_t k = 0; k < sizeof options / sizeof *options; k++)
        if (options[k].bit & c->needs & ~seen)
            return ck_fail(p, NULL, "%s is missing; see %s %s --help", options[k].name, p->name, c->name);
    return 0;
}

int ck_program_main(const char *name, const char *help, const struct ck_command *command, size_t count,
                    const struct ck_model *model, int argc, char **argv)
{
    struct ck_program p = {.name = name, .model = model};
    const char *word = argc > 1 ? argv[1] : "--help";
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
        fprintf(argc > 1 ? stdout : stderr, "%s for %s\n\n%s", name, model->name, help);
        return argc > 1 ? 0 : 1;
    }
    const struct ck_command *c = NULL;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(word, command[i].name)) c = &command[i];
    if (!c) return ck_fail(&p, NULL, "'%s' is not a command; see %s --help", word, name);
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            printf("%s", c->help);
            return 0;
        }
    p.input = calloc((size_t)argc, sizeof *p.input);
    p.output = calloc((size_t)argc, sizeof *p.output);
    int rc = p.input && p.output ? parse(&p, c, argc - 2, argv + 2) : ck_fail(&p, NULL, "out of memory");
    if (!rc) rc = c->run(&p);
    free(p.input);
    free(p.output);
    return rc;
}
