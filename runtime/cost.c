// SPDX-License-Identifier: Apache-2.0
// The cost model: microseconds of the expensive operations from a handful of measured constants. The formula counts
// transforms, conversion pairs and elementwise passes of hybrid key switching; see docs/PARAMETERS.md.
#include "params.h"

#include <math.h>

// AVX-512 IFMA at N = 2^16, one core; refitted by `make bench`.
const struct ck_cost ck_cost_default = {
    .t_ntt = 100,  .t_conv = 6.4,         .t_elt = 10,                .t_mul = 12,
    .t_expand = 30, .bytes_per_us = 12000, .two_thread_speedup = 1.85,
};

// Time is close to N log N: 1 at 2^16, 0.47 at 2^15.
static double size_factor(const struct ck_params *par)
{
    return ldexp(par->logn / 16.0, (int)par->logn - 16);
}

double ck_cost_keyswitch(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    uint32_t alpha, k;
    ck_params_gadget(par, limbs, &alpha, &k);
    const uint32_t d = (limbs + alpha - 1) / alpha, last = limbs - (d - 1) * alpha, wide = limbs + k;
    const double squares = (double)(d - 1) * alpha * alpha + (double)last * last;
    const double pairs = (double)limbs * wide - squares + 2.0 * k * limbs;
    const double limb_bytes = 8.0 * 65536, rows = (double)d * wide;
    const double read = rows * limb_bytes / c->bytes_per_us, work = rows * (2 * c->t_mul + c->t_expand);
    const double inner = fmax(read, work) + 0.3 * fmin(read, work);
    return size_factor(par) * (c->t_ntt * (d + 2) * wide + c->t_conv * pairs + c->t_elt * (rows + limbs) + inner);
}

double ck_cost_rescale(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return size_factor(par) * 2 * limbs * (c->t_ntt + c->t_elt);
}

double ck_cost_mulpt(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    // The plaintext is transformed on use at the size of its subring, then multiplied into two polynomials.
    const double sub = ldexp((par->log_slots + 1) / 16.0, (int)par->log_slots + 1 - 16);
    return limbs * (sub * c->t_ntt + size_factor(par) * (c->t_elt + 2 * c->t_mul));
}
