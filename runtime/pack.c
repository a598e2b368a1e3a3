// SPDX-License-Identifier: Apache-2.0
// Residues of b bits in b-bit fields, least significant first: 46-bit primes take 46/64 of the bytes.
#include "kernels_impl.h"
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

static uint64_t field(const unsigned char *bytes, size_t bit, uint32_t bits)
{
    uint64_t v = 0;
    uint32_t have = 0;
    for (size_t at = bit / 8; have < bits + bit % 8 && have < 64; at++, have += 8) v |= (uint64_t)bytes[at] << have;
    v >>= bit % 8;
    if (bits + bit % 8 > 64) v |= (uint64_t)bytes[bit / 8 + 8] << (64 - bit % 8);
    return v & (((uint64_t)1 << bits) - 1);
}

// One unaligned load of 8 bytes holds any field of up to 57 bits; the last fields would read past the end.
uint64_t ck_unpack_c(uint64_t *out, const void *packed, size_t n, uint32_t bits)
{
    const uint64_t mask = ((uint64_t)1 << bits) - 1;
    const unsigned char *bytes = packed;
    uint64_t most = 0;
    size_t i = 0;
    for (; bits <= 57 && i < n && i * bits / 8 + 8 <= n * bits / 8; i++) {
        uint64_t v;
        memcpy(&v, bytes + i * bits / 8, 8);
        out[i] = v >> (i * bits % 8) & mask;
        most = out[i] > most ? out[i] : most;
    }
    for (; i < n; i++) {
        out[i] = field(bytes, i * bits, bits);
        most = out[i] > most ? out[i] : most;
    }
    return most;
}
