// SPDX-License-Identifier: Apache-2.0
// Chooses the ring degree, the primes and the key-switching gadget of a levelled program.
//
// For every ring degree that holds the slots, from the smallest: the smallest scale (bits) whose predicted error meets the wanted
// precision; for it every digit size alpha with as few special primes as cover a digit; what the security table allows is priced by the
// cost model and the cheapest wins. q_0 covers the largest result with sign and margin; all other primes are near the scale, special
// primes at 46.8 bits, the largest that the fast transforms take. One simulation corrects the error estimate, then the search is repeated. Formulas and table: docs/PARAMETERS.md.
// Module attributes set: alpha, log_slots, logn, p, q, scale, security, precision (predicted bits of each output below its range);
// boot_range and boot_ratio where the program bootstraps, whose sets are in boot_set.c.
#include "pass.h"
#include "boot_set.h"
#include "noise.h"
#include "plan.h"
#include "range.h"
#include "scales.h"
#include "util.h"

#include "../compiler/diag.h"
#include "../compiler/noise.h"
#include <math.h>

enum { SCALE_BITS_MIN = 20, SCALE_BITS_MAX = 46, DEFAULT_PRECISION = 14, TRIALS = 8 };
static const double special_bits = 46.8, sigmas = 6, budget = 5e8, trial_budget = 4e9;

struct search {
    struct ir_module *m;
    const struct options *opt;
    struct arena *scratch;
    struct noise_linear *linear;    // by id
    int64_t *terms;                 // by id
    double *err;                    // by id
    uint32_t levels, log_slots;
    double margin;                  // bits above the measured range
    double want;                    // bits below the range
    double gain;                    // by which the simulated error lies below the estimate
};

struct choice {
    uint32_t logn, alpha, np;
    int bits;
    double q0_bits, p_bits, cost, precision;
};

/* Bits that q_0 needs so that every value fits its modulus with sign and margin, for nominal primes 2^bits. */
static double base_bits(const struct search *s, int bits)
{
    double need = bits;
    for (const struct ir_inst *i = s->m->first; i; i = i->next)
        need = fmax(need, log2(fmax(util_range(i, 1), 1e-9) * i->type.scale) + 1 + s->margin - bits * (double)i->type.level);
    return need;
}

/* Bits of the worst output's error (six standard deviations) below its range. */
static double precision(const struct search *s, const struct noise_ring *ring, const double *q)
{
    noise_propagate(s->err, s->m, ring, q, s->linear, s->scratch);
    double worst = 99;
    for (uint32_t k = 0; k < s->m->noutputs; k++) {
        double range = fmax(util_range(s->m->outputs[k], 1), 1e-9);
        worst = fmin(worst, -log2(sigmas * s->err[s->m->outputs[k]->id] / range));
    }
    return worst;
}

static double program_cost(const struct search *s, const struct choice *c)
{
    struct ck_params par = {.logn = c->logn, .log_slots = s->log_slots, .nq = s->levels + 1, .np = c->np, .alpha = c->alpha,
                            .security = s->opt->security < 0 ? 0 : 128};
    par.q[0] = (uint64_t)exp2(c->q0_bits);
    for (uint32_t k = 1; k < par.nq; k++) par.q[k] = (uint64_t)1 << c->bits;
    for (uint32_t k = 0; k < par.np; k++) par.p[k] = (uint64_t)exp2(c->p_bits);
    ck_params_classes(&par);
    const struct ck_cost *cost = plan_constants(s->opt);
    double sum = 0;
    for (const struct ir_inst *i = s->m->first; i; i = i->next) sum += plan_cost(cost, &par, s->m, i, s->terms[i->id]);
    return sum;
}

/* The cheapest digit size for one ring degree and scale; false if none is secure and precise enough. */
static bool choose_gadget(const struct search *s, struct choice *best, uint32_t logn, int bits, double limit)
{
    double q[CK_MAX_Q], q0 = base_bits(s, bits);
    if (q0 > CK_PRIME_BITS_MAX - 0.5) return false;
    q[0] = exp2(q0);
    for (uint32_t k = 1; k <= s->levels; k++) q[k] = exp2(bits);
    double logq = q0 + bits * (double)s->levels;
    bool found = false;
    for (uint32_t alpha = 1; alpha <= s->levels + 1; alpha++) {
        double digit = q0 + bits * (alpha - 1.0);
        struct choice c = {.logn = logn, .alpha = alpha, .bits = bits, .q0_bits = q0};
        c.np = (uint32_t)ceil((digit + 0.5) / special_bits);
        c.p_bits = special_bits;
        if (logq + c.np * c.p_bits + 0.1 > limit) c.p_bits = fmax((digit + 0.5) / c.np, logn + 6.0);
        if (c.np > CK_MAX_P || logq + c.np * c.p_bits + 0.1 > limit) continue;
        struct noise_ring ring = {logn, digit, c.np * c.p_bits, (s->levels + alpha) / alpha};
        c.precision = precision(s, &ring, q);
        if (c.precision < s->want) continue;
        c.cost = program_cost(s, &c);
        if (!found || c.cost < best->cost) *best = c;
        found = true;
    }
    return found;
}

static bool choose_ring(const struct search *s, struct choice *best, uint32_t logn)
{
    double limit = s->opt->security < 0 ? 1e9 : ck_security_max_logqp(logn);
    for (int bits = SCALE_BITS_MIN; bits <= SCALE_BITS_MAX; bits++) {
        if (bits < (int)logn + 6 || bits * (double)(s->levels + 1) > limit) continue;
        double q[CK_MAX_Q];
        for (uint32_t k = 0; k <= s->levels; k++) q[k] = exp2(bits);
        scales_assign(s->m, q, exp2(bits), s->scratch);
        if (choose_gadget(s, best, logn, bits, limit)) return true;
    }
    return false;
}

static bool make_primes(struct ck_params *par, const struct search *s, const struct choice *c)
{
    *par = (struct ck_params){.logn = c->logn, .log_slots = s->log_slots, .nq = s->levels + 1, .np = c->np, .alpha = c->alpha,
                              .security = s->opt->security < 0 ? 0 : 128};
    uint64_t taken[CK_MAX_Q + CK_MAX_P];
    if (ck_primes_near(par->q, 1, exp2(c->q0_bits), c->logn, NULL, 0) != 1) return false;
    taken[0] = par->q[0];
    if (ck_primes_near(par->q + 1, s->levels, exp2(c->bits), c->logn, taken, 1) != s->levels) return false;
    for (uint32_t k = 0; k < par->nq; k++) taken[k] = par->q[k];
    return ck_primes_near(par->p, c->np, exp2(c->p_bits), c->logn, taken, par->nq) == c->np && ck_params_classes(par);
}

/* Parameters and scales of a choice into the module. */
static void apply(const struct search *s, const struct ck_params *par, const struct choice *c)
{
    double q[CK_MAX_Q];
    for (uint32_t k = 0; k < par->nq; k++) q[k] = (double)par->q[k];
    plan_set_params(s->m, par, exp2(c->bits));
    scales_assign(s->m, q, exp2(c->bits), s->scratch);
}

/* Bits of the worst output's root mean square error, times six, below its range, when the program runs on a few inputs with the
 * simulator's noise (negative where noise drowns the result); NAN after diag_error. The module has parameters and scales. */
static double simulated_precision(struct search *s)
{
    double **in, **plain, **noisy, worst = 99;
    range_buffers(&in, &plain, s->m, s->scratch);
    range_buffers(&in, &noisy, s->m, s->scratch);
    double *square = ARENA_ARRAY(s->scratch, double, s->m->noutputs), *points = ARENA_ARRAY(s->scratch, double, s->m->noutputs);
    int64_t trials = range_few(s->m, trial_budget, 2, TRIALS);
    for (int64_t row = 0; row < trials; row += ir_batch(s->m)) {
        struct ir_noise noise = {.seed = (uint64_t)row + 1};
        struct ir_run quiet = {0}, loud = {.noise = &noise};
        int64_t from = range_measured(s->m, s->opt) ? row % s->opt->ncalib : row + 2;
        if (range_inputs(in, s->m, s->opt, from, s->scratch) != 0) return NAN;
        if (ir_interp(s->m, (const double *const *)in, plain, &quiet) != 0) return NAN;
        if (ir_interp(s->m, (const double *const *)in, noisy, &loud) != 0) return NAN;
        for (uint32_t k = 0; k < s->m->noutputs; k++)
            for (int64_t e = 0, n = ir_type_numel(&s->m->outputs[k]->type); e < n; e++, points[k]++)
                square[k] += (noisy[k][e] - plain[k][e]) * (noisy[k][e] - plain[k][e]);
    }
    for (uint32_t k = 0; k < s->m->noutputs; k++) {
        double range = fmax(util_range(s->m->outputs[k], 1), 1e-9);
        worst = fmin(worst, -log2(sigmas * fmax(sqrt(square[k] / points[k]), 1e-30) / range));
    }
    return worst;
}

static bool search_rings(const struct search *s, struct choice *best, struct ck_params *par, uint32_t lo, uint32_t hi)
{
    struct choice c;
    *best = (struct choice){0};
    for (uint32_t logn = lo; logn <= hi; logn++)
        if (choose_ring(s, &c, logn) && (!best->logn || c.cost < best->cost)) *best = c;
    return best->logn && make_primes(par, s, best);
}

/* A fitted polynomial is only known inside [-1,1]; the data says whether it stays there. Exact ones (horner.c) may read up to 1.5. */
static void warn_outside(const struct search *s)
{
    for (const struct ir_inst *i = s->m->first; i; i = i->next) {
        double top = i->op == IR_CKKS_poly ? util_range(i->args[0], 0) : 0;
        if (top > 1.5)
            diag_warn(util_where(s->scratch, i), "its input reaches %.3g times the interval of its polynomial on the calibration data; "
                      "calibrate on more rows", top);
    }
}

static void explain_failure(const struct search *s, uint32_t lo, uint32_t hi)
{
    if (s->opt->logn)
        diag_error("--logn", "N = 2^%d does not hold %u levels at %d-bit security and %.0f bits of precision", s->opt->logn,
                   s->levels, 128, s->want);
    else
        diag_error(s->m->name, "%u levels with %.0f bits of precision do not fit any secure ring degree from 2^%u to 2^%u: choose "
                   "activations of lower degree (--activation) or a lower --precision", s->levels, s->want, lo, hi);
}

/* A program that bootstraps: the set follows from the levels left, its precision from the simulation. */
static enum pass_res bootstrapped(struct search *s, uint32_t left)
{
    struct boot_set set;
    if (!boot_set_make(&set, s->opt, s->log_slots, left, true)) {
        diag_error(s->m->name, "no secure parameters leave %u levels after a bootstrap of 2^%u slots", left, s->log_slots);
        return PASS_FAIL;
    }
    const char *why = ck_params_check(&set.par);
    if (!why) why = ck_boot_check(&set.par, &set.shape);
    ICE_IF(why, "chosen parameters: %s", why);
    ir_set_int(s->m, &s->m->attrs, "boot_range", CK_BOOT_RANGE);
    ir_set_float(s->m, &s->m->attrs, "boot_ratio", set.shape.ratio);
    double q[CK_MAX_Q];
    for (uint32_t k = 0; k < set.par.nq; k++) q[k] = (double)set.par.q[k];
    plan_set_params(s->m, &set.par, set.scale);
    scales_assign(s->m, q, set.scale, s->scratch);
    double real = simulated_precision(s);
    if (isnan(real)) return PASS_FAIL;
    if (real < s->want)
        diag_warn(s->m->name, "bootstrapping leaves about %.0f bits of the results, %.0f are wanted", fmax(real, 0), s->want);
    ir_set_float(s->m, &s->m->attrs, "precision", real);
    for (struct ir_inst *i = s->m->first; i; i = i->next) i->type.scale = 0;
    return PASS_CHANGED;
}

enum pass_res pass_params(struct pass_ctx *ctx, struct ir_module *m)
{
    struct search s = {.m = m, .opt = ctx->opt, .scratch = ctx->scratch};
    if (range_measure(ctx, m, range_rows(m, ctx->opt, budget)) != 0) return PASS_FAIL;
    s.margin = range_measured(m, ctx->opt) ? 1 : 4;              // guessed ranges may be sixteen times too small
    s.want = ctx->opt->precision ? ctx->opt->precision : DEFAULT_PRECISION;
    uint32_t count = 0, slots = 1;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        count++;
        if (i->type.level > (int32_t)s.levels) s.levels = (uint32_t)i->type.level;
        if (i->type.n > slots) slots = i->type.n;
    }
    while (1u << s.log_slots < slots) s.log_slots++;
    warn_outside(&s);
    s.terms = ARENA_ARRAY(ctx->scratch, int64_t, count);
    s.err = ARENA_ARRAY(ctx->scratch, double, count);
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->op == IR_CKKS_linear) {
            s.terms[i->id] = plan_terms(m, i, ctx->scratch);
            ir_set_int(m, &i->attrs, "terms", s.terms[i->id]);
        }
    int64_t left = ir_get_int(m->attrs, "boot_left", 0);
    if (left > 0) return bootstrapped(&s, (uint32_t)left);
    s.linear = ARENA_ARRAY(ctx->scratch, struct noise_linear, count);
    for (struct ir_inst *i = m->first; i; i = i->next)
        if (i->op == IR_CKKS_linear) s.linear[i->id] = noise_linear_init(m, i, ctx->scratch);
    uint32_t lo = s.log_slots + 1 > CK_LOGN_MIN ? s.log_slots + 1 : CK_LOGN_MIN, hi = CK_LOGN_MAX;
    if (ctx->opt->logn) {
        if (ctx->opt->logn < (int)lo || ctx->opt->logn > (int)hi) {
            diag_error("--logn", "%d is outside %u..%u for vectors of %u slots", ctx->opt->logn, lo, hi, slots);
            return PASS_FAIL;
        }
        lo = hi = (uint32_t)ctx->opt->logn;
    }
    if (s.levels >= CK_MAX_Q) {
        explain_failure(&s, lo, hi);
        return PASS_FAIL;
    }
    // The estimate is for the worst slot at the largest value. One simulation tells how far that is from the truth, which hardly
    // depends on the scale; the second search uses what was gained.
    struct choice best;
    struct ck_params par;
    double want = s.want;
    s.want = want - 6;
    bool found = search_rings(&s, &best, &par, lo, hi);
    if (found) {
        apply(&s, &par, &best);
        double real = simulated_precision(&s);
        if (isnan(real)) return PASS_FAIL;
        s.gain = fmin(fmax(real - best.precision, 0), 10);
        s.want = want - s.gain;
        found = search_rings(&s, &best, &par, lo, hi);
    }
    s.want = want;
    if (!found) {
        explain_failure(&s, lo, hi);
        return PASS_FAIL;
    }
    const char *why = ck_params_check(&par);
    ICE_IF(why, "chosen parameters: %s", why);
    apply(&s, &par, &best);
    ir_set_float(m, &m->attrs, "precision", best.precision + s.gain);
    for (struct ir_inst *i = m->first; i; i = i->next) i->type.scale = 0;
    return PASS_CHANGED;
}
