// SPDX-License-Identifier: Apache-2.0
// Symmetric encryption: (b, a) with a expanded from a fresh seed and b = m + e - a s. Decryption evaluates b + a s (+ c
// s^2), composes as few limbs as the message needs and inverts the embedding.
#include "internal.h"
#include "thread.h"

#include <math.h>
#include <string.h>

static size_t ct_bytes(const struct ck_ct *ct)
{
    return ((size_t)(ct->max_degree + 1) * (ct->max_level + 1) << ct->logn) * sizeof(uint64_t);
}

size_t ck_ct_view_words(const struct ck_context *ctx, uint32_t max_level, uint32_t max_degree)
{
    return (size_t)(max_degree + 1) * (max_level + 1) * ctx->n;
}

struct ck_ct ck_ct_view(const struct ck_context *ctx, uint64_t *words, uint32_t max_level, uint32_t max_degree)
{
    return (struct ck_ct){.data = words, .max_level = max_level, .max_degree = max_degree, .logn = ctx->logn};
}

enum ck_err ck_ct_init(struct ck_ct *out, const struct ck_context *ctx, uint32_t max_level, uint32_t max_degree)
{
    if (max_level >= ctx->par.nq) return CK_ELEVEL;
    if (max_degree < 1 || max_degree > 2) return CK_EDEGREE;
    struct ck_ct ct = ck_ct_view(ctx, NULL, max_level, max_degree);
    ct.data = ck_mem_alloc(ct_bytes(&ct));
    if (!ct.data) return CK_ENOMEM;
    ct.degree = 1;
    ct.scale = 1;
    *out = ct;
    return CK_OK;
}

void ck_ct_clear(struct ck_ct *ct)
{
    if (!ct || !ct->data) return;
    ck_mem_free(ct->data, ct_bytes(ct));
    memset(ct, 0, sizeof *ct);
}

enum ck_err ck_ct_shape(struct ck_ct *out, const struct ck_context *ctx, uint32_t level, uint32_t degree)
{
    if (!out->data || out->logn != ctx->logn || out->max_level < level || out->max_degree < degree) return CK_ESHAPE;
    out->level = level;
    out->degree = degree;
    return CK_OK;
}

enum ck_err ck_ct_expand(struct ck_ct *ct, const struct ck_context *ctx, const uint8_t seed[CK_SEED_BYTES])
{
    uint64_t *a = ck_ct_poly(ct, 1);
    int bad = 0;
    CK_PARALLEL_SUM(ctx->threads, bad)
    for (uint32_t i = 0; i <= ct->level; i++)
        bad += !ctx->k->expand(a + i * ctx->n, seed, i, 0, ctx->n, &ctx->mod[i], NULL);
    return bad ? CK_ERANDOM : CK_OK;
}

// b = m + e - a s for the plaintext limbs already in polynomial 0.
static void finish(struct ck_ct *ct, const struct ck_context *ctx, const struct ck_secret *sk, const int32_t *error,
                   uint64_t *tmp)
{
    const struct ck_kernels *k = ctx->k;
    const uint64_t *a = ck_ct_poly(ct, 1);
    uint64_t *b = ck_ct_poly(ct, 0);
    CK_PARALLEL(ctx->threads)
    for (uint32_t i = 0; i <= ct->level; i++) {
        uint64_t *t = tmp + (size_t)ck_thread_index() * ctx->n, *limb = b + i * ctx->n;
        k->from_i32(t, error, 0, ctx->n, &ctx->mod[i]);
        k->ntt(t, ctx->ntt[i]);
        k->add(limb, limb, t, ctx->n, &ctx->mod[i]);
        k->mul(t, a + i * ctx->n, sk->ntt + i * ctx->n, ctx->n, &ctx->mod[i]);
        k->sub(limb, limb, t, ctx->n, &ctx->mod[i]);
    }
}

static enum ck_err encrypt(struct ck_ct *out, uint8_t seed[CK_SEED_BYTES], const struct ck_context *ctx,
                           const struct ck_secret *sk, const double *values, uint32_t level, double scale,
                           double *coeff, int32_t *error, uint64_t *tmp)
{
    uint32_t prime[CK_MAX_Q];
    for (uint32_t i = 0; i <= level; i++) prime[i] = i;
    ck_embed(coeff, ctx, values, scale);
    struct ck_drbg *rng;
    CK_TRY(ck_drbg_new(&rng, NULL));
    enum ck_err err = ck_drbg_bytes(rng, seed, CK_SEED_BYTES);
    if (err == CK_OK) err = ck_sample_gauss(rng, error, ctx->n);
    ck_drbg_free(rng);
    CK_TRY(err);
    CK_TRY(ck_encode_coeff(ck_ct_poly(out, 0), ctx, coeff, prime, level + 1, tmp));
    CK_TRY(ck_ct_shape(out, ctx, level, 1));
    out->scale = scale;
    CK_TRY(ck_ct_expand(out, ctx, seed));
    finish(out, ctx, sk, error, tmp);
    return CK_OK;
}

enum ck_err ck_encrypt_complex(struct ck_ct *out, uint8_t seed[CK_SEED_BYTES], const struct ck_context *ctx,
                               const struct ck_secret *sk, const double *values, uint32_t level, double scale)
{
    if (level >= ctx->par.nq) return CK_ELEVEL;
    if (!(scale >= 1) || !(scale < 0x1p200)) return CK_ESCALE;
    if (!out->data || out->logn != ctx->logn || out->max_level < level) return CK_ESHAPE;
    const size_t m = (size_t)2 << ctx->par.log_slots;
    const size_t tmp_bytes = (size_t)ctx->threads * ctx->n * sizeof(uint64_t);
    double *coeff = ck_mem_alloc(m * sizeof *coeff);
    int32_t *error = ck_mem_alloc(ctx->n * sizeof *error);
    uint64_t *tmp = ck_mem_alloc(tmp_bytes);
    enum ck_err err = CK_ENOMEM;
    if (coeff && error && tmp) err = encrypt(out, seed, ctx, sk, values, level, scale, coeff, error, tmp);
    ck_mem_wipe(coeff, m * sizeof *coeff);
    ck_mem_wipe(error, ctx->n * sizeof *error);
    ck_mem_wipe(tmp, tmp_bytes);
    ck_mem_free(coeff, m * sizeof *coeff);
    ck_mem_free(error, ctx->n * sizeof *error);
    ck_mem_free(tmp, tmp_bytes);
    return err;
}

enum ck_err ck_encrypt_seeded(struct ck_ct *out, uint8_t seed[CK_SEED_BYTES], const struct ck_context *ctx,
                              const struct ck_secret *sk, const double *values, uint32_t level, double scale)
{
    const size_t n = (size_t)1 << ctx->par.log_slots, bytes = 2 * n * sizeof(double);
    double *pair = ck_mem_alloc(bytes);
    if (!pair) return CK_ENOMEM;
    for (size_t i = 0; i < n; i++) pair[2 * i] = values[i];
    enum ck_err err = ck_encrypt_complex(out, seed, ctx, sk, pair, level, scale);
    ck_mem_wipe(pair, bytes);
    ck_mem_free(pair, bytes);
    return err;
}

enum ck_err ck_encrypt(struct ck_ct *out, const struct ck_context *ctx, const struct ck_secret *sk,
                       const double *values, uint32_t level, double scale)
{
    uint8_t seed[CK_SEED_BYTES];
    return ck_encrypt_seeded(out, seed, ctx, sk, values, level, scale);
}

enum ck_err ck_phase(uint64_t *out, const struct ck_context *ctx, const struct ck_secret *sk, const struct ck_ct *ct)
{
    if (!ct->data || ct->logn != ctx->logn) return CK_ESHAPE;
    if (ct->level >= ctx->par.nq) return CK_ELEVEL;
    if (ct->degree < 1 || ct->degree > 2) return CK_EDEGREE;
    const struct ck_kernels *k = ctx->k;
    CK_PARALLEL(ctx->threads)
    for (uint32_t i = 0; i <= ct->level; i++) {
        // Horner's rule in s
        uint64_t *limb = out + i * ctx->n;
        const uint64_t *s = sk->ntt + i * ctx->n;
        memcpy(limb, ck_ct_poly(ct, ct->degree) + i * ctx->n, ctx->n * sizeof *limb);
        for (uint32_t d = ct->degree; d-- > 0;) {
            k->mul(limb, limb, s, ctx->n, &ctx->mod[i]);
            k->add(limb, limb, ck_ct_poly(ct, d) + i * ctx->n, ctx->n, &ctx->mod[i]);
        }
        k->intt(limb, ctx->ntt[i]);
    }
    return CK_OK;
}

enum ck_err ck_decrypt_complex(double *values, const struct ck_context *ctx, const struct ck_secret *sk,
                               const struct ck_ct *ct)
{
    if (!(ct->scale > 0) || !isfinite(ct->scale)) return CK_ESCALE;
    if (ct->level >= ctx->par.nq) return CK_ELEVEL;
    const size_t m = (size_t)2 << ctx->par.log_slots;
    // Values up to 2^40 are read back: limbs beyond that carry nothing.
    uint32_t limbs = 1;
    for (double bits = log2((double)ctx->par.q[0]); limbs <= ct->level && bits < log2(ct->scale) + 41; limbs++)
        bits += log2((double)ctx->par.q[limbs]);
    struct ck_ct low = *ct;
    low.level = limbs - 1;
    const size_t poly_bytes = limbs * ctx->n * sizeof(uint64_t);
    uint64_t *poly = ck_mem_alloc(poly_bytes);
    double *coeff = ck_mem_alloc(m * sizeof *coeff);
    enum ck_err err = poly && coeff ? ck_phase(poly, ctx, sk, &low) : CK_ENOMEM;
    if (err == CK_OK) {
        ck_compose(coeff, ctx, poly, limbs, ctx->n / m);
        ck_unembed(values, ctx, coeff, ct->scale);
    }
    ck_mem_wipe(poly, poly_bytes);
    ck_mem_wipe(coeff, m * sizeof *coeff);
    ck_mem_free(poly, poly_bytes);
    ck_mem_free(coeff, m * sizeof *coeff);
    return err;
}

enum ck_err ck_decrypt(double *values, const struct ck_context *ctx, const struct ck_secret *sk, const struct ck_ct *ct)
{
    const size_t n = (size_t)1 << ctx->par.log_slots, bytes = 2 * n * sizeof(double);
    double *pair = ck_mem_alloc(bytes);
    if (!pair) return CK_ENOMEM;
    enum ck_err err = ck_decrypt_complex(pair, ctx, sk, ct);
    for (size_t i = 0; err == CK_OK && i < n; i++) values[i] = pair[2 * i];
    ck_mem_wipe(pair, bytes);
    ck_mem_free(pair, bytes);
    return err;
}
