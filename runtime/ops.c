// SPDX-License-Identifier: Apache-2.0
// Operations on ciphertexts: sums, constants, products, relinearisation, rescaling, level drop, rotation. Each checks
// levels, scales and room first, so that an error leaves its output as it was.
#include "internal.h"
#include "thread.h"

#include <math.h>
#include <string.h>

typedef void (*binary)(uint64_t *, const uint64_t *, const uint64_t *, size_t, const struct ck_mod *);

static enum ck_err check_in(const struct ck_context *ctx, const struct ck_ct *a)
{
    if (!a->data || a->logn != ctx->logn) return CK_ESHAPE;
    if (a->level > a->max_level || a->level >= ctx->par.nq) return CK_ELEVEL;
    if (a->degree < 1 || a->degree > 2 || a->degree > a->max_degree) return CK_EDEGREE;
    if (!(a->scale > 0) || !isfinite(a->scale)) return CK_ESCALE;
    return CK_OK;
}

static void copy_limbs(const struct ck_context *ctx, uint64_t *out, const uint64_t *a, uint32_t limbs)
{
    if (out != a) memmove(out, a, limbs * ctx->n * sizeof *a);
}

// out = a op b; polynomials that only one operand has are copied, or negated where they are b's in a difference.
static enum ck_err combine(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b,
                           binary op, bool negate)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_in(ctx, a));
    CK_TRY(check_in(ctx, b));
    if (a->level != b->level) return CK_ELEVEL;
    if (!ck_scale_equal(a->scale, b->scale)) return CK_ESCALE;
    const struct ck_ct x = *a, y = *b;
    const uint32_t ell = x.level + 1, low = x.degree < y.degree ? x.degree : y.degree;
    const uint32_t high = x.degree + y.degree - low;
    CK_TRY(ck_ct_shape(out, ctx, x.level, high));
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < (high + 1) * ell; t++) {
        const uint32_t i = t / ell, j = t % ell;
        const size_t at = j * ctx->n;
        uint64_t *o = ck_ct_poly(out, i) + at;
        if (i <= low) op(o, ck_ct_poly(&x, i) + at, ck_ct_poly(&y, i) + at, ctx->n, &ctx->mod[j]);
        else if (i <= x.degree) copy_limbs(ctx, o, ck_ct_poly(&x, i) + at, 1);
        else if (negate) ctx->k->neg(o, ck_ct_poly(&y, i) + at, ctx->n, &ctx->mod[j]);
        else copy_limbs(ctx, o, ck_ct_poly(&y, i) + at, 1);
    }
    out->scale = x.scale;
    return CK_OK;
}

enum ck_err ck_add(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b)
{
    return combine(ev, out, a, b, ev->ctx->k->add, false);
}

enum ck_err ck_sub(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b)
{
    return combine(ev, out, a, b, ev->ctx->k->sub, true);
}

enum ck_err ck_neg(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_in(ctx, a));
    const struct ck_ct x = *a;
    CK_TRY(ck_ct_shape(out, ctx, x.level, x.degree));
    const uint32_t ell = x.level + 1;
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < (x.degree + 1) * ell; t++) {
        const uint32_t i = t / ell, j = t % ell;
        ctx->k->neg(ck_ct_poly(out, i) + j * ctx->n, ck_ct_poly(&x, i) + j * ctx->n, ctx->n, &ctx->mod[j]);
    }
    out->scale = x.scale;
    return CK_OK;
}

enum ck_err ck_drop(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, uint32_t level)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_in(ctx, a));
    if (level > a->level) return CK_ELEVEL;
    const struct ck_ct x = *a;
    CK_TRY(ck_ct_shape(out, ctx, level, x.degree));
    for (uint32_t i = 0; i <= x.degree; i++) copy_limbs(ctx, ck_ct_poly(out, i), ck_ct_poly(&x, i), level + 1);
    out->scale = x.scale;
    return CK_OK;
}

enum ck_err ck_add_const(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double c)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_in(ctx, a));
    if (!isfinite(c * a->scale)) return CK_ERANGE;
    CK_TRY(ck_drop(ev, out, a, a->level));
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= out->level; j++) {
        uint64_t *limb = ck_ct_poly(out, 0) + j * ctx->n;
        ctx->k->addc(limb, limb, ck_residue(c * out->scale, &ctx->mod[j]), ctx->n, &ctx->mod[j]);
    }
    return CK_OK;
}

void ck_ct_muladd_int(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double c)
{
    const struct ck_context *ctx = ev->ctx;
    const uint32_t ell = out->level + 1;
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < (a->degree + 1) * ell; t++) {
        const uint32_t i = t / ell, j = t % ell;
        const struct ck_shoup w = ck_shoup_init(ck_residue(c, &ctx->mod[j]), &ctx->mod[j]);
        ctx->k->muladdc(ck_ct_poly(out, i) + j * ctx->n, ck_ct_poly(a, i) + j * ctx->n, &w, ctx->n, &ctx->mod[j]);
    }
}

// out = round(factor a / q_l), factor an integer; all checks done.
static void rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double factor)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_kernels *k = ctx->k;
    const uint32_t l = a->level, polys = a->degree + 1;
    const struct ck_ct x = *a;
    const size_t n = ctx->n, mark = ev->scratch.used;
    uint64_t *last = ck_scratch_take(&ev->scratch, polys * n);
    uint64_t *tmp = ck_scratch_take(&ev->scratch, (size_t)ctx->threads * n);
    struct ck_shoup w[CK_MAX_Q];
    for (uint32_t j = 0; j <= l; j++) w[j] = ck_shoup_init(ck_residue(factor, &ctx->mod[j]), &ctx->mod[j]);
    CK_PARALLEL(ctx->threads)
    for (uint32_t i = 0; i < polys; i++) {
        const uint64_t *limb = ck_ct_poly(&x, i) + l * n;
        k->mulc(last + i * n, limb, &w[l], n, &ctx->mod[l]);
        k->intt(last + i * n, ctx->ntt[l]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < polys * l; t++) {
        const uint32_t i = t % polys, j = t / polys;
        uint64_t *part = tmp + (size_t)ck_thread_index() * n, *to = ck_ct_poly(out, i) + j * n;
        const uint64_t *from = ck_ct_poly(&x, i) + j * n;
        k->lift(part, last + i * n, n, &ctx->mod[j], &ctx->mod[l]);
        k->ntt_columns(part, ctx->ntt[j]);
        for (size_t at = 0; at < n; at += CK_NTT_TILE) {
            k->ntt_block(part + at, (uint32_t)(at / CK_NTT_TILE), ctx->ntt[j]);
            if (factor != 1) k->mulc(to + at, from + at, &w[j], CK_NTT_TILE, &ctx->mod[j]);
            k->submulc(to + at, (factor != 1 ? to : from) + at, part + at, &ctx->inv[l * ctx->par.nq + j], CK_NTT_TILE, &ctx->mod[j]);
        }
    }
    ev->scratch.used = mark;
}

static enum ck_err rescale_checked(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double factor)
{
    const struct ck_ct x = *a;
    if (x.level == 0) return CK_ELEVEL;
    CK_TRY(ck_scratch_reserve(ev, ((size_t)x.degree + 1 + (size_t)ev->ctx->threads) * ev->ctx->n));
    CK_TRY(ck_ct_shape(out, ev->ctx, x.level - 1, x.degree));
    rescale(ev, out, &x, factor);
    return CK_OK;
}

enum ck_err ck_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a)
{
    CK_TRY(check_in(ev->ctx, a));
    const double scale = a->scale / (double)ev->ctx->par.q[a->level];
    CK_TRY(rescale_checked(ev, out, a, 1));
    out->scale = scale;
    return CK_OK;
}

enum ck_err ck_mul_const(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double c, double out_scale)
{
    CK_TRY(check_in(ev->ctx, a));
    if (a->level == 0) return CK_ELEVEL;
    if (!(out_scale > 0)) return CK_ESCALE;
    const double factor = rint(c * (out_scale * ((double)ev->ctx->par.q[a->level] / a->scale)));
    if (!isfinite(factor)) return CK_ERANGE;
    CK_TRY(rescale_checked(ev, out, a, factor));
    out->scale = out_scale;
    return CK_OK;
}

static enum ck_err check_factors(const struct ck_context *ctx, const struct ck_ct *a, const struct ck_ct *b)
{
    CK_TRY(check_in(ctx, a));
    CK_TRY(check_in(ctx, b));
    if (a->degree != 1 || b->degree != 1) return CK_EDEGREE;
    if (a->level != b->level) return CK_ELEVEL;
    double bits = 0;
    for (uint32_t j = 0; j <= a->level; j++) bits += log2((double)ctx->par.q[j]);
    return log2(a->scale) + log2(b->scale) < bits ? CK_OK : CK_ESCALE;
}

enum ck_err ck_mul(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_factors(ctx, a, b));
    const struct ck_ct x = *a, y = *b;
    CK_TRY(ck_ct_shape(out, ctx, x.level, 2));
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= x.level; j++) {
        const size_t at = j * ctx->n;
        const uint64_t *const f[] = {ck_ct_poly(&x, 0) + at, ck_ct_poly(&x, 1) + at};
        const uint64_t *const g[] = {ck_ct_poly(&y, 0) + at, ck_ct_poly(&y, 1) + at};
        uint64_t *const o[] = {ck_ct_poly(out, 0) + at, ck_ct_poly(out, 1) + at, ck_ct_poly(out, 2) + at};
        ctx->k->tensor(o, NULL, f, g, 1, ctx->n, &ctx->mod[j]);
    }
    out->scale = x.scale * y.scale;
    return CK_OK;
}

// Key switch, ModDown and, if rescale, division by the last q: what relinearisation, products and rotations share.
// degree 1 result at `level` or one below; galois 0 is relinearisation.
static enum ck_err switch_down(struct ck_eval *ev, struct ck_ct *out, const struct ck_switch *what, uint32_t galois,
                               uint32_t level, double scale, bool merge_rescale)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_key *key = ck_evk_find(ev->evk, galois, level);
    if (!key) return CK_EKEY;
    const struct ck_gadget *g = &ev->evk->gadget[key->gadget];
    const size_t poly = (level + 1 + g->np) * ctx->n, mark = ev->scratch.used;
    CK_TRY(ck_scratch_reserve(ev, 2 * poly + ck_keyswitch_scratch(ctx, g, level)));
    uint64_t *acc = ck_scratch_take(&ev->scratch, 2 * poly);
    struct ck_switch in = *what;
    in.tail = merge_rescale ? CK_TAIL_PQ : CK_TAIL_P;
    enum ck_err err = ck_switch(acc, ctx, g, key, &in, level, &ev->scratch);
    if (err == CK_OK) err = ck_ct_shape(out, ctx, merge_rescale ? level - 1 : level, 1);
    if (err == CK_OK) {
        const struct ck_moddown_opt opt = {.perm = key->perm, .rescale = merge_rescale, .coeff = true};
        ck_moddown(out->data, (out->max_level + 1) * ctx->n, ctx, g, acc, poly, 2, level, &opt, &ev->scratch);
        out->scale = merge_rescale ? scale / (double)ctx->par.q[level] : scale;
    }
    ev->scratch.used = mark;
    return err;
}

enum ck_err ck_relin_opt(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, bool merge_rescale)
{
    const struct ck_context *ctx = ev->ctx;
    CK_TRY(check_in(ctx, a));
    const struct ck_ct x = *a;
    if (merge_rescale && x.level == 0) return CK_ELEVEL;
    if (x.degree == 1) return merge_rescale ? ck_rescale(ev, out, a) : ck_drop(ev, out, a, x.level);
    const struct ck_switch what = {.a = ck_ct_poly(&x, 2), .raise = {ck_ct_poly(&x, 0), ck_ct_poly(&x, 1)}};
    return switch_down(ev, out, &what, 0, x.level, x.scale, merge_rescale);
}

enum ck_err ck_mul_relin_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b)
{
    CK_TRY(check_factors(ev->ctx, a, b));
    if (a->level == 0) return CK_ELEVEL;
    const struct ck_switch what = {.x = {ck_ct_poly(a, 0), ck_ct_poly(a, 1)}, .y = {ck_ct_poly(b, 0), ck_ct_poly(b, 1)}};
    return switch_down(ev, out, &what, 0, a->level, a->scale * b->scale, true);
}

enum ck_err ck_relin(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a)
{
    return ck_relin_opt(ev, out, a, false);
}

enum ck_err ck_relin_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a)
{
    return ck_relin_opt(ev, out, a, true);
}

enum ck_err ck_galois_apply(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, uint32_t galois)
{
    CK_TRY(check_in(ev->ctx, a));
    if (a->degree != 1) return CK_EDEGREE;
    if (galois == 1) return ck_drop(ev, out, a, a->level);
    const struct ck_switch what = {.a = ck_ct_poly(a, 1), .raise = {ck_ct_poly(a, 0), NULL}};
    return switch_down(ev, out, &what, galois, a->level, a->scale, false);
}

enum ck_err ck_rotate(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, int32_t k)
{
    CK_TRY(check_in(ev->ctx, a));
    if (a->degree != 1) return CK_EDEGREE;
    const int32_t whole = ck_rotation(ev->ctx, k);
    const uint32_t level = a->level;
    int32_t before;
    // All keys are looked for before anything is written. The order of the steps does not matter.
    size_t steps = 0;
    for (int32_t at = whole; at; at = before)
        if (!ck_eval_turn(ev, at, level, &before) || steps++ > ev->nroute) return CK_EKEY;
    if (!whole) return ck_drop(ev, out, a, level);
    for (int32_t at = whole; at; at = before, a = out) CK_TRY(ck_galois_apply(ev, out, a, ck_eval_turn(ev, at, level, &before)->galois));
    return CK_OK;
}
