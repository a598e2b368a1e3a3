// SPDX-License-Identifier: Apache-2.0
// Allocation: small blocks from libc, large ones from mmap at 2 MiB boundaries with transparent huge pages, which keeps the
// long strides of the transforms inside few TLB entries. The failure counter serves the fault-injection tests.
#define _GNU_SOURCE
#include "mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_PAGE = 1 << 21, LARGE = 1 << 22 };

static _Atomic uint64_t made, fail_at;

static size_t round_up(size_t x, size_t to)
{
    return (x + to - 1) / to * to;
}

static void *alloc_large(size_t bytes)
{
    // Map one huge page more than needed and give back what lies outside the aligned range.
    size_t want = round_up(bytes, HUGE_PAGE), total = want + HUGE_PAGE;
    if (total < bytes) return NULL;
    uint8_t *p = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    uint8_t *aligned = (uint8_t *)round_up((uintptr_t)p, HUGE_PAGE);
    size_t before = (size_t)(aligned - p), after = total - before - want;
    if (before) munmap(p, before);
    if (after) munmap(aligned + want, after);
    madvise(aligned, want, MADV_HUGEPAGE);      // advice only: small pages work as well
    return aligned;
}

void *ck_mem_alloc(size_t bytes)
{
    uint64_t count = atomic_fetch_add(&made, 1) + 1;
    if (count == atomic_load(&fail_at)) return NULL;
    if (bytes > SIZE_MAX / 2) return NULL;
    if (bytes >= LARGE) return alloc_large(bytes);
    size_t size = round_up(bytes ? bytes : 1, 64);
    void *p = aligned_alloc(64, size);
    if (p) memset(p, 0, size);
    return p;
}

void ck_mem_free(void *p, size_t bytes)
{
    if (!p) return;
    if (bytes >= LARGE) munmap(p, round_up(bytes, HUGE_PAGE));
    else free(p);
}

void ck_mem_wipe(void *p, size_t bytes)
{
    if (p) explicit_bzero(p, bytes);
}

uint64_t ck_mem_fail_at(uint64_t n)
{
    uint64_t before = atomic_exchange(&made, 0);
    atomic_store(&fail_at, n);
    return before;
}
