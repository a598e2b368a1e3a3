// SPDX-License-Identifier: Apache-2.0
// Each kernel of each table against the portable table: random and edge inputs, guard pages on both sides of every array, output
// aliased to inputs where the header allows it, equal words. --bench prints medians and ratios to the portable kernel.
// usage: checkkern [--bench] [TABLE...]      environment: SEED
#define _GNU_SOURCE
#include "../runtime/kernels.h"
#include "../runtime/mod.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MAX_N = 1 << 16, PAGE = 4096, FROM = 12, TO = 7 };

static uint64_t state;

static uint64_t rnd(void)       // splitmix64
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Memory with an unreadable page before and after; `top`: the array ends at the second guard, else it starts at the first. */
struct guarded {
    char *map;
    size_t room;
};

static struct guarded guarded_new(size_t bytes)
{
    struct guarded g = {.room = (bytes + PAGE - 1) / PAGE * PAGE};
    g.map = mmap(NULL, g.room + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (g.map == MAP_FAILED || mprotect(g.map, PAGE, PROT_NONE) || mprotect(g.map + PAGE + g.room, PAGE, PROT_NONE)) exit(2);
    return g;
}

static void *guarded_at(const struct guarded *g, size_t bytes, bool top)
{
    return g->map + PAGE + (top ? g->room - bytes : 0);
}

enum { BUFFERS = 8 };
static struct guarded mem[BUFFERS];     // arrays of the kernel under test
static uint64_t *ref[BUFFERS];          // of the portable one

enum fill { RANDOM, ZERO, TOP, CORNERS, FILLS };

static void fill(uint64_t *a, size_t n, uint64_t q, enum fill f)
{
    for (size_t i = 0; i < n; i++)
        a[i] = f == RANDOM ? rnd() % q : f == ZERO ? 0 : f == TOP ? q - 1 : (uint64_t[]){0, 1, q / 2, q / 2 + 1, q - 1}[rnd() % 5];
}

static bool same(const uint64_t *a, const uint64_t *b, size_t n) { return !memcmp(a, b, n * sizeof *a); }

static uint64_t prime_near(double target)
{
    uint64_t p;
    if (ck_primes_near(&p, 1, target, 16, NULL, 0) != 1) exit(2);
    return p;
}

// 33 q and 5 q just below 2^52 and just above (the forms of the fast transform), 46, 48 and nearly 50 bits, small.
static uint32_t primes(uint64_t *p)
{
    uint32_t n = 0;
    for (uint64_t times = 33; times; times = times == 33 ? 5 : 0) {
        const double limit = 0x1p52 / (double)times;
        uint64_t below = prime_near(limit), above = below;
        for (double d = 0; times * below > 1ull << 52; d += 0x1p17) below = prime_near(limit - d);
        for (double d = 0; times * above <= 1ull << 52; d += 0x1p17) above = prime_near(limit + d);
        p[n++] = below;
        p[n++] = above;
    }
    p[n++] = prime_near(0x1p46);
    p[n++] = prime_near(0x1p48);
    p[n++] = prime_near(0x1.fffp49);
    p[n++] = prime_near(0x1p30);
    p[n++] = prime_near(0x1p20);
    return n;
}

static void check_transforms(const struct ck_kernels *k, uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    for (uint32_t logn = 1; logn <= 16; logn++) {
        const size_t n = (size_t)1 << logn;
        struct ck_ntt *t = ck_ntt_new_for(q, logn, k), *tc = ck_ntt_new_for(q, logn, c);
        if (!t || !tc) {                                    // a prime too small for the size
            ck_ntt_free(t), ck_ntt_free(tc);
            continue;
        }
        for (int f = 0; f < FILLS; f++)
            for (int inverse = 0; inverse < 2; inverse++) {
                uint64_t *a = guarded_at(&mem[0], n * 8, f & 1);
                if (logn < 3) a = guarded_at(&mem[0], 64, true);
                fill(a, n, q, (enum fill)f);
                memcpy(ref[0], a, n * 8);
                inverse ? k->intt(a, t) : k->ntt(a, t);
                inverse ? c->intt(ref[0], tc) : c->ntt(ref[0], tc);
                CHECKF(same(a, ref[0], n), "%s %sntt q=%lu logn=%u fill %d", k->name, inverse ? "i" : "", q, logn, f);
                fill(a, n, q, (enum fill)f);                // the two passes, last block first
                memcpy(ref[0], a, n * 8);
                inverse ? c->intt(ref[0], tc) : c->ntt(ref[0], tc);
                if (!inverse) k->ntt_columns(a, t);
                for (uint32_t b = ck_ntt_blocks(logn); b-- > 0;)
                    inverse ? k->intt_block(a + b * CK_NTT_TILE, b, t) : k->ntt_block(a + b * CK_NTT_TILE, b, t, b % 2 ? ref[0] : NULL);
                if (inverse) k->intt_columns(a, t);
                CHECKF(same(a, ref[0], n), "%s %sntt in passes q=%lu logn=%u", k->name, inverse ? "i" : "", q, logn);
            }
        for (uint32_t logm = 1; logm <= logn; logm++) {
            const size_t m = (size_t)1 << logm;
            uint64_t *out = guarded_at(&mem[0], n * 8, true), *in = guarded_at(&mem[1], m * 8, true);
            fill(in, m, q, RANDOM);
            k->spread(out, logn, in, logm);
            c->spread(ref[0], logn, in, logm);
            CHECKF(same(out, ref[0], n), "%s spread %u to %u", k->name, logm, logn);
        }
        ck_ntt_free(t), ck_ntt_free(tc);
    }
}

// The portable transform itself: values at the points of ck_ntt_exponent by Horner's rule, spreading, the inverse.
static void check_definition(uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q);
    for (uint32_t logn = 1; logn <= 10; logn++) {
        const uint32_t n = 1u << logn;
        struct ck_ntt *t = ck_ntt_new_for(q, logn, c);
        fill(ref[0], n, q, RANDOM);
        memcpy(ref[1], ref[0], n * 8);
        memset(ref[2], 0, n * 8);
        if (n > 1) ref[2][1] = 1;                           // X: its values are the points
        c->ntt(ref[1], t);
        c->ntt(ref[2], t);
        bool right = true, order = true;
        const uint64_t zeta = ref[2][ck_ntt_position(logn, 1)];
        for (uint32_t j = 0; j < n; j++) {
            uint64_t s = 0, x = ref[2][j];
            for (uint32_t i = n; i-- > 0;) s = ck_addmod(ck_mulmod(s, x, &m), ref[0][i], q);
            right &= s == ref[1][j];
            order &= x == ck_powmod(zeta, ck_ntt_exponent(logn, j), &m) && ck_ntt_position(logn, ck_ntt_exponent(logn, j)) == j;
        }
        CHECKF(right && order, "c ntt by Horner q=%lu logn=%u", q, logn);
        c->intt(ref[1], t);
        CHECKF(same(ref[0], ref[1], n), "c intt q=%lu logn=%u", q, logn);
        for (uint32_t logm = 1; logm <= logn; logm++) {     // b(X^(n/m)) both ways
            struct ck_ntt *tm = ck_ntt_new_for(q, logm, c);
            const uint32_t s = 1u << logm;
            memset(ref[2], 0, n * 8);
            for (uint32_t i = 0; i < s; i++) ref[2][(size_t)i * (n / s)] = ref[0][i];
            memcpy(ref[3], ref[0], s * 8);
            c->ntt(ref[2], t);
            c->ntt(ref[3], tm);
            c->spread(ref[4], logn, ref[3], logm);
            CHECKF(same(ref[2], ref[4], n), "c spread q=%lu %u to %u", q, logm, logn);
            ck_ntt_free(tm);
        }
        ck_ntt_free(t);
    }
}

enum op { ADD, SUB, NEG, MUL, MULADD, MULC, MULADDC, ADDC, SUBMULC, LIFT, OPS };
static const char *const op_name[] = {"add", "sub", "neg", "mul", "muladd", "mulc", "muladdc", "addc", "submulc", "lift"};

static void apply(const struct ck_kernels *k, enum op op, uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n,
                  const struct ck_mod *m, const struct ck_mod *from, const struct ck_shoup *s)
{
    switch (op) {
    case ADD: k->add(out, a, b, n, m); break;
    case SUB: k->sub(out, a, b, n, m); break;
    case NEG: k->neg(out, a, n, m); break;
    case MUL: k->mul(out, a, b, n, m); break;
    case MULADD: k->muladd(out, a, b, n, m); break;
    case MULC: k->mulc(out, a, s, n, m); break;
    case MULADDC: k->muladdc(out, a, s, n, m); break;
    case ADDC: k->addc(out, a, s->w, n, m); break;
    case SUBMULC: k->submulc(out, a, b, s, n, m); break;
    case LIFT: k->lift(out, a, n, m, from); break;
    case OPS: break;
    }
}

static void check_elementwise(const struct ck_kernels *k, uint64_t q, uint64_t other)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q), from = ck_mod_init(other);
    const size_t sizes[] = {2, 8, 16, 24, 72, 1000, 4096};
    for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
        for (int op = 0; op < OPS; op++)
            for (int f = 0; f < FILLS; f++)
                for (int alias = 0; alias < 3; alias++) {
                    const size_t n = sizes[z];
                    uint64_t *out = guarded_at(&mem[0], n * 8, f & 1);
                    uint64_t *a = alias == 1 ? out : guarded_at(&mem[1], n * 8, f & 1);
                    uint64_t *b = alias == 2 ? out : guarded_at(&mem[2], n * 8, f & 1);
                    const struct ck_shoup s = ck_shoup_init(f == RANDOM ? rnd() % q : f == ZERO ? 0 : q - 1, &m);
                    fill(out, n, q, (enum fill)f);
                    fill(b, n, q, (enum fill)(rnd() % FILLS));
                    fill(a, n, op == LIFT ? other : q, (enum fill)f);
                    if (op == LIFT && alias == 2) continue;
                    memcpy(ref[0], out, n * 8), memcpy(ref[1], a, n * 8), memcpy(ref[2], b, n * 8);
                    apply(c, (enum op)op, ref[0], alias == 1 ? ref[0] : ref[1], alias == 2 ? ref[0] : ref[2], n, &m, &from, &s);
                    apply(k, (enum op)op, out, a, b, n, &m, &from, &s);
                    CHECKF(same(out, ref[0], n), "%s %s q=%lu n=%zu fill %d alias %d", k->name, op_name[op], q, n, f, alias);
                }
}

static void check_sums(const struct ck_kernels *k, uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q);
    const uint32_t digits[] = {1, 2, 3, 8, 64};
    const size_t sizes[] = {4, 8, 24, 1024};
    for (int z = 0; z < 4; z++)
        for (int e = 0; e < 5; e++)
            for (int f = 0; f < FILLS; f++) {
                const size_t n = sizes[z];
                const uint64_t *a[64], *k0[64], *k1[64];
                for (uint32_t j = 0; j < 64; j++) {     // the arrays of a family may be the same
                    a[j] = guarded_at(&mem[j % 2], n * 8, true);
                    k0[j] = guarded_at(&mem[2 + j % 2], n * 8, true);
                    k1[j] = guarded_at(&mem[4 + j % 2], n * 8, true);
                }
                for (int j = 0; j < 6; j++) fill(guarded_at(&mem[j], n * 8, true), n, q, (enum fill)f);
                uint64_t *o0 = guarded_at(&mem[6], n * 8, true), *o1 = guarded_at(&mem[7], n * 8, true);
                if (n % 128 == 0) {     // the first halves spread: both inputs, the first n words of a limb of that size
                    const uint64_t *part[64], *spread[64];
                    for (uint32_t j = 0; j < 64; j++) {
                        uint64_t *half = guarded_at(&mem[j % 2], n * 4, true);
                        ck_kernels_named("c")->spread(ref[2 + j % 2], (uint32_t)__builtin_ctzll(n), half, (uint32_t)__builtin_ctzll(n / 2));
                        part[j] = half;
                        spread[j] = ref[2 + j % 2];
                    }
                    k->inner2_half(k, o0, o1, part, k0, k1, digits[e], n, &m);
                    c->inner2(ref[4], ref[5], spread, k0, k1, digits[e], n, &m);
                    CHECKF(same(o0, ref[4], n) && same(o1, ref[5], n), "%s inner2_half q=%lu d=%u", k->name, q, digits[e]);
                }
                for (uint32_t logm = 1; n % 64 == 0 && logm <= 7; logm++) {     // words [at, at + n) of limbs of 2^10 words
                    const uint64_t *part[64], *spread[64];
                    const size_t at = n < 1024 ? 1024 - n : 0;
                    for (uint32_t j = 0; j < 64; j++) {
                        uint64_t *low = guarded_at(&mem[j % 2], 8 << logm, true);
                        ck_kernels_named("c")->spread(ref[2 + j % 2], 10, low, logm);
                        part[j] = low;
                        spread[j] = ref[2 + j % 2] + at;
                    }
                    if (n + at > 1024) break;
                    k->inner2_rows(k, o0, o1, part, logm, 10, at, k0, k1, digits[e], n, &m);
                    c->inner2(ref[4], ref[5], spread, k0, k1, digits[e], n, &m);
                    CHECKF(same(o0, ref[4], n) && same(o1, ref[5], n), "%s inner2_rows q=%lu d=%u n=%zu logm=%u", k->name, q, digits[e], n, logm);
                }
                k->inner2(o0, o1, a, k0, k1, digits[e], n, &m);
                c->inner2(ref[0], ref[1], a, k0, k1, digits[e], n, &m);
                CHECKF(same(o0, ref[0], n) && same(o1, ref[1], n), "%s inner2 q=%lu d=%u", k->name, q, digits[e]);
                if (digits[e] > 1 && a[0] != a[1]) {    // sums over the first two inputs
                    const uint64_t *over[64];
                    for (uint32_t j = 0; j < digits[e]; j++) over[j] = a[j];
                    for (size_t j = 0; j < n; j++) o0[j] = a[0][j], o1[j] = a[1][j];
                    over[0] = o0, over[1] = o1;
                    k->inner2(o0, o1, over, k0, k1, digits[e], n, &m);
                    CHECKF(same(o0, ref[0], n) && same(o1, ref[1], n), "%s inner2 in place", k->name);
                }
                memset(o0, 0, n * 8);
                k->inner(o0, a, k0, digits[e], n, &m);
                CHECKF(same(o0, ref[0], n), "%s inner q=%lu d=%u", k->name, q, digits[e]);
            }
}

// All inputs distinct, a square, and outputs over the inputs; with and without an addend, once and twice.
static void check_tensor(const struct ck_kernels *k, uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q);
    const size_t sizes[] = {4, 8, 24, 1024};
    for (int t = 0; t < 4 * FILLS * 3; t++) {
        const size_t n = sizes[t % 4];
        const int f = t / 4 % FILLS, alias = t / 4 / FILLS;
        uint64_t *in[7], *want[3] = {ref[0], ref[1], ref[2]};
        for (int i = 0; i < 7; i++) fill(in[i] = guarded_at(&mem[i], n * 8, f & 1), n, q, (enum fill)f);
        const uint64_t *const a[] = {in[0], in[1]}, *const b[] = {in[2], in[3]}, *const *const y = alias == 1 ? a : b;
        uint64_t *const apart[] = {in[4], in[5], in[6]}, *const over[] = {in[3], in[0], in[1]};
        uint64_t *const *out = alias == 2 ? over : apart;
        c->tensor(want, a, y, n, &m);
        bool right = true;
        for (size_t i = 0; i < n; i++) {
            const uint64_t cross = ck_addmod(ck_mulmod(a[0][i], y[1][i], &m), ck_mulmod(a[1][i], y[0][i], &m), q);
            const uint64_t one[] = {ck_mulmod(a[0][i], y[0][i], &m), cross, ck_mulmod(a[1][i], y[1][i], &m)};
            for (int j = 0; j < 3; j++) right &= want[j][i] == one[j];
        }
        k->tensor(out, a, y, n, &m);
        for (int j = 0; j < 3; j++) right &= same(out[j], want[j], n);
        CHECKF(right, "%s tensor q=%lu n=%zu fill %d alias %d", k->name, q, n, f, alias);
    }
}

static void check_permute(const struct ck_kernels *k)
{
    for (uint32_t logn = 10; logn <= 16; logn++)
        for (int round = 0; round < 20; round++) {
            const size_t n = (size_t)1 << logn, at = rnd() % (n / 64) * 64, part = (1 + rnd() % ((n - at) / 64)) * 64;
            const uint32_t g = (uint32_t)(round ? rnd() | 1 : 2 * n - 1) % (uint32_t)(2 * n);
            struct ck_perm perm;
            ck_perm_init(&perm, logn, g);
            uint64_t *a = guarded_at(&mem[0], n * 8, true), *out = guarded_at(&mem[1], part * 8, round & 1);
            fill(a, n, UINT64_MAX, RANDOM);
            for (size_t i = 0; i < part; i++) ref[0][i] = a[ck_ntt_position(logn, ck_ntt_exponent(logn, (uint32_t)(at + i)) * g)];
            k->permute(out, a, &perm, at, part);
            CHECKF(same(out, ref[0], part), "%s permute N=2^%u g=%u at %zu, %zu words", k->name, logn, g, at, part);
        }
}

static void pack_field(uint8_t *to, size_t i, uint64_t v, uint32_t bits)
{
    for (uint32_t b = 0; b < bits; b++) {
        uint8_t *byte = &to[(i * bits + b) / 8];
        const unsigned at = (unsigned)(i * bits + b) % 8;
        *byte = (uint8_t)((*byte & ~(1u << at)) | (unsigned)(v >> b & 1) << at);
    }
}

// Against the definition, with the portable stream: any number of digits, with and without what is raised and an automorphism, in place.
static void check_inner_key(const struct ck_kernels *k, uint64_t q)
{
    enum { LOGN = 10, N = 1 << LOGN, MOST = 63 };
    const uint32_t digits[] = {1, 2, 3, 4, 6, 7, 8, 15, MOST};
    const struct ck_mod m = ck_mod_init(q);
    const size_t packed = N * m.bits / 8;
    const struct ck_shoup factor = ck_shoup_init(q - 1 - rnd() % (q / 2), &m);
    const uint64_t over52 = ck_powmod(ck_powmod(2, 52, &m), q - 2, &m);
    for (int t = 0; t < 9 * FILLS * 2; t++) {
        const uint32_t d = digits[t % 9], g = (uint32_t)rnd() | 1;
        const size_t at = rnd() % (N / 64) * 64, part = (1 + rnd() % ((N - at) / 64)) * 64;
        const bool raised = rnd() & 1, turned = t / 9 / FILLS;
        uint8_t seed[32], *b = guarded_at(&mem[0], d * packed, true);
        uint64_t *x = guarded_at(&mem[1], (d + 1) * N * 8, true), *raise = x + d * N, *a = ref[0], *want0 = ref[1], *want1 = ref[2], *values = ref[3];
        struct ck_perm perm;
        struct ck_key_row row = {.d = d, .seed = seed, .mod = &m, .factor = &factor, .raise = raised ? raise : NULL, .perm = turned ? &perm : NULL};
        for (int i = 0; i < 32; i++) seed[i] = (uint8_t)rnd();
        ck_perm_init(&perm, LOGN, g % (2 * N));
        fill(x, (d + 1) * N, q, (enum fill)(t / 9 % FILLS));
        fill(values, d * N, q, (enum fill)(t / 9 % FILLS));
        for (uint32_t i = 0; i < d; i++) {
            row.x[i] = x + i * N;
            row.b[i] = b + i * packed;
            row.ahead[i] = t & 1 ? row.b[i] : NULL;
            row.index[i] = (uint32_t)rnd() >> 1;
            ck_kernels_named("c")->expand(a + i * N, seed, row.index[i], 0, N, &m, NULL);
            for (size_t w = 0; w < N; w++) pack_field(b + i * packed, w, values[i * N + w], m.bits);
        }
        for (size_t w = 0; w < part; w++) {
            const size_t from = turned ? ck_ntt_position(LOGN, ck_ntt_exponent(LOGN, (uint32_t)(at + w)) * g) : at + w;
            want0[w] = want1[w] = 0;
            for (uint32_t i = 0; i < d; i++) {
                want0[w] = ck_addmod(want0[w], ck_mulmod(x[i * N + from], values[i * N + from], &m), q);
                want1[w] = ck_addmod(want1[w], ck_mulmod(x[i * N + from], a[i * N + from], &m), q);
            }
            want0[w] = ck_mulmod(want0[w], over52, &m), want1[w] = ck_mulmod(want1[w], over52, &m);
            if (raised) want0[w] = ck_addmod(want0[w], ck_mulmod(raise[from], factor.w, &m), q);
        }
        const bool over = !turned && d > 1 && rnd() & 1;
        uint64_t *out0 = over ? x + at : guarded_at(&mem[2], part * 8, true), *out1 = over ? x + N + at : guarded_at(&mem[3], part * 8, false);
        row.lazy = rnd() & 1;
        row.add = !row.lazy && !over && rnd() & 1;
        for (size_t w = 0; row.add && w < part; w++) {
            out0[w] = rnd() % 3 ? q - 1 - rnd() % q : q - 1, out1[w] = rnd() % q;
            want0[w] = ck_addmod(want0[w], out0[w], q), want1[w] = ck_addmod(want1[w], out1[w], q);
        }
        bool ok = k->inner_key(k, out0, out1, &row, at, part);
        if (row.lazy) {         // 50 times q - 1 times the sums
            const uint64_t *many[50], *many0[50], *many1[50], c = q - 50 % q;
            for (size_t w = 0; w < part; w++) values[w] = q - 1, want0[w] = ck_mulmod(want0[w], c, &m), want1[w] = ck_mulmod(want1[w], c, &m);
            for (int i = 0; i < 50; i++) many[i] = values, many0[i] = out0, many1[i] = out1;
            k->inner2(ref[4], ref[5], many, many0, many1, 50, part, &m);
            out0 = ref[4], out1 = ref[5];
        }
        ok &= same(out0, want0, part) && same(out1, want1, part);
        CHECKF(ok, "%s inner_key q=%lu d=%u raised %d turned %d at %zu, %zu words", k->name, q, d, raised, turned, at, part);
    }
}

static void check_from_i32(const struct ck_kernels *k, uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q);
    const uint32_t shift[] = {0, 1, 20, 45, 63, 64, 200};
    for (int s = 0; s < 7; s++)
        for (size_t n = 4; n <= 1024; n *= 4) {
            uint64_t *out = guarded_at(&mem[0], n * 8, true);
            int32_t *in = guarded_at(&mem[1], n * 4, true);
            bool right = true;
            for (size_t i = 0; i < n; i++) in[i] = i % 4 ? (int32_t)rnd() : (int32_t[]){0, INT32_MAX, -INT32_MAX, -1}[rnd() % 4];
            for (size_t i = 0; i < n; i++) if (in[i] == INT32_MIN) in[i] = 1;
            k->from_i32(out, in, shift[s], n, &m);
            c->from_i32(ref[0], in, shift[s], n, &m);
            const uint64_t two = ck_powmod(2, shift[s], &m);
            for (size_t i = 0; i < n; i++) {
                int64_t r = in[i] % (int64_t)q;
                right &= ref[0][i] == ck_mulmod((uint64_t)(r < 0 ? r + (int64_t)q : r), two, &m);
            }
            CHECKF(right && same(out, ref[0], n), "%s from_i32 q=%lu shift %u", k->name, q, shift[s]);
        }
}

// Chosen integers x with |x| < Q/2 as residues: the conversion returns x modulo every target.
static void check_conv_value(const struct ck_kernels *k, const struct ck_conv *t, const uint64_t *from, uint32_t nfrom,
                             const uint64_t *to, uint32_t nto)
{
    uint64_t *in[64], *out[TO];
    for (uint32_t i = 0; i < nfrom; i++) in[i] = ref[0] + 8 * i;
    for (uint32_t j = 0; j < nto; j++) out[j] = ref[1] + 8 * j;
    int64_t x[8];
    for (int s = 0; s < 8; s++) {
        x[s] = s == 0 ? 0 : (int64_t)(rnd() % (from[0] / 2));
        if (s & 1) x[s] = -x[s];
        for (uint32_t i = 0; i < nfrom; i++) {
            int64_t r = x[s] % (int64_t)from[i];
            in[i][s] = (uint64_t)(r < 0 ? r + (int64_t)from[i] : r);
        }
    }
    k->conv(out, (const uint64_t *const *)in, 8, t);
    bool right = true;
    for (uint32_t j = 0; j < nto; j++)
        for (int s = 0; s < 8; s++) {
            int64_t r = x[s] % (int64_t)to[j];
            right &= out[j][s] == (uint64_t)(r < 0 ? r + (int64_t)to[j] : r);
        }
    CHECKF(right, "%s conv: values, %u to %u primes", k->name, nfrom, nto);
}

static void check_conv(const struct ck_kernels *k, double target)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    uint64_t p[64 + TO];
    if (ck_primes_near(p, 64 + TO, target, 12, NULL, 0) != 64 + TO) exit(2);
    const uint32_t counts[] = {1, 2, 3, 5, FROM, 64};
    const size_t sizes[] = {8, 24, 64, 200};
    for (int e = 0; e < 6; e++)
        for (uint32_t nto = 1; nto <= TO; nto++) {
            const uint32_t nfrom = counts[e];
            struct ck_conv *t = ck_conv_new(p, nfrom, p + 64, nto);
            if (!t) exit(2);
            check_conv_value(k, t, p, nfrom, p + 64, nto);
            for (int z = 0; z < 4; z++) {
                const size_t n = sizes[z];
                uint64_t *out[TO], *want[TO];
                const uint64_t *in[64];
                for (uint32_t i = 0; i < nfrom; i++) {
                    uint64_t *a = i == 0 ? guarded_at(&mem[0], n * 8, true) : ref[0] + i * n;
                    fill(a, n, p[i], (enum fill)(z % FILLS));
                    in[i] = a;
                }
                for (uint32_t j = 0; j < nto; j++) out[j] = guarded_at(&mem[1 + j], n * 8, true), want[j] = ref[1] + j * n;
                k->conv(out, in, n, t);
                c->conv(want, in, n, t);
                bool right = true;
                for (uint32_t j = 0; j < nto; j++) right &= same(out[j], want[j], n);
                CHECKF(right, "%s conv %u to %u primes near %g, n=%zu", k->name, nfrom, nto, target, n);
            }
            ck_conv_free(t);
        }
}

static void check_expand(const struct ck_kernels *k, uint64_t q)
{
    const struct ck_kernels *c = ck_kernels_named("c");
    const struct ck_mod m = ck_mod_init(q);
    uint8_t seed[32];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 32; i++) seed[i] = (uint8_t)rnd();
        const uint32_t index = (uint32_t)rnd() >> 1;
        uint64_t *out = guarded_at(&mem[0], MAX_N * 8, true);
        CHECK(k->expand(out, seed, index, 0, MAX_N, &m, NULL) && c->expand(ref[0], seed, index, 0, MAX_N, &m, NULL));
        CHECKF(same(out, ref[0], MAX_N), "%s expand q=%lu", k->name, q);
        bool range = true;
        double sum = 0;
        for (size_t i = 0; i < MAX_N; i++) range &= ref[0][i] < q, sum += (double)ref[0][i] / (double)q;
        CHECKF(range && sum > 0.49 * MAX_N && sum < 0.51 * MAX_N, "c expand q=%lu: range, mean", q);
        for (int part = 0; part < 8; part++) {
            const size_t start = rnd() % (MAX_N / 8) * 8, n = rnd() % ((MAX_N - start) / 8 + 1) * 8;
            out = guarded_at(&mem[0], n * 8, true);
            CHECKF(k->expand(out, seed, index, start, n, &m, ref[1]) && same(out, ref[0] + start, n), "%s expand of a part", k->name);
        }
    }
}

static void check_unpack(const struct ck_kernels *k)
{
    for (uint32_t bits = 1; bits <= 63; bits++)
        for (size_t n = 8; n <= 1024; n = n < 256 ? n + 8 : 4 * n) {
            const size_t bytes = n * bits / 8;
            uint8_t *in = guarded_at(&mem[1], bytes, n % 16);
            uint64_t *out = guarded_at(&mem[0], n * 8, true), most = 0, got = 0;
            for (size_t i = 0; i < bytes; i++) in[i] = (uint8_t)rnd();
            for (size_t i = 0; i < n; i++) {
                uint64_t v = 0;
                for (uint32_t b = 0; b < bits; b++) v |= (uint64_t)(in[(i * bits + b) / 8] >> (i * bits + b) % 8 & 1) << b;
                ref[0][i] = v;
                most = v > most ? v : most;
            }
            got = k->unpack(out, in, n, bits);
            CHECKF(got == most && same(out, ref[0], n), "%s unpack of %u bits", k->name, bits);
        }
}

static void check(const struct ck_kernels *k)
{
    uint64_t p[16];
    const uint32_t n = primes(p);
    for (uint32_t i = 0; i < n; i++) {
        check_transforms(k, p[i]);
        check_elementwise(k, p[i], p[(i + 1) % n]);
        check_elementwise(k, p[i], p[(i + n - 1) % n]);
        check_sums(k, p[i]);
        check_tensor(k, p[i]);
        check_from_i32(k, p[i]);
        check_expand(k, p[i]);
        check_inner_key(k, p[i]);
    }
    check_permute(k);
    check_unpack(k);
    check_conv(k, 0x1p46);
    check_conv(k, 0x1.ffp49);
    check_conv(k, 0x1p40);
}

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

enum { RUNS = 31, ROWS = 11 };
static const char *const row_name[ROWS] = {"ntt 46 bits", "intt 46 bits", "ntt 50 bits", "intt 50 bits", "mul", "inner2 d=2", "mulc",
                                           "conv 11 to 22, a pair", "permute", "expand", "inner_key d=2, turned"};

static double bench_row(const struct ck_kernels *k, int row)
{
    uint64_t p[64], *in[11], *out[22];
    const size_t n = MAX_N;
    ck_primes_near(p, 33, 0x1p46, 16, NULL, 0);
    const uint64_t q = row == 2 || row == 3 ? prime_near(0x1.fffp49) : p[0];
    const struct ck_mod m = ck_mod_init(q);
    const struct ck_shoup s = ck_shoup_init(q / 3, &m);
    struct ck_ntt *t = ck_ntt_new_for(q, 16, k);
    struct ck_conv *v = ck_conv_new(p, 11, p + 11, 22);
    uint64_t *a = ref[0], *b = ref[1], *o = ref[2];
    const uint64_t *d0[2] = {a, b}, *d1[2] = {b, a}, *d2[2] = {ref[3], ref[4]};
    for (int i = 0; i < 5; i++) fill(ref[i], n, q, RANDOM);
    for (size_t i = 0; row == 7 && i < 11; i++) fill(in[i] = aligned_alloc(64, n * 8), n, p[i], RANDOM);
    for (size_t i = 0; row == 7 && i < 22; i++) memset(out[i] = aligned_alloc(64, n * 8), 0, n * 8);
    static struct ck_perm perm;
    static uint8_t packed[2][MAX_N / 8 * CK_PRIME_BITS_MAX];
    const struct ck_key_row key = {.d = 2, .x = {a, b}, .b = {packed[0], packed[1]}, .seed = (const uint8_t *)"0123456789abcdef0123456789abcdef",
                                   .index = {1, 2}, .raise = ref[3], .factor = &s, .perm = &perm, .mod = &m};
    ck_perm_init(&perm, 16, 5);
    double time[RUNS];
    for (int r = 0; r < RUNS; r++) {
        double start = now_us();
        switch (row) {
        case 0: case 2: k->ntt(a, t); break;
        case 1: case 3: k->intt(a, t); break;
        case 4: k->mul(o, a, b, n, &m); break;
        case 5: k->inner2(o, ref[5], d0, d1, d2, 2, n, &m); break;
        case 6: k->mulc(o, a, &s, n, &m); break;
        case 7: k->conv(out, (const uint64_t *const *)in, n, v); break;
        case 8: k->permute(o, a, &perm, 0, n); break;
        case 9: k->expand(o, (const uint8_t *)"0123456789abcdef0123456789abcdef", 1, 0, n, &m, NULL); break;
        case 10: k->inner_key(k, o, ref[5], &key, 0, n); break;
        }
        time[r] = now_us() - start;
    }
    for (size_t i = 0; row == 7 && i < 11; i++) free(in[i]);
    for (size_t i = 0; row == 7 && i < 22; i++) free(out[i]);
    ck_ntt_free(t);
    ck_conv_free(v);
    qsort(time, RUNS, sizeof *time, by_value);
    return time[RUNS / 2] / (row == 7 ? 11 * 22 : 1);
}

static void bench(const struct ck_kernels *k)
{
    static double scalar[ROWS];
    printf("%s, N = 2^16, one limb, median of %d\n", k->name, RUNS);
    for (int row = 0; row < ROWS; row++) {
        if (scalar[row] == 0) scalar[row] = bench_row(ck_kernels_named("c"), row);
        double us = k == ck_kernels_named("c") ? scalar[row] : bench_row(k, row);
        printf("  %-22s %9.2f us   portable / this %6.2f\n", row_name[row], us, scalar[row] / us);
    }
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"c", "avx2", "avx512", "ifma"};
    const char *env = getenv("SEED");
    const uint64_t seed = env ? strtoull(env, NULL, 0) : (uint64_t)time(NULL);
    bool timing = false;
    int named = 0;
    for (int i = 1; i < argc; i++) strcmp(argv[i], "--bench") ? named++ : (int)(timing = true);
    state = seed;
    for (int i = 0; i < BUFFERS; i++) {
        mem[i] = guarded_new(MAX_N * 8);
        ref[i] = aligned_alloc(64, MAX_N * 8);
    }
    if (!timing)
        for (int i = 0; i < 2; i++) check_definition(prime_near(i ? 0x1.fffp49 : 0x1p46));
    for (int i = 0; i < 4; i++) {
        bool wanted = !named;
        for (int j = 1; j < argc; j++) wanted |= !strcmp(argv[j], names[i]);
        if (!wanted) continue;
        const struct ck_kernels *k = ck_kernels_named(names[i]);
        if (!k) SKIP(names[i]);
        else if (timing) bench(k);
        else check(k);
    }
    if (test_failed) printf("SEED=%lu\n", seed);
    for (int i = 0; i < BUFFERS; i++) free(ref[i]);
    return test_done();
}
