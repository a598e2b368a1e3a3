// SPDX-License-Identifier: Apache-2.0
// Noise model. A polynomial error with independent coefficients of variance v puts an error of variance N v / 2 on the real part of each slot
// (N unit roots, half of the energy in the real part), divided by the scale.
//
//   fresh       v = sigma^2 + 1/12                       the sampled error and the rounding of the encoding
//   rescale     v = (1 + |s|^2) / 12, |s|^2 = 2N/3       rounding of both polynomials, uniform ternary secret
//   key switch  rescale's v (ModDown rounds the same) + d N sigma^2 (D/P)^2 / 12, D the largest digit product
//   linear      rescale + per row: key switch of the rotated inputs times the row's squared weights
//   poly        rescale times (sum |c_k|)^2 (1 + depth): each level rounds once and doubling amplifies by at most 2 per level,
//               which the coefficients' decay offsets; checked against encrypted runs
#include "noise.h"
#include <math.h>

static const double sigma = 3.19;

static uint64_t splitmix(uint64_t *s)
{
    uint64_t z = *s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double gauss(uint64_t *s)
{
    double u = ((double)(splitmix(s) >> 11) + 0.5) * 0x1p-53, v = ((double)(splitmix(s) >> 11) + 0.5) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

// Variance of a rounding by a key-dependent operation, per coefficient.
static double rounding(double n)
{
    return (1 + 2 * n / 3) / 12;
}

static double keyswitch(const struct ir_module *m, double n, int32_t level)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q"), *p = ir_attr_find(m->attrs, "p");
    int64_t alpha = ir_get_int(m->attrs, "alpha", 1);
    double log_p = 0, digit = 0, digits = ceil((level + 1.0) / (double)alpha);
    for (size_t k = 0; k < p->ints.n; k++) log_p += log2((double)p->ints.v[k]);
    for (int32_t k = 0; k <= level; k += (int32_t)alpha) {
        double d = 0;
        for (int32_t j = k; j <= level && j < k + alpha; j++) d += log2((double)q->ints.v[j]);
        digit = fmax(digit, d);
    }
    return rounding(n) + digits * n * sigma * sigma * exp2(2 * (digit - log_p)) / 12;
}

static double sum_abs(const struct ir_module *m, const char *name)
{
    const struct ir_const *c = ir_const_find(m, name);
    double s = 0;
    for (int64_t k = 0, n = c ? ir_const_numel(c) : 0; k < n; k++) s += fabs(ir_const_at(c, k));
    return s;
}

void noise_add(const struct ir_noise *noise, const struct ir_module *m, const struct ir_inst *i, double *value)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    double scale = i->type.scale;
    if (!q || !ir_attr_find(m->attrs, "p") || !(scale > 0)) return;
    double n = exp2((double)ir_get_int(m->attrs, "logn", 10)), v = 0, in_scale = i->nargs ? i->args[0]->type.scale : 0;
    int64_t numel = ir_type_numel(&i->type);
    uint64_t state = noise->seed ^ ((uint64_t)(i->id + 1) << 32);
    struct ir_csr a = {0};
    double rotated = 0;     // variance of a rotated input's slot, before its weight
    switch (i->op) {
    case IR_CKKS_input: v = sigma * sigma + 1.0 / 12; break;
    case IR_CKKS_rescale:
    case IR_CKKS_mulc: v = rounding(n); break;
    case IR_CKKS_relin:
    case IR_CKKS_rot: v = keyswitch(m, n, i->type.level); break;
    case IR_CKKS_linear:
        a = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
        rotated = keyswitch(m, n, i->args[0]->type.level) * n / 2 / (in_scale * in_scale);
        v = rounding(n);
        break;
    case IR_CKKS_poly: {
        double s = sum_abs(m, ir_get_string(i->attrs, "coeffs", ""));
        v = rounding(n) * (s * s + 1) * (1 + i->args[0]->type.level - i->type.level);
        break;
    }
    default: return;
    }
    double slot = v * n / 2 / (scale * scale);
    for (int64_t k = 0; k < numel; k++) {
        double var = slot;
        for (int64_t j = a.ptr ? a.ptr[k] : 0; a.ptr && j < a.ptr[k + 1]; j++) var += rotated * a.val[j] * a.val[j];
        value[k] += sqrt(var) * gauss(&state);
    }
}
