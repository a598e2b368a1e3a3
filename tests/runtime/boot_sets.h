// SPDX-License-Identifier: Apache-2.0
// The sets of bootstrapping parameters of docs/PARAMETERS.md, for tests and benchmarks.
#ifndef CK_BOOT_SETS_H
#define CK_BOOT_SETS_H

#include "ck.h"

#include <math.h>
#include <string.h>

/* Bits of the primes: q_0; levels 1..left-1; the landing level `left`; EvalMod; CtS; special. range and ratio of the shape. */
struct boot_set {
    const char *name;
    uint32_t logn, log_slots, left, alpha, np;
    double base, low, landing, mod, cts, special;
    uint32_t range;
    double ratio;
    double min, mean;       // promised bits of precision of values in [-1, 1]
};

static const struct boot_set boot_sets[] = {
    {"standard", 16, 14, 16, 10, 9, 49.9, 40.5, 44, 49.6, 46.8, 49.95, 16, 0x1p-10, 14, 18},
    {"full", 16, 15, 16, 10, 9, 49.9, 40.5, 44, 49.6, 46.8, 49.95, 16, 0x1p-10, 14, 18},
    {"low", 16, 14, 10, 12, 12, 49.9, 40.5, 42, 46.8, 46.8, 46.8, 16, 0x1p-9, 13, 14},
};

static inline uint32_t boot_set_primes(uint64_t *q, uint32_t at, uint32_t count, double bits, uint32_t logn)
{
    return at + ck_primes_near(q + at, count, exp2(bits), logn, q, at);
}

/* Parameters and shape of a set; insecure (for tests) if the ring is smaller than 2^16. */
static inline void boot_set_make(struct ck_params *par, struct ck_boot_shape *shape, const struct boot_set *s)
{
    uint64_t q[CK_MAX_Q + CK_MAX_P];
    ck_boot_default(shape, s->log_slots, s->left);
    shape->range = s->range;
    shape->ratio = s->ratio;
    *par = (struct ck_params){.logn = s->logn, .log_slots = s->log_slots, .nq = shape->top + 1, .np = s->np, .alpha = s->alpha,
                              .security = s->logn == 16 ? 128 : 0};
    uint32_t n = boot_set_primes(q, 0, 1, s->base, s->logn);
    n = boot_set_primes(q, n, s->left - 1, s->low, s->logn);
    n = boot_set_primes(q, n, 1, s->landing, s->logn);
    n = boot_set_primes(q, n, shape->top - shape->ncts - s->left, s->mod, s->logn);
    n = boot_set_primes(q, n, shape->ncts, s->cts, s->logn);
    n = boot_set_primes(q, n, s->np, s->special, s->logn);
    memcpy(par->q, q, par->nq * sizeof *q);
    memcpy(par->p, q + par->nq, (n - par->nq) * sizeof *q);
}
#endif
