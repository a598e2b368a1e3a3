// SPDX-License-Identifier: Apache-2.0
// Secret and evaluation keys in files. A secret is one byte a coefficient; an evaluation key is its seed and its b-parts, each
// residue in as many bits as its prime has.
#include "internal.h"
#include "progress.h"
#include "store.h"
#include "thread.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_HEAD = 64 };     // galois (4), level (4), digits (4), special primes (4), zero (16), seed (32)

static const char no_memory[] = "out of memory";

enum ck_err ck_keyset_new(struct ck_print *keys)
{
    struct ck_drbg *rng;
    CK_TRY(ck_drbg_new(&rng, NULL));
    enum ck_err err = ck_drbg_bytes(rng, keys->b, sizeof keys->b);
    ck_drbg_free(rng);
    return err;
}

const char *ck_secret_save(const char *path, const struct ck_secret *sk, const struct ck_context *ctx,
                           const struct ck_print *keys)
{
    struct ck_prints prints = {.params = ck_print_params(&ctx->par), .keys = *keys};
    int8_t *bytes = ck_mem_alloc(ctx->n);
    if (!bytes) return no_memory;
    for (size_t i = 0; i < ctx->n; i++) bytes[i] = (int8_t)sk->coeff[i];
    struct ck_writer w;
    const char *why = ck_writer_open(&w, path, 0600, CK_KIND_SECRET, 64, 1, &prints);
    if (!why) {
        setvbuf(w.out.f, NULL, _IONBF, 0);      // no copy of the secret in a buffer
        ck_writer_section(&w, CK_TAG("SECR"), 0, 0);
        ck_writer_put(&w, bytes, ctx->n);
        why = ck_writer_close(&w, 1);
    }
    ck_mem_wipe(bytes, ctx->n);
    ck_mem_free(bytes, ctx->n);
    return why;
}

const char *ck_secret_load(struct ck_secret **out, const struct ck_context *ctx, const struct ck_file *f)
{
    const char *why = ck_prints_match(f, &ctx->par, NULL, NULL);
    if (why) return why;
    if (f->nsections != 1 || f->section[0].tag != CK_TAG("SECR") || f->section[0].len != ctx->n) return "is damaged (contents)";
    if ((why = ck_section_check(&f->section[0]))) return why;
    int32_t *coeff = ck_mem_alloc(ctx->n * sizeof *coeff);
    if (!coeff) return no_memory;
    for (size_t i = 0; i < ctx->n; i++) coeff[i] = (int8_t)f->section[0].data[i];
    enum ck_err err = ck_secret_from(out, ctx, coeff);
    ck_mem_wipe(coeff, ctx->n * sizeof *coeff);
    ck_mem_free(coeff, ctx->n * sizeof *coeff);
    return err == CK_OK ? NULL : err == CK_ENOMEM ? no_memory : "is damaged (contents)";
}

/* Prime of limb j of a key. */
static uint32_t key_prime(const struct ck_context *ctx, const struct ck_key *key, uint32_t np, uint32_t j)
{
    return ck_limb_prime(ctx, key->level + 1, j % (key->level + 1 + np));
}

static uint64_t key_bytes(const struct ck_context *ctx, const struct ck_key *key, uint32_t np, uint32_t digits)
{
    uint64_t bits = 0;
    for (uint32_t j = 0; j < key->level + 1 + np; j++) bits += ctx->mod[key_prime(ctx, key, np, j)].bits;
    return KEY_HEAD + digits * bits * (ctx->n / 8);
}

static void key_save(struct ck_writer *w, const struct ck_evk *evk, const struct ck_key *key)
{
    const struct ck_gadget *g = &evk->gadget[key->gadget];
    uint32_t digits = ck_gadget_digits(g, key->level + 1);
    uint32_t head[KEY_HEAD / 4] = {key->galois, key->level, digits, g->np};
    memcpy(head + (KEY_HEAD - CK_SEED_BYTES) / 4, key->seed, CK_SEED_BYTES);
    ck_writer_section(w, CK_TAG("EKEY"), (int32_t)key->galois, key->level);
    ck_writer_put(w, head, sizeof head);
    ck_writer_put(w, key->b, ck_key_bytes(evk, key));
}

static int by_galois(const void *a, const void *b)
{
    const struct ck_galois_spec *x = a, *y = b;
    if (x->galois != y->galois) return x->galois < y->galois ? -1 : 1;
    return x->level < y->level ? -1 : x->level > y->level;
}

/* The switching keys to and from the ephemeral sparse secret belong together: that secret exists only while both are made. */
static size_t batch_at(const struct ck_galois_spec *want, size_t i, size_t n)
{
    size_t batch = 1;
    if (want[i].galois == CK_KEY_SPARSE)
        while (i + batch < n && ck_key_from_sparse(want[i + batch].galois)) batch++;
    return batch;
}

static const char *key_name(uint32_t galois)
{
    return galois == 0 ? "relinearisation key" : galois < CK_KEY_SPARSE ? "rotation key" : "sparse secret's keys";
}

const char *ck_evk_generate(struct ck_writer *w, const char *path, const struct ck_context *ctx, const struct ck_secret *sk,
                            const struct ck_print *keys, const struct ck_galois_spec *spec, size_t count,
                            struct ck_progress *progress)
{
    struct ck_prints prints = {.params = ck_print_params(&ctx->par), .keys = *keys};
    struct ck_galois_spec *want = malloc((count + 1) * sizeof *want);
    size_t n = 0;
    const char *why = want ? NULL : no_memory;
    if (!why) {
        if (count) memcpy(want, spec, count * sizeof *want);
        qsort(want, count, sizeof *want, by_galois);
        for (size_t i = 0; i < count; i++)
            if (!n || by_galois(&want[n - 1], &want[i])) want[n++] = want[i];
        why = ck_writer_open(w, path, 0644, CK_KIND_EVAL, 64, (uint32_t)n, &prints);
    }
    if (!why) {
        for (size_t i = 0, batch; i < n && !w->why; i += batch) {
            struct ck_evk *evk;
            batch = batch_at(want, i, n);
            ck_progress_step(progress, i, n, key_name(want[i].galois));
            enum ck_err err = ck_evk_new_galois(&evk, ctx, sk, &want[i], batch);
            if (err != CK_OK) {
                w->why = ck_err_text(err);
                break;
            }
            for (size_t k = 0; k < batch; k++) key_save(w, evk, &evk->key[k]);
            ck_evk_free(evk);
        }
        why = w->why;
        if (why) ck_writer_close(w, 0);
    }
    free(want);
    return why;
}

/* What a section says of itself before any memory is taken for it. */
static const char *key_peek(struct ck_galois_spec *spec, const struct ck_context *ctx, const struct ck_section *s)
{
    static const char bad[] = "is damaged (contents)";
    uint32_t head[4];
    if (s->tag != CK_TAG("EKEY") || s->len < KEY_HEAD) return bad;
    memcpy(head, s->data, sizeof head);
    if (head[0] != (uint32_t)s->a || head[1] != s->b) return bad;
    if (!ck_key_known(ctx, head[0])) return bad;
    if (head[0] == CK_KEY_SPARSE && (head[1] != 0 || head[3] != 1))
        return "holds a key under the sparse secret at a modulus where it is not secure; it is refused";
    if (head[1] >= ctx->par.nq || head[3] > ctx->par.np || head[2] > head[1] + 1) return bad;
    struct ck_key key = {.galois = head[0], .level = head[1]};
    if (s->len != key_bytes(ctx, &key, head[3], head[2])) return bad;
    *spec = (struct ck_galois_spec){head[0], head[1]};
    return NULL;
}

static const char *key_load(struct ck_evk *evk, struct ck_key *key, const struct ck_context *ctx, const struct ck_section *s)
{
    const struct ck_gadget *g = &evk->gadget[key->gadget];
    uint32_t limbs = key->level + 1 + g->np, digits = ck_gadget_digits(g, key->level + 1), head[4];
    const char *why = ck_section_check(s);
    if (why) return why;
    memcpy(head, s->data, sizeof head);
    if (head[2] != digits || head[3] != g->np) return "was made by another version; run `client keygen` again";
    memcpy(key->seed, s->data + KEY_HEAD - CK_SEED_BYTES, CK_SEED_BYTES);
    key->b = (uint8_t *)(uintptr_t)s->data + KEY_HEAD;
    uint64_t tile[512];
    for (uint32_t j = 0; j < digits * limbs; j++) {
        const struct ck_mod *m = &ctx->mod[key_prime(ctx, key, g->np, j)];
        const uint8_t *packed = ck_key_limb(g, key, j / limbs, j % limbs);
        for (size_t at = 0; at < ctx->n; at += 512)
            if (ctx->k->unpack(tile, packed + at / 8 * m->bits, 512, m->bits) >= m->q) return "is damaged (contents)";
    }
    return NULL;
}

const char *ck_evk_load(struct ck_evk **out, const struct ck_context *ctx, const struct ck_file *f)
{
    const char *why = ck_prints_match(f, &ctx->par, NULL, NULL);
    if (why) return why;
    struct ck_galois_spec *spec = malloc((f->nsections + 1ul) * sizeof *spec);
    if (!spec) return no_memory;
    for (uint32_t i = 0; i < f->nsections && !why; i++) {
        why = key_peek(&spec[i], ctx, &f->section[i]);
        if (!why && i && by_galois(&spec[i - 1], &spec[i]) >= 0) why = "is damaged (contents)";
    }
    struct ck_evk *evk = NULL;
    if (!why) {
        enum ck_err err = ck_evk_alloc(&evk, ctx, spec, f->nsections, true);
        if (err != CK_OK) why = err == CK_ENOMEM ? no_memory : ck_err_text(err);
    }
    free(spec);
    if (why) return why;
    if (evk->nkey != f->nsections) why = "is damaged (contents)";
    // Every key for itself; the message is that of the first bad one, whatever the order.
    const char **bad = calloc(f->nsections + 1ul, sizeof *bad);
    if (!bad) why = no_memory;
    if (!why) {
        CK_PARALLEL(ctx->threads)
        for (uint32_t i = 0; i < f->nsections; i++) bad[i] = key_load(evk, &evk->key[i], ctx, &f->section[i]);
    }
    for (uint32_t i = 0; i < f->nsections && !why; i++) why = bad[i];
    free(bad);
    if (why) {
        ck_evk_free(evk);
        return why;
    }
    *out = evk;
    return NULL;
}

const char *ck_evk_covers(const struct ck_evk *evk, const struct ck_galois_spec *spec, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!ck_evk_find(evk, spec[i].galois, spec[i].level))
            return "lacks keys that this program needs; run this program's `client keygen`";
    return NULL;
}
