// SPDX-License-Identifier: Apache-2.0
// Bit sets of diagonals. A moved row is the union with a shifted copy, 64 diagonals at a time.
#include "marks.h"

void marks_init(struct marks *m, struct arena *a, size_t blocks, uint32_t modulus)
{
    uint32_t words = (modulus + 63) / 64;
    *m = (struct marks){ARENA_ARRAY(a, uint64_t, blocks * words), modulus, words, 0};
}

static void add_bits(struct marks *m, uint64_t *word, uint64_t bits)
{
    m->count += __builtin_popcountll(bits & ~*word);
    *word |= bits;
}

void marks_add(struct marks *m, size_t block, uint32_t d)
{
    add_bits(m, &m->word[block * m->words + d / 64], UINT64_C(1) << d % 64);
}

bool marks_has(const struct marks *m, size_t block, uint32_t d)
{
    return m->word[block * m->words + d / 64] >> d % 64 & 1;
}

void marks_shape_init(struct marks_shape *s, struct arena *a, int64_t lo, int64_t hi)
{
    *s = (struct marks_shape){lo, hi - lo + 1, ARENA_ARRAY(a, uint64_t, (hi - lo) / 64 + 1)};
}

void marks_shape_add(struct marks_shape *s, int64_t slot)
{
    s->word[(slot - s->lo) / 64] |= UINT64_C(1) << (slot - s->lo) % 64;
}

/* Bits at..at+63 of a shape, those outside zero; at > -64. */
static uint64_t bits_at(const struct marks_shape *s, int64_t at)
{
    if (at < 0) return s->word[0] << -at;
    int64_t k = at / 64, last = (s->size - 1) / 64;
    if (k > last) return 0;
    uint64_t low = s->word[k] >> at % 64;
    return at % 64 && k < last ? low | s->word[k + 1] << (64 - at % 64) : low;
}

void marks_add_shape(struct marks *m, size_t first, const struct marks_shape *shape, int64_t by, uint32_t s)
{
    int64_t n = m->modulus, lo = shape->lo + by, hi = lo + shape->size - 1;
    for (int64_t b = lo / n; b <= hi / n; b++) {
        uint64_t *word = m->word + (first + (size_t)b) * m->words;
        int64_t from = lo > b * n ? lo - b * n : 0, to = hi < (b + 1) * n ? hi - b * n : n - 1;     // slots of this vector
        // Word w holds the diagonals of slots s + 64 w up to s + 64 w + 63, modulo n; only words that meet from..to matter.
        for (int64_t part = 0; part < 2; part++) {      // slots from s on, then those that wrapped around
            int64_t least = part ? 0 : s, most = part ? (int64_t)s - 1 : n - 1;
            int64_t x0 = from > least ? from : least, x1 = to < most ? to : most;
            if (x0 > x1) continue;
            int64_t d0 = x0 - s + part * n, d1 = x1 - s + part * n, slot = s - part * n - shape->lo - by + b * n;
            for (int64_t w = d0 / 64; w <= d1 / 64; w++) {
                uint64_t keep = ~UINT64_C(0);
                if (64 * w < d0) keep &= ~UINT64_C(0) << (d0 - 64 * w);
                if (64 * w + 63 > d1) keep &= ~UINT64_C(0) >> (64 * w + 63 - d1);
                add_bits(m, &word[w], bits_at(shape, 64 * w + slot) & keep);
            }
        }
    }
}
