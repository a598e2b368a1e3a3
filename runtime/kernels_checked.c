// SPDX-License-Identifier: Apache-2.0
// Debug builds' kernel tables: entries that assert that operands and results are in the ranges that kernels.h states, around the real ones.
// A table's entries do not know their table, so each table has entries of its own.
#include "kernels_impl.h"
#include "ntt.h"
#include <assert.h>

#ifndef NDEBUG

static struct ck_kernels real[CK_TABLES];
enum { LAZY = 4 };      // lazy sums of inner_key are below 4q

// No early end: a pass over a limb costs less than a kernel does. Sanitisers would make it several times as long.
__attribute__((no_sanitize("address", "undefined"))) static bool below(const uint64_t *a, size_t n, uint64_t end)
{
    uint64_t beyond = 0;
    for (size_t i = 0; i < n; i++) beyond |= a[i] >= end;
    return !beyond;
}

static bool all_below(const uint64_t *const *a, uint32_t d, size_t n, uint64_t end)
{
    for (uint32_t i = 0; i < d; i++)
        if (!below(a[i], n, end)) return false;
    return true;
}

static size_t size_of(const struct ck_ntt *t) { return (size_t)1 << t->logn; }
static size_t block_of(const struct ck_ntt *t) { return size_of(t) / ck_ntt_blocks(t->logn); }

#define LEVEL 0
#include "kernels_checked_tmpl.h"
#define LEVEL 1
#include "kernels_checked_tmpl.h"
#define LEVEL 2
#include "kernels_checked_tmpl.h"
#define LEVEL 3
#include "kernels_checked_tmpl.h"

struct ck_kernels ck_kernels_checked(const struct ck_kernels *k, int level)
{
    struct ck_kernels (*const made[])(const struct ck_kernels *) = {checked_0, checked_1, checked_2, checked_3};
    _Static_assert(sizeof made / sizeof *made == CK_TABLES, "one a table");
    return made[level](k);
}
#else
struct ck_kernels ck_kernels_checked(const struct ck_kernels *k, int level)
{
    (void)level;
    return *k;
}
#endif
