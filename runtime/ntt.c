// SPDX-License-Identifier: Apache-2.0
// Twiddle tables of the negacyclic transforms; the layout is described in ntt.h.
// The 2N-th root comes from one root of the full power-of-two order of q-1, so that the sizes of one prime agree.
#include "ntt.h"
#include "mod.h"
#include <stdlib.h>

static uint32_t bit_reverse(uint32_t x, uint32_t bits)
{
    uint32_t r = 0;
    for (uint32_t i = 0; i < bits; i++) r |= ((x >> i) & 1) << (bits - 1 - i);
    return r;
}

uint32_t ck_ntt_exponent(uint32_t logn, uint32_t j)
{
    return 2 * bit_reverse((uint32_t)ck_ntt_place(logn, j), logn) + 1;
}

uint32_t ck_ntt_position(uint32_t logn, uint32_t e)
{
    return (uint32_t)ck_ntt_place(logn, bit_reverse((e >> 1) & ((1u << logn) - 1), logn));
}

// Where the twiddle with tree index k = m + group is stored.
static uint32_t slot_of(uint32_t logn, uint32_t k)
{
    uint32_t n = 1u << logn;
    if (logn < 6 || k < n / 4) return k;
    if (k < n / 2) return (k & ~15u) | (k & 1) << 3 | ((k >> 1) & 7);
    return (k & ~31u) | (k & 3) << 3 | ((k >> 2) & 7);
}

// A root of unity of order exactly 2^(logn+1), from the first g that is no square.
static uint64_t root_of_unity(const struct ck_mod *m, uint32_t logn)
{
    uint32_t v = 0;
    while (!(((m->q - 1) >> v) & 1)) v++;
    if (v < logn + 1) return 0;
    for (uint64_t g = 2; g < 1000 && g < m->q; g++) {
        uint64_t x = ck_powmod(g, (m->q - 1) >> v, m);
        if (ck_powmod(x, 1ull << (v - 1), m) == m->q - 1) return ck_powmod(x, 1ull << (v - logn - 1), m);
    }
    return 0;
}

// Words of w and iw.
static uint32_t words_of(const struct ck_ntt *t)
{
    return t->form == CK_TW_SHOUP52 ? 1u << (t->logn - 3) : 1u << t->logn;
}

static void put(const struct ck_ntt *t, uint64_t *w, uint64_t *wq, uint32_t k, uint64_t x)
{
    uint64_t q = t->mod.q;
    switch ((enum ck_twiddles)t->form) {
    case CK_TW_SHOUP64:
        w[k] = x;
        wq[k] = (uint64_t)(((ck_u128)x << 64) / q);
        break;
    case CK_TW_SHOUP52:
        if (k < words_of(t)) w[k] = x;
        wq[k] = (uint64_t)(((ck_u128)x << 52) / q);
        break;
    case CK_TW_DOUBLE: {
        double c = x > q / 2 ? -(double)(q - x) : (double)x;
        ((double *)w)[k] = c;
        ((double *)wq)[k] = c / (double)q;
        break;
    }
    }
}

struct ck_ntt *ck_ntt_new_for(uint64_t q, uint32_t logn, const struct ck_kernels *k)
{
    if (logn < 1 || logn > CK_LOGN_MAX || q < 3 || q >> CK_PRIME_BITS_MAX) return NULL;
    struct ck_ntt *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->mod = ck_mod_init(q);
    t->logn = logn;
    t->form = logn < CK_NTT_FAST_LOGN ? (uint32_t)CK_TW_SHOUP64 : k->twiddles;
    uint64_t root = root_of_unity(&t->mod, logn);
    uint32_t n = 1u << logn;
    size_t bytes = n < 8 ? 64 : n * sizeof(uint64_t), some = n < 8 ? 64 : words_of(t) * sizeof(uint64_t);
    uint64_t *pow = malloc(n * sizeof *pow);
    t->w.u = aligned_alloc(64, some);
    t->wq.u = aligned_alloc(64, bytes);
    t->iw.u = aligned_alloc(64, some);
    t->iwq.u = aligned_alloc(64, bytes);
    if (!root || !pow || !t->w.u || !t->wq.u || !t->iw.u || !t->iwq.u) {
        free(pow);
        ck_ntt_free(t);
        return NULL;
    }
    pow[0] = 1;
    for (uint32_t i = 1; i < n; i++) pow[i] = ck_mulmod(pow[i - 1], root, &t->mod);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t e = bit_reverse(i, logn);              // psi^e; its inverse is -psi^(N-e)
        uint64_t inv = e ? q - pow[n - e] : 1;
        put(t, t->w.u, t->wq.u, slot_of(logn, i), pow[e]);
        put(t, t->iw.u, t->iwq.u, slot_of(logn, i), inv);
        if (i == 1) t->ninvw = ck_shoup_init(inv, &t->mod);
    }
    uint64_t ninv = ck_invmod(n % q, &t->mod);
    t->ninv = ck_shoup_init(ninv, &t->mod);
    t->ninvw = ck_shoup_init(ck_mulmod(ninv, t->ninvw.w, &t->mod), &t->mod);
    free(pow);
    return t;
}

struct ck_ntt *ck_ntt_new(uint64_t q, uint32_t logn)
{
    const struct ck_kernels *k = ck_kernels_select();
    return k ? ck_ntt_new_for(q, logn, k) : NULL;
}

void ck_ntt_free(struct ck_ntt *t)
{
    if (!t) return;
    free(t->w.u);
    free(t->wq.u);
    free(t->iw.u);
    free(t->iwq.u);
    free(t);
}
