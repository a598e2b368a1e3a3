// SPDX-License-Identifier: Apache-2.0
// Template: arithmetic modulo q < 2^50 by double-precision FMA (the idea of FLINT's fft_small), and on it the negacyclic transforms,
// the multiplicative elementwise kernels and base conversion. Parameter:
//   DBL_WIDTH   4 (AVX2 + FMA) or 8 (AVX-512F/DQ); both are tested by checkkern
// Defines dbl_kernels_init(struct ck_kernels *).
//
// product(y, w, wq): h + l = y w exactly; k = y wq rounded to an integer by adding 1.5 2^52, exact for |y wq| <= 2^51; then h - k q and
// the sum with l are integers below 2^53, so exact. wq is w/q to half an ulp: |r| <= q (1/2 + |y wq| 2^-52) <= 3q/4
// where |y| <= 2^51/|w/q|: for centred twiddles |y| <= 2^52, for two residues |y| <= 2^50. Every integer here is below 2^53.
//
// Forward: |value| grows by 3q/4 a stage. For q < 2^48 sixteen stages from [0,q) stay below 13q < 2^52 without a reduction; else the
// first half of the inputs of every step of at most 3 stages is reduced to about q/2, the rest is multiplied at once, so values
// stay below 2.75q + 1 < 2^52. Inverse: inputs of a step are at most 3q/4; sums are reduced at the end of a step for q < 2^48
// (at most 8 3q/4 < 2^51 inside), after every stage else (differences at most 2 3q/4).
#include "kernels_impl.h"
#include "mod.h"
#include "ntt.h"
#include <assert.h>
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))
enum { W = DBL_WIDTH };

#if DBL_WIDTH == 8
typedef __m512d vec;
#define OP(name) _mm512_##name
#define BITS(name) _mm512_##name##_si512
#define IVEC __m512i
#define TO_BITS _mm512_castpd_si512
#define TO_DOUBLE _mm512_castsi512_pd
#else
typedef __m256d vec;
#define OP(name) _mm256_##name
#define BITS(name) _mm256_##name##_si256
#define IVEC __m256i
#define TO_BITS _mm256_castpd_si256
#define TO_DOUBLE _mm256_castsi256_pd
#endif

struct consts {
    vec q, qinv;
};

INLINE vec splat(double x) { return OP(set1_pd)(x); }
INLINE vec load(const double *p) { return OP(loadu_pd)(p); }
INLINE void store(double *p, vec x) { OP(storeu_pd)(p, x); }
INLINE vec add(vec a, vec b) { return OP(add_pd)(a, b); }
INLINE vec sub(vec a, vec b) { return OP(sub_pd)(a, b); }
INLINE vec magic(void) { return splat(0x1.8p52); }
INLINE struct consts consts_of(const struct ck_mod *m) { return (struct consts){splat((double)m->q), splat(1.0 / (double)m->q)}; }

// words below 2^52 <-> doubles
INLINE vec load_words(const uint64_t *p)
{
    const vec top = splat(0x1p52);
    return sub(TO_DOUBLE(BITS(or)(BITS(loadu)((const IVEC *)p), TO_BITS(top))), top);
}
INLINE void store_words(uint64_t *p, vec x)
{
    const vec top = splat(0x1p52);
    BITS(storeu)((IVEC *)p, BITS(xor)(TO_BITS(add(x, top)), TO_BITS(top)));
}
INLINE vec load_i32(const int32_t *p)
{
#if DBL_WIDTH == 8
    return _mm512_cvtepi32_pd(_mm256_loadu_si256((const __m256i *)p));
#else
    return _mm256_cvtepi32_pd(_mm_loadu_si128((const __m128i *)p));
#endif
}
// q where x < 0, else 0
INLINE vec where_negative(vec x, vec q)
{
#if DBL_WIDTH == 8
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_LT_OQ), q);
#else
    return _mm256_and_pd(_mm256_cmp_pd(x, _mm256_setzero_pd(), _CMP_LT_OQ), q);
#endif
}

INLINE vec product(vec y, vec w, vec wq, const struct consts *c)
{
    vec h = OP(mul_pd)(y, w), l = OP(fmsub_pd)(y, w, h);
    vec k = sub(OP(fmadd_pd)(y, wq, magic()), magic());
    return add(OP(fnmadd_pd)(k, c->q, h), l);
}
// a b for two residues: the quotient from the rounded product
INLINE vec product2(vec a, vec b, const struct consts *c)
{
    vec h = OP(mul_pd)(a, b), l = OP(fmsub_pd)(a, b, h);
    vec k = sub(OP(fmadd_pd)(h, c->qinv, magic()), magic());
    return add(OP(fnmadd_pd)(k, c->q, h), l);
}
// |x| < 2^53 to at most q/2 and a rounding
INLINE vec reduce(vec x, const struct consts *c)
{
    vec k = sub(OP(fmadd_pd)(x, c->qinv, magic()), magic());
    return OP(fnmadd_pd)(k, c->q, x);
}
// (-q, q) to [0, q)
INLINE vec canonical(vec x, const struct consts *c) { return add(x, where_negative(x, c->q)); }

INLINE vec twiddle(const double *w, int k, bool lanes) { return lanes ? load(w + 8 * k) : splat(w[k]); }

// Radix-R steps, R <= 8; stage s has its twiddles at (base << s). `lane`: first lane of these vectors.
INLINE void fwd(vec *v, int R, const struct ck_ntt *t, size_t base, bool lanes, int lane, bool lazy, const struct consts *c)
{
    const int stages = R == 8 ? 3 : R == 4 ? 2 : 1;
    if (!lazy) {
#pragma GCC unroll 4
        for (int i = 0; i < R / 2; i++) v[i] = reduce(v[i], c);
    }
#pragma GCC unroll 3
    for (int s = 0; s < stages; s++) {
        const int h = R >> (s + 1);
        const double *w = t->w.d + (base << s) + lane, *wq = t->wq.d + (base << s) + lane;
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
            vec p = product(v[i + h], twiddle(w, i / (2 * h), lanes), twiddle(wq, i / (2 * h), lanes), c);
            v[i + h] = sub(v[i], p);
            v[i] = add(v[i], p);
        }
    }
}

INLINE vec centred(const struct ck_shoup *s, uint64_t q) { return splat(s->w > q / 2 ? -(double)(q - s->w) : (double)s->w); }

INLINE void inv(vec *v, int R, const struct ck_ntt *t, size_t base, bool lanes, int lane, bool last, bool lazy,
                const struct consts *c)
{
    const int stages = R == 8 ? 3 : R == 4 ? 2 : 1;
#pragma GCC unroll 3
    for (int s = stages - 1; s >= 0; s--) {
        const int h = R >> (s + 1);
        const double *w = t->iw.d + (base << s) + lane, *wq = t->iwq.d + (base << s) + lane;
        const bool final = last && s == 0;
        const vec nw = centred(&t->ninv, t->mod.q), nwq = OP(mul_pd)(nw, c->qinv);
        const vec fw = centred(&t->ninvw, t->mod.q), fwq = OP(mul_pd)(fw, c->qinv);
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
            vec x = add(v[i], v[i + h]), d = sub(v[i], v[i + h]);
            vec wv = final ? fw : twiddle(w, i / (2 * h), lanes), wqv = final ? fwq : twiddle(wq, i / (2 * h), lanes);
            v[i + h] = product(d, wv, wqv, c);
            v[i] = final ? product(x, nw, nwq, c) : lazy && s > 0 ? x : reduce(x, c);
        }
    }
}

// out[8 (lane + j) + i] = lane j of v[i]: part of an 8x8 transpose
INLINE void transpose(double *out, const vec *v, int lane)
{
#if DBL_WIDTH == 8
    vec a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm512_unpacklo_pd(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_pd(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
#pragma GCC unroll 2
        for (int p = 0; p < 2; p++) {
            b[4 * i + p] = _mm512_shuffle_f64x2(a[4 * i + p], a[4 * i + p + 2], 0x88);
            b[4 * i + p + 2] = _mm512_shuffle_f64x2(a[4 * i + p], a[4 * i + p + 2], 0xdd);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        store(out + 8 * i, _mm512_shuffle_f64x2(b[i], b[4 + i], 0x88));
        store(out + 8 * (i + 4), _mm512_shuffle_f64x2(b[i], b[4 + i], 0xdd));
    }
    (void)lane;
#else
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        vec a = _mm256_unpacklo_pd(v[i], v[i + 1]), b = _mm256_unpackhi_pd(v[i], v[i + 1]);
        vec c = _mm256_unpacklo_pd(v[i + 2], v[i + 3]), d = _mm256_unpackhi_pd(v[i + 2], v[i + 3]);
        double *o = out + 8 * lane + i;
        store(o, _mm256_permute2f128_pd(a, c, 0x20));
        store(o + 8, _mm256_permute2f128_pd(b, d, 0x20));
        store(o + 16, _mm256_permute2f128_pd(a, c, 0x31));
        store(o + 24, _mm256_permute2f128_pd(b, d, 0x31));
    }
#endif
}

// Columns of the (R1 R2) x 1024 matrix, eight at a time. The array holds words before, doubles after.
INLINE void fwd_columns(uint64_t *words, int R1, int R2, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    double *a = (double *)words;
    _Alignas(64) double scratch[64 * W];
    for (int col = 0; col < 1024; col += W) {
        for (int g = 0; g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) v[i] = load_words(words + col + 1024 * (g + i * R2));
            fwd(v, R1, t, 1, false, 0, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) store(R2 == 1 ? a + col + 1024 * i : scratch + W * (g + i * R2), v[i]);
        }
        for (int g = 0; R2 > 1 && g < R1; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) v[i] = load(scratch + W * (g * R2 + i));
            fwd(v, R2, t, (size_t)(R1 + g), false, 0, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) store(a + col + 1024 * (g * R2 + i), v[i]);
        }
    }
}

INLINE void inv_columns(uint64_t *words, int R1, int R2, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    double *a = (double *)words;
    _Alignas(64) double scratch[64 * W];
    for (int col = 0; col < 1024; col += W) {
        for (int g = 0; R2 > 1 && g < R1; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) v[i] = load(a + col + 1024 * (g * R2 + i));
            inv(v, R2, t, (size_t)(R1 + g), false, 0, false, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) store(scratch + W * (g * R2 + i), v[i]);
        }
        for (int g = 0; g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) v[i] = load(R2 == 1 ? a + col + 1024 * i : scratch + W * (g + i * R2));
            inv(v, R1, t, 1, false, 0, true, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) store_words(words + col + 1024 * (g + i * R2), canonical(v[i], &c));
        }
    }
}

// One radix-4 step over a block of 1024: rows of `h` words, 4h apart groups; base: number of the first group.
INLINE void fwd_rows(uint64_t *words, int h, const struct ck_ntt *t, size_t base, bool from_words, bool lazy, const struct consts *c)
{
    double *a = (double *)words;
    for (int g = 0; g < 1024; g += 4 * h, base++)
        for (int col = g; col < g + h; col += W) {
            vec v[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) v[i] = from_words ? load_words(words + col + h * i) : load(a + col + h * i);
            fwd(v, 4, t, base, false, 0, lazy, c);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) store(a + col + h * i, v[i]);
        }
}

INLINE void inv_rows(uint64_t *words, int h, const struct ck_ntt *t, size_t base, bool last, bool lazy, const struct consts *c)
{
    double *a = (double *)words;
    for (int g = 0; g < 1024; g += 4 * h, base++)
        for (int col = g; col < g + h; col += W) {
            vec v[4];
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) v[i] = load(a + col + h * i);
            inv(v, 4, t, base, false, 0, last, lazy, c);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++) {
                if (last) store_words(words + col + h * i, canonical(v[i], c));
                else store(a + col + h * i, v[i]);
            }
        }
}

INLINE void fwd_block(uint64_t *words, size_t b, const struct ck_ntt *t, const uint64_t *ahead, bool lazy)
{
    (void)ahead;
    const struct consts c = consts_of(&t->mod);
    const size_t n = (size_t)1 << t->logn;
    double *a = (double *)words;
    if (t->logn == 10) fwd_rows(words, 256, t, 1, true, lazy, &c);
    else fwd_rows(words, 256, t, n / 1024 + b, false, lazy, &c);
    fwd_rows(words, 64, t, n / 256 + 4 * b, false, lazy, &c);
    for (size_t k = 16 * b; k < 16 * (b + 1); k++, a += 64, words += 64) {
        _Alignas(64) double s[64];
        vec v[8];
        for (int lane = 0; lane < 8; lane += W) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) v[i] = load(a + 8 * i + lane);
            fwd(v, 8, t, n / 64 + k, false, 0, lazy, &c);
            transpose(s, v, lane);
        }
        for (int lane = 0; lane < 8; lane += W) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) v[i] = load(s + 8 * i + lane);
            fwd(v, 8, t, n / 8 + 8 * k, true, lane, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) store_words(words + 8 * i + lane, canonical(reduce(v[i], &c), &c));
        }
    }
}

INLINE void inv_block(uint64_t *words, size_t b, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    const size_t n = (size_t)1 << t->logn;
    double *a = (double *)words;
    for (size_t k = 0; k < 16; k++) {
        _Alignas(64) double s[64];
        vec v[8];
        for (int lane = 0; lane < 8; lane += W) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) v[i] = load_words(words + 64 * k + 8 * i + lane);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) v[i] = reduce(v[i], &c);
            inv(v, 8, t, n / 8 + 8 * (16 * b + k), true, lane, false, lazy, &c);
            transpose(s, v, lane);
        }
        for (int lane = 0; lane < 8; lane += W) {
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) v[i] = load(s + 8 * i + lane);
            inv(v, 8, t, n / 64 + 16 * b + k, false, 0, false, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) store(a + 64 * k + 8 * i + lane, v[i]);
        }
    }
    inv_rows(words, 64, t, n / 256 + 4 * b, false, lazy, &c);
    if (t->logn == 10) inv_rows(words, 256, t, 1, true, lazy, &c);
    else inv_rows(words, 256, t, n / 1024 + b, false, lazy, &c);
}

#include "ntt_pass_tmpl.h"

static void iblock_lazy(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inv_block(a, b, t, true); }
static void iblock_reducing(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inv_block(a, b, t, false); }

static void d_ntt_columns(uint64_t *a, const struct ck_ntt *t)
{
    if (t->logn <= CK_NTT_TILE_LOGN) return;
    assert(t->form == CK_TW_DOUBLE);
    (t->mod.q >> 48 ? columns_reducing : columns_lazy)(a, t);
}

static void d_ntt_block(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead)
{
    if (t->logn < CK_NTT_FAST_LOGN) {
        ck_ntt_block_c(a, b, t, NULL);
        return;
    }
    assert(t->form == CK_TW_DOUBLE);
    (t->mod.q >> 48 ? block_reducing : block_lazy)(a, b, t, ahead);
}

static void d_intt_block(uint64_t *a, uint32_t b, const struct ck_ntt *t)
{
    if (t->logn < CK_NTT_FAST_LOGN) {
        ck_intt_block_c(a, b, t);
        return;
    }
    assert(t->form == CK_TW_DOUBLE);
    (t->mod.q >> 48 ? iblock_reducing : iblock_lazy)(a, b, t);
}

static void d_intt_columns(uint64_t *a, const struct ck_ntt *t)
{
    if (t->logn <= CK_NTT_TILE_LOGN) return;
    assert(t->form == CK_TW_DOUBLE);
    (t->mod.q >> 48 ? icolumns_reducing : icolumns_lazy)(a, t);
}

static void d_ntt(uint64_t *a, const struct ck_ntt *t)
{
    d_ntt_columns(a, t);
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) d_ntt_block(a + CK_NTT_TILE * b, b, t, NULL);
}

static void d_intt(uint64_t *a, const struct ck_ntt *t)
{
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) d_intt_block(a + CK_NTT_TILE * b, b, t);
    d_intt_columns(a, t);
}

static void d_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    size_t i = 0;
    for (; i + W <= n; i += W) store_words(out + i, canonical(product2(load_words(a + i), load_words(b + i), &c), &c));
    if (i < n) ck_kernels_c.mul(out + i, a + i, b + i, n - i, m);
}

static void d_muladd(uint64_t *acc, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec s = add(load_words(acc + i), product2(load_words(a + i), load_words(b + i), &c));
        store_words(acc + i, canonical(reduce(s, &c), &c));
    }
    if (i < n) ck_kernels_c.muladd(acc + i, a + i, b + i, n - i, m);
}

// Sums are reduced at every fourth product: below 3.5q.
static void d_inner(uint64_t *out, const uint64_t *const *a, const uint64_t *const *b, uint32_t d, size_t n,
                    const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec s = splat(0);
        for (uint32_t j = 0; j < d; j++) {
            s = add(s, product2(load_words(a[j] + i), load_words(b[j] + i), &c));
            if (j % 4 == 3) s = reduce(s, &c);
        }
        store_words(out + i, canonical(reduce(s, &c), &c));
    }
    if (i == n) return;
    const uint64_t *ta[64], *tb[64];
    for (uint32_t j = 0; j < d; j++) ta[j] = a[j] + i, tb[j] = b[j] + i;
    ck_kernels_c.inner(out + i, ta, tb, d, n - i, m);
}

static void d_inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                     const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec s0 = splat(0), s1 = splat(0);
        for (uint32_t j = 0; j < d; j++) {
            const vec x = load_words(a[j] + i);
            s0 = add(s0, product2(x, load_words(k0[j] + i), &c));
            s1 = add(s1, product2(x, load_words(k1[j] + i), &c));
            if (j % 4 == 3) s0 = reduce(s0, &c), s1 = reduce(s1, &c);
        }
        store_words(out0 + i, canonical(reduce(s0, &c), &c));
        store_words(out1 + i, canonical(reduce(s1, &c), &c));
    }
    if (i == n) return;
    const uint64_t *ta[64], *t0[64], *t1[64];
    for (uint32_t j = 0; j < d; j++) ta[j] = a[j] + i, t0[j] = k0[j] + i, t1[j] = k1[j] + i;
    ck_kernels_c.inner2(out0 + i, out1 + i, ta, t0, t1, d, n - i, m);
}

static void d_tensor(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], size_t n, const struct ck_mod *m)
{
    const struct consts k = consts_of(m);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        const vec a0 = load_words(a[0] + i), a1 = load_words(a[1] + i), b0 = load_words(b[0] + i), b1 = load_words(b[1] + i);
        vec t[3] = {product2(a0, b0, &k), add(product2(a0, b1, &k), product2(a1, b0, &k)), product2(a1, b1, &k)};
#pragma GCC unroll 3
        for (int j = 0; j < 3; j++) store_words(out[j] + i, canonical(reduce(t[j], &k), &k));
    }
    if (i == n) return;
    const uint64_t *const ta[] = {a[0] + i, a[1] + i}, *const tb[] = {b[0] + i, b[1] + i};
    ck_kernels_c.tensor((uint64_t *const[]){out[0] + i, out[1] + i, out[2] + i}, ta, tb, n - i, m);
}

static void d_mulc(uint64_t *out, const uint64_t *a, const struct ck_shoup *s, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = centred(s, m->q), wq = OP(div_pd)(w, c.q);
    size_t i = 0;
    for (; i + W <= n; i += W) store_words(out + i, canonical(product(load_words(a + i), w, wq, &c), &c));
    if (i < n) ck_kernels_c.mulc(out + i, a + i, s, n - i, m);
}

static void d_muladdc(uint64_t *acc, const uint64_t *a, const struct ck_shoup *s, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = centred(s, m->q), wq = OP(div_pd)(w, c.q);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec r = add(load_words(acc + i), product(load_words(a + i), w, wq, &c));
        store_words(acc + i, canonical(reduce(r, &c), &c));
    }
    if (i < n) ck_kernels_c.muladdc(acc + i, a + i, s, n - i, m);
}

static void d_submulc(uint64_t *out, const uint64_t *a, const uint64_t *b, const struct ck_shoup *s, size_t n,
                      const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = centred(s, m->q), wq = OP(div_pd)(w, c.q);
    size_t i = 0;
    for (; i + W <= n; i += W)
        store_words(out + i, canonical(product(sub(load_words(a + i), load_words(b + i)), w, wq, &c), &c));
    if (i < n) ck_kernels_c.submulc(out + i, a + i, b + i, s, n - i, m);
}

static void d_from_i32(uint64_t *out, const int32_t *x, uint32_t shift, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const struct ck_shoup s = ck_shoup_init(ck_powmod(2, shift, m), m);
    const vec w = centred(&s, m->q), wq = OP(div_pd)(w, c.q);
    size_t i = 0;
    for (; i + W <= n; i += W) store_words(out + i, canonical(product(load_i32(x + i), w, wq, &c), &c));
    if (i < n) ck_kernels_c.from_i32(out + i, x + i, shift, n - i, m);
}

static void d_lift(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from)
{
    const struct consts c = consts_of(to);
    const vec half = splat((double)(from->q / 2)), q = splat((double)from->q);
    size_t i = 0;
    for (; i + W <= n; i += W) {
        vec x = load_words(a + i);
        store_words(out + i, canonical(reduce(sub(x, where_negative(sub(half, x), q)), &c), &c));
    }
    if (i < n) ck_kernels_c.lift(out + i, a + i, n - i, to, from);
}

enum { CONV_TARGETS = W == 8 ? 4 : 2, CONV_VECS = 2 };

/* The parts of a tile's rows y: y1, y0 and y1 + y0. */
typedef double conv_rows[CK_CONV_MAX + 1][3][CK_CONV_TILE];

// Targets j .. j+G-1, columns at .. at + len. With y = y1 2^s + y0 and c = c1 2^s + c0 a product is H 2^2s + M 2^s + L, H = y1 c1, L = y0 c0,
// M = (y1 + y0)(c1 + c0) - H - L: three multiply-adds. Sums of `fold` products are exact: |M|, |H|, |L| <= 2^52 and
// K = H + M + L below 2^53. They are then multiplied by the powers of 2^s modulo p and reduced to at most p/2.
INLINE void conv_block(uint64_t *const *out, size_t at, size_t len, conv_rows y, const struct ck_conv *t, uint32_t j, int G)
{
    const size_t rows = t->nfrom + 1;
    const double *parts = t->parts + 3 * rows * j;
    struct consts c[CONV_TARGETS];
    vec w1[CONV_TARGETS], w1q[CONV_TARGETS], w2[CONV_TARGETS], w2q[CONV_TARGETS];      // 2^s and 2^2s
#pragma GCC unroll 4
    for (int g = 0; g < G; g++) {
        c[g] = consts_of(&t->to[j + (uint32_t)g]);
        w1[g] = reduce(splat((double)(1ull << t->split)), &c[g]), w1q[g] = OP(mul_pd)(w1[g], c[g].qinv);
        w2[g] = product(w1[g], w1[g], w1q[g], &c[g]), w2q[g] = OP(mul_pd)(w2[g], c[g].qinv);
    }
    for (size_t s = 0; s < len; s += CONV_VECS * W) {
        vec sum[CONV_TARGETS][CONV_VECS];
#pragma GCC unroll 4
        for (int g = 0; g < G; g++)
#pragma GCC unroll 2
            for (int e = 0; e < CONV_VECS; e++) sum[g][e] = splat(0);
        for (size_t from = 0; from < rows; from += t->fold) {
            const size_t end = rows - from < t->fold ? rows : from + t->fold;
            vec a[CONV_TARGETS][CONV_VECS][3];
#pragma GCC unroll 4
            for (int g = 0; g < G; g++)
#pragma GCC unroll 2
                for (int e = 0; e < CONV_VECS; e++) a[g][e][0] = a[g][e][1] = a[g][e][2] = splat(0);
            for (size_t i = from; i < end; i++) {
#pragma GCC unroll 3
                for (int k = 0; k < 3; k++)
#pragma GCC unroll 4
                    for (int g = 0; g < G; g++) {
                        const vec x = splat(parts[3 * ((size_t)g * rows + i) + (size_t)k]);
#pragma GCC unroll 2
                        for (int e = 0; e < CONV_VECS; e++)
                            a[g][e][k] = OP(fmadd_pd)(load(y[i][k] + s + (size_t)e * W), x, a[g][e][k]);
                    }
            }
#pragma GCC unroll 4
            for (int g = 0; g < G; g++) {
#pragma GCC unroll 2
                for (int e = 0; e < CONV_VECS; e++) {
                    const vec *r = a[g][e];
                    const vec mid = sub(sub(r[2], r[0]), r[1]);
                    const vec x = add(product(r[0], w2[g], w2q[g], &c[g]), product(mid, w1[g], w1q[g], &c[g]));
                    sum[g][e] = reduce(add(add(x, sum[g][e]), r[1]), &c[g]);
                }
            }
        }
#pragma GCC unroll 4
        for (int g = 0; g < G; g++)
#pragma GCC unroll 2
            for (int e = 0; e < CONV_VECS; e++)
                if (s + (size_t)e * W < len) store_words(out[j + (uint32_t)g] + at + s + (size_t)e * W, canonical(sum[g][e], &c[g]));
    }
}

// y = y1 2^s + y0 into the three parts of a row.
INLINE void conv_split(double (*row)[CK_CONV_TILE], size_t s, vec y, uint32_t split)
{
    const double power = (double)(1ull << split);
    const vec y1 = sub(OP(fmadd_pd)(y, splat(1 / power), magic()), magic()), y0 = OP(fnmadd_pd)(y1, splat(power), y);
    store(row[0] + s, y1);
    store(row[1] + s, y0);
    store(row[2] + s, add(y1, y0));
}

// As conv_c.c, with y and v as doubles.
static void d_conv(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *t)
{
    _Alignas(64) conv_rows y;
    const uint32_t k = t->nfrom;
    assert(k <= CK_CONV_MAX && n % 8 == 0);
    for (size_t at = 0; at < n; at += CK_CONV_TILE) {
        const size_t len = n - at < CK_CONV_TILE ? n - at : CK_CONV_TILE;
        vec sum[CK_CONV_TILE / W];
        for (size_t s = 0; s < len; s += W) sum[s / W] = splat(0);
        for (uint32_t i = 0; i < k; i++) {
            const struct consts c = consts_of(&t->from[i]);
            const vec w = centred(&t->hat_inv[i], t->from[i].q), wq = OP(div_pd)(w, c.q), part = splat(t->inv[i]);
            for (size_t s = 0; s < len; s += W) {
                vec r = canonical(product(load_words(in[i] + at + s), w, wq, &c), &c);
                conv_split(y[i], s, r, t->split);
                sum[s / W] = add(sum[s / W], OP(mul_pd)(r, part));
            }
        }
        for (size_t s = 0; s < len; s += W) {
            vec v = add(sum[s / W], splat(0.5)), r = sub(add(v, splat(0x1p52)), splat(0x1p52));     // nearest, then down
            conv_split(y[k], s, sub(r, where_negative(sub(v, r), splat(1))), t->split);
        }
        uint32_t j = 0;
        for (; j + CONV_TARGETS <= t->nto; j += CONV_TARGETS) conv_block(out, at, len, y, t, j, CONV_TARGETS);
        for (; j < t->nto; j++) conv_block(out, at, len, y, t, j, 1);
    }
}

static void dbl_kernels_init(struct ck_kernels *k)
{
    k->twiddles = CK_TW_DOUBLE;
    k->ntt = d_ntt;
    k->intt = d_intt;
    k->ntt_columns = d_ntt_columns;
    k->ntt_block = d_ntt_block;
    k->intt_block = d_intt_block;
    k->intt_columns = d_intt_columns;
    k->mul = d_mul;
    k->muladd = d_muladd;
    k->inner = d_inner;
    k->inner2 = d_inner2;
    k->tensor = d_tensor;
    k->mulc = d_mulc;
    k->muladdc = d_muladdc;
    k->submulc = d_submulc;
    k->from_i32 = d_from_i32;
    k->lift = d_lift;
    k->conv = d_conv;
}
