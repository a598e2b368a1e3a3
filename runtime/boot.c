// SPDX-License-Identifier: Apache-2.0
// Bootstrapping: StC, CtS and EvalMod on ciphertexts, and the four parts in a row.
//
// StC turns slots m into the coefficients of a plaintext, c = q_0 ratio m. ModRaise (boot_raise.c) reads them as integers under a sparse secret:
// modulo a larger Q the plaintext is c + q_0 I, |I| < K because that secret has few nonzero coefficients. Its trace onto the subring of n
// slots multiplies by N/2n, which the scale absorbs. CtS brings (c + q_0 I) / (q_0 K) into real slots, and the sine removes I.
#include "boot_impl.h"
#include "thread.h"

#include <math.h>
#include <string.h>

static enum ck_err run_maps(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *half, const struct ck_boot *boot,
                            const struct boot_map *map, uint32_t count)
{
    const struct ck_weights *saved = ev->weights;
    enum ck_err err = CK_OK;
    ev->weights = &boot->weights;
    for (uint32_t f = 0; f < count && !err; f++) {
        struct ck_ct *to = (count - f) % 2 ? out : half;       // the last factor lands in out
        err = ck_linear(ev, to, in, &map[f].lin);
        in = to;
    }
    ev->weights = saved;
    return err;
}

// A map's scratch is taken inside; `half` is scratch of its own, so both are reserved before anything is taken.
static enum ck_err linear_chain(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot,
                                const struct boot_map *map, uint32_t count)
{
    const uint32_t level = map[0].level;
    if (in->level != level) return CK_ELEVEL;
    const size_t mark = ev->scratch.used, words = ck_ct_view_words(ev->ctx, level, 1);
    size_t most = 0;
    for (uint32_t f = 0; f < count; f++) {
        size_t need;
        CK_TRY(ck_linear_words(ev, &map[f].lin, map[f].level, &need));
        if (need > most) most = need;
    }
    CK_TRY(ck_scratch_reserve(ev, words + most + 64));
    struct ck_ct half = ck_ct_view(ev->ctx, ck_scratch_take(&ev->scratch, words), level, 1);
    enum ck_err err = run_maps(ev, out, in, &half, boot, map, count);
    ev->scratch.used = mark;
    return err;
}

enum ck_err ck_boot_check_scale(double scale, double nominal)
{
    return scale > 0 && scale <= 0x1p10 * nominal ? CK_OK : CK_ESCALE;
}

static double scale_after(const struct ck_boot *boot, enum ck_boot_part part, double scale)
{
    return ck_boot_part_scale(&boot->ctx->par, &boot->shape, part, scale);
}

enum ck_err ck_boot_stc(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    CK_TRY(ck_boot_check_scale(in->scale, boot->nominal));
    CK_TRY(linear_chain(ev, out, in, boot, boot->stc, boot->shape.nstc));
    out->scale = in->scale;
    return CK_OK;
}

// Scratch of a switch with its accumulators, 0 if there is no such key.
static size_t switch_words(const struct ck_eval *ev, uint32_t galois, uint32_t level)
{
    const struct ck_key *key = ck_evk_find(ev->evk, galois, level);
    if (!key) return 0;
    const struct ck_gadget *g = &ev->evk->gadget[key->gadget];
    return 2 * (level + 1 + g->np) * ev->ctx->n + ck_keyswitch_scratch(ev->ctx, g, level) + 64;
}

enum ck_err ck_boot_add_galois(struct ck_eval *ev, struct ck_ct *ct, uint32_t galois)
{
    const size_t mark = ev->scratch.used, words = ck_ct_view_words(ev->ctx, ct->level, 1);
    CK_TRY(ck_scratch_reserve(ev, words + switch_words(ev, galois, ct->level) + 64));
    struct ck_ct turned = ck_ct_view(ev->ctx, ck_scratch_take(&ev->scratch, words), ct->level, 1);
    enum ck_err err = ck_galois_apply(ev, &turned, ct, galois);
    if (!err) err = ck_add(ev, ct, ct, &turned);
    ev->scratch.used = mark;
    return err;
}

enum ck_err ck_boot_cts_complex(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    CK_TRY(ck_boot_check_scale(in->scale, scale_after(boot, CK_BOOT_MODRAISE, boot->nominal)));
    CK_TRY(linear_chain(ev, out, in, boot, boot->cts, boot->shape.ncts));
    out->scale = scale_after(boot, CK_BOOT_CTS, in->scale);
    return CK_OK;
}

enum ck_err ck_boot_cts(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    CK_TRY(ck_boot_cts_complex(ev, out, in, boot));
    return ck_boot_add_galois(ev, out, ck_galois_conjugate(ev->ctx));
}

// ct = 2 ct^2 - 1, one level; the factor 2 is half the scale.
static enum ck_err double_angle(struct ck_eval *ev, struct ck_ct *ct)
{
    CK_TRY(ck_mul_relin_rescale(ev, ct, ct, ct));
    ct->scale /= 2;
    return ck_add_const(ev, ct, ct, -1);
}

// y = 2 (x - 1/(4 range))^2 - 1, one level, in place.
static enum ck_err square_argument(struct ck_eval *ev, struct ck_ct *ct, const struct ck_boot *boot)
{
    CK_TRY(ck_add_const(ev, ct, ct, -0.25 / boot->shape.range));
    return double_angle(ev, ct);
}

// Relative to sqrt(2) q_l the slots are (c + q_0 I) / (q_0 range) whatever the message's own scale, which is put back at the end. The series lands
// where the doublings, each half a square divided by its prime, arrive at q_m.
enum ck_err ck_boot_evalmod(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    const uint64_t *q = ctx->par.q;
    const uint32_t l = s->top - s->ncts, m = l - ck_poly_depth(s->degree);
    if (in->level != l) return CK_ELEVEL;
    const double most = scale_after(boot, CK_BOOT_CTS, scale_after(boot, CK_BOOT_MODRAISE, boot->nominal));
    CK_TRY(ck_boot_check_scale(in->scale, most));
    double start = (double)q[m];
    for (uint32_t i = s->doublings; i-- > 0;) start = sqrt(2 * start * (double)q[m - i]);
    const double after = scale_after(boot, CK_BOOT_EVALMOD, in->scale);
    const struct ck_poly cosine = {.degree = s->degree / 2, .c = boot->coeff, .out_scale = start};
    const size_t mark = ev->scratch.used, words = ck_ct_view_words(ctx, l, 1);
    size_t most_words = switch_words(ev, 0, l), need;
    CK_TRY(ck_poly_words(ev, l - 1, &cosine, &need));
    if (need > most_words) most_words = need;
    CK_TRY(ck_scratch_reserve(ev, words + most_words + 64));
    struct ck_ct y = ck_ct_view(ctx, ck_scratch_take(&ev->scratch, words), l, 1);
    enum ck_err err = ck_drop(ev, &y, in, l);
    y.scale = CK_BOOT_SQRT2 * (double)q[l];
    if (!err) err = square_argument(ev, &y, boot);
    if (!err) err = ck_poly_eval(ev, out, &y, &cosine);
    ev->scratch.used = mark;
    CK_TRY(err);
    for (uint32_t i = 0; i < s->doublings; i++) CK_TRY(double_angle(ev, out));
    out->scale = after;         // sin(2 pi c / q_0) / (2 pi c / q_0) = 1
    return CK_OK;
}

enum ck_err ck_bootstrap(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *tmp, const struct ck_boot *boot)
{
    if (!tmp->data || tmp->max_level < boot->shape.top || !out->data || out->max_level < boot->shape.top) return CK_ESHAPE;
    const uint32_t level = boot->shape.nstc;
    if (in->scale <= boot->nominal * (1 + 0x1p-30)) {
        CK_TRY(ck_drop(ev, tmp, in, level));
    } else {
        CK_TRY(ck_drop(ev, tmp, in, level + 1));
        CK_TRY(ck_mul_const(ev, tmp, tmp, 1, boot->nominal));
    }
    CK_TRY(ck_boot_stc(ev, out, tmp, boot));
    CK_TRY(ck_boot_modraise(ev, tmp, out, boot));
    CK_TRY(ck_boot_cts(ev, out, tmp, boot));
    CK_TRY(ck_boot_evalmod(ev, tmp, out, boot));
    return ck_drop(ev, out, tmp, tmp->level);
}
