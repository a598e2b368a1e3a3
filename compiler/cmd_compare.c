// SPDX-License-Identifier: Apache-2.0
// tacet compare: where an encrypted run leaves the plain values. Three executions of the planned program are compared layer by layer: on
// plain numbers without error, with the simulated errors of encryption, and encrypted, by a trace of the server that the secret key opens.
// The three run one after another; plain and decrypted values lie in files meanwhile, so one layer at a time is in memory.
#include "cmd.h"
#include "diag.h"
#include "json.h"
#include "layers.h"
#include "layout.h"
#include "noise.h"
#include "programs.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// The noise model is an estimate, and a layer of few values has few errors to judge by: several times the simulated ones are no fault yet.
// It knows the mean square of a series' error, not that it grows towards the ends of the range: the largest may be further off.
enum { SLACK_RMS = 4, SLACK_MAX = 10 };

struct compare {
    struct arg_list input;
    int first, seed;
    const char *keys, *tolerance, *json;
    double share;                       // of the range that an error may be; 0: by the simulation
    struct arena *arena;
    struct programs programs;
    struct plan plan;
    struct ir_module *program;
    FILE *plain, *decrypted;            // values in order of samples and layers, doubles
    double *value[2];                   // what is read back
    bool **held;                        // by layer: slots that hold elements; NULL: all
    size_t next, seen;                  // layer that comes; layers seen
    bool failed;
};

/* The layer whose value this instruction is; NULL if it is none. Layers and instructions have the same order. */
static struct layer *layer_of(struct compare *c, const struct ir_inst *i, int64_t n)
{
    struct layer *l = &c->plan.layer[c->next];
    if (l->degree != 1 || l->value != i->id || i->type.count != l->ciphertexts || ir_type_numel(&i->type) != n) return NULL;
    return l;
}

/* On to the next layer that a trace has; the degree of a value that waits for its relinearisation is 2. */
static void advance(struct compare *c)
{
    do c->next = (c->next + 1) % c->plan.nlayers;
    while (c->plan.layer[c->next].degree != 1);
}

static void keep_plain(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct compare *c = arg;
    if (!layer_of(c, i, n)) return;
    c->failed |= fwrite(value, sizeof *value, (size_t)n, c->plain) != (size_t)n;
    c->seen++;
    advance(c);
}

static void add_error(struct layer_error *e, double d)
{
    d = fabs(d);
    if (!(d <= e->max)) e->max = d;         // NaN counts
    e->square += d * d;
}

static void measure(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct compare *c = arg;
    struct layer *l = layer_of(c, i, n);
    if (!l) return;
    const bool *held = c->held[c->next];
    c->failed |= fread(c->value[0], sizeof *value, (size_t)n, c->plain) != (size_t)n ||
                 fread(c->value[1], sizeof *value, (size_t)n, c->decrypted) != (size_t)n;
    for (int64_t k = 0; k < n && !c->failed; k++) {
        if (held && !held[k]) continue;
        l->values++;
        l->range = fmax(l->range, fabs(c->value[0][k]));
        add_error(&l->simulated, value[k] - c->value[0][k]);
        add_error(&l->encrypted, c->value[1][k] - c->value[0][k]);
    }
    advance(c);
}

/* The slots of all copies of an element; the others hold anything. */
static bool *held_by(struct arena *a, const struct layer *l, uint32_t n)
{
    struct layout y;
    if (!*l->layout || layout_parse(&y, l->layout) || y.n != n || layout_count(&y) != l->ciphertexts) return NULL;
    size_t slots = (size_t)l->ciphertexts * n;
    struct arena *scratch = arena_new();
    double *one = ARENA_ARRAY(scratch, double, layout_numel(&y)), *packed = ARENA_ARRAY(scratch, double, slots);
    for (int64_t e = 0; e < layout_numel(&y); e++) one[e] = 1;
    layout_pack(packed, &y, one, 1);
    bool *held = ARENA_ARRAY(a, bool, slots);
    for (size_t k = 0; k < slots; k++) held[k] = packed[k] != 0;
    arena_free(scratch);
    return held;
}

/* Opens the decrypted trace behind its header, which must be the one that the client writes for these samples. */
static int open_trace(struct compare *c, const char *path, int64_t rows, uint32_t n)
{
    struct ck_npy a = {.type = CK_NPY_F8, .rank = 3, .dim = {rows, 0, n}};
    char want[CK_NPY_HEADER_MAX], have[CK_NPY_HEADER_MAX];
    for (size_t k = 0; k < c->plan.nlayers; k++) a.dim[1] += c->plan.layer[k].degree == 1 ? c->plan.layer[k].ciphertexts : 0;
    size_t len = ck_npy_header(want, &a);
    c->decrypted = fopen(path, "rb");
    if (!c->decrypted) {
        diag_error(path, "%s", strerror(errno));
        return -1;
    }
    if (fread(have, 1, len, c->decrypted) == len && !memcmp(have, want, len)) return 0;
    diag_error(c->programs.dir, "the trace of its server has another shape than plan.json says: the files belong to different plans");
    return -1;
}

/* Runs the program for one group of samples after another, as the trace has them, with an observer of its layers. */
static int interpret(struct compare *c, const struct samples *s, const struct ir_noise *noise,
                     void (*observe)(void *, const struct ir_inst *, const double *, int64_t), const char *label)
{
    struct samples one = *s;
    one.in = ARENA_ARRAY(c->arena, double *, s->nin + 1);
    one.out = ARENA_ARRAY(c->arena, double *, s->nout + 1);
    c->next = c->plan.nlayers - 1;
    advance(c);
    const int64_t batch = ir_batch(c->program);
    for (int64_t r = 0; r < s->rows && !c->failed; r += batch) {
        one.rows = s->rows - r < batch ? s->rows - r : batch;
        struct ir_noise own = {.seed = noise ? noise->seed + (uint64_t)r : 0};
        const struct ir_run run = {.noise = noise ? &own : NULL, .observe = observe, .arg = c};
        for (uint32_t i = 0; i < s->nin; i++) one.in[i] = s->in[i] + r * input_numel(c->program, i);
        for (uint32_t k = 0; k < s->nout; k++) one.out[k] = s->out[k] + r * output_numel(c->program, k);
        if (samples_interp(&one, c->arena, c->program, &run, label)) return -1;
    }
    if (c->failed) diag_error(c->programs.scratch, "values could not be kept there: %s", errno ? strerror(errno) : "the file is too short");
    return c->failed ? -1 : 0;
}

/* The client and the server, for a trace; its values come in `path`. */
static int encrypted(struct compare *c, const struct samples *s, bool cut, const char *path)
{
    struct programs *p = &c->programs;
    struct arena *a = c->arena;
    const char *x = arena_printf(a, "%s/x.ct", p->scratch), *y = arena_printf(a, "%s/y.ct", p->scratch);
    const char *trace = arena_printf(a, "%s/trace.ct", p->scratch), *report = arena_printf(a, "%s/report.json", p->scratch);
    if (programs_keygen(p) || programs_encrypt(p, s, c->program, &c->input, cut, x) || programs_server(p, x, y, trace, report, s->rows) ||
        programs_decrypt(p, trace, &path, 1))
        return -1;
    unlink(trace);                      // the largest of the files
    return plan_measured(&c->plan, a, report);
}

static int write_json(const struct compare *c, int64_t rows)
{
    struct ck_out_file o;
    const char *why = ck_out_open(&o, c->json, 0644);
    if (!why) {
        fprintf(o.f, "{\n  \"samples\": %lld,\n", (long long)rows);
        programs_write(o.f, &c->programs);
        fprintf(o.f, ",\n");
        layers_write(o.f, &c->plan, LAYERS_ERROR);
        fprintf(o.f, "\n}\n");
        why = ck_out_close(&o, 1);
    }
    if (why) diag_error(c->json, "%s", why);
    return why ? -1 : 0;
}

/* Marks the layers that are out of tolerance; names the first. */
static int judge(struct compare *c)
{
    size_t wrong = 0, first = 0;
    for (size_t k = c->plan.nlayers; k-- > 0;) {
        struct layer *l = &c->plan.layer[k];
        double few = 1 + 8 / (double)l->values, rms = SLACK_RMS * few * layer_rms(l, &l->simulated), most = SLACK_MAX * few * l->simulated.max;
        l->wrong = l->values && (c->share > 0 ? !(l->encrypted.max <= c->share * l->range)
                                              : !(layer_rms(l, &l->encrypted) <= rms && l->encrypted.max <= most));
        wrong += l->wrong;
        if (l->wrong) first = k;
    }
    printf("\n");
    layers_print(&c->plan, LAYERS_ERROR);
    if (!wrong) {
        printf("\nevery layer is within tolerance\n");
        return 0;
    }
    const struct layer *l = &c->plan.layer[first];
    printf("\n");
    fflush(stdout);
    diag_error(*l->node ? l->node : l->operator, "layer %zu is the first of %zu out of tolerance (*): largest error %.3g, %.3g simulated, range %.3g",
               first + 1, wrong, l->encrypted.max, l->simulated.max, l->range);
    return -1;
}

static int compare(struct compare *c)
{
    struct arena *a = c->arena;
    struct samples s, simulated;
    struct ir_noise noise = {.seed = (uint64_t)c->seed};
    size_t traced = 0, largest = 0;
    if (samples_load(&s, a, c->program, "--input", &c->input)) return -1;
    bool cut = c->first < s.rows;
    if (cut) s.rows = c->first;
    uint32_t n = ir_input(c->program, 0)->type.n;
    int64_t batch = ir_batch(c->program), groups = (s.rows + batch - 1) / batch;
    c->held = ARENA_ARRAY(a, bool *, c->plan.nlayers);
    for (size_t k = 0; k < c->plan.nlayers; k++) {
        const struct layer *l = &c->plan.layer[k];
        traced += l->degree == 1;
        largest = l->ciphertexts > largest ? l->ciphertexts : largest;
        c->held[k] = held_by(a, l, n);
    }
    const char *path = arena_printf(a, "%s/trace.npy", c->programs.scratch);
    if (!traced) {
        diag_error(c->programs.dir, "no layer leaves a value that can be compared");
        return -1;
    }
    if (encrypted(c, &s, cut, path) || open_trace(c, path, groups, n)) return -1;
    c->plain = fopen(arena_printf(a, "%s/plain", c->programs.scratch), "w+b");
    if (!c->plain) {
        diag_error(c->programs.scratch, "%s", strerror(errno));
        return -1;
    }
    for (int k = 0; k < 2; k++) c->value[k] = ARENA_ARRAY(a, double, largest * n);
    if (interpret(c, &s, NULL, keep_plain, "plain")) return -1;
    if (c->seen != traced * (size_t)groups) {
        diag_error(c->programs.dir, "plan.json names other layers than program.ir has: the files belong to different plans");
        return -1;
    }
    rewind(c->plain);
    simulated = samples_like(&s, a, c->program);
    if (interpret(c, &simulated, &noise, measure, "simulating")) return -1;
    int bad = judge(c);
    // What the plan itself costs: polynomials instead of functions.
    if (samples_against_model(&s, a, c->program, c->programs.dir, ", the program without encryption")) return -1;
    if (c->json && write_json(c, s.rows)) return -1;
    return bad;
}

int cmd_compare(int argc, char **argv)
{
    struct compare c = {.first = 1, .seed = 1};
    const struct arg_spec specs[] = {
        {"--input", 'i', "[NAME=]FILE", "samples (.npy, .npz, .pb), the first axis may be a batch; repeat for several inputs", .list = &c.input},
        {"--first", 0, "N", "that many of the samples (1); a trace takes much disk", .count = &c.first},
        {"--keys", 0, "DIR", "use the keys in DIR, or make them there; otherwise they are made anew and thrown away", .string = &c.keys},
        {"--threads", 0, "T", "threads of the server", .count = &c.programs.threads},
        {"--tolerance", 0, "SHARE", "an error may be this share of the layer's range, such as 1e-4; otherwise 4 times the simulated rms, 10 times the largest",
         .string = &c.tolerance},
        {"--seed", 0, "S", "of the simulated errors (1)", .count = &c.seed},
        {"--json", 0, "FILE", "write times, memory and errors as JSON", .string = &c.json},
        {"--quiet", 'q', NULL, "no progress", .flag = &c.programs.quiet},
        {.name = NULL},
    };
    const struct arg_command cmd = {"compare", "DIR --input X.npy [options]",
        "Compares plain, simulated and encrypted values layer by layer. For the owner of model and secret key: it decrypts every layer.",
        "The plain values are those of the planned program without error, in its own scaling, at the slots that hold elements; \"sim\" is the\n"
        "program with the errors that encryption is expected to add, \"enc\" the server's values decrypted. Exit code 1 and a mark at each layer\n"
        "that is out of tolerance. Temporary files go to TMPDIR.", 1, 1, specs};
    struct arg_list dir;
    enum args_result res = args_parse(&cmd, argc, argv, &dir);
    if (res != ARGS_OK) return res == ARGS_ERROR;
    char *end = NULL;
    if (c.tolerance) c.share = strtod(c.tolerance, &end);
    if (!c.input.n) {
        diag_error("compare", "no input: --input FILE");
        return 1;
    }
    if (c.tolerance && (*end || !(c.share > 0) || !isfinite(c.share))) {
        diag_error("--tolerance", "\"%s\" is not a number above 0", c.tolerance);
        return 1;
    }
    if (!c.first) {
        diag_error("--first", "one sample at least");
        return 1;
    }
    diag_set_quiet(c.programs.quiet);
    progress_quiet(c.programs.quiet);
    struct arena *a = c.arena = c.programs.arena = arena_new();
    int bad = plan_read(&c.plan, a, dir.v[0]) || programs_open(&c.programs, dir.v[0], c.keys);
    c.program = bad ? NULL : ir_load(arena_printf(a, "%s/program.ir", dir.v[0]));
    if (c.program && c.program->dialect != IR_CKKS) {
        diag_error(c.programs.dir, "program.ir is not a planned program");
        bad = 1;
    }
    bad = bad || !c.program || compare(&c);
    if (c.decrypted) fclose(c.decrypted);
    if (c.plain) fclose(c.plain);
    if (c.program) ir_module_free(c.program);
    programs_close(&c.programs);
    arena_free(a);
    return bad;
}
