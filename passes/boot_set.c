// SPDX-License-Identifier: Apache-2.0
// Primes of a bootstrapping program. Why these sizes: docs/design/0004-bootstrapping.md.
//
// A value in [-1,1] enters StC at scale q_0 ratio and leaves EvalMod at q 2 pi ratio, which is more than the scale of the program. The
// prime at the landing level is larger by twice that excess, so that the first product of such a value with itself rescales to the program's scale.
#include "boot_set.h"
#include "plan.h"

#include <math.h>

static const double base_bits = 49.9, free_bits = 40.5, eval_bits = 49.6, cts_bits = 46.8, special_bits = 49.95;

/* Primes of those sizes or, if wanted, distinct ones nearest to them; false if the ring has too few. */
static bool fill(struct ck_params *par, const double *bits, bool primes)
{
    uint64_t taken[CK_MAX_Q];
    for (uint32_t k = 0; k < par->nq; k++) {
        par->q[k] = (uint64_t)exp2(bits[k]);
        if (primes && ck_primes_near(&par->q[k], 1, exp2(bits[k]), par->logn, taken, k) != 1) return false;
        taken[k] = par->q[k];
    }
    for (uint32_t k = 0; k < par->np; k++) par->p[k] = (uint64_t)exp2(special_bits);
    return !primes || ck_primes_near(par->p, par->np, exp2(special_bits), par->logn, taken, par->nq) == par->np;
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
    double bits[CK_MAX_Q];
    for (uint32_t k = 0; k <= s.shape.top; k++)
        bits[k] = k == 0 ? base_bits : k <= left ? free_bits : k + s.shape.ncts <= s.shape.top ? eval_bits : cts_bits;
    s.par = (struct ck_params){.logn = logn, .log_slots = log_slots, .nq = s.shape.top + 1, .np = CK_MAX_P, .security = opt->security < 0 ? 0 : 128};
    fill(&s.par, bits, false);
    bits[left] = landing_bits(&s.par, &s.shape);
    if (!fill(&s.par, bits, primes) || !ck_params_classes(&s.par)) return false;
    *out = s;
    return true;
}
