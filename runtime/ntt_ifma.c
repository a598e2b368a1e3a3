// SPDX-License-Identifier: Apache-2.0
// Negacyclic transforms with 52-bit multiply-adds (AVX-512 IFMA). Shoup products modulo 2^52: h = HI(y, wq), t = y w - h q modulo 2^52,
// in [0,2q) for any y < 2^52. Sizes 2^10..2^16; smaller ones are the scalar code's.
//
// Two passes. The first works on columns of the N/1024 x 1024 matrix, tile by tile of 8 columns (one cache line wide), two radix
// steps with a small scratch between them; the second works on blocks of 1024 words in L1: a radix-16 step, then blocks of
// 64 words in eight registers, two at once so that one waits less for its own products, transposed once before the last three stages.
//
// Values are integers known modulo 2^52 (bits 52..63 hold garbage, which multiply-adds ignore): a value may be used as a factor when
// its true value is in [0, 2^52), and as an addend always. A product may start from any constant, so [0,2q) becomes any interval of that
// length for nothing; so does a Barrett reduction (two multiply-adds), whose quotient starts from a constant.
// Instances of each transform: NEVER (reduced before the end) for q <= 2^52/33 (46.95 bits), forward SECOND for q <= 2^52/5 (49.67 bits),
// EVERY (stage) up to 2^50.
//
// Forward, NEVER. Products are in [-q,q). A value that is not multiplied in a stage becomes x + p and
// x - p, so after s stages it is an input number plus at most sq and at least -sq; 16q are added to the inputs that the first
// stage does not multiply. Inputs are below q and there are at most 16 stages, so all values lie in [0,33q), below 2^52.
// Forward, reducing. With v = floor(2^52/q) and h = HI(x, v), x < (h+1) 2^52/v and h < v, so x - h q is in [0, 2^52 - (v-1)q). EVERY: x is
// reduced in every stage and gets q, by v >= 4 to [q, 2^52 - 2q) at most, so x + p and x - p are in [0,2^52). SECOND: x is reduced in every
// second stage and gets 2q, by v >= 5 to [2q, 2^52 - 2q) at most, so after two stages x is in [0,2^52).
//
// Inverse, NEVER. Inputs of a step are in [2q,6q) where their number is even and in [-2q,2q) where it is odd, so in its first stage
// sums are in [0,8q) and differences positive and below 8q. Later sums of sums double, to at most 32q, and their differences get
// an offset. Products start where they need no offset. In the last stage that is the interval wanted of the output; one stage before
// (`top`, `low`: numbers i and i + R/2 of the next stage), 2q apart, so that their difference is in [0,4q) and their sum in the
// interval wanted; two stages before (R = 8), 6q, 0, 2q, 0 for numbers 1, 3, 5, 7, so that 1 - 3 and 5 - 7 are in [0,8q), the sums in
// [6q,10q) and [2q,6q), and output 1 in [8q,16q). Outputs 0 and (R = 8) 1 are reduced. Which interval is wanted follows from the parity of
// the step's number among those of its stage, for its outputs have that number in the next step. The last stage of all
// multiplies sums by 1/N and differences by w/N. Inverse, reducing EVERY: the same with [q,3q) and [-q,q) in every stage, sums reduced.
// The first step of all has inputs in [0,q) and adds an offset.
//
// tests/runtime/t_ranges.c runs this file on intervals and checks all of the above for any input.
//
// Twiddles of the last three stages, eight words each, are nearly all of them; only wq is kept: w is one multiply-add (factor_of) instead of
// 8 bytes a word.
#include "ntt.h"
#include "kernels_ifma.h"
#include "vec_ifma.h"
#include <assert.h>

INLINE vec times(const struct consts *c, int64_t k) { return splat((uint64_t)k * c->q1); }

// Where a stage finds its twiddles: one word for all lanes, or eight words (`lanes`).
struct twiddles {
    const uint64_t *w, *wq;
};

struct factor {
    vec w, wq;
};

// Number k of stage s of a step whose first stage starts at `base`.
INLINE struct factor twiddle(struct twiddles t, size_t base, int s, int k, bool lanes, const struct consts *c)
{
    if (!lanes) return (struct factor){splat(t.w[(base << s) + (size_t)k]), splat(t.wq[(base << s) + (size_t)k])};
    const vec wq = load(t.wq + (base << s) + 8 * (size_t)k);
    return (struct factor){factor_of(wq, c), wq};
}

enum place { INNER, FIRST, LAST };
enum reduce { EVERY, NEVER, SECOND };

// `sets` independent forward radix-R steps on v[0..R), v[R..2R), ... Stage s of set j has its twiddles at (base + j step) << s.
// `at`: number of the first stage, which decides where SECOND reduces.
INLINE void fwd(vec *v, int R, int sets, const struct ck_ntt *t, size_t base, size_t step, bool lanes, enum place place, int at, enum reduce how,
                const struct consts *c)
{
    const struct twiddles tw = {t->w.u, t->wq.u};
    const int stages = R == 16 ? 4 : R == 8 ? 3 : R == 4 ? 2 : 1;
#pragma GCC unroll 16
    for (int i = 0; i < R * sets; i++)
        if (place == FIRST && i % R < R / 2) v[i] = add(v[i], times(c, how == NEVER ? 16 : how == SECOND ? 2 : 1));
#pragma GCC unroll 4
    for (int s = 0; s < stages; s++) {
        const int h = R >> (s + 1);
        const bool due = (how == EVERY || (how == SECOND && (at + s) % 2 == 0)) && (place != FIRST || s > 0);
#pragma GCC unroll 16
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
#pragma GCC unroll 2
            for (int j = 0; j < sets; j++) {
                const struct factor f = twiddle(tw, base + (size_t)j * step, s, i / (2 * h), lanes, c);
                vec *x = v + R * j + i, *y = x + h, p = product(c->nq, *y, f.w, f.wq, c);
                if (due) *x = barrett(*x, splat(how == SECOND ? -2ull : -1ull), c);
                *y = sub(*x, p);
                *x = add(*x, p);
            }
        }
    }
}

// The interval wanted of a step's outputs in the next step: that of even numbers or of odd ones.
struct wanted {
    vec top, low;       // where products of the last and, in pairs, of the last but one stage start; reducing: top only
    vec less;           // where the quotient of a reduction starts
};

INLINE struct wanted wanted(bool odd, enum reduce how, const struct consts *c)
{
    if (how == EVERY) return odd ? (struct wanted){c->nq, zero(), splat(1)} : (struct wanted){c->q, zero(), splat(-1ull)};
    return odd ? (struct wanted){zero(), times(c, -2), zero()} : (struct wanted){times(c, 2), zero(), splat(-2ull)};
}

// For steps in eight lanes, whose numbers are the lanes'.
INLINE struct wanted wanted_lanes(enum reduce how, const struct consts *c)
{
    const struct wanted even = wanted(false, how, c), odd = wanted(true, how, c);
    return (struct wanted){interleave(even.top, odd.top), interleave(even.low, odd.low), interleave(even.less, odd.less)};
}

// Where the product at position i of stage s (half distance h) starts, R <= 8, NEVER: see the header.
INLINE vec start_of(int i, int R, int h, const struct wanted *to, const struct consts *c)
{
    if (2 * h == R) return to->top;
    if (4 * h == R) return i & (2 * h) ? to->low : to->top;
    return times(c, i & (2 * h) ? 0 : i & (4 * h) ? 2 : 6);
}

// `sets` independent inverse radix-R steps, R <= 8. `to`: what is wanted of the outputs of each set.
INLINE void inv(vec *v, int R, int sets, const struct ck_ntt *t, size_t base, size_t step, bool lanes, enum place place, enum reduce how,
                const struct wanted *to, const struct consts *c)
{
    const struct twiddles tw = {t->iw.u, t->iwq.u};
    const struct factor n = {splat(t->ninv.w), splat(t->ninv.w52)}, nw = {splat(t->ninvw.w), splat(t->ninvw.w52)};
    const int stages = R == 8 ? 3 : R == 4 ? 2 : 1;
#pragma GCC unroll 3
    for (int s = stages - 1; s >= 0; s--) {
        const int h = R >> (s + 1);
        const bool first = place == FIRST && s == stages - 1, final = place == LAST && s == 0;
#pragma GCC unroll 8
        for (int i = 0; i < R; i++) {
            if (i & h) continue;
#pragma GCC unroll 2
            for (int j = 0; j < sets; j++) {
                const struct factor f = final ? nw : twiddle(tw, base + (size_t)j * step, s, i / (2 * h), lanes, c);
                vec *x = v + R * j + i, *y = x + h, d = sub(*x, *y);
                *x = add(*x, *y);
                if (first) d = add(d, c->q);
                if (final) {
                    if (how == NEVER && s < stages - 1 && i == 0) d = add(d, times(c, 4 * h));
                    *x = finish(product(zero(), *x, n.w, n.wq, c), c);
                    *y = finish(product(zero(), d, f.w, f.wq, c), c);
                } else if (how == NEVER) {
                    if (s < stages - 1 && i % (2 * h) == 0) d = add(d, times(c, 4 * h));    // only sums of plain inputs lack it
                    *y = product(start_of(i + h, R, h, &to[j], c), d, f.w, f.wq, c);
                } else {
                    // The next stage subtracts numbers with bit 2h set; after the last one the set decides.
                    const struct wanted next = s ? wanted(i & (2 * h), EVERY, c) : to[j];
                    *x = first ? add(*x, next.top) : barrett(*x, next.less, c);
                    *y = product(next.top, d, f.w, f.wq, c);
                }
            }
        }
    }
#pragma GCC unroll 2
    for (int j = 0; j < sets; j++) {
        if (how == EVERY || place == LAST) continue;
        v[R * j] = barrett(v[R * j], to[j].less, c);
        if (R == 8) v[R * j + 1] = barrett(v[R * j + 1], to[j].less, c);
    }
}

// Columns of the (R1 R2) x 1024 matrix, a tile of 8 at a time. All rows of a tile are in the same set of a first-level cache of 4 KiB a
// way, and a line that was fetched for a store is gone before the store if many are outstanding. So the second step of group g
// works g tiles behind the first: stores go to R1 sets. Between the steps a tile waits in `ring`, whose slots keep the loads of one tile
// at other offsets within 4 KiB than the stores of another. (The inverse computes more to a line and gains nothing from it.)
enum { TILES = 128, RING = 8 };
typedef uint64_t ring[8][RING][64];        // by group, by tile, R2 rows of 8 words

// Row `row` of tile `tile`.
INLINE uint64_t *line(uint64_t *a, int tile, int row) { return a + 8 * tile + 1024 * row; }

INLINE void fwd_columns(uint64_t *a, int R1, int R2, const struct ck_ntt *t, enum reduce how)
{
    const struct consts c = consts_of(&t->mod);
    _Alignas(4096) ring r;
    for (int tile = 0; tile < TILES + (R2 > 1 ? R1 - 1 : 0); tile++) {
        for (int g = 0; tile < TILES && g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) v[i] = load(line(a, tile, g + i * R2));
            fwd(v, R1, 1, t, 1, 0, false, FIRST, 0, how, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) store(R2 == 1 ? line(a, tile, i) : r[i][tile % RING] + 8 * g, v[i]);
        }
        for (int g = 0; R2 > 1 && g < R1; g++) {
            vec v[8];
            const int late = tile - g;
            if (late < 0 || late >= TILES) continue;
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) v[i] = load(r[g][late % RING] + 8 * i);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) __builtin_prefetch(line(a, late, g * R2 + i), 1, 3);
            fwd(v, R2, 1, t, (size_t)(R1 + g), 0, false, INNER, R1 == 8 ? 3 : 2, how, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R2; i++) store(line(a, late, g * R2 + i), v[i]);
        }
    }
}

INLINE void inv_columns(uint64_t *a, int R1, int R2, const struct ck_ntt *t, enum reduce how)
{
    const struct consts c = consts_of(&t->mod);
    const struct wanted to[] = {wanted(false, how, &c), wanted(true, how, &c)};
    _Alignas(64) uint64_t scratch[64 * 8];
    for (int tile = 0; tile < TILES; tile++) {
        for (int g = 0; R2 > 1 && g < R1; g += 2) {
            vec v[16];
#pragma GCC unroll 16
            for (int i = 0; i < 2 * R2; i++) v[i] = load(line(a, tile, g * R2 + i));
            inv(v, R2, 2, t, (size_t)(R1 + g), 1, false, INNER, how, to, &c);
#pragma GCC unroll 16
            for (int i = 0; i < 2 * R2; i++) store(scratch + 8 * (g * R2 + i), v[i]);
        }
        for (int g = 0; g < R2; g++) {
            vec v[8];
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) v[i] = load(R2 == 1 ? line(a, tile, i) : scratch + 8 * (g + i * R2));
            inv(v, R1, 1, t, 1, 0, false, LAST, how, to, &c);
#pragma GCC unroll 8
            for (int i = 0; i < R1; i++) store(line(a, tile, g + i * R2), v[i]);
        }
    }
}

// A sixteenth of a block towards the second-level cache. All at once would wait for the first-level cache's few outstanding lines.
INLINE void fetch(const uint64_t *ahead, size_t part)
{
#pragma GCC unroll 8
    for (size_t line = 0; ahead && line < 8; line++) __builtin_prefetch(ahead + 64 * part + 8 * line, 0, 2);
}

// Block number b of 1024 words: ten stages. `place`: FIRST where the transform has no other pass (N = 1024).
INLINE void forward_block(uint64_t *a, size_t b, const struct ck_ntt *t, const uint64_t *ahead, enum place place, enum reduce how)
{
    const struct consts c = consts_of(&t->mod);
    const size_t n = (size_t)1 << t->logn;
    for (size_t col = 0; col < 64; col += 8) {
        vec v[16];
        fetch(ahead, col / 8);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) v[i] = load(a + col + 64 * i);
        fwd(v, 16, 1, t, n / 1024 + b, 0, false, place, 0, how, &c);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) store(a + col + 64 * i, v[i]);
    }
    for (size_t k = 0; k < 16; k += 2) {
        vec v[16];
        fetch(ahead, 8 + k / 2);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = load(a + 64 * k + 8 * (size_t)i);
        fwd(v, 8, 2, t, n / 64 + 16 * b + k, 1, false, INNER, 4, how, &c);
        transpose(v);
        transpose(v + 8);
        fwd(v, 8, 2, t, n / 8 + 8 * (16 * b + k), 8, true, INNER, 7, how, &c);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) store(a + 64 * k + 8 * (size_t)i, finish(barrett(v[i], zero(), &c), &c));
    }
}

INLINE void inverse_block(uint64_t *a, size_t b, const struct ck_ntt *t, enum place place, enum reduce how)
{
    const struct consts c = consts_of(&t->mod);
    const struct wanted to[] = {wanted(false, how, &c), wanted(true, how, &c)};
    const struct wanted lane = wanted_lanes(how, &c), lanes[] = {lane, lane};
    const struct wanted out = b & 1 ? to[1] : to[0], outs[] = {out, out};
    const size_t n = (size_t)1 << t->logn, base = n / 1024 + b;
    for (size_t k = 0; k < 16; k += 2) {
        vec v[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = load(a + 64 * k + 8 * (size_t)i);
        inv(v, 8, 2, t, n / 8 + 8 * (16 * b + k), 8, true, FIRST, how, lanes, &c);
        transpose(v);
        transpose(v + 8);
        inv(v, 8, 2, t, n / 64 + 16 * b + k, 1, false, INNER, how, to, &c);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) store(a + 64 * k + 8 * (size_t)i, v[i]);
    }
    for (int col = 0; col < 64; col += 8) {
        vec v[16], u[8];
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) v[i] = load(a + col + 64 * i);
        inv(v, 4, 2, t, 4 * base, 1, false, INNER, how, to, &c);
        inv(v + 8, 4, 2, t, 4 * base + 2, 1, false, INNER, how, to, &c);
#pragma GCC unroll 2
        for (int i = 0; i < 4; i += 2) {
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) u[j] = v[4 * (j % 4) + i + j / 4];
            inv(u, 4, 2, t, base, 0, false, place, how, outs, &c);
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) store(a + col + 64 * (4 * (j % 4) + i + j / 4), u[j]);
        }
    }
}

INLINE void fwd_block(uint64_t *a, size_t b, const struct ck_ntt *t, const uint64_t *ahead, enum reduce how)
{
    if (t->logn == CK_NTT_TILE_LOGN) forward_block(a, 0, t, ahead, FIRST, how);
    else forward_block(a, b, t, ahead, INNER, how);
}

#include "ntt_pass_tmpl.h"

INLINE void inv_block(uint64_t *a, size_t b, const struct ck_ntt *t, enum reduce how)
{
    if (t->logn == CK_NTT_TILE_LOGN) inverse_block(a, 0, t, LAST, how);
    else inverse_block(a, b, t, INNER, how);
}

static bool is_lazy(const struct ck_ntt *t) { return 33 * t->mod.q <= 1ull << 52; }
static enum reduce how_of(const struct ck_ntt *t) { return is_lazy(t) ? NEVER : 5 * t->mod.q <= 1ull << 52 ? SECOND : EVERY; }

static void columns_second(uint64_t *a, const struct ck_ntt *t) { forward_columns(a, t, SECOND); }
static void block_second(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead) { fwd_block(a, b, t, ahead, SECOND); }
static void iblock_lazy(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inv_block(a, b, t, NEVER); }
static void iblock_reducing(uint64_t *a, uint32_t b, const struct ck_ntt *t) { inv_block(a, b, t, EVERY); }

static void check(const uint64_t *a, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP52 && (uintptr_t)a % 64 == 0);
    (void)a, (void)t;
}

void ck_ntt_columns_ifma(uint64_t *a, const struct ck_ntt *t)
{
    if (t->logn <= CK_NTT_TILE_LOGN) return;
    check(a, t);
    switch (how_of(t)) {
    case NEVER: columns_lazy(a, t); break;
    case SECOND: columns_second(a, t); break;
    case EVERY: columns_reducing(a, t); break;
    }
}

void ck_ntt_block_ifma(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead)
{
    if (t->logn < CK_NTT_FAST_LOGN) {
        ck_ntt_block_c(a, b, t, NULL);
        return;
    }
    check(a, t);
    switch (how_of(t)) {
    case NEVER: block_lazy(a, b, t, ahead); break;
    case SECOND: block_second(a, b, t, ahead); break;
    case EVERY: block_reducing(a, b, t, ahead); break;
    }
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
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) ck_ntt_block_ifma(a + CK_NTT_TILE * b, b, t, NULL);
}

void ck_intt_ifma(uint64_t *a, const struct ck_ntt *t)
{
    for (uint32_t b = 0; b < ck_ntt_blocks(t->logn); b++) ck_intt_block_ifma(a + CK_NTT_TILE * b, b, t);
    ck_intt_columns_ifma(a, t);
}
