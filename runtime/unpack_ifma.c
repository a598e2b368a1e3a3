// SPDX-License-Identifier: Apache-2.0
// The inverse of ck_pack by vectors of eight fields.
#include "kernels_ifma.h"
#include "fields_ifma.h"

uint64_t ck_unpack_ifma(uint64_t *out, const void *packed, size_t n, uint32_t bits)
{
    if (bits > FIELDS_BITS_MAX) return ck_unpack_c(out, packed, n, bits);
    const struct fields f = fields_of(bits);
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
