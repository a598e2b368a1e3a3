// SPDX-License-Identifier: Apache-2.0
// Parameters of one RNS-CKKS instance, the security table and the cost model: plain data.
// The one runtime header that the compiler side may include.
#ifndef CK_PARAMS_H
#define CK_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CK_LOGN_MIN = 10,
    CK_LOGN_MAX = 16,
    CK_MAX_Q = 64,      // ciphertext primes q_0..q_L
    CK_MAX_P = 32,      // special primes
    CK_MAX_CLASSES = 24,
    CK_PRIME_BITS_MAX = 50,
};

/* A gadget: keys whose highest use has at most `limbs` limbs have digits of alpha limbs and the first np special primes. */
struct ck_key_class {
    uint32_t limbs, alpha, np;
};

/* One instance. q[0] is the base prime (the last to remain), q[nq-1] is dropped first.
 * A ciphertext at level l has l+1 limbs, modulo q[0..l].
 * Key switching: by the gadget of the key's class, which are in ascending order up to nq limbs. Without classes every key has alpha limbs a digit and
 * np special primes. d = ceil((l+1)/alpha) digits.
 * Every prime is 1 mod 2N, distinct, at most CK_PRIME_BITS_MAX bits (46.9 bits for the fast transforms). */
struct ck_params {
    uint32_t logn;              // log2 of the ring degree N
    uint32_t log_slots;         // log2 of the slots n of a packed vector, at most logn-1
    uint32_t nq, np, alpha;
    uint32_t security;          // 128, or 0 for a test instance marked insecure
    uint32_t nclass;
    struct ck_key_class classes[CK_MAX_CLASSES];
    uint64_t q[CK_MAX_Q], p[CK_MAX_P];
};

/* Largest log2(QP) for 128-bit classical security, uniform ternary secret, sigma 3.19; 0 outside 2^10..2^17.
 * source [BCC+24] ia.cr/2024/463 */
uint32_t ck_security_max_logqp(uint32_t logn);

/* log2 of the largest modulus of a key, in bits: q_0..q_l and the special primes of its gadget. */
double ck_params_logqp(const struct ck_params *);

/* NULL if usable, else a static sentence that says what is wrong (insecure, bad prime, too many limbs ...). */
const char *ck_params_check(const struct ck_params *);

/* The gadget of a key whose highest use has `limbs` limbs: limbs per digit and number of special primes (the first of p). */
void ck_params_gadget(const struct ck_params *, uint32_t limbs, uint32_t *alpha, uint32_t *np);

/* Sets the classes: few, within the security limit and the special primes that there are, of least cost (key_class.c); special primes that none has go.
 * alpha is that of the highest keys; 0: it is chosen as well, and set. False if no gadget fits. */
bool ck_params_classes(struct ck_params *);

/* Bytes of a key's b-part under a gadget: residues are packed to the bits of their primes. */
double ck_params_key_bytes(const struct ck_params *, uint32_t limbs, uint32_t alpha, uint32_t np);

/* Finds `count` distinct primes, 1 mod 2^(logn+1), nearest to `target` (not necessarily below it), not among the
 * `ntaken` in `taken`, within a factor of two of the target and below 2^50. Deterministic: nearest first, the lower
 * of two equally near ones first. Returns the number found. */
uint32_t ck_primes_near(uint64_t *out, uint32_t count, double target, uint32_t logn,
                        const uint64_t *taken, uint32_t ntaken);

/* Cost model. Constants in microseconds on one core at N = 2^16; fitted by `make bench` (build/bench.json). */
struct ck_cost {
    double t_ntt, t_conv, t_elt, t_mul, t_expand;   // one limb each; t_conv per (in,out) limb pair
    double t_pass;                                  // a limb's way from memory and back, besides its transform
    double bytes_per_us;                            // memory bandwidth
    double two_thread_speedup;
};
extern const struct ck_cost ck_cost_default;

/* Microseconds of one operation at `limbs` limbs, one thread. */
double ck_cost_keyswitch(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
/* Its parts: the digits of one polynomial in QP; the inner product of digits and key, permuted (a hoisted rotation, in QP);
 * the division of one polynomial by P. */
double ck_cost_modup(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
double ck_cost_hoisted(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
double ck_cost_moddown(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
/* The same by a key whose highest use has `key_limbs` limbs, which has its gadget; by any gadget. */
struct ck_switch_cost {
    double whole, modup, hoisted, moddown;
};
struct ck_switch_cost ck_cost_switch(const struct ck_cost *, const struct ck_params *, uint32_t limbs, uint32_t key_limbs);
struct ck_switch_cost ck_cost_gadget(const struct ck_cost *, uint32_t logn, uint32_t limbs, uint32_t alpha, uint32_t np);
/* A product of ciphertexts, relinearised and rescaled. */
double ck_cost_mul(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
double ck_cost_rescale(const struct ck_cost *, const struct ck_params *, uint32_t limbs);
double ck_cost_mulpt(const struct ck_cost *, const struct ck_params *, uint32_t limbs);

/* ceil(log2(degree+1)): levels of ck_poly_eval. */
uint32_t ck_poly_depth(uint32_t degree);

/* Bootstrapping (boot.h), as plain data. CK_BOOT_RANGE is K: multiples I of q_0 with |I| < K are removed, all those of an ephemeral secret of
 * weight 32. */
enum { CK_BOOT_RANGE = 16, CK_BOOT_MAX_FACTORS = 6, CK_BOOT_MAX_RADIX = 8, CK_BOOT_MAX_KEYS = 2 * CK_BOOT_MAX_FACTORS * (2 << CK_BOOT_MAX_RADIX) };

struct ck_boot_shape {
    uint32_t nstc, ncts;                        // factors of StC and CtS; those of CtS take a level each
    uint32_t stc_levels;                        // levels of StC, at most nstc: the first factors keep theirs, whose prime all share
    uint32_t stc_radix[CK_BOOT_MAX_FACTORS];    // log2 of each radix; they sum to log_slots
    uint32_t cts_radix[CK_BOOT_MAX_FACTORS];
    uint32_t top;                               // level that ModRaise reaches
    double ratio;                               // Delta / q_0 at level 0: the sine's error is (2 pi ratio)^2 / 6 relative
};

/* The standard shape for 2^log_slots slots, 2 <= log_slots <= 15, that leaves `left` levels. */
void ck_boot_default(struct ck_boot_shape *out, uint32_t log_slots, uint32_t left);

/* NULL if parameters and shape fit each other, else a static sentence that says what is wrong. The following want NULL. */
const char *ck_boot_check(const struct ck_params *, const struct ck_boot_shape *);

/* Levels between `top` and the result: factors of CtS and EvalMod. The result has level top - depth. */
uint32_t ck_boot_depth(const struct ck_boot_shape *);

/* The four parts in their order. A ciphertext at scale s <= ck_boot_nominal carries values up to R = ck_boot_nominal / s. Levels and
 * scales of the results are functions of the scale that goes in:
 *   StC      stc_levels -> 0             s -> s
 *   ModRaise 0 -> top                    s -> s
 *   CtS      top -> l = top - ncts       s -> 2 q_l s / (q_0 K)
 *   EvalMod  l -> l' = top - depth       that -> q_m 2 pi s / q_0,   m = l' + 3 */
enum ck_boot_part { CK_BOOT_STC, CK_BOOT_MODRAISE, CK_BOOT_CTS, CK_BOOT_EVALMOD };
double ck_boot_nominal(const struct ck_params *, const struct ck_boot_shape *);      // q_0 ratio
double ck_boot_part_scale(const struct ck_params *, const struct ck_boot_shape *, enum ck_boot_part, double in_scale);

/* Microseconds of the four parts together and of one, one thread. */
double ck_cost_boot(const struct ck_cost *, const struct ck_params *, const struct ck_boot_shape *);
double ck_cost_boot_part(const struct ck_cost *, const struct ck_params *, const struct ck_boot_shape *, enum ck_boot_part);

/* Bytes: all evaluation keys of one bootstrap, relinearisation included; what ck_boot_new keeps; the evaluator's scratch. */
double ck_boot_key_bytes(const struct ck_params *, const struct ck_boot_shape *);
/* The rotation keys among them (in (0, n); 0: relinearisation) with their levels; their number. rotation, level: CK_BOOT_MAX_KEYS. */
uint32_t ck_boot_rotations(int32_t *rotation, uint32_t *level, const struct ck_params *, const struct ck_boot_shape *);
double ck_boot_plain_bytes(const struct ck_params *, const struct ck_boot_shape *);
double ck_boot_scratch_bytes(const struct ck_params *, const struct ck_boot_shape *);
#endif
