// SPDX-License-Identifier: Apache-2.0
// The noise model against the scheme: for each operation the standard deviation of the simulated error lies within a factor of the
// encrypted one's. Linear maps are compared in the end-to-end test, which has weights.
#include "../../compiler/noise.h"
#include "../runtime/fixture.h"

#include <string.h>

enum { TRIALS = 12, STEPS = 8 };       // STEPS: of the composed rotation, each by 1

struct side {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_eval *ev;
    struct ck_ct x, y;
    uint32_t n, top;
    double scale;
};

enum what { FRESH, PRODUCT, ROTATION, CONSTANT, POLY };
struct trial {
    const char *name;
    enum what what;
    uint32_t degree;            // of a series; the amount of a rotation
    double tolerance;           // allowed ratio of the deviations
};

// Chebyshev coefficients of a smoothed |x|, which decay slowly as those of activations do.
static void coefficients(double *c, uint32_t degree)
{
    for (uint32_t k = 0; k <= degree; k++) {
        double sum = 0;
        for (int j = 0; j < 256; j++) {
            double t = M_PI * (j + 0.5) / 256;
            sum += hypot(cos(t), 0.05) * cos(k * t);
        }
        c[k] = sum / (k ? 128 : 256);
    }
}

static struct ir_module *program(const struct trial *t, const struct ck_params *par, const struct side *s)
{
    struct ir_module *m = ir_module_new("noise", IR_CKKS);
    int64_t list[CK_MAX_Q + 3 * CK_MAX_CLASSES];
    for (uint32_t k = 0; k < par->nq; k++) list[k] = (int64_t)par->q[k];
    ir_set_ints(m, &m->attrs, "q", list, par->nq);
    for (uint32_t k = 0; k < par->np; k++) list[k] = (int64_t)par->p[k];
    ir_set_ints(m, &m->attrs, "p", list, par->np);
    for (uint32_t k = 0; k < par->nclass; k++) {
        list[3 * k] = par->classes[k].limbs;
        list[3 * k + 1] = par->classes[k].alpha;
        list[3 * k + 2] = par->classes[k].np;
    }
    ir_set_ints(m, &m->attrs, "classes", list, 3 * par->nclass);
    ir_set_int(m, &m->attrs, "logn", par->logn);
    ir_set_int(m, &m->attrs, "log_slots", par->log_slots);
    ir_set_int(m, &m->attrs, "alpha", par->alpha);
    int32_t l = (int32_t)s->top;
    double q = (double)par->q[l];
    struct ir_inst *x = ir_build(m, NULL, IR_CKKS_input, ir_type_ct(1, s->n, l, s->scale, 1), 0, NULL), *y = x;
    ir_set_string(m, ir_inst_attrs(x), "name", "x");
    switch (t->what) {
    case FRESH: break;
    case PRODUCT:
        y = ir_build(m, NULL, IR_CKKS_mul, ir_type_ct(1, s->n, l, s->scale * s->scale, 2), 2, (struct ir_inst *[]){x, x});
        y = ir_build(m, NULL, IR_CKKS_relin, ir_type_ct(1, s->n, l, s->scale * s->scale, 1), 1, &y);
        y = ir_build(m, NULL, IR_CKKS_rescale, ir_type_ct(1, s->n, l - 1, s->scale * s->scale / q, 1), 1, &y);
        break;
    case ROTATION:
        y = ir_build(m, NULL, IR_CKKS_rot, x->type, 1, &x);
        ir_set_int(m, ir_inst_attrs(y), "k", t->degree);
        for (int64_t k = 0; k < STEPS; k++) list[k] = l;
        ir_set_ints(m, &m->attrs, "route_level", list, STEPS - 1);
        for (int64_t k = 0; k < STEPS; k++) list[k] = 1;
        ir_set_ints(m, &m->attrs, "route_step", list, STEPS - 1);
        for (int64_t k = 0; k < STEPS; k++) list[k] = k + 2;
        ir_set_ints(m, &m->attrs, "route_rot", list, STEPS - 1);
        break;
    case CONSTANT:
        y = ir_build(m, NULL, IR_CKKS_mulc, ir_type_ct(1, s->n, l - 1, s->scale, 1), 1, &x);
        ir_set_float(m, ir_inst_attrs(y), "value", 0.375);
        break;
    case POLY: {
        int64_t terms = t->degree + 1;
        struct ir_const *c = ir_const_add(m, "c", IR_F64, 1, &terms);
        coefficients(c->data, t->degree);
        y = ir_build(m, NULL, IR_CKKS_poly, ir_type_ct(1, s->n, l - (int32_t)ck_poly_depth(t->degree), s->scale, 1), 1, &x);
        ir_set_symbol(m, ir_inst_attrs(y), "coeffs", "c");
    }
    }
    ir_add_output(m, y, NULL);
    return m;
}

static void encrypted(struct side *s, const struct trial *t, const double *in, double *out)
{
    double c[128];
    CHECK_OK(ck_encrypt(&s->x, s->ctx, s->sk, in, s->top, s->scale));
    const struct ck_ct *result = &s->y;
    switch (t->what) {
    case FRESH: result = &s->x; break;
    case PRODUCT:
        CHECK_OK(ck_mul(s->ev, &s->y, &s->x, &s->x));
        CHECK_OK(ck_relin(s->ev, &s->y, &s->y));
        CHECK_OK(ck_rescale(s->ev, &s->y, &s->y));
        break;
    case ROTATION: CHECK_OK(ck_rotate(s->ev, &s->y, &s->x, (int32_t)t->degree)); break;
    case CONSTANT: CHECK_OK(ck_mul_const(s->ev, &s->y, &s->x, 0.375, s->scale)); break;
    case POLY:
        coefficients(c, t->degree);
        CHECK_OK(ck_poly_eval(s->ev, &s->y, &s->x, &(struct ck_poly){.degree = t->degree, .c = c, .out_scale = s->scale}));
    }
    CHECK_OK(ck_decrypt(out, s->ctx, s->sk, result));
}

static void compare(struct side *s, const struct trial *t, const struct ck_params *par)
{
    struct ir_module *m = program(t, par, s);
    double *x = malloc(s->n * sizeof *x), *exact = malloc(s->n * sizeof *x), *got = malloc(s->n * sizeof *x), real = 0, model = 0;
    const double *in = x;
    CHECK(!ir_verify(m));
    for (uint64_t k = 0; k < TRIALS; k++) {
        struct ir_noise noise = {.seed = k};
        fixture_values(x, s->n, 0.95, 77 + k);
        CHECK(!ir_interp(m, &in, &exact, NULL) && !ir_interp(m, &in, &got, &(struct ir_run){.noise = &noise}));
        for (uint32_t j = 0; j < s->n; j++) model += (got[j] - exact[j]) * (got[j] - exact[j]);
        encrypted(s, t, x, got);
        for (uint32_t j = 0; j < s->n; j++) real += (got[j] - exact[j]) * (got[j] - exact[j]);
    }
    double ratio = sqrt(model / real);
    CHECKF(ratio < t->tolerance && ratio > 1 / t->tolerance, "N = 2^%u, n = %u, %s: simulated error %.3g, encrypted %.3g", par->logn, s->n,
           t->name, sqrt(model / TRIALS / s->n), sqrt(real / TRIALS / s->n));
    free(got);
    free(exact);
    free(x);
    ir_module_free(m);
}

int main(void)
{
    static const struct trial trials[] = {
        {"encryption", FRESH, 0, 1.3},       {"product", PRODUCT, 0, 1.5},     {"rotation", ROTATION, 1, 1.6},
        {"composed rotation", ROTATION, STEPS, 1.6},
        {"constant product", CONSTANT, 0, 1.5}, {"series of degree 3", POLY, 3, 2}, {"series of degree 15", POLY, 15, 2},
        {"series of degree 63", POLY, 63, 2},   {"series of degree 119", POLY, 119, 2},
    };
    static const struct {
        uint32_t logn, log_slots, np, alpha;
        double scale;                   // primes are next to 2^36: below, the scales of T_2, T_4, ... fall away
        uint32_t degree;                // highest to try
    } set[] = {{11, 10, 2, 2, 0x1p36, 119}, {12, 5, 2, 2, 0x1p36, 119}, {11, 10, 1, 1, 0x1p36, 119}, {11, 10, 2, 2, 0x1p34, 15}};
    for (size_t k = 0; k < sizeof set / sizeof *set; k++) {
        struct ck_params par = fixture_params(set[k].logn, set[k].log_slots, 36, 9, set[k].np, set[k].alpha);
        struct side s = {.n = 1u << par.log_slots, .top = par.nq - 1, .scale = set[k].scale};
        const struct ck_key_spec spec[] = {{0, s.top}, {1, s.top}};
        struct ck_evk *evk;
        CHECK_OK(ck_context_new(&s.ctx, &par, 1));
        CHECK_OK(ck_secret_new(&s.sk, s.ctx));
        CHECK_OK(ck_evk_new(&evk, s.ctx, s.sk, spec, 2));
        CHECK_OK(ck_eval_new(&s.ev, s.ctx, evk, NULL));
        struct ck_route route[STEPS - 1];
        for (int32_t i = 0; i < STEPS - 1; i++) route[i] = (struct ck_route){i + 2, s.top, 1};
        ck_eval_use_routes(s.ev, route, STEPS - 1);
        CHECK_OK(ck_ct_init(&s.x, s.ctx, s.top, 1));
        CHECK_OK(ck_ct_init(&s.y, s.ctx, s.top, 2));
        for (size_t t = 0; t < sizeof trials / sizeof *trials; t++)
            if (trials[t].degree <= set[k].degree) compare(&s, &trials[t], &par);
        ck_ct_clear(&s.x);
        ck_ct_clear(&s.y);
        ck_eval_free(s.ev);
        ck_evk_free(evk);
        ck_secret_free(s.sk);
        ck_context_free(s.ctx);
    }
    return test_done();
}
