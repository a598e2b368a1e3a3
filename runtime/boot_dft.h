// SPDX-License-Identifier: Apache-2.0
// The homomorphic transforms of bootstrapping as products of sparse matrices: plain data, no keys.
#ifndef CK_BOOT_DFT_H
#define CK_BOOT_DFT_H

#include "ck.h"
#include <complex.h>
#include <stdint.h>

enum { CK_DFT_MAX_FACTORS = 6, CK_DFT_MAX_LOGN = 15 };

/* A complex n x n matrix by generalised diagonals: (M x)[s] = sum_d diag[d][s] x[(s + rot[d]) mod n]. */
struct ck_diags {
    uint32_t n, count;
    int32_t *rot;               // own; in [0, n), ascending
    double complex **diag;      // own; count vectors of n
};
void ck_diags_clear(struct ck_diags *);

/* Factors of the map from slots to coefficients' positions and back for n = 2^logn slots, merged by radix[0..count-1] (log2 of each
 * factor's radix; they sum to logn), listed in the order of application.
 *   to_slots == 0: CtS. Takes slots z to u' = bit-reversed u, u[k] = c[k] + i c[k+n] (c the 2n coefficients of the subring).
 *   to_slots == 1: StC, the inverse of it.
 * Every factor is multiplied by scale^(1/count).
 * errors  CK_ENOMEM; CK_EPARAM if the radices do not sum to logn. `out` is untouched on error.
 * source  [CHH18] (factored DFT), [HHC19] */
enum ck_err ck_dft_factors(struct ck_diags *out, uint32_t logn, const uint32_t *radix, uint32_t count, int to_slots,
                           double scale);
#endif
