// SPDX-License-Identifier: Apache-2.0
// Two real ciphertexts in one bootstrap: re + i im goes through StC, ModRaise and CtS as one, and EvalMod takes each half.
//
// X^(N/2) has the value i in every slot, so multiplying by i is exact and takes no level. StC puts the real parts of the slots into the
// coefficients below n and the imaginary parts above, where a real message leaves zeros; CtS brings both back, each with its own multiples of
// q_0, and a conjugation separates them.
#include "boot_impl.h"
#include "thread.h"

#include <string.h>

// ct = i ct.
static enum ck_err times_i(struct ck_eval *ev, struct ck_ct *ct)
{
    const struct ck_context *ctx = ev->ctx;
    const size_t mark = ev->scratch.used, n = ctx->n;
    CK_TRY(ck_scratch_reserve(ev, (size_t)ctx->threads * n));
    uint64_t *local = ck_scratch_take(&ev->scratch, (size_t)ctx->threads * n);
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j <= ct->level; j++) {
        uint64_t *unit = local + (size_t)ck_thread_index() * n;
        memset(unit, 0, n * sizeof *unit);
        unit[n / 2] = 1;
        ctx->k->ntt(unit, ctx->ntt[j]);
        for (uint32_t i = 0; i < 2; i++) {
            uint64_t *limb = ck_ct_poly(ct, i) + j * n;
            ctx->k->mul(limb, limb, unit, n, &ctx->mod[j]);
        }
    }
    ev->scratch.used = mark;
    return CK_OK;
}

enum ck_err ck_boot_stc2(struct ck_eval *ev, struct ck_ct *out, const struct ck_ct *re, const struct ck_ct *im, struct ck_ct *tmp,
                         const struct ck_boot *boot)
{
    if (re->degree != 1 || im->degree != 1) return CK_EDEGREE;
    CK_TRY(ck_drop(ev, tmp, im, im->level));
    CK_TRY(times_i(ev, tmp));
    CK_TRY(ck_add(ev, tmp, tmp, re));
    return ck_boot_stc(ev, out, tmp, boot);
}

enum ck_err ck_boot_cts2(struct ck_eval *ev, struct ck_ct *re, struct ck_ct *im, const struct ck_ct *in, const struct ck_boot *boot)
{
    CK_TRY(ck_boot_cts_complex(ev, re, in, boot));
    CK_TRY(ck_galois_apply(ev, im, re, ck_galois_conjugate(ev->ctx)));
    CK_TRY(ck_add(ev, re, re, im));         // x + conj x = 2 Re x
    CK_TRY(ck_add(ev, im, im, im));
    CK_TRY(ck_sub(ev, im, im, re));         // conj x - x = -2 i Im x
    return times_i(ev, im);
}
