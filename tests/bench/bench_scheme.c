// SPDX-License-Identifier: Apache-2.0
// The scheme's operations at N = 2^16, 22 ciphertext primes of 46 bits, 11 special primes, two digits: each in
// microseconds and in transforms of the same run.
#include "bench_scheme.h"

#include "bench.h"
#include "internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROTATIONS = 16, RUNS = 9 };

struct setup {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_evk *evk;
    struct ck_eval *ev;
    struct ck_ct a, b, out;
    const struct ck_gadget *g;
    uint64_t *digits, *acc;
    uint32_t level;
};

struct call {
    void (*f)(struct setup *);
    struct setup *s;
};

static void run_call(void *arg)
{
    const struct call *c = arg;
    c->f(c->s);
}

static double median(void (*f)(struct setup *), struct setup *s, int runs)
{
    struct call c = {f, s};
    return (s->ctx->threads == 1 ? bench_median : bench_median_wall)(run_call, &c, runs);
}

static void must(enum ck_err err)
{
    if (err == CK_OK) return;
    fprintf(stderr, "bench: %s\n", ck_err_text(err));
    exit(1);
}

static void do_ntt(struct setup *s)
{
    // 33 limbs of 33 primes, as in a key switch
    for (uint32_t i = 0; i < s->ctx->nprimes; i++) s->ctx->k->ntt(s->acc + i * s->ctx->n, s->ctx->ntt[i]);
}

// ModUp, inner product, ModDown of one polynomial, relinearisation key.
static void do_switch(struct setup *s)
{
    const struct ck_key *key = ck_evk_find(s->evk, 0, s->level);
    const struct ck_switch what = {.a = ck_ct_poly(&s->a, 1), .tail = CK_TAIL_P};
    const struct ck_moddown_opt opt = {.coeff = true};
    const size_t n = s->ctx->n, wide = s->level + 1 + s->g->np;
    must(ck_switch(s->acc, s->ctx, s->g, key, &what, s->level, &s->ev->scratch));
    ck_moddown(s->out.data, (s->out.max_level + 1) * n, s->ctx, s->g, s->acc, wide * n, 2, s->level, &opt, &s->ev->scratch);
}

static void do_rotate(struct setup *s)
{
    must(ck_rotate(s->ev, &s->out, &s->a, 1));
}

static void do_mul(struct setup *s)
{
    must(ck_mul_relin_rescale(s->ev, &s->out, &s->a, &s->b));
}

static void do_rescale(struct setup *s)
{
    must(ck_rescale(s->ev, &s->out, &s->a));
}

static void do_separate(struct setup *s)
{
    for (int32_t k = 1; k <= ROTATIONS; k++) must(ck_rotate(s->ev, &s->out, &s->a, k));
}

// As the babies of ck_linear: one ModUp, the rotated ciphertexts stay modulo QP.
static void do_hoisted(struct setup *s)
{
    ck_modup(s->digits, s->ctx, s->g, ck_ct_poly(&s->a, 1), s->level, &s->ev->scratch);
    for (int32_t k = 1; k <= ROTATIONS; k++) {
        const struct ck_key *key = ck_evk_find(s->evk, ck_galois_rotation(s->ctx, k), s->level);
        const struct ck_inner_opt opt = {.raise = ck_ct_poly(&s->a, 0), .perm = key->perm};
        must(ck_inner(s->acc, s->ctx, s->g, key, s->digits, ck_ct_poly(&s->a, 1), &opt, s->level));
    }
}

// The same, each brought back to Q.
static void do_hoisted_down(struct setup *s)
{
    const size_t n = s->ctx->n;
    const uint32_t wide = s->level + 1 + s->g->np;
    ck_modup(s->digits, s->ctx, s->g, ck_ct_poly(&s->a, 1), s->level, &s->ev->scratch);
    for (int32_t k = 1; k <= ROTATIONS; k++) {
        const struct ck_key *key = ck_evk_find(s->evk, ck_galois_rotation(s->ctx, k), s->level);
        const struct ck_inner_opt opt = {.raise = ck_ct_poly(&s->a, 0), .tail = CK_TAIL_P};
        const struct ck_moddown_opt down = {.perm = key->perm, .coeff = true};
        must(ck_inner(s->acc, s->ctx, s->g, key, s->digits, ck_ct_poly(&s->a, 1), &opt, s->level));
        ck_moddown(s->out.data, (s->out.max_level + 1) * n, s->ctx, s->g, s->acc, wide * n, 2, s->level, &down,
                   &s->ev->scratch);
    }
}

static void row(bench_row_fn emit, void *arg, const struct setup *s, const char *name, double us, double ntt)
{
    char par[64];
    snprintf(par, sizeof par, "N=2^%u limbs=%u K=%u", s->ctx->logn, s->level + 1, s->g->np);
    emit(arg, name, par, s->ctx->threads, us, ntt > 0 ? us / ntt : 0);
}

static void set_level(struct setup *s, uint32_t level)
{
    must(ck_drop(s->ev, &s->a, &s->a, level));
    must(ck_drop(s->ev, &s->b, &s->b, level));
    s->level = level;
    s->g = &s->evk->gadget[ck_evk_find(s->evk, ck_galois_rotation(s->ctx, 1), level)->gadget];
}

void bench_parameters(struct ck_params *par, uint32_t nq, uint32_t np, uint32_t alpha)
{
    uint64_t p[CK_MAX_PRIMES];
    *par = (struct ck_params){.logn = 16, .log_slots = 15, .nq = nq, .np = np, .alpha = alpha, .security = 128};
    uint32_t n = ck_primes_near(p, 1, exp2(46.5), 16, NULL, 0);
    n += ck_primes_near(p + n, nq - 1, exp2(46), 16, p, n);
    n += ck_primes_near(p + n, np, exp2(46.85), 16, p, n);
    if (n != nq + np) exit(1);
    memcpy(par->q, p, nq * sizeof *p);
    memcpy(par->p, p + nq, np * sizeof *p);
    if (!ck_params_classes(par)) exit(1);
}

// A rotation at 30 limbs, five digits: the shape of programs that bootstrap.
static void bench_long(bench_row_fn emit, void *arg)
{
    struct ck_params par;
    struct setup s = {0};
    const struct ck_key_spec spec = {1, 29};
    double *x = calloc((size_t)1 << 15, sizeof *x);
    if (!x) exit(1);
    bench_parameters(&par, 30, 7, 7);
    must(ck_context_new(&s.ctx, &par, 1));
    must(ck_secret_new(&s.sk, s.ctx));
    must(ck_evk_new(&s.evk, s.ctx, s.sk, &spec, 1));
    must(ck_ct_init(&s.a, s.ctx, 29, 1));
    must(ck_ct_init(&s.out, s.ctx, 29, 1));
    must(ck_encrypt(&s.a, s.ctx, s.sk, x, 29, 0x1p46));
    must(ck_eval_new(&s.ev, s.ctx, s.evk, NULL));
    s.level = 29;
    s.g = &s.evk->gadget[0];
    row(emit, arg, &s, "rotation, key of 30 limbs", median(do_rotate, &s, RUNS), 0);
    ck_eval_free(s.ev);
    ck_ct_clear(&s.a);
    ck_ct_clear(&s.out);
    ck_evk_free(s.evk);
    ck_secret_free(s.sk);
    ck_context_free(s.ctx);
    free(x);
}

void bench_scheme(bench_row_fn emit, void *arg)
{
    struct ck_params par;
    struct setup s = {0};
    struct ck_key_spec spec[ROTATIONS + 5] = {{0, 21}, {1, 7}, {0, 7}, {1, 3}, {1, 12}};
    bench_parameters(&par, 22, 11, 11);
    for (int32_t k = 1; k <= ROTATIONS; k++) spec[k + 4] = (struct ck_key_spec){k, 21};
    must(ck_context_new(&s.ctx, &par, 2));
    must(ck_secret_new(&s.sk, s.ctx));
    must(ck_evk_new(&s.evk, s.ctx, s.sk, spec, ROTATIONS + 5));
    must(ck_ct_init(&s.a, s.ctx, 21, 1));
    must(ck_ct_init(&s.b, s.ctx, 21, 1));
    must(ck_ct_init(&s.out, s.ctx, 21, 2));
    double *x = calloc((size_t)1 << 15, sizeof *x);
    const size_t digits = (size_t)2 * 33 * s.ctx->n * 8, poly = (size_t)2 * 33 * s.ctx->n * 8;
    s.digits = ck_mem_alloc(digits);
    s.acc = ck_mem_alloc(poly);
    if (!x || !s.digits || !s.acc) exit(1);
    for (int threads = 1; threads <= 2; threads++) {
        s.ctx->threads = threads;
        must(ck_encrypt(&s.a, s.ctx, s.sk, x, 21, 0x1p46));
        must(ck_encrypt(&s.b, s.ctx, s.sk, x, 21, 0x1p46));
        must(ck_eval_new(&s.ev, s.ctx, s.evk, NULL));
        set_level(&s, 21);
        const double ntt = median(do_ntt, &s, RUNS) / s.ctx->nprimes;
        row(emit, arg, &s, "ntt (in a row of primes)", ntt, ntt);
        row(emit, arg, &s, "key switch", median(do_switch, &s, RUNS), ntt);
        row(emit, arg, &s, "key switch (rotation)", median(do_rotate, &s, RUNS), ntt);
        row(emit, arg, &s, "multiply, relinearise, rescale", median(do_mul, &s, RUNS), ntt);
        row(emit, arg, &s, "rescale", median(do_rescale, &s, RUNS), ntt);
        row(emit, arg, &s, "16 rotations, separate", median(do_separate, &s, 3), ntt);
        row(emit, arg, &s, "16 rotations, hoisted, in QP", median(do_hoisted, &s, 3), ntt);
        row(emit, arg, &s, "16 rotations, hoisted, in Q", median(do_hoisted_down, &s, 3), ntt);
        set_level(&s, 12);
        row(emit, arg, &s, "rotation, key of 13 limbs", median(do_rotate, &s, RUNS), ntt);
        set_level(&s, 7);
        row(emit, arg, &s, "key switch, key of 8 limbs", median(do_switch, &s, RUNS), ntt);
        row(emit, arg, &s, "rotation, key of 8 limbs", median(do_rotate, &s, RUNS), ntt);
        set_level(&s, 3);
        row(emit, arg, &s, "rotation, key of 4 limbs", median(do_rotate, &s, RUNS), ntt);
        ck_eval_free(s.ev);
    }
    const struct ck_key *key = ck_evk_find(s.evk, ck_galois_rotation(s.ctx, 1), 21);
    printf("rotation key at 22 limbs: %.2f MiB with its permutation\n",
           (double)(ck_key_bytes(s.evk, key) + s.ctx->n * 4) / (1 << 20));
    ck_mem_free(s.digits, digits);
    ck_mem_free(s.acc, poly);
    ck_ct_clear(&s.a);
    ck_ct_clear(&s.b);
    ck_ct_clear(&s.out);
    ck_evk_free(s.evk);
    ck_secret_free(s.sk);
    ck_context_free(s.ctx);
    free(x);
    bench_long(emit, arg);
}
