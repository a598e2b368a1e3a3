// SPDX-License-Identifier: Apache-2.0
// The inner products of digits and key in one pass, 64 words at a time: a-parts are expanded for the next 64 words meanwhile, b-parts are unpacked
// on their way into the products, sums are reduced once and permuted in the first-level cache.
//
// One of the two ports does the rounds of AES and the scheduler looks about 100 instructions ahead, so for up to three digits the code is
// straight-line, with a round of eight vectors, the ends of a digit's stream and the fetches of later operands spread evenly among the
// products. Every instruction counts here: what is the same for 64 words or for a call is kept out of step().
//
// A sum h 2^52 + l is reduced by Montgomery's method (mont_end). Digits and b are below q < 2^50, a is left below 2q: the result is
// below q (1 + 2 d q/2^52) with d digits, or 1 + (d + 1) q/2^52 times q with what is raised: below 2q for d <= 2, below 4q, as lazy sums want, for
// d <= 6, else halve() brings it there. 65 halves fit 64 bits.
#include "fields_ifma.h"
#include "kernels_ifma.h"
#include "perm_avx512.h"
#include "stream_ifma.h"

// Two of a block's eight vectors of packed words are at least 64 bytes, so that all but the last are read by plain loads.
enum { BITS_MIN = 32 };

struct work {
    const struct ck_key_row *row;
    struct stream stream;
    struct fields fields;
    vec q, npinv, start, factor, base[CK_MAX_Q];    // start: of sums
    __mmask64 bytes;        // of eight packed words
    int doublings;          // sums are below q 2^doublings ...
    int kept;               // ... and may be below q 2^kept
    size_t rows[8];         // perm_sources
    const uint8_t *ahead[CK_MAX_Q];
    _Alignas(64) uint64_t a[CK_MAX_Q][2][64], sum[2][64];   // a: of these words and of the next
};

// Where the words of a block are, of the next and of the one after.
struct place {
    size_t at, next, later;
    size_t ahead, packed;   // bytes: 64 packed words of what is read after this call, those of `later`
    const uint64_t *out[2]; // where the sums of `later` go
};

struct sums {
    vec h0, l0, h1, l1;
};

INLINE void sums_begin(struct sums *s, const struct work *w)
{
    s->h0 = s->h1 = zero();
    s->l0 = s->l1 = w->start;
}

// Digit i of the v-th eight words of a block, packed from byte `byte` of a limb on. What is read later is fetched: an automorphism's sources are all over
// the limb.
INLINE void sums_digit(struct sums *s, const struct work *w, uint32_t i, uint32_t side, const struct place *p, uint32_t v, size_t byte)
{
    const struct ck_key_row *row = w->row;
    const uint8_t *packed = row->b[i] + byte;
    const vec x = load(row->x[i] + p->at + 8 * v), a = load(w->a[i][side] + 8 * v);
    const vec b = fields8(v < 7 ? _mm512_loadu_si512(packed) : _mm512_maskz_loadu_epi8(w->bytes, packed), &w->fields);
    s->h0 = hi(s->h0, x, b), s->l0 = lo(s->l0, x, b), s->h1 = hi(s->h1, x, a), s->l1 = lo(s->l1, x, a);
    _mm_prefetch((const char *)(row->x[i] + p->later + 8 * v), _MM_HINT_T0);
    if (v == 7) return;         // 64 fields of at most 50 bits start on at most 7 cache lines
    _mm_prefetch((const char *)w->ahead[i] + p->ahead + 64 * v, _MM_HINT_T1);
    _mm_prefetch((const char *)row->b[i] + p->packed + 64 * v, _MM_HINT_T0);
}

// What is raised, and the sums to their place.
INLINE void sums_end(struct sums *s, struct work *w, const struct place *p, uint32_t v)
{
    const uint64_t *raise = w->row->raise;
    if (raise) {
        const vec x = load(raise + p->at + 8 * v);
        _mm_prefetch((const char *)(raise + p->later + 8 * v), _MM_HINT_T0);
        s->h0 = hi(s->h0, x, w->factor), s->l0 = lo(s->l0, x, w->factor);
    }
    if (w->row->add) {
        _mm_prefetch((const char *)(p->out[0] + 8 * v), _MM_HINT_T0);
        _mm_prefetch((const char *)(p->out[1] + 8 * v), _MM_HINT_T0);
    }
    store(w->sum[0] + 8 * v, mont_end(s->h0, s->l0, w->npinv, w->q));
    store(w->sum[1] + 8 * v, mont_end(s->h1, s->l1, w->npinv, w->q));
}

INLINE void sums64(struct work *w, uint32_t d, uint32_t side, const struct place *p)
{
    for (uint32_t v = 0; v < 8; v++) {
        struct sums s;
        sums_begin(&s, w);
        for (uint32_t i = 0; i < d; i++) sums_digit(&s, w, i, side, p, v, (p->at / 8 + v) * (size_t)w->row->mod->bits);
        sums_end(&s, w, p, v);
    }
}

// False, as below, if a replacement of a rejected word failed.
static bool expand_again(struct work *w, uint32_t i, uint32_t side, size_t at)
{
    return ck_expand_aesni(w->a[i][side], w->row->seed, w->row->index[i], at, 64, w->row->mod, NULL);
}

static bool expand(struct work *w, uint32_t i, uint32_t side, size_t at)
{
    vec s[8];
    stream_begin(s, w->base[i], (uint32_t)(at / 2), &w->stream);
    for (int r = 1; r < 10; r++) stream_round(s, w->stream.key[r]);
    return stream_end(w->a[i][side], s, false, &w->stream) || expand_again(w, i, side, at);
}

// The streams of all digits, twenty ticks each, half a round; the words of one are finished in the ticks of the next.
struct clock {
    vec s[2][8];
    vec block;              // number, to be added to a counter block
    __mmask8 accepted;
};

INLINE void finish_words(struct clock *c, struct work *w, uint32_t i, uint32_t side, uint32_t v)
{
    vec r;
    c->accepted = stream_words(&r, c->s[i % 2][v], c->accepted, &w->stream);
    store(w->a[i][side] + 8 * v, r);
}

INLINE void tick(struct clock *c, struct work *w, uint32_t side, uint32_t k)
{
    const uint32_t i = k / 20, round = k % 20 / 2 + 1, first = k % 2 * 4;
    const vec key = w->stream.key[round];
    vec *s = c->s[i % 2];
#pragma GCC unroll 4
    for (uint32_t v = first; v < first + 4; v++) {
        if (round == 1) s[v] = _mm512_xor_si512(_mm512_xor_si512(w->base[i], c->block), w->stream.counter[v]);
        s[v] = round < 10 ? _mm512_aesenc_epi128(s[v], key) : _mm512_aesenclast_epi128(s[v], key);
        if (i && v == round - 2) finish_words(c, w, i - 1, side, v);
    }
}

// The sums of a block, while the next one's a-parts are expanded; at most three digits.
INLINE bool step(struct work *w, uint32_t d, uint32_t side, const struct place *p)
{
    const struct ck_key_row *row = w->row;
    const size_t bits = row->mod->bits;
    size_t byte = p->at / 8 * bits;
    struct clock c;
    c.block = _mm512_maskz_set1_epi32(0x8888, (int)__builtin_bswap32((uint32_t)(p->next / 2)));
    c.accepted = 0xff;
#pragma GCC unroll 8
    for (uint32_t v = 0; v < 8; v++) {
        struct sums s;
        sums_begin(&s, w);
#pragma GCC unroll 4
        for (uint32_t i = 0; i < 4; i++) {
            if (i < d) {
                sums_digit(&s, w, i, side, p, v, byte);
            } else if (i == d) {
                sums_end(&s, w, p, v);
                byte += bits;
            }
            const uint32_t part = (d + 1) * v + i, parts = 8 * (d + 1), k = 20 * d * part / parts, end = 20 * d * (part + 1) / parts;
            if (i <= d && k < end) tick(&c, w, !side, k);
            if (i <= d && k + 1 < end) tick(&c, w, !side, k + 1);
        }
    }
#pragma GCC unroll 8
    for (uint32_t v = 0; v < 8; v++) finish_words(&c, w, d - 1, !side, v);
    bool ok = true;
    for (uint32_t i = 0; c.accepted != 0xff && i < d; i++) ok &= expand_again(w, i, !side, p->next);
    return ok;
}

// Sums of many digits, or large primes, to where they may be.
static void halve(struct work *w)
{
    for (int k = w->doublings; k-- > w->kept;)
        for (uint32_t v = 0; v < 16; v++) {
            uint64_t *sum = w->sum[v / 8] + v % 8 * 8;
            store(sum, csub(load(sum), shifted(w->q, k)));
        }
}

// A sum of 64 words to its place, turned if t is set: as it is, or from below 2q reduced, or added.
enum put { KEEP, REDUCE, ADD };
INLINE void put(uint64_t *out, const uint64_t *sum, const struct work *w, const struct perm_turn *t, enum put how)
{
    vec y[8];
    if (t) perm_turned(y, sum, w->rows, *t);
#pragma GCC unroll 8
    for (int h = 0; h < 8; h++) {
        uint64_t *to = out + 8 * perm_row[h];
        vec r = t ? perm_up2(y, h, *t) : load(sum + 8 * perm_row[h]);
        if (how != KEEP) r = csub(r, w->q);
        if (how == ADD) r = csub(add(load(to), r), w->q);
        store(to, r);
    }
}

INLINE void put2(uint64_t *out0, uint64_t *out1, const struct work *w, const struct perm_turn *t)
{
    const enum put how = w->row->add ? ADD : w->row->lazy ? KEEP : REDUCE;
    if (how == ADD) put(out0, w->sum[0], w, t, ADD), put(out1, w->sum[1], w, t, ADD);
    else if (how == KEEP) put(out0, w->sum[0], w, t, KEEP), put(out1, w->sum[1], w, t, KEEP);
    else put(out0, w->sum[0], w, t, REDUCE), put(out1, w->sum[1], w, t, REDUCE);
}

INLINE size_t source(const struct ck_key_row *row, size_t at)
{
    return row->perm ? row->perm->from[at / 64] & ~(size_t)63 : at;
}

INLINE bool run(struct work *w, uint32_t d, bool few, uint64_t *out0, uint64_t *out1, size_t at, size_t n)
{
    const struct ck_key_row *row = w->row;
    const uint32_t bits = row->mod->bits;
    bool ok = true;
    struct place p = {source(row, at), source(row, at + (n > 64 ? 64 : 0)), 0, 0, 0, {out0, out1}};
    for (uint32_t i = 0; i < d; i++) ok &= expand(w, i, 0, p.at);
    for (size_t k = 0; k < n; k += 64, p.at = p.next, p.next = p.later) {
        const uint32_t side = k / 64 % 2;
        const bool more = k + 64 < n;
        p.later = k + 128 < n ? source(row, at + k + 128) : p.at;
        p.ahead = k / 8 * bits;
        p.packed = p.later / 8 * bits;
        p.out[0] = out0 + (k + 128 < n ? k + 128 : k);
        p.out[1] = out1 + (k + 128 < n ? k + 128 : k);
        if (few && more) {
            ok &= step(w, d, side, &p);
        } else {
            sums64(w, d, side, &p);
            for (uint32_t i = 0; more && i < d; i++) ok &= expand(w, i, !side, p.next);
        }
        if (w->doublings > w->kept) halve(w);
        if (row->perm) {
            const struct perm_turn t = perm_turn_of(row->perm, row->perm->from[(at + k) / 64] % 64);
            put2(out0 + k, out1 + k, w, &t);
        } else {
            put2(out0 + k, out1 + k, w, NULL);
        }
    }
    return ok;
}

// The usual numbers of digits have code of their own.
#define RUN(name, d, few) \
    static __attribute__((noinline)) bool name(struct work *w, uint64_t *out0, uint64_t *out1, size_t at, size_t n) \
    { \
        return run(w, d, few, out0, out1, at, n); \
    }
RUN(run1, 1, true)
RUN(run2, 2, true)
RUN(run3, 3, true)
RUN(run_any, w->row->d, false)

bool ck_inner_key_ifma(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const struct ck_key_row *row, size_t at, size_t n)
{
    const struct ck_mod *m = row->mod;
    if (m->bits < BITS_MIN) return ck_inner_key_steps(k, out0, out1, row, at, n);
    struct work w;
    w.row = row;
    w.fields = fields_of(m->bits);
    w.q = splat(m->q);
    w.npinv = splat(m->npinv52);
    w.start = mont_start();
    w.factor = splat(row->raise ? ck_mulmod(row->factor->w, m->r52, m) : 0);
    w.bytes = ((uint64_t)1 << m->bits) - 1;
    w.kept = row->lazy ? 2 : 1;
    for (w.doublings = 1; row->d * m->q >> 51 >= ((uint64_t)1 << w.doublings) - 1; w.doublings++) {}
    if (row->perm) perm_sources(w.rows, row->perm);
    stream_init(&w.stream, row->seed, m);
    for (uint32_t i = 0; i < row->d; i++) {
        w.base[i] = stream_base(row->seed, row->index[i]);
        w.ahead[i] = row->ahead[0] ? row->ahead[i] : row->b[i];
    }
    return (row->d == 1 ? run1 : row->d == 2 ? run2 : row->d == 3 ? run3 : run_any)(&w, out0, out1, at, n);
}
