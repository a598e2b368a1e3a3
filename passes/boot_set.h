// SPDX-License-Identifier: Apache-2.0
// The parameter sets of programs that bootstrap: one family, indexed by the levels left after a bootstrap.
#ifndef TACET_PASSES_BOOT_SET_H
#define TACET_PASSES_BOOT_SET_H

#include "pass.h"

/* Level l holds q_l:  q_0 | free primes 1..left-1 | landing prime `left` | EvalMod | CtS | top. */
struct boot_set {
    struct ck_params par;
    struct ck_boot_shape shape;
    double scale;               // of a value of the program
};

/* The cheapest secure set; false if none holds so many levels. Sizes only (no primes are searched) unless `primes`. */
bool boot_set_make(struct boot_set *out, const struct options *, uint32_t log_slots, uint32_t left, bool primes);
#endif
