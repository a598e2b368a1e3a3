// SPDX-License-Identifier: Apache-2.0
// The AVX-512 IFMA kernels that have files of their own.
#ifndef CK_KERNELS_IFMA_H
#define CK_KERNELS_IFMA_H

#include "kernels_impl.h"

void ck_ntt_ifma(uint64_t *a, const struct ck_ntt *);
void ck_intt_ifma(uint64_t *a, const struct ck_ntt *);
void ck_ntt_columns_ifma(uint64_t *a, const struct ck_ntt *);
void ck_ntt_block_ifma(uint64_t *a, uint32_t b, const struct ck_ntt *, const uint64_t *ahead);
void ck_intt_block_ifma(uint64_t *a, uint32_t b, const struct ck_ntt *);
void ck_intt_columns_ifma(uint64_t *a, const struct ck_ntt *);
void ck_conv_ifma(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *);
bool ck_expand_ifma(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *, const void *ahead);
uint64_t ck_unpack_ifma(uint64_t *out, const void *packed, size_t n, uint32_t bits);
bool ck_inner_key_ifma(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const struct ck_key_row *, size_t at, size_t n);
#endif
