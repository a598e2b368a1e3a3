// SPDX-License-Identifier: Apache-2.0
// Arenas: a list of blocks, bump allocation, zeroed memory.
#include "arena.h"
#include "diag.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 18, HEADER = 64 };

struct block {
    struct block *next;
    size_t size, used;      // bytes after the header
};

struct arena {
    struct block *first;    // the block in use
};

static void out_of_memory(size_t bytes)
{
    diag_error(NULL, "out of memory (asked for %zu bytes)", bytes);
    exit(1);
}

static struct block *block_new(size_t size)
{
    struct block *b = NULL;
    if (size > SIZE_MAX - HEADER - 64 || !(b = aligned_alloc(64, (HEADER + size + 63) / 64 * 64))) out_of_memory(size);
    *b = (struct block){.size = size};
    return b;
}

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a) out_of_memory(sizeof *a);
    return a;
}

void arena_reset(struct arena *a)
{
    struct block *keep = NULL;
    for (struct block *b = a->first, *next; b; b = next) {
        next = b->next;
        if (!keep && b->size == BLOCK)
            keep = b;
        else
            free(b);
    }
    if (keep) keep->next = NULL, keep->used = 0;
    a->first = keep;
}

void arena_free(struct arena *a)
{
    if (!a) return;
    arena_reset(a);
    free(a->first);
    free(a);
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    size_t align = bytes >= 64 ? 64 : 16;
    struct block *b = a->first;
    size_t at = b ? (b->used + align - 1) / align * align : 0;
    if (!b || at > b->size || bytes > b->size - at) {
        b = block_new(bytes > BLOCK / 4 ? bytes : BLOCK);
        at = 0;
        if (a->first && b->size != BLOCK) {     // a large block goes behind the one in use
            b->next = a->first->next;
            a->first->next = b;
        } else {
            b->next = a->first;
            a->first = b;
        }
    }
    b->used = at + bytes;
    char *p = (char *)b + HEADER + at;
    memset(p, 0, bytes);
    return p;
}

void arena_release(struct arena *a, const void *p)
{
    for (struct block **at = &a->first; *at; at = &(*at)->next) {
        struct block *b = *at;
        if ((const char *)b + HEADER != p || b->size == BLOCK) continue;
        *at = b->next;
        free(b);
        return;
    }
}

void *arena_copy(struct arena *a, const void *p, size_t bytes)
{
    void *q = arena_alloc(a, bytes);
    if (bytes) memcpy(q, p, bytes);
    return q;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_copy(a, s, strlen(s) + 1);
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    ICE_IF(n < 0, "bad format '%s'", fmt);
    char *s = arena_alloc(a, (size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}
