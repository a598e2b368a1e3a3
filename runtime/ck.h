// SPDX-License-Identifier: Apache-2.0
// tacet runtime: RNS-CKKS on the CPU. The one header that generated programs include.
//
// Words: N ring degree; n slots of a vector (n <= N/2, a shorter vector repeats); level l has l+1 limbs; scale is the
// factor between a real slot value and its encoded integer. Contexts and keys are immutable and may be shared by threads.
#ifndef CK_H
#define CK_H

#include "params.h"
#include <stddef.h>
#include <stdint.h>

enum ck_err {
#define E(name, value, text) CK_##name = value,
#include "ck_errors.def"
#undef E
};
const char *ck_err_text(enum ck_err);

#define CK_TRY(e)                                                                                                      \
    do {                                                                                                               \
        enum ck_err ck_try_ = (e);                                                                                     \
        if (ck_try_ != CK_OK) return ck_try_;                                                                          \
    } while (0)

struct ck_context;      // parameters, primes, transforms, kernel table
struct ck_secret;       // secret key: client only
struct ck_evk;          // evaluation keys: relinearisation and rotations, each cut to its level
struct ck_weights;      // a mapped weights file
struct ck_route;

/* Checks the parameters and makes the tables of every prime: at most 32 N bytes a prime (another 32*2n if n < N/2).
 * own     out, free with ck_context_free after everything made from it; NULL may be freed
 * threads number of threads that operations use, >= 1; results do not depend on it
 * errors  CK_ESECURE below 128-bit security unless the parameters are marked insecure (security = 0: tests only);
 *         CK_EPARAM for other faults (ck_params_check says which) or an unknown word in CK_CPU; CK_ERANGE if threads
 *         < 1; CK_ENOMEM */
enum ck_err ck_context_new(struct ck_context **out, const struct ck_params *, int threads);
void ck_context_free(struct ck_context *);
/* The parameters, borrowed. */
const struct ck_params *ck_context_params(const struct ck_context *);

/* A ciphertext: degree+1 polynomials of level+1 limbs, evaluation form. Memory is sized once for max_level and
 * max_degree. */
struct ck_ct {
    uint64_t *data;         // own; polynomial i, limb j at data + (i*(max_level+1) + j)*N
    uint32_t level, degree, max_level, max_degree;
    uint32_t logn;
    double scale;
};
/* Zeroed memory of (max_degree+1)(max_level+1) limbs of 8N bytes. Own: ck_ct_clear, which may be called again or on
 * zeros.
 * errors  CK_ELEVEL if max_level >= nq; CK_EDEGREE if max_degree is not 1 or 2; CK_ENOMEM */
enum ck_err ck_ct_init(struct ck_ct *out, const struct ck_context *, uint32_t max_level, uint32_t max_degree);
void ck_ct_clear(struct ck_ct *);

/* Keys. A rotation by k moves slot s+k to slot s (left rotation), k in (-n, n). */
struct ck_key_spec {
    int32_t rotation;       // 0: relinearisation
    uint32_t level;         // highest level at which it is used
};
/* A uniform ternary secret from the operating system's generator. Own: ck_secret_free wipes it; NULL may be freed.
 * memory  (nq + np) limbs of 8N bytes
 * errors  CK_ERANDOM, CK_ENOMEM */
enum ck_err ck_secret_new(struct ck_secret **out, const struct ck_context *);
void ck_secret_free(struct ck_secret *);
/* Keys for the listed rotations; equal entries merge, and a rotation may be listed at several levels: every use
 * takes the lowest that serves. The gadget follows from the level (ck_params_gadget).
 * memory  d (level+1+K) limbs of 8N bytes a key, d digits, K special primes: the halves that a seed expands are not
 *         kept
 * errors  CK_ELEVEL if a level is not below nq; CK_ERANGE if a rotation is outside (-n, n); CK_ERANDOM, CK_ENOMEM */
enum ck_err ck_evk_new(struct ck_evk **out, const struct ck_context *, const struct ck_secret *,
                       const struct ck_key_spec *, size_t count);
void ck_evk_free(struct ck_evk *);
/* Bytes of memory: keys and the permutations of their rotations. */
size_t ck_evk_bytes(const struct ck_evk *);

/* Real vectors of n = 2^log_slots values <-> ciphertexts (symmetric).
 * shape   values: n doubles; out has room for level
 * noise   fresh: sigma 3.19 a coefficient, and the rounding of the encoding (1/2 a coefficient)
 * errors  CK_ELEVEL if level >= nq; CK_ESCALE unless 1 <= scale < 2^200; CK_ERANGE for values that are not finite or
 *         too large; CK_ESHAPE if out has no room; CK_ERANDOM, CK_ENOMEM
 * A decrypted value carries the noise, and the noise depends on the secret: publish decrypted values to nobody who
 * also sees the ciphertexts, unless they are rounded or noise is added [LM21]. */
enum ck_err ck_encrypt(struct ck_ct *out, const struct ck_context *, const struct ck_secret *, const double *values,
                       uint32_t level, double scale);
/* The same, and the seed (32 bytes, out) from which the second polynomial can be expanded again. */
enum ck_err ck_encrypt_seeded(struct ck_ct *out, uint8_t seed[32], const struct ck_context *, const struct ck_secret *,
                              const double *values, uint32_t level, double scale);
/* Slots of a ciphertext of degree 1 or 2; values beyond 2^40, or beyond half the modulus over the scale, come back
 * wrong.
 * errors  CK_ESHAPE, CK_ELEVEL, CK_EDEGREE, CK_ESCALE for a ciphertext that is not of this context; CK_ENOMEM */
enum ck_err ck_decrypt(double *values, const struct ck_context *, const struct ck_secret *, const struct ck_ct *);

/* Evaluator: context, keys, weights and scratch of one running program; all borrowed but the scratch. One per thread
 * of control. evk and weights may be NULL where nothing needs them. Evaluation does not allocate, with the exception
 * named at ck_linear_reserve and the same for the first polynomial of the largest size.
 * errors  CK_EMATCH if the keys belong to another context; CK_ENOMEM */
struct ck_eval;
enum ck_err ck_eval_new(struct ck_eval **out, const struct ck_context *, const struct ck_evk *,
                        const struct ck_weights *);
void ck_eval_free(struct ck_eval *);
/* Rotations that have no key of their own (struct ck_route, model.h); borrowed. ck_rotate and ck_linear compose them. */
void ck_eval_use_routes(struct ck_eval *, const struct ck_route *, size_t count);
/* A callback for the steps of a program, and the call with which the program announces step `step` of struct ck_model: all
 * before it are done. The callback's error ends the program. */
void ck_eval_watch(struct ck_eval *, enum ck_err (*step)(void *arg, size_t step), void *arg);
enum ck_err ck_eval_step(struct ck_eval *, size_t step);

/* Operations. In all of them `out` may be an operand (but for ck_linear), has room for the result (else CK_ESHAPE)
 * and stays as it was after an error; operands are ciphertexts of the evaluator's context (else CK_ESHAPE,
 * CK_ELEVEL, CK_EDEGREE, CK_ESCALE). Two scales are equal when they agree to 2^-40. Noise is per coefficient of the
 * phase, E = sqrt(N/18): the deviation of a rounding times a ternary secret. */

/* out = a +- b, -a. Levels and scales equal (CK_ELEVEL, CK_ESCALE); degrees may differ; noise adds. */
enum ck_err ck_add(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
enum ck_err ck_sub(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
enum ck_err ck_neg(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
/* out = a + c in every slot, c rounded to a multiple of 1/scale. CK_ERANGE if c is not finite. */
enum ck_err ck_add_const(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, double c);
/* out = a c at scale out_scale, one level used: the constant is encoded at out_scale q_l / a.scale.
 * level   l -> l-1, CK_ELEVEL at 0      noise   |c| out_scale / a.scale times a's, plus E
 * errors  CK_ESCALE if out_scale <= 0; CK_ERANGE if the constant is not finite */
enum ck_err ck_mul_const(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, double c, double out_scale);
/* out = a b of degree 2. Levels equal; the scale is the product, which must stay below the modulus (CK_ESCALE);
 * operands of degree 1 (CK_EDEGREE). */
enum ck_err ck_mul(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
/* Degree 2 -> 1; degree 1 is copied.
 * noise   sqrt(d N / 12) 3.19 D / P + E, D the product of a digit's primes, P of the key's special primes
 * errors  CK_EKEY without a relinearisation key for this level */
enum ck_err ck_relin(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
/* ck_relin and ck_rescale in one: cheaper than the two, since the divisions by P and q_l are one. */
enum ck_err ck_relin_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
/* ck_mul, ck_relin and ck_rescale in one: the same bits; the three parts of the product never reach memory. */
enum ck_err ck_mul_relin_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
/* Divides by the last prime: level l -> l-1 (CK_ELEVEL at 0), scale s -> s / q_l, noise / q_l plus E (degree 1; E
 * sqrt(N/18) more at degree 2). source [CHKKS18] */
enum ck_err ck_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
/* Forgets limbs: level -> `level` <= a.level (CK_ELEVEL); nothing else changes. Costs a copy, or nothing in place. */
enum ck_err ck_drop(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, uint32_t level);
/* Slot s of out is slot s+k (mod n) of a; any k. Degree 1. Noise as ck_relin. CK_EKEY without the key for this
 * level, nor a route. Composed of k steps: the noise of k rotations. */
enum ck_err ck_rotate(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, int32_t k);

/* A plaintext in the weights file: integer coefficients in the subring of n slots (2n of them), value = coeff
 * 2^shift. Bootstrapping keeps transforms instead: `rows` of them, of size 2^shift, for q_0..q_l and special primes. */
struct ck_pt_ref {
    uint64_t offset;        // bytes into the weights data
    uint32_t shift;
    uint32_t width;         // bytes a coefficient: 2, 4 or 8 (below 2^59)
    uint32_t rows;          // 0: coefficients
};

/* out[o] = sum over giant steps g of rot_g( sum over (i, baby b) of pt * rot_b(in[i]) ), then for each fold amount f
 * in turn out += rot_f(out), then out += its images under all the automorphisms X -> X^galois[i], then rescale by one prime
 * to out_scale and add the bias (encoded at out_scale). Level l -> l-1, or l where the level is kept. */
struct ck_lin_term {
    uint16_t out, in;
    uint16_t giant, baby;   // indices into the arrays below
    struct ck_pt_ref pt;
};
enum { CK_LIN_MAX_GALOIS = 3 };
struct ck_lin {
    uint32_t nin, nout, ngiant, nbaby, nfold, ngalois, nterm;
    const int32_t *giant, *baby, *fold;     // rotation amounts
    const uint32_t *galois;                 // at most CK_LIN_MAX_GALOIS, keys of one gadget with the other rotations
    const struct ck_lin_term *term;         // sorted by (out, giant, in, baby)
    const struct ck_pt_ref *bias;           // one per output, NULL if none
    double out_scale;
    bool keep_level;                        // no rescale
    bool raised;                            // of bootstrapping: one input, left by ModRaise under the sparse secret; one giant step, 0; no folds, no automorphisms
};
/* Makes room for a map at input level `level` ahead of time. ck_linear does it by itself, at the price of an
 * allocation in the first run of the largest map.
 * memory  babies: a rotated input is two polynomials of level+1 limbs, with K more where they are kept modulo QP;
 *         beyond 1 GiB one input at a time is held, with one sum per (output, giant) */
enum ck_err ck_linear_reserve(struct ck_eval *, const struct ck_lin *, uint32_t level);
/* shape   in: nin ciphertexts of degree 1, one level l >= 1 and one scale; out: nout others, with room for level l-1
 * noise   in's times the slots' weights; per rotation that of ck_relin divided by q_l / |weights|; E from the final
 *         division
 * errors  CK_ELEVEL, CK_EDEGREE, CK_ESCALE; CK_ESHAPE for wrong indices, order of terms, or an output that is an
 *         input; CK_EKEY; CK_EMATCH without weights; CK_EFORMAT for a reference outside them, or transforms
 *         of several sizes; CK_ENOMEM
 * source  [BMTH21] double hoisting */
enum ck_err ck_linear(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_lin *);

/* out = a + the plaintext, which is encoded at a's scale. out may be a. */
enum ck_err ck_add_plain(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_pt_ref *);

/* out = sum c_k T_k(x), x in [-1,1] real slots; level l -> l - ck_poly_depth(degree), scale exactly out_scale. */
struct ck_poly {
    uint32_t degree;
    const double *c;        // degree+1 Chebyshev coefficients
    double out_scale;
};
/* shape   in of degree 1; degree of the series at most 1023
 * errors  CK_ELEVEL if l < depth; CK_EKEY without a relinearisation key for l; CK_ERANGE for coefficients that are
 *         not finite or a degree above 1023; CK_ESCALE; CK_ENOMEM
 * source  [PS73] Paterson-Stockmeyer, [BMTH21] exact scales */
enum ck_err ck_poly_eval(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_poly *);

#include "boot.h"
#include "model.h"
#endif
