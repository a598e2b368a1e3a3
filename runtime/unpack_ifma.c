// SPDX-License-Identifier: Apache-2.0
// Packed residues, eight at a time: eight fields of b bits are b bytes. A byte permutation brings the 8 bytes from the first one of each
// field on into its lane (b + 7 <= 64), a shift by the bits before it and a mask do the rest.
#include "kernels_ifma.h"
#include "vec_ifma.h"

uint64_t ck_unpack_ifma(uint64_t *out, const void *packed, size_t n, uint32_t bits)
{
    if (bits > 57) return ck_unpack_c(out, packed, n, bits);
    uint8_t index[64];
    uint64_t shift[8];
    for (uint32_t k = 0; k < 8; k++) {
        for (uint32_t b = 0; b < 8; b++) index[8 * k + b] = (uint8_t)(k * bits / 8 + b);
        shift[k] = k * bits % 8;
    }
    const vec to = _mm512_loadu_si512(index), by = load(shift), mask = splat(((uint64_t)1 << bits) - 1);
    const __mmask64 valid = ((uint64_t)1 << bits) - 1;
    const char *from = packed;
    vec most = zero();
    for (size_t i = 0; i < n; i += 8, from += bits) {
        vec v = _mm512_permutexvar_epi8(to, _mm512_maskz_loadu_epi8(valid, from));
        v = _mm512_and_si512(_mm512_srlv_epi64(v, by), mask);
        most = _mm512_max_epu64(most, v);
        store(out + i, v);
    }
    return _mm512_reduce_max_epu64(most);
}
