// SPDX-License-Identifier: Apache-2.0
// Any bytes as an evaluation key file: refused, or keys whose residues are all reduced and which the evaluator can use.
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_keys(const struct fuzz_world *w, const struct ck_evk *evk)
{
    for (uint32_t i = 0; i < evk->nkey; i++) {
        const struct ck_key *key = &evk->key[i];
        uint32_t limbs = key->level + 1 + evk->gadget[key->gadget].np;
        uint64_t *limb = malloc(w->ctx->n * sizeof *limb);
        for (size_t j = 0; limb && j < ck_key_bytes(evk, key) / key->row[limbs] * limbs; j++) {
            const struct ck_mod *m = &w->ctx->mod[ck_limb_prime(w->ctx, key->level + 1, (uint32_t)j % limbs)];
            if (w->ctx->k->unpack(limb, ck_key_limb(&evk->gadget[key->gadget], key, (uint32_t)j / limbs, (uint32_t)j % limbs), w->ctx->n, m->bits) >= m->q) abort();
        }
        free(limb);
        if (ck_evk_find(evk, key->galois, key->level) != key) abort();
    }
}

/* Uses every key once, at its level. */
static void use_keys(const struct fuzz_world *w, const struct ck_evk *evk)
{
    struct ck_eval *e;
    struct ck_ct ct;
    if (ck_eval_new(&e, w->ctx, evk, NULL) != CK_OK) return;
    for (uint32_t i = 0; i < evk->nkey; i++) {
        const struct ck_key *key = &evk->key[i];
        if (key->galois >= CK_KEY_SPARSE) continue;      // bootstrapping's switching keys
        if (ck_ct_init(&ct, w->ctx, key->level, 2) != CK_OK) break;
        ct.level = key->level;
        ct.degree = key->galois ? 1 : 2;
        if ((key->galois ? ck_galois_apply(e, &ct, &ct, key->galois) : ck_relin(e, &ct, &ct)) != CK_OK) abort();
        ck_ct_clear(&ct);
    }
    ck_eval_free(e);
}

static void try_keys(struct fuzz_world *w, const uint8_t *bytes, size_t len)
{
    struct ck_file f;
    struct ck_evk *evk;
    if (ck_file_parse(&f, bytes, len, CK_KIND_EVAL)) return;
    if (!ck_evk_load(&evk, w->ctx, &f)) {
        check_keys(w, evk);
        use_keys(w, evk);
        ck_evk_covers(evk, &(struct ck_galois_spec){.galois = 5, .level = 1}, 1);
        ck_evk_free(evk);
    }
    ck_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_forms(data, len, try_keys);
    return 0;
}
