// SPDX-License-Identifier: Apache-2.0
// The AVX2 table.
#include "expand_aes.h"

void ck_kernels_init_avx2(struct ck_kernels *k)
{
    ck_kernels_init_dbl_avx2(k);
    k->expand = ck_expand_aesni;
}
