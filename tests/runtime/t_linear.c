// SPDX-License-Identifier: Apache-2.0
// Linear maps against the same sums on doubles: both widths of plaintexts, babies in Q and in QP, folds, biases,
// several inputs and outputs, keys of different gadgets, several slot counts, errors, equal bits for any number of
// threads.
#include "fixture.h"
#include "internal.h"

#include <string.h>

enum { NIN = 2, NOUT = 3, MAXTERM = 640 };

struct net {
    struct ck_lin lin;
    struct ck_lin_term term[MAXTERM];
    struct ck_pt_ref bias[NOUT];
    int32_t giant[4], baby[4], fold[3];
    double *plain[MAXTERM], *plain_bias[NOUT];  // what the quantised plaintexts decode to
    struct ck_weights weights;
    size_t used;
};

// Quantises n values at `scale` into width bytes and appends them; returns what they decode to.
static double *put(struct net *net, const struct ck_context *ctx, struct ck_pt_ref *ref, const double *v, double scale,
                   uint32_t width)
{
    const size_t n = (size_t)1 << ctx->par.log_slots;
    double *pair = calloc(2 * n, sizeof *pair), *coeff = malloc(2 * n * sizeof *coeff), *got = malloc(n * sizeof *got), top = 1;
    for (size_t i = 0; i < n; i++) pair[2 * i] = v[i];
    ck_embed(coeff, ctx, pair, scale);
    for (size_t i = 0; i < 2 * n; i++) top = fmax(top, fabs(coeff[i]));
    const uint32_t room = width == 2 ? 14 : 30;
    uint32_t shift = 0;
    while (ldexp(top, -(int)shift) >= ldexp(1, (int)room)) shift++;
    *ref = (struct ck_pt_ref){.offset = net->used, .shift = shift, .width = width};
    uint8_t *to = (uint8_t *)net->weights.data + net->used;
    for (size_t i = 0; i < 2 * n; i++) {
        double r = rint(ldexp(coeff[i], -(int)shift));
        if (width == 2) ((int16_t *)(void *)to)[i] = (int16_t)r;
        else ((int32_t *)(void *)to)[i] = (int32_t)r;
        coeff[i] = ldexp(r, (int)shift);
    }
    net->used += 2 * n * width;
    ck_unembed(pair, ctx, coeff, scale);
    for (size_t i = 0; i < n; i++) got[i] = pair[2 * i];
    free(pair);
    free(coeff);
    return got;
}

static void net_init(struct net *net, const struct ck_context *ctx, uint32_t level, double in_scale, double out_scale,
                     uint32_t ngiant, uint32_t nbaby, uint32_t nfold, uint32_t width, uint32_t repeat)
{
    const int32_t n = 1 << ctx->par.log_slots;
    memset(net, 0, sizeof *net);
    net->weights.size = (size_t)(MAXTERM + NOUT) * 2 * (size_t)n * 4;
    net->weights.data = malloc(net->weights.size);
    for (uint32_t i = 0; i < 4; i++) {
        net->giant[i] = (int32_t)i * 4;
        net->baby[i] = (int32_t)i - (i == 3) * 4;   // 0, 1, 2, -1
    }
    for (uint32_t i = 0; i < 3; i++) net->fold[i] = n >> (i + 1);
    double *v = malloc((size_t)n * sizeof *v);
    uint32_t t = 0;
    for (uint16_t o = 0; o < NOUT; o++)
        for (uint16_t g = 0; g < ngiant; g++)
            for (uint16_t i = 0; i < NIN; i++)
                for (uint32_t r = 0; r < repeat * nbaby; r++) {
                    const uint16_t b = (uint16_t)(r / repeat);
                    if ((o + g + i + b) % 5 == 4 || (o == 2 && i == 0)) continue;   // holes
                    net->term[t] = (struct ck_lin_term){.out = o, .in = i, .giant = g, .baby = b};
                    fixture_values(v, (size_t)n, 1, 100 + t);
                    const double scale = out_scale * (double)ctx->par.q[level] / in_scale;
                    net->plain[t] = put(net, ctx, &net->term[t].pt, v, scale, width);
                    t++;
                }
    for (int o = 0; o < NOUT; o++) {
        fixture_values(v, (size_t)n, 1, 900 + (uint64_t)o);
        net->plain_bias[o] = put(net, ctx, &net->bias[o], v, out_scale, 4);
    }
    free(v);
    net->lin = (struct ck_lin){.nin = NIN, .nout = NOUT, .ngiant = ngiant, .nbaby = nbaby, .nfold = nfold, .nterm = t,
        .giant = net->giant, .baby = net->baby, .fold = net->fold, .term = net->term, .bias = net->bias,
        .out_scale = out_scale};
}

static void net_clear(struct net *net)
{
    for (int i = 0; i < MAXTERM; i++) free(net->plain[i]);
    for (int i = 0; i < NOUT; i++) free(net->plain_bias[i]);
    free((void *)(uintptr_t)net->weights.data);
}

static void net_plain(const struct net *net, double *want[NOUT], double *const x[NIN], int32_t n)
{
    double *sum = malloc((size_t)n * sizeof *sum);
    for (int o = 0; o < NOUT; o++) memset(want[o], 0, (size_t)n * sizeof **want);
    for (uint32_t t = 0; t < net->lin.nterm; t++) {
        const struct ck_lin_term *term = &net->term[t];
        const int32_t g = net->giant[term->giant], b = net->baby[term->baby];
        for (int32_t i = 0; i < n; i++) {
            int32_t s = (i + g) % n;
            want[term->out][i] += net->plain[t][s] * x[term->in][(s + b + n) % n];
        }
    }
    for (int o = 0; o < NOUT; o++) {
        for (uint32_t f = 0; f < net->lin.nfold; f++) {
            for (int32_t i = 0; i < n; i++) sum[i] = want[o][i] + want[o][(i + net->fold[f]) % n];
            memcpy(want[o], sum, (size_t)n * sizeof *sum);
        }
        for (int32_t i = 0; net->lin.bias && i < n; i++) want[o][i] += net->plain_bias[o][i];
    }
    free(sum);
}

struct bench {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_evk *evk;
    const struct ck_route *route;
    size_t nroute;
    struct ck_ct in[NIN], out[NOUT], again[NOUT];
    double *x[NIN], *want[NOUT], *got;
};

// Every product of a giant step and a baby occurs `repeat` times, with other plaintexts.
static void run_many(struct bench *b, uint32_t level, uint32_t ngiant, uint32_t nbaby, uint32_t nfold, uint32_t width, uint32_t repeat,
                     const char *name)
{
    const struct ck_params *par = &b->ctx->par;
    const int32_t n = 1 << par->log_slots;
    const double in_scale = (double)par->q[level], out_scale = in_scale * 0.75;
    struct net net;
    net_init(&net, b->ctx, level, in_scale, out_scale, ngiant, nbaby, nfold, width, repeat);
    for (int i = 0; i < NIN; i++) CHECK_OK(ck_encrypt(&b->in[i], b->ctx, b->sk, b->x[i], level, in_scale));
    net_plain(&net, b->want, b->x, n);
    struct ck_eval *ev;
    CHECK_OK(ck_eval_new(&ev, b->ctx, b->evk, &net.weights));
    ck_eval_use_routes(ev, b->route, b->nroute);
    CHECK_OK(ck_linear_reserve(ev, &net.lin, level));
    const size_t reserved = ev->scratch.size;
    CHECK_OK(ck_linear(ev, b->out, b->in, &net.lin));
    CHECK(ev->scratch.size == reserved && ev->scratch.used == 0);
    for (int o = 0; o < NOUT; o++) {
        CHECK(b->out[o].level == level - 1 && b->out[o].scale == out_scale);
        CHECK_OK(ck_decrypt(b->got, b->ctx, b->sk, &b->out[o]));
        // fresh noise through about 2^(5+nfold) products of size one
        const double bits = log2(in_scale) - 0.5 * par->logn - 10 - nfold - log2(repeat);
        CHECK_PRECISION(name, b->got, b->want[o], (size_t)n, bits, bits + 1.5);
    }
    // the same bits from another number of threads, and from one input at a time
    const int threads = b->ctx->threads;
    b->ctx->threads = threads == 1 ? 3 : 1;
    struct ck_eval *ev2;
    CHECK_OK(ck_eval_new(&ev2, b->ctx, b->evk, &net.weights));
    ck_eval_use_routes(ev2, b->route, b->nroute);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(ck_linear(ev2, b->again, b->in, &net.lin));
        const size_t poly = (size_t)(b->out[0].max_level + 1) * b->ctx->n, bytes = level * b->ctx->n * sizeof(uint64_t);
        for (int o = 0; o < NOUT; o++)
            for (int i = 0; i < 2; i++) CHECK(!memcmp(b->out[o].data + i * poly, b->again[o].data + i * poly, bytes));
        ev2->baby_bytes = 0;
    }
    b->ctx->threads = threads;

    const struct ck_lin keep = net.lin;
    const int32_t strange = 3;
    net.lin.fold = &strange;
    net.lin.nfold = 1;
    CHECK(ck_linear(ev, b->out, b->in, &net.lin) == CK_EKEY);
    net.lin = keep;
    net.term[1].pt.offset = net.weights.size - 2;
    CHECK(ck_linear(ev, b->out, b->in, &net.lin) == CK_EFORMAT);
    net.term[1].pt.offset = 0;
    net.term[1].out = 7;
    CHECK(ck_linear(ev, b->out, b->in, &net.lin) == CK_ESHAPE);
    b->in[1].level--;
    net.term[1].out = 0;
    CHECK(ck_linear(ev, b->out, b->in, &net.lin) == CK_ELEVEL);
    ck_eval_free(ev);
    ck_eval_free(ev2);
    net_clear(&net);
}

static void run(struct bench *b, uint32_t level, uint32_t ngiant, uint32_t nbaby, uint32_t nfold, uint32_t width, const char *name)
{
    run_many(b, level, ngiant, nbaby, nfold, width, 1, name);
}

static void run_all(struct bench *b, uint32_t top)
{
    run_many(b, top, 4, 4, 0, 2, 6, "more terms than are held at once");
    run_many(b, top, 1, 4, 1, 2, 24, "a giant step with more terms than are held");
    run(b, top, 4, 4, 0, 4, "giants and babies, int32");
    run(b, top, 1, 4, 2, 2, "babies and folds, int16");
    run(b, top - 1, 4, 1, 0, 4, "giants only");
    run(b, top, 1, 1, 0, 4, "no rotation");
    struct ck_evk *keys = b->evk;
    b->evk = NULL;
    run(b, top, 1, 1, 0, 4, "no keys at all");
    b->evk = keys;
    run(b, top - 1, 2, 4, 3, 4, "few giants, folds");
    run(b, 1, 4, 4, 1, 4, "mixed gadgets");
}

// Single rotations against the same by one key. Noise: a key switch at most per step.
static void rotate_all(struct bench *b, uint32_t top)
{
    const int32_t n = 1 << b->ctx->par.log_slots, turn[] = {0, 1, 2, -1, n - 1, 12, 8 - n, n / 2, n};
    struct ck_eval *ev;
    CHECK_OK(ck_eval_new(&ev, b->ctx, b->evk, NULL));
    ck_eval_use_routes(ev, b->route, b->nroute);
    const double scale = (double)b->ctx->par.q[top];
    CHECK_OK(ck_encrypt(&b->in[0], b->ctx, b->sk, b->x[0], top, scale));
    for (uint32_t level = top; level; level = level > 1 ? 1 : 0) {
        CHECK_OK(ck_drop(ev, &b->in[0], &b->in[0], level));
        for (uint32_t t = 0; t < sizeof turn / sizeof *turn; t++) {
            CHECK_OK(ck_rotate(ev, &b->out[0], &b->in[0], turn[t]));
            CHECK_OK(ck_drop(ev, &b->out[1], &b->in[0], level));
            CHECK_OK(ck_rotate(ev, &b->out[1], &b->out[1], turn[t]));       // in place
            const size_t bytes = (level + 1) * b->ctx->n * sizeof(uint64_t);
            CHECK(b->out[0].level == level && b->out[0].scale == scale && !memcmp(b->out[0].data, b->out[1].data, bytes));
            CHECK_OK(ck_decrypt(b->got, b->ctx, b->sk, &b->out[0]));
            for (int32_t i = 0; i < n; i++) b->want[0][i] = b->x[0][((i + turn[t]) % n + n) % n];
            const double bits = log2(scale) - 0.5 * b->ctx->logn - 8;
            CHECK_PRECISION("a rotation", b->got, b->want[0], (size_t)n, bits - 1, bits + 1.5);
        }
        CHECK(ck_rotate(ev, &b->out[0], &b->in[0], 3) == CK_EKEY && b->out[0].level == level);
    }
    ck_eval_free(ev);
}

int main(void)
{
    const struct {
        uint32_t logn, log_slots;
        double bits;
        uint32_t nq, np, alpha;
    } set[] = {{10, 9, 40, 4, 2, 2}, {11, 6, 36, 3, 1, 1}, {12, 11, 45, 10, 5, 5}, {12, 10, 40, 4, 2, 2}};
    for (size_t s = 0; s < sizeof set / sizeof *set; s++) {
        struct ck_params par = fixture_params(set[s].logn, set[s].log_slots, set[s].bits, set[s].nq, set[s].np, set[s].alpha);
        const uint32_t top = par.nq - 1;
        const int32_t n = 1 << par.log_slots;
        // rotations 2 and 8 have only a key of lower level (of another gadget where there are several), so both uses
        // mix
        struct ck_key_spec spec[] = {{0, top}, {1, top}, {2, top}, {-1, top}, {4, top}, {8, top}, {12, top}, {n / 2, top},
            {n / 4, top}, {n / 8, top}, {2, 1}, {8, 1}};
        struct bench b = {0};
        CHECK_OK(ck_context_new(&b.ctx, &par, 1 + (int)s % 2));
        CHECK_OK(ck_secret_new(&b.sk, b.ctx));
        CHECK_OK(ck_evk_new(&b.evk, b.ctx, b.sk, spec, sizeof spec / sizeof *spec));
        for (int i = 0; i < NIN; i++) {
            CHECK_OK(ck_ct_init(&b.in[i], b.ctx, top, 1));
            b.x[i] = malloc((size_t)n * sizeof(double));
            fixture_values(b.x[i], (size_t)n, 1, 7 + (uint64_t)i);
        }
        for (int i = 0; i < NOUT; i++) {
            CHECK_OK(ck_ct_init(&b.out[i], b.ctx, top, 1));
            CHECK_OK(ck_ct_init(&b.again[i], b.ctx, top, 1));
            b.want[i] = malloc((size_t)n * sizeof(double));
        }
        b.got = malloc((size_t)n * sizeof(double));
        run_all(&b, top);
        // The same with fewer keys: babies by one and three steps, giants and folds in chains, other routes at the lowest level.
        const struct ck_key_spec few[] = {{0, top}, {1, top}, {4, top}, {n - 6, top}, {n / 8, top}, {2, 1}, {n - 3, 1}, {4, 1}};
        const struct ck_route route[] = {{2, top, 1}, {5, top, 4}, {8, 1, 4}, {8, top, 4}, {12, top, 4}, {n / 4, top, n / 8},
            {3 * n / 8, top, n / 8}, {n / 2, top, n / 8}, {n - 1, 1, n - 3}, {n - 1, top, n - 6}};
        rotate_all(&b, top);
        ck_evk_free(b.evk);
        CHECK_OK(ck_evk_new(&b.evk, b.ctx, b.sk, few, sizeof few / sizeof *few));
        b.route = route;
        b.nroute = sizeof route / sizeof *route;
        run_all(&b, top);
        rotate_all(&b, top);
        for (int i = 0; i < NIN; i++) {
            ck_ct_clear(&b.in[i]);
            free(b.x[i]);
        }
        for (int i = 0; i < NOUT; i++) {
            ck_ct_clear(&b.out[i]);
            ck_ct_clear(&b.again[i]);
            free(b.want[i]);
        }
        free(b.got);
        ck_evk_free(b.evk);
        ck_secret_free(b.sk);
        ck_context_free(b.ctx);
    }
    return test_done();
}
