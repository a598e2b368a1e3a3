// SPDX-License-Identifier: Apache-2.0
// The inverse canonical embedding. With w = exp(2 pi i / 4n) and a vector z of n real slots, z[j] is wanted at the root w^(5^j)
// and its conjugate (z[j] again) at the inverse root, so all 4n-th roots of odd exponent e = 2t+1 have a value v[t] and
//     a_k = (1/2n) sum_t v[t] w^(-(2t+1)k) = w^-k (1/2n) sum_t v[t] W^(-tk),   W = exp(2 pi i / 2n):
// one complex DFT of 2n points. Since a is real, a second vector rides along in the imaginary part.
#include "encode.h"

#include <math.h>
#include <string.h>

struct encoder {
    uint32_t n;
    uint32_t *place;            // slot j -> position t in bit-reversed order, for the root and its conjugate
    double *cosine, *sine;      // W^-k, k < n
    double *twist_re, *twist_im;    // w^-k / 2n, k < 2n
    double *re, *im;            // 2n points
};

static uint32_t bit_reverse(uint32_t x, uint32_t bits)
{
    uint32_t r = 0;
    for (uint32_t i = 0; i < bits; i++) r |= (x >> i & 1) << (bits - 1 - i);
    return r;
}

struct encoder *encoder_new(struct arena *a, uint32_t n)
{
    struct encoder *e = ARENA_NEW(a, struct encoder);
    uint32_t points = 2 * n, bits = 0;
    while (1u << bits < points) bits++;
    e->n = n;
    e->place = ARENA_ARRAY(a, uint32_t, 2 * n);
    e->cosine = ARENA_ARRAY(a, double, n);
    e->sine = ARENA_ARRAY(a, double, n);
    e->twist_re = ARENA_ARRAY(a, double, points);
    e->twist_im = ARENA_ARRAY(a, double, points);
    e->re = ARENA_ARRAY(a, double, points);
    e->im = ARENA_ARRAY(a, double, points);
    uint64_t power = 1;
    for (uint32_t j = 0; j < n; j++, power = power * 5 % (4 * (uint64_t)n)) {
        uint32_t t = (uint32_t)(power - 1) / 2;
        e->place[2 * j] = bit_reverse(t, bits);
        e->place[2 * j + 1] = bit_reverse(points - 1 - t, bits);
    }
    long double step = 2 * acosl(-1) / points;
    for (uint32_t k = 0; k < n; k++) {
        e->cosine[k] = (double)cosl(step * k);
        e->sine[k] = (double)-sinl(step * k);
    }
    for (uint32_t k = 0; k < points; k++) {
        e->twist_re[k] = (double)(cosl(step / 2 * k) / points);
        e->twist_im[k] = (double)(-sinl(step / 2 * k) / points);
    }
    return e;
}

/* Decimation in time on bit-reversed input, twiddles W^-k. */
static void dft(const struct encoder *e)
{
    uint32_t points = 2 * e->n;
    for (uint32_t half = 1, stride = e->n; half < points; half *= 2, stride /= 2)
        for (uint32_t base = 0; base < points; base += 2 * half) {
            double *re0 = e->re + base, *im0 = e->im + base, *re1 = re0 + half, *im1 = im0 + half;
            for (uint32_t k = 0; k < half; k++) {
                double c = e->cosine[k * stride], s = e->sine[k * stride];
                double re = re1[k] * c - im1[k] * s, im = re1[k] * s + im1[k] * c;
                re1[k] = re0[k] - re;
                im1[k] = im0[k] - im;
                re0[k] += re;
                im0[k] += im;
            }
        }
}

void encoder_run(struct encoder *e, double *coeff_a, double *coeff_b, const double *a, const double *b)
{
    for (uint32_t j = 0; j < e->n; j++) {
        uint32_t t = e->place[2 * j], u = e->place[2 * j + 1];
        e->re[t] = e->re[u] = a[j];
        e->im[t] = e->im[u] = b ? b[j] : 0;
    }
    dft(e);
    for (uint32_t k = 0; k < 2 * e->n; k++) {
        coeff_a[k] = e->re[k] * e->twist_re[k] - e->im[k] * e->twist_im[k];
        if (coeff_b) coeff_b[k] = e->re[k] * e->twist_im[k] + e->im[k] * e->twist_re[k];
    }
}

void encoder_ref(double *coeff, const double *slots, uint32_t n)
{
    uint64_t order = 4 * (uint64_t)n;
    for (uint32_t k = 0; k < 2 * n; k++) {
        long double sum = 0;
        uint64_t power = 1;
        for (uint32_t j = 0; j < n; j++, power = power * 5 % order)
            sum += slots[j] * cosl(2 * acosl(-1) * (long double)(power * k % order) / (long double)order);
        coeff[k] = (double)(sum / n);
    }
}

/* The least shift at which the largest coefficient fits a signed integer of `bits`. */
static uint32_t shift_for(double largest, uint32_t bits)
{
    int exponent;
    double limit = ldexp(1, (int)bits - 1) - 1;
    if (largest <= limit) return 0;
    frexp(largest / limit, &exponent);
    return (uint32_t)exponent;
}

int encoder_round(struct encoded *out, void *data, const double *coeff, uint32_t count, double scale, double max_error)
{
    double largest = 0;
    for (uint32_t k = 0; k < count; k++) largest = fmax(largest, fabs(coeff[k]) * scale);
    uint32_t shift = shift_for(largest, 32), narrow = shift_for(largest, 16);
    if (!(largest < 0x1p79)) return -1;
    // a rounding error uniform in +-1/2 has variance 1/12; a slot sums `count` of them on the unit circle
    double unit = sqrt(count / 12.0) / scale;
    out->width = ldexp(unit, (int)narrow) <= max_error ? 2 : 4;
    out->shift = out->width == 2 ? narrow : shift;
    out->slot_error = ldexp(unit, (int)out->shift);
    double factor = ldexp(scale, -(int)out->shift);
    if (out->width == 2)
        for (uint32_t k = 0; k < count; k++) ((int16_t *)data)[k] = (int16_t)lrint(coeff[k] * factor);
    else
        for (uint32_t k = 0; k < count; k++) ((int32_t *)data)[k] = (int32_t)lrint(coeff[k] * factor);
    return 0;
}
