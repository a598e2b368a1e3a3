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
    return s->ncts + 1 + ck_poly_depth(CK_MOD_DEGREE) + CK_MOD_DOUBLINGS;
}

const char *ck_boot_check(const struct ck_params *par, const struct ck_boot_shape *s)
{
    if (par->log_slots < 2 || par->log_slots > 15) return "bootstrapping takes 4 to 2^15 slots";
    if (s->nstc < 1 || s->nstc > CK_BOOT_MAX_FACTORS || s->ncts < 2 || s->ncts > CK_BOOT_MAX_FACTORS)
        return "the number of factors of StC is outside 1..6 or that of CtS outside 2..6";
    if (s->stc_levels < 1 || s->stc_levels > s->nstc) return "StC has as many levels as factors or fewer, at least one";
    if (sum_radix(s->stc_radix, s->nstc) != par->log_slots || sum_radix(s->cts_radix, s->ncts) != par->log_slots)
        return "the radices (each 1..8) of a transform do not sum to the logarithm of the slots";
    if (s->top >= par->nq) return "ModRaise would go beyond the last prime";
    if (s->top < ck_boot_depth(s) + s->stc_levels) return "bootstrapping takes more levels than there are";
    if (par->p[0] < par->q[0] / 16) return "the first special prime is much smaller than q_0";
    if (!(s->ratio > 0 && s->ratio <= 0.25)) return "the ratio of message and q_0 is outside (0, 1/4]";
    return NULL;
}

void ck_boot_default(struct ck_boot_shape *out, uint32_t log_slots, uint32_t left)
{
    *out = (struct ck_boot_shape){.nstc = log_slots < 9 ? 2 : 3, .stc_levels = 2, .ncts = log_slots < 5 ? 2 : (log_slots + 3) / 4,
                                  .ratio = 0x1p-10};
    for (uint32_t i = 0; i < log_slots; i++) {      // the first factor of CtS and the last of StC wrap around; large radices go where limbs are few
        out->stc_radix[(i + out->nstc - 1) % out->nstc]++;
        out->cts_radix[i % out->ncts == 0 ? 0 : out->ncts - i % out->ncts]++;
    }
    // The first factor of CtS has no ModUp and doubles more cheaply than another.
    if (out->cts_radix[out->ncts - 1] >= 4) {
        out->cts_radix[out->ncts - 1]--;
        out->cts_radix[0]++;
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
    const uint32_t l = s->top - s->ncts, m = l - 1 - ck_poly_depth(CK_MOD_DEGREE);
    switch (part) {
    case CK_BOOT_STC: return in;
    case CK_BOOT_MODRAISE: return in;
    case CK_BOOT_CTS: return 2 * (double)par->q[l] / (q0 * CK_BOOT_RANGE) * in;
    case CK_BOOT_EVALMOD: return (double)par->q[m] * 2 * CK_BOOT_PI * (CK_BOOT_RANGE / (2 * (double)par->q[l])) * in;
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

// Counts of one key switch with the key `id` at `ell` limbs.
struct gadget {
    double ell, k, wide, d, up_pairs;
};

static struct gadget gadget_at(const struct ck_params *par, uint32_t id, uint32_t ell)
{
    uint32_t alpha, np;
    ck_key_gadget(par, id, ell, &alpha, &np);
    const uint32_t d = (ell + alpha - 1) / alpha, last = ell - (d - 1) * alpha, wide = ell + np;
    return (struct gadget){.ell = ell, .k = np, .wide = wide, .d = d,
                           .up_pairs = (double)ell * wide - (double)(d - 1) * alpha * alpha - (double)last * last};
}

// One map: ModUp, hoisted babies, products, giants, one ModDown. Mirrors linear.c. An inner product with a key costs an expansion and half a product a digit, a
// product with two polynomials 1.3 single ones. What ModRaise left is a digit as it is.
static double map_cost(const struct ck_cost *c, const struct ck_params *par, const struct boot_factor *f)
{
    const struct gadget g = gadget_at(par, f->raised ? CK_KEY_SPARSE + 1 : 0, f->level + 1);
    const double size = ldexp(par->logn / 16.0, (int)par->logn - 16), babies = f->nbaby - !f->raised, giants = f->ngiant - 1;
    const double down = c->t_ntt * g.wide + c->t_conv * g.k * g.ell + 2 * c->t_elt * g.ell;        // of one polynomial
    const double up = f->raised ? g.wide * c->t_elt : c->t_ntt * g.d * g.wide + c->t_conv * g.up_pairs;
    const double inner = g.wide * (g.d * (0.5 * c->t_mul + c->t_expand) + 2 * c->t_elt);
    const double product = 1.3 * c->t_mul + (f->log_period + 1 < par->logn ? 0.5 * c->t_elt : 0);
    return size * (up + babies * inner + f->nterm * g.wide * product + giants * (down + up + inner + 2 * g.wide * c->t_elt) +
                   (f->ngalois ? down + up + f->ngalois * inner : 0) + 2 * down);
}

// Babies and giants by the model. The first factor of CtS has babies only, as many as diagonals: those of the largest stride wrap.
static void choose_steps(struct boot_factor *f, const struct ck_params *par)
{
    uint32_t best = f->radix;
    double least = INFINITY;
    for (uint32_t w = 0; w <= f->radix && !f->raised; w++) {     // more babies are more keys: a little faster does not do
        split(f, par->log_slots, w);
        const double cost = map_cost(&ck_cost_default, par, f);
        if (cost < 0.93 * least) least = cost, best = w;
    }
    split(f, par->log_slots, best);
}

/* ---- automorphisms ---- */

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

uint32_t ck_boot_early_traces(const struct ck_params *par)
{
    return par->log_slots + 2 < par->logn ? par->logn - 2 - par->log_slots : 0;
}

// What ends CtS: x + conj x, and the last step of the trace, if there is any, at once. The conjugation's come last.
static void end_cts(struct boot_factor *f, const struct ck_params *par)
{
    const uint32_t conjugate = (2u << par->logn) - 1;
    if (par->log_slots + 1 == par->logn) {
        f->ngalois = 1;
        f->galois[0] = conjugate;
        return;
    }
    const uint32_t trace = ck_boot_trace_galois(par, par->logn - 2);
    f->ngalois = 3;
    f->galois[0] = trace;
    f->galois[1] = conjugate;
    f->galois[2] = conjugate + 1 - trace;
}

uint32_t ck_boot_factors(struct boot_factor *out, const struct ck_params *par, const struct ck_boot_shape *s, enum ck_boot_part part)
{
    const bool stc = part == CK_BOOT_STC;
    const uint32_t count = stc ? s->nstc : s->ncts, kept = stc ? s->nstc - s->stc_levels : 0;
    uint32_t at = stc ? 0 : par->log_slots, level = stc ? s->stc_levels : s->top;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t radix = stc ? s->stc_radix[i] : s->cts_radix[i];
        if (!stc) at -= radix;
        const bool raised = !stc && i == 0;
        const struct gadget g = gadget_at(par, raised ? CK_KEY_SPARSE + 1 : 0, level + 1);
        out[i] = (struct boot_factor){.level = level, .radix = radix, .log_stride = at, .log_period = at + radix,
                                      .raised = raised, .keep_level = i < kept, .rows = (uint32_t)g.wide};
        if (!stc && i + 1 == count) end_cts(&out[i], par);
        choose_steps(&out[i], par);
        if (stc) at += radix;
        level -= i >= kept;
    }
    return count;
}

/* ---- keys ---- */

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
                if (r && !f[i].raised) add(list, &count, par, galois_power(par, (uint32_t)r), f[i].level);
                else if (f[i].raised && k < f[i].nbaby) add(list, &count, par, CK_KEY_SPARSE + galois_power(par, (uint32_t)r), f[i].level);
            }
        for (uint32_t k = 0; k < f[nf - 1].ngalois; k++) add(list, &count, par, f[nf - 1].galois[k], f[nf - 1].level);
    }
    for (uint32_t k = 0; k < ck_boot_early_traces(par); k++) add(list, &count, par, ck_boot_trace_galois(par, par->log_slots + k), s->top - 1);
    for (uint32_t l = s->top - s->ncts; l > s->top - ck_boot_depth(s); l--) add(list, &count, par, 0, l);    // relinearisation, one a gadget
    add(list, &count, par, CK_KEY_SPARSE, 0);
    return count;
}

double ck_boot_key_bytes(const struct ck_params *par, const struct ck_boot_shape *s)
{
    struct ck_galois_spec list[CK_BOOT_MAX_KEYS];
    const uint32_t count = ck_boot_key_list(list, par, s);
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t galois = ck_key_automorphism(list[i].galois), ell = list[i].level + 1;
        uint32_t alpha, np, before = 0;
        ck_key_gadget(par, list[i].galois, ell, &alpha, &np);
        sum += ck_params_key_bytes(par, ell, alpha, np);
        while (ck_key_automorphism(list[before].galois) != galois) before++;
        if (galois > 1 && before == i) sum += sizeof(struct ck_perm);
    }
    return sum;
}

uint32_t ck_boot_rotations(int32_t *rotation, uint32_t *level, const struct ck_params *par, const struct ck_boot_shape *s)
{
    struct ck_galois_spec list[CK_BOOT_MAX_KEYS];
    const uint32_t count = ck_boot_key_list(list, par, s), mask = (2u << par->logn) - 1;
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t r = 0;
        for (uint32_t g = 1; g != list[i].galois && r < 1u << par->log_slots; r++) g = g * 5 & mask;
        if (list[i].galois && (r == 0 || r >> par->log_slots)) continue;        // no rotation of slots
        rotation[found] = list[i].galois ? (int32_t)r : 0;
        level[found++] = list[i].level;
    }
    return found;
}

double ck_boot_plain_bytes(const struct ck_params *par, const struct ck_boot_shape *s)
{
    double sum = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_CTS; part += CK_BOOT_CTS - CK_BOOT_STC) {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const uint32_t nf = ck_boot_factors(f, par, s, part);
        for (uint32_t i = 0; i < nf; i++) sum += ldexp(8.0 * f[i].nterm * f[i].rows, (int)f[i].log_period + 1);
    }
    return sum;
}

/* ---- time and scratch ---- */

// Relinearisations at each level: the squared argument, T_2, T_3 and T_4, T_8, the series, the double angles. The series' two quotients are
// rescaled. About 20 multiples and products go into sums, half-way down on average.
static double evalmod_cost(const struct ck_cost *c, const struct ck_params *par, uint32_t level)
{
    double sum = ck_cost_keyswitch(c, par, level - 1) + 2 * ck_cost_rescale(c, par, level - 2);
    for (uint32_t i = 0; i < 1 + ck_poly_depth(CK_MOD_DEGREE) + CK_MOD_DOUBLINGS; i++) sum += ck_cost_keyswitch(c, par, level + 1 - i);
    return sum + 20 * 2 * (level - 3) * (c->t_elt + c->t_mul) * ldexp(par->logn / 16.0, (int)par->logn - 16);
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
        if (part == CK_BOOT_STC) return sum;
        return sum + ck_boot_early_traces(par) * ck_cost_keyswitch(c, par, s->top);
    }
    case CK_BOOT_MODRAISE:
        return ldexp(par->logn / 16.0, (int)par->logn - 16) * (2 * s->top + 12) * (c->t_ntt + c->t_elt);
    case CK_BOOT_EVALMOD: return evalmod_cost(c, par, l);
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
            // digits, a sum for each giant step, outer sum and accumulators, its copy, a key switch, the half-way ciphertext
            const struct gadget g = gadget_at(par, f[i].raised ? CK_KEY_SPARSE + 1 : 0, f[i].level + 1);
            most = fmax(most, 2 * g.d * g.wide + (2 * f[i].ngiant + 4 + 2 * (f[i].ngalois > 0)) * g.wide + 3 * g.ell + 2 * (f[0].level + 1));
        }
    }
    // EvalMod: the squared argument, T_2, T_3, T_4 and T_8, two quotients, a key switch
    const struct gadget g = gadget_at(par, 0, s->top - s->ncts + 1);
    most = fmax(most, 2 * g.ell + (2 * 4 + 2 * 2) * (g.ell - 2) + (g.d + 2) * g.wide + g.ell);
    return most * word;
}
