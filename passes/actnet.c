// SPDX-License-Identifier: Apache-2.0
// Measuring the plain network and fitting polynomials in its place, one after the other.
//
// Each polynomial is a weighted least-squares fit on [-1,1]. Its data are pairs (argument in the network of polynomials so far, value of the
// function in the plain network) of the same element of the same row: errors made before are seen and partly undone ("sequential
// calibration"). A small uniform weight in the Chebyshev nodes' density on a stretched interval keeps it bounded where there is no data: unseen
// inputs go beyond the calibrated range, and what they meet there must not blow up. A channel's errors count as they are read, in units of
// the channel.
#include "actnet.h"
#include "cheb.h"
#include "range.h"
#include "remez.h"
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double margin = 1.1;           // interval over the calibrated range
static const double stretch = 1.25, steep_stretch = 1.4;        // bounded that far outside the interval; for degrees above 15
static const double uniform = 2e-4;         // share of the uniform weight
enum { SAMPLES = 1 << 17 };

static int64_t inner_of(const struct ir_inst *i)
{
    int64_t n = 1;
    for (uint32_t d = 2; d < i->type.rank; d++) n *= i->type.dim[d];
    return n;
}

struct watch {
    struct actnet *net;
    int64_t row;                // of the first sample of the run
};

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    const struct watch *w = arg;
    for (uint32_t k = 0; k < w->net->sites; k++) {
        struct act_site *t = &w->net->site[k];
        if (t->g.act->args[0] != i) continue;
        int64_t inner = inner_of(t->g.act), first = w->row * ir_type_numel(&i->type);
        for (int64_t e = 0; e < n; e++) {
            double v = value[e];
            t->range.lo = v < t->range.lo ? v : t->range.lo;
            t->range.hi = v > t->range.hi ? v : t->range.hi;
            double *top = t->range.channels ? &t->range.channel_max[e / inner % t->range.channels] : NULL;
            if (top && fabs(v) > *top) *top = fabs(v);
            if (w->row < w->net->fit_rows && t->phase++ % t->stride == 0 && t->samples < SAMPLES) {
                t->sample[t->samples] = (float)v;
                t->at[t->samples++] = first + e;
            }
        }
    }
}

static void init_sites(struct actnet *s)
{
    for (struct ir_inst *i = s->m->first; i; i = i->next) s->sites += i->op == IR_TENSOR_act;
    s->site = ARENA_ARRAY(s->scratch, struct act_site, s->sites);
    uint32_t k = 0;
    for (struct ir_inst *i = s->m->first; i; i = i->next) {
        if (i->op != IR_TENSOR_act) continue;
        struct act_site *t = &s->site[k++];
        t->g.act = i;
        t->name = ir_get_string(i->attrs, "fn", "");
        t->fn = act_find(t->name);
        t->attrs = i->attrs;
        t->where = util_where(s->scratch, i);
        t->range = (struct gauge_range){INFINITY, -INFINITY, i->type.rank >= 2 ? i->type.dim[1] : 0, NULL};
        t->range.channel_max = ARENA_ARRAY(s->scratch, double, t->range.channels + 1);
        t->stride = ir_type_numel(&i->type) * s->fit_rows / SAMPLES + 1;
        if (t->stride > 1) t->stride |= 1;                              // odd: walks through all positions
        t->sample = ARENA_ARRAY(s->scratch, float, SAMPLES);
        t->at = ARENA_ARRAY(s->scratch, int64_t, SAMPLES);
    }
}

int actnet_measure(struct actnet *s)
{
    ir_renumber(s->m);
    init_sites(s);
    s->width = ir_type_numel(&s->m->outputs[0]->type);
    double **part, **out, **unused;
    int64_t most = interp_rows(s->m, s->rows);
    range_buffers_rows(&part, &out, s->m, most, s->scratch);
    range_buffers_rows(&s->in, &unused, s->m, s->fit_rows, s->scratch);
    s->ref = ARENA_ARRAY(s->scratch, double, s->fit_rows * s->width);
    s->out = ARENA_ARRAY(s->scratch, double, s->fit_rows * s->width);
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t r = 0, n; r < s->rows; r += n) {
        n = s->rows - r < most ? s->rows - r : most;
        if (r < s->fit_rows && r + n > s->fit_rows) n = s->fit_rows - r;        // a run is of one kind
        if (range_inputs_rows(part, s->m, s->opt, r, n, s->scratch) != 0) return -1;
        if (r == 0 && range_inputs_rows(s->in, s->m, s->opt, 0, s->fit_rows, s->scratch) != 0) return -1;
        struct watch w = {s, r};
        struct ir_run run = {.rows = n, .observe = observe, .arg = &w};
        if (ir_interp(s->m, (const double *const *)part, out, &run) != 0) return -1;
        if (r >= s->fit_rows) continue;
        memcpy(s->ref + r * s->width, out[0], (size_t)(n * s->width) * sizeof(double));
        for (int64_t e = 0; e < n * s->width; e++) {
            lo = fmin(lo, out[0][e]);
            hi = fmax(hi, out[0][e]);
        }
    }
    s->range = fmax(hi - lo, 1e-9);
    return 0;
}

/* In the place of t->result, after whose position it is built. */
static struct ir_inst *new_poly(struct actnet *s, struct act_site *t, struct ir_inst *x)
{
    struct ir_inst *p = ir_build(s->m, t->result, IR_TENSOR_poly, t->result->type, 1, &x);
    ir_copy_attrs(s->m, &p->attrs, t->attrs);
    static const char *const gone[] = {"alpha", "approximate", "beta", "fn", "hi", "lo"};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) ir_unset(&p->attrs, gone[k]);
    ir_set_float(s->m, &p->attrs, "mid", 0);
    ir_set_float(s->m, &p->attrs, "half", 1);
    return p;
}

struct stretched {
    const double *c;
    size_t degree;
    double by;
};

static double stretched_at(const void *arg, double x)
{
    const struct stretched *p = arg;
    return cheb_eval(p->c, p->degree, x / p->by);
}

/* out(x) = c(x / by). */
static void stretch_coeffs(double *out, const double *c, size_t degree, double by)
{
    cheb_interpolate(out, degree, stretched_at, &(struct stretched){c, degree, by});
}

static struct remez_sign *sign_of(struct actnet *s, const struct act_site *t)
{
    for (uint32_t k = 0; k < s->sites; k++)                             // equal ones are computed once
        if (s->site[k].sign && actspec_equal(&s->site[k].sign_spec, &t->spec)) return s->site[k].sign;
    struct remez_sign *sign = ARENA_NEW(s->scratch, struct remez_sign);
    if (remez_sign(sign, t->spec.degree, t->spec.count, s->scratch) == 0) return sign;
    diag_error(t->where, "no composite sign of these degrees");
    return NULL;
}

bool act_has_sign(const struct act_site *t)
{
    return strcmp(t->name, "relu") == 0 || strcmp(t->name, "leakyrelu") == 0 || strcmp(t->name, "abs") == 0;
}

/* max(0,x) and max(a x,x) = x ((1+a)/2 + (1-a)/2 sign(x)), |x| = x sign(x): sign by a composition of odd minimax polynomials. */
static struct ir_inst *build_composite(struct actnet *s, struct act_site *t)
{
    if (!act_has_sign(t)) {
        diag_error(t->where, "minimax composes a sign function, which only Relu, LeakyRelu and Abs have; use cheb:DEGREE");
        return NULL;
    }
    if (!(t->sign = sign_of(s, t))) return NULL;
    t->sign_spec = t->spec;
    double odd = t->g.gain * t->g.half, even = 0;                       // even + odd sign(x)
    if (strcmp(t->name, "abs") != 0) {
        double slope = strcmp(t->name, "relu") == 0 ? 0 : ir_get_float(t->attrs, "alpha", 0.01);
        even = odd * (1 + slope) / 2;
        odd *= (1 - slope) / 2;
    }
    struct ir_inst *p = t->x, *r;
    for (int k = 0; k < t->spec.count; k++) {
        size_t n = (size_t)t->spec.degree[k] + 1;
        double *c = ARENA_ARRAY(s->scratch, double, n);
        if (k == 0) stretch_coeffs(c, t->sign->coeffs[k], n - 1, steep_stretch);
        else memcpy(c, t->sign->coeffs[k], n * sizeof *c);
        for (size_t j = 0; k == 0 && j < n; j += 2) c[j] = 0;
        if (k + 1 == t->spec.count) {
            for (size_t j = 0; j < n; j++) c[j] *= odd;
            c[0] += even;
        }
        p = new_poly(s, t, p);
        if (k == 0) t->poly = p;
        util_set_coeffs(s->m, p, c, n - 1);
    }
    r = ir_build(s->m, t->result, IR_TENSOR_mul, t->result->type, 2, (struct ir_inst *[]){t->x, p});
    ir_copy_attrs(s->m, &r->attrs, p->attrs);
    static const char *const gone[] = {"coeffs", "half", "mid"};
    for (size_t k = 0; k < sizeof gone / sizeof *gone; k++) ir_unset(&r->attrs, gone[k]);
    return r;
}

int actnet_set(struct actnet *s, uint32_t k, const struct actspec *spec)
{
    struct act_site *t = &s->site[k];
    bool single = t->result->op == IR_TENSOR_poly && spec->kind != ACTSPEC_MINIMAX;
    t->spec.kind = spec->kind == ACTSPEC_MINIMAX ? ACTSPEC_MINIMAX : t->spec.kind == ACTSPEC_MINIMAX ? ACTSPEC_AUTO : t->spec.kind;
    t->spec.count = spec->count;
    memcpy(t->spec.degree, spec->degree, sizeof spec->degree);
    if (single) return 0;
    struct ir_inst *old = t->result, *r;
    if (spec->kind == ACTSPEC_MINIMAX) {
        if (!(r = build_composite(s, t))) return -1;
    } else {
        r = t->poly = new_poly(s, t, t->x);
        util_set_coeffs(s->m, r, &(double){0}, 0);
    }
    ir_replace_uses(s->m, old, r);
    for (uint32_t j = 0; j < s->sites; j++)
        if (s->site[j].x == old) s->site[j].x = r;
    t->result = r;
    return 0;
}

int actnet_replace(struct actnet *s)
{
    struct gauge_site *g = ARENA_ARRAY(s->scratch, struct gauge_site, s->sites);
    struct gauge_range *r = ARENA_ARRAY(s->scratch, struct gauge_range, s->sites);
    for (uint32_t k = 0; k < s->sites; k++) {
        g[k] = s->site[k].g;
        r[k] = s->site[k].range;
    }
    gauge_apply(s->m, g, r, s->sites, margin, s->scratch);
    for (uint32_t k = 0; k < s->sites; k++) {
        struct act_site *t = &s->site[k];
        t->g = g[k];
        t->x = t->g.act->args[0];
        t->result = t->g.act;
    }
    for (uint32_t k = 0; k < s->sites; k++) {
        struct actspec spec = s->site[k].spec;
        if (actnet_set(s, k, &spec) != 0) return -1;
    }
    ir_remove_dead(s->m);
    return 0;
}

/* Samples in the rows of this walk. */
static int64_t walked(const struct actnet *s, const struct act_site *t)
{
    int64_t n = t->samples, end = s->fit_rows * ir_type_numel(&t->result->type);
    while (n > 0 && t->at[n - 1] >= end) n--;
    return n;
}

/* Data as weight and mean in bins of equal angle, then the uniform part on the same grid. */
static void fit(struct actnet *s, struct act_site *t, const double *argument)
{
    enum { POINTS = 2 * ACT_GRID };
    size_t degree = (size_t)t->spec.degree[0];
    double by = degree > 15 ? steep_stretch : stretch, c[ACT_DEGREE_MAX + 1], wide[ACT_DEGREE_MAX + 1];
    double *x = calloc(3 * POINTS, sizeof *x), *y = x + POINTS, *w = y + POINTS, total = 0;
    ICE_IF(!x, "out of memory");
    int64_t inner = inner_of(t->poly), channels = t->poly->type.rank >= 2 ? t->poly->type.dim[1] : 1;
    int64_t samples = walked(s, t);
    for (int64_t k = 0; k < samples; k++) {
        double z = argument[t->at[k]] / by, shape = t->g.shape ? t->g.shape[t->at[k] / inner % channels] : 1;
        int bin = (int)(acos(fmin(fmax(z, -1), 1)) / M_PI * ACT_GRID);
        bin = bin < ACT_GRID ? bin : ACT_GRID - 1;
        double weight = shape * shape;
        w[bin] += weight;
        x[bin] += weight * fmin(fmax(z, -1), 1);
        y[bin] += weight * t->g.gain * t->fn(t->sample[k], t->attrs) / shape;
        total += weight;
    }
    for (int k = 0; k < ACT_GRID; k++) {
        double at = cos(M_PI * (k + 0.5) / ACT_GRID);
        if (w[k] > 0) {
            x[k] /= w[k];
            y[k] /= w[k];
            w[k] /= total;
        }
        x[ACT_GRID + k] = at;
        y[ACT_GRID + k] = t->g.gain * t->fn(t->g.mid + t->g.half * by * at, t->attrs);
        w[ACT_GRID + k] = uniform / ACT_GRID;
    }
    cheb_fit(wide, degree, x, y, w, POINTS, s->scratch);
    stretch_coeffs(c, wide, degree, by);
    util_set_coeffs(s->m, t->poly, c, degree);
    free(x);
}

/* Root mean square distance of the fitted values from the plain ones, over the plain ones' own. */
static void residual(const struct actnet *s, struct act_site *t, const double *value)
{
    int64_t inner = inner_of(t->poly), channels = t->poly->type.rank >= 2 ? t->poly->type.dim[1] : 1;
    double error = 0, own = 0;
    int64_t samples = t->spec.kind == ACTSPEC_MINIMAX ? 0 : walked(s, t);
    for (int64_t k = 0; k < samples; k++) {
        double shape = t->g.shape ? t->g.shape[t->at[k] / inner % channels] : 1, y = t->g.gain * t->fn(t->sample[k], t->attrs);
        error += pow(shape * value[t->at[k]] - y, 2);
        own += y * y;
    }
    t->residual = own > 0 ? sqrt(error / own) : 0;
}

int actnet_walk(struct actnet *s)
{
    struct interp in;
    struct act_site *measured = NULL;
    uint32_t nin = 0;
    int status = 0;
    ir_remove_dead(s->m);
    ir_renumber(s->m);
    interp_begin(&in, s->m, s->fit_rows, NULL);
    for (struct ir_inst *i = s->m->first; i && !status; i = i->next) {
        if (i->nargs == 0) {
            size_t bytes = (size_t)(s->fit_rows * ir_type_numel(&i->type)) * sizeof(double);
            if (!(in.value[i->id] = malloc(bytes))) ICE("out of memory");
            memcpy(in.value[i->id], s->in[nin++], bytes);
            continue;
        }
        for (uint32_t k = 0; k < s->sites && i->op == IR_TENSOR_poly; k++) {
            struct act_site *t = &s->site[k];
            if (t->poly != i) continue;
            const double *z = in.value[i->args[0]->id];
            int64_t numel = ir_type_numel(&i->type);
            if (t->spec.kind != ACTSPEC_MINIMAX) fit(s, t, z);
            t->reach = 0;
            for (int64_t e = 0; e < s->fit_rows * numel; e++)
                if (!(fabs(z[e]) <= t->reach)) {
                    t->reach = fabs(z[e]);
                    t->reach_row = e / numel;
                }
            measured = t;
        }
        status = interp_step(&in, i);
        if (measured && !status) residual(s, measured, in.value[i->id]);
        measured = NULL;
        interp_release(&in, i);
    }
    if (!status) memcpy(s->out, in.value[s->m->outputs[0]->id], (size_t)(s->fit_rows * s->width) * sizeof(double));
    interp_end(&in);
    return status;
}

static int64_t argmax(const double *v, int64_t n)
{
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        if (v[k] > v[best]) best = k;
    return best;
}

struct act_score actnet_score(const struct actnet *s)
{
    struct act_score score = {0};
    int64_t same = 0, lost = 0;
    for (int64_t r = 0; r < s->fit_rows; r++) {
        const double *a = s->ref + r * s->width, *b = s->out + r * s->width;
        int64_t pa = argmax(a, s->width), pb = argmax(b, s->width);
        same += pa == pb;
        lost += s->labels ? (pa == s->labels[r]) - (pb == s->labels[r]) : pa != pb;
        for (int64_t k = 0; k < s->width; k++) {
            double e = fabs(a[k] - b[k]) / s->range;
            score.error += e * e;
            if (!(e <= score.worst)) score.worst = e;
        }
    }
    score.agree = (double)same / (double)s->fit_rows;
    score.lost = (double)lost / (double)s->fit_rows;
    score.error = sqrt(score.error / (double)(s->fit_rows * s->width));
    return score;
}

double act_range(const struct act_site *t)
{
    return t->g.half * (t->spec.kind == ACTSPEC_MINIMAX || t->spec.degree[0] > 15 ? steep_stretch : stretch);
}

int act_depth(const struct actspec *spec)
{
    int depth = spec->kind == ACTSPEC_MINIMAX;
    for (int k = 0; k < spec->count; k++) depth += cheb_depth((size_t)spec->degree[k]);
    return depth;
}
