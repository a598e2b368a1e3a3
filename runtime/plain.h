// SPDX-License-Identifier: Apache-2.0
// Plaintexts of the weights file, and those of bootstrapping, which are kept transformed.
#ifndef CK_PLAIN_H
#define CK_PLAIN_H

#include "internal.h"

/* A checked reference into the weights: one of c16, c32, c64 points at 2n coefficients (borrowed), value = coefficient
 * 2^shift; or eval at transforms of size 2^logm, one for each limb. */
struct ck_plain {
    const int16_t *c16;
    const int32_t *c32;
    const int64_t *c64;     // each below 2^59
    const uint64_t *eval;
    uint32_t shift;
    uint32_t logm;          // log2 of the size of its transform
};
/* limbs: those that a stored transform must have.
 * errors  CK_EMATCH without weights; CK_EFORMAT if the reference leaves the data, is unaligned or has another width */
enum ck_err ck_plain_open(struct ck_plain *out, const struct ck_context *, const struct ck_weights *, const struct ck_pt_ref *,
                          uint32_t limbs);
/* The transform, modulo one prime, of coefficients: 2^logm = 2n words. scratch: ck_plain_scratch. */
void ck_plain_values(uint64_t *out, const struct ck_plain *, const struct ck_context *, uint32_t prime, uint64_t *scratch);
/* Words [at, at + 2^logp) of the plaintext in evaluation form, at a multiple of 2^logp, from its transform of size 2^logm: spread into `room`
 * (2^logp words), or in `values` itself where 2^logm = N. 64 words or more of the transform, or all of it. */
const uint64_t *ck_plain_piece(uint64_t *room, const struct ck_context *, const uint64_t *values, uint32_t logm, size_t at, uint32_t logp);
/* The plaintext modulo one prime in evaluation form: N words inside scratch (ck_plain_scratch words, 64-byte
 * aligned). */
const uint64_t *ck_plain_limb(const struct ck_plain *, const struct ck_context *, uint32_t prime, uint64_t *scratch);
size_t ck_plain_scratch(const struct ck_context *);
#endif
