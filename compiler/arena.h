// SPDX-License-Identifier: Apache-2.0
// Bump allocation: everything a compilation allocates lives in an arena and goes with it.
#ifndef TACET_ARENA_H
#define TACET_ARENA_H

#include <stddef.h>

struct arena;
struct arena *arena_new(void);                          // own; out of memory is a diagnosed exit(1)
void arena_free(struct arena *);
void arena_reset(struct arena *);                       // empties, keeps the blocks
void *arena_alloc(struct arena *, size_t bytes);        // zeroed, 64-byte aligned when >= 64 bytes, else 16
void arena_release(struct arena *, const void *);       // gives a large allocation back at once; anything else stays
void *arena_copy(struct arena *, const void *, size_t bytes);
char *arena_strdup(struct arena *, const char *);
char *arena_printf(struct arena *, const char *fmt, ...) __attribute__((format(printf, 2, 3), nonnull(2)));

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))
#endif
