// SPDX-License-Identifier: Apache-2.0
// Arithmetic modulo one prime q < 2^50 on 64-bit words: the scalar primitives that every portable loop shares.
#ifndef CK_MOD_H
#define CK_MOD_H

#include "kernels.h"

typedef unsigned __int128 ck_u128;

static inline uint64_t ck_mulhi(uint64_t a, uint64_t b) { return (uint64_t)(((ck_u128)a * b) >> 64); }

/* x - q if that is not negative, else x: for x < 2q. Branchless. */
static inline uint64_t ck_csub(uint64_t x, uint64_t q) { return x >= q ? x - q : x; }

static inline uint64_t ck_addmod(uint64_t a, uint64_t b, uint64_t q) { return ck_csub(a + b, q); }
static inline uint64_t ck_submod(uint64_t a, uint64_t b, uint64_t q) { return a >= b ? a - b : a + q - b; }

/* x mod q for x < 2^(63+bits). With x1 = floor(x / 2^(bits-1)) < 2^64 and mu = floor(2^(63+bits) / q), the estimate
 * floor(x1 mu / 2^64) is at most x/q and short of it by less than 2^(bits-1)/q + x1/2^64 + 1 < 3; so r < 3q. */
static inline uint64_t ck_reduce128(ck_u128 x, const struct ck_mod *m)
{
    uint64_t h = ck_mulhi((uint64_t)(x >> (m->bits - 1)), m->mu);
    uint64_t r = (uint64_t)x - h * m->q;
    return ck_csub(ck_csub(r, m->q), m->q);
}

static inline uint64_t ck_mulmod(uint64_t a, uint64_t b, const struct ck_mod *m) { return ck_reduce128((ck_u128)a * b, m); }

/* a w - floor(a w64 / 2^64) q, in [0,2q), for any 64-bit a. */
static inline uint64_t ck_shoup_lazy(uint64_t a, uint64_t w, uint64_t w64, uint64_t q) { return a * w - ck_mulhi(a, w64) * q; }

static inline uint64_t ck_mulshoup(uint64_t a, const struct ck_shoup *c, uint64_t q)
{
    return ck_csub(ck_shoup_lazy(a, c->w, c->w64, q), q);
}

static inline uint64_t ck_powmod(uint64_t a, uint64_t e, const struct ck_mod *m)
{
    uint64_t r = 1 % m->q;
    for (; e; e >>= 1, a = ck_mulmod(a, a, m))
        if (e & 1) r = ck_mulmod(r, a, m);
    return r;
}

/* Inverse of a nonzero residue: q is prime. */
static inline uint64_t ck_invmod(uint64_t a, const struct ck_mod *m) { return ck_powmod(a, m->q - 2, m); }
#endif
