// SPDX-License-Identifier: Apache-2.0
// tacet run: the generated programs one after another, as a user would call them, and the result against the plain model.
#include "cmd.h"
#include "diag.h"
#include "json.h"
#include "layers.h"
#include "programs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct run {
    struct arg_list input, output;
    int first;
    const char *keys, *labels, *classes, *json;
    bool no_compare, layers;
    struct arena *arena;
    struct programs programs;
    struct plan plan;
};

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

/* Output k decrypted into `path`, against the plain results; rows of the statistics stay 0 where nothing can be compared. */
static int compare(struct error_stats *out, struct run *r, const struct samples *s, const struct ir_module *m, uint32_t k, const char *path)
{
    int64_t width = output_numel(m, k);
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
        *out = error_measure(v, s->out[k], s->rows, width);
        if (r->labels && k == 0 && classify(r, v, s->out[k], s->rows, width)) status = -1;
        error_print(name, out);
    }
    ck_npy_clear(&a);
    return status;
}

static int write_json(const struct run *r, const struct samples *s, const struct ir_module *m, const struct error_stats *e)
{
    struct ck_out_file o;
    const char *why = ck_out_open(&o, r->json, 0644);
    if (!why) {
        fprintf(o.f, "{\n  \"samples\": %lld,\n", (long long)s->rows);
        programs_write(o.f, &r->programs);
        fprintf(o.f, ",\n");
        layers_write(o.f, &r->plan, 0);
        fprintf(o.f, ",\n  \"outputs\": [");
        for (uint32_t k = 0; k < m->noutputs; k++) {
            fprintf(o.f, "%s\n    ", k ? "," : "");
            error_write(o.f, ir_get_string(m->output_attrs[k], "name", "output"), &e[k]);
        }
        fprintf(o.f, "\n  ]\n}\n");
        why = ck_out_close(&o, 1);
    }
    if (why) diag_error(r->json, "%s", why);
    return why ? -1 : 0;
}

/* The outputs against the plain model, and the figures as JSON. */
static int finish(struct run *r, struct samples *s, struct ir_module *m, const char *const *out)
{
    struct error_stats *e = ARENA_ARRAY(r->arena, struct error_stats, m->noutputs + 1);
    if (!r->no_compare && samples_interp(s, r->arena, m, NULL, "plain model")) return -1;
    for (uint32_t k = 0; k < m->noutputs && !r->no_compare; k++)
        if (compare(&e[k], r, s, m, k, out[k])) return -1;
    return r->json ? write_json(r, s, m, e) : 0;
}

/* The server's own time, loading left out, by group and by sample. */
static void print_groups(const struct plan *plan, int64_t samples)
{
    int64_t groups = (samples + plan->batch - 1) / plan->batch;
    double each = 0;
    for (size_t k = 0; k < plan->nlayers; k++) each += plan->layer[k].measured;
    printf(" in %lld group%s of %lld: %.3f s a group, %.4f s a sample", (long long)groups, groups == 1 ? "" : "s", (long long)plan->batch, each,
           each * (double)groups / (double)samples);
}

static int run(struct run *r, struct ir_module *m)
{
    struct arena *a = r->arena;
    struct programs *p = &r->programs;
    struct samples s = {0};
    const char **out = ARENA_ARRAY(a, const char *, m->noutputs + 1), **named = ARENA_ARRAY(a, const char *, m->noutputs + 1);
    if (samples_load(&s, a, m, "--input", &r->input) || outputs_match(out, m, "--output", &r->output)) return -1;
    bool cut = r->first && r->first < s.rows;
    if (cut) s.rows = r->first;
    for (uint32_t k = 0; k < m->noutputs; k++) {
        if (!out[k]) out[k] = arena_printf(a, "%s/out%u.npy", p->scratch, k);
        named[k] = m->noutputs == 1 ? out[k] : arena_printf(a, "%s=%s", ir_get_string(m->output_attrs[k], "name", ""), out[k]);
    }
    const char *x = arena_printf(a, "%s/x.ct", p->scratch), *y = arena_printf(a, "%s/y.ct", p->scratch);
    const char *report = arena_printf(a, "%s/report.json", p->scratch);
    if (programs_keygen(p) || programs_encrypt(p, &s, m, &r->input, cut, x) || programs_server(p, x, y, NULL, report, s.rows) ||
        programs_decrypt(p, y, named, m->noutputs) || plan_measured(&r->plan, a, report))
        return -1;
    printf("%lld sample%s", (long long)s.rows, s.rows == 1 ? "" : "s");
    if (r->plan.batch > 1) print_groups(&r->plan, s.rows);
    printf("\n");
    if (r->layers) {
        printf("\n");
        layers_print(&r->plan, LAYERS_COST | LAYERS_LAYOUT);
        printf("\n");
        layers_print_parts(&r->plan);
        printf("\n");
    }
    return finish(r, &s, m, out);
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
        {"--threads", 0, "T", "threads of the server", .count = &r.programs.threads},
        {"--layers", 'v', NULL, "a line a layer: predicted and measured time; and a line a part", .flag = &r.layers},
        {"--json", 0, "FILE", "write times, memory and errors as JSON", .string = &r.json},
        {"--no-compare", 0, NULL, "leave out the comparison with the plain model", .flag = &r.no_compare},
        {"--quiet", 'q', NULL, "no progress", .flag = &r.programs.quiet},
        {.name = NULL},
    };
    const struct arg_command cmd = {"run", "DIR --input X.npy [--output Y.npy] [options]",
        "Runs key generation, encryption, the server and decryption of a compiled folder, each as its own process, with time and peak memory.",
        "The results are compared with the model on plain numbers; `tacet compare` compares every layer.", 1, 1, specs};
    struct arg_list dir;
    enum args_result res = args_parse(&cmd, argc, argv, &dir);
    if (res != ARGS_OK) return res == ARGS_ERROR;
    if (!r.input.n) {
        diag_error("run", "no input: --input FILE");
        return 1;
    }
    diag_set_quiet(r.programs.quiet);
    progress_quiet(r.programs.quiet);
    struct arena *a = r.arena = r.programs.arena = arena_new();
    int bad = programs_open(&r.programs, dir.v[0], r.keys) || plan_read(&r.plan, a, r.programs.dir);
    const char *model = arena_printf(a, "%s/model.ir", dir.v[0]);
    if (access(model, F_OK)) {                      // compiled from IR text: the plan has the shapes, nothing to compare with
        model = arena_printf(a, "%s/program.ir", dir.v[0]);
        r.no_compare = true;
    }
    struct ir_module *m = bad ? NULL : ir_load(model);
    bad = !m || run(&r, m);
    if (m) ir_module_free(m);
    programs_close(&r.programs);
    arena_free(a);
    return bad;
}
