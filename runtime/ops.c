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

struct ck_shoup ck_residue_shoup(double c, const struct ck_mod *mod)
{
    return ck_shoup_init(ck_residue(c, mod), mod);
}

/* A sum without products on the way through its rescale: `polys` polynomials, the factors of one limb. */
struct multiples {
    const struct ck_sum *sum;
    struct ck_shoup factor[CK_SUM_TERMS];
    uint64_t constant;
};

static void multiples_init(struct multiples *m, const struct ck_mod *mod)
{
    for (uint32_t i = 0; i < m->sum->nterm; i++) m->factor[i] = ck_residue_shoup(m->sum->term[i].factor, mod);
    m->constant = ck_residue(m->sum->constant, mod);
}

// Words [at, at + CK_NTT_TILE) of limb j of polynomial i, in tmp or where they are.
static const uint64_t *multiples_tile(const struct multiples *m, const struct ck_context *ctx, uint32_t i, uint32_t j, size_t at, uint64_t *tmp)
{
    const struct ck_term *term = m->sum->term;
    const struct ck_mod *mod = &ctx->mod[j];
    const uint64_t *from = ck_ct_poly(term[0].ct, i) + j * ctx->n + at;
    const bool shift = i == 0 && m->constant;
    if (m->sum->nterm == 1 && term[0].factor == 1 && !shift) return from;
    ctx->k->mulc(tmp, from, &m->factor[0], CK_NTT_TILE, mod);
    for (uint32_t t = 1; t < m->sum->nterm; t++)
        ctx->k->muladdc(tmp, ck_ct_poly(term[t].ct, i) + j * ctx->n + at, &m->factor[t], CK_NTT_TILE, mod);
    if (shift) ctx->k->addc(tmp, tmp, m->constant, CK_NTT_TILE, mod);
    return tmp;
}

// A limb in coefficient form and a tile.
static size_t local_words(const struct ck_context *ctx)
{
    return ctx->n + CK_NTT_TILE;
}

size_t ck_rescale_scratch(const struct ck_context *ctx, uint32_t degree)
{
    return (degree + 1) * ctx->n + (size_t)ctx->threads * local_words(ctx);
}

// out = round(sum / q_l), all checks done, out of its shape; operands have `polys` polynomials. out may be one of them: limb q_l is read first.
static void rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_sum *sum, uint32_t l, uint32_t polys)
{
    const struct ck_context *ctx = ev->ctx;
    const struct ck_kernels *k = ctx->k;
    const size_t n = ctx->n, each = local_words(ctx), mark = ev->scratch.used;
    uint64_t *last = ck_scratch_take(&ev->scratch, polys * n);
    uint64_t *local = ck_scratch_take(&ev->scratch, (size_t)ctx->threads * each);
    CK_PARALLEL(ctx->threads)
    for (uint32_t i = 0; i < polys; i++) {
        uint64_t *tmp = local + (size_t)ck_thread_index() * each, *to = last + i * n;
        struct multiples m = {.sum = sum};
        multiples_init(&m, &ctx->mod[l]);
        for (size_t at = 0; at < n; at += CK_NTT_TILE) {
            memcpy(to + at, multiples_tile(&m, ctx, i, l, at, tmp), CK_NTT_TILE * sizeof *to);
            k->intt_block(to + at, (uint32_t)(at / CK_NTT_TILE), ctx->ntt[l]);
        }
        k->intt_columns(to, ctx->ntt[l]);
    }
    CK_PARALLEL(ctx->threads)
    for (uint32_t t = 0; t < polys * l; t++) {
        const uint32_t i = t % polys, j = t / polys;
        uint64_t *tmp = local + (size_t)ck_thread_index() * each, *part = tmp + CK_NTT_TILE, *to = ck_ct_poly(out, i) + j * n;
        struct multiples m = {.sum = sum};
        multiples_init(&m, &ctx->mod[j]);
        k->lift(part, last + i * n, n, &ctx->mod[j], &ctx->mod[l]);
        k->ntt_columns(part, ctx->ntt[j]);
        for (size_t at = 0; at < n; at += CK_NTT_TILE) {
            k->ntt_block(part + at, (uint32_t)(at / CK_NTT_TILE), ctx->ntt[j], ck_ct_poly(sum->term[0].ct, i) + j * n + at);
            const uint64_t *from = multiples_tile(&m, ctx, i, j, at, tmp);
            k->submulc(to + at, from, part + at, &ctx->inv[l * ctx->par.nq + j], CK_NTT_TILE, &ctx->mod[j]);
        }
    }
    ev->scratch.used = mark;
}

static enum ck_err rescale_checked(struct ck_eval *ev, struct ck_ct *out, const struct ck_sum *sum, uint32_t level, uint32_t degree)
{
    if (level == 0) return CK_ELEVEL;
    CK_TRY(ck_scratch_reserve(ev, ck_rescale_scratch(ev->ctx, degree)));
    CK_TRY(ck_ct_shape(out, ev->ctx, level - 1, degree));
    rescale(ev, out, sum, level, degree + 1);
    return CK_OK;
}

enum ck_err ck_sum_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_sum *sum, uint32_t level, double scale)
{
    CK_TRY(rescale_checked(ev, out, sum, level, 1));
    out->scale = scale / (double)ev->ctx->par.q[level];
    return CK_OK;
}

// out = round(factor a / q_l).
static enum ck_err rescale_one(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, double factor)
{
    const struct ck_ct x = *a;
    const struct ck_sum sum = {.nterm = 1, .term = {{&x, factor}}};
    return rescale_checked(ev, out, &sum, x.level, x.degree);
}

enum ck_err ck_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a)
{
    CK_TRY(check_in(ev->ctx, a));
    const double scale = a->scale / (double)ev->ctx->par.q[a->level];
    CK_TRY(rescale_one(ev, out, a, 1));
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
    CK_TRY(rescale_one(ev, out, a, factor));
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
        ctx->k->tensor(o, f, g, ctx->n, &ctx->mod[j]);
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

enum ck_err ck_sum_reduce(struct ck_eval *ev, struct ck_ct *out, const struct ck_sum *sum, uint32_t level, double scale)
{
    if (!sum->nproduct) return ck_sum_rescale(ev, out, sum, level, scale);
    const struct ck_switch what = {.sum = sum};
    return switch_down(ev, out, &what, 0, level, scale, true);
}

enum ck_err ck_mul_relin_rescale(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b)
{
    CK_TRY(check_factors(ev->ctx, a, b));
    if (a->level == 0) return CK_ELEVEL;
    const struct ck_sum sum = {.nproduct = 1, .times = 1, .product = {{a, b}}};
    return ck_sum_reduce(ev, out, &sum, a->level, a->scale * b->scale);
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
