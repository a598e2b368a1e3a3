// SPDX-License-Identifier: Apache-2.0
// Classes of keys: the cheapest of all on short chains, within the limit of security at every level, special primes that cover every digit, a given size of the
// highest digits kept.
#include "fixture.h"

#include <math.h>
#include <string.h>

static double log2_of(const uint64_t *p, uint32_t from, uint32_t to)
{
    double sum = 0;
    for (uint32_t i = from; i < to; i++) sum += log2((double)p[i]);
    return sum;
}

static double largest(const struct ck_params *par, uint32_t limbs, uint32_t alpha)
{
    double most = 0;
    for (uint32_t i = 0; i < limbs; i += alpha) most = fmax(most, log2_of(par->q, i, i + alpha < limbs ? i + alpha : limbs));
    return most;
}

/* What key_class.c says that a class costs: a single switch, a hoisted one and four products at each level, a twelfth of those at the highest once more. */
static double cost_of(const struct ck_params *par, uint32_t lo, const struct ck_key_class *c)
{
    double sum = 0, last = 0;
    for (uint32_t limbs = lo + 1; limbs <= c->limbs; limbs++) {
        const struct ck_switch_cost s = ck_cost_gadget(&ck_cost_default, par->logn, limbs, c->alpha, c->np);
        last = s.whole + s.hoisted + ldexp(par->logn / 16.0, (int)par->logn - 16) * 4 * (limbs + c->np) * ck_cost_default.t_mul;
        sum += last;
    }
    return sum + last / 12;
}

static bool usable(const struct ck_params *par, const struct ck_key_class *c)
{
    return log2_of(par->p, 0, c->np) >= largest(par, c->limbs, c->alpha) + 0.45 &&
           (!par->security || log2_of(par->q, 0, c->limbs) + log2_of(par->p, 0, c->np) <= ck_security_max_logqp(par->logn));
}

/* The least cost of classes for the limbs above lo: all ends, sizes of digits and numbers of special primes. */
static double cheapest(const struct ck_params *par, uint32_t lo)
{
    if (lo == par->nq) return 0;
    double best = INFINITY;
    for (uint32_t hi = lo + 1; hi <= par->nq; hi++) {
        const double rest = cheapest(par, hi);
        for (uint32_t alpha = 1; alpha <= hi; alpha++)
            for (uint32_t np = 1; np <= par->np; np++) {
                const struct ck_key_class c = {hi, alpha, np};
                if (usable(par, &c)) best = fmin(best, rest + cost_of(par, lo, &c));
            }
    }
    return best;
}

static void check(const struct ck_params *par, const char *name)
{
    CHECK(par->nclass >= 1 && par->nclass <= CK_MAX_CLASSES && par->classes[par->nclass - 1].limbs == par->nq);
    uint32_t np = 0;
    for (uint32_t i = 0; i < par->nclass; i++) {
        const struct ck_key_class *c = &par->classes[i];
        CHECKF(usable(par, c) && c->limbs > (i ? c[-1].limbs : 0), "%s: class %u of %u limbs, %u a digit, %u special primes", name, i, c->limbs, c->alpha, c->np);
        for (uint32_t limbs = i ? c[-1].limbs + 1 : 1; limbs <= c->limbs; limbs++) {
            uint32_t alpha, k;
            ck_params_gadget(par, limbs, &alpha, &k);
            CHECK(alpha == c->alpha && k == c->np);
        }
        np = c->np > np ? c->np : np;
    }
    CHECK(par->np == np && par->alpha == par->classes[par->nclass - 1].alpha);
}

static struct ck_params chain(uint32_t logn, uint32_t nq, double bits, double special, uint32_t security)
{
    struct ck_params par = {.logn = logn, .log_slots = logn - 1, .nq = nq, .np = CK_MAX_P, .security = security};
    uint64_t taken[CK_MAX_Q + CK_MAX_P];
    uint32_t n = ck_primes_near(taken, nq, exp2(bits), logn, NULL, 0);
    n += ck_primes_near(taken + n, CK_MAX_P, exp2(special), logn, taken, n);
    if (n != nq + CK_MAX_P) abort();
    memcpy(par.q, taken, nq * sizeof *taken);
    memcpy(par.p, taken + nq, CK_MAX_P * sizeof *taken);
    return par;
}

int main(void)
{
    static const struct { uint32_t logn, nq; double bits, special; uint32_t security; } sets[] = {
        {13, 4, 30, 45, 128}, {14, 9, 34, 46, 128}, {14, 8, 40, 46.8, 128}, {12, 9, 40, 49.9, 0}, {16, 9, 40.5, 49.95, 128}};
    for (size_t s = 0; s < sizeof sets / sizeof *sets; s++) {
        struct ck_params par = chain(sets[s].logn, sets[s].nq, sets[s].bits, sets[s].special, sets[s].security), all = par;
        CHECK(ck_params_classes(&par));
        check(&par, "short");
        CHECK(ck_params_check(&par) == NULL);
        double sum = 0;
        for (uint32_t i = 0; i < par.nclass; i++) sum += cost_of(&par, i ? par.classes[i - 1].limbs : 0, &par.classes[i]);
        all.np = par.nq + 1;       // more are of no use to digits of nq limbs
        const double least = cheapest(&all, 0);
        CHECKF(fabs(sum - least) < 1e-9 * least, "set %zu: %g us, %g is possible", s, sum, least);
    }
    for (uint32_t nq = 12; nq <= 34; nq++) {                // long ones at 128 bits of security, free and with the highest digits given
        struct ck_params par = chain(16, nq, 44, 49.95, 128), given = par;
        CHECK(ck_params_classes(&par));
        check(&par, "long");
        CHECK(ck_params_check(&par) == NULL && ck_params_logqp(&par) <= ck_security_max_logqp(16));
        given.alpha = par.alpha > 1 ? par.alpha - 1 : 1;
        CHECK(ck_params_classes(&given));
        check(&given, "given");
        CHECK(given.alpha == (par.alpha > 1 ? par.alpha - 1 : 1));
    }
    struct ck_params big = chain(14, 11, 40, 46, 128);      // 440 bits of at most 430
    CHECK(!ck_params_classes(&big));
    return test_done();
}
