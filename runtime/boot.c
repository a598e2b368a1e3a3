// SPDX-License-Identifier: Apache-2.0
// Bootstrapping: the four parts on ciphertexts.
//
// StC turns slots m into the coefficients of a plaintext, c = q_0 ratio m. At level 0 the ciphertext is switched to the ephemeral sparse
// secret and its coefficients are read as integers: modulo a larger Q the plaintext is c + q_0 I, |I| < K because that secret has few
// nonzero coefficients. The first factor of CtS reads it there: its coefficients are below q_0, so that every rotation is a switch back to the
// main secret with one digit and one special prime. The trace onto the subring of n slots follows it, but for its last step; its N/2n is a change of
// scale. CtS brings (c + q_0 I) / (q_0 K) into real slots: its last factor ends with that step and the conjugation, from one ModUp. The sine removes I.
#include "boot_impl.h"
#include "thread.h"

#include <math.h>
#include <string.h>

// Scratch of a switch with its accumulators, 0 if there is no such key.
static size_t switch_words(const struct ck_eval *ev, uint32_t galois, uint32_t level)
{
    const struct ck_key *key = ck_evk_find(ev->evk, galois, level);
    if (!key) return 0;
    const struct ck_gadget *g = &ev->evk->gadget[key->gadget];
    return 2 * (level + 1 + g->np) * ev->ctx->n + ck_keyswitch_scratch(ev->ctx, g, level) + 64;
}

// ct += automorphism of ct.
static enum ck_err add_galois(struct ck_eval *ev, struct ck_ct *ct, uint32_t galois)
{
    const size_t mark = ev->scratch.used, words = ck_ct_view_words(ev->ctx, ct->level, 1);
    CK_TRY(ck_scratch_reserve(ev, words + switch_words(ev, galois, ct->level) + 64));
    struct ck_ct turned = ck_ct_view(ev->ctx, ck_scratch_take(&ev->scratch, words), ct->level, 1);
    enum ck_err err = ck_galois_apply(ev, &turned, ct, galois);
    if (!err) err = ck_add(ev, ct, ct, &turned);
    ev->scratch.used = mark;
    return err;
}

// The trace's early steps.
static enum ck_err trace(struct ck_eval *ev, struct ck_ct *ct)
{
    const struct ck_params *par = &ev->ctx->par;
    for (uint32_t k = 0; k < ck_boot_early_traces(par); k++) CK_TRY(add_galois(ev, ct, ck_boot_trace_galois(par, par->log_slots + k)));
    return CK_OK;
}

// real: the conjugation that ends CtS as well.
static enum ck_err run_maps(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *half, const struct ck_boot *boot,
                            const struct boot_map *map, uint32_t count, bool real)
{
    const struct ck_weights *saved = ev->weights;
    enum ck_err err = CK_OK;
    ev->weights = &boot->weights;
    for (uint32_t f = 0; f < count && !err; f++) {
        struct ck_ct *to = (count - f) % 2 ? out : half;       // the last factor lands in out
        struct ck_lin lin = map[f].lin;
        if (!real) lin.ngalois /= 2;                            // the conjugation's are the larger half
        err = ck_linear(ev, to, in, &lin);
        if (!err && lin.raised) err = trace(ev, to);
        in = to;
    }
    ev->weights = saved;
    return err;
}

// A map's scratch is taken inside; `half` is scratch of its own, so both are reserved before anything is taken.
static enum ck_err linear_chain(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot,
                                const struct boot_map *map, uint32_t count, bool real)
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
    enum ck_err err = run_maps(ev, out, in, &half, boot, map, count, real);
    ev->scratch.used = mark;
    return err;
}

// `nominal` is the scale of values up to 1; values up to 2^-10 at least are meant.
static enum ck_err check_scale(double scale, double nominal)
{
    return scale > 0 && scale <= 0x1p10 * nominal ? CK_OK : CK_ESCALE;
}

static double scale_after(const struct ck_boot *boot, enum ck_boot_part part, double scale)
{
    return ck_boot_part_scale(&boot->ctx->par, &boot->shape, part, scale);
}

enum ck_err ck_boot_stc(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    CK_TRY(check_scale(in->scale, boot->nominal));
    CK_TRY(linear_chain(ev, out, in, boot, boot->stc, boot->shape.nstc, true));
    out->scale = in->scale;
    return CK_OK;
}

// ct under the sparse secret, at level 0.
static enum ck_err switch_to_sparse(struct ck_eval *ev, struct ck_ct *ct)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_key *key = ck_evk_find(ev->evk, CK_KEY_SPARSE, ct->level);
    if (!key) return CK_EKEY;
    const struct ck_gadget *g = &ev->evk->gadget[key->gadget];
    const size_t poly = (ct->level + 1 + g->np) * ctx->n, mark = ev->scratch.used;
    CK_TRY(ck_scratch_reserve(ev, 2 * poly + ck_keyswitch_scratch(ctx, g, ct->level) + 64));
    uint64_t *acc = ck_scratch_take(&ev->scratch, 2 * poly);
    const struct ck_switch what = {.a = ck_ct_poly(ct, 1), .raise = {ck_ct_poly(ct, 0), NULL}, .tail = CK_TAIL_P};
    enum ck_err err = ck_switch(acc, ctx, g, key, &what, ct->level, &ev->scratch);
    const struct ck_moddown_opt opt = {.coeff = true};
    if (!err) ck_moddown(ct->data, (ct->max_level + 1) * ctx->n, ctx, g, acc, poly, 2, ct->level, &opt, &ev->scratch);
    ev->scratch.used = mark;
    return err;
}

// Centred coefficients modulo q_0 as residues of all primes up to `level`, in place: limb 0 is read before it is written.
static enum ck_err raise(struct ck_eval *ev, struct ck_ct *ct, uint32_t level)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_kernels *k = ctx->k;
    const size_t mark = ev->scratch.used;
    CK_TRY(ck_scratch_reserve(ev, 2 * ctx->n + 64));
    uint64_t *low = ck_scratch_take(&ev->scratch, 2 * ctx->n);
    for (uint32_t i = 0; i < 2; i++) {
        memcpy(low + i * ctx->n, ck_ct_poly(ct, i), ctx->n * sizeof *low);
        k->intt(low + i * ctx->n, ctx->ntt[0]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < 2 * level; t++) {
        const uint32_t i = t % 2, j = t / 2 + 1;
        uint64_t *to = ck_ct_poly(ct, i) + j * ctx->n;
        k->lift(to, low + i * ctx->n, ctx->n, &ctx->mod[j], &ctx->mod[0]);
        k->ntt(to, ctx->ntt[j]);
    }
    ct->level = level;
    ev->scratch.used = mark;
    return CK_OK;
}

enum ck_err ck_boot_modraise(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    if (in->level != 0) return CK_ELEVEL;
    if (in->degree != 1) return CK_EDEGREE;
    CK_TRY(check_scale(in->scale, boot->nominal));
    if (!out->data || out->logn != ctx->logn || out->max_level < s->top) return CK_ESHAPE;
    CK_TRY(ck_drop(ev, out, in, 0));
    CK_TRY(switch_to_sparse(ev, out));
    CK_TRY(raise(ev, out, s->top));
    out->scale = scale_after(boot, CK_BOOT_MODRAISE, in->scale);
    return CK_OK;
}

static enum ck_err cts(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot, bool real)
{
    CK_TRY(check_scale(in->scale, scale_after(boot, CK_BOOT_MODRAISE, boot->nominal)));
    CK_TRY(linear_chain(ev, out, in, boot, boot->cts, boot->shape.ncts, real));
    out->scale = scale_after(boot, CK_BOOT_CTS, in->scale);
    return CK_OK;
}

enum ck_err ck_boot_cts_complex(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    return cts(ev, out, in, boot, false);
}

enum ck_err ck_boot_cts(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    return cts(ev, out, in, boot, true);
}

// out = 2 (x - shift)^2 - 1, one level; the factor two is half the scale.
static enum ck_err shifted_square(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *x, double shift)
{
    const double scale = x->scale * x->scale / 2;
    const struct ck_sum sum = {.nproduct = 1, .times = 1, .product = {{x, x}}, .nterm = 1, .term = {{x, -4 * shift * (scale / x->scale)}},
                               .constant = (2 * shift * shift - 1) * scale};
    return ck_sum_reduce(ev, out, &sum, x->level, scale);
}

// Relative to 2 q_l the slots are (c + q_0 I) / (q_0 K) whatever the message's own scale, which is put back at the end. Squares and the T_k of the
// series keep the scale at twice the prime.
enum ck_err ck_boot_evalmod(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *boot)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_boot_shape *s = &boot->shape;
    const uint32_t l = s->top - s->ncts, m = l - 1 - ck_poly_depth(CK_MOD_DEGREE);
    if (in->level != l) return CK_ELEVEL;
    if (in->degree != 1) return CK_EDEGREE;
    const double most = scale_after(boot, CK_BOOT_CTS, scale_after(boot, CK_BOOT_MODRAISE, boot->nominal));
    CK_TRY(check_scale(in->scale, most));
    if (!out->data || out->logn != ctx->logn || out->max_level < m || out->max_degree < 1) return CK_ESHAPE;
    const double after = scale_after(boot, CK_BOOT_EVALMOD, in->scale);
    const struct ck_poly cosine = {.degree = CK_MOD_DEGREE, .c = boot->coeff[0], .out_scale = (double)ctx->par.q[m]};
    const size_t mark = ev->scratch.used, words = ck_ct_view_words(ctx, l - 1, 1);
    size_t most_words = switch_words(ev, 0, l), need;
    CK_TRY(ck_poly_words(ev, l - 1, &cosine, CK_MOD_DOUBLINGS, &need));
    if (need > most_words) most_words = need;
    CK_TRY(ck_scratch_reserve(ev, words + most_words + 64));
    struct ck_ct x = *in, y = ck_ct_view(ctx, ck_scratch_take(&ev->scratch, words), l - 1, 1);
    x.scale = 2 * (double)ctx->par.q[l];
    enum ck_err err = shifted_square(ev, &y, &x, 0.25 / CK_BOOT_RANGE);
    if (!err) err = ck_poly_squares(ev, out, &y, &cosine, CK_MOD_DOUBLINGS);
    ev->scratch.used = mark;
    if (!err) out->scale = after;         // sin(2 pi c / q_0) / (2 pi c / q_0) = 1
    return err;
}

enum ck_err ck_bootstrap(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *tmp, const struct ck_boot *boot)
{
    if (!tmp->data || tmp->max_level < boot->shape.top || !out->data || out->max_level < boot->shape.top) return CK_ESHAPE;
    const uint32_t level = boot->shape.stc_levels;
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
