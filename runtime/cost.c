// SPDX-License-Identifier: Apache-2.0
// The cost model: microseconds of the expensive operations from a handful of measured constants. The formula counts
// transforms, conversion pairs and elementwise passes of hybrid key switching; see docs/PARAMETERS.md.
#include "params.h"

#include <math.h>

// AVX-512 IFMA at N = 2^16, one core; refitted by `make bench`.
const struct ck_cost ck_cost_default = {
    .t_ntt = 125,  .t_conv = 6.1,   .t_elt = 22,           .t_mul = 35,
    .t_expand = 32, .t_pass = 95,   .bytes_per_us = 11000, .two_thread_speedup = 1.85,
};

// Time is close to N log N: 1 at 2^16, 0.47 at 2^15.
static double size_factor(uint32_t logn)
{
    return ldexp(logn / 16.0, (int)logn - 16);
}

struct gadget {
    double limbs, k, d, wide, rows, pairs;      // rows: limbs of all digits in QP; pairs: conversions of ModUp
};

static struct gadget gadget_at(uint32_t limbs, uint32_t alpha, uint32_t k)
{
    const uint32_t d = (limbs + alpha - 1) / alpha, last = limbs - (d - 1) * alpha, wide = limbs + k;
    const double squares = (double)(d - 1) * alpha * alpha + (double)last * last;
    return (struct gadget){limbs, k, d, wide, (double)d * wide, (double)limbs * wide - squares};
}

// Reading the key and working on it overlap in part.
static double inner(const struct ck_cost *c, const struct gadget *g)
{
    const double read = g->rows * 8.0 * 65536 / c->bytes_per_us, work = g->rows * (1.5 * c->t_mul + c->t_expand);
    return fmax(read, work) + 0.3 * fmin(read, work);
}

struct ck_switch_cost ck_cost_gadget(const struct ck_cost *c, uint32_t logn, uint32_t limbs, uint32_t alpha, uint32_t np)
{
    const struct gadget g = gadget_at(limbs, alpha, np);
    const double size = size_factor(logn);
    struct ck_switch_cost out = {
        .modup = size * (c->t_ntt * g.rows + c->t_conv * g.pairs + c->t_pass * g.rows / 2),
        .hoisted = size * (inner(c, &g) + 2 * c->t_elt * g.wide),
        .moddown = size * (c->t_ntt * g.wide + c->t_conv * g.k * g.limbs + c->t_pass * g.limbs),
    };
    out.whole = out.modup + size * inner(c, &g) + 2 * out.moddown;
    return out;
}

struct ck_switch_cost ck_cost_switch(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs, uint32_t key_limbs)
{
    uint32_t alpha, np;
    ck_params_gadget(par, key_limbs, &alpha, &np);
    return ck_cost_gadget(c, par->logn, limbs, alpha, np);
}

double ck_cost_modup(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return ck_cost_switch(c, par, limbs, limbs).modup;
}

double ck_cost_hoisted(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return ck_cost_switch(c, par, limbs, limbs).hoisted;
}

double ck_cost_moddown(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return ck_cost_switch(c, par, limbs, limbs).moddown;
}

double ck_cost_keyswitch(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return ck_cost_switch(c, par, limbs, limbs).whole;
}

// Two operands are read twice, and one prime more is divided away.
double ck_cost_mul(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return ck_cost_keyswitch(c, par, limbs) + size_factor(par->logn) * limbs * 2 * c->t_pass;
}

double ck_cost_rescale(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    return size_factor(par->logn) * 2 * limbs * (c->t_ntt + c->t_pass);
}

double ck_cost_mulpt(const struct ck_cost *c, const struct ck_params *par, uint32_t limbs)
{
    // The plaintext is transformed on use at the size of its subring, then multiplied into two polynomials.
    const double sub = ldexp((par->log_slots + 1) / 16.0, (int)par->log_slots + 1 - 16);
    return limbs * (sub * c->t_ntt + size_factor(par->logn) * (c->t_elt + 2 * c->t_mul));
}
