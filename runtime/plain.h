// SPDX-License-Identifier: Apache-2.0
// Plaintexts of the weights file.
#ifndef CK_PLAIN_H
#define CK_PLAIN_H

#include "internal.h"

/* A checked reference into the weights: one of c16, c32, c64 points at 2n coefficients (borrowed), value = coefficient
 * 2^shift. */
struct ck_plain {
    const int16_t *c16;
    const int32_t *c32;
    const int64_t *c64;     // each below 2^59
    uint32_t shift;
};
/* CK_EMATCH without weights; CK_EFORMAT if the reference leaves the data, is unaligned or has another width. */
enum ck_err ck_plain_open(struct ck_plain *out, const struct ck_context *, const struct ck_weights *,
                          const struct ck_pt_ref *);
/* The plaintext modulo one prime in evaluation form: N words inside scratch (ck_plain_scratch words, 64-byte
 * aligned). */
const uint64_t *ck_plain_limb(const struct ck_plain *, const struct ck_context *, uint32_t prime, uint64_t *scratch);
size_t ck_plain_scratch(const struct ck_context *);
#endif
