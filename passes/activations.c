// SPDX-License-Identifier: Apache-2.0
// tensor.act -> tensor.poly on [-1,1].
//
// The calibration rows are run once through the exact network: the distribution of every activation's input and the plain outputs are
// kept. Inputs are normalised by gauge.c (no level). Each polynomial is the least-squares fit of the function under half uniform
// weight on the whole interval, half the measured distribution: bounded everywhere, accurate where the data is.
// Degrees: --activation pins them per node or function; otherwise the smallest common depth is searched for which the network of
// polynomials still agrees with the plain one on the calibration rows (same top-1, or the same labelled accuracy; small error for single
// outputs), then single activations are lowered, last layer first, as long as that holds.
// Costs: ceil(log2(degree+1)) levels each; a composite sign (minimax) the sum over its parts and one for the product.
#include "pass.h"
#include "actspec.h"
#include "cheb.h"
#include "gauge.h"
#include "range.h"
#include "remez.h"
#include "util.h"

#include "../compiler/act.h"
#include "../compiler/diag.h"
#include <math.h>
#include <string.h>

static const double budget = 2.5e8;           // multiply-adds of one trial
static const double margin = 1.25;          // interval over the calibrated range
static const double agreement = 0.995;      // of the rows, same top-1
static const double tolerance = 0.01;       // of the output range, for outputs without a top-1
static const int common_degree[] = {3, 5, 7, 11, 15, 23, 31, 47, 63, 95, 127};
enum { GRID = 2048, SAMPLES = 1 << 18, GUESSED_ROWS = 64, DEGREES = sizeof common_degree / sizeof *common_degree };

struct site {
    struct gauge_site g;
    struct gauge_range range;
    const char *name;           // of the function
    act_fn fn;
    const struct ir_attr *attrs;
    struct actspec spec;
    const char *where;
    float *sample;              // raw inputs; sample[k] came from flat index index[k]
    uint32_t *index;
    int64_t samples, inner, stride, phase;
    double *weight;             // GRID
    struct ir_inst *poly;       // what replaces the act
    int degree;
};

struct state {
    struct ir_module *m;
    const struct options *opt;
    struct arena *scratch;
    struct site *site;
    uint32_t sites;
    int64_t rows, width;        // calibration rows, elements of output 0
    double *ref;                // rows x width: the plain outputs
    double range;               // of them
    double **out, **in;
    const int64_t *labels;      // NULL unless the rows are calibration data with labels
};

static double grid_at(int k) { return cos(M_PI * (k + 0.5) / GRID); }

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    struct state *s = arg;
    for (uint32_t k = 0; k < s->sites; k++) {
        struct site *t = &s->site[k];
        if (t->g.act->args[0] != i) continue;
        for (int64_t e = 0; e < n; e++) {
            double v = value[e];
            t->range.lo = v < t->range.lo ? v : t->range.lo;
            t->range.hi = v > t->range.hi ? v : t->range.hi;
            double *top = t->range.channels ? &t->range.channel_max[e / t->inner % t->range.channels] : NULL;
            if (top && fabs(v) > *top) *top = fabs(v);
            if (t->phase++ % t->stride == 0 && t->samples < SAMPLES) {
                t->sample[t->samples] = (float)v;
                t->index[t->samples++] = (uint32_t)e;
            }
        }
    }
}

static void init_sites(struct state *s)
{
    for (struct ir_inst *i = s->m->first; i; i = i->next) s->sites += i->op == IR_TENSOR_act;
    s->site = ARENA_ARRAY(s->scratch, struct site, s->sites);
    uint32_t k = 0;
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_TENSOR_act) continue;
        struct site *t = &s->site[k++];
        t->g.act = i;
        t->name = ir_get_string(i->attrs, "fn", "");
        t->fn = act_find(t->name);
        t->attrs = i->attrs;
        t->where = util_where(s->scratch, i);
        t->range = (struct gauge_range){INFINITY, -INFINITY, i->type.rank >= 2 ? i->type.dim[1] : 0, NULL};
        t->range.channel_max = ARENA_ARRAY(s->scratch, double, t->range.channels + 1);
        t->inner = 1;
        for (uint32_t d = 2; d < i->type.rank; d++) t->inner *= i->type.dim[d];
        t->stride = ir_type_numel(&i->type) * s->rows / SAMPLES + 1;
        if (t->stride > 1) t->stride |= 1;                              // odd: walks through all positions
        t->sample = ARENA_ARRAY(s->scratch, float, SAMPLES);
        t->index = ARENA_ARRAY(s->scratch, uint32_t, SAMPLES);
    }
}

/* Runs the module on one row; the outputs are in s->out. */
static int run_row(struct state *s, int64_t row, void (*watch)(void *, const struct ir_inst *, const double *, int64_t))
{
    struct ir_run run = {.observe = watch, .arg = s};
    if (range_inputs(s->in, s->m, s->opt, row, s->scratch) != 0) return -1;
    return ir_interp(s->m, (const double *const *)s->in, s->out, &run);
}

/* Half uniform in the Chebyshev nodes' own density, half the data. */
static void weigh(struct state *s, struct site *t)
{
    t->weight = ARENA_ARRAY(s->scratch, double, GRID);
    for (int64_t k = 0; k < t->samples; k++) {
        double h = t->g.channels ? t->g.channel_half[t->index[k] / t->inner % t->g.channels] : t->g.half;
        double x = fmin(fmax((t->sample[k] - t->g.mid) / h, -1), 1);
        int bin = (int)(acos(x) / M_PI * GRID);
        t->weight[bin < GRID ? bin : GRID - 1] += 0.5 / (double)t->samples;
    }
    for (int k = 0; k < GRID; k++) t->weight[k] += 0.5 / GRID;
}

/* The function that the polynomial stands for, on [-1,1]. */
static double target(const struct site *t, double x)
{
    return t->g.gain * t->fn(t->g.mid + t->g.half * x, t->attrs);
}

static void fit(struct state *s, struct site *t, int degree)
{
    double *x = ARENA_ARRAY(s->scratch, double, GRID), *y = ARENA_ARRAY(s->scratch, double, GRID);
    double *c = ARENA_ARRAY(s->scratch, double, degree + 1);
    for (int k = 0; k < GRID; k++) {
        x[k] = grid_at(k);
        y[k] = target(t, x[k]);
    }
    cheb_fit(c, (size_t)degree, x, y, t->weight, GRID, s->scratch);
    util_set_coeffs(s->m, t->poly, c, (size_t)degree);
    t->degree = degree;
}

static struct ir_inst *new_poly(struct state *s, struct site *t, struct ir_inst *x)
{
    struct ir_inst *p = ir_build(s->m, t->g.act, IR_TENSOR_poly, t->g.act->type, 1, &x);
    ir_copy_attrs(s->m, &p->attrs, t->g.act->attrs);
    static const char *const gone[] = {"alpha", "beta", "fn", "hi", "lo"};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) ir_unset(&p->attrs, gone[k]);
    ir_set_float(s->m, &p->attrs, "mid", 0);
    ir_set_float(s->m, &p->attrs, "half", 1);
    return p;
}

/* max(0,x) and max(a x,x) = x ((1+a)/2 + (1-a)/2 sign(x)), sign by a composition of odd minimax polynomials. */
static int build_composite(struct state *s, struct site *t)
{
    if (strcmp(t->name, "relu") != 0 && strcmp(t->name, "leakyrelu") != 0) {
        diag_error(t->where, "minimax composes a sign function, which only Relu and LeakyRelu have; use cheb:DEGREE");
        return -1;
    }
    struct remez_sign sign;
    if (remez_sign(&sign, t->spec.degree, t->spec.count, s->scratch) != 0) {
        diag_error(t->where, "no composite sign of these degrees");
        return -1;
    }
    struct ir_inst *x = t->g.act->args[0], *p = x;
    double slope = strcmp(t->name, "leakyrelu") == 0 ? ir_get_float(t->attrs, "alpha", 0.01) : 0, scale = t->g.gain * t->g.half;
    for (int k = 0; k < t->spec.count; k++) {
        size_t n = (size_t)t->spec.degree[k] + 1;
        double *c = ARENA_ARRAY(s->scratch, double, n);
        memcpy(c, sign.coeffs[k], n * sizeof *c);
        if (k + 1 == t->spec.count) {
            for (size_t j = 0; j < n; j++) c[j] *= scale * (1 - slope) / 2;
            c[0] += scale * (1 + slope) / 2;
        }
        p = new_poly(s, t, p);
        util_set_coeffs(s->m, p, c, n - 1);
    }
    t->poly = ir_build(s->m, t->g.act, IR_TENSOR_mul, t->g.act->type, 2, (struct ir_inst *[]){x, p});
    ir_copy_attrs(s->m, &t->poly->attrs, p->attrs);
    static const char *const gone[] = {"coeffs", "half", "mid"};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) ir_unset(&t->poly->attrs, gone[k]);
    return 0;
}

/* The exact network once over the rows: ranges, samples and reference outputs. */
static int run_plain(struct state *s)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t r = 0; r < s->rows; r++) {
        if (run_row(s, r, observe) != 0) return -1;
        for (int64_t k = 0; k < s->width; k++) {
            lo = fmin(lo, s->ref[r * s->width + k] = s->out[0][k]);
            hi = fmax(hi, s->out[0][k]);
        }
    }
    s->range = fmax(hi - lo, 1e-9);
    return 0;
}

static int64_t argmax(const double *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        if (v[k] > v[best]) best = k;
    return best;
}

/* Does the network of polynomials still compute the same thing? 1, 0 (as soon as that is clear), or -1 on error. */
static int agrees(struct state *s)
{
    int64_t differ = 0, lost = 0, allowed = (int64_t)((1 - agreement) * (double)s->rows + 0.5);
    bool top1 = s->width > 1 && s->m->noutputs == 1;
    for (int64_t r = 0; r < s->rows; r++) {
        if (run_row(s, r, NULL) != 0) return -1;
        const double *a = s->ref + r * s->width, *b = s->out[0];
        for (int64_t k = 0; k < s->width; k++)
            if (!(fabs(a[k] - b[k]) <= (top1 ? 0.5 : tolerance) * s->range)) return 0;
        if (!top1) continue;
        int64_t pa = argmax(a, s->width), pb = argmax(b, s->width);
        differ += pa != pb;
        if (s->labels) lost += (pa == s->labels[r]) - (pb == s->labels[r]);
        // Labels count what is lost at the end, so here only what cannot be made up for is refused.
        if (differ > (s->labels ? s->rows / 100 : allowed)) return 0;
    }
    return lost <= allowed;
}

static int search(struct state *s)
{
    uint32_t open = 0;
    for (uint32_t k = 0; k < s->sites; k++) open += s->site[k].spec.kind == ACTSPEC_AUTO;
    if (!open) return 0;
    int ok = 0, chosen = 0;
    for (int d = 0; d < DEGREES && !ok; d++) {
        chosen = common_degree[d];
        for (uint32_t k = 0; k < s->sites; k++)
            if (s->site[k].spec.kind == ACTSPEC_AUTO) fit(s, &s->site[k], chosen);
        if ((ok = agrees(s)) < 0) return -1;
    }
    if (!ok)
        diag_warn("--activation", "polynomials of degree %d do not keep the plain predictions on the calibration data", chosen);
    for (uint32_t k = s->sites; k-- > 0 && ok;) {
        struct site *t = &s->site[k];
        while (t->spec.kind == ACTSPEC_AUTO && t->degree > 3) {
            int before = t->degree, depth = cheb_depth((size_t)before);
            fit(s, t, (1 << (depth - 1)) - 1);                          // a whole level less
            int same = agrees(s);
            if (same < 0) return -1;
            if (same) continue;
            fit(s, t, before);
            break;
        }
    }
    return 0;
}

static int prepare(struct state *s)
{
    for (uint32_t k = 0; k < s->sites; k++) {
        struct site *t = &s->site[k];
        if (!t->fn) {
            diag_error(t->where, "function \"%s\" has no polynomial approximation", t->name);
            return -1;
        }
        if (actspec_find(&t->spec, s->opt->activation, ir_get_string(t->g.act->attrs, "node", NULL), t->name) != 0) return -1;
        if (!(t->range.lo <= t->range.hi) || !isfinite(t->range.lo) || !isfinite(t->range.hi)) {
            diag_error(t->where, "its input is not finite on the calibration data");
            return -1;
        }
    }
    return 0;
}

static int replace(struct state *s)
{
    struct gauge_site *g = ARENA_ARRAY(s->scratch, struct gauge_site, s->sites);
    struct gauge_range *r = ARENA_ARRAY(s->scratch, struct gauge_range, s->sites);
    for (uint32_t k = 0; k < s->sites; k++) {
        g[k] = s->site[k].g;
        r[k] = s->site[k].range;
    }
    gauge_apply(s->m, g, r, s->sites, margin, s->scratch);
    for (uint32_t k = 0; k < s->sites; k++) {
        struct site *t = &s->site[k];
        t->g = g[k];
        weigh(s, t);
        if (t->spec.kind == ACTSPEC_MINIMAX) {
            if (build_composite(s, t) != 0) return -1;
        } else {
            t->poly = new_poly(s, t, t->g.act->args[0]);
            fit(s, t, t->spec.kind == ACTSPEC_CHEB ? t->spec.degree[0] : common_degree[0]);
        }
        ir_replace_uses(s->m, t->g.act, t->poly);
        for (uint32_t j = k + 1; j < s->sites; j++)                     // nothing may point at a removed act
            if (g[j].act->args[0] == t->g.act) g[j].act->args[0] = t->poly;
        ir_remove(s->m, t->g.act);
    }
    ir_renumber(s->m);
    return 0;
}

enum pass_res pass_activations(struct pass_ctx *ctx, struct ir_module *m)
{
    struct state s = {.m = m, .opt = ctx->opt, .scratch = ctx->scratch};
    bool any = false;
    for (const struct ir_inst *i = m->first; i; i = i->next) any |= i->op == IR_TENSOR_act;
    if (!any) return PASS_OK;
    bool measured = range_measured(m, s.opt);
    if (!measured && !(s.opt->input_lo < s.opt->input_hi)) {
        diag_error(m->name, "activations are fitted to data: pass --calib inputs.npy with typical inputs of the model (for a network of several "
                   "inputs: --input-range LO,HI)");
        return PASS_FAIL;
    }
    ir_renumber(m);
    s.rows = measured ? range_rows(m, s.opt, budget) : GUESSED_ROWS;
    s.labels = measured ? s.opt->calib_labels : NULL;
    init_sites(&s);
    s.width = ir_type_numel(&m->outputs[0]->type);
    s.ref = ARENA_ARRAY(s.scratch, double, s.rows * s.width);
    range_buffers(&s.in, &s.out, m, s.scratch);
    if (run_plain(&s) != 0 || prepare(&s) != 0 || replace(&s) != 0 || search(&s) != 0) return PASS_FAIL;
    return PASS_CHANGED;
}
