// SPDX-License-Identifier: Apache-2.0
// A slot-space matrix as rotated diagonals of a baby-step giant-step plan.
#ifndef TACET_DIAGONALS_H
#define TACET_DIAGONALS_H

#include "../compiler/ir.h"

/* One plaintext product: pt[t] multiplies rot_baby(in) before the giant rotation. */
struct diagonal {
    uint32_t in, giant, baby;           // indices
    double *pt;                         // n values, in the arena
};

/* The diagonals of output vector `out` (rows [out n, (out+1) n) of the matrix), sorted by (giant, in, baby):
 *   y[out] = sum rot_giant( pt . rot_baby(x[in]) ),  rot_k(v)[s] = v[(s+k) mod n].
 * An entry (r, c) lies on diagonal d = (c - r) mod n and goes to the first (giant, baby) in order of giant, then baby, with
 * giant + baby = d mod n; a diagonal that the plan does not reach is an ICE. Zero diagonals are left out.
 * memory  nterms n doubles in `a`. Returns the number of diagonals. */
size_t diagonals_of(struct diagonal **terms, struct arena *a, const struct ir_csr *mat, uint32_t n, uint32_t out,
                    const int64_t *giant, size_t ngiant, const int64_t *baby, size_t nbaby);
#endif
