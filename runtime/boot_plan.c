// SPDX-License-Identifier: Apache-2.0
// What bootstrapping needs before it runs: the factors of StC and CtS as linear maps with encoded diagonals, the coefficients of EvalMod,
// the list of keys.
#include "boot_impl.h"
#include "internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Splits the rotations of a factor, multiples of a common stride, into babies below `width` strides and giants.
static enum ck_err split(struct boot_map *map, const struct ck_diags *d)
{
    uint32_t n = d->n, stride = n;
    for (uint32_t i = 0; i < d->count; i++)
        while (d->rot[i] % (int32_t)stride) stride /= 2;
    uint32_t steps = n / stride, best = 1, fewest = UINT32_MAX;
    uint8_t *baby = calloc(steps, 1), *giant = calloc(steps, 1);
    enum ck_err err = baby && giant ? CK_OK : CK_ENOMEM;
    for (uint32_t pass = 0, width = 1; !err && pass < 2 && width <= steps;) {
        memset(baby, 0, steps);
        memset(giant, 0, steps);
        uint32_t nb = 0, ng = 0;
        for (uint32_t i = 0; i < d->count; i++) {
            uint32_t k = (uint32_t)d->rot[i] / stride;
            nb += !baby[k % width];
            ng += !giant[k / width];
            baby[k % width] = giant[k / width] = 1;
        }
        if (pass == 1) {
            for (uint32_t k = 0; k < steps; k++) {
                if (baby[k]) map->baby[map->lin.nbaby++] = (int32_t)(k * stride);
                if (giant[k]) map->giant[map->lin.ngiant++] = (int32_t)(k * width * stride);
            }
            break;
        }
        if (2 * nb + 5 * ng < fewest) fewest = 2 * nb + 5 * ng, best = width;   // a baby is hoisted, a giant is not
        width *= 2;
        if (width > steps) pass = 1, width = best;
    }
    free(baby);
    free(giant);
    return err;
}

static uint16_t index_of(const int32_t *list, uint32_t count, int32_t v)
{
    uint16_t i = 0;
    while (i < count && list[i] != v) i++;
    return i;
}

// Encodes v (n complex values) at `scale` as 2n integers of 64 bits and a shift at `to`. Twiddles have few large coefficients, so that
// 32 bits would leave an error of 2^-24 relative to a diagonal and cost the bootstrap two bits.
static enum ck_err encode(int64_t *to, struct ck_pt_ref *ref, const struct ck_context *ctx, const double complex *v, double scale,
                          double *coeff)
{
    const size_t count = (size_t)2 << ctx->par.log_slots;
    ck_embed(coeff, ctx, (const double *)v, scale);
    double top = 1;
    for (size_t i = 0; i < count; i++) top = fmax(top, fabs(coeff[i]));
    int shift = ilogb(top) + 1 - 58;
    if (shift < 0) shift = 0;
    if (shift > 30) return CK_ESCALE;
    for (size_t i = 0; i < count; i++) to[i] = (int64_t)rint(ldexp(coeff[i], -shift));
    ref->shift = (uint32_t)shift;
    ref->width = sizeof *to;
    return CK_OK;
}

// The map of one factor at `level`, from in_scale to out_scale; its plaintexts go to *at (counted from base).
static enum ck_err make_map(struct boot_map *map, const struct ck_context *ctx, const struct ck_diags *d, uint32_t level, double in_scale,
                            double out_scale, int64_t *base, size_t *at)
{
    const uint32_t n = d->n, mask = n - 1;
    const size_t count = (size_t)2 * n;
    map->baby = calloc(2 * d->count, sizeof *map->baby);
    map->giant = calloc(2 * d->count, sizeof *map->giant);
    map->term = calloc(d->count, sizeof *map->term);
    double complex *turned = malloc(n * sizeof *turned);
    double *coeff = malloc(count * sizeof *coeff);
    enum ck_err err = map->baby && map->giant && map->term && turned && coeff ? split(map, d) : CK_ENOMEM;
    const double scale = out_scale * ((double)ctx->par.q[level] / in_scale);
    struct ck_lin *lin = &map->lin;
    for (uint32_t g = 0; !err && g < lin->ngiant; g++)
        for (uint32_t i = 0; !err && i < d->count; i++) {       // ascending rotations: sorted by giant
            uint32_t baby = ((uint32_t)d->rot[i] - (uint32_t)map->giant[g]) & mask;
            uint16_t b = index_of(map->baby, lin->nbaby, (int32_t)baby);
            if (b == lin->nbaby) continue;
            for (uint32_t s = 0; s < n; s++) turned[s] = d->diag[i][(s - (uint32_t)map->giant[g]) & mask];
            struct ck_lin_term *t = &map->term[lin->nterm++];
            t->giant = (uint16_t)g;
            t->baby = b;
            t->pt.offset = *at * sizeof *base;
            err = encode(base + *at, &t->pt, ctx, turned, scale, coeff);
            *at += count;
        }
    lin->nin = lin->nout = 1;
    lin->baby = map->baby;
    lin->giant = map->giant;
    lin->term = map->term;
    lin->out_scale = out_scale;
    map->level = level;
    free(turned);
    free(coeff);
    return err;
}

static bool shape_ok(const struct ck_context *ctx, const struct ck_boot_shape *s)
{
    uint32_t a = 0, b = 0, depth = s->ncts + ck_poly_depth(s->degree) + s->doublings;
    if (!s->nstc || s->nstc > CK_BOOT_MAX_FACTORS || !s->ncts || s->ncts > CK_BOOT_MAX_FACTORS) return false;
    for (uint32_t i = 0; i < s->nstc; i++) a += s->stc_radix[i];
    for (uint32_t i = 0; i < s->ncts; i++) b += s->cts_radix[i];
    return a == ctx->par.log_slots && b == a && s->top < ctx->par.nq && depth + s->nstc <= s->top && s->ratio > 0 && s->ratio <= 0.25;
}

// Builds the maps of one direction.
static enum ck_err make_maps(struct ck_boot *boot, struct boot_map *map, bool stc, int64_t *base, size_t *at)
{
    const struct ck_context *ctx = boot->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    const double *q0 = &boot->q0;
    uint32_t count = stc ? s->nstc : s->ncts, level = stc ? s->nstc : s->top;
    struct ck_diags d[CK_DFT_MAX_FACTORS] = {0};
    // CtS: half, because the real part is taken as u + conj(u)
    CK_TRY(ck_dft_factors(d, ctx->par.log_slots, stc ? s->stc_radix : s->cts_radix, count, stc, stc ? 1 : 0.5));
    enum ck_err err = CK_OK;
    // StC runs at the scale that level 0 wants; CtS at the raised scale until its last factor lands on the scale of EvalMod.
    double raised = ldexp(*q0 * s->range, (int)(ctx->logn - 1 - ctx->par.log_slots));
    for (uint32_t f = 0; f < count && !err; f++, level--) {
        double to = stc ? *q0 * s->ratio : f + 1 == count ? (double)ctx->par.q[level - 1] : raised;
        err = make_map(&map[f], ctx, &d[f], level, stc ? *q0 * s->ratio : raised, to, base, at);
    }
    for (uint32_t f = 0; f < count; f++) ck_diags_clear(&d[f]);
    return err;
}

enum ck_err ck_boot_new(struct ck_boot **out, const struct ck_context *ctx, const struct ck_boot_shape *shape)
{
    if (!shape_ok(ctx, shape)) return CK_EPARAM;
    struct ck_boot *boot = calloc(1, sizeof *boot);
    if (!boot) return CK_ENOMEM;
    boot->ctx = ctx;
    boot->shape = *shape;
    boot->q0 = (double)ctx->par.q[0];
    size_t diagonals = 0, at = 0;
    for (uint32_t i = 0; i < shape->nstc; i++) diagonals += (size_t)2 << shape->stc_radix[i];
    for (uint32_t i = 0; i < shape->ncts; i++) diagonals += (size_t)2 << shape->cts_radix[i];
    boot->bytes = (diagonals << (ctx->par.log_slots + 1)) * sizeof *boot->pt;
    boot->pt = ck_mem_alloc(boot->bytes);
    enum ck_err err = boot->pt ? ck_mod_fit(boot->coeff, shape->degree, shape->doublings, shape->range, shape->ratio) : CK_ENOMEM;
    if (!err) err = make_maps(boot, boot->stc, true, boot->pt, &at);
    if (!err) err = make_maps(boot, boot->cts, false, boot->pt, &at);
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
        free(m->baby);
        free(m->giant);
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
    return boot->shape.top - boot->shape.ncts - ck_poly_depth(boot->shape.degree) - boot->shape.doublings;
}

double ck_boot_scale(const struct ck_boot *boot)
{
    return boot->q0 * boot->shape.ratio;
}

// Keys of the rotations of one map, at its level.
static void map_keys(const struct ck_boot *boot, const struct boot_map *m, struct ck_galois_spec *spec, size_t *count)
{
    for (uint32_t i = 0; i < m->lin.nbaby + m->lin.ngiant; i++) {
        int32_t k = i < m->lin.nbaby ? m->baby[i] : m->giant[i - m->lin.nbaby];
        uint32_t g = ck_galois_rotation(boot->ctx, k);
        if (g != 1) spec[(*count)++] = (struct ck_galois_spec){g, m->level};
    }
}

// Merges equal Galois elements to the highest level; the ephemeral pair keeps its own.
static size_t merge(struct ck_galois_spec *spec, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;
        while (k < n && spec[k].galois != spec[i].galois) k++;
        if (k == n)
            spec[n++] = spec[i];
        else if (spec[i].level > spec[k].level)
            spec[k].level = spec[i].level;
    }
    return n;
}

enum ck_err ck_boot_keys(const struct ck_boot *boot, struct ck_galois_spec **spec, size_t *count)
{
    const struct ck_context *ctx = boot->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    size_t room = *count + 64;
    for (uint32_t f = 0; f < CK_BOOT_MAX_FACTORS; f++)
        room += boot->stc[f].lin.nbaby + boot->stc[f].lin.ngiant + boot->cts[f].lin.nbaby + boot->cts[f].lin.ngiant;
    struct ck_galois_spec *all = realloc(*spec, room * sizeof *all);
    if (!all) return CK_ENOMEM;
    *spec = all;
    for (uint32_t f = 0; f < s->nstc; f++) map_keys(boot, &boot->stc[f], all, count);
    for (uint32_t f = 0; f < s->ncts; f++) map_keys(boot, &boot->cts[f], all, count);
    for (uint32_t k = ctx->par.log_slots; k + 1 < ctx->logn; k++)
        all[(*count)++] = (struct ck_galois_spec){boot_trace_galois(ctx, k), s->top};
    all[(*count)++] = (struct ck_galois_spec){ck_galois_conjugate(ctx), s->top - s->ncts};
    all[(*count)++] = (struct ck_galois_spec){0, s->top - s->ncts};
    all[(*count)++] = (struct ck_galois_spec){CK_KEY_TO_SPARSE, 0};
    all[(*count)++] = (struct ck_galois_spec){CK_KEY_FROM_SPARSE, s->top};
    *count = merge(all, *count);
    return CK_OK;
}
