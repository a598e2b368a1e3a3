// SPDX-License-Identifier: Apache-2.0
// The machine's own limits: throughput of the multiply-add instructions from registers (twelve independent chains), and of reading
// memory of one core's second-level cache and of DRAM.
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { CHAINS = 12, ROUNDS = 200000, REPEATS = 9 };

#if defined(__x86_64__)
#define TWELVE(op) op("0") op("1") op("2") op("3") op("4") op("5") op("6") op("7") op("8") op("9") op("10") op("11")
#define CLOBBERS                                                                                                       \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"
#define MADD52(r) "vpmadd52luq %%zmm14, %%zmm15, %%zmm" r "\n"
#define FMA512(r) "vfmadd231pd %%zmm14, %%zmm15, %%zmm" r "\n"
#define FMA256(r) "vfmadd231pd %%ymm14, %%ymm15, %%ymm" r "\n"

static void madd52(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) __asm__ volatile(TWELVE(MADD52)::: CLOBBERS);
    __asm__ volatile("vzeroupper" :::"memory");
}

static void fma512(void *arg)
{
    __asm__ volatile("vpxor %%xmm14, %%xmm14, %%xmm14\n vpxor %%xmm15, %%xmm15, %%xmm15" ::: CLOBBERS);
    for (int i = 0; i < ROUNDS; i++) __asm__ volatile(TWELVE(FMA512)::: CLOBBERS);
    __asm__ volatile("vzeroupper" :::"memory");
}

static void fma256(void *arg)
{
    __asm__ volatile("vpxor %%xmm14, %%xmm14, %%xmm14\n vpxor %%xmm15, %%xmm15, %%xmm15" ::: CLOBBERS);
    for (int i = 0; i < ROUNDS; i++) __asm__ volatile(TWELVE(FMA256)::: CLOBBERS);
    __asm__ volatile("vzeroupper" :::"memory");
}
#endif

static volatile uint64_t sink;

static void mul64(void *arg)
{
    uint64_t a[6] = {3, 5, 7, 9, 11, 13};
    for (int i = 0; i < 2 * ROUNDS; i++)
        for (int j = 0; j < 6; j++) a[j] = (uint64_t)(((unsigned __int128)a[j] * 0x9e3779b97f4a7c15u) >> 64) | 1;
    sink = a[0] + a[1] + a[2] + a[3] + a[4] + a[5];
}

struct area {
    const uint64_t *words;
    size_t count;
};

static void read_area(void *arg)
{
    const struct area *a = arg;
    uint64_t s[8] = {0};
    for (size_t i = 0; i < a->count; i += 8)
        for (int j = 0; j < 8; j++) s[j] += a->words[i + j];
    sink = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

static double rate(void (*f)(void *))
{
    return (double)CHAINS * ROUNDS / bench_median(f, NULL, REPEATS);
}

struct bench_limits bench_limits_measure(void)
{
    struct bench_limits m = {.mul64 = rate(mul64)};
#if defined(__x86_64__)
    if (ck_kernels_named("avx2")) m.fma256 = rate(fma256);
    if (ck_kernels_named("avx512")) m.fma512 = rate(fma512);
    if (ck_kernels_named("ifma")) m.madd52 = rate(madd52);
#endif
    struct area big = {aligned_alloc(64, (size_t)256 << 20), (size_t)32 << 20};
    if (!big.words) exit(1);
    memset((void *)big.words, 1, big.count * 8);
    m.dram = (double)big.count * 8 / bench_median(read_area, &big, 3);
    struct area small = {big.words, (size_t)64 << 10};
    m.l2 = (double)small.count * 8 / bench_median(read_area, &small, 31);
    free((void *)big.words);
    return m;
}
