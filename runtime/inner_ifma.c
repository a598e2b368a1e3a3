// SPDX-License-Identifier: Apache-2.0
// The inner products of digits and key in one pass, 64 words at a time. One port does the rounds of AES, so the a-parts of the next 64 words are
// expanded between the products of these; keys are unpacked on their way into the products, sums are reduced once and permuted in the first-level
// cache.
//
// A sum h 2^52 + l is reduced by Montgomery's method as in conv_ifma.c: l starts at 2^52 - 1, and with m = -l0 q^-1 modulo 2^52, where l0 is the sum
// of low halves, h + HI(m q) + (l >> 52) is the sum and m q over 2^52, exactly. Digits and b are below q < 2^50, a is left below 2q: the result is
// below q (1 + 2 d q/2^52) with d digits, or 1 + (d + 1) q/2^52 times q with what is raised, and `steps` halvings bring it into [0,q): one for d <= 2, at
// most six. Up to d = 6 it is below 4q, as lazy sums want. 65 halves fit 64 bits.
#include "fields_ifma.h"
#include "kernels_ifma.h"
#include "perm_avx512.h"
#include "stream_ifma.h"

struct work {
    const struct ck_key_row *row;
    struct stream stream;
    struct fields fields;
    vec q, npinv;
    int steps;              // conditional subtractions from a sum to its residue
    vec factor, base[CK_MAX_Q];
    __mmask64 bytes;        // of eight packed words
    _Alignas(64) uint64_t a[2][CK_MAX_Q][64], sum[2][64];     // a: of these words and of the next
};

// The sum h 2^52 + l, over 2^52: reduced, or below 4q. steps: w->steps.
INLINE vec reduced(vec h, vec l, const struct work *w, int steps)
{
    vec r = add(hi(h, lo(w->npinv, l, w->npinv), w->q), _mm512_srli_epi64(l, 52));
    for (int k = steps; k-- > (w->row->lazy ? 2 : 0);) r = csub(r, _mm512_sll_epi64(w->q, _mm_cvtsi32_si128(k)));
    return r;
}

// Eight words of both sums, from word `at` of the limbs on, the v-th of their 64; d digits.
INLINE void product8(struct work *w, uint32_t d, uint32_t side, size_t at, uint32_t v)
{
    const struct ck_key_row *row = w->row;
    vec h0 = zero(), l0 = splat((1ull << 52) - 1), h1 = h0, l1 = l0;
    at += 8 * v;
    for (uint32_t i = 0; i < d; i++) {
        const vec x = load(row->x[i] + at), a = load(w->a[side][i] + 8 * v);
        const vec b = fields8(_mm512_maskz_loadu_epi8(w->bytes, row->b[i] + at / 8 * row->mod->bits), &w->fields);
        h0 = hi(h0, x, b), l0 = lo(l0, x, b), h1 = hi(h1, x, a), l1 = lo(l1, x, a);
    }
    if (row->raise) {
        const vec x = load(row->raise + at);
        h0 = hi(h0, x, w->factor), l0 = lo(l0, x, w->factor);
    }
    const int steps = d <= 2 ? 1 : w->steps;
    store(w->sum[0] + 8 * v, reduced(h0, l0, w, steps));
    store(w->sum[1] + 8 * v, reduced(h1, l1, w, steps));
}

// The a-parts of 64 words from `next` on while the sums of those from `at` on are formed. The i-th stream has its share of the eight vectors
// between its rounds. False if a replacement of a rejected word failed.
INLINE bool step(struct work *w, uint32_t d, uint32_t side, size_t at, size_t next)
{
    bool ok = true;
#pragma GCC unroll 3
    for (uint32_t i = 0; i < d; i++) {
        const uint32_t first = 8 * i / d, count = 8 * (i + 1) / d - first;
        vec s[8];
        stream_begin(s, w->base[i], (uint32_t)(next / 2), &w->stream);
#pragma GCC unroll 9
        for (uint32_t r = 0; r < 9; r++) {
            stream_round(s, w->stream.key[r + 1]);
            for (uint32_t v = first + r * count / 9; v < first + (r + 1) * count / 9; v++) product8(w, d, side, at, v);
        }
        uint64_t *a = w->a[!side][i];
        if (!stream_end(a, s, false, &w->stream)) ok &= ck_expand_aesni(a, w->row->seed, w->row->index[i], next, 64, w->row->mod, NULL);
    }
    return ok;
}

INLINE size_t source(const struct ck_key_row *row, size_t at)
{
    return row->perm ? row->perm->from[at / 64] & ~(size_t)63 : at;
}

// A sum of 64 words to its place, which starts at word `at` of the result.
INLINE void put(uint64_t *out, const uint64_t *sum, const struct work *w, size_t at)
{
    const struct ck_perm *perm = w->row->perm;
    const vec q = w->q;
    if (perm && w->row->add) permute64(out, sum, perm, perm->from[at / 64] % 64, &q);
    else if (perm) permute64(out, sum, perm, perm->from[at / 64] % 64, NULL);
    else if (w->row->add)
        for (uint32_t v = 0; v < 64; v += 8) store(out + v, csub(add(load(out + v), load(sum + v)), q));
    else
        for (uint32_t v = 0; v < 64; v += 8) store(out + v, load(sum + v));
}

INLINE void fetch64(const uint64_t *a)
{
    for (int line = 0; line < 8; line++) _mm_prefetch((const char *)(a + 8 * line), _MM_HINT_T0);
}

// What the 64 words from `from` on need, into the first-level cache: an automorphism's sources are all over the limb.
INLINE void fetch(const struct ck_key_row *row, uint32_t d, size_t from, const uint64_t *out0, const uint64_t *out1)
{
    for (uint32_t i = 0; i < d; i++) fetch64(row->x[i] + from);
    if (row->raise) fetch64(row->raise + from);
    if (!row->add) return;
    fetch64(out0);
    fetch64(out1);
}

INLINE bool run(struct work *w, uint32_t d, uint64_t *out0, uint64_t *out1, size_t at, size_t n)
{
    const struct ck_key_row *row = w->row;
    const uint32_t bits = row->mod->bits;
    bool ok = true;
    for (uint32_t i = 0; i < d; i++) ok &= ck_expand_ifma(w->a[0][i], row->seed, row->index[i], source(row, at), 64, row->mod, NULL);
    for (size_t k = 0; k < n; k += 64) {
        const uint32_t side = k / 64 % 2;
        const size_t from = source(row, at + k);
        for (uint32_t i = 0; row->ahead[0] && i < d; i++)       // 64 fields of at most 50 bits start on at most 7 cache lines
            for (int line = 0; line < 7; line++) _mm_prefetch((const char *)row->ahead[i] + k / 8 * bits + 64 * line, _MM_HINT_T1);
        if (k + 2 * 64 < n) fetch(row, d, source(row, at + k + 2 * 64), out0 + k + 2 * 64, out1 + k + 2 * 64);
        if (k + 64 < n) ok &= step(w, d, side, from, source(row, at + k + 64));
        else
            for (uint32_t v = 0; v < 8; v++) product8(w, d, side, from, v);
        put(out0 + k, w->sum[0], w, at + k);
        put(out1 + k, w->sum[1], w, at + k);
    }
    return ok;
}

// The usual numbers of digits have code of their own.
#define RUN(name, d) \
    static __attribute__((noinline)) bool name(struct work *w, uint64_t *out0, uint64_t *out1, size_t at, size_t n) \
    { \
        return run(w, d, out0, out1, at, n); \
    }
RUN(run1, 1)
RUN(run2, 2)
RUN(run3, 3)
RUN(run_any, w->row->d)

bool ck_inner_key_ifma(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const struct ck_key_row *row, size_t at, size_t n)
{
    if (row->mod->bits < STREAM_BITS_MIN) return ck_inner_key_steps(k, out0, out1, row, at, n);
    struct work w;
    w.row = row;
    w.fields = fields_of(row->mod->bits);
    w.q = splat(row->mod->q);
    w.npinv = splat(row->mod->npinv52);
    for (w.steps = 1; (uint64_t)row->d * row->mod->q >> 51 >= ((uint64_t)1 << w.steps) - 1; w.steps++) {}
    w.factor = splat(row->raise ? ck_mulmod(row->factor->w, row->mod->r52, row->mod) : 0);
    w.bytes = ((uint64_t)1 << row->mod->bits) - 1;
    stream_init(&w.stream, row->seed, row->mod);
    for (uint32_t i = 0; i < row->d; i++) w.base[i] = stream_base(row->seed, row->index[i]);
    return (row->d == 1 ? run1 : row->d == 2 ? run2 : row->d == 3 ? run3 : run_any)(&w, out0, out1, at, n);
}
