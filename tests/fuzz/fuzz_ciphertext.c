// SPDX-License-Identifier: Apache-2.0
// Any bytes as a ciphertext file, of inputs and of results: refused, or ciphertexts of the port's level and scale, all residues
// reduced, that decrypt to something under any key.
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct ck_secret *secret(const struct fuzz_world *w)
{
    static struct ck_secret *sk;
    if (sk) return sk;
    int32_t *coeff = calloc(w->ctx->n, sizeof *coeff);
    if (!coeff) abort();
    for (size_t i = 0; i < w->ctx->n; i++) coeff[i] = (int32_t)(i * i % 3) - 1;
    if (ck_secret_from(&sk, w->ctx, coeff) != CK_OK) abort();
    free(coeff);
    return sk;
}

static void check_ct(const struct fuzz_world *w, const struct ck_ct *ct, const struct ck_port *port)
{
    double values[TINY_SLOTS];
    if (ct->level != port->level || ct->degree != 1 || !ck_scale_equal(ct->scale, port->scale)) abort();
    for (uint32_t p = 0; p < 2; p++)
        for (uint32_t j = 0; j <= ct->level; j++)
            for (size_t k = 0; k < w->ctx->n; k++)
                if (ck_ct_poly(ct, p)[j * w->ctx->n + k] >= w->ctx->mod[j].q) abort();
    if (ck_decrypt(values, w->ctx, secret(w), ct) != CK_OK) abort();
}

static void try_ct(struct fuzz_world *w, const uint8_t *bytes, size_t len)
{
    static const char *const tag[] = {"INPT", "OUTP"};
    struct ck_file f;
    uint32_t samples;
    if (ck_file_parse(&f, bytes, len, CK_KIND_CIPHERTEXT)) return;
    for (int t = 0; t < 2; t++) {
        const struct ck_port *port = t ? w->model->out : w->model->in;
        if (ck_ct_file_check(&samples, &f, w->model, CK_TAG(tag[t]))) continue;
        for (uint32_t i = 0; i < f.nsections; i++) {
            struct ck_ct ct;
            if (ck_ct_init(&ct, w->ctx, port[i % 2].level, 1) != CK_OK) break;
            if (!ck_ct_load(&ct, w->ctx, &f.section[i], &port[i % 2])) check_ct(w, &ct, &port[i % 2]);
            ck_ct_clear(&ct);
        }
    }
    ck_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_forms(data, len, try_ct);
    return 0;
}
