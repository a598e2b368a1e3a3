// SPDX-License-Identifier: Apache-2.0
// The double-precision kernels for AVX2 with FMA, four lanes.
#define DBL_WIDTH 4
#include "dbl_tmpl.h"

void ck_kernels_init_dbl_avx2(struct ck_kernels *k) { dbl_kernels_init(k); }
