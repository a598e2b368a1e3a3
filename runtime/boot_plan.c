// SPDX-License-Identifier: Apache-2.0
// What bootstrapping needs before it runs: the factors of StC and CtS as linear maps with encoded diagonals, the coefficients of
// EvalMod.
#include "boot_impl.h"
#include "plain.h"
#include "thread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint16_t index_of(const int32_t *list, uint32_t count, int32_t v)
{
    uint16_t i = 0;
    while (i < count && list[i] != v) i++;
    return i;
}

// Where plaintexts are made.
struct room {
    double complex *turned;     // n: a diagonal
    double *coeff;              // 2n: its coefficients ...
    int64_t *rounded;           // ... rounded
    uint32_t *pick;             // positions of the smaller ring's roots
    uint64_t *local;            // local_words for each thread
};

static size_t local_words(const struct ck_context *ctx)
{
    return ((size_t)2 << ctx->par.log_slots) + ck_plain_scratch(ctx);
}

static size_t local_bytes(const struct ck_context *ctx)
{
    return (size_t)ctx->threads * local_words(ctx) * sizeof(uint64_t);
}

// Transforms of v (n complex values that repeat every 2^log_period) times `scale`, one of 2^(log_period+1) words for each of f->rows limbs.
// They are those values of the whole subring's transforms whose roots belong to the smaller one, at the positions pick.
static enum ck_err encode(uint64_t *to, const struct ck_context *ctx, const struct boot_factor *f, const double complex *v, double scale,
                          const struct room *room)
{
    const uint32_t ell = f->level + 1;
    const size_t m = (size_t)2 << f->log_period, count = (size_t)2 << ctx->par.log_slots;
    ck_embed(room->coeff, ctx, (const double *)v, scale);
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(room->coeff[i]) < 0x1p59)) return CK_ESCALE;
        room->rounded[i] = (int64_t)rint(room->coeff[i]);
    }
    const struct ck_plain plain = {.c64 = room->rounded, .logm = ctx->par.log_slots + 1};
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < f->rows; j++) {
        uint64_t *all = room->local + (size_t)ck_thread_index() * local_words(ctx);
        ck_plain_values(all, &plain, ctx, ck_limb_prime(ctx, ell, j), all + count);
        for (size_t i = 0; i < m; i++) to[j * m + i] = all[room->pick[i]];
    }
    return CK_OK;
}

static bool room_open(struct room *r, const struct ck_context *ctx, uint32_t logm)
{
    const size_t count = (size_t)2 << ctx->par.log_slots;
    *r = (struct room){.coeff = malloc(count * sizeof *r->coeff), .turned = malloc(count / 2 * sizeof *r->turned),
                       .rounded = malloc(count * sizeof *r->rounded), .pick = malloc(sizeof *r->pick << logm),
                       .local = ck_mem_alloc(local_bytes(ctx))};
    if (!r->coeff || !r->turned || !r->rounded || !r->pick || !r->local) return false;
    for (uint32_t i = 0; i < 1u << logm; i++) r->pick[i] = ck_ntt_position(ctx->par.log_slots + 1, ck_ntt_exponent(logm, i));
    return true;
}

static void room_close(struct room *r, const struct ck_context *ctx)
{
    free(r->coeff);
    free(r->turned);
    free(r->rounded);
    free(r->pick);
    if (r->local) ck_mem_free(r->local, local_bytes(ctx));
}

// The map of one factor, from in_scale to out_scale; its plaintexts go to *at (counted from base).
static enum ck_err make_map(struct boot_map *map, const struct ck_context *ctx, const struct boot_factor *f, const struct ck_diags *d,
                            double in_scale, double out_scale, uint64_t *base, size_t *at)
{
    const uint32_t n = d->n, mask = n - 1;
    struct ck_lin *lin = &map->lin;
    map->rot = calloc(f->nbaby + f->ngiant, sizeof *map->rot);
    map->term = calloc(d->count, sizeof *map->term);
    struct room room;
    enum ck_err err = room_open(&room, ctx, f->log_period + 1) && map->rot && map->term ? CK_OK : CK_ENOMEM;
    if (!err) {
        memcpy(map->rot, f->baby, f->nbaby * sizeof *map->rot);
        memcpy(map->rot + f->nbaby, f->giant, f->ngiant * sizeof *map->rot);
    }
    const double scale = out_scale * ((f->keep_level ? 1 : (double)ctx->par.q[f->level]) / in_scale);
    for (uint32_t g = 0; !err && g < f->ngiant; g++)
        for (uint32_t i = 0; !err && i < d->count; i++) {       // ascending rotations: sorted by giant
            uint32_t baby = ((uint32_t)d->rot[i] - (uint32_t)f->giant[g]) & mask;
            uint16_t b = index_of(f->baby, f->nbaby, (int32_t)baby);
            if (b == f->nbaby) continue;
            for (uint32_t s = 0; s < n; s++) room.turned[s] = d->diag[i][(s - (uint32_t)f->giant[g]) & mask];
            map->term[lin->nterm++] = (struct ck_lin_term){
                .giant = (uint16_t)g, .baby = b, .pt = {.offset = *at * sizeof *base, .shift = f->log_period + 1, .rows = f->rows}};
            err = encode(base + *at, ctx, f, room.turned, scale, &room);
            *at += (size_t)f->rows << (f->log_period + 1);
        }
    lin->nin = lin->nout = 1;
    lin->nbaby = f->nbaby;
    lin->ngiant = f->ngiant;
    lin->baby = map->rot;
    lin->giant = map->rot + f->nbaby;
    lin->term = map->term;
    lin->out_scale = out_scale;
    lin->keep_level = f->keep_level;
    lin->raised = f->raised;
    memcpy(map->galois, f->galois, sizeof map->galois);
    lin->galois = map->galois;
    lin->ngalois = f->ngalois;
    map->level = f->level;
    room_close(&room, ctx);
    return err;
}

// Builds the maps of one direction.
static enum ck_err make_maps(struct ck_boot *boot, struct boot_map *map, enum ck_boot_part part, size_t *at)
{
    const struct ck_context *ctx = boot->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    const bool stc = part == CK_BOOT_STC;
    struct boot_factor f[CK_BOOT_MAX_FACTORS];
    const uint32_t count = ck_boot_factors(f, &ctx->par, s, part);
    struct ck_diags d[CK_DFT_MAX_FACTORS] = {0};
    // CtS: half, because the real part is taken as u + conj(u)
    CK_TRY(ck_dft_factors(d, ctx->par.log_slots, stc ? s->stc_radix : s->cts_radix, count, stc, stc ? 1 : 0.5));
    enum ck_err err = CK_OK;
    // StC keeps the scale; its factors share its primes evenly. CtS starts from q_0 K, where c + q_0 I is (c + q_0 I) / (q_0 K) in
    // [-1, 1], has the trace's factor N/2n, most of it after the first map, and lands on twice the prime of the level, where squares keep it.
    double from = stc ? 1 : (double)ctx->par.q[0] * CK_BOOT_RANGE, share = 1;
    for (uint32_t l = 1; stc && l <= s->stc_levels; l++) share *= pow((double)ctx->par.q[l], 1.0 / count);
    for (uint32_t i = 0; i < count && !err; i++) {
        double to = stc ? from * share / (f[i].keep_level ? 1 : (double)ctx->par.q[f[i].level]) : from;
        if (!stc && i + 1 == count) to = (f[i].ngalois > 1 ? 1 : 2) * (double)ctx->par.q[s->top - s->ncts];
        err = make_map(&map[i], ctx, &f[i], &d[i], from, to, boot->pt, at);
        from = f[i].raised ? ldexp(to, (int)ck_boot_early_traces(&ctx->par)) : to;
    }
    for (uint32_t i = 0; i < count; i++) ck_diags_clear(&d[i]);
    return err;
}

enum ck_err ck_boot_new(struct ck_boot **out, const struct ck_context *ctx, const struct ck_boot_shape *shape)
{
    if (ck_boot_check(&ctx->par, shape)) return CK_EPARAM;
    struct ck_boot *boot = calloc(1, sizeof *boot);
    if (!boot) return CK_ENOMEM;
    boot->ctx = ctx;
    boot->shape = *shape;
    boot->nominal = ck_boot_nominal(&ctx->par, shape);
    size_t at = 0;
    boot->bytes = (size_t)ck_boot_plain_bytes(&ctx->par, shape);
    boot->pt = ck_mem_alloc(boot->bytes);
    enum ck_err err = boot->pt ? ck_mod_fit(boot->coeff, shape->ratio) : CK_ENOMEM;
    if (!err) err = make_maps(boot, boot->stc, CK_BOOT_STC, &at);
    if (!err) err = make_maps(boot, boot->cts, CK_BOOT_CTS, &at);
    if (err) {
        ck_boot_free(boot);
        return err;
    }
    boot->weights = (struct ck_weights){.data = (const uint8_t *)boot->pt, .size = boot->bytes};
    *out = boot;
    return CK_OK;
}

void ck_boot_free(struct ck_boot *boot)
{
    if (!boot) return;
    for (uint32_t f = 0; f < 2 * CK_BOOT_MAX_FACTORS; f++) {
        struct boot_map *m = f < CK_BOOT_MAX_FACTORS ? &boot->stc[f] : &boot->cts[f - CK_BOOT_MAX_FACTORS];
        free(m->rot);
        free(m->term);
    }
    if (boot->pt) ck_mem_free(boot->pt, boot->bytes);
    free(boot);
}

size_t ck_boot_bytes(const struct ck_boot *boot)
{
    return boot->bytes;
}

uint32_t ck_boot_level(const struct ck_boot *boot)
{
    return boot->shape.top - ck_boot_depth(&boot->shape);
}

double ck_boot_scale(const struct ck_boot *boot)
{
    return boot->nominal;
}

enum ck_err ck_boot_keys(const struct ck_context *ctx, const struct ck_boot_shape *shape, struct ck_galois_spec **spec, size_t *count)
{
    if (ck_boot_check(&ctx->par, shape)) return CK_EPARAM;
    struct ck_galois_spec *all = realloc(*spec, (*count + CK_BOOT_MAX_KEYS) * sizeof *all);
    if (!all) return CK_ENOMEM;
    *spec = all;
    *count += ck_boot_key_list(all + *count, &ctx->par, shape);
    return CK_OK;
}
