// SPDX-License-Identifier: Apache-2.0
// Automorphisms X -> X^g on values. A block of 64 positions holds the exponents 2 (B + k N/64) + 1, k = 0..63 in the order of ck_ntt_exponent: B
// is the bit reversal of the block's number, and position 8c + r has k = 8 rev(c) + rev(r), with rev on three bits. g maps that block to one
// block, and k to g k + s modulo 64 with an s of the block.
#include "kernels.h"

static uint32_t reverse(uint32_t x, uint32_t bits)
{
    uint32_t y = 0;
    for (uint32_t i = 0; i < bits; i++) y |= (x >> i & 1) << (bits - 1 - i);
    return y;
}

void ck_perm_init(struct ck_perm *perm, uint32_t logn, uint32_t g)
{
    const uint32_t log_blocks = logn - 6, blocks = 1u << log_blocks, mask = (2u << logn) - 1;
    for (uint32_t b = 0; b < blocks; b++) {
        const uint32_t half = ((2 * reverse(b, log_blocks) + 1) * g & mask) / 2;
        perm->from[b] = (uint16_t)(reverse(half & (blocks - 1), log_blocks) << 6 | half >> log_blocks);
    }
    for (uint32_t c = 0; c < 8; c++) perm->row[c] = (uint8_t)reverse(g * reverse(c, 3) & 7, 3);
    for (uint32_t s = 0; s < 64; s++) {
        struct ck_perm_turn *t = &perm->turn[s];
        *t = (struct ck_perm_turn){0};
        for (uint32_t r = 0; r < 8; r++) {
            const uint32_t k = g * reverse(r, 3) + s, up = g * (k >> 3);      // g is its own inverse modulo 8
            t->lane[r] = (uint8_t)reverse(k & 7, 3);
            for (uint32_t i = 0; i < 3; i++) t->up[i] |= (uint8_t)((up >> i & 1) << r);
        }
    }
}
