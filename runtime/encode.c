// SPDX-License-Identifier: Apache-2.0
// The canonical embedding. A vector of n slots is a polynomial of degree below 2n in Y = X^(N/2n): slot j is its value
// at exp(2 pi i 5^j / 4n). Writing coefficient pairs (m_k, m_{k+n}) as one complex number turns the evaluation at these
// n points into a complex transform of length n, since Y^n = i at all of them; it is done by butterflies over the orbit
// of 5.
#include "internal.h"
#include "mod.h"

#include <math.h>
#include <string.h>

static void swap_pair(double *a, double *b)
{
    double re = a[0], im = a[1];
    a[0] = b[0];
    a[1] = b[1];
    b[0] = re;
    b[1] = im;
}

static void bit_reverse(double *v, size_t n)
{
    for (size_t i = 1, j = 0; i < n; i++) {
        size_t bit = n >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j ^= bit;
        if (i < j) swap_pair(v + 2 * i, v + 2 * j);
    }
}

// Index of the twiddle of butterfly j at length len: the root of order 4 len at 5^j.
static size_t twiddle(const struct ck_context *ctx, size_t j, size_t len)
{
    size_t n = (size_t)1 << ctx->par.log_slots;
    return (ctx->power5[j] & (4 * len - 1)) * (n / len);
}

void ck_embed(double *coeff, const struct ck_context *ctx, const double *values, double scale)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    double *v = coeff;      // n complex numbers, split into coefficient halves at the end
    memcpy(v, values, 2 * n * sizeof *v);
    for (size_t len = n; len >= 2; len /= 2)
        for (size_t i = 0; i < n; i += len)
            for (size_t j = 0; j < len / 2; j++) {
                double *a = v + 2 * (i + j), *b = a + len;
                const double *w = ctx->root + 2 * twiddle(ctx, j, len);     // divide by it: multiply by the conjugate
                double dr = a[0] - b[0], di = a[1] - b[1];
                a[0] += b[0];
                a[1] += b[1];
                b[0] = dr * w[0] + di * w[1];
                b[1] = di * w[0] - dr * w[1];
            }
    bit_reverse(v, n);
    // Unzip (re, im) pairs into the two halves in place: a perfect shuffle by recursive swaps of middle blocks.
    const double f = scale / (double)n;
    for (size_t i = 0; i < 2 * n; i++) v[i] *= f;
    for (size_t block = 2; block < 2 * n; block *= 2)
        for (size_t at = 0; at < 2 * n; at += 2 * block)
            for (size_t i = 0; i < block / 2; i++) {
                double t = v[at + block / 2 + i];
                v[at + block / 2 + i] = v[at + block + i];
                v[at + block + i] = t;
            }
}

void ck_unembed(double *values, const struct ck_context *ctx, double *coeff, double scale)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    for (size_t i = 0; i < n; i++) {
        values[2 * i] = coeff[i] / scale;
        values[2 * i + 1] = coeff[i + n] / scale;
    }
    bit_reverse(values, n);
    for (size_t len = 2; len <= n; len *= 2)
        for (size_t i = 0; i < n; i += len)
            for (size_t j = 0; j < len / 2; j++) {
                double *a = values + 2 * (i + j), *b = a + len;
                const double *w = ctx->root + 2 * twiddle(ctx, j, len);
                double tr = b[0] * w[0] - b[1] * w[1], ti = b[0] * w[1] + b[1] * w[0];
                b[0] = a[0] - tr;
                b[1] = a[1] - ti;
                a[0] += tr;
                a[1] += ti;
            }
}

uint64_t ck_residue(double c, const struct ck_mod *m)
{
    double r = rint(c);
    if (fabs(r) < 0x1p62) {
        int64_t v = (int64_t)r % (int64_t)m->q;
        return (uint64_t)(v < 0 ? v + (int64_t)m->q : v);
    }
    int e;
    double frac = frexp(r, &e);     // r = frac 2^e with a mantissa of 53 bits
    uint64_t v = (uint64_t)ldexp(fabs(frac), 53) % m->q;
    for (int i = 53; i < e; i++) v = 2 * v >= m->q ? 2 * v - m->q : 2 * v;
    return r < 0 && v ? m->q - v : v;
}

enum ck_err ck_encode_coeff(uint64_t *out, const struct ck_context *ctx, const double *coeff, const uint32_t *prime,
                            uint32_t count, uint64_t *tmp)
{
    const size_t m = (size_t)2 << ctx->par.log_slots;
    for (size_t i = 0; i < m; i++)
        if (!(fabs(coeff[i]) < 0x1p900)) return CK_ERANGE;
    for (uint32_t j = 0; j < count; j++) {
        const struct ck_mod *mod = &ctx->mod[prime[j]];
        for (size_t i = 0; i < m; i++) tmp[i] = ck_residue(coeff[i], mod);
        ctx->k->ntt(tmp, ck_sub_ntt(ctx, prime[j]));
        ctx->k->spread(out + j * ctx->n, ctx->logn, tmp, ctx->par.log_slots + 1);
    }
    return CK_OK;
}

static uint64_t to_residue(int64_t x, uint64_t q)
{
    x %= (int64_t)q;
    return (uint64_t)(x < 0 ? x + (int64_t)q : x);
}

void ck_compose(double *out, const struct ck_context *ctx, const uint64_t *poly, uint32_t limbs, size_t stride)
{
    // Mixed radix with centred digits: x = v_0 + q_0 (v_1 + q_1 (v_2 + ...)), |v_i| <= (q_i-1)/2, is the centred
    // representative, and summing from the top loses nothing but the rounding of the result.
    const uint64_t *q = ctx->par.q;
    uint64_t inv[CK_MAX_Q][CK_MAX_Q];
    for (uint32_t i = 0; i < limbs; i++)
        for (uint32_t j = 0; j < i; j++) inv[i][j] = ck_invmod(q[j] % q[i], &ctx->mod[i]);
    for (size_t at = 0; at < ctx->n; at += stride) {
        int64_t digit[CK_MAX_Q];
        for (uint32_t i = 0; i < limbs; i++) {
            uint64_t x = poly[i * ctx->n + at];
            for (uint32_t j = 0; j < i; j++) x = ck_mulmod(x + q[i] - to_residue(digit[j], q[i]), inv[i][j], &ctx->mod[i]);
            digit[i] = x > q[i] / 2 ? (int64_t)x - (int64_t)q[i] : (int64_t)x;
        }
        double sum = 0;
        for (uint32_t i = limbs; i-- > 0;) sum = sum * (double)q[i] + (double)digit[i];
        *out++ = sum;
    }
}
