// SPDX-License-Identifier: Apache-2.0
// The double-precision kernels for AVX-512F/DQ, eight lanes.
#define DBL_WIDTH 8
#include "dbl_tmpl.h"

void ck_kernels_init_dbl_avx512(struct ck_kernels *k) { dbl_kernels_init(k); }
