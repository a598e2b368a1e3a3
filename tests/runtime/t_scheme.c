// SPDX-License-Identifier: Apache-2.0
// The scheme as a whole: noise of every operation within its bound, equal bits from every kernel table and number of
// threads, refusals when memory runs out at any allocation, contents of keys.
#include "fixture.h"
#include "internal.h"

#include <string.h>

enum { LOGN = 12 };

struct world {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_evk *evk;
    struct ck_eval *ev;
};

static const struct ck_params *params(void)
{
    static struct ck_params par;
    if (!par.logn) par = fixture_params(LOGN, 10, 45, 6, 3, 3);
    return &par;
}

static enum ck_err world_new(struct world *w, int threads)
{
    static const struct ck_key_spec spec[] = {{0, 5}, {1, 5}, {7, 5}, {1, 1}};
    memset(w, 0, sizeof *w);
    CK_TRY(ck_context_new(&w->ctx, params(), threads));
    CK_TRY(ck_secret_new(&w->sk, w->ctx));
    CK_TRY(ck_evk_new(&w->evk, w->ctx, w->sk, spec, 4));
    return ck_eval_new(&w->ev, w->ctx, w->evk, NULL);
}

static void world_free(struct world *w)
{
    ck_eval_free(w->ev);
    ck_evk_free(w->evk);
    ck_secret_free(w->sk);
    ck_context_free(w->ctx);
}

// Largest centred coefficient of the phase of ct minus want (level+1 limbs, coefficient form).
static double noise(const struct world *w, const struct ck_ct *ct, const uint64_t *want)
{
    const size_t n = w->ctx->n;
    uint64_t *phase = malloc((ct->level + 1) * n * sizeof *phase);
    double *c = malloc(n * sizeof *c), worst = 0;
    CHECK_OK(ck_phase(phase, w->ctx, w->sk, ct));
    for (uint32_t j = 0; j <= ct->level; j++)
        w->ctx->k->sub(phase + j * n, phase + j * n, want + j * n, n, &w->ctx->mod[j]);
    ck_compose(c, w->ctx, phase, ct->level + 1, 1);
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs(c[i]));
    free(phase);
    free(c);
    return worst;
}

static void noise_bounds(struct world *w)
{
    const struct ck_context *ctx = w->ctx;
    const size_t n = ctx->n;
    const double scale = (double)ctx->par.q[5];
    struct ck_ct a, b;
    double *x = malloc(((size_t)1 << ctx->par.log_slots) * sizeof *x);
    uint64_t *want = malloc(6 * n * sizeof *want), *was = malloc(6 * n * sizeof *was);
    memset(x, 0, ((size_t)1 << ctx->par.log_slots) * sizeof *x);
    CHECK_OK(ck_ct_init(&a, ctx, 5, 2));
    CHECK_OK(ck_ct_init(&b, ctx, 5, 2));
    // A rounding by division: (1 + ||s||_1)/2 at worst; 8 standard deviations of uniform remainders times a ternary
    // secret.
    const double rounding = 8 * sqrt((1 + 2.0 / 3 * (double)n) / 12);

    CHECK_OK(ck_encrypt(&a, ctx, w->sk, x, 5, scale));
    memset(want, 0, 6 * n * sizeof *want);
    double e = noise(w, &a, want);
    CHECKF(e >= 3 && e <= 30, "fresh noise %f", e);

    fixture_values(x, (size_t)1 << ctx->par.log_slots, 1, 9);
    CHECK_OK(ck_encrypt(&a, ctx, w->sk, x, 5, scale));
    CHECK_OK(ck_phase(was, ctx, w->sk, &a));
    for (uint32_t level = 5; level + 1 > 0; level--) {
        // rotation: error of the inner product, sqrt(d N / 12) sigma D/P, and two roundings
        CHECK_OK(ck_drop(w->ev, &b, &a, level));
        CHECK_OK(ck_rotate(w->ev, &b, &b, 1));
        const struct ck_key *key = ck_evk_find(w->evk, ck_galois_rotation(ctx, 1), level);
        const struct ck_gadget *g = &w->evk->gadget[key->gadget];
        double ratio = 0, digits = ck_gadget_digits(g, level + 1);
        for (uint32_t j = 0; j < g->alpha && j <= level; j++) ratio += log2((double)ctx->par.q[j]);
        for (uint32_t j = 0; j < g->np; j++) ratio -= log2((double)ctx->par.p[j]);
        const uint32_t gal = ck_galois_rotation(ctx, 1);
        for (uint32_t j = 0; j <= level; j++)
            for (size_t i = 0; i < n; i++) {
                const size_t to = i * gal % (2 * n);
                const uint64_t v = was[j * n + i];
                want[j * n + to % n] = to < n || v == 0 ? v : ctx->mod[j].q - v;
            }
        e = noise(w, &b, want);
        const double bound = 8 * sqrt(digits * (double)n / 12) * 3.19 * exp2(ratio) + rounding;
        CHECKF(e <= bound && e > 1, "rotation at level %u: noise %f, bound %f", level, e, bound);
    }
    // rescale: q_l times the result is the old phase but for the rounding
    CHECK_OK(ck_rescale(w->ev, &b, &a));
    uint64_t *now = malloc(6 * n * sizeof *now);
    CHECK_OK(ck_phase(now, ctx, w->sk, &b));
    double worst = 0, *c = malloc(n * sizeof *c);
    for (uint32_t j = 0; j < 5; j++) {
        const struct ck_shoup q = ck_shoup_init(ctx->par.q[5] % ctx->par.q[j], &ctx->mod[j]);
        ctx->k->mulc(now + j * n, now + j * n, &q, n, &ctx->mod[j]);
        ctx->k->sub(now + j * n, now + j * n, was + j * n, n, &ctx->mod[j]);
    }
    ck_compose(c, ctx, now, 5, 1);
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs(c[i]) / (double)ctx->par.q[5]);
    CHECKF(worst <= rounding && worst > 1, "rescale: noise %f, bound %f", worst, rounding);
    // merged relinearisation and rescale agrees with the two steps but for the roundings
    struct ck_ct d;
    CHECK_OK(ck_ct_init(&d, ctx, 5, 2));
    CHECK_OK(ck_mul(w->ev, &b, &a, &a));
    CHECK_OK(ck_relin_rescale(w->ev, &d, &b));
    CHECK_OK(ck_relin(w->ev, &b, &b));
    CHECK_OK(ck_rescale(w->ev, &b, &b));
    CHECK_OK(ck_phase(now, ctx, w->sk, &d));
    e = noise(w, &b, now);
    CHECKF(e <= 2 * rounding, "merged rescale: difference %f", e);
    ck_ct_clear(&a);
    ck_ct_clear(&b);
    ck_ct_clear(&d);
    free(x);
    free(want);
    free(was);
    free(now);
    free(c);
}

static bool same(const struct ck_ct *a, const struct ck_ct *b)
{
    if (a->level != b->level || a->degree != b->degree || a->scale != b->scale) return false;
    for (uint32_t i = 0; i <= a->degree; i++)
        if (memcmp(ck_ct_poly(a, i), ck_ct_poly(b, i), ((size_t)(a->level + 1) << a->logn) * sizeof(uint64_t))) return false;
    return true;
}

static void program(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in)
{
    static const double c[] = {0.1, 0.5, -0.25, 0.125, 0.3, 0, 0.01, -0.5};
    const struct ck_poly p = {.degree = 7, .c = c, .out_scale = 0x1.23p45};
    struct ck_ct t;
    CHECK_OK(ck_ct_init(&t, ev->ctx, in->level, 2));
    CHECK_OK(ck_rotate(ev, &t, in, 7));
    CHECK_OK(ck_rotate(ev, &t, &t, 1));
    CHECK_OK(ck_mul(ev, &t, &t, in));
    CHECK_OK(ck_relin_rescale(ev, &t, &t));
    CHECK_OK(ck_poly_eval(ev, out, &t, &p));
    CHECK_OK(ck_mul_const(ev, out, out, 0.77, 0x1p44));
    CHECK_OK(ck_add_const(ev, out, out, -3));
    CHECK_OK(ck_sub(ev, out, out, out));
    CHECK_OK(ck_rotate(ev, &t, &t, 1));
    CHECK_OK(ck_drop(ev, &t, &t, out->level));
    t.scale = out->scale;
    CHECK_OK(ck_add(ev, out, out, &t));
    ck_ct_clear(&t);
}

// The same keys and ciphertext under every kernel table and 1, 2, 5 threads.
static void equal_bits(struct world *w)
{
    static const char *const names[] = {"c", "avx2", "avx512", "ifma"};
    const double scale = (double)params()->q[5];
    double *x = malloc(((size_t)1 << params()->log_slots) * sizeof *x);
    fixture_values(x, (size_t)1 << params()->log_slots, 1, 11);
    struct ck_ct in, first, out;
    uint8_t seed[CK_SEED_BYTES];
    CHECK_OK(ck_ct_init(&in, w->ctx, 5, 1));
    CHECK_OK(ck_ct_init(&first, w->ctx, 5, 2));
    CHECK_OK(ck_ct_init(&out, w->ctx, 5, 2));
    CHECK_OK(ck_encrypt_seeded(&in, seed, w->ctx, w->sk, x, 5, scale));
    program(w->ev, &first, &in);
    for (size_t i = 0; i < 4; i++) {
        if (!ck_kernels_named(names[i])) {
            SKIP(names[i]);
            continue;
        }
        setenv("CK_CPU", names[i], 1);
        for (int threads = 1; threads <= 5; threads += threads == 1 ? 1 : 3) {
            struct ck_context *ctx;
            struct ck_evk *evk;
            struct ck_eval *ev;
            struct ck_galois_spec spec[8];
            CHECK_OK(ck_context_new(&ctx, params(), threads));
            for (uint32_t k = 0; k < w->evk->nkey; k++)
                spec[k] = (struct ck_galois_spec){w->evk->key[k].galois, w->evk->key[k].level};
            CHECK_OK(ck_evk_alloc(&evk, ctx, spec, w->evk->nkey, false));
            for (uint32_t k = 0; k < evk->nkey; k++) {
                memcpy(evk->key[k].seed, w->evk->key[k].seed, CK_SEED_BYTES);
                memcpy(evk->key[k].b, w->evk->key[k].b, ck_key_bytes(evk, &evk->key[k]));
            }
            CHECK_OK(ck_eval_new(&ev, ctx, evk, NULL));
            struct ck_ct again;
            CHECK_OK(ck_ct_init(&again, ctx, 5, 1));
            CHECK_OK(ck_drop(ev, &again, &in, 5));
            memset(ck_ct_poly(&again, 1), 0, 6 * ctx->n * sizeof(uint64_t));
            CHECK_OK(ck_ct_expand(&again, ctx, seed));
            CHECKF(same(&again, &in), "%s: another expansion", names[i]);
            program(ev, &out, &in);
            CHECKF(same(&out, &first), "%s, %d threads: other bits", names[i], threads);
            ck_ct_clear(&again);
            ck_eval_free(ev);
            ck_evk_free(evk);
            ck_context_free(ctx);
        }
    }
    unsetenv("CK_CPU");
    ck_ct_clear(&in);
    ck_ct_clear(&first);
    ck_ct_clear(&out);
    free(x);
}

// Every allocation fails once; the result is CK_ENOMEM and nothing leaks (the sanitizer build sees that).
static void no_memory(void)
{
    double *x = calloc((size_t)1 << params()->log_slots, sizeof *x);
    uint64_t n = 0;
    for (enum ck_err err = CK_ENOMEM; err != CK_OK && n < 2000;) {
        struct world w;
        struct ck_ct a = {0};
        ck_mem_fail_at(++n);
        err = world_new(&w, 1);
        if (err == CK_OK) err = ck_ct_init(&a, w.ctx, 5, 2);
        if (err == CK_OK) err = ck_encrypt(&a, w.ctx, w.sk, x, 5, 0x1p40);
        if (err == CK_OK) err = ck_decrypt(x, w.ctx, w.sk, &a);
        ck_mem_fail_at(0);
        CHECK(err == CK_OK || err == CK_ENOMEM);
        ck_ct_clear(&a);
        world_free(&w);
    }
    CHECKF(n > 30 && n < 2000, "%lu allocations", (unsigned long)n);
    free(x);
}

static void keys(struct world *w)
{
    // b-parts only: digits (ell+K) limbs of N residues of as many bits as their primes, and one permutation per rotation
    size_t bits = 0;
    for (uint32_t i = 0; i < w->evk->nkey; i++) {
        const struct ck_key *k = &w->evk->key[i];
        const struct ck_gadget *g = &w->evk->gadget[k->gadget];
        for (uint32_t j = 0; j < k->level + 1 + g->np; j++)
            bits += ck_gadget_digits(g, k->level + 1) * w->ctx->mod[ck_limb_prime(w->ctx, k->level + 1, j)].bits;
    }
    CHECK(ck_evk_bytes(w->evk) == w->ctx->n / 8 * bits + 2 * sizeof(struct ck_perm));
    CHECK(ck_evk_find(w->evk, ck_galois_rotation(w->ctx, 1), 0)->level == 1);
    CHECK(ck_evk_find(w->evk, ck_galois_rotation(w->ctx, 1), 2)->level == 5);
    CHECK(!ck_evk_find(w->evk, ck_galois_rotation(w->ctx, 2), 0));
    struct ck_evk *bad = NULL;
    const struct ck_key_spec high = {1, 6}, far = {1 << 10, 2};
    CHECK(ck_evk_new(&bad, w->ctx, w->sk, &high, 1) == CK_ELEVEL && !bad);
    CHECK(ck_evk_new(&bad, w->ctx, w->sk, &far, 1) == CK_ERANGE && !bad);
    // secrets: ternary, about two thirds of them not zero; from coefficients; sparse
    size_t weight = 0;
    for (size_t i = 0; i < w->ctx->n; i++) weight += w->sk->coeff[i] != 0;
    CHECK(fabs((double)weight - 2.0 / 3 * (double)w->ctx->n) < 6 * sqrt((double)w->ctx->n * 2 / 9));
    struct ck_secret *copy, *sparse;
    CHECK_OK(ck_secret_from(&copy, w->ctx, w->sk->coeff));
    CHECK(!memcmp(copy->ntt, w->sk->ntt, w->ctx->nprimes * w->ctx->n * sizeof(uint64_t)));
    CHECK_OK(ck_secret_new_sparse(&sparse, w->ctx, 32));
    copy->coeff[5] = 2;
    struct ck_secret *wrong = NULL;
    CHECK(ck_secret_from(&wrong, w->ctx, copy->coeff) == CK_ERANGE && !wrong);
    ck_secret_free(copy);
    ck_secret_free(sparse);
    // Galois elements
    for (int32_t k = -1023; k < 1024; k += 31) {
        const uint32_t g = ck_galois_rotation(w->ctx, k), h = ck_galois_inverse(w->ctx, g);
        CHECK((uint64_t)g * h % (2 * w->ctx->n) == 1 && g == ck_galois_rotation(w->ctx, k + 1024));
    }
    CHECK(ck_galois_conjugate(w->ctx) == 2 * w->ctx->n - 1);
}

static size_t steps_seen;
static enum ck_err count_step(void *arg, size_t step)
{
    steps_seen += step + *(size_t *)arg;
    return step < 5 ? CK_OK : CK_EIO;
}

int main(void)
{
    struct world w;
    CHECK_OK(world_new(&w, 2));
    noise_bounds(&w);
    keys(&w);
    equal_bits(&w);
    size_t add = 100;
    CHECK_OK(ck_eval_step(w.ev, 1));
    ck_eval_watch(w.ev, count_step, &add);
    CHECK_OK(ck_eval_step(w.ev, 1));
    CHECK(steps_seen == 101 && ck_eval_step(w.ev, 5) == CK_EIO);
    world_free(&w);
    no_memory();
    return test_done();
}
