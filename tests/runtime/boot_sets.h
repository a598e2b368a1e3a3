// SPDX-License-Identifier: Apache-2.0
// The sets of bootstrapping parameters of docs/PARAMETERS.md that tests and benchmarks run: members of the compiler's family (passes/boot_set.c).
#ifndef CK_BOOT_SETS_H
#define CK_BOOT_SETS_H

#include "ck.h"

#include <math.h>
#include <string.h>

struct named_set {
    const char *name;
    uint32_t logn, log_slots, left, alpha, np;      // alpha, np: 0 for the best
    double min, mean;       // promised bits of precision of values in [-1, 1]
};

static const struct named_set named_sets[] = {
    {"standard", 16, 14, 16, 0, 0, 14, 18},
    {"full", 16, 15, 16, 0, 0, 14, 18},
    {"low", 16, 14, 10, 0, 0, 14, 18},
};

static inline uint32_t named_set_primes(uint64_t *q, uint32_t at, uint32_t count, double bits, uint32_t logn)
{
    return at + ck_primes_near(q + at, count, exp2(bits), logn, q, at);
}

/* Parameters and shape of a set; insecure (for tests) if the ring is smaller than 2^16. */
static inline void named_set_make(struct ck_params *par, struct ck_boot_shape *shape, const struct named_set *s)
{
    const double mod = 49.6, low = 40.5, landing = 2 * (mod + log2(2 * 3.14159265358979323846) - 10) - low;
    uint64_t q[CK_MAX_Q + CK_MAX_P];
    ck_boot_default(shape, s->log_slots, s->left);
    *par = (struct ck_params){.logn = s->logn, .log_slots = s->log_slots, .nq = shape->top + 1, .np = s->np ? s->np : CK_MAX_P, .alpha = s->alpha,
                              .security = s->logn == 16 ? 128 : 0};
    uint32_t n = named_set_primes(q, 0, 1, 49.9, s->logn);
    n = named_set_primes(q, n, s->left - 1, low, s->logn);
    n = named_set_primes(q, n, 1, landing, s->logn);
    n = named_set_primes(q, n, shape->top - shape->ncts - s->left, mod, s->logn);
    n = named_set_primes(q, n, shape->ncts, 46.8, s->logn);
    n = named_set_primes(q, n, par->np, 49.95, s->logn);
    memcpy(par->q, q, par->nq * sizeof *q);
    memcpy(par->p, q + par->nq, (n - par->nq) * sizeof *q);
    ck_params_classes(par);
}
#endif
