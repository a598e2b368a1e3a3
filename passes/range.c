// SPDX-License-Identifier: Apache-2.0
// Ranges by running the interpreter of whatever dialect the module is in and watching every value.
#include "range.h"

#include "../compiler/diag.h"
#include "../compiler/interp.h"
#include "../compiler/layout.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct watch {
    double *lo, *hi;            // by instruction id
};

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct watch *w = arg;
    double lo = w->lo[i->id], hi = w->hi[i->id];
    for (int64_t k = 0; k < n; k++) {
        lo = value[k] < lo ? value[k] : lo;
        hi = value[k] > hi ? value[k] : hi;
    }
    w->lo[i->id] = lo;
    w->hi[i->id] = hi;
}

/* Multiply-adds of one run, roughly. */
static double work(const struct ir_module *m)
{
    double sum = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        double n = (double)ir_type_numel(&i->type);
        const char *w = ir_get_string(i->attrs, "weight", NULL), *mat = ir_get_string(i->attrs, "mat", NULL);
        const struct ir_const *c = w ? ir_const_find(m, w) : NULL;
        if (c && c->rank > 1) n *= (double)(ir_const_numel(c) / c->dim[0]);
        else if (c) n *= (double)ir_const_numel(c);
        if (mat) {
            struct ir_csr a = ir_csr_find(m, mat);
            n = (double)ir_csr_nnz(&a);
        }
        sum += n;
    }
    return sum + 1;
}

int64_t range_rows(const struct ir_module *m, const struct options *opt, double budget)
{
    double rows = budget / work(m);
    if (rows < 48) rows = 48;
    return rows < (double)opt->ncalib ? (int64_t)rows : opt->ncalib;
}

int64_t range_few(const struct ir_module *m, double budget, int64_t least, int64_t most)
{
    double rows = budget / work(m);
    return rows < (double)least ? least : rows < (double)most ? (int64_t)rows : most;
}

int64_t range_guesses(const struct ir_module *m, int64_t most)
{
    return range_few(m, 2e10, 4, most);
}

static int input_layout(struct layout *out, const struct ir_inst *input)
{
    const char *text = ir_get_string(input->attrs, "layout", NULL);
    ICE_IF(!text, "%s without a layout", ir_op_name(input->op));
    return layout_parse(out, text);
}

/* Elements of the tensor behind an input instruction. */
static int64_t input_numel(const struct ir_inst *input)
{
    if (input->type.kind == IR_TENSOR) return ir_type_numel(&input->type);
    const struct ir_attr *shape = ir_attr_find(input->attrs, "shape");
    int64_t n = 1;
    for (size_t k = 0; shape && shape->kind == IR_INTS && k < shape->ints.n; k++) n *= shape->ints.v[k];
    return n;
}

static int pack(double *out, const struct ir_inst *input, const double *tensor, int64_t samples)
{
    if (input->type.kind == IR_TENSOR) {
        memcpy(out, tensor, (size_t)ir_type_numel(&input->type) * sizeof *out);
        return 0;
    }
    struct layout l;
    if (input_layout(&l, input) != 0) return -1;
    layout_pack(out, &l, tensor, (uint32_t)samples);
    return 0;
}

/* Calibration rows from `row` on as the module's input 0: the row itself for tensors, a batch packed by the layout otherwise. */
static int range_input(double *out, const struct ir_module *m, const struct options *opt, int64_t row)
{
    int64_t batch = ir_batch(m), left = opt->ncalib - row;
    return pack(out, m->first, opt->calib + row * input_numel(m->first), left < batch ? left : batch);
}

static double uniform(uint64_t *state)                  // splitmix64
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

enum { GUESSES = 16 };

bool range_measured(const struct ir_module *m, const struct options *opt)
{
    return opt->ncalib > 0 && (!m->first || !m->first->next || m->first->next->nargs > 0);
}

int range_inputs(double *const *in, const struct ir_module *m, const struct options *opt, int64_t row, struct arena *scratch)
{
    if (range_measured(m, opt)) return range_input(in[0], m, opt, row);
    bool given = opt->input_lo < opt->input_hi;
    double lo = given ? opt->input_lo : -1, hi = given ? opt->input_hi : 1;
    uint64_t seed = (uint64_t)row;
    for (struct ir_inst *i = m->first; i && i->nargs == 0; i = i->next, in++) {
        int64_t n = input_numel(i), batch = ir_batch(m);
        double *tensor = ARENA_ARRAY(scratch, double, n * batch);
        for (int64_t e = 0; e < n * batch; e++) {
            int64_t which = row + e / n;
            tensor[e] = which == 0 ? lo : which == 1 ? hi : lo + (hi - lo) * uniform(&seed);
        }
        if (pack(*in, i, tensor, batch) != 0) return -1;
    }
    return 0;
}

void range_buffers(double ***in, double ***out, const struct ir_module *m, struct arena *scratch)
{
    range_buffers_rows(in, out, m, 1, scratch);
}

void range_buffers_rows(double ***in, double ***out, const struct ir_module *m, int64_t rows, struct arena *scratch)
{
    uint32_t ninputs = 0, k = 0;
    for (struct ir_inst *i = m->first; i && i->nargs == 0; i = i->next) ninputs++;
    *in = ARENA_ARRAY(scratch, double *, ninputs);
    *out = ARENA_ARRAY(scratch, double *, m->noutputs);
    for (struct ir_inst *i = m->first; i && i->nargs == 0; i = i->next)
        (*in)[k++] = ARENA_ARRAY(scratch, double, rows * ir_type_numel(&i->type));
    for (k = 0; k < m->noutputs; k++) (*out)[k] = ARENA_ARRAY(scratch, double, rows * ir_type_numel(&m->outputs[k]->type));
}

int range_inputs_rows(double *const *in, const struct ir_module *m, const struct options *opt, int64_t first, int64_t n, struct arena *scratch)
{
    uint32_t ninputs = 0, k;
    for (struct ir_inst *i = m->first; i && i->nargs == 0; i = i->next) ninputs++;
    double **row = ARENA_ARRAY(scratch, double *, ninputs);
    for (int64_t j = 0; j < n; j++) {
        k = 0;
        for (struct ir_inst *i = m->first; k < ninputs; i = i->next, k++) row[k] = in[k] + j * ir_type_numel(&i->type);
        if (range_inputs(row, m, opt, first + j * ir_batch(m), scratch) != 0) return -1;
    }
    return 0;
}

int range_measure(struct pass_ctx *ctx, struct ir_module *m, int64_t rows)
{
    ir_renumber(m);
    uint32_t count = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) count++;
    const struct options *opt = ctx->opt;
    bool measured = range_measured(m, opt);
    if (opt->ncalib > 0 && !measured) diag_note("calibration data is for one input: ranges are estimated");
    struct watch w = {ARENA_ARRAY(ctx->scratch, double, count), ARENA_ARRAY(ctx->scratch, double, count)};
    for (uint32_t k = 0; k < count; k++) {
        w.lo[k] = INFINITY;
        w.hi[k] = -INFINITY;
    }
    double **in, **out;
    if (!measured) rows = range_guesses(m, GUESSES);
    int64_t batch = ir_batch(m), runs = (rows + batch - 1) / batch, most = interp_rows(m, runs);
    range_buffers_rows(&in, &out, m, most, ctx->scratch);
    for (int64_t r = 0; r < runs; r += most) {
        struct ir_run run = {.rows = runs - r < most ? runs - r : most, .observe = observe, .arg = &w};
        if (range_inputs_rows(in, m, opt, r * batch, run.rows, ctx->scratch) != 0) return -1;
        if (ir_interp(m, (const double *const *)in, out, &run) != 0) return -1;
    }
    for (struct ir_inst *i = m->first; i; i = i->next) {
        double a = w.lo[i->id], b = w.hi[i->id];
        if (!isfinite(a) || !isfinite(b)) {
            diag_error(ir_op_name(i->op), "a value is not finite on the %s", measured ? "calibration data" : "input range");
            return -1;
        }
        // Denormals are no range to scale by.
        ir_set_float(m, &i->attrs, "rlo", fabs(a) < 1e-30 ? 0 : a);
        ir_set_float(m, &i->attrs, "rhi", fabs(b) < 1e-30 ? 0 : b);
    }
    return 0;
}
