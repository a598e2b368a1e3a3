// SPDX-License-Identifier: Apache-2.0
// Negacyclic transforms, portable: radix-2 butterflies with 64-bit Shoup products and Harvey's lazy ranges.
// The last stages of a block of 1024 words follow each other while it is in cache, as in the vector tables.
// source [Har14] "Faster arithmetic for number-theoretic transforms"
#include "ntt.h"
#include "mod.h"
#include <assert.h>

// Forward butterfly. In: x, y < 4q. Out: < 4q.
static inline void fwd(uint64_t *x, uint64_t *y, uint64_t w, uint64_t wq, uint64_t q)
{
    uint64_t u = ck_csub(*x, 2 * q), v = ck_shoup_lazy(*y, w, wq, q);
    *x = u + v;
    *y = u + 2 * q - v;
}

// Inverse butterfly. In and out: < 2q.
static inline void inv(uint64_t *x, uint64_t *y, uint64_t w, uint64_t wq, uint64_t q)
{
    uint64_t u = *x, v = *y;
    *x = ck_csub(u + v, 2 * q);
    *y = ck_shoup_lazy(u + 2 * q - v, w, wq, q);
}

static void transpose8(uint64_t *out, const uint64_t *in)
{
    for (int r = 0; r < 8; r++)
        for (int c = 0; c < 8; c++) out[8 * c + r] = in[8 * r + c];
}

// One stage on n words in m groups, whose twiddles are at w and wq.
static void fwd_stage(uint64_t *a, uint32_t n, uint32_t m, const uint64_t *w, const uint64_t *wq, uint64_t q)
{
    uint32_t h = n / (2 * m);
    for (uint32_t i = 0; i < m; i++)
        for (uint32_t j = 2 * i * h; j < (2 * i + 1) * h; j++) fwd(a + j, a + j + h, w[i], wq[i], q);
}

static void inv_stage(uint64_t *a, uint32_t n, uint32_t m, const uint64_t *w, const uint64_t *wq, uint64_t q)
{
    uint32_t h = n / (2 * m);
    for (uint32_t i = 0; i < m; i++)
        for (uint32_t j = 2 * i * h; j < (2 * i + 1) * h; j++) inv(a + j, a + j + h, w[i], wq[i], q);
}

// The last inverse stage, with the division by N: sums times 1/N, differences times w/N.
static void inv_last(uint64_t *a, const struct ck_ntt *t)
{
    const uint64_t q = t->mod.q;
    const size_t h = (size_t)1 << (t->logn - 1);
    for (size_t j = 0; j < h; j++) {
        uint64_t u = a[j], v = a[j + h];
        a[j] = ck_mulshoup(u + v, &t->ninv, q);
        a[j + h] = ck_mulshoup(u + 2 * q - v, &t->ninvw, q);
    }
}

// Butterflies between rows c and c+h of a transposed block, h = 4, 2, 1; twiddles k.. in rows of eight (ntt.h).
static void fwd_rows(uint64_t *b, uint32_t h, const uint64_t *w, const uint64_t *wq, uint64_t q)
{
    for (uint32_t c = 0; c < 8; c++) {
        if (c & h) continue;
        uint32_t k = c / (2 * h) * 8;
        for (uint32_t r = 0; r < 8; r++) fwd(b + 8 * c + r, b + 8 * (c + h) + r, w[k + r], wq[k + r], q);
    }
}

static void inv_rows(uint64_t *b, uint32_t h, const uint64_t *w, const uint64_t *wq, uint64_t q)
{
    for (uint32_t c = 0; c < 8; c++) {
        if (c & h) continue;
        uint32_t k = c / (2 * h) * 8;
        for (uint32_t r = 0; r < 8; r++) inv(b + 8 * c + r, b + 8 * (c + h) + r, w[k + r], wq[k + r], q);
    }
}

void ck_ntt_columns_c(uint64_t *a, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP64);
    for (uint32_t m = 1; m < ck_ntt_blocks(t->logn); m *= 2) fwd_stage(a, 1u << t->logn, m, t->w.u + m, t->wq.u + m, t->mod.q);
}

// The group of all of block b is number n/len + b among those of its size; a stage with m groups in the block starts at m times that.
void ck_ntt_block_c(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead)
{
    assert(t->form == CK_TW_SHOUP64);
    (void)ahead;
    const uint32_t blocks = ck_ntt_blocks(t->logn), len = (1u << t->logn) / blocks, group = blocks + b;
    const uint64_t q = t->mod.q, *w = t->w.u, *wq = t->wq.u;
    for (uint32_t m = 1; m < (len < CK_NTT_BLOCK ? len : len / 8); m *= 2) fwd_stage(a, len, m, w + m * group, wq + m * group, q);
    for (uint32_t k = 0; k < len / CK_NTT_BLOCK; k++, a += 64) {
        const uint32_t g = group * (len / 8) + 8 * k;
        uint64_t s[64];
        transpose8(s, a);
        fwd_rows(s, 4, w + g, wq + g, q);
        fwd_rows(s, 2, w + 2 * g, wq + 2 * g, q);
        fwd_rows(s, 1, w + 4 * g, wq + 4 * g, q);
        for (uint32_t i = 0; i < 64; i++) a[i] = ck_csub(ck_csub(s[i], 2 * q), q);
    }
    for (uint32_t i = 0; len < CK_NTT_BLOCK && i < len; i++) a[i] = ck_csub(ck_csub(a[i], 2 * q), q);
}

void ck_intt_block_c(uint64_t *a, uint32_t b, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP64);
    const uint32_t blocks = ck_ntt_blocks(t->logn), len = (1u << t->logn) / blocks, group = blocks + b;
    const uint64_t q = t->mod.q, *w = t->iw.u, *wq = t->iwq.u;
    for (uint32_t k = 0; k < len / CK_NTT_BLOCK; k++) {
        const uint32_t g = group * (len / 8) + 8 * k;
        uint64_t s[64];
        for (uint32_t i = 0; i < 64; i++) s[i] = a[64 * k + i];
        inv_rows(s, 1, w + 4 * g, wq + 4 * g, q);
        inv_rows(s, 2, w + 2 * g, wq + 2 * g, q);
        inv_rows(s, 4, w + g, wq + g, q);
        transpose8(a + 64 * k, s);
    }
    for (uint32_t m = len < CK_NTT_BLOCK ? len / 2 : len / 16; m > (blocks == 1); m /= 2)
        inv_stage(a, len, m, w + m * group, wq + m * group, q);
    if (blocks == 1) inv_last(a, t);
}

void ck_intt_columns_c(uint64_t *a, const struct ck_ntt *t)
{
    const uint32_t blocks = ck_ntt_blocks(t->logn);
    for (uint32_t m = blocks / 2; m > 1; m /= 2) inv_stage(a, 1u << t->logn, m, t->iw.u + m, t->iwq.u + m, t->mod.q);
    if (blocks > 1) inv_last(a, t);
}

void ck_ntt_c(uint64_t *a, const struct ck_ntt *t)
{
    ck_ntt_columns_c(a, t);
    const uint32_t blocks = ck_ntt_blocks(t->logn);
    const size_t len = ((size_t)1 << t->logn) / blocks;
    for (uint32_t b = 0; b < blocks; b++) ck_ntt_block_c(a + b * len, b, t, NULL);
}

void ck_intt_c(uint64_t *a, const struct ck_ntt *t)
{
    const uint32_t blocks = ck_ntt_blocks(t->logn);
    const size_t len = ((size_t)1 << t->logn) / blocks;
    for (uint32_t b = 0; b < blocks; b++) ck_intt_block_c(a + b * len, b, t);
    ck_intt_columns_c(a, t);
}
