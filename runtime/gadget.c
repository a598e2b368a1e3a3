// SPDX-License-Identifier: Apache-2.0
// Gadget tables: base conversions and constants of one way of cutting polynomials into digits, for every level.
#include "internal.h"
#include "mod.h"

#include <string.h>

// Tables of one level; false if out of memory.
static bool level_init(struct ck_gadget *g, const struct ck_context *ctx, uint32_t level)
{
    const uint64_t *q = ctx->par.q, *p = ctx->par.p;
    const uint32_t ell = level + 1;
    uint64_t from[CK_MAX_PRIMES], to[CK_MAX_PRIMES];
    for (uint32_t i = 0; i < ck_gadget_digits(g, ell); i++) {
        uint32_t first = i * g->alpha, end = first + g->alpha < ell ? first + g->alpha : ell, nto = 0;
        for (uint32_t j = 0; j < ell; j++)
            if (j < first || j >= end) to[nto++] = q[j];
        memcpy(to + nto, p, g->np * sizeof *p);
        g->up[level * g->max_digits + i] = ck_conv_new(q + first, end - first, to, nto + g->np);
        if (!g->up[level * g->max_digits + i]) return false;
    }
    g->down[level] = ck_conv_new(p, g->np, q, ell);
    if (!g->down[level]) return false;
    if (level == 0) return true;
    from[0] = q[level];
    memcpy(from + 1, p, g->np * sizeof *p);
    g->down_rescale[level] = ck_conv_new(from, g->np + 1, q, level);
    for (uint32_t i = 0; i < level; i++) {
        uint64_t x = ck_mulmod(g->p[i].w, q[level] % q[i], &ctx->mod[i]);
        g->pqinv[level * (g->max_level + 1) + i] = ck_shoup_init(ck_invmod(x, &ctx->mod[i]), &ctx->mod[i]);
    }
    return g->down_rescale[level] != NULL;
}

static size_t up_bytes(const struct ck_gadget *g)
{
    return (size_t)(g->max_level + 1) * g->max_digits * sizeof *g->up;
}

static size_t down_bytes(const struct ck_gadget *g)
{
    return (size_t)(g->max_level + 1) * sizeof *g->down;
}

static size_t pqinv_bytes(const struct ck_gadget *g)
{
    return (size_t)(g->max_level + 1) * (g->max_level + 1) * sizeof *g->pqinv;
}

enum ck_err ck_gadget_init(struct ck_gadget *out, const struct ck_context *ctx, uint32_t alpha, uint32_t np,
                           uint32_t max_level)
{
    if (max_level >= ctx->par.nq) return CK_ELEVEL;
    struct ck_gadget g = {.alpha = alpha, .np = np, .max_level = max_level};
    g.max_digits = ck_gadget_digits(&g, max_level + 1);
    g.up = ck_mem_alloc(up_bytes(&g));
    g.down = ck_mem_alloc(down_bytes(&g));
    g.down_rescale = ck_mem_alloc(down_bytes(&g));
    g.pqinv = ck_mem_alloc(pqinv_bytes(&g));
    bool ok = g.up && g.down && g.down_rescale && g.pqinv;
    for (uint32_t i = 0; i <= max_level; i++) {
        uint64_t q = ctx->par.q[i], x = 1;
        for (uint32_t j = 0; j < np; j++) x = ck_mulmod(x, ctx->par.p[j] % q, &ctx->mod[i]);
        g.p[i] = ck_shoup_init(x, &ctx->mod[i]);
        g.pinv[i] = ck_shoup_init(ck_invmod(x, &ctx->mod[i]), &ctx->mod[i]);
    }
    for (uint32_t l = 0; ok && l <= max_level; l++) ok = level_init(&g, ctx, l);
    if (!ok) {
        ck_gadget_clear(&g);
        return CK_ENOMEM;
    }
    *out = g;
    return CK_OK;
}

void ck_gadget_clear(struct ck_gadget *g)
{
    for (size_t i = 0; g->up && i < up_bytes(g) / sizeof *g->up; i++) ck_conv_free(g->up[i]);
    for (uint32_t l = 0; l <= g->max_level; l++) {
        if (g->down) ck_conv_free(g->down[l]);
        if (g->down_rescale) ck_conv_free(g->down_rescale[l]);
    }
    ck_mem_free(g->up, up_bytes(g));
    ck_mem_free(g->down, down_bytes(g));
    ck_mem_free(g->down_rescale, down_bytes(g));
    ck_mem_free(g->pqinv, pqinv_bytes(g));
    memset(g, 0, sizeof *g);
}
