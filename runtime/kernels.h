// SPDX-License-Identifier: Apache-2.0
// The kernel table: every inner loop of the runtime, in several variants with equal results.
// Arrays are N words of 64 bits, 64-byte aligned; "reduced" means in [0,q). Inputs and results are reduced and
// bit-identical between variants; tables of debug builds assert the ranges (kernels_checked.c).
// Scalar (kernels_c.c, ntt_c.c, ...) is the definition of right.
#ifndef CK_KERNELS_H
#define CK_KERNELS_H

#include "params.h"
#include <stddef.h>

/* One prime, at most CK_PRIME_BITS_MAX bits, with what the kernels precompute for it (ck_mod_init). */
struct ck_mod {
    uint64_t q;
    uint64_t mu;            // floor(2^(63+bits) / q): 64-bit Barrett, see mod.h
    uint64_t v52;           // floor(2^52 / q)
    uint64_t r52, r52q;     // 2^52 mod q and its quotient floor(r52 2^52 / q)
    uint64_t npinv52;       // -1/q mod 2^52, for Montgomery reduction by 2^52
    uint32_t bits;          // 2^(bits-1) < q < 2^bits
};

/* A constant operand w with its quotients, for Shoup products. */
struct ck_shoup {
    uint64_t w;         // reduced
    uint64_t w64;       // floor(w 2^64 / q)
    uint64_t w52;       // floor(w 2^52 / q)
};

struct ck_ntt;          // twiddles of one prime and one size (ntt.c); sizes 2^1..2^16
struct ck_conv;         // base-conversion matrix from one set of primes to another (conv.c)

/* Transforms work on blocks of CK_NTT_TILE words in their last (the inverse: first) ten stages; smaller ones are one block. */
enum { CK_NTT_TILE_LOGN = 10, CK_NTT_TILE = 1 << CK_NTT_TILE_LOGN };
static inline uint32_t ck_ntt_blocks(uint32_t logn) { return logn > CK_NTT_TILE_LOGN ? 1u << (logn - CK_NTT_TILE_LOGN) : 1; }

/* The automorphism a(X) -> a(X^g) on values, N >= 2^10 (perm.c). Block b of 64 results comes from block from[b] >> 6, turned by s = from[b] & 63: row c
 * (of 8 words) of the result takes in lane r the word of lane turn[s].lane[r] and row row[c + up], where c + up counts in bit-reversed order
 * modulo 8 and bit i of up is bit r of turn[s].up[i]. */
struct ck_perm {
    uint16_t from[1 << (CK_LOGN_MAX - 6)];
    uint8_t row[8];
    struct ck_perm_turn {
        uint8_t lane[8], up[3];
    } turn[64];
};
void ck_perm_init(struct ck_perm *, uint32_t logn, uint32_t g);

/* One limb of a key switch's inner products: digits and key, whose b-part is packed to the bits of the prime and whose a-part is a stream. Both parts
 * are in Montgomery form, 2^52 times what they stand for. All pointers are to the start of limbs. */
struct ck_key_row {
    uint32_t d;                     // digits, at most CK_MAX_Q
    const uint64_t *x[CK_MAX_Q];    // digits
    const uint8_t *b[CK_MAX_Q];
    const uint8_t *ahead[CK_MAX_Q]; // what is read next, as many packed words as are worked on: brought towards the cache meanwhile; ahead[0] NULL: nothing
    const uint8_t *seed;            // of the a-parts ...
    uint32_t index[CK_MAX_Q];       // ... and their streams
    const uint64_t *raise;          // with `factor` added to the first sum; NULL: none
    const struct ck_shoup *factor;
    const struct ck_perm *perm;     // of the sums; NULL: none
    bool lazy;                      // the sums are for inner2 and its like alone and may be left unreduced ...
    bool add;                       // ... or are added to what is there
    const struct ck_mod *mod;
};

struct ck_kernels {
    const char *name;   // "c", "avx2", "avx512", "ifma"
    uint32_t twiddles;  // enum ck_twiddles: the form of the twiddles its transforms read (ntt.h)

    // Negacyclic transforms, in place. Coefficients are in natural order; values are in the order of ck_ntt_exponent().
    // The ck_ntt must have been made for this table. intt includes the division by N.
    void (*ntt)(uint64_t *a, const struct ck_ntt *);
    void (*intt)(uint64_t *a, const struct ck_ntt *);
    // Their two passes, so that callers work on a block while it is in cache. ntt is ntt_columns, then ntt_block of every block b <
    // ck_ntt_blocks(logn), in any order; intt is intt_block of every block, then intt_columns. a: the array, or the block.
    // What the array holds between the passes is the table's own affair. ahead: what is read next, as many words, is brought towards the cache
    // meanwhile; NULL: nothing.
    void (*ntt_columns)(uint64_t *a, const struct ck_ntt *);
    void (*ntt_block)(uint64_t *a, uint32_t b, const struct ck_ntt *, const uint64_t *ahead);
    void (*intt_block)(uint64_t *a, uint32_t b, const struct ck_ntt *);
    void (*intt_columns)(uint64_t *a, const struct ck_ntt *);
    // The transform, at size 2^logn, of b(X^(2^(logn-logm))) from that of b at size 2^logm <= 2^logn, same prime: a plaintext
    // of n slots is transformed at size 2n and then spread. out: 2^logn words, in: 2^logm words, no alias.
    void (*spread)(uint64_t *out, uint32_t logn, const uint64_t *in, uint32_t logm);

    // Elementwise modulo one prime, n words, n any multiple of 8 (any n in subrings); out may alias any input.
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
    // out0 = sum a[i] k0[i], out1 = sum a[i] k1[i], i < d <= 64, reduced once at the end. k0 and k1 may be lazy sums of inner_key of the same table (n a
    // multiple of 64). out0, out1 distinct; out0 may be a[0] and out1 may be a[1], no other alias with inputs. Offsets into limbs are
    // allowed (tiles): pass shifted pointers.
    void (*inner2)(uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                   const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *);
    // The same with a[i] spread from half the size: n/2 words each. n and the place in the limb multiples of 128; no alias. The table is passed as to inner_key.
    void (*inner2_half)(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                        const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *);
    // The same with a[i] spread from size 2^logm, an eighth of the limb's 2^logn or less: a[i] are all its values, k0 and k1 start at word `at` of the limb.
    // n and `at` multiples of 64; no alias.
    void (*inner2_rows)(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, uint32_t logm, uint32_t logn, size_t at,
                        const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *);
    // out = sum a[i] b[i], i < d <= 64, reduced once; no alias.
    void (*inner)(uint64_t *out, const uint64_t *const *a, const uint64_t *const *b, uint32_t d, size_t n,
                  const struct ck_mod *);
    // Product of two ciphertexts of degree 1, one limb: out = (a[0] b[0], a[0] b[1] + a[1] b[0], a[1] b[1]), one pass, each word reduced
    // once. a[0] == b[0] and a[1] == b[1] is a square, which reads less. Any out[i] may be any of the inputs.
    void (*tensor)(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], size_t n, const struct ck_mod *);
    // out: words [at, at + n) of the automorphism of the limb a, multiples of 64; no alias
    void (*permute)(uint64_t *out, const uint64_t *a, const struct ck_perm *, size_t at, size_t n);
    // signed small integers to residues: out = c 2^shift mod q, |c| < 2^31; any shift
    void (*from_i32)(uint64_t *out, const int32_t *c, uint32_t shift, size_t n, const struct ck_mod *);
    // centred lift of a residue modulo `from` to modulo `to` (rescale by one prime, ModRaise); out may be a
    void (*lift)(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from);

    // Base conversion: in[i] are limbs modulo the source primes in coefficient form, out[j] modulo the targets; n a multiple
    // of 8. The result is the centred representative x of the input, |x| <= Q/2 (1 + 2^-40), Q the product of the source
    // primes: the multiple of Q is found by a double-precision sum, same in every variant. No alias.
    void (*conv)(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *);

    // Uniform residues (exactly uniform, by rejection) from a seeded stream (AES-128-CTR): words [start, start+n) of limb
    // `index` of the stream of that seed; start and n multiples of 8, so a limb may be made tile by tile. index < 2^31.
    // True, or false if the crypto library failed (portable table only). ahead: what is read next, n residues packed to as many bits as q has,
    // is brought towards the cache meanwhile; NULL: nothing.
    bool (*expand)(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *, const void *ahead);
    // The inverse of ck_pack (store.h): n fields of `bits` bits, 1 <= bits <= 63, least significant first; n a multiple of 8. Returns the
    // largest. packed: n bits / 8 bytes at any address.
    uint64_t (*unpack)(uint64_t *out, const void *packed, size_t n, uint32_t bits);
    // out0, out1 = or += words [at, at + n), multiples of 64, of perm(2^-52 sum x b + raise factor) and perm(2^-52 sum x a). Without perm out0 may be
    // x[0] + at and out1 x[1] + at. The table is passed for variants composed of its other kernels. False as expand.
    bool (*inner_key)(const struct ck_kernels *, uint64_t *out0, uint64_t *out1, const struct ck_key_row *, size_t at, size_t n);
};

/* Picks the table: the best the CPU has, capped by CK_CPU=c|avx2|avx512|ifma. NULL for an unknown word. */
const struct ck_kernels *ck_kernels_select(void);
/* Table by name, NULL if the CPU lacks it or the name is unknown. */
const struct ck_kernels *ck_kernels_named(const char *name);

struct ck_mod ck_mod_init(uint64_t q);
struct ck_shoup ck_shoup_init(uint64_t w, const struct ck_mod *);

/* Twiddles for prime q (1 mod 2^(logn+1)), size 2^logn, 1 <= logn <= 16, in the form that the table reads: 32 N bytes, 18 N for IFMA.
 * NULL if out of memory or q is no such prime. Own: free with ck_ntt_free. ck_ntt_new is for the selected table. */
struct ck_ntt *ck_ntt_new(uint64_t q, uint32_t logn);
struct ck_ntt *ck_ntt_new_for(uint64_t q, uint32_t logn, const struct ck_kernels *);
void ck_ntt_free(struct ck_ntt *);
/* Position j of a transformed array holds a(zeta^e), zeta the primitive 2N-th root used, e = ck_ntt_exponent(logn, j), odd.
 * The same for every variant and prime. Roots of one prime agree between sizes: zeta_N^(N/M) = zeta_M. */
uint32_t ck_ntt_exponent(uint32_t logn, uint32_t j);
/* The position of number k in bit-reversed order: blocks of 64 are transposed. */
static inline size_t ck_ntt_place(uint32_t logn, size_t k) { return logn < 6 ? k : (k & ~(size_t)63) | (k & 7) << 3 | (k >> 3 & 7); }
/* The inverse of ck_ntt_exponent: the position that holds the value at zeta^e, e odd and taken mod 2N. */
uint32_t ck_ntt_position(uint32_t logn, uint32_t e);

/* Base-conversion matrix; at most 64 source primes. NULL if out of memory or too many. Own: free with ck_conv_free. */
struct ck_conv *ck_conv_new(const uint64_t *from, uint32_t nfrom, const uint64_t *to, uint32_t nto);
void ck_conv_free(struct ck_conv *);
#endif
