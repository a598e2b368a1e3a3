// SPDX-License-Identifier: Apache-2.0
// The portable kernel table: elementwise loops with 64-bit Barrett and Shoup products. The definition of right.
#include "kernels_impl.h"
#include "mod.h"
#include "ntt.h"
#include <assert.h>

static void c_add(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_addmod(a[i], b[i], m->q);
}

static void c_sub(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_submod(a[i], b[i], m->q);
}

static void c_neg(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = a[i] ? m->q - a[i] : 0;
}

static void c_mul(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_mulmod(a[i], b[i], m);
}

static void c_muladd(uint64_t *acc, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) acc[i] = ck_reduce128((ck_u128)a[i] * b[i] + acc[i], m);
}

static void c_mulc(uint64_t *out, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_mulshoup(a[i], c, m->q);
}

static void c_muladdc(uint64_t *acc, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) acc[i] = ck_addmod(acc[i], ck_mulshoup(a[i], c, m->q), m->q);
}

static void c_addc(uint64_t *out, const uint64_t *a, uint64_t c, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_addmod(a[i], c, m->q);
}

static void c_submulc(uint64_t *out, const uint64_t *a, const uint64_t *b, const struct ck_shoup *c, size_t n,
                  const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) out[i] = ck_mulshoup(a[i] + m->q - b[i], c, m->q);
}

// A sum of 64 products is below 2^(6+2 bits) <= 2^(63+bits), the range of ck_reduce128.
static void c_inner(uint64_t *out, const uint64_t *const *a, const uint64_t *const *b, uint32_t d, size_t n,
                const struct ck_mod *m)
{
    assert(d <= 64);
    for (size_t i = 0; i < n; i++) {
        ck_u128 s = 0;
        for (uint32_t j = 0; j < d; j++) s += (ck_u128)a[j][i] * b[j][i];
        out[i] = ck_reduce128(s, m);
    }
}

static void c_inner2(uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                 const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    assert(d <= 64);
    for (size_t i = 0; i < n; i++) {
        ck_u128 s = 0, t = 0;
        for (uint32_t j = 0; j < d; j++) {
            s += (ck_u128)a[j][i] * k0[j][i];
            t += (ck_u128)a[j][i] * k1[j][i];
        }
        out0[i] = ck_reduce128(s, m);
        out1[i] = ck_reduce128(t, m);
    }
}

static void c_tensor(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t a0 = a[0][i], a1 = a[1][i], b0 = b[0][i], b1 = b[1][i];
        const ck_u128 t[3] = {(ck_u128)a0 * b0, (ck_u128)a0 * b1 + (ck_u128)a1 * b0, (ck_u128)a1 * b1};
        uint64_t r[3];
        for (int k = 0; k < 3; k++) r[k] = ck_reduce128(t[k], m);
        for (int k = 0; k < 3; k++) out[k][i] = r[k];
    }
}

static void c_permute(uint64_t *out, const uint64_t *a, const struct ck_perm *perm, size_t at, size_t n)
{
    static const uint8_t rev[8] = {0, 4, 2, 6, 1, 5, 3, 7};
    for (const uint64_t *end = out + n; out < end; out += 64, at += 64) {
        const uint32_t from = perm->from[at / 64];
        const struct ck_perm_turn *t = &perm->turn[from % 64];
        const uint64_t *block = a + (from & ~63u);
        for (uint32_t r = 0; r < 8; r++) {
            const uint32_t up = (t->up[0] >> r & 1) + (t->up[1] >> r & 1) * 2 + (t->up[2] >> r & 1) * 4u;
            for (uint32_t c = 0; c < 8; c++) out[8 * c + r] = block[8 * perm->row[rev[(rev[c] + up) & 7]] + t->lane[r]];
        }
    }
}

static void c_from_i32(uint64_t *out, const int32_t *c, uint32_t shift, size_t n, const struct ck_mod *m)
{
    struct ck_shoup s = ck_shoup_init(ck_powmod(2, shift, m), m);
    for (size_t i = 0; i < n; i++) {
        int64_t x = c[i];
        uint64_t r = ck_mulshoup((uint64_t)(x < 0 ? -x : x), &s, m->q);
        out[i] = x < 0 && r ? m->q - r : r;
    }
}

static void c_lift(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from)
{
    uint64_t half = from->q / 2, neg = to->q - from->q % to->q;     // -from mod to, in (0, to]
    for (size_t i = 0; i < n; i++) {
        uint64_t x = a[i];
        uint64_t r = x < to->q ? x : ck_reduce128(x, to);
        out[i] = ck_csub(x > half ? r + neg : r, to->q);
    }
}

// Position j of the large transform holds the small one's value at j / 2^(logn-logm), in bit-reversed order; the blocked
// order turns that into runs of one value, or of one small block.
void ck_spread_c(uint64_t *out, uint32_t logn, const uint64_t *in, uint32_t logm)
{
    assert(logm <= logn);
    uint32_t n = 1u << logn;
    if (logn < 6) {
        for (uint32_t j = 0; j < n; j++) out[j] = in[j >> (logn - logm)];
        return;
    }
    for (uint32_t b = 0; b < n; b += 64)
        for (uint32_t c = 0; c < 8; c++)
            for (uint32_t r = 0; r < 8; r++) {
                uint32_t k = (b + 8 * r + c) >> (logn - logm);      // bit-reversed index in the small transform
                out[b + 8 * c + r] = in[logm < 6 ? k : (k & ~63u) | (k & 7) << 3 | ((k >> 3) & 7)];
            }
}

const struct ck_kernels ck_kernels_c = {
    .name = "c", .twiddles = CK_TW_SHOUP64,
    .ntt = ck_ntt_c, .intt = ck_intt_c, .spread = ck_spread_c,
    .ntt_columns = ck_ntt_columns_c, .ntt_block = ck_ntt_block_c, .intt_block = ck_intt_block_c, .intt_columns = ck_intt_columns_c,
    .add = c_add, .sub = c_sub, .neg = c_neg, .mul = c_mul, .muladd = c_muladd,
    .mulc = c_mulc, .muladdc = c_muladdc, .addc = c_addc, .submulc = c_submulc,
    .inner2 = c_inner2, .inner2_half = ck_inner2_half_steps, .inner2_rows = ck_inner2_rows_steps,
    .inner = c_inner, .tensor = c_tensor,
    .permute = c_permute, .from_i32 = c_from_i32, .lift = c_lift,
    .conv = ck_conv_c, .expand = ck_expand_c, .unpack = ck_unpack_c, .inner_key = ck_inner_key_steps,
};
