// SPDX-License-Identifier: Apache-2.0
// Inner products composed of a table's other kernels, a piece at a time: with a key (expand, unpack, multiply, permute), with operands of half
// the size (spread, multiply).
// An automorphism maps aligned blocks of a power of two of 64 positions or more to such blocks, because the upper bits of a position are the lower
// bits of the root's exponent, so that a piece comes from one piece.
#include "kernels_impl.h"
#include "mod.h"

enum { WORDS = 2 * 64 * CK_MAX_Q };     // of both parts of a piece's key, on the stack: pieces of 64 words or more

static size_t piece_of(uint32_t d, size_t at, size_t n)
{
    size_t piece = 512;
    while (piece > 64 && (2 * d * piece > WORDS || at % piece || n % piece)) piece /= 2;
    return piece;
}

bool ck_inner_key_steps(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const struct ck_key_row *w, size_t at, size_t n)
{
    _Alignas(64) uint64_t room[WORDS], sum[2][512];
    const size_t piece = piece_of(w->d, at, n), first = at;
    const uint32_t bits = w->mod->bits;
    // 2^-52: the number k < q with k 2^52 = 1 modulo q
    const struct ck_shoup back = ck_shoup_init((uint64_t)(((ck_u128)w->mod->npinv52 * w->mod->q + 1) >> 52), w->mod);
    bool ok = true;
    for (; n; n -= piece, at += piece, out0 += piece, out1 += piece) {
        const size_t from = w->perm ? w->perm->from[at / 64] & ~(piece - 1) : at;
        const uint64_t *x[CK_MAX_Q], *a[CK_MAX_Q], *b[CK_MAX_Q];
        for (uint32_t i = 0; i < w->d; i++) {
            uint64_t *part = room + 2 * i * piece;
            const uint8_t *ahead = w->ahead[0] ? w->ahead[i] + (at - first) / 8 * bits : NULL;
            ok &= k->expand(part, w->seed, w->index[i], from, piece, w->mod, ahead);
            k->unpack(part + piece, w->b[i] + from / 8 * bits, piece, bits);
            a[i] = part;
            b[i] = part + piece;
            x[i] = w->x[i] + from;
        }
        const bool apart = w->perm || w->add;
        uint64_t *to0 = apart ? sum[0] : out0, *to1 = apart ? sum[1] : out1;
        k->inner2(to0, to1, x, b, a, w->d, piece, w->mod);
        k->mulc(to0, to0, &back, piece, w->mod);
        k->mulc(to1, to1, &back, piece, w->mod);
        if (w->raise) k->muladdc(to0, w->raise + from, w->factor, piece, w->mod);
        for (uint32_t i = 0; apart && i < 2; i++) {
            uint64_t *out = i ? out1 : out0, *turned = w->add ? room : out, *from_sum = sum[i];
            // the automorphism counts from the start of the limb
            if (w->perm) k->permute(turned, (const uint64_t *)((uintptr_t)from_sum - from * sizeof *from_sum), w->perm, at, piece);
            if (w->add) k->add(out, out, w->perm ? turned : from_sum, piece, w->mod);
        }
    }
    return ok;
}

void ck_inner2_half_steps(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                          const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    _Alignas(64) uint64_t room[64][128];
    const uint64_t *x[64], *y[64], *z[64];
    for (size_t at = 0; at < n; at += 128) {
        for (uint32_t i = 0; i < d; i++) {
            k->spread(room[i], 7, a[i] + at / 2, 6);
            x[i] = room[i];
            y[i] = k0[i] + at;
            z[i] = k1[i] + at;
        }
        k->inner2(out0 + at, out1 + at, x, y, z, d, 128, m);
    }
}

void ck_inner2_rows_steps(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, uint32_t logm, uint32_t logn, size_t at,
                          const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    _Alignas(64) uint64_t room[64][64];
    const uint64_t *x[64], *y[64], *z[64];
    for (size_t b = 0; b < n; b += 64) {
        for (uint32_t i = 0; i < d; i++) {
            for (size_t j = 0; j < 64; j++) room[i][j] = a[i][ck_ntt_place(logm, (at + b + j % 8 * 8) >> (logn - logm))];
            x[i] = room[i];
            y[i] = k0[i] + b;
            z[i] = k1[i] + b;
        }
        k->inner2(out0 + b, out1 + b, x, y, z, d, 64, m);
    }
}
