// SPDX-License-Identifier: Apache-2.0
// One bootstrap of each set of tests/runtime/boot_sets.h, whole and by part, in microseconds and in transforms of the same run, with its
// precision; one and two threads.
#include "bench.h"
#include "bench_scheme.h"
#include "boot.h"
#include "internal.h"
#include "../runtime/boot_sets.h"

#include <stdio.h>
#include <stdlib.h>

enum { RUNS = 3, NTTS = 32 };

struct world {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_boot *boot;
    struct ck_evk *evk;
    struct ck_eval *ev;
    struct ck_ct in, out, tmp;
    uint64_t *limbs;
};

static void must(enum ck_err err)
{
    if (err == CK_OK) return;
    fprintf(stderr, "bench: %s\n", ck_err_text(err));
    exit(1);
}

static void do_ntts(void *arg)
{
    struct world *w = arg;
    for (size_t i = 0; i < NTTS; i++) w->ctx->k->ntt(w->limbs + i * w->ctx->n, w->ctx->ntt[1]);
}

static void do_stc(void *arg)
{
    struct world *w = arg;
    must(ck_boot_stc(w->ev, &w->out, &w->in, w->boot));
}

static void do_modraise(void *arg)
{
    struct world *w = arg;
    must(ck_boot_modraise(w->ev, &w->tmp, &w->out, w->boot));
}

static void do_cts(void *arg)
{
    struct world *w = arg;
    must(ck_boot_cts(w->ev, &w->out, &w->tmp, w->boot));
}

static void do_evalmod(void *arg)
{
    struct world *w = arg;
    must(ck_boot_evalmod(w->ev, &w->tmp, &w->out, w->boot));
}

static void precision(struct world *w, char *to, size_t room, const char *name, double *x)
{
    const size_t n = (size_t)1 << w->ctx->par.log_slots;
    double *y = malloc(n * sizeof *y), worst = 0, sum = 0;
    if (!y) exit(1);
    must(ck_decrypt(y, w->ctx, w->sk, &w->tmp));
    for (size_t i = 0; i < n; i++) {
        const double e = fabs(y[i] - x[i]);
        worst = fmax(worst, e);
        sum += e;
    }
    snprintf(to, room, "%s n=2^%u left=%u min=%.1f mean=%.1f bits", name, w->ctx->par.log_slots, ck_boot_level(w->boot), -log2(worst),
             -log2(sum / (double)n));
    free(y);
}

static void measure(const struct named_set *set, bench_row_fn emit, void *arg)
{
    static const struct {
        const char *name;
        void (*call)(void *);
    } part[] = {{"bootstrap: StC", do_stc}, {"bootstrap: ModRaise", do_modraise}, {"bootstrap: CtS", do_cts},
                {"bootstrap: EvalMod", do_evalmod}};
    struct ck_params par;
    struct ck_boot_shape shape;
    struct world w = {0};
    struct ck_galois_spec *spec = NULL;
    size_t count = 0;
    named_set_make(&par, &shape, set);
    must(ck_context_new(&w.ctx, &par, 2));
    must(ck_secret_new(&w.sk, w.ctx));
    must(ck_boot_new(&w.boot, w.ctx, &shape));
    must(ck_boot_keys(w.ctx, &shape, &spec, &count));
    must(ck_evk_new_galois(&w.evk, w.ctx, w.sk, spec, count));
    free(spec);
    must(ck_ct_init(&w.in, w.ctx, shape.top, 1));
    must(ck_ct_init(&w.out, w.ctx, shape.top, 1));
    must(ck_ct_init(&w.tmp, w.ctx, shape.top, 1));
    const size_t n = (size_t)1 << par.log_slots, bytes = (size_t)NTTS * w.ctx->n * 8;
    double *x = malloc(n * sizeof *x);
    w.limbs = ck_mem_alloc(bytes);
    if (!x || !w.limbs) exit(1);
    for (size_t i = 0; i < n; i++) x[i] = 2 * fmod((double)i * 0.6180339887498949, 1) - 1;
    for (int threads = 1; threads <= 2; threads++) {
        w.ctx->threads = threads;
        must(ck_eval_new(&w.ev, w.ctx, w.evk, NULL));
        must(ck_encrypt(&w.in, w.ctx, w.sk, x, shape.stc_levels, ck_boot_scale(w.boot)));
        const double ntt = bench_median(do_ntts, &w, RUNS) / NTTS;
        double us[4], sum = 0;
        for (int i = 0; i < 4; i++) sum += us[i] = bench_median(part[i].call, &w, RUNS);
        char text[96];
        precision(&w, text, sizeof text, set->name, x);
        emit(arg, "bootstrap", text, threads, sum, sum / ntt);
        for (int i = 0; i < 4; i++) emit(arg, part[i].name, set->name, threads, us[i], us[i] / ntt);
        ck_eval_free(w.ev);
    }
    ck_mem_free(w.limbs, bytes);
    ck_ct_clear(&w.in);
    ck_ct_clear(&w.out);
    ck_ct_clear(&w.tmp);
    ck_evk_free(w.evk);
    ck_boot_free(w.boot);
    ck_secret_free(w.sk);
    ck_context_free(w.ctx);
    free(x);
}

void bench_boot(bench_row_fn emit, void *arg)
{
    for (size_t i = 0; i < sizeof named_sets / sizeof *named_sets; i++) measure(&named_sets[i], emit, arg);
}
