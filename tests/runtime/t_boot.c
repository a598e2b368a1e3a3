// SPDX-License-Identifier: Apache-2.0
// Bootstrapping on test rings (marked insecure): precision against the plain slots for full and sparse packing, edge messages, many in a
// row, thread counts, and the rule on keys under the sparse secret. `t_boot full` runs the 128-bit set at N = 2^16.
#include "boot_impl.h"
#include "boot_sets.h"
#include "fixture.h"

#include <string.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

struct set {
    struct ck_params par;
    struct ck_boot_shape shape;
};

/* A test ring with the primes of the standard set and `user` levels besides those of StC. */
static struct set make_set(uint32_t logn, uint32_t log_slots, uint32_t user, uint32_t np, uint32_t alpha)
{
    struct named_set small = named_sets[0];
    small.logn = logn;
    small.log_slots = log_slots;
    small.left = user + 2;
    small.np = np;
    small.alpha = alpha;
    struct set s;
    named_set_make(&s.par, &s.shape, &small);
    return s;
}

struct world {
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_boot *boot;
    struct ck_evk *evk;
    struct ck_eval *ev;
    struct ck_ct in, out, tmp;
    size_t n;
    double *x, *y;
};

static int open_world(struct world *w, const struct set *s, int threads)
{
    memset(w, 0, sizeof *w);
    struct ck_galois_spec *spec = NULL;
    size_t count = 0;
    enum ck_err e = ck_context_new(&w->ctx, &s->par, threads);
    if (!e) e = ck_secret_new(&w->sk, w->ctx);
    if (!e) e = ck_boot_new(&w->boot, w->ctx, &s->shape);
    if (!e) e = ck_boot_keys(w->ctx, &s->shape, &spec, &count);
    if (!e) e = ck_evk_new_galois(&w->evk, w->ctx, w->sk, spec, count);
    if (!e) e = ck_eval_new(&w->ev, w->ctx, w->evk, NULL);
    if (!e) e = ck_ct_init(&w->in, w->ctx, s->shape.top, 1);
    if (!e) e = ck_ct_init(&w->out, w->ctx, s->shape.top, 1);
    if (!e) e = ck_ct_init(&w->tmp, w->ctx, s->shape.top, 1);
    free(spec);
    w->n = (size_t)1 << s->par.log_slots;
    w->x = calloc(w->n, sizeof(double));
    w->y = calloc(w->n, sizeof(double));
    CHECK_OK(e);
    return e == CK_OK && w->x && w->y;
}

static void close_world(struct world *w)
{
    ck_ct_clear(&w->in);
    ck_ct_clear(&w->out);
    ck_ct_clear(&w->tmp);
    ck_eval_free(w->ev);
    ck_evk_free(w->evk);
    ck_boot_free(w->boot);
    ck_secret_free(w->sk);
    ck_context_free(w->ctx);
    free(w->x);
    free(w->y);
}

static void once(struct world *w, const char *name, double min, double mean)
{
    CHECK_OK(ck_encrypt(&w->in, w->ctx, w->sk, w->x, 3, ck_boot_scale(w->boot)));
    CHECK_OK(ck_bootstrap(w->ev, &w->out, &w->in, &w->tmp, w->boot));
    CHECK(w->out.level == ck_boot_level(w->boot));
    CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->out));
    CHECK_PRECISION(name, w->y, w->x, w->n, min, mean);
}

static void messages(struct world *w, double min, double mean)
{
    const size_t n = w->n;
    fixture_values(w->x, n, 1, 1);
    once(w, "random", min, mean);
    memset(w->x, 0, n * sizeof *w->x);
    once(w, "zeros", min, mean);
    for (size_t i = 0; i < n; i++) w->x[i] = 1;
    once(w, "ones", min, min);
    for (size_t i = 0; i < n; i++) w->x[i] = i % 2 ? -1 : 1;
    once(w, "alternating", min, min);
    memset(w->x, 0, n * sizeof *w->x);
    w->x[n - 1] = -1;
    once(w, "one slot", min, mean);
}

// The result goes in again: the error of k bootstraps stays within k times that of one.
static void in_a_row(struct world *w, int count, double min)
{
    fixture_values(w->x, w->n, 0.9, 2);
    CHECK_OK(ck_encrypt(&w->in, w->ctx, w->sk, w->x, 3, ck_boot_scale(w->boot)));
    for (int k = 0; k < count; k++) {
        CHECK_OK(ck_bootstrap(w->ev, &w->out, &w->in, &w->tmp, w->boot));
        CHECK_OK(ck_drop(w->ev, &w->in, &w->out, 3));
    }
    CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->out));
    CHECK_PRECISION("in a row", w->y, w->x, w->n, min, min);
}

// Every slot of every message is near: a wrong I would show as an error of 1 / (2 pi ratio) or more.
static void no_failures(struct world *w, int count)
{
    int bad = 0;
    for (int k = 0; k < count; k++) {
        fixture_values(w->x, w->n, 1, 100 + (uint64_t)k);
        if (ck_encrypt(&w->in, w->ctx, w->sk, w->x, 3, ck_boot_scale(w->boot)) || ck_bootstrap(w->ev, &w->out, &w->in, &w->tmp, w->boot) ||
            ck_decrypt(w->y, w->ctx, w->sk, &w->out)) {
            bad++;
            break;
        }
        bad += fixture_precision(w->y, w->x, w->n).min < 8;
    }
    CHECKF(bad == 0, "%d of %d bootstraps failed", bad, count);
}

// What params.h says of the shape is what ck_boot_new, ck_evk and the evaluator made of it.
static void data_agrees(const struct world *w, const struct set *s)
{
    CHECK(ck_boot_check(&s->par, &s->shape) == NULL);
    CHECK(ck_boot_level(w->boot) == s->shape.top - ck_boot_depth(&s->shape));
    CHECK(ck_boot_key_bytes(&s->par, &s->shape) == (double)ck_evk_bytes(w->evk));
    int32_t rotation[CK_BOOT_MAX_KEYS];
    uint32_t level[CK_BOOT_MAX_KEYS], turns = 0;
    const uint32_t rotations = ck_boot_rotations(rotation, level, &s->par, &s->shape);
    for (uint32_t i = 0; i < w->evk->nkey; i++)      // as many as the keys of galois elements 5^r, r < n, and relinearisation
        for (int32_t r = 0; r < 1 << s->par.log_slots; r++) turns += w->evk->key[i].galois == (r ? ck_galois_rotation(w->ctx, r) : 0);
    CHECKF(rotations == turns, "%u rotations, %u keys", rotations, turns);
    for (uint32_t i = 0; i < rotations; i++) {
        const struct ck_key *key = ck_evk_find(w->evk, rotation[i] ? ck_galois_rotation(w->ctx, rotation[i]) : 0, level[i]);
        CHECK(key && key->level == level[i]);
    }
    CHECK(ck_boot_plain_bytes(&s->par, &s->shape) == (double)ck_boot_bytes(w->boot));
    const double scratch = (double)w->ev->scratch.size * 8 / ck_boot_scratch_bytes(&s->par, &s->shape);
    CHECKF(scratch > 0.6 && scratch < 1.5, "scratch is %.2f of what was said", scratch);
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_CTS; part += CK_BOOT_CTS - CK_BOOT_STC) {
        struct boot_factor f[CK_BOOT_MAX_FACTORS];
        const struct boot_map *map = part == CK_BOOT_STC ? w->boot->stc : w->boot->cts;
        const uint32_t count = ck_boot_factors(f, &s->par, &s->shape, part);
        uint32_t radix = 0, steps;
        for (uint32_t i = 0; i < count; i++) {
            radix += f[i].radix;
            steps = (1u << s->par.log_slots) >> f[i].log_stride;
            CHECK(map[i].lin.nterm == f[i].nterm && f[i].nterm == (2u << f[i].radix) - 1 - (steps == 1u << f[i].radix) * (steps - 1));
        }
        CHECK(radix == s->par.log_slots);
    }
    double sum = 0;
    for (enum ck_boot_part part = CK_BOOT_STC; part <= CK_BOOT_EVALMOD; part++)
        sum += ck_cost_boot_part(&ck_cost_default, &s->par, &s->shape, part);
    CHECK(sum > 0 && fabs(sum / ck_cost_boot(&ck_cost_default, &s->par, &s->shape) - 1) < 1e-12);
}

// Every key is needed: with one missing a bootstrap fails, unless a larger one of the same element serves.
static void no_spare_keys(const struct world *w)
{
    struct ck_ct out, tmp;
    CHECK_OK(ck_ct_init(&out, w->ctx, w->in.max_level, 1));
    CHECK_OK(ck_ct_init(&tmp, w->ctx, w->in.max_level, 1));
    for (uint32_t i = 0; i < w->evk->nkey; i++) {
        struct ck_evk less = *w->evk;
        if (i + 1 < less.nkey && less.key[i + 1].galois == less.key[i].galois) continue;
        struct ck_key *key = malloc(less.nkey * sizeof *key);
        memcpy(key, less.key, less.nkey * sizeof *key);
        memmove(key + i, key + i + 1, (less.nkey - i - 1) * sizeof *key);
        less.key = key;
        less.nkey--;
        struct ck_eval *ev;
        CHECK_OK(ck_eval_new(&ev, w->ctx, &less, NULL));
        CHECKF(ck_bootstrap(ev, &out, &w->in, &tmp, w->boot) == CK_EKEY, "key %u is not needed", key[i].galois);
        ck_eval_free(ev);
        free(key);
    }
    ck_ct_clear(&out);
    ck_ct_clear(&tmp);
}

// Smaller scales carry larger values; the four scales are those of ck_boot_part_scale.
static void ranges(struct world *w, const struct set *s, double min)
{
    for (double range = 1; range <= 16; range *= 16) {
        const double scale = ck_boot_scale(w->boot) / range;
        fixture_values(w->x, w->n, range, 5);
        CHECK_OK(ck_encrypt(&w->in, w->ctx, w->sk, w->x, s->shape.stc_levels, scale));
        CHECK_OK(ck_boot_stc(w->ev, &w->out, &w->in, w->boot));
        CHECK(w->out.level == 0 && w->out.scale == ck_boot_part_scale(&s->par, &s->shape, CK_BOOT_STC, scale));
        double want = ck_boot_part_scale(&s->par, &s->shape, CK_BOOT_MODRAISE, w->out.scale);
        CHECK_OK(ck_boot_modraise(w->ev, &w->tmp, &w->out, w->boot));
        CHECK(w->tmp.level == s->shape.top && w->tmp.scale == want);
        want = ck_boot_part_scale(&s->par, &s->shape, CK_BOOT_CTS, want);
        CHECK_OK(ck_boot_cts(w->ev, &w->out, &w->tmp, w->boot));
        CHECK(w->out.level == s->shape.top - s->shape.ncts && w->out.scale == want);
        want = ck_boot_part_scale(&s->par, &s->shape, CK_BOOT_EVALMOD, want);
        CHECK_OK(ck_boot_evalmod(w->ev, &w->tmp, &w->out, w->boot));
        CHECK(w->tmp.level == ck_boot_level(w->boot) && w->tmp.scale == want);
        CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->tmp));
        for (size_t i = 0; i < w->n; i++) w->x[i] /= range, w->y[i] /= range;
        CHECK_PRECISION("range", w->y, w->x, w->n, min, min);
    }
    w->in.scale = ck_boot_scale(w->boot) * 1025;
    CHECK(ck_boot_stc(w->ev, &w->out, &w->in, w->boot) == CK_ESCALE);
    w->in.scale = 0;
    CHECK(ck_boot_stc(w->ev, &w->out, &w->in, w->boot) == CK_ESCALE);
}

/* Two ciphertexts as real and imaginary part. */
static void pair(struct world *w, const struct set *s, double min, double mean)
{
    struct ck_ct re, im;
    double *x2 = calloc(w->n, sizeof *x2);
    CHECK_OK(ck_ct_init(&re, w->ctx, s->shape.top, 1));
    CHECK_OK(ck_ct_init(&im, w->ctx, s->shape.top, 1));
    fixture_values(w->x, w->n, 1, 6);
    fixture_values(x2, w->n, 1, 7);
    CHECK_OK(ck_encrypt(&re, w->ctx, w->sk, w->x, s->shape.stc_levels, ck_boot_scale(w->boot)));
    CHECK_OK(ck_encrypt(&im, w->ctx, w->sk, x2, s->shape.stc_levels, ck_boot_scale(w->boot)));
    CHECK_OK(ck_boot_stc2(w->ev, &w->out, &re, &im, &w->tmp, w->boot));
    CHECK_OK(ck_boot_modraise(w->ev, &w->tmp, &w->out, w->boot));
    CHECK_OK(ck_boot_cts2(w->ev, &re, &im, &w->tmp, w->boot));
    CHECK_OK(ck_boot_evalmod(w->ev, &w->out, &re, w->boot));
    CHECK_OK(ck_boot_evalmod(w->ev, &w->tmp, &im, w->boot));
    CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->out));
    CHECK_PRECISION("real part", w->y, w->x, w->n, min, mean);
    CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->tmp));
    CHECK_PRECISION("imaginary part", w->y, x2, w->n, min, mean);
    ck_ct_clear(&re);
    ck_ct_clear(&im);
    free(x2);
}

// EvalMod alone next to every integer |I| < K, the rare ones included: the promise holds up to 12, and nothing runs away beyond.
static void integers(struct world *w, const struct set *s)
{
    const uint32_t l = s->shape.top - s->shape.ncts;
    const double ratio = s->shape.ratio;
    double *at = calloc(w->n, sizeof *at);
    fixture_values(w->x, w->n, 1, 8);
    for (size_t i = 0; i < w->n; i++) at[i] = ((double)(i % (2 * CK_BOOT_RANGE - 1)) - (CK_BOOT_RANGE - 1) + ratio * w->x[i]) / CK_BOOT_RANGE;
    CHECK_OK(ck_encrypt(&w->in, w->ctx, w->sk, at, l, 2 * (double)s->par.q[l]));
    w->in.scale = ck_boot_part_scale(&s->par, &s->shape, CK_BOOT_CTS, ck_boot_scale(w->boot));
    CHECK_OK(ck_boot_evalmod(w->ev, &w->out, &w->in, w->boot));
    CHECK_OK(ck_decrypt(w->y, w->ctx, w->sk, &w->out));
    for (size_t i = 0; i < w->n; i++) {
        const int turns = abs((int)(i % (2 * CK_BOOT_RANGE - 1)) - (CK_BOOT_RANGE - 1));
        const double bits = -log2(fabs(w->y[i] - w->x[i]));
        CHECKF(bits > (turns <= 8 ? 16 : turns <= 12 ? 14 : 4), "I = %d: %.1f bits", turns, bits);
    }
    free(at);
}

static void shapes(const struct set *set)
{
    struct set s = *set;
    struct ck_boot_shape bad = s.shape;
    bad.stc_radix[0]++;
    CHECK(ck_boot_check(&s.par, &bad));
    bad = s.shape;
    bad.top = s.par.nq;
    CHECK(ck_boot_check(&s.par, &bad));
    bad = s.shape;
    bad.ratio = 0;
    CHECK(ck_boot_check(&s.par, &bad));
    for (uint32_t log = 2; log <= 15; log++) {
        struct ck_boot_shape d;
        ck_boot_default(&d, log, 12);
        CHECK(d.top - ck_boot_depth(&d) == 12);
        s.par.nq = d.top + 1;
        s.par.log_slots = log;
        CHECKF(!ck_boot_check(&s.par, &d), "%u: %s", log, ck_boot_check(&s.par, &d));
    }
}

static void sparse_key_rule(const struct world *w)
{
    struct ck_evk *evk = NULL;
    struct ck_galois_spec spec = {CK_KEY_SPARSE, 1};
    CHECK(ck_evk_alloc(&evk, w->ctx, &spec, 1, false) == CK_ESECURE && !evk);
    int found = 0;
    for (uint32_t i = 0; i < w->evk->nkey; i++) {
        const struct ck_key *k = &w->evk->key[i];
        if (k->galois != CK_KEY_SPARSE) continue;
        found++;
        CHECK(k->level == 0 && w->evk->gadget[k->gadget].np == 1);
        CHECK(log2((double)w->ctx->par.q[0]) + log2((double)w->ctx->par.p[0]) <= 121);
    }
    CHECK(found == 1);
    CHECK(ck_key_known(w->ctx, CK_KEY_SPARSE + 5) && !ck_key_known(w->ctx, CK_KEY_SPARSE + 4) && !ck_key_known(w->ctx, 6));
    CHECK(!ck_key_known(w->ctx, CK_KEY_SPARSE + 2 * (uint32_t)w->ctx->n + 1));
}

static void full_size(const struct named_set *b)
{
    struct set s;
    named_set_make(&s.par, &s.shape, b);
    const char *why = ck_params_check(&s.par);
    CHECKF(!why, "%s: %s", b->name, why);
    struct world w;
    if (!why && open_world(&w, &s, 1)) {
        printf("%s: log QP %.1f, levels left %u, keys %.2f GiB, plaintexts %.2f GiB\n", b->name, ck_params_logqp(&s.par),
               ck_boot_level(w.boot), (double)ck_evk_bytes(w.evk) / 0x1p30, (double)ck_boot_bytes(w.boot) / 0x1p30);
        CHECK((double)(ck_evk_bytes(w.evk) + ck_boot_bytes(w.boot)) <= 4 * 0x1p30);
        messages(&w, b->min, b->mean);
        data_agrees(&w, &s);
        fixture_values(w.x, w.n, 1, 1);
        CHECK_OK(ck_encrypt(&w.in, w.ctx, w.sk, w.x, s.shape.stc_levels, ck_boot_scale(w.boot)));
        double part[5] = {now()};
        CHECK_OK(ck_boot_stc(w.ev, &w.out, &w.in, w.boot));
        part[1] = now();
        CHECK_OK(ck_boot_modraise(w.ev, &w.tmp, &w.out, w.boot));
        part[2] = now();
        CHECK_OK(ck_boot_cts(w.ev, &w.out, &w.tmp, w.boot));
        part[3] = now();
        CHECK_OK(ck_boot_evalmod(w.ev, &w.tmp, &w.out, w.boot));
        part[4] = now();
        CHECK_OK(ck_decrypt(w.y, w.ctx, w.sk, &w.tmp));
        const struct precision p = fixture_precision(w.y, w.x, w.n);
        printf("%s: %.3f s; StC %.3f, ModRaise %.3f, CtS %.3f, EvalMod %.3f; min %.2f, mean %.2f bits\n", b->name, part[4] - part[0],
               part[1] - part[0], part[2] - part[1], part[3] - part[2], part[4] - part[3], p.min, p.mean);
        fflush(stdout);
        in_a_row(&w, b == named_sets ? 20 : 3, b->min - 2);
    }
    close_world(&w);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "full")) {
        for (size_t i = 0; i < sizeof named_sets / sizeof *named_sets; i++) full_size(&named_sets[i]);
        return test_done();
    }
    struct set sparse = make_set(11, 8, 3, 8, 8), full = make_set(10, 9, 3, 8, 8), few = make_set(10, 4, 3, 8, 8), half = make_set(11, 9, 3, 8, 8);
    struct world w;
    if (open_world(&w, &sparse, 1)) {
        messages(&w, 14, 17);
        data_agrees(&w, &sparse);
        ranges(&w, &sparse, 13);
        pair(&w, &sparse, 14, 17);
        integers(&w, &sparse);
        fixture_values(w.x, w.n, 1, 1);
        CHECK_OK(ck_encrypt(&w.in, w.ctx, w.sk, w.x, 3, ck_boot_scale(w.boot)));
        no_spare_keys(&w);
        shapes(&sparse);
        sparse_key_rule(&w);
        in_a_row(&w, 20, 11);
        no_failures(&w, argc > 1 ? 1000 : 20);
    }
    close_world(&w);
    if (open_world(&w, &full, 2)) {
        messages(&w, 14, 17);
        pair(&w, &full, 14, 17);
        data_agrees(&w, &full);
    }
    close_world(&w);
    if (open_world(&w, &half, 2)) {     // the shape of the standard set: a trace of one step
        messages(&w, 14, 17);
        pair(&w, &half, 14, 17);
        data_agrees(&w, &half);
    }
    close_world(&w);
    if (open_world(&w, &few, 1)) {      // a long trace
        messages(&w, 14, 17);
        data_agrees(&w, &few);
        no_spare_keys(&w);
    }
    close_world(&w);
    return test_done();
}
