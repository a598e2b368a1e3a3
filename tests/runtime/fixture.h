// SPDX-License-Identifier: Apache-2.0
// What the scheme's tests share: parameter sets, seeded random vectors, precision in bits.
#ifndef CK_FIXTURE_H
#define CK_FIXTURE_H

#include "ck.h"
#include "test.h"

#include <math.h>
#include <stdlib.h>

/* Primes of `bits` bits: q_0 two bits larger, special primes one larger, so that P exceeds a digit. Marked insecure
 * (tests). */
static inline struct ck_params fixture_params(uint32_t logn, uint32_t log_slots, double bits, uint32_t nq, uint32_t np,
                                              uint32_t alpha)
{
    struct ck_params par = {.logn = logn, .log_slots = log_slots, .nq = nq, .np = np, .alpha = alpha};
    uint64_t taken[CK_MAX_Q + CK_MAX_P];
    uint32_t n = ck_primes_near(taken, 1, exp2(bits + (bits > 44 ? 0.8 : 2)), logn, NULL, 0);
    n += ck_primes_near(taken + n, nq - 1, exp2(bits), logn, taken, n);
    n += ck_primes_near(taken + n, np, exp2(bits + (bits > 44 ? 0.85 : 2)), logn, taken, n);
    if (n != nq + np) abort();
    for (uint32_t i = 0; i < nq; i++) par.q[i] = taken[i];
    for (uint32_t i = 0; i < np; i++) par.p[i] = taken[nq + i];
    ck_params_classes(&par);
    return par;
}

/* count values in [-bound, bound], the same for the same seed. */
static inline void fixture_values(double *v, size_t count, double bound, uint64_t seed)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < count; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        v[i] = bound * ((double)(x >> 11) * 0x1p-52 - 1);
    }
}

/* Precision of got against want: -log2 of the largest and of the mean error. */
struct precision {
    double min, mean;
};
static inline struct precision fixture_precision(const double *got, const double *want, size_t count)
{
    double worst = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        double e = fabs(got[i] - want[i]);
        if (!(e <= 1e300)) e = 1e300;
        if (e > worst) worst = e;
        sum += e;
    }
    return (struct precision){-log2(worst + 1e-300), -log2(sum / (double)count + 1e-300)};
}

#define CHECK_PRECISION(name, got, want, count, need_min, need_mean)                                                   \
    do {                                                                                                               \
        struct precision p_ = fixture_precision(got, want, count);                                                     \
        CHECKF(p_.min >= (need_min) && p_.mean >= (need_mean), "%s: %.2f bits (min), %.2f (mean), want %.2f, %.2f",    \
               name, p_.min, p_.mean, (double)(need_min), (double)(need_mean));                                        \
    } while (0)
#define CHECK_OK(e)                                                                                                    \
    do {                                                                                                               \
        enum ck_err e_ = (e);                                                                                          \
        CHECKF(e_ == CK_OK, "%s: %s", #e, ck_err_text(e_));                                                            \
    } while (0)
#endif
