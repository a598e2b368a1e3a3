// SPDX-License-Identifier: Apache-2.0
// Chebyshev series against direct summation: all small degrees, odd and even series, zeros at the end, drifting scales,
// exact output scale and level, errors.
#include "fixture.h"
#include "internal.h"

#include <string.h>

static double cheb(const double *c, uint32_t d, double x)
{
    double b1 = 0, b2 = 0;
    for (uint32_t k = d; k > 0; k--) {
        double t = 2 * x * b1 - b2 + c[k];
        b2 = b1;
        b1 = t;
    }
    return x * b1 - b2 + c[0];
}

int main(void)
{
    const struct {
        uint32_t logn, log_slots;
        double bits;
        uint32_t nq, np, alpha;
    } set[] = {{10, 9, 45, 9, 5, 5}, {11, 7, 38, 9, 1, 1}};
    for (size_t s = 0; s < 2; s++) {
        struct ck_params par = fixture_params(set[s].logn, set[s].log_slots, set[s].bits, set[s].nq, set[s].np, set[s].alpha);
        const uint32_t top = par.nq - 1;
        const size_t n = (size_t)1 << par.log_slots;
        struct ck_context *ctx;
        struct ck_secret *sk;
        struct ck_evk *evk;
        struct ck_eval *ev, *bare;
        struct ck_ct x, y;
        const struct ck_key_spec spec[] = {{0, top}, {0, 3}};
        CHECK_OK(ck_context_new(&ctx, &par, 2));
        CHECK_OK(ck_secret_new(&sk, ctx));
        CHECK_OK(ck_evk_new(&evk, ctx, sk, spec, 2));
        CHECK_OK(ck_eval_new(&ev, ctx, evk, NULL));
        CHECK_OK(ck_eval_new(&bare, ctx, NULL, NULL));
        CHECK_OK(ck_ct_init(&x, ctx, top, 1));
        CHECK_OK(ck_ct_init(&y, ctx, top, 1));
        double *v = malloc(n * sizeof *v), *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got), c[128];
        fixture_values(v, n, 1, 5);
        v[0] = 1;
        v[1] = -1;
        v[2] = 0;
        const double scale = (double)par.q[top], odd_scale = scale * 1.07;
        uint32_t degrees[80], nd = 0;
        for (uint32_t d = 0; d <= 33; d++) degrees[nd++] = d;
        degrees[nd++] = 59;
        degrees[nd++] = 63;
        degrees[nd++] = 127;
        for (uint32_t i = 0; i < nd; i++)
            for (int kind = 0; kind < 4; kind++) {
                const uint32_t d = degrees[i];
                fixture_values(c, d + 1, 1, 1000 + d);
                double norm = 1;
                for (uint32_t k = 0; k <= d; k++) {
                    if (kind == 1 && k % 2 == 0) c[k] = 0;          // odd
                    if (kind == 2 && k % 2 == 1) c[k] = 0;          // even
                    if (kind == 3 && k > d / 2) c[k] = 0;           // shorter than announced
                    c[k] /= 1 + 0.1 * k;
                    norm += fabs(c[k]) * k * k;
                }
                const double in_scale = i % 2 ? scale : scale * 0.8, out_scale = i % 3 ? in_scale : odd_scale;
                const struct ck_poly p = {.degree = d, .c = c, .out_scale = out_scale};
                CHECK_OK(ck_encrypt(&x, ctx, sk, v, top, in_scale));
                CHECK_OK(ck_poly_eval(ev, &y, &x, &p));
                CHECK(y.level == top - ck_poly_depth(d) && y.scale == out_scale && y.degree == 1);
                for (size_t j = 0; j < n; j++) want[j] = cheb(c, d, v[j]);
                CHECK_OK(ck_decrypt(got, ctx, sk, &y));
                char name[64];
                snprintf(name, sizeof name, "set %zu degree %u kind %d", s, d, kind);
                // an error of x is magnified by the derivative, at most sum |c_k| k^2
                const double bits = log2(scale) - 0.5 * par.logn - (d > 63 ? 12 : 9) - log2(norm);
                CHECK_PRECISION(name, got, want, n, bits, bits + 2);
            }
        // squares with terms of their own: some T_k that the series has computed, and T_7 that it has not
        const double rows[3][9] = {{0.1, 0.2, -0.1, 0.05, 0.1, 0, 0.05, 0, 0.3}, {-0.5, 0.1, 0, 0, -0.1, 0, 0, 0, 0.2},
                                   {-0.4, 0, 0.1, 0, 0, 0, 0, 0.1, 0}};
        const struct ck_poly chain = {.degree = 8, .c = rows[0], .out_scale = odd_scale};
        CHECK_OK(ck_encrypt(&x, ctx, sk, v, top, scale));
        CHECK_OK(ck_poly_squares(ev, &y, &x, &chain, 2));
        CHECK(y.level == top - 6 && y.scale == odd_scale);
        for (size_t j = 0; j < n; j++) {
            want[j] = 0;
            for (int i = 0; i < 3; i++) want[j] = 2 * want[j] * want[j] + cheb(rows[i], 8, v[j]);
        }
        CHECK_OK(ck_decrypt(got, ctx, sk, &y));
        CHECK_PRECISION("squares", got, want, n, log2(scale) - 0.5 * par.logn - 14, log2(scale) - 0.5 * par.logn - 12);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 65, .c = c, .out_scale = scale}, 0) == CK_OK);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 63, .c = c, .out_scale = scale}, 1) == CK_OK);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 65, .c = c, .out_scale = scale}, 1) == CK_ERANGE);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 0, .c = c, .out_scale = scale}, 1) == CK_ERANGE);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 8, .c = rows[0], .out_scale = scale}, top - 3) == CK_ELEVEL);
        CHECK(ck_poly_squares(ev, &y, &x, &(struct ck_poly){.degree = 7, .c = rows[0], .out_scale = scale}, 1) == CK_ERANGE);
        CHECK_OK(ck_encrypt(&x, ctx, sk, v, 3, scale));
        struct ck_poly p = {.degree = 16, .c = c, .out_scale = scale};
        CHECK(ck_poly_eval(ev, &y, &x, &p) == CK_ELEVEL);
        p.degree = 3;
        CHECK(ck_poly_eval(bare, &y, &x, &p) == CK_EKEY);
        p.degree = 1;
        CHECK_OK(ck_poly_eval(bare, &y, &x, &p));
        p.out_scale = 0;
        CHECK(ck_poly_eval(ev, &y, &x, &p) == CK_ESCALE);
        p.out_scale = scale;
        c[1] = NAN;
        CHECK(ck_poly_eval(ev, &y, &x, &p) == CK_ERANGE);
        CHECK(ck_poly_depth(0) == 0 && ck_poly_depth(1) == 1 && ck_poly_depth(3) == 2 && ck_poly_depth(4) == 3);
        c[1] = 0.5;
        CHECK_OK(ck_poly_eval(ev, &x, &x, &p));     // in place
        ck_ct_clear(&x);
        ck_ct_clear(&y);
        ck_eval_free(ev);
        ck_eval_free(bare);
        ck_evk_free(evk);
        ck_secret_free(sk);
        ck_context_free(ctx);
        free(v);
        free(want);
        free(got);
    }
    return test_done();
}
