// SPDX-License-Identifier: Apache-2.0
// The embedding against its definition, its accuracy, residues of large numbers, composition, and the distributions of
// the sampler.
#include "fixture.h"
#include "internal.h"

#include <string.h>

static void embedding(const struct ck_context *ctx)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    double *v = malloc(2 * n * sizeof *v), *c = malloc(2 * n * sizeof *c), *w = malloc(2 * n * sizeof *w);
    fixture_values(v, 2 * n, 1, 3);
    const double scale = 0x1p40;
    ck_embed(c, ctx, v, scale);
    // slot j is the polynomial's value at exp(2 pi i 5^j / 4n)
    const size_t step = n > 64 ? n / 16 : 1;
    for (size_t j = 0, p = 1; j < n; j++, p = p * 5 % (4 * n)) {
        if (j % step) continue;
        long double re = 0, im = 0;
        for (size_t k = 0; k < 2 * n; k++) {
            const long double a = 2 * acosl(-1) * (long double)(p * k % (4 * n)) / (long double)(4 * n);
            re += (long double)c[k] * cosl(a);
            im += (long double)c[k] * sinl(a);
        }
        const double e = fmax(fabs((double)(re / scale) - v[2 * j]), fabs((double)(im / scale) - v[2 * j + 1]));
        CHECKF(e < 0x1p-45, "slot %zu of %zu: error 2^%.1f", j, n, log2(e));
    }
    ck_unembed(w, ctx, c, scale);
    struct precision p = fixture_precision(w, v, 2 * n);
    CHECKF(p.min >= 45, "round trip %.1f bits", p.min);
    // real values have a palindromic polynomial: m_{2n-k} = -m_k
    for (size_t i = 0; i < n; i++) v[2 * i + 1] = 0;
    ck_embed(c, ctx, v, 1);
    for (size_t k = 1; k < 2 * n; k++) CHECK(fabs(c[k] + c[2 * n - k]) < 0x1p-45);
    free(v);
    free(c);
    free(w);
}

static void numbers(const struct ck_context *ctx)
{
    const struct ck_mod *m = &ctx->mod[1];
    CHECK(ck_residue(0.4, m) == 0 && ck_residue(-1.2, m) == m->q - 1 && ck_residue(-0.0, m) == 0);
    CHECK(ck_residue((double)(m->q / 2), m) == m->q / 2);
    uint64_t two = 1;
    for (int i = 0; i < 300; i++) two = two * 2 % m->q;
    CHECK(ck_residue(0x1p300, m) == two && ck_residue(-0x1p300, m) == m->q - two);
    CHECK(ck_residue(0x1p62, m) == (1ull << 62) % m->q);
    // compose: small, negative and near half of the product
    uint64_t *poly = calloc(3 * ctx->n, sizeof *poly);
    double *out = malloc(ctx->n * sizeof *out);
    const double x[] = {0, 1, -1, 0x1p45, -0x1.8p60, 0x1p100 + 0x1p60, -0x1p125};
    for (size_t i = 0; i < 7; i++)
        for (int j = 0; j < 3; j++) poly[(size_t)j * ctx->n + i] = ck_residue(x[i], &ctx->mod[j]);
    ck_compose(out, ctx, poly, 3, 1);
    for (size_t i = 0; i < 7; i++) CHECKF(out[i] == x[i], "composed %a, want %a", out[i], x[i]);
    free(poly);
    free(out);
}

static void samples(void)
{
    enum { COUNT = 1 << 18 };
    int32_t *x = malloc(COUNT * sizeof *x);
    struct ck_drbg *rng, *same;
    const uint8_t seed[CK_SEED_BYTES] = {1, 2, 3};
    CHECK_OK(ck_drbg_new(&rng, seed));
    CHECK_OK(ck_drbg_new(&same, seed));
    CHECK_OK(ck_sample_gauss(rng, x, COUNT));
    double sum = 0, square = 0, fourth = 0;
    for (int i = 0; i < COUNT; i++) {
        const double v = x[i];
        sum += v;
        square += v * v;
        fourth += v * v * v * v;
        CHECK(abs(x[i]) <= 30);
    }
    const double var = square / COUNT;
    CHECKF(fabs(sum / COUNT) < 0.04 && fabs(var - 3.19 * 3.19) < 0.15, "mean %f variance %f", sum / COUNT, var);
    CHECKF(fabs(fourth / COUNT / (var * var) - 3) < 0.1, "kurtosis %f", fourth / COUNT / (var * var));
    int32_t first = x[0], count[3] = {0};
    CHECK_OK(ck_sample_gauss(same, x, 1));
    CHECK(x[0] == first);
    CHECK_OK(ck_sample_ternary(rng, x, COUNT));
    for (int i = 0; i < COUNT; i++) {
        CHECK(x[i] >= -1 && x[i] <= 1);
        count[x[i] + 1]++;
    }
    for (int i = 0; i < 3; i++) CHECK(abs(count[i] - COUNT / 3) < 2000);
    CHECK_OK(ck_sample_sparse(rng, x, 4096, 32));
    int weight = 0;
    for (int i = 0; i < 4096; i++) weight += x[i] != 0;
    CHECK(weight == 32);
    uint8_t a[32], b[32];
    struct ck_drbg *fresh1, *fresh2;
    CHECK_OK(ck_drbg_new(&fresh1, NULL));
    CHECK_OK(ck_drbg_new(&fresh2, NULL));
    CHECK_OK(ck_drbg_bytes(fresh1, a, 32));
    CHECK_OK(ck_drbg_bytes(fresh2, b, 32));
    CHECK(memcmp(a, b, 32) != 0);
    ck_drbg_free(rng);
    ck_drbg_free(same);
    ck_drbg_free(fresh1);
    ck_drbg_free(fresh2);
    free(x);
}

int main(void)
{
    const uint32_t log_slots[] = {0, 1, 4, 9, 12};
    for (size_t i = 0; i < 5; i++) {
        struct ck_params par = fixture_params(13, log_slots[i], 44, 3, 1, 1);
        struct ck_context *ctx;
        CHECK_OK(ck_context_new(&ctx, &par, 1));
        embedding(ctx);
        numbers(ctx);
        ck_context_free(ctx);
    }
    samples();
    CHECK(!strcmp(ck_err_text(CK_EKEY), "evaluation key missing") && !strcmp(ck_err_text((enum ck_err)99), "unknown error"));
    return test_done();
}
