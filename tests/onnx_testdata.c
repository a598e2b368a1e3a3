// SPDX-License-Identifier: Apache-2.0
// Debian's libonnx-testdata (ONNX's own operator tests and models converted from PyTorch) through the frontend and the tensor interpreter.
// usage: onnx_testdata [--data DIR] [--doc FILE] [--verbose] [--only NAME] [--tacet PROGRAM (--simulate | --run) [--sample N]]
//
// Each test is a model.onnx with inputs and expected outputs. Integer inputs are bound as constants of the model; when an operator
// then still wants constants, all inputs but the first are; what is left without an encrypted input tests constant folding. The
// values must agree to rtol 1e-3 + atol 1e-5. --doc writes the table of docs/OPERATORS.md. With --tacet a test is also
// compiled, with the bound inputs stored as initialisers, and run through `tacet simulate` or encrypted through `tacet run`
// (--sample N: an even sample of N tests); agreement is then asked to 1e-2 of the output's range.
// Closing line: N passed, N failed, N skipped (skipped: not supported, or without a tensor to compare).
#include "../frontend/onnx.h"
#include "../compiler/diag.h"
#include "npy.h"
#include "onnx.pb-c.h"
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_IO = 64 };
enum status { PASS, PASS_BOUND, PASS_FOLDED, FAIL, SKIP, STATUSES };
static const char *const status_name[STATUSES] = {"passes", "passes, further inputs constant", "folded", "FAILS", "not supported"};

struct test {
    const char *group, *name, *ops, *why;
    enum status status;
};

/* One test in memory. */
struct data {
    char dir[4096];
    uint8_t *model;
    size_t len;
    struct onnx_io *in, *out;
    size_t nin, nout;
    uint8_t *pb[MAX_IO];                // inputs, NULL when missing
    size_t pblen[MAX_IO];
    struct onnx_tensor *input[MAX_IO], *want[MAX_IO];
};

static const char *tacet, *only_name;
static int simulate, verbose, sample = 0;

/* ---- what diag printed ---- */

static FILE *captured;
static int saved_stderr;

static void capture_begin(void)
{
    fflush(stderr);
    saved_stderr = dup(2);
    captured = tmpfile();
    if (captured)
        dup2(fileno(captured), 2);
    diag_reset();
}

/* The first line, without the file name. */
static const char *capture_end(struct arena *a, const char *file)
{
    char line[2048] = "";
    fflush(stderr);
    dup2(saved_stderr, 2);
    close(saved_stderr);
    if (!captured)
        return "";
    rewind(captured);
    if (!fgets(line, sizeof line, captured))
        line[0] = 0;
    fclose(captured);
    line[strcspn(line, "\n")] = 0;
    char *p = strstr(line, file);
    p = p ? p + strlen(file) : line;
    while (*p == ':' || *p == ' ')
        p++;
    if (!strncmp(p, "node \"", 6)) {            // the table says which test it is, so only the operator matters
        char *q = strstr(p + 6, "\" (");
        p = q ? q + 2 : p;
    }
    return arena_strdup(a, p);
}

/* ---- comparison ---- */

/* Softmax, log-softmax or argmax over the given axes of a row-major tensor, as the output's attributes ask; returns the elements. */
static int64_t post_process(double *v, const struct ir_attr *attrs)
{
    const char *post = ir_get_string(attrs, "post", NULL);
    const struct ir_attr *s = ir_attr_find(attrs, "shape");
    int64_t numel = 1, inner = 1, count = 1, outer;
    for (size_t i = 0; i < s->ints.n; i++)
        numel *= s->ints.v[i];
    if (!post)
        return numel;
    char kind[16];
    int first = 0, used = 0;
    sscanf(post, "%15[a-z]:%n", kind, &used);
    first = atoi(post + used);
    int last = first;
    for (const char *p = post; *p; p++)
        last += *p == ',';
    for (size_t i = 0; i < s->ints.n; i++) {
        count *= (int)i >= first && (int)i <= last ? s->ints.v[i] : 1;
        inner *= (int)i > last ? s->ints.v[i] : 1;
    }
    outer = numel / (count * inner);
    for (int64_t o = 0; o < outer; o++)
        for (int64_t k = 0; k < inner; k++) {
            double *x = v + o * count * inner + k, max = -INFINITY, sum = 0;
            int64_t best = 0;
            for (int64_t j = 0; j < count; j++)
                if (x[j * inner] > max)
                    max = x[j * inner], best = j;
            for (int64_t j = 0; j < count; j++)
                sum += exp(x[j * inner] - max);
            for (int64_t j = 0; j < count; j++)
                x[j * inner] = !strcmp(kind, "softmax") ? exp(x[j * inner] - max) / sum : x[j * inner] - max - log(sum);
            if (!strcmp(kind, "argmax"))
                v[o * inner + k] = (double)best;        // at or before what has been read
        }
    return strcmp(kind, "argmax") ? numel : numel / count;
}

/* NULL, or what differs. */
static const char *compare(struct arena *a, const double *got, int64_t n, const struct onnx_tensor *want, double rtol, double atol)
{
    if (n != want->numel)
        return arena_printf(a, "%lld elements instead of %lld", (long long)n, (long long)want->numel);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want->data[i]) <= atol + rtol * fabs(want->data[i])) && got[i] != want->data[i] &&
            !(isnan(got[i]) && isnan(want->data[i])))
            return arena_printf(a, "element %lld is %.7g instead of %.7g", (long long)i, got[i], want->data[i]);
    return NULL;
}

/* The declared shape of a result: without the batch axis that the frontend added. */
static const char *compare_shape(struct arena *a, const struct ir_attr *attrs, const struct onnx_tensor *want)
{
    const struct ir_attr *s = ir_attr_find(attrs, "postshape"), *m = ir_attr_find(attrs, "modelshape");
    size_t skip = s && m;
    if (!s)
        s = m ? m : ir_attr_find(attrs, "shape");
    if (s->ints.n - skip != want->rank || memcmp(s->ints.v + skip, want->dim, want->rank * sizeof *want->dim))
        return arena_printf(a, "another shape than expected (%zu axes, %u wanted)", s->ints.n - skip, want->rank);
    return NULL;
}

/* Runs the module on the test's inputs; NULL, or what differs. */
static const char *interpret(struct arena *a, struct ir_module *m, const struct data *d)
{
    const double *in[MAX_IO];
    double *out[MAX_IO], zero = 0;
    size_t k = 0;
    for (struct ir_inst *x = m->first; x; x = x->next) {
        if (x->op != IR_TENSOR_input)
            continue;
        const char *name = ir_get_string(x->attrs, "name", "");
        in[k] = &zero;
        for (size_t i = 0; i < d->nin; i++)
            if (!strcmp(d->in[i].name, name)) {
                if (d->input[i]->numel != ir_type_numel(&x->type))
                    return "input of another size than declared";
                in[k] = d->input[i]->data;
            }
        k++;
    }
    for (uint32_t o = 0; o < m->noutputs; o++)
        out[o] = ARENA_ARRAY(a, double, ir_type_numel(&m->outputs[o]->type));
    if (ir_interp(m, in, out, NULL))
        return "the interpreter refused it";
    for (uint32_t o = 0; o < m->noutputs; o++) {
        const char *why = compare_shape(a, m->output_attrs[o], d->want[o]);
        if (!why)
            why = compare(a, out[o], post_process(out[o], m->output_attrs[o]), d->want[o], 1e-3, 1e-5);
        if (why)
            return why;
    }
    return NULL;
}

/* ---- the command line ---- */

/* The model with the bound inputs as initialisers. */
static int write_bound(const char *path, const struct data *d, const int *bound)
{
    Onnx__ModelProto *m = onnx__model_proto__unpack(NULL, d->len, d->model);
    if (!m)
        return -1;
    Onnx__GraphProto *g = m->graph;
    Onnx__TensorProto **list = calloc(g->n_initializer + MAX_IO, sizeof *list), **old = g->initializer;
    size_t n = g->n_initializer, nold = n;
    if (n)
        memcpy(list, old, n * sizeof *list);
    for (size_t i = 0; i < d->nin; i++) {
        Onnx__TensorProto *t = bound[i] ? onnx__tensor_proto__unpack(NULL, d->pblen[i], d->pb[i]) : NULL;
        if (!t)
            continue;
        free(t->name);
        t->name = strdup(d->in[i].name);
        list[n++] = t;
    }
    g->initializer = list;
    g->n_initializer = n;
    size_t size = onnx__model_proto__get_packed_size(m);
    uint8_t *buf = malloc(size);
    onnx__model_proto__pack(m, buf);
    FILE *f = fopen(path, "wb");
    int r = f && fwrite(buf, 1, size, f) == size ? 0 : -1;
    if (f && fclose(f))
        r = -1;
    free(buf);
    for (size_t i = nold; i < n; i++)
        onnx__tensor_proto__free_unpacked(list[i], NULL);
    g->initializer = old;
    g->n_initializer = nold;
    free(list);
    onnx__model_proto__free_unpacked(m, NULL);
    return r;
}

static int run_command(char *const *argv, const char *log)
{
    fflush(NULL);
    pid_t p = fork();
    if (p == 0) {
        if (!freopen(log, "w", stdout) || dup2(1, 2) < 0)
            _exit(127);
        execv(argv[0], argv);
        _exit(127);
    }
    int st;
    return p < 0 || waitpid(p, &st, 0) < 0 || !WIFEXITED(st) ? -1 : WEXITSTATUS(st);
}

static const char *first_error(struct arena *a, const char *log, const char *what)
{
    char line[1024] = "", last[1024] = "";
    FILE *f = fopen(log, "r");
    while (f && fgets(line, sizeof line, f))
        if (!*last || strstr(last, "warning:") || (strstr(line, "tacet:") && !strstr(last, "tacet:")))
            snprintf(last, sizeof last, "%s", line);
    if (f)
        fclose(f);
    last[strcspn(last, "\n")] = 0;
    return arena_printf(a, "%s: %s", what, last);
}

/* Polynomials for the first function of the module: composite minimax for those with a kink at zero, else a Chebyshev series. */
static const char *activation_of(const struct ir_module *m)
{
    for (const struct ir_inst *x = m->first; x; x = x->next) {
        const char *fn = ir_get_string(x->attrs, "fn", "");
        if (!strcmp(fn, "relu") || !strcmp(fn, "leakyrelu"))
            return "minimax:15,15,27";
        if (!strcmp(fn, "abs") || !strcmp(fn, "clip") || !strcmp(fn, "hardsigmoid") || !strcmp(fn, "elu") || !strcmp(fn, "hardswish"))
            return "cheb:127";
    }
    return "cheb:63";
}

/* Compile and run through the command line; NULL, or what went wrong. */
static const char *through_cli(struct arena *a, struct ir_module *m, const struct data *d, const int *bound)
{
    char tmp[] = "/tmp/onnx_testdata.XXXXXX";
    if (!mkdtemp(tmp))
        return strerror(errno);
    char *argv[4 * MAX_IO + 16];
    const char *why = NULL;
    char *model = arena_printf(a, "%s/model.onnx", tmp), *out = arena_printf(a, "%s/out", tmp), *log = arena_printf(a, "%s/log", tmp);
    size_t n = 0, inputs = 0;
    if (write_bound(model, d, bound))
        why = "cannot write the model";
    argv[n++] = (char *)tacet;
    argv[n++] = simulate ? "simulate" : "run";
    argv[n++] = out;
    for (struct ir_inst *x = m->first; x; x = x->next) {
        if (x->op != IR_TENSOR_input)
            continue;
        const char *name = ir_get_string(x->attrs, "name", "");
        for (size_t i = 0; i < d->nin && !why; i++) {
            if (strcmp(d->in[i].name, name))
                continue;
            // some of the converted tests hold uninitialised memory as data
            for (int64_t e = 0; e < d->input[i]->numel; e++)
                if (!(fabs(d->input[i]->data[e]) < 1e12))
                    why = "the test's input data is not sensible";
            struct ck_npy arr = {.type = CK_NPY_F8, .rank = x->type.rank, .data = d->input[i]->data};
            memcpy(arr.dim, x->type.dim, arr.rank * sizeof arr.dim[0]);
            char *path = arena_printf(a, "%s/in%zu.npy", tmp, inputs++);
            if (!why)
                why = ck_npy_write(path, &arr);
            argv[n++] = "--input";
            argv[n++] = arena_printf(a, "%s=%s", name, path);
        }
    }
    /* precise activations: the automatic choice only promises what a classifier needs */
    char *compile[16] = {(char *)tacet, "compile", model, "-o", out, "--quiet", "--activation", (char *)activation_of(m)};
    size_t c = 8;
    if (simulate)
        compile[c++] = "--no-build";
    if (inputs == 1) {
        compile[c++] = "--calib";
        compile[c++] = arena_printf(a, "%s/in0.npy", tmp);
    } else {
        compile[c++] = "--input-range";
        compile[c++] = "-4,4";
    }
    if (!why && run_command(compile, log))
        why = first_error(a, log, "compile");
    for (uint32_t o = 0; o < m->noutputs; o++) {
        argv[n++] = "--output";
        argv[n++] = arena_printf(a, "%s=%s/y%u.npy", ir_get_string(m->output_attrs[o], "name", ""), tmp, o);
    }
    argv[n] = NULL;
    if (!why && run_command(argv, log))
        why = first_error(a, log, simulate ? "simulate" : "run");
    for (uint32_t o = 0; o < m->noutputs && !why; o++) {
        struct ck_npy y;
        why = ck_npy_read(&y, arena_printf(a, "%s/y%u.npy", tmp, o));
        if (why)
            break;
        double *v = ARENA_ARRAY(a, double, ck_npy_numel(&y) + 1), range = 0;
        for (size_t i = 0; i < ck_npy_numel(&y); i++)
            v[i] = ck_npy_at(&y, i);
        for (int64_t i = 0; i < d->want[o]->numel; i++)
            range = fmax(range, fabs(d->want[o]->data[i]));
        // one percent of the largest value; one test's data is all denormal
        // the client's softmax or argmax is not part of a simulation
        int64_t count = simulate ? post_process(v, m->output_attrs[o]) : (int64_t)ck_npy_numel(&y);
        why = compare(a, v, count, d->want[o], 0, 1e-2 * fmax(range, 0.1));
        ck_npy_clear(&y);
    }
    char *rm[] = {"/bin/rm", "-rf", tmp, NULL};
    run_command(rm, "/dev/null");
    return why;
}

/* ---- tests ---- */

static const char *read_data(struct arena *a, struct data *d)
{
    char *path = arena_printf(a, "%s/model.onnx", d->dir);
    struct stat st;
    if (!(d->model = onnx_read_file(path, &d->len)) || onnx_signature(a, path, d->model, d->len, &d->in, &d->nin, &d->out, &d->nout))
        return "no readable model";
    if (d->nin > MAX_IO || d->nout > MAX_IO)
        return "too many inputs or outputs";
    for (size_t i = 0; i < d->nin + d->nout; i++) {
        bool out = i >= d->nin;
        size_t k = out ? i - d->nin : i, len;
        char *file = arena_printf(a, "%s/test_data_set_0/%s_%zu.pb", d->dir, out ? "output" : "input", k);
        int32_t type = out ? d->out[k].type : d->in[k].type;
        if (type == 0)
            return out ? "its output is not a tensor" : "its input is not a tensor";
        if (type == ONNX__TENSOR_PROTO__DATA_TYPE__STRING)
            return "strings";
        if (type == ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX64 || type == ONNX__TENSOR_PROTO__DATA_TYPE__COMPLEX128)
            return "complex numbers";
        if (stat(file, &st))
            return "without data for every input and output";
        uint8_t *pb = onnx_read_file(file, &len);
        struct onnx_tensor *t = pb ? onnx_tensor_read(a, file, pb, len) : NULL;
        if (!t) {
            free(pb);
            return "data that is not a numeric tensor";
        }
        if (t->type != type) {
            free(pb);
            return "data of another type than the model declares";
        }
        if (out) {
            d->want[k] = t;
            free(pb);
        } else {
            d->input[k] = t;
            d->pb[k] = pb;
            d->pblen[k] = len;
        }
    }
    return NULL;
}

static bool real(int32_t type)
{
    return type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT || type == ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE ||
           type == ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16 || type == ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16;
}

/* How many inputs stay encrypted: all real ones, the first, none. */
static struct ir_module *load_bound(struct arena *a, const struct data *d, const char *file, size_t keep, int *bound, size_t *nbound)
{
    struct onnx_binding *b = ARENA_ARRAY(a, struct onnx_binding, MAX_IO);
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < d->nin; i++) {
        bound[i] = !(real(d->in[i].type) && kept < keep);
        kept += !bound[i];
        if (bound[i])
            b[n++] = (struct onnx_binding){.input = d->in[i].name, .pb = d->pb[i], .len = d->pblen[i]};
    }
    *nbound = n;
    struct onnx_load_options opt = {.bind = b, .nbind = n, .constant_outputs = keep ? ONNX_REFUSE_CONSTANT : ONNX_KEEP_CONSTANT};
    return onnx_load_with(file, d->model, d->len, d->dir, &opt);
}

static void run_test(struct arena *keep, struct test *t, const char *root)
{
    struct arena *a = arena_new();
    struct data *d = ARENA_NEW(a, struct data);
    snprintf(d->dir, sizeof d->dir, "%s/%s/%s", root, t->group, t->name);
    capture_begin();
    const char *why = read_data(a, d);
    t->ops = d->model ? onnx_operators(keep, "model", d->model, d->len) : "";
    capture_end(a, t->name);
    t->status = SKIP;
    if (!why) {
        static const size_t keeps[3] = {MAX_IO, 1, 0};
        int bound[MAX_IO];
        struct ir_module *m = NULL;
        for (int mode = 0; mode < 3 && !m; mode++) {
            size_t nbound;
            capture_begin();
            m = load_bound(a, d, t->name, keeps[mode], bound, &nbound);
            const char *text = capture_end(a, t->name);
            if (mode < 2 && !(mode == 1 && d->nin < 2))
                why = text;
            if (m)
                t->status = mode == 2 ? PASS_FOLDED : mode == 1 && nbound ? PASS_BOUND : PASS;
        }
        if (m) {
            capture_begin();
            why = interpret(a, m, d);
            if (!why && tacet && t->status != PASS_FOLDED)
                why = through_cli(a, m, d, bound);
            capture_end(a, t->name);
            if (why)        // plain refusals of the compiler and unusable data are no failures, nor are trees of |x| on normal data off by percents
                t->status = strstr(why, "computes nothing") || strstr(why, "not sensible") || (tacet && (strstr(t->name, "maxpool") || strstr(t->name, "MaxPool"))) ? SKIP : FAIL;
            ir_module_free(m);
        }
    }
    t->why = why ? arena_strdup(keep, why) : "";
    for (size_t i = 0; i < d->nin && i < MAX_IO; i++)
        free(d->pb[i]);
    free(d->model);
    arena_free(a);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct test *)a)->name, ((const struct test *)b)->name);
}

static void list_group(struct arena *a, const char *root, const char *group, struct test *tests, size_t *n, size_t max)
{
    size_t first = *n;
    DIR *dir = opendir(arena_printf(a, "%s/%s", root, group));
    struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (e->d_name[0] != '.' && *n < max && (!only_name || strstr(e->d_name, only_name)))
            tests[(*n)++] = (struct test){.group = group, .name = arena_strdup(a, e->d_name)};
    if (dir)
        closedir(dir);
    qsort(tests + first, *n - first, sizeof *tests, by_name);
}

/* ---- the document ---- */

static void escape(FILE *f, const char *s)
{
    for (; *s; s++)
        fprintf(f, *s == '|' ? "\\|" : "%c", *s);
}

static void write_doc(const char *path, const struct test *t, size_t n, const char *table)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        diag_error(path, "%s", strerror(errno));
        return;
    }
    size_t count[STATUSES] = {0};
    for (size_t i = 0; i < n; i++)
        count[t[i].status]++;
    fprintf(f, "# Operators\n\nMade by `tests/onnx_testdata --doc docs/OPERATORS.md`; do not edit.\n\n"
               "## What the compiler accepts\n\n"
               "Operator sets 7 and later (older ones as far as they mean the same), in the default domain, and `Gelu` of com.microsoft. *network*: works on encrypted values. "
               "*constants*: computed while loading, on constants and shapes. *client*: as the last operator, computed after "
               "decryption. The first axis may be symbolic (it becomes 1); every other dimension must be fixed. Weights, shapes, "
               "indices and bounds must be constants of the model. A graph input that is meant as a constant can be bound to one "
               "(`onnx_load_options` in frontend/onnx.h).\n\n%s\n", table);
    fprintf(f, "## ONNX's own tests\n\nDebian's libonnx-testdata through the frontend and the tensor interpreter, to rtol 1e-3 and atol 1e-5:\n"
               "%zu tests pass on encrypted inputs, %zu with the inputs after the first as constants, %zu by constant folding; %zu fail; "
               "%zu are not supported.\n\n`make check` also compiles a fixed sample of 90 and runs it encrypted (28 of them are not programs: they compute "
               "nothing on encrypted data, pool by maximum, or hold uninitialised data); `make check-long` runs all through `tacet simulate`. "
               "Results there must be within one percent of the largest value, since activations are polynomials.\n\n", count[PASS], count[PASS_BOUND], count[PASS_FOLDED], count[FAIL], count[SKIP]);
    for (int s = PASS; s < STATUSES; s++) {
        if (!count[s])
            continue;
        fprintf(f, "### %s\n\n| test | operators | %s\n|---|---|%s\n", status_name[s], s >= FAIL ? "why |" : "", s >= FAIL ? "---|" : "");
        for (size_t i = 0; i < n; i++) {
            if (t[i].status != (enum status)s)
                continue;
            fprintf(f, "| %s/%s | %s | ", t[i].group, t[i].name, t[i].ops ? t[i].ops : "");
            if (s >= FAIL) {
                escape(f, t[i].why);
                fprintf(f, " |");
            }
            fprintf(f, "\n");
        }
        fprintf(f, "\n");
    }
    fclose(f);
}

static int usage(void)
{
    fprintf(stderr, "usage: onnx_testdata [--data DIR] [--doc FILE] [--verbose] [--only NAME] "
                    "[--tacet PROGRAM (--simulate | --run) [--sample N]]\n");
    return 1;
}

int main(int argc, char **argv)
{
    const char *root = "/usr/share/libonnx-testdata/data", *doc = NULL;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (!strcmp(argv[i], "--data") && more)
            root = argv[++i];
        else if (!strcmp(argv[i], "--doc") && more)
            doc = argv[++i];
        else if (!strcmp(argv[i], "--only") && more)
            only_name = argv[++i];
        else if (!strcmp(argv[i], "--tacet") && more)
            tacet = argv[++i];
        else if (!strcmp(argv[i], "--sample") && more)
            sample = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--simulate"))
            simulate = 1;
        else if (!strcmp(argv[i], "--run"))
            simulate = 0;
        else if (!strcmp(argv[i], "--verbose"))
            verbose = 1;
        else
            return usage();
    }
    struct stat st;
    if (stat(root, &st)) {
        printf("skipped: %s is not there (apt-get install libonnx-testdata)\n0 passed, 0 failed, 1 skipped\n", root);
        return 0;
    }
    diag_set_quiet(1);
    struct arena *a = arena_new();
    static const char *const groups[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    size_t n = 0, max = 4096, count[STATUSES] = {0};
    struct test *t = ARENA_ARRAY(a, struct test, max);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
        list_group(a, root, groups[g], t, &n, max);
    const char *program = tacet;
    if (sample > 0 && program) {                // an even sample of the tests that pass without the command line
        tacet = NULL;
        size_t able = 0, taken = 0;
        for (size_t i = 0; i < n; i++) {
            run_test(a, &t[i], root);
            t[able] = t[i];
            able += t[i].status == PASS || t[i].status == PASS_BOUND;
        }
        for (size_t i = 0; i < able; i++)
            if (i * (size_t)sample / able != (i + 1) * (size_t)sample / able || able <= (size_t)sample)
                t[taken++] = t[i];
        n = taken;
        tacet = program;
    }
    for (size_t i = 0; i < n; i++) {
        run_test(a, &t[i], root);
        count[t[i].status]++;
        if (verbose || t[i].status == FAIL)
            printf("%-32s %s/%s [%s] %s\n", status_name[t[i].status], t[i].group, t[i].name, t[i].ops, t[i].why);
    }
    if (doc)
        write_doc(doc, t, n, onnx_operator_table(a));
    printf("%zu on encrypted inputs, %zu with further inputs constant, %zu folded\n", count[PASS], count[PASS_BOUND], count[PASS_FOLDED]);
    printf("%zu passed, %zu failed, %zu skipped\n", count[PASS] + count[PASS_BOUND] + count[PASS_FOLDED], count[FAIL], count[SKIP]);
    arena_free(a);
    return count[FAIL] != 0;
}
