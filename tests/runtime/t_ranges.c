// SPDX-License-Identifier: Apache-2.0
// The IFMA kernels on exact integers with intervals (vec_exact.h): their ranges are proved for any input, for primes at the edges of every
// variant, and their results are those of the portable kernels. Needs no vector instructions.
#include "vec_exact.h"

#include "../../runtime/kernels_impl.h"
#include "../../runtime/mod.h"
#include "../../runtime/ntt.h"
#include "../test.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct exact_range exact_ranges[256];
int exact_count = 1;
const char *exact_broken;

static struct ck_kernels exact;

static uint64_t state = 1;
static uint64_t rnd(void)       // splitmix64
{
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t *words(size_t n)
{
    uint64_t *a = aligned_alloc(64, (n * sizeof *a + 63) / 64 * 64);
    if (!a) exit(2);
    return a;
}

enum fill { RANDOM, TOP, ZERO, ALTERNATING, FILLS };

// n values in [0,end), also as words that say so.
static void fill(uint64_t *plain, uint64_t *marked, size_t n, uint64_t end, enum fill f)
{
    for (size_t i = 0; i < n; i++) {
        plain[i] = f == RANDOM ? rnd() % end : f == TOP || (f == ALTERNATING && i % 2) ? end - 1 : 0;
        marked[i] = exact_encode((struct lane){(int64_t)plain[i], 0, (int64_t)end - 1});
    }
}

// Marked words that are in [0,end) and the plain ones.
static bool same(const uint64_t *marked, const uint64_t *plain, size_t n, uint64_t end)
{
    for (size_t i = 0; i < n; i++) {
        const struct lane a = exact_decode(marked[i]);
        if (a.lo < 0 || a.hi >= (int64_t)end || (uint64_t)a.v != plain[i]) return false;
    }
    return true;
}
#define OUTCOME(ok, format, ...) \
    CHECKF((ok) && !exact_broken, format ": %s", __VA_ARGS__, exact_broken ? exact_broken : "another result")

static uint64_t prime_near(double target)
{
    uint64_t p;
    if (ck_primes_near(&p, 1, target, 16, NULL, 0) != 1) exit(2);
    return p;
}

// The first primes up to and above 2^52 / times.
static void edge(uint64_t *p, uint64_t times)
{
    const double limit = 0x1p52 / (double)times;
    p[0] = p[1] = prime_near(limit);
    for (double d = 0; times * p[0] > 1ull << 52; d += 0x1p17) p[0] = prime_near(limit - d);
    for (double d = 0; times * p[1] <= 1ull << 52; d += 0x1p17) p[1] = prime_near(limit + d);
}

static void transforms(uint64_t q)
{
    for (uint32_t logn = CK_NTT_FAST_LOGN; logn <= 16; logn++) {
        const size_t n = (size_t)1 << logn;
        struct ck_ntt *t = ck_ntt_new_for(q, logn, &exact), *tc = ck_ntt_new_for(q, logn, &ck_kernels_c);
        if (!t || !tc) exit(2);
        uint64_t *a = words(n), *want = words(n);
        for (int f = 0; f < (logn < 12 ? FILLS : 1); f++)
            for (int inverse = 0; inverse < 2; inverse++) {
                exact_reset();
                fill(want, a, n, q, (enum fill)f);
                (inverse ? exact.intt : exact.ntt)(a, t);
                (inverse ? ck_intt_c : ck_ntt_c)(want, tc);
                OUTCOME(same(a, want, n, q), "%sntt q=%lu logn=%u fill %d", inverse ? "i" : "", q, logn, f);
            }
        free(a), free(want);
        ck_ntt_free(t), ck_ntt_free(tc);
    }
}

// Arrays of the elementwise kernels: up to 64 of each, what they hold in plain words and marked.
enum { N = 256, D = 64 };
struct arrays {
    uint64_t *plain[D], *marked[D];
};

static struct arrays arrays_new(void)
{
    struct arrays a;
    for (int i = 0; i < D; i++) a.plain[i] = words(N), a.marked[i] = words(N);
    return a;
}

static void arrays_free(struct arrays *a)
{
    for (int i = 0; i < D; i++) free(a->plain[i]), free(a->marked[i]);
}

static void arrays_fill(struct arrays *a, uint64_t end, enum fill f)
{
    for (int i = 0; i < D; i++) fill(a->plain[i], a->marked[i], N, end, f);
}

#define AS_CONST(a) ((const uint64_t *const *)(a))

static void elementwise(uint64_t q, enum fill f)
{
    const struct ck_kernels *c = &ck_kernels_c, *e = &exact;
    const struct ck_mod m = ck_mod_init(q), other = ck_mod_init(prime_near(q > 1ull << 40 ? 0x1p30 : 0x1.fffp49));
    struct arrays a = arrays_new(), k0 = arrays_new(), k1 = arrays_new(), o = arrays_new();
    exact_reset();
    arrays_fill(&a, q, f), arrays_fill(&k0, q, f), arrays_fill(&k1, q, f), arrays_fill(&o, q, f);
    const struct ck_shoup w = ck_shoup_init(f == TOP ? q - 1 : rnd() % q, &m);

#define ALIKE(i, name) OUTCOME(same(o.marked[i], o.plain[i], N, q), "%s q=%lu fill %d", name, q, f)
    c->mul(o.plain[0], a.plain[0], k0.plain[0], N, &m), e->mul(o.marked[0], a.marked[0], k0.marked[0], N, &m);
    ALIKE(0, "mul");
    c->muladd(o.plain[1], a.plain[0], k0.plain[0], N, &m), e->muladd(o.marked[1], a.marked[0], k0.marked[0], N, &m);
    ALIKE(1, "muladd");
    c->mulc(o.plain[2], a.plain[0], &w, N, &m), e->mulc(o.marked[2], a.marked[0], &w, N, &m);
    ALIKE(2, "mulc");
    c->muladdc(o.plain[3], a.plain[0], &w, N, &m), e->muladdc(o.marked[3], a.marked[0], &w, N, &m);
    ALIKE(3, "muladdc");
    c->submulc(o.plain[4], a.plain[0], k0.plain[0], &w, N, &m), e->submulc(o.marked[4], a.marked[0], k0.marked[0], &w, N, &m);
    ALIKE(4, "submulc");
    for (int square = 0; square < 2; square++) {
        c->tensor(o.plain, AS_CONST(a.plain), AS_CONST(square ? a.plain : k0.plain), N, &m);
        e->tensor(o.marked, AS_CONST(a.marked), AS_CONST(square ? a.marked : k0.marked), N, &m);
        for (int i = 0; i < 3; i++) ALIKE(i, square ? "square" : "tensor");
    }
    int32_t small[N];
    for (int i = 0; i < N; i++) small[i] = f == RANDOM ? (int32_t)rnd() : f == TOP ? INT32_MAX : -INT32_MAX;
    for (int i = 0; i < N; i++) small[i] = small[i] < -INT32_MAX ? 0 : small[i];
    c->from_i32(o.plain[0], small, 40, N, &m), e->from_i32(o.marked[0], small, 40, N, &m);
    ALIKE(0, "from_i32");
    fill(k0.plain[0], k0.marked[0], N, other.q, f);
    c->lift(o.plain[0], k0.plain[0], N, &m, &other), e->lift(o.marked[0], k0.marked[0], N, &m, &other);
    ALIKE(0, "lift");

    // Sums of products, as many as there may be: of residues, then of residues and lazy sums.
    fill(k0.plain[0], k0.marked[0], N, q, f);
    c->inner(o.plain[0], AS_CONST(a.plain), AS_CONST(k0.plain), D, N, &m), e->inner(o.marked[0], AS_CONST(a.marked), AS_CONST(k0.marked), D, N, &m);
    ALIKE(0, "inner");
    arrays_fill(&k0, 4 * q, f), arrays_fill(&k1, 4 * q, f);
    c->inner2(o.plain[0], o.plain[1], AS_CONST(a.plain), AS_CONST(k0.plain), AS_CONST(k1.plain), D, N, &m);
    e->inner2(o.marked[0], o.marked[1], AS_CONST(a.marked), AS_CONST(k0.marked), AS_CONST(k1.marked), D, N, &m);
    for (int i = 0; i < 2; i++) ALIKE(i, "inner2");
    c->inner2_half(c, o.plain[0], o.plain[1], AS_CONST(a.plain), AS_CONST(k0.plain), AS_CONST(k1.plain), D, N, &m);
    e->inner2_half(e, o.marked[0], o.marked[1], AS_CONST(a.marked), AS_CONST(k0.marked), AS_CONST(k1.marked), D, N, &m);
    for (int i = 0; i < 2; i++) ALIKE(i, "inner2_half");
    for (uint32_t logm = 4; logm < 9; logm += 4) {
        c->inner2_rows(c, o.plain[0], o.plain[1], AS_CONST(a.plain), logm, 12, 0, AS_CONST(k0.plain), AS_CONST(k1.plain), D, N, &m);
        e->inner2_rows(e, o.marked[0], o.marked[1], AS_CONST(a.marked), logm, 12, 0, AS_CONST(k0.marked), AS_CONST(k1.marked), D, N, &m);
        for (int i = 0; i < 2; i++) ALIKE(i, "inner2_rows");
    }
    arrays_free(&a), arrays_free(&k0), arrays_free(&k1), arrays_free(&o);
}

// nfrom primes near 2^bits to nto primes near 2^to_bits, of which the last has 20 bits.
static void conversion(uint32_t nfrom, double bits, uint32_t nto, double to_bits)
{
    uint64_t from[D], to[D];
    if (ck_primes_near(from, nfrom, exp2(bits), 16, NULL, 0) != nfrom || ck_primes_near(to, nto, exp2(to_bits), 16, from, nfrom) != nto) exit(2);
    if (nto > 1) to[nto - 1] = prime_near(0x1p20);
    struct ck_conv *t = ck_conv_new(from, nfrom, to, nto);
    if (!t) exit(2);
    struct arrays in = arrays_new(), out = arrays_new();
    enum { COLUMNS = CK_CONV_TILE + 8 };
    for (int f = 0; f < FILLS; f++) {
        exact_reset();
        for (uint32_t i = 0; i < nfrom; i++) {              // what is converted, y, is filled
            const struct ck_mod m = ck_mod_init(from[i]);
            const struct ck_shoup hat = ck_shoup_init(ck_invmod(t->hat_inv[i].w, &m), &m);
            fill(in.plain[i], in.marked[i], COLUMNS, from[i], (enum fill)f);
            for (size_t k = 0; k < COLUMNS; k++) {
                in.plain[i][k] = ck_mulshoup(in.plain[i][k], &hat, from[i]);
                in.marked[i][k] = exact_encode((struct lane){(int64_t)in.plain[i][k], 0, (int64_t)from[i] - 1});
            }
        }
        ck_conv_c(out.plain, AS_CONST(in.plain), COLUMNS, t);
        exact.conv(out.marked, AS_CONST(in.marked), COLUMNS, t);
        for (uint32_t j = 0; j < nto; j++)
            OUTCOME(same(out.marked[j], out.plain[j], COLUMNS, to[j]), "conv %u of %g bits to %lu fill %d", nfrom, bits, to[j], f);
    }
    // The bounds allow any matrix: the largest one, whose results mean nothing.
    exact_reset();
    for (uint32_t k = 0; k < nto * (nfrom + 1); k++) t->c52[k] = to[k / (nfrom + 1)] - 1;
    for (uint32_t i = 0; i < nfrom; i++) fill(in.plain[i], in.marked[i], COLUMNS, from[i], TOP);
    exact.conv(out.marked, AS_CONST(in.marked), COLUMNS, t);
    for (uint32_t j = 0; j < nto; j++)
        for (size_t k = 0; k < COLUMNS; k++) exact_check(exact_decode(out.marked[j][k]).hi < (int64_t)to[j], "results are reduced");
    OUTCOME(true, "conv %u of %g bits, largest matrix", nfrom, bits);
    arrays_free(&in), arrays_free(&out);
    ck_conv_free(t);
}

#ifdef NDEBUG
static void unreduced(void) { SKIP("tables check their operands in debug builds only"); }
#else
// A debug build's table stops at an operand that is not reduced.
static void unreduced(void)
{
    const struct ck_kernels *k = ck_kernels_select();
    const struct ck_mod m = ck_mod_init(prime_near(0x1p46));
    uint64_t a[8] = {0}, b[8] = {[5] = m.q};
    k->mul(a, a, a, 8, &m);
    const pid_t child = fork();
    if (!child) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        k->mul(a, a, b, 8, &m);
        _exit(0);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
#endif

int main(void)
{
    exact = ck_kernels_c;
    ck_kernels_init_exact(&exact);
    uint64_t p[16];
    uint32_t n = 0;
    edge(p + n, 33), n += 2;
    edge(p + n, 5), n += 2;
    p[n++] = prime_near(0x1p46);
    p[n++] = prime_near(0x1p48);
    p[n++] = prime_near(0x1p50);    // the largest there is
    p[n++] = prime_near(0x1p30);
    p[n++] = prime_near(0x1p20);
    for (uint32_t i = 0; i < n; i++) {
        transforms(p[i]);
        for (int f = 0; f < FILLS; f++) elementwise(p[i], (enum fill)f);
    }
    conversion(1, 50, 7, 50);
    conversion(11, 46, 22, 46.9);
    conversion(30, 46, 4, 46);
    conversion(64, 49.99, 5, 49.99);
    conversion(64, 49.99, 3, 30);
    conversion(20, 30, 2, 49.99);
    unreduced();
    return test_done();
}
