// SPDX-License-Identifier: Apache-2.0
// Equal plaintexts are common (repeated diagonals of convolutions, masks): a hash table of what was written finds them, and the bytes
// in the file decide.
#include "store.h"

#include <stdlib.h>
#include <string.h>

struct piece {
    uint64_t hash, offset, len;
    struct piece *next;
};

enum { BUCKETS = 1 << 14 };
struct store {
    struct arena *arena;
    FILE *f;
    long start;
    uint64_t bytes;
    struct piece *bucket[BUCKETS];
    char *copy;                         // what is read back, of `room` bytes
    size_t room;
};

struct store *store_new(struct arena *a, FILE *f)
{
    struct store *s = ARENA_NEW(a, struct store);
    s->arena = a;
    s->f = f;
    s->start = ftell(f);
    return s;
}

static uint64_t hash(const unsigned char *p, size_t len)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ len;
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; len; p++, len--) h = (h ^ *p) * 0xff51afd7ed558ccdu;
    return h ^ h >> 29;
}

static int equals(struct store *s, const struct piece *p, const void *bytes)
{
    if (s->room < p->len) s->copy = arena_alloc(s->arena, s->room = p->len);
    long end = ftell(s->f);
    int same = !fseek(s->f, s->start + (long)p->offset, SEEK_SET) && fread(s->copy, 1, p->len, s->f) == p->len &&
               !memcmp(s->copy, bytes, p->len);
    fseek(s->f, end, SEEK_SET);
    return same;
}

int64_t store_add(struct store *s, const void *bytes, size_t len)
{
    static const char zeros[STORE_ALIGN];
    uint64_t h = hash(bytes, len);
    struct piece **b = &s->bucket[h % BUCKETS];
    for (struct piece *p = *b; p; p = p->next)
        if (p->hash == h && p->len == len && equals(s, p, bytes)) return (int64_t)p->offset;
    size_t pad = (size_t)(-(int64_t)s->bytes & (STORE_ALIGN - 1));
    if (fwrite(zeros, 1, pad, s->f) != pad || fwrite(bytes, 1, len, s->f) != len) return -1;
    struct piece *p = ARENA_NEW(s->arena, struct piece);
    *p = (struct piece){h, s->bytes + pad, len, *b};
    *b = p;
    s->bytes += pad + len;
    return (int64_t)p->offset;
}

uint64_t store_bytes(const struct store *s)
{
    return s->bytes;
}
