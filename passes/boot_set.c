// SPDX-License-Identifier: Apache-2.0
// Primes of a bootstrapping program. Why these sizes: docs/design/0004-bootstrapping.md.
//
// A value in [-1,1] enters StC at scale q_0 ratio and leaves EvalMod at q 2 pi ratio, which is more than the scale of the program. The
// prime at the landing level is larger by twice that excess, so that the first product of such a value with itself rescales to the program's scale.
#include "boot_set.h"
#include "plan.h"

#include <math.h>

static const double base_bits = 49.9, free_bits = 40.5, eval_bits = 49.6, cts_bits = 46.8, special_bits = 49.95, room = 0.05;
enum { SPARE_MAX = 6 };     // special primes beyond those that a digit needs: for keys of lower levels

/* Bits of the largest digit of alpha limbs. */
static double widest_digit(const double *bits, uint32_t count, uint32_t alpha)
{
    double widest = 0;
    for (uint32_t from = 0; from < count; from += alpha) {
        double sum = 0;
        for (uint32_t k = from; k < count && k < from + alpha; k++) sum += bits[k];
        widest = fmax(widest, sum);
    }
    return widest;
}

static void nominal(struct ck_params *par, const double *bits)
{
    for (uint32_t k = 0; k < par->nq; k++) par->q[k] = (uint64_t)exp2(bits[k]);
    for (uint32_t k = 0; k < CK_MAX_P; k++) par->p[k] = k < par->np ? (uint64_t)exp2(special_bits) : 0;
}

/* Distinct primes nearest to the sizes; false if the ring has too few. */
static bool search(struct ck_params *par, const double *bits)
{
    uint64_t taken[CK_MAX_Q + CK_MAX_P];
    for (uint32_t k = 0; k < par->nq; k++) {
        if (ck_primes_near(&par->q[k], 1, exp2(bits[k]), par->logn, taken, k) != 1) return false;
        taken[k] = par->q[k];
    }
    return ck_primes_near(par->p, par->np, exp2(special_bits), par->logn, taken, par->nq) == par->np;
}

/* Bits of the prime at the landing level: a value in [-1,1] squared falls to the scale of the program. */
static double landing_bits(const struct ck_params *par, const struct ck_boot_shape *shape)
{
    double scale = ck_boot_nominal(par, shape);
    for (int part = CK_BOOT_STC; part <= CK_BOOT_EVALMOD; part++) scale = ck_boot_part_scale(par, shape, (enum ck_boot_part)part, scale);
    return 2 * log2(scale) - free_bits;
}

bool boot_set_make(struct boot_set *out, const struct options *opt, uint32_t log_slots, uint32_t left, bool primes)
{
    struct boot_set s = {.scale = exp2(free_bits)};
    uint32_t logn = opt->logn ? (uint32_t)opt->logn : CK_LOGN_MAX;
    if (log_slots < 2 || log_slots >= logn) return false;
    ck_boot_default(&s.shape, log_slots, left);
    if (left < s.shape.stc_levels + 1 || s.shape.top >= CK_MAX_Q) return false;
    double bits[CK_MAX_Q], limit = opt->security < 0 ? 1e9 : ck_security_max_logqp(logn), best = INFINITY;
    for (uint32_t k = 0; k <= s.shape.top; k++) 
        bits[k] = k == 0 ? base_bits : k <= left ? free_bits : k + s.shape.ncts <= s.shape.top ? eval_bits : cts_bits;
    struct ck_params par = {.logn = logn, .log_slots = log_slots, .nq = s.shape.top + 1, .np = 1,
                            .security = opt->security < 0 ? 0 : 128};
    nominal(&par, bits);
    bits[left] = landing_bits(&par, &s.shape);
    for (par.alpha = 1; par.alpha <= par.nq; par.alpha++) {
        const uint32_t need = (uint32_t)ceil((widest_digit(bits, par.nq, par.alpha) + 0.5) / special_bits);
        for (par.np = need; par.np <= need + SPARE_MAX && par.np <= CK_MAX_P; par.np++) {
            nominal(&par, bits);
            if (ck_params_logqp(&par) + room > limit) continue;
            const double cost = ck_cost_boot(plan_constants(opt), &par, &s.shape);
            if (cost >= best) continue;
            best = cost;
            s.par = par;
        }
    }
    if (best == INFINITY || (primes && !search(&s.par, bits))) return false;
    *out = s;
    return true;
}
