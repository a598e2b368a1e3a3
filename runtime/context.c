// SPDX-License-Identifier: Apache-2.0
// Contexts: the parameters checked, the tables of every prime, the Galois order of evaluation points.
#include "internal.h"
#include "mod.h"
#include "thread.h"

#include <math.h>

static const char *const texts[] = {
#define E(name, value, text) [value] = text,
#include "ck_errors.def"
#undef E
};

const char *ck_err_text(enum ck_err err)
{
    size_t i = (size_t)err;
    return i < sizeof texts / sizeof *texts && texts[i] ? texts[i] : "unknown error";
}

bool ck_scale_equal(double a, double b)
{
    return fabs(a - b) <= ldexp(fmax(fabs(a), fabs(b)), -40);
}

static size_t root_bytes(const struct ck_context *ctx)
{
    return ((size_t)8 << ctx->par.log_slots) * sizeof(double);
}

static size_t inv_bytes(const struct ck_context *ctx)
{
    return (size_t)ctx->par.nq * ctx->par.nq * sizeof(struct ck_shoup);
}

static void fill_tables(struct ck_context *ctx)
{
    const uint32_t nq = ctx->par.nq;
    for (uint32_t l = 1; l < nq; l++)
        for (uint32_t i = 0; i < l; i++) {
            uint64_t q = ctx->par.q[i];
            ctx->inv[l * nq + i] = ck_shoup_init(ck_invmod(ctx->par.q[l] % q, &ctx->mod[i]), &ctx->mod[i]);
        }

    // Roots of unity of order 4n: each from its own call of cos and sin, hence accurate to an ulp.
    const size_t order = (size_t)4 << ctx->par.log_slots, n = order / 4;
    const double unit = 2 * acos(-1.0) / (double)order;
    for (size_t k = 0; k < order; k++) {
        ctx->root[2 * k] = cos(unit * (double)k);
        ctx->root[2 * k + 1] = sin(unit * (double)k);
    }
    for (size_t k = 0, p = 1; k < n; k++, p = p * 5 % order) ctx->power5[k] = (uint32_t)p;
}

enum ck_err ck_context_new(struct ck_context **out, const struct ck_params *par, int threads)
{
    const char *why = ck_params_check(par);
    if (why) {
        struct ck_params marked = *par;     // the same set marked insecure tells the two refusals apart
        if (marked.security == 128) marked.security = 0;
        return ck_params_check(&marked) ? CK_EPARAM : CK_ESECURE;
    }
    if (threads < 1) return CK_ERANGE;
    const struct ck_kernels *k = ck_kernels_select();
    if (!k) return CK_EPARAM;
    struct ck_context *ctx = ck_mem_alloc(sizeof *ctx);
    if (!ctx) return CK_ENOMEM;
    ctx->par = *par;
    ctx->k = k;
    ctx->threads = threads;
    ctx->logn = par->logn;
    ctx->n = (size_t)1 << par->logn;
    ctx->nprimes = par->nq + par->np;
    ctx->inv = ck_mem_alloc(inv_bytes(ctx));
    ctx->root = ck_mem_alloc(root_bytes(ctx));
    ctx->power5 = ck_mem_alloc(sizeof *ctx->power5 << par->log_slots);
    bool ok = ctx->inv && ctx->root && ctx->power5;
    for (uint32_t i = 0; ok && i < ctx->nprimes; i++) {
        uint64_t q = i < par->nq ? par->q[i] : par->p[i - par->nq];
        ctx->mod[i] = ck_mod_init(q);
        ctx->ntt[i] = ck_ntt_new_for(q, par->logn, k);
        ok = ctx->ntt[i] != NULL;
        if (ok && par->log_slots + 1 < par->logn) {
            ctx->ntt_sub[i] = ck_ntt_new_for(q, par->log_slots + 1, k);
            ok = ctx->ntt_sub[i] != NULL;
        }
    }
    if (!ok) {
        ck_context_free(ctx);
        return CK_ENOMEM;
    }
    fill_tables(ctx);
    *out = ctx;
    return CK_OK;
}

void ck_context_free(struct ck_context *ctx)
{
    if (!ctx) return;
    for (uint32_t i = 0; i < ctx->nprimes; i++) {
        ck_ntt_free(ctx->ntt[i]);
        ck_ntt_free(ctx->ntt_sub[i]);
    }
    ck_mem_free(ctx->inv, inv_bytes(ctx));
    ck_mem_free(ctx->root, root_bytes(ctx));
    ck_mem_free(ctx->power5, sizeof *ctx->power5 << ctx->par.log_slots);
    ck_mem_free(ctx, sizeof *ctx);
}

const struct ck_params *ck_context_params(const struct ck_context *ctx)
{
    return &ctx->par;
}

int32_t ck_rotation(const struct ck_context *ctx, int32_t k)
{
    return (int32_t)((uint32_t)k & (((uint32_t)1 << ctx->par.log_slots) - 1));
}

uint32_t ck_galois_rotation(const struct ck_context *ctx, int32_t k)
{
    // A vector of n slots repeats, so k counts modulo n; 5^k modulo 2N by squaring.
    const uint32_t mask = (uint32_t)(2 * ctx->n - 1);
    uint32_t e = (uint32_t)ck_rotation(ctx, k), g = 1;
    for (uint32_t b = 5; e; e >>= 1, b = b * b & mask)
        if (e & 1) g = g * b & mask;
    return g;
}

uint32_t ck_galois_conjugate(const struct ck_context *ctx)
{
    return (uint32_t)(2 * ctx->n - 1);
}

uint32_t ck_galois_inverse(const struct ck_context *ctx, uint32_t g)
{
    // Newton's iteration doubles the correct bits: g is its own inverse modulo 8.
    uint32_t x = g;
    for (int i = 0; i < 4; i++) x *= 2 - g * x;
    return x & (uint32_t)(2 * ctx->n - 1);
}
