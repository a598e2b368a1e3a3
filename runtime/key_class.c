// SPDX-License-Identifier: Apache-2.0
// The classes of keys: which levels share a gadget. A key cut to level l may have all the special primes that the limit of log QP leaves there, and with them
// fewer and larger digits; but keys of one rotation merge only within a class, and lower levels of a class carry the special primes of its highest one.
//
// Shortest path over limb counts: classes of keys (lo, hi] for all lo < hi, each with the best of the gadgets of 1, 2, 3 ... digits at hi limbs. A class
// costs a mix of operations by the cost model at each of its levels, and once more a share of that at its highest: that of keys which are not shared.
#include "params.h"

#include <math.h>

static const double apart = 1.0 / 12;        // of the mix at its highest level: what a class costs by itself
static const double above = 0.45;           // bits by which the special primes exceed a digit: half a bit, but for what primes differ from their sizes
enum { PRODUCTS = 4 };                      // with plaintexts modulo QP, beside a single key switch and a hoisted one

static double mix(const struct ck_params *par, uint32_t limbs, uint32_t alpha, uint32_t np)
{
    const struct ck_switch_cost c = ck_cost_gadget(&ck_cost_default, par->logn, limbs, alpha, np);
    return c.whole + c.hoisted + ldexp(par->logn / 16.0, (int)par->logn - 16) * PRODUCTS * (limbs + np) * ck_cost_default.t_mul;
}

// The fewest special primes whose product exceeds every digit of alpha limbs, 0 if all of them are too few.
static uint32_t cover(const struct ck_params *par, const double *q, const double *p, uint32_t limbs, uint32_t alpha)
{
    double digit = 0;
    for (uint32_t i = 0; i < limbs; i += alpha) digit = fmax(digit, q[i + alpha < limbs ? i + alpha : limbs] - q[i]);
    for (uint32_t k = 1; k <= par->np; k++)
        if (p[k] >= digit + above) return k;
    return 0;
}

// The gadget of `digits` digits at `limbs` limbs with fewest special primes, of those the smallest digits; false if none is secure.
static bool gadget_of(struct ck_key_class *out, const struct ck_params *par, const double *q, const double *p, uint32_t limbs, uint32_t digits)
{
    const double limit = par->security ? ck_security_max_logqp(par->logn) : INFINITY;
    *out = (struct ck_key_class){.limbs = limbs};
    for (uint32_t a = (limbs + digits - 1) / digits; a <= limbs && (limbs + a - 1) / a == digits; a++) {
        const bool given = par->alpha && limbs == par->nq;
        if (given && a != par->alpha) continue;
        uint32_t k = cover(par, q, p, limbs, a);
        if (given && !k) k = par->np;       // few primes of a small ring differ more; ck_params_check has the last word
        if (!k || q[limbs] + p[k] > limit || (out->np && out->np <= k)) continue;
        out->alpha = a;
        out->np = k;
    }
    return out->np;
}

bool ck_params_classes(struct ck_params *par)
{
    double q[CK_MAX_Q + 1] = {0}, p[CK_MAX_P + 1] = {0}, best[CK_MAX_Q + 1] = {0};
    struct ck_key_class last[CK_MAX_Q + 1];
    uint32_t before[CK_MAX_Q + 1], count[CK_MAX_Q + 1] = {0};
    for (uint32_t i = 0; i < par->nq; i++) q[i + 1] = q[i] + log2((double)par->q[i]);
    for (uint32_t i = 0; i < par->np; i++) p[i + 1] = p[i] + log2((double)par->p[i]);
    for (uint32_t hi = 1; hi <= par->nq; hi++) {
        best[hi] = INFINITY;
        for (uint32_t digits = 1; digits <= hi; digits++) {
            struct ck_key_class c;
            if (!gadget_of(&c, par, q, p, hi, digits)) continue;
            double sum = apart * mix(par, hi, c.alpha, c.np);
            for (uint32_t lo = hi; lo-- > 0;) {
                sum += mix(par, lo + 1, c.alpha, c.np);
                if (count[lo] == CK_MAX_CLASSES || best[lo] + sum >= best[hi]) continue;
                best[hi] = best[lo] + sum;
                last[hi] = c;
                before[hi] = lo;
                count[hi] = count[lo] + 1;
            }
        }
    }
    if (best[par->nq] == INFINITY) return false;
    par->nclass = count[par->nq];
    for (uint32_t at = par->nq, i = par->nclass; at; at = before[at]) par->classes[--i] = last[at];
    par->alpha = par->classes[par->nclass - 1].alpha;
    uint32_t np = 1;
    for (uint32_t i = 0; i < par->nclass; i++) np = par->classes[i].np > np ? par->classes[i].np : np;
    while (par->np > np) par->p[--par->np] = 0;
    return true;
}
