// SPDX-License-Identifier: Apache-2.0
// Bootstrapping of real slot vectors, slots to coefficients first: StC, ModRaise, CtS, EvalMod as four calls.
//
// A ciphertext of real slots m, |m| <= 1, at level nstc becomes one of the same slots at level top - ncts - degree_depth - doublings.
// source [CHH18] (StC first), [BTH22] (ephemeral sparse secret), [HK20] (EvalMod)
#ifndef CK_BOOT_H
#define CK_BOOT_H

#include "ck.h"

enum { CK_BOOT_MAX_FACTORS = 6 };

struct ck_boot_shape {
    uint32_t nstc, ncts;                        // factors, one level each
    uint32_t stc_radix[CK_BOOT_MAX_FACTORS];    // log2 of each radix; they sum to log_slots
    uint32_t cts_radix[CK_BOOT_MAX_FACTORS];
    uint32_t top;                               // level that ModRaise reaches
    uint32_t degree, doublings;                 // of EvalMod
    uint32_t range;                             // K: |I| < K, 16 for an ephemeral secret of weight 32
    double ratio;                               // Delta / q_0 at level 0: the sine's error is (2 pi ratio)^2 / 6 relative
};

struct ck_boot;     // plaintexts and plans of one shape; immutable, shared by threads

/* errors  CK_EPARAM (radices, levels or range do not fit the context), CK_ENOMEM */
enum ck_err ck_boot_new(struct ck_boot **out, const struct ck_context *, const struct ck_boot_shape *);
void ck_boot_free(struct ck_boot *);
size_t ck_boot_bytes(const struct ck_boot *);           // of plaintexts

/* Level of the result; scale that the input of StC must have. */
uint32_t ck_boot_level(const struct ck_boot *);
double ck_boot_scale(const struct ck_boot *);

/* The evaluation keys that it needs, relinearisation and the two switching keys included, appended to *spec (own: malloc) of *count. */
struct ck_galois_spec;
enum ck_err ck_boot_keys(const struct ck_boot *, struct ck_galois_spec **spec, size_t *count);

/* The four parts; out is not in. Scratch as other operations.
 * errors  CK_ELEVEL (wrong level), CK_ESCALE (wrong scale), CK_EKEY, CK_ESHAPE (no room in out) */
enum ck_err ck_boot_stc(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_modraise(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_cts(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_evalmod(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);

/* All four; in (level nstc or above, one more if its scale is not ck_boot_scale) is kept, tmp holds what lies between and has room for level top. */
enum ck_err ck_bootstrap(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *tmp, const struct ck_boot *);
#endif
