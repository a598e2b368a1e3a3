// SPDX-License-Identifier: Apache-2.0
// Evaluation keys: allocation by level, generation, lookup. Every key is cut to its level and uses the gadget of that
// level.
#include "internal.h"
#include "store.h"
#include "thread.h"

#include <stdlib.h>
#include <string.h>

// 0 stands for relinearisation in a spec list, which no Galois element does.
static int by_galois_level(const void *x, const void *y)
{
    const struct ck_galois_spec *a = x, *b = y;
    if (a->galois != b->galois) return a->galois < b->galois ? -1 : 1;
    return (a->level > b->level) - (a->level < b->level);
}

enum ck_err ck_key_spec_galois(struct ck_galois_spec *out, const struct ck_context *ctx, const struct ck_key_spec *spec)
{
    const int64_t n = (int64_t)1 << ctx->par.log_slots;
    if (spec->rotation <= -n || spec->rotation >= n) return CK_ERANGE;
    out->galois = spec->rotation ? ck_galois_rotation(ctx, spec->rotation) : 0;
    out->level = spec->level;
    return CK_OK;
}

static uint32_t key_rows(const struct ck_evk *evk, const struct ck_key *key)
{
    return key->level + 1 + evk->gadget[key->gadget].np;
}

size_t ck_key_bytes(const struct ck_evk *evk, const struct ck_key *key)
{
    return ck_gadget_digits(&evk->gadget[key->gadget], key->level + 1) * key->row[key_rows(evk, key)];
}

// Index of the gadget of a key at `level`; entries are collected first and initialised once their highest level is
// known.
static uint32_t gadget_index(struct ck_evk *evk, uint32_t galois, uint32_t level)
{
    uint32_t alpha, np, i = 0;
    ck_key_gadget(&evk->ctx->par, galois, level + 1, &alpha, &np);
    while (i < evk->ngadget && (evk->gadget[i].alpha != alpha || evk->gadget[i].np != np)) i++;
    if (i == evk->ngadget) evk->gadget[evk->ngadget++] = (struct ck_gadget){.alpha = alpha, .np = np};
    if (level > evk->gadget[i].max_level) evk->gadget[i].max_level = level;
    return i;
}

static enum ck_err init_gadgets(struct ck_evk *evk)
{
    const uint32_t count = evk->ngadget;
    evk->ngadget = 0;       // those initialised so far
    for (uint32_t i = 0; i < count; i++) {
        struct ck_gadget *g = &evk->gadget[i];
        CK_TRY(ck_gadget_init(g, evk->ctx, g->alpha, g->np, g->max_level));
        evk->ngadget++;
    }
    return CK_OK;
}

static enum ck_err init_key(struct ck_evk *evk, struct ck_key *key)
{
    const struct ck_context *ctx = evk->ctx;
    const uint32_t rows = key_rows(evk, key);
    key->row = ck_mem_alloc((rows + 1) * sizeof *key->row);
    if (!key->row) return CK_ENOMEM;
    for (uint32_t j = 0; j < rows; j++)
        key->row[j + 1] = key->row[j] + ctx->n / 8 * ctx->mod[ck_limb_prime(ctx, key->level + 1, j)].bits;
    if (!evk->borrowed && !(key->b = ck_mem_alloc(ck_key_bytes(evk, key)))) return CK_ENOMEM;
    const uint32_t galois = ck_key_automorphism(key->galois);
    if (galois <= 1) return CK_OK;
    uint32_t i = 0;
    while (i < evk->nperm && evk->perm_galois[i] != galois) i++;
    if (i == evk->nperm) {
        evk->perm_galois[evk->nperm++] = galois;
        ck_perm_init(&evk->perm[i], ctx->logn, galois);
    }
    key->perm = &evk->perm[i];
    return CK_OK;
}

static enum ck_err fill_evk(struct ck_evk *evk, struct ck_galois_spec *spec, size_t count)
{
    qsort(spec, count, sizeof *spec, by_galois_level);
    uint32_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (!n || by_galois_level(&spec[i], &spec[n - 1])) spec[n++] = spec[i];
    for (uint32_t i = 0; i < n; i++)
        evk->key[i] = (struct ck_key){
            .galois = spec[i].galois, .level = spec[i].level, .gadget = gadget_index(evk, spec[i].galois, spec[i].level)};
    evk->nkey = n;
    CK_TRY(init_gadgets(evk));
    for (uint32_t i = 0; i < n; i++) CK_TRY(init_key(evk, &evk->key[i]));
    return CK_OK;
}

enum ck_err ck_evk_alloc(struct ck_evk **out, const struct ck_context *ctx, const struct ck_galois_spec *spec,
                         size_t count, bool borrowed)
{
    if (count > UINT32_MAX / 2) return CK_ERANGE;
    for (size_t i = 0; i < count; i++) {
        if (spec[i].level >= ctx->par.nq) return CK_ELEVEL;
        if (spec[i].galois == CK_KEY_SPARSE && spec[i].level) return CK_ESECURE;
        if (!ck_key_known(ctx, spec[i].galois)) return CK_ERANGE;
    }
    struct ck_evk *evk = ck_mem_alloc(sizeof *evk);
    if (!evk) return CK_ENOMEM;
    evk->ctx = ctx;
    evk->borrowed = borrowed;
    evk->room = (uint32_t)count;
    evk->key = ck_mem_alloc(count * sizeof *evk->key);
    evk->perm_galois = ck_mem_alloc(count * sizeof *evk->perm_galois);
    evk->perm = ck_mem_alloc(count * sizeof *evk->perm);
    struct ck_galois_spec *sorted = ck_mem_alloc(count * sizeof *sorted);
    enum ck_err err = CK_ENOMEM;
    if (evk->key && evk->perm_galois && evk->perm && sorted) {
        if (count) memcpy(sorted, spec, count * sizeof *sorted);
        err = fill_evk(evk, sorted, count);
    }
    ck_mem_free(sorted, count * sizeof *sorted);
    if (err != CK_OK) {
        ck_evk_free(evk);
        return err;
    }
    *out = evk;
    return CK_OK;
}

void ck_evk_free(struct ck_evk *evk)
{
    if (!evk) return;
    for (uint32_t i = 0; i < evk->nkey; i++) {
        struct ck_key *key = &evk->key[i];
        if (key->b && !evk->borrowed) ck_mem_free(key->b, ck_key_bytes(evk, key));
        if (key->row) ck_mem_free(key->row, (key_rows(evk, key) + 1) * sizeof *key->row);
    }
    for (uint32_t i = 0; i < evk->ngadget; i++) ck_gadget_clear(&evk->gadget[i]);
    ck_mem_free(evk->key, evk->room * sizeof *evk->key);
    ck_mem_free(evk->perm_galois, evk->room * sizeof *evk->perm_galois);
    ck_mem_free(evk->perm, evk->room * sizeof *evk->perm);
    ck_mem_free(evk, sizeof *evk);
}

size_t ck_evk_bytes(const struct ck_evk *evk)
{
    size_t sum = evk->nperm * sizeof *evk->perm;
    for (uint32_t i = 0; i < evk->nkey; i++) sum += ck_key_bytes(evk, &evk->key[i]);
    return sum;
}

const struct ck_key *ck_evk_find(const struct ck_evk *evk, uint32_t galois, uint32_t level)
{
    if (!evk) return NULL;
    // First key not below (galois, level) in the order of the array.
    uint32_t lo = 0, hi = evk->nkey;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct ck_key *k = &evk->key[mid];
        if (k->galois < galois || (k->galois == galois && k->level < level)) lo = mid + 1;
        else hi = mid;
    }
    return lo < evk->nkey && evk->key[lo].galois == galois ? &evk->key[lo] : NULL;
}

enum ck_err ck_key_fill(struct ck_evk *evk, struct ck_key *key, const uint64_t *from, const uint64_t *to)
{
    const struct ck_context *ctx = evk->ctx;
    const struct ck_gadget *g = &evk->gadget[key->gadget];
    const struct ck_kernels *k = ctx->k;
    const uint32_t ell = key->level + 1, wide = ell + g->np, d = ck_gadget_digits(g, ell);
    const size_t error_bytes = d * ctx->n * sizeof(int32_t);
    const size_t tmp_bytes = (size_t)ctx->threads * 2 * ctx->n * sizeof(uint64_t);
    int32_t *error = ck_mem_alloc(error_bytes);
    uint64_t *tmp = ck_mem_alloc(tmp_bytes);
    struct ck_drbg *rng = NULL;
    enum ck_err err = error && tmp ? ck_drbg_new(&rng, NULL) : CK_ENOMEM;
    if (err == CK_OK) err = ck_drbg_bytes(rng, key->seed, sizeof key->seed);
    if (err == CK_OK) err = ck_sample_gauss(rng, error, d * ctx->n);
    ck_drbg_free(rng);
    if (err == CK_OK) {
        int bad = 0;
        CK_PARALLEL_SUM(ctx->threads, bad)
        for (uint32_t t = 0; t < d * wide; t++) {
            const uint32_t i = t / wide, j = t % wide, prime = ck_limb_prime(ctx, ell, j);
            const struct ck_mod *mod = &ctx->mod[prime];
            const struct ck_shoup form = ck_shoup_init(mod->r52, mod);
            uint64_t *a = tmp + (size_t)ck_thread_index() * 2 * ctx->n, *b = a + ctx->n;
            k->from_i32(b, error + i * ctx->n, 0, ctx->n, mod);
            k->ntt(b, ctx->ntt[prime]);
            if (j < ell && j / g->alpha == i) k->muladdc(b, from + j * ctx->n, &g->p[j], ctx->n, mod);
            k->mulc(b, b, &form, ctx->n, mod);
            bad += !k->expand(a, key->seed, ck_key_stream(i, prime), 0, ctx->n, mod, NULL);
            k->mul(a, a, to + prime * ctx->n, ctx->n, mod);
            k->sub(b, b, a, ctx->n, mod);
            ck_pack((uint64_t *)(void *)ck_key_limb(g, key, i, j), b, ctx->n, mod->bits);
        }
        if (bad) err = CK_ERANDOM;
    }
    ck_mem_wipe(error, error_bytes);
    ck_mem_wipe(tmp, tmp_bytes);
    ck_mem_free(error, error_bytes);
    ck_mem_free(tmp, tmp_bytes);
    return err;
}

// sparse: a secret that nobody keeps, NULL if no key wants it. work: nprimes limbs for s(X^(1/g)), or the first nq for s^2.
static enum ck_err generate_key(struct ck_evk *evk, struct ck_key *key, const struct ck_secret *sk, const struct ck_secret *sparse,
                                uint64_t *work)
{
    const struct ck_context *ctx = evk->ctx;
    const uint32_t galois = ck_key_automorphism(key->galois);
    if (key->galois == CK_KEY_SPARSE) return ck_key_fill(evk, key, sk->ntt, sparse->ntt);
    if (!key->galois) {
        CK_PARALLEL(ctx->threads)
        for (uint32_t j = 0; j <= key->level; j++)
            ctx->k->mul(work + j * ctx->n, sk->ntt + j * ctx->n, sk->ntt + j * ctx->n, ctx->n, &ctx->mod[j]);
        return ck_key_fill(evk, key, work, sk->ntt);
    }
    struct ck_perm perm;
    ck_perm_init(&perm, ctx->logn, ck_galois_inverse(ctx, galois));
    CK_PARALLEL(ctx->threads)
    for (uint32_t j = 0; j < ctx->nprimes; j++) ctx->k->permute(work + j * ctx->n, sk->ntt + j * ctx->n, &perm, 0, ctx->n);
    return ck_key_fill(evk, key, ck_key_from_sparse(key->galois) ? sparse->ntt : sk->ntt, work);
}

static enum ck_err generate(struct ck_evk *evk, const struct ck_secret *sk, uint64_t *work)
{
    struct ck_secret *sparse = NULL;
    enum ck_err err = CK_OK;
    for (uint32_t i = 0; i < evk->nkey && !err; i++) {
        if (evk->key[i].galois >= CK_KEY_SPARSE && !sparse) err = ck_secret_new_sparse(&sparse, evk->ctx, CK_SPARSE_WEIGHT);
        if (!err) err = generate_key(evk, &evk->key[i], sk, sparse, work);
    }
    ck_secret_free(sparse);
    return err;
}

enum ck_err ck_evk_new_galois(struct ck_evk **out, const struct ck_context *ctx, const struct ck_secret *sk,
                              const struct ck_galois_spec *spec, size_t count)
{
    struct ck_evk *evk;
    CK_TRY(ck_evk_alloc(&evk, ctx, spec, count, false));
    const size_t bytes = (size_t)ctx->nprimes * ctx->n * sizeof(uint64_t);
    uint64_t *work = ck_mem_alloc(bytes);
    enum ck_err err = work ? generate(evk, sk, work) : CK_ENOMEM;
    ck_mem_wipe(work, bytes);
    ck_mem_free(work, bytes);
    if (err != CK_OK) {
        ck_evk_free(evk);
        return err;
    }
    *out = evk;
    return CK_OK;
}

enum ck_err ck_evk_new(struct ck_evk **out, const struct ck_context *ctx, const struct ck_secret *sk,
                       const struct ck_key_spec *spec, size_t count)
{
    struct ck_galois_spec *g = ck_mem_alloc(count * sizeof *g);
    enum ck_err err = g ? CK_OK : CK_ENOMEM;
    for (size_t i = 0; err == CK_OK && i < count; i++) err = ck_key_spec_galois(&g[i], ctx, &spec[i]);
    if (err == CK_OK) err = ck_evk_new_galois(out, ctx, sk, g, count);
    ck_mem_free(g, count * sizeof *g);
    return err;
}
