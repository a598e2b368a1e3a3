// SPDX-License-Identifier: Apache-2.0
// The kernel table: every inner loop of the runtime, in several variants with equal results.
// Arrays are N words of 64 bits, 64-byte aligned; "reduced" means in [0,q). All results are reduced and
// bit-identical between variants. Scalar (kernels_c.c, ntt_c.c, ...) is the definition of right.
#ifndef CK_KERNELS_H
#define CK_KERNELS_H

#include "params.h"
#include <stddef.h>

/* One prime with what the kernels precompute for it. */
struct ck_mod {
    uint64_t q;
    uint64_t barrett_hi, barrett_lo;    // floor(2^128 / q)
    uint32_t bits;
};

/* A constant operand w with its quotients, for Shoup products. */
struct ck_shoup {
    uint64_t w;         // reduced
    uint64_t w64;       // floor(w 2^64 / q)
    uint64_t w52;       // floor(w 2^52 / q), valid where q < 2^50
};

struct ck_ntt;          // twiddles of one prime and one size (ntt.c); sizes 2^1..2^16
struct ck_conv;         // base-conversion matrix from one set of primes to another (conv.c)

struct ck_kernels {
    const char *name;   // "c", "avx2", "avx512", "ifma"

    // Negacyclic transforms, in place. Coefficients are in natural order; values are in the order of ck_ntt_exponent().
    void (*ntt)(uint64_t *a, const struct ck_ntt *);
    void (*intt)(uint64_t *a, const struct ck_ntt *);

    // Elementwise modulo one prime, n words; out may alias any input. All reduced.
    void (*add)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *);
    void (*sub)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *);
    void (*neg)(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *);
    void (*mul)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *);
    void (*muladd)(uint64_t *acc, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *); // acc += a b
    void (*mulc)(uint64_t *out, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *);
    void (*muladdc)(uint64_t *acc, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *);
    void (*addc)(uint64_t *out, const uint64_t *a, uint64_t c, size_t n, const struct ck_mod *);
    // out = (a - b) c : the tail of rescale and ModDown
    void (*submulc)(uint64_t *out, const uint64_t *a, const uint64_t *b, const struct ck_shoup *c, size_t n,
                    const struct ck_mod *);
    // inner products with accumulators: acc0 += a k0, acc1 += a k1 (key switching: one read of a)
    void (*muladd2)(uint64_t *acc0, uint64_t *acc1, const uint64_t *a, const uint64_t *k0, const uint64_t *k1, size_t n,
                    const struct ck_mod *);
    // out[i] = a[perm[i]] : automorphism in evaluation order
    void (*permute)(uint64_t *out, const uint64_t *a, const uint32_t *perm, size_t n);
    // signed small integers to residues: out = c 2^shift mod q, |c| < 2^31
    void (*from_i32)(uint64_t *out, const int32_t *c, uint32_t shift, size_t n, const struct ck_mod *);
    // centred lift of a residue modulo `from` to modulo `to` (rescale by one prime, ModRaise)
    void (*lift)(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from);

    // Base conversion, exact up to a multiple of the source product ("fast", without the overflow correction) after the
    // centred correction by floating point: in[i] are limbs modulo the source primes in coefficient form, out[j] modulo the
    // targets. Blocked matrix product.
    void (*conv)(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *);

    // Uniform residues from a seeded stream (AES-CTR, key-schedule held by the caller): limb `index` of the a-part.
    void (*expand)(uint64_t *out, const uint8_t seed[32], uint64_t index, size_t n, const struct ck_mod *);
};

/* Picks the table: the best the CPU has, capped by CK_CPU=c|avx2|avx512|ifma. NULL for an unknown word. */
const struct ck_kernels *ck_kernels_select(void);
/* Table by name, NULL if the CPU lacks it or the name is unknown. */
const struct ck_kernels *ck_kernels_named(const char *name);

struct ck_mod ck_mod_init(uint64_t q);
struct ck_shoup ck_shoup_init(uint64_t w, const struct ck_mod *);

/* Twiddles for prime q, size 2^logn; NULL if out of memory. Own: free with ck_ntt_free. */
struct ck_ntt *ck_ntt_new(uint64_t q, uint32_t logn);
void ck_ntt_free(struct ck_ntt *);
/* Position j of a transformed array holds a(zeta^e), zeta the primitive 2N-th root used, e = ck_ntt_exponent(logn, j), odd.
 * The same for every variant and prime. */
uint32_t ck_ntt_exponent(uint32_t logn, uint32_t j);

struct ck_conv *ck_conv_new(const uint64_t *from, uint32_t nfrom, const uint64_t *to, uint32_t nto);
void ck_conv_free(struct ck_conv *);
#endif
