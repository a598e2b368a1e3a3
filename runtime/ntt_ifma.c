// SPDX-License-Identifier: Apache-2.0
// Negacyclic transforms with 52-bit multiply-adds (AVX-512 IFMA). Shoup products modulo 2^52: h = HI(y, wq), t = y w - h q modulo 2^52,
// in [0,2q) for any y < 2^52. Sizes 2^10..2^16; smaller ones are the scalar code's.
//
// Two passes. The first works on columns of the N/1024 x 1024 matrix, tile by tile of 8 columns (one cache line wide) with the
// second radix step in a 4 KiB scratch; the second works on blocks of 1024 words in L1: a radix-16 step, then blocks of
// 64 words in eight registers, transposed once before the last three stages.
//
// Two instances of each transform: `lazy` for q < 2^52/33 (46.95 bits), without any conditional subtraction, and a reducing
// one up to 2^50. Lazy values are integers known modulo 2^52 (bits 52..63 hold garbage, which multiply-adds ignore), so a value may be
// used as a factor when its true value is in [0, 2^52), and as an addend always.
//
// Forward, lazy. A radix-R step of s stages maps inputs in [0,B) to x + c + [-2qs, 2qs) where x is input number 0 and c = 2qs its
// offset: all outputs descend from it by additions of products in [0,2q). It is reduced to [0,2q) first, by two
// multiply-adds, so outputs are in [0,(2+4s)q): 14q for R = 8, 18q for R = 16. Input i > 0 of the first half is added to for
// e stages before it is multiplied; offset 2qe keeps it nonnegative, and its value stays below B + 4qe <= 18q + 8q or
// 14q + 12q = 26q (e <= 2 for R = 8, e <= 3 for R = 16, whose inputs are below 14q), so below 2^52 as 33q <= 2^52.
// The first step has inputs below q and does not reduce (outputs below 13q); neither does the last (outputs below 14q + 12q).
//
// Inverse, lazy. Every step has inputs in [0,4q). Sums are formed without reduction; differences get the offset that makes
// them nonnegative, at most 4q 2^(s-1), and are below 4q 2^s <= 32q. Products start from a constant instead of 0, which gives them
// offsets for free: in the last stage of a step 0; one stage before, q for the later minuend and -q for the subtrahend, so that
// their sum is in [0,4q) and their difference nonnegative; two stages before (R = 8), 6q, 0, 2q, 0 for numbers 1, 3, 5, 7, so
// that 1 - 3 and 5 - 7 are in [0,8q], the sums in [6q,10q) and [2q,6q), and output 1 in [8q,16q). Outputs 0 and (R = 8) 1 are reduced by
// two multiply-adds to [0,2q). The last stage multiplies sums by 1/N and differences by w/N.
#include "ntt.h"
#include "kernels_ifma.h"
#include "vec_ifma.h"
#include <assert.h>

INLINE vec times(const struct consts *c, int64_t k) { return splat((uint64_t)k * c->q1); }

// Twiddle k of a stage: one word for all lanes, or eight words.
INLINE vec twiddle(const uint64_t *w, int k, bool lanes)
{
    return lanes ? load(w + 8 * k) : splat(w[k]);
}

enum { FIRST = 1, LAST = 2 };

// One forward radix-R step on v[0..R). Stage s has its twiddles at (base << s) in the tables.
INLINE void fwd(vec *v, int R, const struct ck_ntt *t, size_t base, bool lanes, int place, bool lazy,
                const struct consts *c)
{
    const int stages = R == 16 ? 4 : R == 8 ? 3 : R == 4 ? 2 : 1;
    if (lazy) {
        if (!place) v[0] = barrett(v[0], c);
#pragma GCC unroll 16
        for (int i = 0; i < R / 2; i++) {
            int e = i == 0 ? stages : i < 2 ? stages - 1 : i < 4 ? stages - 2 : stages - 3;
            v[i] = add(v[i], times(c, 2 * e));
        }
    }
#pragma GCC unroll 4
    for (int s = 0; s < stages; s++) {
        const int h = R >> (s + 1);
        const uint64_t *w = t->w.u + (base << s), *wq = t->wq.u + (base << s);
#pragma GCC unroll 16
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
            const int k = i / (2 * h);
            vec p = product(zero(), v[i + h], twiddle(w, k, lanes), twiddle(wq, k, lanes), c);
            if (lazy) {
                v[i + h] = sub(v[i], p);
                v[i] = add(v[i], p);
            } else {                                        // in and out: [0,4q), 4q <= 2^52
                vec x = csub(v[i], c->q2);
                p = _mm512_and_si512(p, c->mask);
                v[i] = add(x, p);
                v[i + h] = add(sub(x, p), c->q2);
            }
        }
    }
}

// The constant from which the product at position i of stage s (half distance h) starts, in units of q: see the header.
INLINE int start_of(int i, int R, int h)
{
    if (2 * h == R) return 0;
    if (4 * h == R) return i & (2 * h) ? -1 : 1;
    return i & (2 * h) ? 0 : i & (4 * h) ? 2 : 6;
}

// One inverse radix-R step, R <= 8.
INLINE void inv(vec *v, int R, const struct ck_ntt *t, size_t base, bool lanes, int place, bool lazy, const struct consts *c)
{
    const int stages = R == 8 ? 3 : R == 4 ? 2 : 1;
#pragma GCC unroll 3
    for (int s = stages - 1; s >= 0; s--) {
        const int h = R >> (s + 1);
        const uint64_t *w = t->iw.u + (base << s), *wq = t->iwq.u + (base << s);
        const bool final = place == LAST && s == 0;
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
            const int k = i / (2 * h);
            vec wv = final ? splat(t->ninvw.w) : twiddle(w, k, lanes);
            vec wqv = final ? splat(t->ninvw.w52) : twiddle(wq, k, lanes);
            vec x = add(v[i], v[i + h]), d = sub(v[i], v[i + h]);
            if (lazy) {
                // Only sums of plain inputs (numbers that are multiples of 2h) lack the offset.
                if (i % (2 * h) == 0) d = add(d, times(c, 4 * h));
                v[i + h] = product(times(c, start_of(i + h, R, h)), d, wv, wqv, c);
                v[i] = x;
            } else {                                        // in and out: [0,2q)
                v[i + h] = _mm512_and_si512(product(zero(), add(d, c->q2), wv, wqv, c), c->mask);
                v[i] = csub(x, c->q2);
            }
            if (final) {
                vec nw = splat(t->ninv.w), nwq = splat(t->ninv.w52);
                v[i] = finish(product(zero(), v[i], nw, nwq, c), c);
                v[i + h] = finish(v[i + h], c);
            }
        }
    }
    if (lazy && place != LAST) {
        v[0] = barrett(v[0], c);
        if (R == 8) v[1] = barrett(v[1], c);
    }
}

// 8x8 transpose: 24 shuffles.
INLINE void transpose(vec *v)
{
    vec a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[2 * i] = _mm512_unpacklo_epi64(v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_epi64(v[2 * i], v[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {           // a[4i + p + 2j]: rows 4i+2j, 4i+2j+1; columns of parity p
#pragma GCC unroll 2
        for (int p = 0; p < 2; p++) {
            b[4 * i + p] = _mm512_shuffle_i64x2(a[4 * i + p], a[4 * i + p + 2], 0x88);
            b[4 * i + p + 2] = _mm512_shuffle_i64x2(a[4 * i + p], a[4 * i + p + 2], 0xdd);
        }
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {           // b[i]: columns i + 4{0,1} of rows 0..3; b[4+i]: of rows 4..7
        v[i] = _mm512_shuffle_i64x2(b[i], b[4 + i], 0x88);
        v[i + 4] = _mm512_shuffle_i64x2(b[i], b[4 + i], 0xdd);
    }
}

// Columns of the (R1 R2) x 1024 matrix.
INLINE void fwd_columns(uint64_t *a, int R1, int R2, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    _Alignas(64) uint64_t scratch[64 * 8];
    for (int col = 0; col < 1024; col += 8) {
        uint64_t *p = a + col;
        for (int g = 0; g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) v[i] = load(p + 1024 * (g + i * R2));
            fwd(v, R1, t, 1, false, FIRST, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++)
                store(R2 == 1 ? p + 1024 * i : scratch + 8 * (g + i * R2), v[i]);
        }
        for (int g = 0; R2 > 1 && g < R1; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) v[i] = load(scratch + 8 * (g * R2 + i));
            fwd(v, R2, t, (size_t)(R1 + g), false, 0, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) store(p + 1024 * (g * R2 + i), v[i]);
        }
    }
}

INLINE void inv_columns(uint64_t *a, int R1, int R2, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    _Alignas(64) uint64_t scratch[64 * 8];
    for (int col = 0; col < 1024; col += 8) {
        uint64_t *p = a + col;
        for (int g = 0; R2 > 1 && g < R1; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) v[i] = load(p + 1024 * (g * R2 + i));
            inv(v, R2, t, (size_t)(R1 + g), false, 0, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) store(scratch + 8 * (g * R2 + i), v[i]);
        }
        for (int g = 0; g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++)
                v[i] = load(R2 == 1 ? p + 1024 * i : scratch + 8 * (g + i * R2));
            inv(v, R1, t, 1, false, LAST, lazy, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) store(p + 1024 * (g + i * R2), v[i]);
        }
    }
}

// Block number b of 1024 words: ten stages.
INLINE void fwd_block(uint64_t *a, size_t b, const struct ck_ntt *t, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    const size_t n = (size_t)1 << t->logn;
    for (int col = 0; col < 64; col += 8) {
        vec v[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = load(a + col + 64 * i);
        fwd(v, 16, t, n / 1024 + b, false, 0, lazy, &c);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) store(a + col + 64 * i, v[i]);
    }
    for (size_t k = 0; k < 16; k++) {
        vec v[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) v[i] = load(a + 64 * k + 8 * i);
        fwd(v, 8, t, n / 64 + 16 * b + k, false, 0, lazy, &c);
        transpose(v);
        fwd(v, 8, t, n / 8 + 8 * (16 * b + k), true, LAST, lazy, &c);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
            vec x = lazy ? barrett(v[i], &c) : csub(v[i], c.q2);
            store(a + 64 * k + 8 * i, finish(x, &c));
        }
    }
}

// `whole`: the transform has no other pass (N = 1024).
INLINE void inv_block(uint64_t *a, size_t b, const struct ck_ntt *t, bool whole, bool lazy)
{
    const struct consts c = consts_of(&t->mod);
    const size_t n = (size_t)1 << t->logn;
    for (size_t k = 0; k < 16; k++) {
        vec v[8];
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) v[i] = load(a + 64 * k + 8 * i);
        inv(v, 8, t, n / 8 + 8 * (16 * b + k), true, 0, lazy, &c);
        transpose(v);
        inv(v, 8, t, n / 64 + 16 * b + k, false, 0, lazy, &c);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) store(a + 64 * k + 8 * i, v[i]);
    }
    for (int col = 0; col < 64; col += 8) {
        vec v[16], u[4];
        const size_t base = n / 1024 + b;
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = load(a + col + 64 * i);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) inv(v + 4 * i, 4, t, 4 * base + (size_t)i, false, 0, lazy, &c);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) u[j] = v[4 * j + i];
            inv(u, 4, t, base, false, whole ? LAST : 0, lazy, &c);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) store(a + col + 64 * (4 * j + i), u[j]);
        }
    }
}

#include "ntt_pass_tmpl.h"

INLINE void inverse_block(uint64_t *a, size_t b, const struct ck_ntt *t, bool lazy)
{
    if (t->logn == CK_NTT_TILE_LOGN) inv_block(a, 0, t, true, lazy);
    else inv_block(a, b, t, false, lazy);
}

static bool is_lazy(const struct ck_ntt *t) { return 33 * t->mod.q <= 1ull << 52; }

static void iblock_lazy(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inverse_block(a, b, t, true); }
static void iblock_reducing(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inverse_block(a, b, t, false); }

static void check(const uint64_t *a, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP52 && (uintptr_t)a % 64 == 0);
    (void)a, (void)t;
}

void ck_ntt_columns_ifma(uint64_t *a, const struct ck_ntt *t)
{
    if (t->logn <= CK_NTT_TILE_LOGN) return;
    check(a, t);
    (is_lazy(t) ? columns_lazy : columns_reducing)(a, t);
}

void ck_ntt_block_ifma(uint64_t *a, uint32_t b, const struct ck_ntt *t)
{
    if (t->logn < CK_NTT_FAST_LOGN) {
        ck_ntt_block_c(a, b, t);
        return;
    }
    check(a, t);
    (is_lazy(t) ? block_lazy : block_reducing)(a, b, t);
}

void ck_intt_block_ifma(uint64_t *a, uint32_t b, const struct ck_ntt *t)
{
    if (t->logn < CK_NTT_FAST_LOGN) {
        ck_intt_block_c(a, b, t);
        return;
    }
    check(a, t);
    (is_lazy(t) ? iblock_lazy : iblock_reducing)(a, b, t);
}

void ck_intt_columns_ifma(uint64_t *a, const struct ck_ntt *t)
{
    if (t->logn <= CK_NTT_TILE_LOGN) return;
    check(a, t);
    (is_lazy(t) ? icolumns_lazy : icolumns_reducing)(a, t);
}

void ck_ntt_ifma(uint64_t *a, const struct ck_ntt *t)
{
    ck_ntt_columns_ifma(a, t);
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) ck_ntt_block_ifma(a + CK_NTT_TILE * b, b, t);
}

void ck_intt_ifma(uint64_t *a, const struct ck_ntt *t)
{
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) ck_intt_block_ifma(a + CK_NTT_TILE * b, b, t);
    ck_intt_columns_ifma(a, t);
}
