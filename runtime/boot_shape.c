// SPDX-License-Identifier: Apache-2.0
// Bootstrapping as plain data: what a shape needs of its parameters, the rotations of its factors, their keys, bytes and time. Linked
// by the compiler as well.
//
// A factor is the product of r butterfly stages whose spans are h, 2h, ..., 2^(r-1) h slots: it is dense in blocks of 2^r positions h apart,
// so its diagonals are the rotations k h, |k| < 2^r, modulo n, and repeat every 2^r h slots: their plaintexts live in a ring of that size.
// Rotation k h is giant step w floor(k / w) h and baby step (k mod w) h.
#include "boot_shape.h"

#include <math.h>

static uint32_t sum_radix(const uint32_t *radix, uint32_t count)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (radix[i] < 1 || radix[i] > CK_BOOT_MAX_RADIX) return UINT32_MAX;
        sum += radix[i];
    }
    return sum;
}

uint32_t ck_boot_depth(const struct ck_boot_shape *s)
{
    return s->ncts + ck_poly_depth(s->degree) + s->doublings;
}

const char *ck_boot_check(const struct ck_params *par, const struct ck_boot_shape *s)
{
    if (par->log_slots < 1 || par->log_slots > 15) return "bootstrapping takes 2 to 2^15 slots";
    if (s->nstc < 1 || s->nstc > CK_BOOT_MAX_FACTORS || s->ncts < 1 || s->ncts > CK_BOOT_MAX_FACTORS)
        return "the number of factors of a transform is outside 1..6";
    if (sum_radix(s->stc_radix, s->nstc) != par->log_slots || sum_radix(s->cts_radix, s->ncts) != par->log_slots)
        return "the radices (each 1..8) of a transform do not sum to the logarithm of the slots";
    if (s->top >= par->nq) return "ModRaise would go beyond the last prime";
    if (s->top < ck_boot_depth(s) + s->nstc) return "bootstrapping takes more levels than there are";
    if (s->degree < 1 || s->degree > CK_BOOT_MAX_DEGREE) return "the degree of EvalMod is outside 1..127";
    if (s->range < 2 || s->range > 64) return "the range of EvalMod is outside 2..64";
    if (par->p[0] < par->q[0] / 16) return "the first special prime is much smaller than q_0";
    if (!(s->ratio > 0 && s->ratio <= 0.25)) return "the ratio of message and q_0 is outside (0, 1/4]";
    return NULL;
}

void ck_boot_default(struct ck_boot_shape *out, uint32_t log_slots, uint32_t left)
{
    *out = (struct ck_boot_shape){.nstc = log_slots < 2 ? 1 : 2, .ncts = (log_slots + 3) / 4, .degree = 31, .doublings = 3, .range = 16,
                                  .ratio = 0x1p-10};
    for (uint32_t i = 0; i < log_slots; i++) {      // the first factor of CtS wraps around; large radices go where limbs are few
        out->stc_radix[i % out->nstc]++;
        out->cts_radix[i % out->ncts == 0 ? 0 : out->ncts - i % out->ncts]++;
    }
    out->top = left + ck_boot_depth(out);
}

double ck_boot_nominal(const struct ck_params *par, const struct ck_boot_shape *s)
{
    return (double)par->q[0] * s->ratio;
}

double ck_boot_part_scale(const struct ck_params *par, const struct ck_boot_shape *s, enum ck_boot_part part, double in)
{
    const double q0 = (double)par->q[0];
    const int trace = (int)(par->logn - 1 - par->log_slots);
    const uint32_t l = s->top - s->ncts, m = l - ck_poly_depth(s->degree);
    switch (part) {
    case CK_BOOT_STC: return in;
    case CK_BOOT_MODRAISE: return ldexp(in, trace);
    case CK_BOOT_CTS: return CK_BOOT_SQRT2 * (double)par->q[l] / (q0 * s->range) * ldexp(in, -trace);
    case CK_BOOT_EVALMOD: return (double)par->q[m] * 2 * CK_BOOT_PI * (s->range / (CK_BOOT_SQRT2 * (double)par->q[l])) * in;
    }
    return in;
}

/* ---- rotations ---- */

// Babies and giants of one factor for baby steps below 2^log_width.
static void split(struct boot_factor *f, uint32_t log_slots, uint32_t log_width)
{
    const uint32_t steps = 1u << (log_slots - f->log_stride), width = 1u << log_width, most = (1u << f->radix) - 1;
    f->nbaby = f->ngiant = 0;
    bool baby[2u << CK_BOOT_MAX_RADIX] = {0};
    for (uint32_t g = 0; g < steps; g += width) {
        bool used = false;
        for (uint32_t b = 0; b < width && g + b < steps; b++)
            if (g + b <= most || steps - (g + b) <= most) used = baby[b] = true;
        if (used) f->giant[f->ngiant++] = (int32_t)(g << f->log_stride);
    }
    for (uint32_t b = 0; b < width; b++)
        if (baby[b]) f->baby[f->nbaby++] = (int32_t)(b << f->log_stride);
    f->nterm = 2 * most + 1 < steps ? 2 * most + 1 : steps;
}

// Counts of one key switch at `ell` limbs.
struct gadget {
    double ell, k, wide, d, up_pairs;
};

static struct gadget gadget_at(const struct ck_params *par, uint32_t ell)
{
    uint32_t alpha, np;
    ck_params_gadget(par, ell, &alpha, &np);
    const uint32_t d = (ell + alpha - 1) / alpha, last = ell - (d - 1) * alpha, wide = ell + np;
    return (struct gadget){.ell = ell, .k = np, .wide = wide, .d = d,
                           .up_pairs = (double)ell * wide - (double)(d - 1) * alpha * alpha - (double)last * last};
}

// One map: ModUp, hoisted babies, products, giants, one ModDown. Mirrors linear.c. A permuted limb costs about 2.5 elementwise passes, a
// product with two polynomials 1.3 single ones.
static double map_cost(const struct ck_cost *c, const struct ck_params *par, const struct boot_factor *f)
{
    const struct gadget g = gadget_at(par, f->level + 1);
    const double size = ldexp(par->logn / 16.0, (int)par->logn - 16), babies = f->nbaby - 1, giants = f->ngiant - 1;
    const double down = c->t_ntt * g.wide + c->t_conv * g.k * g.ell + 2 * c->t_elt * g.ell;        // of one polynomial
    const double up = c->t_ntt * g.d * g.wide + c->t_conv * g.up_pairs;
    const double inner = g.wide * (g.d * (1.3 * c->t_mul + c->t_expand) + 5 * c->t_elt);
    const double product = 1.3 * c->t_mul + (f->log_period + 1 < par->logn ? 0.5 * c->t_elt : 0);
    return size * (up + babies * inner + f->nterm * g.wide * product + giants * (down + up + inner + 4 * g.wide * c->t_elt) + 2 * down);
}

static void make_factor(struct boot_factor *f, const struct ck_params *par, uint32_t level, uint32_t radix, uint32_t log_stride)
{
    // Another use of a rotation may bring a key with more special primes than the gadget of this level has.
    *f = (struct boot_factor){.level = level, .radix = radix, .log_stride = log_stride, .log_period = log_stride + radix,
                              .rows = level + 1 + par->np};
    uint32_t best = 0;
    double least = INFINITY;
    for (uint32_t w = 0; w <= radix; w++) {     // more babies are more keys: a little faster does not do
        split(f, par->log_slots, w);
        const double cost = map_cost(&ck_cost_default, par, f);
        if (cost < 0.93 * least) least = cost, best = w;
    }
    split(f, par->log_slots, best);
}

uint32_t ck_boot_factors(struct boot_factor *out, const struct ck_params *par, const struct ck_boot_shape *s, enum ck_boot_part part)
{
    uint32_t at = part == CK_BOOT_STC ? 0 : par->log_slots;
    if (part == CK_BOOT_STC) {
        for (uint32_t i = 0; i < s->nstc; at += s->stc_radix[i++]) make_factor(&out[i], par, s->nstc - i, s->stc_radix[i], at);
        return s->nstc;
    }
    for (uint32_t i = 0; i < s->ncts; i++) make_factor(&out[i], par, s->top - i, s->cts_radix[i], at -= s->cts_radix[i]);
    return s->ncts;
}

/* ---- keys ---- */

static uint32_t galois_power(const struct ck_params *par, uint32_t e)
{
    uint32_t g = 1, mask = (2u << par->logn) - 1;
    for (uint32_t b = 5; e; e >>= 1, b = b * b & mask)
        if (e & 1) g = g * b & mask;
    return g;
}

uint32_t ck_boot_trace_galois(const struct ck_params *par, uint32_t k)
{
    return galois_power(par, 1u << k);
}

uint32_t ck_boot_fold(const struct ck_params *par)
{
    const uint32_t steps = par->logn - 1 - par->log_slots;
    return steps < CK_BOOT_MAX_FOLD ? steps : CK_BOOT_MAX_FOLD;      // 2^3 inner products are cheaper than three key switches
}

uint32_t ck_boot_fold_galois(const struct ck_params *par, uint32_t i)
{
    return galois_power(par, i << (par->logn - 1 - ck_boot_fold(par)));
}

static bool same_gadget(const struct ck_params *par, uint32_t a, uint32_t b)
{
    uint32_t alpha[2], np[2];
    ck_params_gadget(par, a + 1, &alpha[0], &np[0]);
    ck_params_gadget(par, b + 1, &alpha[1], &np[1]);
    return alpha[0] == alpha[1] && np[0] == np[1];
}

// Equal Galois elements merge to the highest level, but not with one of another gadget: StC's keys stay small.
static void add(struct ck_galois_spec *list, uint32_t *count, const struct ck_params *par, uint32_t galois, uint32_t level)
{
    uint32_t i = 0;
    while (i < *count && (list[i].galois != galois || !same_gadget(par, list[i].level, level))) i++;
    if (i == *count) list[(*count)++] = (struct ck_galois_spec){galois, level};
    if (level > list[i].level) list[i].level = level;
}

uint32_t ck_boot_key_list(struct ck_galois_spec *list, const struct ck_params *par, const struct ck_boot_shape *s)
{
    uint32_t count = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_CTS; part += CK_BOOT_CTS - CK_BOOT_STC) {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const uint32_t nf = ck_boot_factors(f, par, s, part);
        for (uint32_t i = 0; i < nf; i++)
            for (uint32_t k = 0; k < f[i].nbaby + f[i].ngiant; k++) {
                const int32_t r = k < f[i].nbaby ? f[i].baby[k] : f[i].giant[k - f[i].nbaby];
                if (r) add(list, &count, par, galois_power(par, (uint32_t)r), f[i].level);
            }
    }
    const uint32_t fold = ck_boot_fold(par);
    for (uint32_t k = par->log_slots; k + fold + 1 < par->logn; k++) add(list, &count, par, ck_boot_trace_galois(par, k), s->top);
    add(list, &count, par, (2u << par->logn) - 1, s->top - s->ncts);        // conjugation
    add(list, &count, par, 0, s->top - s->ncts);                             // relinearisation
    add(list, &count, par, CK_KEY_TO_SPARSE, 0);
    for (uint32_t i = 0; i < 1u << fold; i++) add(list, &count, par, ck_key_from_sparse(ck_boot_fold_galois(par, i)), s->top);
    return count;
}

double ck_boot_key_bytes(const struct ck_params *par, const struct ck_boot_shape *s)
{
    struct ck_galois_spec list[BOOT_MAX_KEYS];
    const uint32_t count = ck_boot_key_list(list, par, s);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t alpha, np, ell = list[i].level + 1, before = 0;
        ck_params_gadget(par, ell, &alpha, &np);
        if (list[i].galois >= CK_KEY_TO_SPARSE) alpha = ell, np = 1;
        sum += ldexp(8.0 * ((ell + alpha - 1) / alpha) * (ell + np), (int)par->logn);
        while (list[before].galois != list[i].galois) before++;
        if (list[i].galois % 2 && before == i) sum += ldexp(4, (int)par->logn);        // its permutation
    }
    return sum;
}

double ck_boot_plain_bytes(const struct ck_params *par, const struct ck_boot_shape *s)
{
    double sum = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_CTS; part += CK_BOOT_CTS - CK_BOOT_STC) {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const uint32_t nf = ck_boot_factors(f, par, s, part);
        for (uint32_t i = 0; i < nf; i++) sum += ldexp(8.0 * f[i].nterm * f[i].rows, (int)f[i].log_period + 1);
    }
    return sum + ldexp((1u << ck_boot_fold(par)) - 1, (int)par->logn + 2);
}

/* ---- time and scratch ---- */

// Relinearisations of a series of this degree by Paterson-Stockmeyer, each at its level: powers of two, the other T_k below 2^m, quotients.
static double poly_cost(const struct ck_cost *c, const struct ck_params *par, uint32_t level, uint32_t degree)
{
    const uint32_t depth = ck_poly_depth(degree);
    double best = 1e300;
    for (uint32_t m = 1; m <= depth; m++) {
        double sum = 0;
        for (uint32_t i = 0; i < depth; i++) {
            const double basis = i < m ? (i ? ldexp(1, (int)i) : 1) : i + 1 < depth ? 1 : 0;     // T_k, 2^i < k <= 2^(i+1)
            const double quotients = i + 1 >= m ? ldexp(1, (int)(depth - 1 - i)) : 0;
            sum += (basis + quotients) * ck_cost_keyswitch(c, par, level + 1 - i);
        }
        best = fmin(best, sum);
    }
    return best;
}

double ck_cost_boot_part(const struct ck_cost *c, const struct ck_params *par, const struct ck_boot_shape *s, enum ck_boot_part part)
{
    const uint32_t l = s->top - s->ncts;
    double sum = 0;
    switch (part) {
    case CK_BOOT_STC:
    case CK_BOOT_CTS: {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const uint32_t nf = ck_boot_factors(f, par, s, part);
        for (uint32_t i = 0; i < nf; i++) sum += map_cost(c, par, &f[i]);
        return part == CK_BOOT_STC ? sum : sum + ck_cost_keyswitch(c, par, l + 1);
    }
    case CK_BOOT_MODRAISE: {    // three transforms a limb, an inner product and a permutation for each image, the rest of the trace
        const uint32_t fold = ck_boot_fold(par);
        const double limb = 3 * c->t_ntt + 8 * c->t_elt + (1u << fold) * (c->t_expand + 2 * c->t_mul + 2 * c->t_elt);
        return ldexp(par->logn / 16.0, (int)par->logn - 16) * (s->top + 2) * limb +
               (par->logn - 1 - par->log_slots - fold) * ck_cost_keyswitch(c, par, s->top + 1);
    }
    case CK_BOOT_EVALMOD:
        sum = poly_cost(c, par, l, s->degree);
        for (uint32_t i = 0; i < s->doublings; i++) sum += ck_cost_keyswitch(c, par, l + 1 - ck_poly_depth(s->degree) - i);
        return sum;
    }
    return sum;
}

double ck_cost_boot(const struct ck_cost *c, const struct ck_params *par, const struct ck_boot_shape *s)
{
    double sum = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_EVALMOD; part++) sum += ck_cost_boot_part(c, par, s, part);
    return sum;
}

double ck_boot_scratch_bytes(const struct ck_params *par, const struct ck_boot_shape *s)
{
    const double word = ldexp(8, (int)par->logn);
    double most = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_CTS; part += CK_BOOT_CTS - CK_BOOT_STC) {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const uint32_t nf = ck_boot_factors(f, par, s, part);
        for (uint32_t i = 0; i < nf; i++) {
            // digits, a sum for each giant step, outer sum and accumulators, a key switch, the half-way ciphertext
            const struct gadget g = gadget_at(par, f[i].level + 1);
            most = fmax(most, 2 * g.d * g.wide + (2 * f[i].ngiant + 4) * g.wide + 3 * g.ell + 2 * (f[0].level + 1));
        }
    }
    // EvalMod: the squared argument, the T_k of its series, a stack of partial sums of degree 2, a key switch
    const uint32_t depth = ck_poly_depth(s->degree / 2);
    const struct gadget g = gadget_at(par, s->top - s->ncts + 1);
    const double basis = ldexp(1, (int)(depth + 1) / 2) - 1 + depth / 2.0 - 1;
    most = fmax(most, 2 * g.ell + 2 * basis * (g.ell - 2) + 3 * (depth + 2) * (g.ell - 1) + (g.d + 2) * g.wide + g.ell);
    return most * word;
}
