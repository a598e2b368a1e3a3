// SPDX-License-Identifier: Apache-2.0
// Which strides the columns pass of a two-pass transform takes for each ring degree, and its variants without and with reductions; included
// by ntt_ifma.c and dbl_tmpl.h, whose vectors differ. Before it: INLINE, and
//   fwd_columns, inv_columns (a, first radix, second radix or 1, t, lazy); fwd_block (a, block, t, ahead, lazy).
// lazy: 0 or 1; the includer may have further values.

INLINE void forward_columns(uint64_t *a, const struct ck_ntt *t, int lazy)
{
    switch (t->logn) {
    case 11: fwd_columns(a, 2, 1, t, lazy); break;
    case 12: fwd_columns(a, 4, 1, t, lazy); break;
    case 13: fwd_columns(a, 8, 1, t, lazy); break;
    case 14: fwd_columns(a, 4, 4, t, lazy); break;
    case 15: fwd_columns(a, 8, 4, t, lazy); break;
    case 16: fwd_columns(a, 8, 8, t, lazy); break;
    }
}

INLINE void inverse_columns(uint64_t *a, const struct ck_ntt *t, int lazy)
{
    switch (t->logn) {
    case 11: inv_columns(a, 2, 1, t, lazy); break;
    case 12: inv_columns(a, 4, 1, t, lazy); break;
    case 13: inv_columns(a, 8, 1, t, lazy); break;
    case 14: inv_columns(a, 4, 4, t, lazy); break;
    case 15: inv_columns(a, 8, 4, t, lazy); break;
    case 16: inv_columns(a, 8, 8, t, lazy); break;
    }
}

static void columns_lazy(uint64_t *a, const struct ck_ntt *t) { forward_columns(a, t, true); }
static void columns_reducing(uint64_t *a, const struct ck_ntt *t) { forward_columns(a, t, false); }
static void block_lazy(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead) { fwd_block(a, b, t, ahead, true); }
static void block_reducing(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead) { fwd_block(a, b, t, ahead, false); }
static void icolumns_lazy(uint64_t *a, const struct ck_ntt *t) { inverse_columns(a, t, true); }
static void icolumns_reducing(uint64_t *a, const struct ck_ntt *t) { inverse_columns(a, t, false); }
