// SPDX-License-Identifier: Apache-2.0
// Bootstrapping as plain data: the factors' rotations and the keys.
#ifndef CK_BOOT_SHAPE_H
#define CK_BOOT_SHAPE_H

#include "internal.h"

#define CK_BOOT_PI 3.14159265358979323846

/* The series of EvalMod, in the square of its argument, and the double angles after it (boot_mod.h). */
enum { CK_MOD_DEGREE = 12, CK_MOD_DOUBLINGS = 3 };

enum { BOOT_MAX_STEPS = (2 << CK_BOOT_MAX_RADIX) };

/* One factor of a transform: rotations (giant + baby) of its 2^(radix+1) - 1 diagonals or fewer; all in [0, n), ascending. */
struct boot_factor {
    uint32_t level, radix;
    uint32_t log_stride;        // rotations are multiples of 2^log_stride
    uint32_t log_period;        // log2 of the slots after which its diagonals repeat
    bool raised, keep_level;    // struct ck_lin
    uint32_t nterm, rows;       // diagonals; limbs of their transforms: q_0..q_level and the special primes of the level's gadget
    uint32_t ngalois, galois[3];    // automorphisms of its output that are added to it
    uint32_t nbaby, ngiant;
    int32_t baby[BOOT_MAX_STEPS], giant[BOOT_MAX_STEPS];
};
/* The factors of CK_BOOT_STC or CK_BOOT_CTS in the order of application; their number. */
uint32_t ck_boot_factors(struct boot_factor *out, const struct ck_params *, const struct ck_boot_shape *, enum ck_boot_part);

/* The keys of a bootstrap, each at its highest level; their number. list: CK_BOOT_MAX_KEYS. */
uint32_t ck_boot_key_list(struct ck_galois_spec *list, const struct ck_params *, const struct ck_boot_shape *);

/* The trace onto the subring of the slots has the steps k = log_slots .. logn-2, x += x(X^g) for g = 5^(2^k). All but the last follow the first factor of
 * CtS, each a rotation: their number. The last goes with the conjugation and ends CtS. */
uint32_t ck_boot_early_traces(const struct ck_params *);
uint32_t ck_boot_trace_galois(const struct ck_params *, uint32_t k);
#endif
