// SPDX-License-Identifier: Apache-2.0
// Packed residues, eight at a time: eight fields of b bits are b bytes. A byte permutation brings the 8 bytes from the first one of each
// field on into its lane (b + 7 <= 64), another picks bytes from the bit on where the field starts (a shift, but for the port that has less to do), a mask
// does the rest.
#ifndef CK_FIELDS_IFMA_H
#define CK_FIELDS_IFMA_H

#include "vec_ifma.h"

enum { FIELDS_BITS_MAX = 57 };

struct fields {
    vec to, from, mask; // the permutation, the bit that each byte starts at, 2^bits - 1
};

INLINE struct fields fields_of(uint32_t bits)
{
    const vec bit = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), splat(bits));
    return (struct fields){
        .to = add(_mm512_mullo_epi64(_mm512_srli_epi64(bit, 3), splat(0x0101010101010101)), splat(0x0706050403020100)),
        .from = add(_mm512_mullo_epi64(_mm512_and_si512(bit, splat(7)), splat(0x0101010101010101)), splat(0x3830282018100800)),
        .mask = splat(((uint64_t)1 << bits) - 1),
    };
}

INLINE vec fields8(vec bytes, const struct fields *f)
{
    return _mm512_and_si512(_mm512_multishift_epi64_epi8(f->from, _mm512_permutexvar_epi8(f->to, bytes)), f->mask);
}
#endif
