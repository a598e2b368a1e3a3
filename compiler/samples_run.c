// SPDX-License-Identifier: Apache-2.0
// Whole batches through a module, results to files, and how far two results lie apart.
#include "cmd.h"
#include "diag.h"
#include "json.h"
#include "interp.h"
#include "layout.h"
#include "noise.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct layout layout_of(const struct ir_attr *attrs)
{
    struct layout l;
    const char *text = ir_get_string(attrs, "layout", "");
    ICE_IF(layout_parse(&l, text), "layout \"%s\" does not parse", text);
    return l;
}

int64_t input_numel(const struct ir_module *m, uint32_t k)
{
    const struct ir_inst *x = ir_input(m, k);
    struct ir_type t = io_shape(&x->type, x->attrs);
    return ir_type_numel(&t);
}

int64_t output_numel(const struct ir_module *m, uint32_t k)
{
    struct ir_type t = io_shape(&m->outputs[k]->type, m->output_attrs[k]);
    return ir_type_numel(&t);
}

int samples_load(struct samples *s, struct arena *a, const struct ir_module *m, const char *option, const struct arg_list *texts)
{
    uint32_t nin = ir_input_count(m);
    const char **path = ARENA_ARRAY(a, const char *, nin + 1);
    *s = (struct samples){.nin = nin, .nout = m->noutputs};
    s->in = ARENA_ARRAY(a, double *, nin + 1);
    s->out = ARENA_ARRAY(a, double *, s->nout + 1);
    if (inputs_match(path, m, option, texts)) return -1;
    for (uint32_t i = 0; i < nin; i++) {
        const struct ir_inst *x = ir_input(m, i);
        struct ir_type t = io_shape(&x->type, x->attrs);
        int64_t rows;
        if (samples_read(&s->in[i], &rows, a, option, path[i], ir_get_string(x->attrs, "name", NULL), t.rank, t.dim)) return -1;
        if (i && rows != s->rows) {
            diag_error(option, "%s has %lld samples, %s has %lld", path[i], (long long)rows, path[0], (long long)s->rows);
            return -1;
        }
        s->rows = rows;
    }
    for (uint32_t k = 0; k < s->nout; k++) s->out[k] = ARENA_ARRAY(a, double, s->rows * output_numel(m, k));
    return 0;
}

struct samples samples_like(const struct samples *s, struct arena *a, const struct ir_module *m)
{
    struct samples like = *s;
    like.out = ARENA_ARRAY(a, double *, s->nout + 1);
    for (uint32_t k = 0; k < s->nout; k++) like.out[k] = ARENA_ARRAY(a, double, s->rows * output_numel(m, k));
    return like;
}

static void print_right(const char *who, const double *v, const struct samples *s, int64_t width)
{
    int64_t right = 0;
    for (int64_t r = 0; r < s->rows; r++) right += error_top(v + r * width, width) == s->labels[r];
    printf("%s: %lld of %lld predictions are the true class (%.2f %%)\n", who, (long long)right, (long long)s->rows,
           100.0 * (double)right / (double)s->rows);
}

int samples_against_model(const struct samples *s, struct arena *a, const struct ir_module *program, const char *dir, const char *what)
{
    const char *path = arena_printf(a, "%s/model.ir", dir);
    if (access(path, F_OK)) return 0;
    struct ir_module *m = ir_load(path);
    if (!m) return -1;
    bool bad = m->dialect != IR_TENSOR || m->noutputs != s->nout || ir_input_count(m) != s->nin;
    for (uint32_t i = 0; i < s->nin && !bad; i++) bad = input_numel(m, i) != input_numel(program, i);
    for (uint32_t k = 0; k < s->nout && !bad; k++) bad = output_numel(m, k) != output_numel(program, k);
    if (bad) diag_error(path, "has other inputs or outputs than program.ir: the files belong to different plans");
    struct samples plain = *s;
    if (!bad) plain = samples_like(s, a, m);
    bad = bad || samples_interp(&plain, a, m, NULL, "plain model");
    for (uint32_t k = 0; !bad && k < s->nout; k++) {
        struct error_stats e = error_measure(s->out[k], plain.out[k], s->rows, output_numel(m, k));
        error_print(arena_printf(a, "%s%s", ir_get_string(m->output_attrs[k], "name", "output"), what), &e);
        if (!s->labels || k) continue;
        print_right("plain", plain.out[k], s, output_numel(m, k));
        print_right("simulated", s->out[k], s, output_numel(m, k));
    }
    ir_module_free(m);
    return bad ? -1 : 0;
}

int samples_save(const struct samples *s, const struct ir_module *m, uint32_t i, const char *path)
{
    const struct ir_inst *x = ir_input(m, i);
    struct ir_type t = io_shape(&x->type, x->attrs);
    struct ck_npy a = {.type = CK_NPY_F8, .rank = t.rank, .data = s->in[i]};
    for (uint32_t d = 0; d < t.rank; d++) a.dim[d] = t.dim[d];
    a.dim[0] = s->rows;
    const char *why = ck_npy_write(path, &a);
    if (why) diag_error(path, "%s", why);
    return why ? -1 : 0;
}

/* Samples in group g of `batch`. */
static uint32_t here(const struct samples *s, int64_t g, int64_t batch)
{
    int64_t left = s->rows - g * batch;
    return (uint32_t)(left < batch ? left : batch);
}

int samples_interp(struct samples *s, struct arena *arena, struct ir_module *m, const struct ir_run *run, const char *label)
{
    bool packed = m->dialect != IR_TENSOR;
    int64_t batch = ir_batch(m), groups = (s->rows + batch - 1) / batch, most = interp_rows(m, groups);
    const double **in = ARENA_ARRAY(arena, const double *, s->nin + 1);
    double **slots = ARENA_ARRAY(arena, double *, s->nin + 1), **out = ARENA_ARRAY(arena, double *, s->nout + 1);
    for (uint32_t i = 0; packed && i < s->nin; i++)
        slots[i] = ARENA_ARRAY(arena, double, most * ir_type_numel(&ir_input(m, i)->type));
    for (uint32_t k = 0; packed && k < s->nout; k++)
        out[k] = ARENA_ARRAY(arena, double, most * ir_type_numel(&m->outputs[k]->type));
    for (int64_t r = 0, n; r < groups; r += n) {
        progress(label, (size_t)r, (size_t)groups);
        n = groups - r < most ? groups - r : most;
        for (uint32_t i = 0; i < s->nin; i++) {
            const struct ir_inst *x = ir_input(m, i);
            int64_t numel = input_numel(m, i);
            in[i] = s->in[i] + r * numel;
            if (!packed) continue;
            struct layout l = layout_of(x->attrs);
            for (int64_t j = 0; j < n; j++)
                layout_pack(slots[i] + j * ir_type_numel(&x->type), &l, s->in[i] + (r + j) * batch * numel, here(s, r + j, batch));
            in[i] = slots[i];
        }
        for (uint32_t k = 0; !packed && k < s->nout; k++) out[k] = s->out[k] + r * output_numel(m, k);
        struct ir_run part = run ? *run : (struct ir_run){0};
        struct ir_noise noise = {0};
        part.rows = n;
        if (part.noise) {               // another error for every run, the same whatever runs together
            noise.seed = part.noise->seed + (uint64_t)r * 0xd1342543de82ef95u;
            part.noise = &noise;
        }
        if (ir_interp(m, in, out, &part)) return -1;
        for (uint32_t k = 0; packed && k < s->nout; k++) {
            struct layout l = layout_of(m->output_attrs[k]);
            for (int64_t j = 0; j < n; j++)
                layout_unpack(s->out[k] + (r + j) * batch * output_numel(m, k), &l, out[k] + j * ir_type_numel(&m->outputs[k]->type),
                              here(s, r + j, batch));
        }
    }
    progress(label, 1, 1);
    return 0;
}

int samples_write(const struct samples *s, const struct ir_module *m, uint32_t k, const char *path)
{
    struct ir_type t = io_shape(&m->outputs[k]->type, m->output_attrs[k]);
    struct ck_npy a = {.type = CK_NPY_F8, .rank = t.rank ? t.rank : 1, .data = s->out[k]};
    for (uint32_t d = 0; d < t.rank; d++) a.dim[d] = t.dim[d];
    a.dim[0] = s->rows * (t.rank ? t.dim[0] : 1);
    const char *why = ck_npy_write(path, &a);
    if (why) diag_error("--output", "%s: %s", path, why);
    return why ? -1 : 0;
}

int outputs_match(const char **path, const struct ir_module *m, const char *option, const struct arg_list *texts)
{
    uint32_t unnamed = 0;
    for (uint32_t k = 0; k < m->noutputs; k++) path[k] = NULL;
    for (size_t t = 0; t < texts->n; t++) {
        const char *text = texts->v[t], *eq = strchr(text, '=');
        uint32_t k = m->noutputs;
        if (eq)
            for (k = 0; k < m->noutputs; k++) {
                const char *name = ir_get_string(m->output_attrs[k], "name", "");
                if (strlen(name) == (size_t)(eq - text) && !strncmp(name, text, (size_t)(eq - text))) break;
            }
        if (k < m->noutputs) {
            path[k] = eq + 1;
            continue;
        }
        while (unnamed < m->noutputs && path[unnamed]) unnamed++;
        if (unnamed == m->noutputs) {
            diag_error(option, "\"%s\": the model has %u output%s", text, m->noutputs, m->noutputs == 1 ? "" : "s");
            return -1;
        }
        path[unnamed] = text;
    }
    return 0;
}

int64_t error_top(const double *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

struct error_stats error_measure(const double *got, const double *plain, int64_t rows, int64_t width)
{
    struct error_stats e = {.rows = rows};
    double lo = INFINITY, hi = -INFINITY, sum = 0;
    for (int64_t i = 0; i < rows * width; i++) {
        double d = fabs(got[i] - plain[i]);
        if (!(d <= e.max)) e.max = d;           // NaN counts
        sum += d;
        lo = fmin(lo, plain[i]);
        hi = fmax(hi, plain[i]);
    }
    for (int64_t r = 0; r < rows; r++) e.same_top += error_top(got + r * width, width) == error_top(plain + r * width, width);
    e.mean = rows ? sum / (double)(rows * width) : 0;
    e.range = rows ? hi - lo : 0;
    return e;
}

void error_print(const char *what, const struct error_stats *e)
{
    printf("%s: largest error %.3g, mean %.3g, range of the plain values %.4g", what, e->max, e->mean, e->range);
    if (e->range > 0) printf(" (ratio %.2g)", e->max / e->range);
    printf("; top-1 equal in %lld of %lld\n", (long long)e->same_top, (long long)e->rows);
}

void error_write(FILE *f, const char *name, const struct error_stats *e)
{
    fprintf(f, "{\"name\": ");
    json_write_string(f, name);
    if (e->rows) {
        fprintf(f, ", \"max\": ");
        json_write_number(f, e->max);
        fprintf(f, ", \"mean\": ");
        json_write_number(f, e->mean);
        fprintf(f, ", \"range\": %.6g, \"samples\": %lld, \"same_top\": %lld", e->range, (long long)e->rows, (long long)e->same_top);
    }
    fprintf(f, "}");
}
