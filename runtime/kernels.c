// SPDX-License-Identifier: Apache-2.0
// Choice of the kernel table: the portable one, overridden climbing AVX2, AVX-512, AVX-512 IFMA as far as the CPU goes.
#include "kernels_impl.h"
#include "mod.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#ifdef CK_X86
#include <cpuid.h>
#endif

static const char *const names[] = {"c", "avx2", "avx512", "ifma"};
enum { C, AVX2, AVX512, IFMA, COUNT = CK_TABLES };

#ifdef CK_X86    // set by the build where the vector files are compiled
// clang 14's __builtin_cpu_supports does not know "vaes": leaf 7, ECX bit 9.
static bool has_vaes(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 9 & 1);
}

static bool cpu_has(int level)
{
    __builtin_cpu_init();
    switch (level) {
    case C: return true;
    case AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("aes");
    case AVX512: return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    case IFMA: return __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi") && has_vaes();
    }
    return false;
}

static void climb(struct ck_kernels *k, int level)
{
    if (level == AVX2) ck_kernels_init_avx2(k);
    if (level == AVX512) ck_kernels_init_avx512(k);
    if (level == IFMA) ck_kernels_init_ifma(k);
}
#else
static bool cpu_has(int level) { return level == C; }
static void climb(struct ck_kernels *k, int level) { (void)k, (void)level; }
#endif

// The table of the highest level up to `cap` that the CPU has. Built afresh into static storage: always the same bytes.
static const struct ck_kernels *table(int cap)
{
    static struct ck_kernels tables[COUNT];
    static int done[COUNT];
    int top = C;
    while (top < cap && cpu_has(top + 1)) top++;
    if (!__atomic_load_n(&done[top], __ATOMIC_ACQUIRE)) {
        struct ck_kernels k = ck_kernels_c;
        for (int i = C + 1; i <= top; i++) climb(&k, i);
        k.name = names[top];
        tables[top] = ck_kernels_checked(&k, top);
        __atomic_store_n(&done[top], 1, __ATOMIC_RELEASE);
    }
    return &tables[top];
}

static int level_named(const char *name)
{
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

const struct ck_kernels *ck_kernels_select(void)
{
    const char *cap = getenv("CK_CPU");
    int level = cap && *cap ? level_named(cap) : COUNT - 1;
    return level < 0 ? NULL : table(level);
}

const struct ck_kernels *ck_kernels_named(const char *name)
{
    int level = level_named(name);
    if (level < 0) return NULL;
    const struct ck_kernels *k = table(level);
    return strcmp(k->name, name) ? NULL : k;
}

// The inverse of odd q modulo 2^64 by Newton's iteration: each step doubles the correct bits, from 3.
static uint64_t inverse64(uint64_t q)
{
    uint64_t x = q;
    for (int i = 0; i < 5; i++) x *= 2 - q * x;
    return x;
}

struct ck_mod ck_mod_init(uint64_t q)
{
    assert(q > 2 && (q & 1) && q >> CK_PRIME_BITS_MAX == 0);
    struct ck_mod m = {.q = q, .bits = 64 - (uint32_t)__builtin_clzll(q)};
    m.mu = (uint64_t)(((ck_u128)1 << (63 + m.bits)) / q);
    m.v52 = (1ull << 52) / q;
    m.r52 = (1ull << 52) % q;
    m.r52q = (uint64_t)(((ck_u128)m.r52 << 52) / q);
    m.npinv52 = -inverse64(q) & ((1ull << 52) - 1);
    return m;
}

struct ck_shoup ck_shoup_init(uint64_t w, const struct ck_mod *m)
{
    assert(w < m->q);
    uint64_t w64 = (uint64_t)(((ck_u128)w << 64) / m->q);
    return (struct ck_shoup){.w = w, .w64 = w64, .w52 = w64 >> 12};
}
