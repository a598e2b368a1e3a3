// SPDX-License-Identifier: Apache-2.0
// Bootstrapping of real slot vectors, slots to coefficients first: StC, ModRaise, CtS, EvalMod as four calls.
//
// A ciphertext of real slots at level stc_levels becomes one of the same slots at level top - ck_boot_depth. The shape, its price and its scales
// are plain data (params.h).
// source [CHH18] (StC first), [BTH22] (ephemeral sparse secret), [HK20] (EvalMod)
#ifndef CK_BOOT_H
#define CK_BOOT_H

#include "ck.h"

struct ck_boot;     // plaintexts and plans of one shape; immutable, shared by threads

/* errors  CK_EPARAM (ck_boot_check says why), CK_ENOMEM */
enum ck_err ck_boot_new(struct ck_boot **out, const struct ck_context *, const struct ck_boot_shape *);
void ck_boot_free(struct ck_boot *);
size_t ck_boot_bytes(const struct ck_boot *);           // of plaintexts

/* Level of the result; the nominal scale, at which values up to 1 may go in. */
uint32_t ck_boot_level(const struct ck_boot *);
double ck_boot_scale(const struct ck_boot *);

/* The evaluation keys that a shape needs, relinearisation and the two switching keys included, appended to *spec (own: malloc) of *count;
 * equal Galois elements merge to the highest level.
 * errors  CK_EPARAM (ck_boot_check says why), CK_ENOMEM */
struct ck_galois_spec;
enum ck_err ck_boot_keys(const struct ck_context *, const struct ck_boot_shape *, struct ck_galois_spec **spec, size_t *count);

/* The four parts; out is not in. Scratch as other operations.
 * scale   in: any scale s that descends from one of at most 2^10 ck_boot_scale. Values up to R = ck_boot_scale / s are carried (larger ones come
 *         back wrong). out.scale is ck_boot_part_scale(in.scale)
 * level   StC stc_levels -> 0, ModRaise 0 -> top, CtS top -> top - ncts, EvalMod -> ck_boot_level
 * errors  CK_ELEVEL (wrong level), CK_ESCALE (scale not positive or too large), CK_EDEGREE, CK_EKEY, CK_ESHAPE (no room in out) */
enum ck_err ck_boot_stc(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_modraise(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_cts(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);
enum ck_err ck_boot_evalmod(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, const struct ck_boot *);

/* Two real ciphertexts of one level and scale share StC, ModRaise and CtS; EvalMod follows on each. tmp has room for level stc_levels, out is
 * not tmp; im may be tmp. Otherwise as above. */
enum ck_err ck_boot_stc2(struct ck_eval *, struct ck_ct *out, const struct ck_ct *re, const struct ck_ct *im, struct ck_ct *tmp,
                         const struct ck_boot *);
enum ck_err ck_boot_cts2(struct ck_eval *, struct ck_ct *re, struct ck_ct *im, const struct ck_ct *in, const struct ck_boot *);

/* The bootstraps of an evaluator, borrowed: generated programs ask for what the server has set. NULL: none. */
void ck_eval_use_boot(struct ck_eval *, const struct ck_boot *);
const struct ck_boot *ck_eval_boot(const struct ck_eval *);

/* All four. in (level stc_levels or above) is kept; tmp holds what lies between and has room for level top. A scale above ck_boot_scale is brought
 * down to it, which takes one level more. */
enum ck_err ck_bootstrap(struct ck_eval *, struct ck_ct *out, const struct ck_ct *in, struct ck_ct *tmp, const struct ck_boot *);
#endif
