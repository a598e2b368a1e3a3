// SPDX-License-Identifier: Apache-2.0
// Residues of b bits in b-bit fields, least significant first: 46-bit primes take 46/64 of the bytes.
#include "store.h"
#include <string.h>

void ck_pack(uint64_t *out, const uint64_t *a, size_t n, uint32_t bits)
{
    uint64_t acc = 0;
    uint32_t fill = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= a[i] << fill;
        fill += bits;
        if (fill >= 64) {
            *out++ = acc;
            fill -= 64;
            acc = fill ? a[i] >> (bits - fill) : 0;
        }
    }
}

static inline uint64_t field(const uint64_t *packed, size_t bit, uint32_t bits)
{
    size_t w = bit / 64;
    uint32_t at = bit % 64;
    uint64_t v = packed[w] >> at;
    if (at + bits > 64) v |= packed[w + 1] << (64 - at);
    return v & (((uint64_t)1 << bits) - 1);
}

uint64_t ck_unpack(uint64_t *out, const uint64_t *packed, size_t n, uint32_t bits)
{
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    const unsigned char *bytes = (const unsigned char *)packed;
    uint64_t most = 0;
    size_t i = 0;
    // One unaligned load of 8 bytes holds any field of up to 57 bits; the last fields would read past the end.
    if (bits <= 57)
        for (; i + 8 < n && (i * bits) / 8 + 8 <= n * bits / 8; i++) {
            uint64_t v;
            memcpy(&v, bytes + i * bits / 8, 8);
            v = v >> (i * bits % 8) & mask;
            most = v > most ? v : most;
            out[i] = v;
        }
    for (; i < n; i++) {
        out[i] = field(packed, i * bits, bits);
        most = out[i] > most ? out[i] : most;
    }
    return most;
}
