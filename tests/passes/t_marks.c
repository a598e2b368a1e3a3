// SPDX-License-Identifier: Apache-2.0
// Rows marked by their shape against rows marked slot by slot.
#include "../../passes/marks.h"
#include "../test.h"

static uint64_t seed = 3;

static int64_t next(int64_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(seed >> 33) % below;
}

static void check_round(struct arena *a)
{
    uint32_t n = 64u << next(4), blocks = 1 + (uint32_t)next(3), first = (uint32_t)next(3);
    int64_t slots = (int64_t)n * blocks, lo = next(slots), hi = lo + next(slots - lo), at[400];
    int count = 1 + (int)next(400);
    struct marks fast, slow;
    struct marks_shape shape;
    marks_init(&fast, a, first + blocks, n);
    marks_init(&slow, a, first + blocks, n);
    marks_shape_init(&shape, a, lo, hi);
    for (int k = 0; k < count; k++) {
        at[k] = lo + next(hi - lo + 1);
        marks_shape_add(&shape, at[k]);
    }
    for (int row = 0; row < 4; row++) {
        int64_t by = -lo + next(slots - hi + lo);
        uint32_t s = (uint32_t)next(n);
        marks_add_shape(&fast, first, &shape, by, s);
        for (int k = 0; k < count; k++) marks_add(&slow, first + (size_t)((at[k] + by) / n), ((uint32_t)(at[k] + by) - s) & (n - 1));
    }
    bool same = fast.count == slow.count;
    int64_t total = 0;
    for (uint32_t b = 0; b < first + blocks; b++)
        for (uint32_t d = 0; d < n; d++) {
            same &= marks_has(&fast, b, d) == marks_has(&slow, b, d);
            total += marks_has(&fast, b, d);
        }
    CHECK(same && total == fast.count);
}

int main(void)
{
    struct arena *a = arena_new();
    for (int round = 0; round < 3000; round++) {
        check_round(a);
        arena_reset(a);
    }
    arena_free(a);
    return test_done();
}
