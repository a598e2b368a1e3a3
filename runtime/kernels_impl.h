// SPDX-License-Identifier: Apache-2.0
// Private to the kernel files: the structures behind the opaque types, the portable kernels that vector tables fall
// back on, and the hooks by which each instruction set overrides a table.
#ifndef CK_KERNELS_IMPL_H
#define CK_KERNELS_IMPL_H

#include "kernels.h"

enum { CK_CONV_MAX = 64, CK_CONV_TILE = 64 };

/* x = sum_i y_i (Q/q_i) - v Q, y_i = in_i (Q/q_i)^-1 mod q_i, v = floor(1/2 + sum_i y_i / q_i) as doubles summed in order of i.
 * So out_j = sum over rows i <= nfrom of y_i c[j][i] modulo p_j, with y_nfrom = v and c[j][nfrom] = -Q. */
struct ck_conv {
    uint32_t nfrom, nto;
    struct ck_mod *from, *to;       // own
    struct ck_shoup *hat_inv;       // own: (Q/q_i)^-1 mod q_i
    double *inv;                    // own: 1/q_i
    uint64_t *c;                    // own: nto x (nfrom+1), row major, reduced modulo p_j
    uint64_t *c52;                  // own: the same times 2^52 modulo p_j, for Montgomery reduction by 2^52
    double *parts;                  // own: c centred, as c1 2^split + c0, by threes c1, c0, c1 + c0, |c0| <= 2^(split-1)
    uint32_t split, fold;           // y is split likewise; so many products of parts sum up exactly, see dbl_tmpl.h
};

/* AES-128 counter mode from the crypto library (drbg.c): `blocks` blocks of keystream; iv is the first counter block, counted up as
 * a 128-bit big-endian number. False if the library failed. */
bool ck_aes_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], size_t blocks);

/* The expansion. Key: seed[0..15]. Counter blocks: seed[16..23], then the 32-bit big-endian number seed[24..27] xor index, then a
 * 32-bit big-endian block number; seed[28..31] is not used. Word k of a limb is the k-th little-endian 64-bit word of the
 * stream from block 0. It is rejected if it is >= floor(2^64/q) q; a rejected word k is replaced by the first accepted
 * one of blocks 2^31 + 16k .. 2^31 + 16k + 15 (32 tries; failure has probability below 2^-14*32), and reduced modulo q: exactly uniform. */
void ck_expand_block(uint8_t iv[16], const uint8_t seed[32], uint32_t index, uint32_t block);
uint64_t ck_expand_limit(uint64_t q);       // floor(2^64/q) q - 1: the largest accepted word
/* The replacement of word k from its 32 tries. */
uint64_t ck_expand_retry(const uint64_t tries[32], const struct ck_mod *);

void ck_conv_c(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *);
bool ck_expand_c(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *, const void *ahead);
uint64_t ck_unpack_c(uint64_t *out, const void *packed, size_t n, uint32_t bits);
bool ck_inner_key_steps(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const struct ck_key_row *, size_t at, size_t n);
void ck_inner2_half_steps(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                          const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *);
void ck_inner2_rows_steps(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, uint32_t logm, uint32_t logn, size_t at,
                          const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *);
void ck_spread_c(uint64_t *out, uint32_t logn, const uint64_t *in, uint32_t logm);

extern const struct ck_kernels ck_kernels_c;
enum { CK_TABLES = 4 };
/* The table number `level` as it is or, in debug builds, with entries that assert the ranges of kernels.h around its own. */
struct ck_kernels ck_kernels_checked(const struct ck_kernels *, int level);
/* Override the entries that the instruction set has. The caller has checked the CPU. */
/* The double-precision kernels of dbl_tmpl.h. */
void ck_kernels_init_dbl_avx2(struct ck_kernels *);
void ck_kernels_init_dbl_avx512(struct ck_kernels *);
void ck_kernels_init_avx2(struct ck_kernels *);
void ck_kernels_init_avx512(struct ck_kernels *);
void ck_kernels_init_ifma(struct ck_kernels *);
#endif
