// SPDX-License-Identifier: Apache-2.0
// Negacyclic transforms, portable: radix-2 butterflies with 64-bit Shoup products and Harvey's lazy ranges.
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

// The stage with m groups on an array that is not blocked.
static void fwd_stage(uint64_t *a, uint32_t n, uint32_t m, const struct ck_ntt *t)
{
    uint64_t q = t->mod.q;
    uint32_t h = n / (2 * m);
    for (uint32_t i = 0; i < m; i++) {
        uint64_t w = t->w.u[m + i], wq = t->wq.u[m + i];
        uint64_t *x = a + 2 * i * h;
        for (uint32_t j = 0; j < h; j++) fwd(x + j, x + j + h, w, wq, q);
    }
}

static void inv_stage(uint64_t *a, uint32_t n, uint32_t m, const struct ck_ntt *t)
{
    uint64_t q = t->mod.q;
    uint32_t h = n / (2 * m);
    for (uint32_t i = 0; i < m; i++) {
        uint64_t w = t->iw.u[m + i], wq = t->iwq.u[m + i];
        uint64_t *x = a + 2 * i * h;
        for (uint32_t j = 0; j < h; j++) inv(x + j, x + j + h, w, wq, q);
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

void ck_ntt_c(uint64_t *a, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP64);
    uint32_t n = 1u << t->logn;
    uint64_t q = t->mod.q;
    if (n < CK_NTT_BLOCK) {
        for (uint32_t m = 1; m < n; m *= 2) fwd_stage(a, n, m, t);
    } else {
        for (uint32_t m = 1; m < n / 8; m *= 2) fwd_stage(a, n, m, t);
        const uint64_t *w = t->w.u, *wq = t->wq.u;
        for (uint32_t b = 0; b < n / 64; b++) {
            uint64_t s[64];
            transpose8(s, a + 64 * b);
            fwd_rows(s, 4, w + n / 8 + 8 * b, wq + n / 8 + 8 * b, q);
            fwd_rows(s, 2, w + n / 4 + 16 * b, wq + n / 4 + 16 * b, q);
            fwd_rows(s, 1, w + n / 2 + 32 * b, wq + n / 2 + 32 * b, q);
            for (uint32_t i = 0; i < 64; i++) a[64 * b + i] = s[i];
        }
    }
    for (uint32_t i = 0; i < n; i++) a[i] = ck_csub(ck_csub(a[i], 2 * q), q);
}

void ck_intt_c(uint64_t *a, const struct ck_ntt *t)
{
    assert(t->form == CK_TW_SHOUP64);
    uint32_t n = 1u << t->logn;
    uint64_t q = t->mod.q;
    uint32_t m = n / 2;
    if (n >= CK_NTT_BLOCK) {
        const uint64_t *w = t->iw.u, *wq = t->iwq.u;
        for (uint32_t b = 0; b < n / 64; b++) {
            uint64_t s[64];
            for (uint32_t i = 0; i < 64; i++) s[i] = a[64 * b + i];
            inv_rows(s, 1, w + n / 2 + 32 * b, wq + n / 2 + 32 * b, q);
            inv_rows(s, 2, w + n / 4 + 16 * b, wq + n / 4 + 16 * b, q);
            inv_rows(s, 4, w + n / 8 + 8 * b, wq + n / 8 + 8 * b, q);
            transpose8(a + 64 * b, s);
        }
        m = n / 16;
    }
    for (; m > 1; m /= 2) inv_stage(a, n, m, t);
    // last stage, with the division by N: sums times 1/N, differences times w/N
    for (uint32_t j = 0; j < n / 2; j++) {
        uint64_t u = a[j], v = a[j + n / 2];
        a[j] = ck_mulshoup(u + v, &t->ninv, q);
        a[j + n / 2] = ck_mulshoup(u + 2 * q - v, &t->ninvw, q);
    }
}
