// SPDX-License-Identifier: Apache-2.0
// tacet runtime: RNS-CKKS on the CPU. The one header that generated programs include.
//
// Words: N ring degree; n slots of a vector (n <= N/2, a shorter vector repeats); level l has l+1 limbs; scale is the factor
// between a real slot value and its encoded integer. Contexts and keys are immutable and may be shared by threads.
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

enum ck_err ck_context_new(struct ck_context **out, const struct ck_params *, int threads);
void ck_context_free(struct ck_context *);
const struct ck_params *ck_context_params(const struct ck_context *);

/* A ciphertext: degree+1 polynomials of level+1 limbs, evaluation form. Memory is sized once for max_level and max_degree. */
struct ck_ct {
    uint64_t *data;         // own; polynomial i, limb j at data + (i*(max_level+1) + j)*N
    uint32_t level, degree, max_level, max_degree;
    uint32_t logn;
    double scale;
};
enum ck_err ck_ct_init(struct ck_ct *out, const struct ck_context *, uint32_t max_level, uint32_t max_degree);
void ck_ct_clear(struct ck_ct *);

/* Keys. A rotation by k moves slot s+k to slot s (left rotation), k in (-n, n). */
struct ck_key_spec {
    int32_t rotation;       // 0: relinearisation
    uint32_t level;         // highest level at which it is used
};
enum ck_err ck_secret_new(struct ck_secret **out, const struct ck_context *);    // from the system's generator
void ck_secret_free(struct ck_secret *);                                          // wipes
enum ck_err ck_evk_new(struct ck_evk **out, const struct ck_context *, const struct ck_secret *,
                       const struct ck_key_spec *, size_t count);
void ck_evk_free(struct ck_evk *);
size_t ck_evk_bytes(const struct ck_evk *);

/* Real vectors of n = 2^log_slots values <-> ciphertexts (symmetric, seeded on disk). */
enum ck_err ck_encrypt(struct ck_ct *out, const struct ck_context *, const struct ck_secret *, const double *values,
                       uint32_t level, double scale);
/* The same, and the seed (32 bytes, out) from which the second polynomial can be expanded again. */
enum ck_err ck_encrypt_seeded(struct ck_ct *out, uint8_t seed[32], const struct ck_context *, const struct ck_secret *,
                              const double *values, uint32_t level, double scale);
enum ck_err ck_decrypt(double *values, const struct ck_context *, const struct ck_secret *, const struct ck_ct *);

/* Evaluator: context, keys, weights and scratch of one running program. One per thread of control. Evaluation never allocates. */
struct ck_eval;
enum ck_err ck_eval_new(struct ck_eval **out, const struct ck_context *, const struct ck_evk *, const struct ck_weights *);
void ck_eval_free(struct ck_eval *);
enum ck_err ck_eval_progress(struct ck_eval *, void (*report)(void *arg, size_t step, size_t steps, const char *what), void *arg);
enum ck_err ck_eval_step(struct ck_eval *, size_t step, size_t steps, const char *what);

enum ck_err ck_add(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
enum ck_err ck_sub(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);
enum ck_err ck_neg(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
enum ck_err ck_add_const(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, double c);
/* out = a c at scale out_scale, one level used: the constant is encoded at out_scale q_l / a.scale. */
enum ck_err ck_mul_const(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, double c, double out_scale);
enum ck_err ck_mul(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_ct *b);  // degree 2, scale product
enum ck_err ck_relin(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
/* ck_relin and ck_rescale in one: cheaper than the two, since the divisions by P and q_l are one. */
enum ck_err ck_relin_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
enum ck_err ck_rescale(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a);
enum ck_err ck_drop(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, uint32_t level);
enum ck_err ck_rotate(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, int32_t k);

/* A plaintext in the weights file: integer coefficients in the subring of n slots (2n of them), value = coeff 2^shift. */
struct ck_pt_ref {
    uint64_t offset;        // bytes into the weights data
    uint32_t shift;
    uint32_t width;         // bytes a coefficient: 2 or 4
};

/* out[o] = sum over giant steps g of rot_g( sum over (i, baby b) of pt * rot_b(in[i]) ), then for each fold amount f in turn
 * out += rot_f(out), then rescale by one prime to out_scale and add the bias (encoded at out_scale). Level l -> l-1. */
struct ck_lin_term {
    uint16_t out, in;
    uint16_t giant, baby;   // indices into the arrays below
    struct ck_pt_ref pt;
};
struct ck_lin {
    uint32_t nin, nout, ngiant, nbaby, nfold, nterm;
    const int32_t *giant, *baby, *fold;     // rotation amounts
    const struct ck_lin_term *term;         // sorted by (out, giant, in, baby)
    const struct ck_pt_ref *bias;           // one per output, NULL if none
    double out_scale;
};
/* Makes room for a map at input level `level` ahead of time. ck_linear does it by itself, at the price of an allocation in the first
 * run of the largest map. */
enum ck_err ck_linear_reserve(struct ck_eval *, const struct ck_lin *, uint32_t level);
enum ck_err ck_linear(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_lin *);

/* out = a + the plaintext, which is encoded at a's scale. out may be a. */
enum ck_err ck_add_plain(struct ck_eval *, struct ck_ct *out, const struct ck_ct *a, const struct ck_pt_ref *);

/* out = sum c_k T_k(x), x in [-1,1] real slots; level l -> l - ck_poly_depth(degree), scale exactly out_scale. */
struct ck_poly {
    uint32_t degree;
    const double *c;        // degree+1 Chebyshev coefficients
    double out_scale;
};
uint32_t ck_poly_depth(uint32_t degree);        // ceil(log2(degree+1))
enum ck_err ck_poly_eval(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_poly *);

#include "model.h"
#endif
