// SPDX-License-Identifier: Apache-2.0
// tensor.act -> tensor.poly on [-1,1].
//
// The calibration rows are run through the exact network: ranges and outputs are kept, inputs of functions are normalised (gauge.c, no level),
// and polynomials are fitted in program order on what the network of polynomials produces (actnet.c).
// Degrees: --activation pins them per node or function. The others are searched for, in levels, since levels are what bootstraps are paid
// for: the smallest common depth for which the network of polynomials keeps the plain predictions on the calibration rows (same top-1, or the
// labelled accuracy; small error for single outputs); then as many functions as possible go one level lower, those whose relative error is
// least at the lower depth first (bisection: an error adds up to the output's whatever its place), and of those as many as possible another.
// Where even degree 127 does not do, ReLU and its kin become composite minimax signs.
// Costs: ceil(log2(degree+1)) levels each; a composite the sum over its parts and one for the product.
#include "pass.h"
#include "actnet.h"
#include "range.h"

#include "../compiler/diag.h"
#include <math.h>
#include <stdio.h>

static const double budget = 8e10;          // multiply-adds of measuring ranges
static const double fit_budget = 2e10;      // of one walk
static const double memory = 1 << 23;       // elements of a value over the fitting rows
static const double least_points = 0.25;    // percent of the rows that may change without a wish
static const double tolerance = 0.004;      // of the output range, for outputs without a top-1 and for few rows
enum { GUESSED_ROWS = 64, QUICK_ROWS = 64, TOP1_ROWS = 100, MOST_FIT_ROWS = 400, DEEPEST = 7 };
static const struct actspec composites[] = {{ACTSPEC_MINIMAX, 3, {7, 15, 15}, 0}, {ACTSPEC_MINIMAX, 3, {15, 15, 27}, 0}};

static int prepare(struct actnet *s)
{
    for (uint32_t k = 0; k < s->sites; k++) {
        struct act_site *t = &s->site[k];
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

struct search {
    struct actnet *net;
    uint32_t *open, count;      // the sites to choose for
    double allowed;             // share of the rows
    struct act_score score;     // of the last trial
};

/* Walks with what is set: 1 if the predictions are kept, 0 if not, -1 on error. */
static int holds(struct search *f)
{
    struct actnet *s = f->net;
    int64_t rows = s->fit_rows;
    if (rows > 2 * QUICK_ROWS && s->width > 1 && s->m->noutputs == 1) {      // what is far off is seen on few rows
        s->fit_rows = QUICK_ROWS;
        int failed = actnet_walk(s);
        f->score = actnet_score(s);
        s->fit_rows = rows;
        if (failed) return -1;
        if (1 - f->score.agree > 4 * f->allowed + 3.0 / QUICK_ROWS) return 0;
    }
    if (actnet_walk(s) != 0) return -1;
    f->score = actnet_score(s);
    if (s->width == 1 || s->m->noutputs > 1 || rows < TOP1_ROWS) return f->score.worst <= tolerance;
    // Labels count what is lost at the end; what merely changes may be more, but not without bound. One row of few says nothing.
    double allowed = fmax(f->allowed, 1.0 / (double)rows) + 1e-9;
    return f->score.worst <= 1 && 1 - f->score.agree <= 4 * allowed && f->score.lost <= allowed;
}

static int set_depth(struct search *f, uint32_t k, int depth)
{
    return actnet_set(f->net, f->open[k], &(struct actspec){.kind = ACTSPEC_AUTO, .count = 1, .degree = {(1 << depth) - 1}});
}

static int set_all(struct search *f, int depth)
{
    for (uint32_t k = 0; k < f->count; k++)
        if (set_depth(f, k, depth) != 0) return -1;
    return 0;
}

/* Lowers from `depth` the first n of `order`: the most that hold. Leaves them set; their number, or -1 on error. */
static int lower_some(struct search *f, const uint32_t *order, uint32_t n, int depth)
{
    uint32_t lo = 0, hi = n;                                            // lo hold
    while (lo < hi) {
        uint32_t mid = (lo + hi + 1) / 2;
        for (uint32_t k = 0; k < n; k++)
            if (set_depth(f, order[k], depth - (k < mid)) != 0) return -1;
        int ok = holds(f);
        if (ok < 0) return -1;
        if (ok) lo = mid;
        else hi = mid - 1;
    }
    for (uint32_t k = 0; k < n; k++)
        if (set_depth(f, order[k], depth - (k < lo)) != 0) return -1;
    return (int)lo;
}

/* Orders sites by what they lost in the last walk, least first; equal ones in program order. */
static void by_residual(const struct search *f, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0; j--) {
            double a = f->net->site[f->open[order[j - 1]]].residual, b = f->net->site[f->open[order[j]]].residual;
            if (a < b || (a == b && order[j - 1] < order[j])) break;
            uint32_t swap = order[j];
            order[j] = order[j - 1];
            order[j - 1] = swap;
        }
}

static int search_composite(struct search *f)
{
    for (size_t c = 0; c < sizeof composites / sizeof *composites; c++) {
        for (uint32_t k = 0; k < f->count; k++)
            if (act_has_sign(&f->net->site[f->open[k]]) && actnet_set(f->net, f->open[k], &composites[c]) != 0) return -1;
        int ok = holds(f);
        if (ok) return ok;
    }
    return 0;
}

static int search(struct search *f)
{
    int ok = 0, depth = 1;
    while (!ok && depth < DEEPEST) {
        depth++;
        if (set_all(f, depth) != 0 || (ok = holds(f)) < 0) return -1;
    }
    if (!ok && (ok = search_composite(f)) != 0) return ok;
    if (!ok) {
        diag_warn("--activation", "no polynomials tried keep the plain predictions on the calibration data: %.1f %% keep their class, root mean square error %.2g",
                  100 * f->score.agree, f->score.error);
        return 0;
    }
    uint32_t *order = ARENA_ARRAY(f->net->scratch, uint32_t, f->count), n = f->count;
    for (uint32_t k = 0; k < n; k++) order[k] = k;
    for (int round = 0; round < 2 && n > 0 && depth > 2; round++, depth--) {
        for (uint32_t k = 0; k < n; k++)
            if (set_depth(f, order[k], depth - 1) != 0) return -1;
        if (holds(f) < 0) return -1;
        by_residual(f, order, n);
        int lowered = lower_some(f, order, n, depth);
        if (lowered < 0) return -1;
        n = (uint32_t)lowered;
    }
    return holds(f);
}

/* One line for all compositions that are alike: what remains of the error near zero, and the largest it is in the function's own units. */
static void report_composite(const struct actnet *s, uint32_t k)
{
    const struct act_site *t = &s->site[k];
    double range = 0;
    for (uint32_t j = 0; j < s->sites; j++) {
        if (s->site[j].spec.kind != ACTSPEC_MINIMAX || !actspec_equal(&s->site[j].spec, &t->spec)) continue;
        if (j < k) return;
        range = fmax(range, act_range(&s->site[j]));
    }
    diag_note("minimax:%d,...: sign within 2^%.1f of +-1 outside %.2g of the range (up to +-%.4g), where it rises from -1 to 1; functions within %.2g",
              t->spec.degree[0], log2(t->sign->error), t->sign->gap, range, range * fmax(t->sign->error / 2, t->sign->gap / 8));
}

/* What was chosen, and where the data leaves an interval. */
static void report(const struct actnet *s)
{
    char list[512] = "";
    size_t at = 0;
    int depth = 0;
    for (uint32_t k = 0; k < s->sites; k++) {
        const struct act_site *t = &s->site[k];
        depth += act_depth(&t->spec);
        for (int d = 0; d < t->spec.count && at < sizeof list - 16; d++)
            at += (size_t)snprintf(list + at, sizeof list - at, "%s%d", d ? "," : at ? " " : "", t->spec.degree[d]);
        if (t->spec.kind == ACTSPEC_MINIMAX) report_composite(s, k);
        double limit = act_range(t) / t->g.half;
        if (t->reach > limit)
            diag_warn(t->where, "its argument reaches %.2f times the planned range (+-%.4g) on calibration row %lld", t->reach / limit,
                      act_range(t), (long long)t->reach_row);
    }
    struct act_score score = actnet_score(s);
    diag_note("activations: degrees %s; depth %d in all; %.2f %% of %lld rows keep their class, error %.2g of the output range", list, depth,
              100 * score.agree, (long long)s->fit_rows, score.error);
}

static int choose(struct actnet *s)
{
    struct search f = {.net = s, .open = ARENA_ARRAY(s->scratch, uint32_t, s->sites + 1), .allowed = 1};
    for (uint32_t k = 0; k < s->sites; k++) {
        const struct actspec *spec = &s->site[k].spec;
        if (spec->kind != ACTSPEC_AUTO) continue;
        f.open[f.count++] = k;
        f.allowed = fmin(f.allowed, fmax(spec->points, least_points) / 100);
    }
    return f.count ? search(&f) : actnet_walk(s);
}

enum pass_res pass_activations(struct pass_ctx *ctx, struct ir_module *m)
{
    struct actnet s = {.m = m, .opt = ctx->opt, .scratch = ctx->scratch};
    bool any = false;
    double largest = 1;
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        any |= i->op == IR_TENSOR_act;
        largest = fmax(largest, (double)ir_type_numel(&i->type));
    }
    if (!any) return PASS_OK;
    bool measured = range_measured(m, s.opt);
    if (!measured && !(s.opt->input_lo < s.opt->input_hi)) {
        diag_error(m->name, "activations are fitted to data: pass --calib inputs.npy with typical inputs of the model (for a network of several "
                   "inputs: --input-range LO,HI)");
        return PASS_FAIL;
    }
    s.rows = measured ? range_rows(m, s.opt, budget) : range_guesses(m, GUESSED_ROWS);
    s.fit_rows = measured ? range_rows(m, s.opt, fit_budget) : s.rows;
    s.fit_rows = (int64_t)fmax(fmin((double)s.fit_rows, fmin(MOST_FIT_ROWS, memory / largest)), fmin((double)s.fit_rows, 48));
    s.labels = measured ? s.opt->calib_labels : NULL;
    if (actnet_measure(&s) != 0 || prepare(&s) != 0 || actnet_replace(&s) != 0 || choose(&s) < 0) return PASS_FAIL;
    ir_remove_dead(m);
    report(&s);
    return PASS_CHANGED;
}
