// SPDX-License-Identifier: Apache-2.0
// Secret keys: small coefficients and their evaluation form modulo every prime; wiped when freed.
#include "internal.h"
#include "thread.h"

#include <string.h>

static void fill_ntt(struct ck_secret *sk)
{
    const struct ck_context *ctx = sk->ctx;
    CK_PARALLEL(ctx->threads)
    for (uint32_t i = 0; i < ctx->nprimes; i++) {
        uint64_t *limb = sk->ntt + i * ctx->n;
        ctx->k->from_i32(limb, sk->coeff, 0, ctx->n, &ctx->mod[i]);
        ctx->k->ntt(limb, ctx->ntt[i]);
    }
}

static size_t coeff_bytes(const struct ck_context *ctx)
{
    return ctx->n * sizeof(int32_t);
}

static size_t ntt_bytes(const struct ck_context *ctx)
{
    return ctx->n * ctx->nprimes * sizeof(uint64_t);
}

static enum ck_err secret_alloc(struct ck_secret **out, const struct ck_context *ctx)
{
    struct ck_secret *sk = ck_mem_alloc(sizeof *sk);
    if (!sk) return CK_ENOMEM;
    sk->ctx = ctx;
    sk->coeff = ck_mem_alloc(coeff_bytes(ctx));
    sk->ntt = ck_mem_alloc(ntt_bytes(ctx));
    if (!sk->coeff || !sk->ntt) {
        ck_secret_free(sk);
        return CK_ENOMEM;
    }
    *out = sk;
    return CK_OK;
}

enum ck_err ck_secret_from(struct ck_secret **out, const struct ck_context *ctx, const int32_t *coeff)
{
    for (size_t i = 0; i < ctx->n; i++)
        if (coeff[i] < -1 || coeff[i] > 1) return CK_ERANGE;
    struct ck_secret *sk;
    CK_TRY(secret_alloc(&sk, ctx));
    memcpy(sk->coeff, coeff, coeff_bytes(ctx));
    fill_ntt(sk);
    *out = sk;
    return CK_OK;
}

// h = 0: uniform ternary.
static enum ck_err secret_random(struct ck_secret **out, const struct ck_context *ctx, uint32_t h)
{
    struct ck_secret *sk;
    CK_TRY(secret_alloc(&sk, ctx));
    struct ck_drbg *rng = NULL;
    enum ck_err err = ck_drbg_new(&rng, NULL);
    if (err == CK_OK)
        err = h ? ck_sample_sparse(rng, sk->coeff, ctx->n, h) : ck_sample_ternary(rng, sk->coeff, ctx->n);
    ck_drbg_free(rng);
    if (err != CK_OK) {
        ck_secret_free(sk);
        return err;
    }
    fill_ntt(sk);
    *out = sk;
    return CK_OK;
}

enum ck_err ck_secret_new(struct ck_secret **out, const struct ck_context *ctx)
{
    return secret_random(out, ctx, 0);
}

enum ck_err ck_secret_new_sparse(struct ck_secret **out, const struct ck_context *ctx, uint32_t h)
{
    if (h == 0 || h > ctx->n) return CK_ERANGE;
    return secret_random(out, ctx, h);
}

void ck_secret_free(struct ck_secret *sk)
{
    if (!sk) return;
    ck_mem_wipe(sk->coeff, coeff_bytes(sk->ctx));
    ck_mem_wipe(sk->ntt, ntt_bytes(sk->ctx));
    ck_mem_free(sk->coeff, coeff_bytes(sk->ctx));
    ck_mem_free(sk->ntt, ntt_bytes(sk->ctx));
    ck_mem_free(sk, sizeof *sk);
}
