// SPDX-License-Identifier: Apache-2.0
// Packed residues, eight at a time: eight fields of b bits are b bytes. A byte permutation brings the 8 bytes from the first one of each
// field on into its lane (b + 7 <= 64), a shift by the bits before it and a mask do the rest.
#include "kernels_ifma.h"
#include "vec_ifma.h"

struct fields {
    vec to, by, mask;   // the permutation, the shifts, 2^bits - 1
};

INLINE vec fields8(vec bytes, const struct fields *f)
{
    return _mm512_and_si512(_mm512_srlv_epi64(_mm512_permutexvar_epi8(f->to, bytes), f->by), f->mask);
}

uint64_t ck_unpack_ifma(uint64_t *out, const void *packed, size_t n, uint32_t bits)
{
    if (bits > 57) return ck_unpack_c(out, packed, n, bits);
    const vec bit = _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), splat(bits));
    const struct fields f = {
        .to = add(_mm512_mullo_epi64(_mm512_srli_epi64(bit, 3), splat(0x0101010101010101)), splat(0x0706050403020100)),
        .by = _mm512_and_si512(bit, splat(7)), .mask = splat(((uint64_t)1 << bits) - 1),
    };
    const char *from = packed;
    vec most = zero();
    size_t i = 0;
    // four at a time while 64 bytes may be read from the last of them
    for (; i + 32 <= n && (n - i) / 8 * bits >= 3 * bits + 64; i += 32, from += 4 * bits) {
        const vec v0 = fields8(_mm512_loadu_si512(from), &f), v1 = fields8(_mm512_loadu_si512(from + bits), &f);
        const vec v2 = fields8(_mm512_loadu_si512(from + 2 * bits), &f), v3 = fields8(_mm512_loadu_si512(from + 3 * bits), &f);
        store(out + i, v0);
        store(out + i + 8, v1);
        store(out + i + 16, v2);
        store(out + i + 24, v3);
        most = _mm512_max_epu64(most, _mm512_max_epu64(_mm512_max_epu64(v0, v1), _mm512_max_epu64(v2, v3)));
    }
    for (; i < n; i += 8, from += bits) {
        const vec v = fields8(_mm512_maskz_loadu_epi8(((uint64_t)1 << bits) - 1, from), &f);
        store(out + i, v);
        most = _mm512_max_epu64(most, v);
    }
    return _mm512_reduce_max_epu64(most);
}
