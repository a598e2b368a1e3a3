// SPDX-License-Identifier: Apache-2.0
// What the expansions with AES instructions share (expand_avx2.c).
#ifndef CK_EXPAND_AES_H
#define CK_EXPAND_AES_H

#include "kernels_impl.h"
#include <emmintrin.h>

/* The 11 round keys of AES-128. */
void ck_aes_schedule(__m128i round[11], const uint8_t key[16]);
bool ck_expand_aesni(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *,
                     const void *ahead);
#endif
