// SPDX-License-Identifier: Apache-2.0
// Chebyshev series by Paterson-Stockmeyer in depth ceil(log2(d+1)), every scale chosen so that the result lands on
// out_scale exactly.
//
// A series p at level u and scale S, not yet rescaled, is either a sum of integers times T_k (where all T_k are at
// level u or above), or p = q T_h + r with h the largest power of two in it: q is wanted at level u and scale S /
// scale(T_h), that is, unrescaled at level u+1 and q_{u+1} times that scale; the product and r then meet at level u and
// scale S. So integers absorb the drift of the scales of T_k. All products and multiples that meet are one ck_sum, formed
// once, on its way into the relinearisation or the rescale. Squares may follow, z <- 2 z^2 + multiples of T_k: the factor two
// is half the scale, and the multiples go into the square's sum. source [PS73], [BMTH21]
#include "internal.h"
#include "thread.h"

#include <math.h>
#include <string.h>

enum { MAX_DEGREE = 1023, MAX_LOG = 6 };       // sums of fewer than 2^MAX_LOG T_k: CK_SUM_TERMS

struct series {
    struct ck_eval *ev;
    const struct ck_context *ctx;
    uint32_t level;                     // of x
    uint32_t m;                         // sums of T_k run over k < m
    uint32_t products;                  // ciphertext products planned
    size_t peak;                        // words of quotients kept at once
    bool need[MAX_DEGREE + 1];
    struct ck_ct t[MAX_DEGREE + 1];     // views; data is NULL until computed
    uint32_t nquotient;
    struct ck_ct quotient[2 * CK_SUM_PRODUCTS];     // of the sums that are being formed
};

static uint32_t floor_log2(uint32_t x)
{
    return 31 - (uint32_t)__builtin_clz(x);
}

// Level of T_k: x's less ceil(log2 k).
static uint32_t basis_level(const struct series *s, uint32_t k)
{
    return s->level - (k > 1 ? floor_log2(k - 1) + 1 : 0);
}

static uint32_t trim(const double *c, uint32_t degree)
{
    while (degree && c[degree] == 0) degree--;
    return degree;
}

static bool is_sum(const struct series *s, const double *c, uint32_t degree, uint32_t u)
{
    if (degree >= s->m) return false;
    for (uint32_t k = 1; k <= degree; k++)
        if (c[k] != 0 && basis_level(s, k) < u) return false;
    return true;
}

// q (h' = degree - h + 1 coefficients) and r (h) of c = q T_h + r: T_{h+i} = 2 T_h T_i - T_{h-i}.
static void divide(double *q, double *r, const double *c, uint32_t degree, uint32_t h)
{
    memcpy(r, c, h * sizeof *r);
    q[0] = c[h];
    for (uint32_t i = 1; i <= degree - h; i++) {
        q[i] = 2 * c[h + i];
        r[h - i] -= c[h + i];
    }
}

static void need_basis(struct series *s, uint32_t k)
{
    if (k <= 1 || s->need[k]) return;
    s->need[k] = true;
    s->products++;
    const uint32_t a = (k & (k - 1)) == 0 ? k / 2 : 1u << floor_log2(k), b = k - a;
    need_basis(s, a);
    need_basis(s, b);
    need_basis(s, a - b);
}

static size_t quotient_words(const struct series *s, uint32_t level)
{
    return ck_ct_view_words(s->ctx, level, 1) + 8;
}

// live: words of the quotients that wait for the end of their sums.
static void plan(struct series *s, const double *c, uint32_t degree, uint32_t u, size_t live)
{
    degree = trim(c, degree);
    if (is_sum(s, c, degree, u)) {
        for (uint32_t k = 1; k <= degree; k++)
            if (c[k] != 0) need_basis(s, k);
        return;
    }
    const uint32_t h = 1u << floor_log2(degree);
    double q[MAX_DEGREE / 2 + 2], r[MAX_DEGREE / 2 + 2];
    divide(q, r, c, degree, h);
    need_basis(s, h);
    const uint32_t dq = trim(q, degree - h);
    if (dq) {
        s->products++;
        live += quotient_words(s, u);
        if (live > s->peak) s->peak = live;
        plan(s, q, dq, u + 1, live);
    }
    plan(s, r, h - 1, u, live);
}

// Words of T_k for all k needed; with `words`, places their views there.
static size_t place(struct series *s, uint32_t degree, uint64_t *words)
{
    size_t sum = 0;
    for (uint32_t k = 2; k <= degree; k++) {
        if (!s->need[k]) continue;
        const uint32_t level = basis_level(s, k);
        if (words) s->t[k] = ck_ct_view(s->ctx, words + sum, level, 1);
        sum += ck_ct_view_words(s->ctx, level, 1);
    }
    return sum;
}

// The m that needs the fewest products.
static void choose(struct series *s, const double *c, uint32_t degree, uint32_t u)
{
    uint32_t best = 2, fewest = UINT32_MAX;
    for (uint32_t log = 1; log <= MAX_LOG; log++) {
        memset(s->need, 0, sizeof s->need);
        s->products = 0;
        s->m = 1u << log;
        plan(s, c, degree, u, 0);
        if (s->products < fewest) {
            fewest = s->products;
            best = s->m;
        }
    }
    memset(s->need, 0, sizeof s->need);
    s->m = best;
    s->peak = 0;
    plan(s, c, degree, u, 0);
}

// T_k = 2 T_a T_b - T_{a-b}, a + b = k; s->t[k].degree is 0 until it is there. The factor two is the scale's where that is
// near twice the prime, which then stays so.
static enum ck_err make_basis(struct series *s, uint32_t k)
{
    if (s->t[k].degree) return CK_OK;
    const uint32_t a = (k & (k - 1)) == 0 ? k / 2 : 1u << floor_log2(k), b = k - a, level = basis_level(s, k) + 1;
    CK_TRY(make_basis(s, a));
    CK_TRY(make_basis(s, b));
    if (a != b) CK_TRY(make_basis(s, a - b));
    double scale = s->t[a].scale * s->t[b].scale;
    struct ck_sum sum = {.nproduct = 1, .times = 2, .product = {{&s->t[a], &s->t[b]}}};
    if (sqrt(scale) > 1.5 * (double)s->ctx->par.q[level]) {
        sum.times = 1;
        scale /= 2;
    }
    if (a == b) sum.constant = -scale;
    else sum.term[sum.nterm++] = (struct ck_term){&s->t[a - b], -scale / s->t[a - b].scale};
    return ck_sum_reduce(s->ev, &s->t[k], &sum, level, scale);
}

// Adds multiples of T_k and a constant to a sum at `scale`.
static enum ck_err add_terms(struct series *s, struct ck_sum *sum, const double *c, uint32_t degree, double scale)
{
    for (uint32_t k = 1; k <= degree; k++) {
        if (c[k] == 0) continue;
        CK_TRY(make_basis(s, k));
        sum->term[sum->nterm++] = (struct ck_term){&s->t[k], c[k] * (scale / s->t[k].scale)};
    }
    sum->constant += c[0] * scale;
    return CK_OK;
}

static enum ck_err evaluate(struct series *s, struct ck_ct *out, const double *c, uint32_t degree, uint32_t level, double scale);

// Adds a series to a sum at level u and `scale`. Quotients stay in scratch for their sum.
static enum ck_err add_series(struct series *s, struct ck_sum *sum, const double *c, uint32_t degree, uint32_t u, double scale)
{
    degree = trim(c, degree);
    if (is_sum(s, c, degree, u)) return add_terms(s, sum, c, degree, scale);
    const uint32_t h = 1u << floor_log2(degree);
    double q[MAX_DEGREE / 2 + 2], r[MAX_DEGREE / 2 + 2];
    divide(q, r, c, degree, h);
    const uint32_t dq = trim(q, degree - h);
    CK_TRY(make_basis(s, h));
    const double ratio = scale / s->t[h].scale;
    if (dq == 0) {
        sum->term[sum->nterm++] = (struct ck_term){&s->t[h], q[0] * ratio};
    } else {
        struct ck_ct *high = &s->quotient[s->nquotient++];
        *high = ck_ct_view(s->ctx, ck_scratch_take(&s->ev->scratch, quotient_words(s, u)), u, 1);
        CK_TRY(evaluate(s, high, q, dq, u + 1, ratio * (double)s->ctx->par.q[u + 1]));
        sum->product[sum->nproduct++] = (struct ck_product){high, &s->t[h]};
    }
    return add_series(s, sum, r, h - 1, u, scale);
}

// out = the series, from its sum at `level` and `scale`.
static enum ck_err evaluate(struct series *s, struct ck_ct *out, const double *c, uint32_t degree, uint32_t level, double scale)
{
    const size_t mark = s->ev->scratch.used;
    const uint32_t kept = s->nquotient;
    struct ck_sum sum = {.times = 1};
    enum ck_err err = add_series(s, &sum, c, degree, level, scale);
    if (err == CK_OK) err = ck_sum_reduce(s->ev, out, &sum, level, scale);
    s->nquotient = kept;
    s->ev->scratch.used = mark;
    return err;
}

// The plan of a series of nonzero degree that ends at level u, unrescaled, with the T_k that its squares add; the scratch.
static enum ck_err plan_words(struct series *s, const struct ck_poly *p, uint32_t degree, uint32_t squares, uint32_t u, size_t *words)
{
    const struct ck_context *ctx = s->ctx;
    const struct ck_evk *evk = s->ev->evk;
    choose(s, p->c, degree, u);
    for (uint32_t i = 1; i <= squares; i++)
        for (uint32_t k = 2; k <= degree; k++)
            if (p->c[i * (p->degree + 1) + k] != 0) need_basis(s, k);
    const bool switches = s->products || squares;
    if (switches && !ck_evk_find(evk, 0, s->level)) return CK_EKEY;
    size_t switching = 0;
    for (uint32_t i = 0; switches && i < evk->ngadget; i++) {
        const struct ck_gadget *g = &evk->gadget[i];
        const uint32_t level = g->max_level < s->level ? g->max_level : s->level;
        const size_t most = ck_keyswitch_scratch(ctx, g, level) + (size_t)2 * (level + 1 + g->np) * ctx->n + 16;
        if (most > switching) switching = most;
    }
    const size_t rescaling = ck_rescale_scratch(ctx, 1);
    *words = place(s, degree, NULL) + s->peak + (switching > rescaling ? switching : rescaling) + 64;
    return CK_OK;
}

enum ck_err ck_poly_words(struct ck_eval *ev, uint32_t level, const struct ck_poly *p, uint32_t squares, size_t *words)
{
    const uint32_t degree = trim(p->c, p->degree), depth = ck_poly_depth(p->degree), used = ck_poly_depth(degree);
    *words = 0;
    if (level < depth + squares) return CK_ELEVEL;
    struct series s = {.ev = ev, .ctx = ev->ctx, .level = level - depth + used};
    return degree ? plan_words(&s, p, degree, squares, level - depth + 1, words) : CK_OK;
}

enum ck_err ck_poly_eval(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_poly *p)
{
    return ck_poly_squares(ev, out, in, p, 0);
}

enum ck_err ck_poly_squares(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *in, const struct ck_poly *p, uint32_t squares)
{
    const struct ck_context *ctx = ev->ctx;
    if (!in->data || in->logn != ctx->logn) return CK_ESHAPE;
    if (in->degree != 1) return CK_EDEGREE;
    if (p->degree > MAX_DEGREE) return CK_ERANGE;
    const uint32_t depth = ck_poly_depth(p->degree), degree = trim(p->c, p->degree);
    if (squares && (degree < p->degree || degree - 1 >= 1u << MAX_LOG)) return CK_ERANGE;
    if (!(in->scale > 0) || !(p->out_scale > 0) || !isfinite(p->out_scale)) return CK_ESCALE;
    if (in->level >= ctx->par.nq || in->level < depth + squares) return CK_ELEVEL;
    for (uint32_t k = 0; k < (p->degree + 1) * (squares + 1); k++)
        if (!isfinite(p->c[k])) return CK_ERANGE;
    const uint32_t end = in->level - depth;
    if (!out->data || out->logn != ctx->logn || out->max_level < end || out->max_degree < 1) return CK_ESHAPE;
    if (squares && out->data == in->data) return CK_ESHAPE;

    // A series with zeros at its end needs less depth: start lower.
    struct series s = {.ev = ev, .ctx = ctx, .level = end + ck_poly_depth(degree)};
    s.t[1] = *in;
    s.t[1].level = s.level;
    if (degree == 0) {
        CK_TRY(ck_ct_shape(out, ctx, end, 1));
        for (uint32_t i = 0; i < 2; i++) memset(ck_ct_poly(out, i), 0, (end + 1) * ctx->n * sizeof(uint64_t));
        out->scale = p->out_scale;
        return ck_add_const(ev, out, out, p->c[0]);
    }
    size_t words;
    CK_TRY(plan_words(&s, p, degree, squares, end + 1, &words));
    CK_TRY(ck_scratch_reserve(ev, words));
    const size_t mark = ev->scratch.used;
    place(&s, degree, ck_scratch_take(&ev->scratch, place(&s, degree, NULL)));
    double scale = p->out_scale;
    for (uint32_t i = squares; i-- > 0;) scale = sqrt(2 * scale * (double)ctx->par.q[end - i]);
    enum ck_err err = evaluate(&s, out, p->c, degree, end + 1, scale * (double)ctx->par.q[end + 1]);
    for (uint32_t i = 1; i <= squares && !err; i++) {
        scale = out->scale * out->scale / 2;
        struct ck_sum sum = {.nproduct = 1, .times = 1, .product = {{out, out}}};
        err = add_terms(&s, &sum, p->c + i * (degree + 1), degree, scale);
        if (!err) err = ck_sum_reduce(ev, out, &sum, out->level, scale);
    }
    if (err == CK_OK) out->scale = p->out_scale;
    ev->scratch.used = mark;
    return err;
}
