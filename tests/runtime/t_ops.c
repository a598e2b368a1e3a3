// SPDX-License-Identifier: Apache-2.0
// Operations on ciphertexts against the same operations on doubles, for several rings, slot counts, digit counts and
// prime sizes.
#include "fixture.h"
#include "internal.h"

#include <string.h>

struct fix {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_evk *evk;
    struct ck_eval *ev;
    struct ck_ct a, b, c;
    double *x, *y, *want, *got, scale;
    size_t n, ring;
    uint32_t top;
    double bits;    // expected precision of a fresh ciphertext, roughly
};

static void fix_init(struct fix *f, const struct ck_params *par, int threads)
{
    f->n = (size_t)1 << par->log_slots;
    f->ring = (size_t)1 << par->logn;
    f->top = par->nq - 1;
    f->scale = (double)par->q[par->nq - 1];
    // A coefficient error of sigma 3.19 (or a rounding with the secret) is at most about 2^5 sqrt(N) in a slot.
    f->bits = log2(f->scale) - 0.5 * par->logn - 6;
    const int32_t n = (int32_t)f->n;
    const struct ck_key_spec spec[] = {{0, f->top}, {1, f->top}, {-3, f->top}, {5, 1}, {n / 2, f->top}, {5, f->top}, {0, 1}};
    CHECK_OK(ck_context_new(&f->ctx, par, threads));
    CHECK_OK(ck_secret_new(&f->sk, f->ctx));
    CHECK_OK(ck_evk_new(&f->evk, f->ctx, f->sk, spec, par->log_slots > 3 ? sizeof spec / sizeof *spec : 1));
    CHECK_OK(ck_eval_new(&f->ev, f->ctx, f->evk, NULL));
    CHECK_OK(ck_ct_init(&f->a, f->ctx, f->top, 2));
    CHECK_OK(ck_ct_init(&f->b, f->ctx, f->top, 2));
    CHECK_OK(ck_ct_init(&f->c, f->ctx, f->top, 2));
    double **v[] = {&f->x, &f->y, &f->want, &f->got};
    for (int i = 0; i < 4; i++) *v[i] = malloc(f->n * sizeof(double));
    fixture_values(f->x, f->n, 1, 1);
    fixture_values(f->y, f->n, 1, 2);
    CHECK_OK(ck_encrypt(&f->a, f->ctx, f->sk, f->x, f->top, f->scale));
    CHECK_OK(ck_encrypt(&f->b, f->ctx, f->sk, f->y, f->top, f->scale));
}

static void fix_clear(struct fix *f)
{
    ck_ct_clear(&f->a);
    ck_ct_clear(&f->b);
    ck_ct_clear(&f->c);
    ck_eval_free(f->ev);
    ck_evk_free(f->evk);
    ck_secret_free(f->sk);
    ck_context_free(f->ctx);
    free(f->x);
    free(f->y);
    free(f->want);
    free(f->got);
}

static void expect(struct fix *f, const char *name, double less)
{
    CHECK_OK(ck_decrypt(f->got, f->ctx, f->sk, &f->c));
    CHECK_PRECISION(name, f->got, f->want, f->n, f->bits - less, f->bits - less + 1);
}

static void linear_ops(struct fix *f)
{
    for (size_t i = 0; i < f->n; i++) f->want[i] = f->x[i] + f->y[i];
    CHECK_OK(ck_add(f->ev, &f->c, &f->a, &f->b));
    expect(f, "add", 1);
    for (size_t i = 0; i < f->n; i++) f->want[i] = f->x[i] - f->y[i];
    CHECK_OK(ck_sub(f->ev, &f->c, &f->a, &f->b));
    expect(f, "sub", 1);
    for (size_t i = 0; i < f->n; i++) f->want[i] = -f->x[i];
    CHECK_OK(ck_neg(f->ev, &f->c, &f->a));
    expect(f, "neg", 1);
    for (size_t i = 0; i < f->n; i++) f->want[i] = f->x[i] + 0.75;
    CHECK_OK(ck_add_const(f->ev, &f->c, &f->a, 0.75));
    expect(f, "add_const", 1);
    for (size_t i = 0; i < f->n; i++) f->want[i] = -1.375 * f->x[i];
    CHECK_OK(ck_mul_const(f->ev, &f->c, &f->a, -1.375, f->scale));
    CHECK(f->c.level == f->top - 1 && f->c.scale == f->scale);
    expect(f, "mul_const", 2);
    CHECK_OK(ck_drop(f->ev, &f->c, &f->a, 0));
    memcpy(f->want, f->x, f->n * sizeof(double));
    expect(f, "drop", 1);
}

static void products(struct fix *f)
{
    for (size_t i = 0; i < f->n; i++) f->want[i] = f->x[i] * f->y[i];
    CHECK_OK(ck_mul(f->ev, &f->c, &f->a, &f->b));
    CHECK(f->c.degree == 2);
    expect(f, "mul, degree 2", 2);
    CHECK_OK(ck_relin(f->ev, &f->c, &f->c));
    CHECK(f->c.degree == 1);
    expect(f, "relin", 2);
    CHECK_OK(ck_rescale(f->ev, &f->c, &f->c));
    CHECK(f->c.level == f->top - 1);
    expect(f, "rescale", 2);
    CHECK_OK(ck_mul(f->ev, &f->c, &f->a, &f->b));
    CHECK_OK(ck_relin_rescale(f->ev, &f->c, &f->c));
    expect(f, "relin_rescale", 2);
    struct ck_ct one;
    CHECK_OK(ck_ct_init(&one, f->ctx, f->top, 1));
    CHECK_OK(ck_mul_relin_rescale(f->ev, &one, &f->a, &f->b));
    for (uint32_t i = 0; i < 2; i++)
        CHECK(!memcmp(one.data + i * (f->top + 1) * f->ring, f->c.data + i * (f->top + 1) * f->ring,
                      f->top * f->ring * sizeof(uint64_t)));
    CHECK(one.scale == f->c.scale && one.level == f->c.level);
    CHECK_OK(ck_mul(f->ev, &f->c, &f->a, &f->a));
    CHECK_OK(ck_relin_rescale(f->ev, &f->c, &f->c));
    CHECK_OK(ck_drop(f->ev, &one, &f->a, f->top));
    CHECK_OK(ck_mul_relin_rescale(f->ev, &one, &one, &one));
    CHECK(!memcmp(one.data, f->c.data, f->top * f->ring * sizeof(uint64_t)));
    ck_ct_clear(&one);
    // in place, a square, down to the last level
    CHECK_OK(ck_drop(f->ev, &f->c, &f->a, f->top));
    memcpy(f->want, f->x, f->n * sizeof(double));
    while (f->c.level > 0) {
        CHECK_OK(ck_mul(f->ev, &f->c, &f->c, &f->c));
        CHECK_OK(ck_relin_rescale(f->ev, &f->c, &f->c));
        for (size_t i = 0; i < f->n; i++) f->want[i] *= f->want[i];
        expect(f, "square chain", 3 + (double)(f->top - f->c.level));    // a square doubles the error of 1
    }
}

// Sums formed on their way into a relinearisation or a rescale, into one of their operands as well.
static void sums(struct fix *f)
{
    const double s = f->scale;
    for (uint32_t products = 0; products <= 2; products++)
        for (uint32_t times = 1; times <= 2; times++) {
            struct ck_sum sum = {.nproduct = products, .nterm = 2, .times = times, .product = {{&f->a, &f->b}, {&f->b, &f->b}},
                                 .term = {{&f->a, rint(0.25 * s)}, {&f->b, rint(-0.5 * s)}}, .constant = rint(0.125 * s * s)};
            for (size_t i = 0; i < f->n; i++) {
                const double x = f->x[i], y = f->y[i];
                f->want[i] = times * ((products > 0) * x * y + (products > 1) * y * y) + 0.25 * x - 0.5 * y + 0.125;
            }
            CHECK_OK(ck_sum_reduce(f->ev, &f->c, &sum, f->top, s * s));
            expect(f, "sum", 3);
            CHECK(f->c.level == f->top - 1 && f->c.scale == s * s / (double)f->ctx->par.q[f->top] && f->c.degree == 1);
            const size_t poly = (size_t)(f->c.max_level + 1) * f->ring, bytes = f->top * f->ring * sizeof(uint64_t);
            struct ck_ct b;     // the same bits in place
            CHECK_OK(ck_ct_init(&b, f->ctx, f->top, 2));
            CHECK_OK(ck_drop(f->ev, &b, &f->b, f->top));
            sum.product[0].y = sum.product[1].x = sum.product[1].y = sum.term[1].ct = &b;
            CHECK_OK(ck_sum_reduce(f->ev, &b, &sum, f->top, s * s));
            for (uint32_t i = 0; i < 2; i++) CHECK(!memcmp(f->c.data + i * poly, b.data + i * poly, bytes));
            ck_ct_clear(&b);
        }
}

static void rotations(struct fix *f)
{
    const int32_t n = (int32_t)f->n, k[] = {1, -3, 5, n / 2, 0, n - 3};
    for (size_t j = 0; j < sizeof k / sizeof *k; j++) {
        for (uint32_t level = 0; level <= f->top; level++) {
            for (int32_t i = 0; i < n; i++) f->want[i] = f->x[(i + k[j] + n) % n];
            CHECK_OK(ck_drop(f->ev, &f->c, &f->a, level));
            CHECK_OK(ck_rotate(f->ev, &f->c, &f->c, k[j]));
            CHECK(f->c.level == level);
            expect(f, "rotate", 4);
        }
    }
}

static void errors(struct fix *f)
{
    struct ck_ct low, small;
    CHECK_OK(ck_ct_init(&low, f->ctx, f->top, 2));
    CHECK_OK(ck_ct_init(&small, f->ctx, 0, 1));
    CHECK_OK(ck_drop(f->ev, &low, &f->a, f->top - 1));
    CHECK_OK(ck_drop(f->ev, &f->c, &f->a, f->top));
    const struct ck_ct before = f->c;
    CHECK(ck_add(f->ev, &f->c, &f->a, &low) == CK_ELEVEL);
    CHECK(ck_mul(f->ev, &f->c, &f->a, &low) == CK_ELEVEL);
    CHECK(ck_drop(f->ev, &f->c, &low, f->top) == CK_ELEVEL);
    CHECK(ck_add(f->ev, &small, &f->a, &f->b) == CK_ESHAPE);
    CHECK(ck_rotate(f->ev, &f->c, &f->a, 2) == CK_EKEY);
    CHECK(ck_add_const(f->ev, &f->c, &f->a, INFINITY) == CK_ERANGE);
    low.scale *= 1 + 1e-9;
    low.level = f->top;
    CHECK(ck_add(f->ev, &f->c, &f->a, &low) == CK_ESCALE);
    CHECK_OK(ck_drop(f->ev, &low, &f->a, 0));
    CHECK(ck_rescale(f->ev, &f->c, &low) == CK_ELEVEL);
    CHECK(ck_mul_const(f->ev, &f->c, &low, 1, 1) == CK_ELEVEL);
    CHECK(ck_mul(f->ev, &f->c, &low, &low) == CK_ESCALE);
    CHECK(memcmp(&before, &f->c, sizeof before) == 0);
    CHECK_OK(ck_mul(f->ev, &f->c, &f->a, &f->b));
    CHECK(ck_rotate(f->ev, &low, &f->c, 1) == CK_EDEGREE);
    CHECK(ck_mul(f->ev, &low, &f->c, &f->a) == CK_EDEGREE);
    CHECK(ck_encrypt(&f->c, f->ctx, f->sk, f->x, f->top + 1, f->scale) == CK_ELEVEL);
    CHECK(ck_encrypt(&f->c, f->ctx, f->sk, f->x, f->top, 0) == CK_ESCALE);
    struct ck_eval *bare;
    CHECK_OK(ck_eval_new(&bare, f->ctx, NULL, NULL));
    CHECK_OK(ck_mul(bare, &f->c, &f->a, &f->b));
    CHECK(ck_relin(bare, &f->c, &f->c) == CK_EKEY);
    ck_eval_free(bare);
    ck_ct_clear(&low);
    ck_ct_clear(&small);
}

int main(void)
{
    const struct {
        uint32_t logn, log_slots;
        double bits;
        uint32_t nq, np, alpha, security;
    } set[] = {
        {10, 9, 40, 4, 2, 2, 0},  {11, 5, 30, 5, 1, 1, 0},    {12, 11, 46, 7, 3, 3, 0},
        {10, 0, 45, 3, 3, 3, 0},  {13, 12, 45, 12, 4, 4, 0},  {12, 6, 34, 9, 9, 9, 0},
        {13, 12, 28, 6, 1, 1, 128}, {14, 10, 46, 6, 3, 3, 128},
    };
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        struct ck_params par =
            fixture_params(set[i].logn, set[i].log_slots, set[i].bits, set[i].nq, set[i].np, set[i].alpha);
        par.security = set[i].security;
        const char *why = ck_params_check(&par);
        CHECKF(!why, "set %zu: %s", i, why ? why : "");
        if (why) continue;
        struct fix f;
        fix_init(&f, &par, 1 + (int)(i % 2));
        linear_ops(&f);
        products(&f);
        sums(&f);
        if (par.log_slots > 3) {
            rotations(&f);
            errors(&f);
        }
        fix_clear(&f);
    }
    return test_done();
}
