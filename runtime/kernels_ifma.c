// SPDX-License-Identifier: Apache-2.0
// Elementwise kernels with 52-bit multiply-adds. Leftover words (n not a multiple of 8) are the portable table's.
#include "kernels_ifma.h"
#include "mod.h"
#include "ntt.h"
#include "vec_ifma.h"

// Words that a kernel fetches ahead where its operands come from memory, and where many of them come from the second-level cache: more
// streams, or shorter ones, than the hardware follows.
enum { MEMORY_AHEAD = 128, CACHE_AHEAD = 64 };
INLINE void fetch(const uint64_t *a) { __builtin_prefetch(a); }

static void i_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const struct wide w = wide_of(m);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vec x = load(a + i), y = load(b + i);
        fetch(a + i + MEMORY_AHEAD);
        fetch(b + i + MEMORY_AHEAD);
        store(out + i, reduce(hi(zero(), x, y), lo(zero(), x, y), &w));
    }
    if (i < n) ck_kernels_c.mul(out + i, a + i, b + i, n - i, m);
}

static void i_muladd(uint64_t *acc, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    const struct wide w = wide_of(m);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vec x = load(a + i), y = load(b + i);
        store(acc + i, reduce(hi(zero(), x, y), lo(load(acc + i), x, y), &w));
    }
    if (i < n) ck_kernels_c.muladd(acc + i, a + i, b + i, n - i, m);
}

enum { CHUNK = 15 };     // 15 products and a residue: high parts below 15 2^48, low parts below 16 2^52, as reduce() wants

// Products of a residue and a lazy one, below 4q^2 each, before a reduction: their high parts are below 2^52 - 128 together, and the low parts, with
// what the last reduction left, carry less.
static uint32_t lazy_chunk(const struct ck_mod *m)
{
    const uint64_t each = (uint64_t)(((ck_u128)(4 * m->q) * m->q) >> 52) + 1, most = ((1ull << 52) - 128) / each;
    return most < 64 ? (uint32_t)most : 64;
}

struct pairs {
    const uint64_t *const *a, *const *k0, *const *k1;
    uint32_t d, chunk;
    struct wide w;
};

// What the words of a are: all of the limb's; half as many, of which one vector, picked from those at `at` and 32 words on, serves both rows of eight
// (spread_twice in kernels_avx512.c); or one row that serves all.
enum operand { WHOLE, HALF, ROW };

// Sixteen words of both sums, from i on; a's are at `at`.
INLINE void inner2_16(uint64_t *out0, uint64_t *out1, const struct pairs *p, size_t i, enum operand form, const int64_t *from, size_t at)
{
    vec h0 = zero(), l0 = zero(), h1 = zero(), l1 = zero(), h2 = zero(), l2 = zero(), h3 = zero(), l3 = zero();
    for (uint32_t j = 0, end = p->chunk; j < p->d; end += p->chunk) {
        if (j) {
            l0 = low52(reduce_lazy(h0, l0, &p->w), &p->w.c), l1 = low52(reduce_lazy(h1, l1, &p->w), &p->w.c);
            l2 = low52(reduce_lazy(h2, l2, &p->w), &p->w.c), l3 = low52(reduce_lazy(h3, l3, &p->w), &p->w.c);
            h0 = h1 = h2 = h3 = zero();
        }
        for (; j < p->d && j < end; j++) {
            const uint64_t *a = p->a[j];
            vec x = form == HALF ? pick(load(a + at), from, load(a + at + 32)) : load(a + at);
            vec y = load(p->k0[j] + i), z = load(p->k1[j] + i);
            h0 = hi(h0, x, y), l0 = lo(l0, x, y), h1 = hi(h1, x, z), l1 = lo(l1, x, z);
            if (form == WHOLE) x = load(a + at + 8);
            y = load(p->k0[j] + i + 8), z = load(p->k1[j] + i + 8);
            h2 = hi(h2, x, y), l2 = lo(l2, x, y), h3 = hi(h3, x, z), l3 = lo(l3, x, z);
#pragma GCC unroll 2
            for (size_t line = 0; line < 16; line += 8) {
                fetch(p->k0[j] + i + line + CACHE_AHEAD), fetch(p->k1[j] + i + line + CACHE_AHEAD);
                if (form == WHOLE) fetch(a + at + line + CACHE_AHEAD);
                if (form == HALF && (i & 64) == 8 * line) fetch(a + at + 4 * line + CACHE_AHEAD);
            }
        }
    }
    store(out0 + i, reduce(h0, l0, &p->w)), store(out1 + i, reduce(h1, l1, &p->w));
    store(out0 + i + 8, reduce(h2, l2, &p->w)), store(out1 + i + 8, reduce(h3, l3, &p->w));
}

static void i_inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                     const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    const struct pairs p = {a, k0, k1, d, lazy_chunk(m), wide_of(m)};
    size_t i = 0;
    for (; i + 16 <= n; i += 16) inner2_16(out0, out1, &p, i, WHOLE, NULL, i);
    if (i == n) return;
    const uint64_t *ta[64], *t0[64], *t1[64];
    for (uint32_t j = 0; j < d; j++) ta[j] = a[j] + i, t0[j] = k0[j] + i, t1[j] = k1[j] + i;
    ck_kernels_c.inner2(out0 + i, out1 + i, ta, t0, t1, d, n - i, m);
}

static void i_inner2_half(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                          const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    const struct pairs p = {a, k0, k1, d, lazy_chunk(m), wide_of(m)};
    static const int64_t lower[] = {0, 8, 1, 9, 2, 10, 3, 11}, upper[] = {4, 12, 5, 13, 6, 14, 7, 15};
    (void)k;
    for (size_t b = 0; b < n; b += 128)
        for (size_t c = 0; c < 4; c++) {
            inner2_16(out0, out1, &p, b + 16 * c, HALF, lower, b / 2 + 8 * c);
            inner2_16(out0, out1, &p, b + 64 + 16 * c, HALF, upper, b / 2 + 8 * c);
        }
}

// All rows of eight of a block of 64 words are alike: lane r of them has number (at + 8r) >> (logn - logm) in bit-reversed order.
static void i_inner2_rows(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, uint32_t logm, uint32_t logn, size_t at,
                          const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    _Alignas(64) uint64_t row[64][8];
    const uint64_t *rows[64];
    const struct pairs p = {rows, k0, k1, d, lazy_chunk(m), wide_of(m)};
    const uint32_t shift = logn - logm;
    (void)k;
    for (uint32_t i = 0; i < d; i++) rows[i] = row[i];
    for (size_t b = 0; b < n; b += 64) {
        int64_t from[8];
        for (size_t r = 0; r < 8; r++) from[r] = (int64_t)ck_ntt_place(logm, (at + b + 8 * r) >> shift);
        for (uint32_t i = 0; i < d; i++) store(row[i], shift < 6 ? gather(a[i], from) : load1(a[i] + from[0]));
        for (size_t c = 0; c < 64; c += 16) inner2_16(out0, out1, &p, b + c, ROW, NULL, 0);
    }
}

static void i_inner(uint64_t *out, const uint64_t *const *a, const uint64_t *const *b, uint32_t d, size_t n,
                    const struct ck_mod *m)
{
    const struct wide w = wide_of(m);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vec h = zero(), l = zero();
        for (uint32_t j = 0; j < d; j++) {
            if (j && j % CHUNK == 0) l = reduce(h, l, &w), h = zero();
            vec x = load(a[j] + i), y = load(b[j] + i);
            fetch(a[j] + i + MEMORY_AHEAD);
            fetch(b[j] + i + MEMORY_AHEAD);
            h = hi(h, x, y), l = lo(l, x, y);
        }
        store(out + i, reduce(h, l, &w));
    }
    if (i == n) return;
    const uint64_t *ta[64], *tb[64];
    for (uint32_t j = 0; j < d; j++) ta[j] = a[j] + i, tb[j] = b[j] + i;
    ck_kernels_c.inner(out + i, ta, tb, d, n - i, m);
}

// Sums of at most two products below 2^100: high parts below 2^49, low parts below 2^53.
INLINE void tensor(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], bool square, size_t n,
                   const struct ck_mod *m)
{
    const struct wide w = wide_of(m);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const vec a0 = load(a[0] + i), a1 = load(a[1] + i), b0 = square ? a0 : load(b[0] + i), b1 = square ? a1 : load(b[1] + i);
        vec h[3] = {hi(zero(), a0, b0), hi(zero(), a0, b1), hi(zero(), a1, b1)};
        vec l[3] = {lo(zero(), a0, b0), lo(zero(), a0, b1), lo(zero(), a1, b1)};
        h[1] = square ? add(h[1], h[1]) : hi(h[1], a1, b0);
        l[1] = square ? add(l[1], l[1]) : lo(l[1], a1, b0);
#pragma GCC unroll 3
        for (int k = 0; k < 3; k++) store(out[k] + i, reduce(h[k], l[k], &w));
    }
    if (i == n) return;
    const uint64_t *const ta[] = {a[0] + i, a[1] + i}, *const tb[] = {b[0] + i, b[1] + i};
    ck_kernels_c.tensor((uint64_t *const[]){out[0] + i, out[1] + i, out[2] + i}, ta, tb, n - i, m);
}

static void i_tensor(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], size_t n, const struct ck_mod *m)
{
    a[0] == b[0] && a[1] == b[1] ? tensor(out, a, b, true, n, m) : tensor(out, a, b, false, n, m);
}

static void i_mulc(uint64_t *out, const uint64_t *a, const struct ck_shoup *s, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = splat(s->w), wq = splat(s->w52);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) store(out + i, finish(product(zero(), load(a + i), w, wq, &c), &c));
    if (i < n) ck_kernels_c.mulc(out + i, a + i, s, n - i, m);
}

static void i_muladdc(uint64_t *acc, const uint64_t *a, const struct ck_shoup *s, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = splat(s->w), wq = splat(s->w52);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {            // the sum is below 3q
        fetch(a + i + MEMORY_AHEAD);
        vec r = product(load(acc + i), load(a + i), w, wq, &c);
        store(acc + i, finish4(r, &c));
    }
    if (i < n) ck_kernels_c.muladdc(acc + i, a + i, s, n - i, m);
}

static void i_submulc(uint64_t *out, const uint64_t *a, const uint64_t *b, const struct ck_shoup *s, size_t n,
                      const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const vec w = splat(s->w), wq = splat(s->w52);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        store(out + i, finish(product(zero(), sub(add(load(a + i), c.q), load(b + i)), w, wq, &c), &c));
    if (i < n) ck_kernels_c.submulc(out + i, a + i, b + i, s, n - i, m);
}

static void i_from_i32(uint64_t *out, const int32_t *x, uint32_t shift, size_t n, const struct ck_mod *m)
{
    const struct consts c = consts_of(m);
    const struct ck_shoup s = ck_shoup_init(ck_powmod(2, shift, m), m);
    const vec w = splat(s.w), wq = splat(s.w52);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vec v = load_i32(x + i), r = finish(product(zero(), magnitude(v), w, wq, &c), &c);
        store(out + i, csub(negate_where(r, v, c.q), c.q));
    }
    if (i < n) ck_kernels_c.from_i32(out + i, x + i, shift, n - i, m);
}

static void i_lift(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from)
{
    const struct consts c = consts_of(to);
    const vec half = splat(from->q / 2), neg = splat(to->q - from->q % to->q);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        vec x = load(a + i), r = finish(barrett(x, zero(), &c), &c);
        store(out + i, csub(add_where_above(r, neg, x, half), c.q));
    }
    if (i < n) ck_kernels_c.lift(out + i, a + i, n - i, to, from);
}

void ck_kernels_init_ifma(struct ck_kernels *k)
{
    k->twiddles = CK_TW_SHOUP52;
    k->ntt = ck_ntt_ifma;
    k->intt = ck_intt_ifma;
    k->ntt_columns = ck_ntt_columns_ifma;
    k->ntt_block = ck_ntt_block_ifma;
    k->intt_block = ck_intt_block_ifma;
    k->intt_columns = ck_intt_columns_ifma;
    k->mul = i_mul;
    k->muladd = i_muladd;
    k->inner2 = i_inner2;
    k->inner2_half = i_inner2_half;
    k->inner2_rows = i_inner2_rows;
    k->inner = i_inner;
    k->tensor = i_tensor;
    k->mulc = i_mulc;
    k->muladdc = i_muladdc;
    k->submulc = i_submulc;
    k->from_i32 = i_from_i32;
    k->lift = i_lift;
    k->conv = ck_conv_ifma;
    k->expand = ck_expand_ifma;
    k->unpack = ck_unpack_ifma;
    k->inner_key = ck_inner_key_ifma;
}
