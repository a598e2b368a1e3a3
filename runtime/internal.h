// SPDX-License-Identifier: Apache-2.0
// What the files of the runtime share and callers do not see: contexts, keys, gadgets, scratch, and the scheme's
// building blocks in terms of Galois elements and polynomials in RNS form.
//
// Words: "prime index" i counts q_0..q_{nq-1}, then p_0..p_{np-1}. A polynomial in Q at level l is ell = l+1 consecutive limbs of
// N words; one in QP has K further limbs modulo the first K special primes. All in evaluation form unless said
// otherwise. A Galois element g is odd and below 2N; X -> X^g rotates slots by k for g = 5^k and conjugates for g =
// 2N-1.
#ifndef CK_INTERNAL_H
#define CK_INTERNAL_H

#include "ck.h"
#include "kernels.h"
#include "mem.h"

#include <stdbool.h>

enum { CK_SEED_BYTES = 32, CK_MAX_PRIMES = CK_MAX_Q + CK_MAX_P, CK_MAX_GADGETS = CK_MAX_CLASSES + 2 };

struct ck_context {
    struct ck_params par;
    const struct ck_kernels *k;
    int threads;
    uint32_t logn, nprimes;
    size_t n;                                   // N
    struct ck_mod mod[CK_MAX_PRIMES];
    struct ck_ntt *ntt[CK_MAX_PRIMES];          // size N
    struct ck_ntt *ntt_sub[CK_MAX_PRIMES];      // size 2n of the subring; NULL where 2n = N
    struct ck_shoup *inv;                       // nq x nq: inv[l*nq+i] = q_l^-1 mod q_i, i < l
    double *root;                               // 4n complex: exp(2 pi i k / 4n), n the slots
    uint32_t *power5;                           // n: 5^k mod 4n
};

/* The prime index of limb j of a polynomial with ell limbs in Q followed by limbs in P. */
static inline uint32_t ck_limb_prime(const struct ck_context *ctx, uint32_t ell, uint32_t j)
{
    return j < ell ? j : ctx->par.nq + (j - ell);
}
/* The transform of size 2n (the subring of the slots) of a prime. */
static inline const struct ck_ntt *ck_sub_ntt(const struct ck_context *ctx, uint32_t prime)
{
    return ctx->ntt_sub[prime] ? ctx->ntt_sub[prime] : ctx->ntt[prime];
}
static inline uint64_t *ck_ct_poly(const struct ck_ct *ct, uint32_t i)
{
    return ct->data + (size_t)i * (ct->max_level + 1) * ((size_t)1 << ct->logn);
}
/* Two scales are equal when they differ by less than 2^-40 relative. */
bool ck_scale_equal(double a, double b);

/* k modulo n, in [0, n). */
int32_t ck_rotation(const struct ck_context *, int32_t k);
/* Galois element of a rotation by k slots (any k; taken modulo n), of the conjugation, and of an inverse. */
uint32_t ck_galois_rotation(const struct ck_context *, int32_t k);
uint32_t ck_galois_conjugate(const struct ck_context *);
uint32_t ck_galois_inverse(const struct ck_context *, uint32_t g);

/* ---- randomness (drbg.c, sample.c) ---- */

struct ck_drbg;     // a deterministic generator: AES-256 in counter mode
/* seed = NULL: seeded by the operating system. Own: ck_drbg_free wipes it. CK_ENOMEM, CK_ERANDOM. */
enum ck_err ck_drbg_new(struct ck_drbg **out, const uint8_t seed[CK_SEED_BYTES]);
void ck_drbg_free(struct ck_drbg *);
enum ck_err ck_drbg_bytes(struct ck_drbg *, void *out, size_t bytes);

/* count coefficients each: uniform in {-1,0,1}; exactly h of them +-1, the rest 0; discrete Gaussian of sigma 3.19. */
enum ck_err ck_sample_ternary(struct ck_drbg *, int32_t *out, size_t count);
enum ck_err ck_sample_sparse(struct ck_drbg *, int32_t *out, size_t count, uint32_t h);
enum ck_err ck_sample_gauss(struct ck_drbg *, int32_t *out, size_t count);

/* ---- secret keys (secret.c) ---- */

struct ck_secret {
    const struct ck_context *ctx;   // borrowed
    int32_t *coeff;                 // own: N coefficients in {-1,0,1}
    uint64_t *ntt;                  // own: nprimes limbs
};
/* From N coefficients in {-1,0,1}, copied: the file reader, sparse secrets, tests. CK_ENOMEM, CK_ERANGE. */
enum ck_err ck_secret_from(struct ck_secret **out, const struct ck_context *, const int32_t *coeff);
/* A fresh sparse secret of Hamming weight h, for bootstrapping only. */
enum ck_err ck_secret_new_sparse(struct ck_secret **out, const struct ck_context *, uint32_t h);

/* ---- encoding (encode.c) ---- */

/* 2n real coefficients of the subring polynomial whose n slots hold the complex values (re, im pairs), times scale,
 * unrounded. coeff: 2n doubles, out. values: n pairs. error below 2^-45 of the largest |value| times scale. */
void ck_embed(double *coeff, const struct ck_context *, const double *values, double scale);
/* The inverse: n complex values (re, im pairs) from 2n coefficients; coeff is destroyed. */
void ck_unembed(double *values, const struct ck_context *, double *coeff, double scale);
/* Rounds 2n real coefficients and writes the limbs of prime indices prime[0..count) in evaluation form, N words each.
 * tmp: 2n words. CK_ERANGE if a coefficient is not finite or beyond 2^900. */
enum ck_err ck_encode_coeff(uint64_t *out, const struct ck_context *, const double *coeff, const uint32_t *prime,
                            uint32_t count, uint64_t *tmp);
/* round(c) modulo a prime, for any finite c. */
uint64_t ck_residue(double c, const struct ck_mod *);
/* Centred coefficients of a polynomial of `limbs` limbs in coefficient form, as doubles: every stride-th of N. */
void ck_compose(double *out, const struct ck_context *, const uint64_t *poly, uint32_t limbs, size_t stride);

/* ---- encryption (encrypt.c) ---- */

/* As ck_encrypt for n complex values (re, im pairs); seed (out) regenerates the second polynomial. */
enum ck_err ck_encrypt_complex(struct ck_ct *out, uint8_t seed[CK_SEED_BYTES], const struct ck_context *,
                               const struct ck_secret *, const double *values, uint32_t level, double scale);
enum ck_err ck_decrypt_complex(double *values, const struct ck_context *, const struct ck_secret *,
                               const struct ck_ct *);
/* The second polynomial of a fresh ciphertext from its seed: what the file reader calls after reading the first.
 * CK_ERANDOM. */
enum ck_err ck_ct_expand(struct ck_ct *ct, const struct ck_context *, const uint8_t seed[CK_SEED_BYTES]);
/* The decrypted polynomial (phase) in coefficient form, level+1 limbs, out; for decoding and noise tests. */
enum ck_err ck_phase(uint64_t *out, const struct ck_context *, const struct ck_secret *, const struct ck_ct *);

/* ---- evaluation keys (evk.c, gadget.c) ---- */

/* How a key cuts a polynomial into digits: alpha limbs each, K = np special primes. Tables for all levels up to
 * max_level. */
struct ck_gadget {
    uint32_t alpha, np, max_level, max_digits;
    struct ck_conv **up;            // [level*max_digits + digit]: digit -> the other limbs of QP, in limb order
    struct ck_conv **down;          // [level]: P -> q_0..q_level
    struct ck_conv **down_rescale;  // [level]: q_level and P -> q_0..q_{level-1}; NULL at level 0
    struct ck_shoup p[CK_MAX_Q];    // P mod q_i
    struct ck_shoup pinv[CK_MAX_Q]; // P^-1 mod q_i
    struct ck_shoup *pqinv;         // [level*(max_level+1) + i]: (P q_level)^-1 mod q_i, i < level
};
enum ck_err ck_gadget_init(struct ck_gadget *out, const struct ck_context *, uint32_t alpha, uint32_t np,
                           uint32_t max_level);
void ck_gadget_clear(struct ck_gadget *);
static inline uint32_t ck_gadget_digits(const struct ck_gadget *g, uint32_t ell)
{
    return (ell + g->alpha - 1) / g->alpha;
}

/* One key: for digit i the pair (b_i, a_i) with b_i + a_i s' = P D_i s + e_i, where D_i is 1 modulo the primes of
 * digit i and 0 modulo the other q. For a Galois key s' = s(X^(1/g)), so that the automorphism comes after the inner
 * product and digits are shared by all rotations. Only b and the seed of a are kept. Limb order q_0..q_level,
 * p_0..p_{np-1}. */
struct ck_key {
    uint32_t galois;                // or another id; 0: relinearisation, s = s'^2
    uint32_t level;
    uint32_t gadget;                // index into ck_evk.gadget
    uint8_t seed[CK_SEED_BYTES];
    uint8_t *b;                     // own unless ck_evk.borrowed: digits x (level+1+np) limbs of N residues, packed to the bits of their primes
    size_t *row;                    // own: level+2+np byte offsets of the limbs of a digit; the last is its size
    const struct ck_perm *perm;     // borrowed from ck_evk.perm, NULL without automorphism
};
struct ck_evk {
    const struct ck_context *ctx;   // borrowed
    uint32_t ngadget, nkey, nperm, room;    // room: entries of the arrays below
    bool borrowed;                  // the keys' b-parts lie in a file (ck_evk_load)
    struct ck_gadget gadget[CK_MAX_GADGETS];
    struct ck_key *key;             // own, sorted by (galois, level)
    uint32_t *perm_galois;          // own: nperm Galois elements
    struct ck_perm *perm;           // own: theirs
};
/* Key ids of bootstrapping: CK_KEY_SPARSE is the switch to the ephemeral sparse secret, at level 0 and one special prime only (a key under
 * the sparse secret at a larger modulus is insecure: CK_ESECURE). CK_KEY_SPARSE + g is the switch back from it together with the automorphism
 * X -> X^g, for polynomials with coefficients below q_0: one digit of all limbs and one special prime. */
enum { CK_KEY_SPARSE = 1 << 24, CK_SPARSE_WEIGHT = 32 };
/* The Galois element of a key id, 1: no automorphism; 0: relinearisation and CK_KEY_SPARSE. */
static inline uint32_t ck_key_automorphism(uint32_t id) { return id % CK_KEY_SPARSE; }
static inline bool ck_key_from_sparse(uint32_t id) { return id > CK_KEY_SPARSE; }
static inline bool ck_key_known(const struct ck_context *ctx, uint32_t id)
{
    const uint32_t galois = ck_key_automorphism(id);
    return id < 2 * CK_KEY_SPARSE && (!galois || (galois % 2 && galois < 2 * ctx->n));
}
/* The gadget of a key: as ck_params_gadget, or the fixed ones of the sparse secret's keys. */
static inline void ck_key_gadget(const struct ck_params *par, uint32_t id, uint32_t limbs, uint32_t *alpha, uint32_t *np)
{
    ck_params_gadget(par, limbs, alpha, np);
    if (id < CK_KEY_SPARSE) return;
    *alpha = ck_key_from_sparse(id) ? CK_MAX_Q : 1;
    *np = 1;
}

/* A key wanted: Galois element (0: relinearisation, or an id above) and highest level. */
struct ck_galois_spec {
    uint32_t galois, level;
};
/* Keys with all tables but no content: b is zero or, borrowed, NULL until the file reader sets it, with the seed, in every key. Equal
 * specs merge. CK_ENOMEM, CK_ELEVEL. */
enum ck_err ck_evk_alloc(struct ck_evk **out, const struct ck_context *, const struct ck_galois_spec *, size_t count, bool borrowed);
/* Allocates and generates. */
enum ck_err ck_evk_new_galois(struct ck_evk **out, const struct ck_context *, const struct ck_secret *,
                              const struct ck_galois_spec *, size_t count);
/* Index in the seeded stream of the a-part of digit i modulo a prime. */
static inline uint32_t ck_key_stream(uint32_t digit, uint32_t prime)
{
    return digit * CK_MAX_PRIMES + prime;
}
/* Bytes of b. */
size_t ck_key_bytes(const struct ck_evk *, const struct ck_key *);
/* Limb `row` of digit i, packed. */
static inline uint8_t *ck_key_limb(const struct ck_gadget *g, const struct ck_key *key, uint32_t i, uint32_t row)
{
    return key->b + i * key->row[key->level + 1 + g->np] + key->row[row];
}
/* Fills one key: it switches from the secret whose evaluation form is `from` (limbs q_0..q_level) to the one with
 * form `to` (prime-indexed limbs). */
enum ck_err ck_key_fill(struct ck_evk *, struct ck_key *, const uint64_t *from, const uint64_t *to);
/* Specs of the public kind into Galois elements, for ck_evk_alloc. CK_ERANGE. */
enum ck_err ck_key_spec_galois(struct ck_galois_spec *out, const struct ck_context *, const struct ck_key_spec *);
/* The key of lowest level that serves at `level`; NULL if there is none. */
const struct ck_key *ck_evk_find(const struct ck_evk *, uint32_t galois, uint32_t level);

/* ---- weights (runtime/file*.c opens and closes them) ---- */

struct ck_weights {
    const uint8_t *data;    // borrowed from the mapping; ck_pt_ref.offset counts from here
    size_t size;            // bytes of data
    void *map;              // own: the whole file
    size_t map_size;        // bytes
};

/* ---- scratch and evaluator (eval.c) ---- */

/* A stack of words. Operations take what their _scratch function announces and give it back at their end. */
struct ck_scratch {
    uint64_t *base;         // own
    size_t used, size;      // words
};
/* `words` words, 64-byte aligned; the caller has reserved them. */
uint64_t *ck_scratch_take(struct ck_scratch *, size_t words);

struct ck_eval {
    const struct ck_context *ctx;
    const struct ck_evk *evk;
    const struct ck_weights *weights;
    const struct ck_boot *boot;
    const struct ck_route *route;   // borrowed, by (rotation, level)
    size_t nroute;
    struct ck_scratch scratch;
    size_t baby_bytes;      // ck_linear works on all inputs and outputs at once up to this many bytes of digits and sums
    enum ck_err (*step)(void *arg, size_t step);
    void *step_arg;
};
/* Makes room for `words` more words. Contents taken so far stay; no memory moves while any is taken. CK_ENOMEM. */
enum ck_err ck_scratch_reserve(struct ck_eval *, size_t words);

/* The last step of a rotation by k (in (0, n)) at `level`: its key, and the rotation in [0, n) that comes before it (out; 0: none). A
 * route goes before a key that has no lower level. NULL if there is neither, or the step has no key. */
const struct ck_key *ck_eval_turn(const struct ck_eval *, int32_t k, uint32_t level, int32_t *before);

/* Words of scratch of ck_linear at `level`, reserved on the way. Errors as ck_linear_reserve. */
enum ck_err ck_linear_words(struct ck_eval *, const struct ck_lin *, uint32_t level, size_t *words);

/* ck_poly_eval, then `squares` times z <- 2 z^2 + the next row of degree+1 coefficients. A row costs a term for each coefficient, and a product
 * more for each T_k that the series itself does not need. c: squares + 1 rows. With squares out is not in, the degree is 1 to 64 and the last coefficient
 * of the first row is not 0.
 * level   l -> l - ck_poly_depth(degree) - squares, scale exactly out_scale
 * errors  as ck_poly_eval; CK_ERANGE for other rows */
enum ck_err ck_poly_squares(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_poly *, uint32_t squares);
/* Words of scratch of that on a ciphertext of level `level`. */
enum ck_err ck_poly_words(struct ck_eval *, uint32_t level, const struct ck_poly *, uint32_t squares, size_t *words);

/* ---- key switching (keyswitch.c) ---- */

/* Words of scratch of any of the functions below at level `level`, and of the digits of one polynomial. */
size_t ck_keyswitch_scratch(const struct ck_context *, const struct ck_gadget *, uint32_t level);
size_t ck_digits_words(const struct ck_context *, const struct ck_gadget *, uint32_t level);
/* ModUp: digit i of a (level+1 limbs), extended to QP, at digits + i (level+1+K) N; but a digit's own limbs, which are a's, are not copied. */
void ck_modup(uint64_t *digits, const struct ck_context *, const struct ck_gadget *, const uint64_t *a, uint32_t level,
              struct ck_scratch *);
/* Limb j of digit i of a, ell limbs. */
const uint64_t *ck_digit_limb(const struct ck_context *, const struct ck_gadget *, const uint64_t *digits, const uint64_t *a, uint32_t ell, uint32_t i,
                              uint32_t j);
/* The limbs of a result that are left in coefficient form, since a ModDown follows: none, the special ones, or q_level and
 * the special ones. */
enum ck_tail { CK_TAIL_EVAL, CK_TAIL_P, CK_TAIL_PQ };
/* What ck_inner does besides: out = perm(inner product + P raise). */
struct ck_inner_opt {
    const uint64_t *raise;          // NULL: none; a polynomial in Q, for the first sum
    const struct ck_perm *perm;     // NULL: none
    enum ck_tail tail;              // CK_TAIL_EVAL, or CK_TAIL_P without perm
};
/* out (2 polynomials in QP) = inner product of the digits of a and key; expands the a-parts on the fly. CK_ERANDOM. */
enum ck_err ck_inner(uint64_t *out, const struct ck_context *, const struct ck_gadget *, const struct ck_key *,
                     const uint64_t *digits, const uint64_t *a, const struct ck_inner_opt *, uint32_t level);
/* The key's part of limb j of inner products of polynomials with ell limbs in Q: all but x and, if wanted, raise, perm, ahead and lazy, which are
 * none. */
void ck_key_row_init(struct ck_key_row *, const struct ck_context *, const struct ck_gadget *, const struct ck_key *, uint32_t ell, uint32_t j);
/* Where `tile` words at `at` of a limb come from, an aligned power of two of 64 or more: automorphisms map such blocks to such blocks. NULL: themselves. */
static inline size_t ck_tile_from(const struct ck_perm *perm, size_t at, size_t tile)
{
    return perm ? perm->from[at / 64] & ~(tile - 1) : at;
}
/* What is read next: words from `at` on of that limb of the key `next`. */
void ck_key_row_ahead(struct ck_key_row *, const struct ck_context *, const struct ck_gadget *, const struct ck_key *next, uint32_t ell, uint32_t j,
                      size_t at);
/* A sum to be relinearised or rescaled: times (1 or 2) the sum of products x y, plus multiples of ciphertexts, plus a constant. All operands have
 * degree 1 and lie at the level of the sum or above; factors and constant are rounded to integers, and the caller keeps the scales. */
enum { CK_SUM_PRODUCTS = 12, CK_SUM_TERMS = 80 };
struct ck_sum {
    uint32_t nproduct, nterm, times;
    struct ck_product {
        const struct ck_ct *x, *y;
    } product[CK_SUM_PRODUCTS];
    struct ck_term {
        const struct ck_ct *ct;
        double factor;
    } term[CK_SUM_TERMS];
    double constant;
};
/* What ck_switch switches: the polynomial a (in Q), with `raise` multiplied by P and added to the first sum; or, a NULL, a sum with at least one
 * product, whose three parts are formed on the way. */
struct ck_switch {
    const uint64_t *a;
    const uint64_t *raise[2];       // NULL: none
    const struct ck_sum *sum;
    enum ck_tail tail;
    uint64_t *into;                 // NULL: the sums are left in acc; else (no sum, no raise[1], no tail) they are added to these two polynomials in QP ...
    const struct ck_perm *perm;     // ... after an automorphism
    const uint64_t *plus;           // a polynomial in QP for the first sum, NULL: none; not with raise[0]
};
/* ck_modup and ck_inner in one pass over the primes. CK_ERANDOM. */
enum ck_err ck_switch(uint64_t *acc, const struct ck_context *, const struct ck_gadget *, const struct ck_key *,
                      const struct ck_switch *, uint32_t level, struct ck_scratch *);

/* What ModDown does besides dividing: out = perm(acc / P). */
struct ck_moddown_opt {
    const struct ck_perm *perm;     // NULL: none
    bool rescale;                   // divide by q_level as well; level -> level-1
    bool coeff;                     // the limbs to be divided away are in coefficient form already
};
/* ModDown of `count` (1 or 2) polynomials in QP at acc + i*acc_stride words to out + i*out_stride words; acc is
 * destroyed. noise: (1+||s||_1)/2 per coefficient of the resulting ciphertext. out does not
 * overlap acc. */
void ck_moddown(uint64_t *out, size_t out_stride, const struct ck_context *, const struct ck_gadget *, uint64_t *acc,
                size_t acc_stride, uint32_t count, uint32_t level, const struct ck_moddown_opt *, struct ck_scratch *);
/* acc += P a on the limbs of Q (a: level+1 limbs). */
void ck_raise_add(uint64_t *acc, const struct ck_context *, const struct ck_gadget *, const uint64_t *a,
                  uint32_t level);

/* Automorphism by the key's Galois element of a degree-1 ciphertext. Errors as ck_rotate. */
enum ck_err ck_galois_apply(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, uint32_t galois);
/* Relinearisation, with one rescale merged into its ModDown if `rescale`. out may be a. */
enum ck_err ck_relin_opt(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, bool rescale);

/* Checks and sets the shape of a result: room for level and degree, same ring. CK_ESHAPE. */
enum ck_err ck_ct_shape(struct ck_ct *out, const struct ck_context *, uint32_t level, uint32_t degree);
/* A ciphertext whose memory is scratch: 64-byte aligned, ck_ct_view_words(...) words. */
size_t ck_ct_view_words(const struct ck_context *, uint32_t max_level, uint32_t max_degree);
struct ck_ct ck_ct_view(const struct ck_context *, uint64_t *words, uint32_t max_level, uint32_t max_degree);
/* Words of scratch of a rescale of that degree. */
size_t ck_rescale_scratch(const struct ck_context *, uint32_t degree);
/* out = the sum, which has no products, divided by q_level: level -> level-1. out may be one of its terms. CK_ENOMEM. */
enum ck_err ck_sum_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_sum *, uint32_t level, double scale);
/* The same for any sum: relinearised and rescaled in one where it has products. `scale` is that of the sum. CK_EKEY. */
enum ck_err ck_sum_reduce(struct ck_eval *, struct ck_ct *out, const struct ck_sum *, uint32_t level, double scale);
/* c modulo a prime with its quotients: the factor of a term. */
struct ck_shoup ck_residue_shoup(double c, const struct ck_mod *);
#endif
