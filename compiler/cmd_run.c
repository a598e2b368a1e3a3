// SPDX-License-Identifier: Apache-2.0
// tacet run: the generated programs one after another, as a user would call them, and the result against the plain model.
#include "cmd.h"
#include "diag.h"
#include "folder.h"

#include <stdio.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
    const char *dir, *keys;
    struct arg_list input, output;
    int threads, first;
    const char *labels, *classes;
    bool quiet, no_compare;
    struct arena *arena;
    const char *scratch;
};

struct command_line {
    const char *v[2 * ARG_LIST_MAX + 16];
    size_t n;
};

static void put(struct command_line *c, const char *word)
{
    c->v[c->n++] = word;
    c->v[c->n] = NULL;
}

static double file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) ? 0 : (double)st.st_size;
}

/* Runs one program; 0, or -1 after diag_error (the program has said why). */
static int part(struct run *r, const char *name, struct command_line *c, const char *made, int64_t rows)
{
    struct child child;
    char size[32], peak[32];
    bool show = !r->quiet && isatty(2) && !strcmp(name, "server");      // its progress; the others are short
    if (!show) put(c, "--quiet");
    if (child_run(&child, c->v, !show)) return -1;
    if (child.status) {
        diag_error(c->v[0], "%s failed", name);
        return -1;
    }
    printf("%-8s %8.3f s  peak memory %s", name, child.seconds, bytes_text(peak, child.peak_bytes));
    if (rows > 1) printf("  %.3f s a sample", child.seconds / (double)rows);
    if (made) printf("  %s", bytes_text(size, file_bytes(made)));
    printf("\n");
    fflush(stdout);
    return 0;
}

static struct command_line begin(struct run *r, const char *program, const char *verb, const char *keys)
{
    struct command_line c = {.n = 0};
    put(&c, arena_printf(r->arena, "%s/%s", r->dir, program));
    put(&c, verb);
    put(&c, "--keys");
    put(&c, keys);
    return c;
}

static void option(struct command_line *c, const char *name, const char *value)
{
    put(c, name);
    put(c, value);
}

/* The name of class c in a comma-separated list, its number without one. */
static const char *class_name(struct run *r, int64_t c)
{
    const char *p = r->classes;
    for (int64_t i = 0; p && i < c; i++) p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL;
    if (!p) return arena_printf(r->arena, "%lld", (long long)c);
    return arena_printf(r->arena, "%.*s", (int)strcspn(p, ","), p);
}

/* A line a sample: the true class, the classes that the plain model and the encrypted run choose, the largest error. */
static int classify(struct run *r, const double *got, const double *plain, int64_t rows, int64_t width)
{
    struct ck_npy y;
    const char *why = ck_array_read(&y, r->labels, NULL);
    if (!why && (int64_t)ck_npy_numel(&y) < rows) {
        why = "fewer labels than samples";
        ck_npy_clear(&y);
    }
    if (why) {
        diag_error(r->labels, "%s", why);
        return -1;
    }
    int64_t right = 0;
    printf("%6s  %-14s %-14s %-14s %s\n", "sample", "true", "plain", "encrypted", "largest error");
    for (int64_t i = 0; i < rows; i++) {
        const double *g = got + i * width, *p = plain + i * width;
        int64_t truth = (int64_t)ck_npy_at(&y, (size_t)i), best = error_top(g, width);
        double worst = 0;
        for (int64_t k = 0; k < width; k++) worst = fmax(worst, fabs(g[k] - p[k]));
        right += best == truth;
        printf("%6lld  %-14s %-14s %-14s %.2g\n", (long long)i, class_name(r, truth), class_name(r, error_top(p, width)),
               class_name(r, best), worst);
    }
    printf("%lld of %lld encrypted predictions are the true class\n", (long long)right, (long long)rows);
    ck_npy_clear(&y);
    return 0;
}

/* Output k decrypted into `path`, against the plain results. */
static int compare(struct run *r, const struct samples *s, const struct ir_module *m, uint32_t k, const char *path)
{
    struct ir_type t = io_shape(&m->outputs[k]->type, m->output_attrs[k]);
    int64_t width = ir_type_numel(&t);
    struct ck_npy a;
    int status = 0;
    const char *why = ck_array_read(&a, path, NULL);
    if (why) {
        diag_error(path, "%s", why);
        return -1;
    }
    const char *name = ir_get_string(m->output_attrs[k], "name", "output");
    if (ir_get_string(m->output_attrs[k], "post", NULL)) {
        printf("%s: %s was applied by the client, not compared\n", name, ir_get_string(m->output_attrs[k], "post", NULL));
    } else if ((int64_t)ck_npy_numel(&a) != s->rows * width) {
        printf("%s: %zu values, %lld expected\n", name, ck_npy_numel(&a), (long long)(s->rows * width));
    } else {
        double *v = ARENA_ARRAY(r->arena, double, s->rows * width);
        for (int64_t i = 0; i < s->rows * width; i++) v[i] = ck_npy_at(&a, (size_t)i);
        struct error_stats e = error_measure(v, s->out[k], s->rows, width);
        if (r->labels && k == 0 && classify(r, v, s->out[k], s->rows, width)) status = -1;
        error_print(name, &e);
    }
    ck_npy_clear(&a);
    return status;
}

/* What the client is given for input i: the user's words, or the file that holds the first samples. */
static const char *input_of(struct run *r, const struct samples *s, const struct ir_module *m, uint32_t i)
{
    const char *cut = arena_printf(r->arena, "%s/in%u.npy", r->scratch, i);
    if (access(cut, F_OK)) return i < r->input.n ? r->input.v[i] : NULL;
    if (s->nin == 1) return cut;
    return arena_printf(r->arena, "%s=%s", ir_get_string(ir_input(m, i)->attrs, "name", ""), cut);
}

static int run(struct run *r, struct ir_module *m)
{
    struct arena *a = r->arena;
    struct samples s = {0};
    const char **out = ARENA_ARRAY(a, const char *, m->noutputs + 1);
    if (samples_load(&s, a, m, "--input", &r->input) || outputs_match(out, m, "--output", &r->output)) return -1;
    if (r->first && r->first < s.rows) {
        s.rows = r->first;
        for (uint32_t i = 0; i < s.nin; i++)
            if (samples_save(&s, m, i, arena_printf(a, "%s/in%u.npy", r->scratch, i))) return -1;
    }
    for (uint32_t k = 0; k < m->noutputs; k++)
        if (!out[k]) out[k] = arena_printf(a, "%s/out%u.npy", r->scratch, k);
    const char *keys = r->keys ? r->keys : arena_printf(a, "%s/keys", r->scratch);
    const char *eval = arena_printf(a, "%s/eval.keys", keys), *x = arena_printf(a, "%s/x.ct", r->scratch);
    const char *y = arena_printf(a, "%s/y.ct", r->scratch), *threads = arena_printf(a, "%d", r->threads);
    if (access(arena_printf(a, "%s/secret.key", keys), F_OK)) {
        struct command_line c = begin(r, "client", "keygen", keys);
        if (part(r, "keygen", &c, eval, 0)) return -1;
    }
    struct command_line c = begin(r, "client", "encrypt", keys);
    for (uint32_t i = 0; i < s.nin; i++)
        if (input_of(r, &s, m, i)) option(&c, "--input", input_of(r, &s, m, i));
    option(&c, "--output", x);
    if (part(r, "encrypt", &c, x, s.rows)) return -1;
    c = begin(r, "server", "run", eval);
    option(&c, "--input", x);
    option(&c, "--output", y);
    if (r->threads) option(&c, "--threads", threads);
    if (part(r, "server", &c, y, s.rows)) return -1;
    c = begin(r, "client", "decrypt", keys);
    option(&c, "--input", y);
    for (uint32_t k = 0; k < m->noutputs; k++)
        option(&c, "--output", m->noutputs == 1 ? out[k]
               : arena_printf(a, "%s=%s", ir_get_string(m->output_attrs[k], "name", ""), out[k]));
    if (part(r, "decrypt", &c, NULL, s.rows)) return -1;
    printf("%lld sample%s\n", (long long)s.rows, s.rows == 1 ? "" : "s");
    if (r->no_compare) return 0;
    if (samples_interp(&s, a, m, NULL, "plain model")) return -1;
    for (uint32_t k = 0; k < m->noutputs; k++)
        if (compare(r, &s, m, k, out[k])) return -1;
    return 0;
}

int cmd_run(int argc, char **argv)
{
    struct run r = {0};
    const struct arg_spec specs[] = {
        {"--input", 'i', "[NAME=]FILE", "samples (.npy, .npz, .pb), the first axis may be a batch; repeat for several inputs",
         .list = &r.input},
        {"--output", 'o', "[NAME=]FILE", "where results go (.npy); repeat for several outputs", .list = &r.output},
        {"--keys", 0, "DIR", "use the keys in DIR, or make them there; otherwise they are made anew and thrown away", .string = &r.keys},
        {"--first", 0, "N", "only the first N samples", .count = &r.first},
        {"--labels", 0, "FILE", "true classes: a line a sample with true, plain and encrypted class", .string = &r.labels},
        {"--classes", 0, "A,B,...", "names of the classes for that", .string = &r.classes},
        {"--threads", 0, "T", "threads of the server", .count = &r.threads},
        {"--no-compare", 0, NULL, "leave out the comparison with the plain model", .flag = &r.no_compare},
        {"--quiet", 'q', NULL, "no progress", .flag = &r.quiet},
        {.name = NULL},
    };
    const struct arg_command cmd = {"run", "DIR --input X.npy [--output Y.npy] [options]",
        "Runs key generation, encryption, the server and decryption of a compiled folder, each as its own process, with time and peak memory.",
        "The results are compared with the model on plain numbers.", 1, 1, specs};
    struct arg_list dir;
    enum args_result res = args_parse(&cmd, argc, argv, &dir);
    if (res != ARGS_OK) return res == ARGS_ERROR;
    if (!r.input.n) {
        diag_error("run", "no input: --input FILE");
        return 1;
    }
    diag_set_quiet(r.quiet);
    progress_quiet(r.quiet);
    r.arena = arena_new();
    r.dir = strchr(dir.v[0], '/') ? dir.v[0] : arena_printf(r.arena, "./%s", dir.v[0]);
    int bad = 1;
    if (access(arena_printf(r.arena, "%s/server", r.dir), X_OK) || access(arena_printf(r.arena, "%s/client", r.dir), X_OK)) {
        diag_error(r.dir, "holds no built programs: `tacet compile` it without --no-build, or run ninja there");
    } else {
        const char *model = arena_printf(r.arena, "%s/model.ir", r.dir);
        if (access(model, F_OK)) {                      // compiled from IR text: the plan has the shapes, nothing to compare with
            model = arena_printf(r.arena, "%s/program.ir", r.dir);
            r.no_compare = true;
        }
        struct ir_module *m = ir_load(model);
        char *scratch = m ? folder_scratch(r.arena, "tacet-run") : NULL;
        r.scratch = scratch;
        if (scratch) {
            bad = run(&r, m) != 0;
            folder_end(r.arena, scratch, scratch, false);
        }
        if (m) ir_module_free(m);
    }
    arena_free(r.arena);
    return bad;
}
