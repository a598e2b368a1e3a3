// SPDX-License-Identifier: Apache-2.0
// Any bytes as a weights file: refused, or weights with which the small model runs; references beyond them are refused by the runtime.
#include "container.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run_on_zeros(const struct fuzz_world *w, const struct ck_weights *weights)
{
    struct ck_eval *e;
    struct ck_ct in, out;
    const struct ck_port *port = w->model->out;
    if (ck_eval_new(&e, w->ctx, NULL, weights) != CK_OK) return;
    if (ck_ct_init(&in, w->ctx, port[0].level, 1) != CK_OK || ck_ct_init(&out, w->ctx, port[0].level, 1) != CK_OK) abort();
    in.level = port[0].level;
    in.scale = port[0].scale;
    if (ck_linear(e, &out, &in, &tiny_lin) != CK_OK) abort();
    // One coefficient further than the data.
    struct ck_lin far = tiny_lin;
    struct ck_lin_term term = tiny_lin.term[0];
    term.pt.offset = weights->size - TINY_PT + 4;
    far.term = &term;
    if (ck_linear(e, &out, &in, &far) != CK_EFORMAT) abort();
    ck_ct_clear(&in);
    ck_ct_clear(&out);
    ck_eval_free(e);
}

static void try_weights(struct fuzz_world *w, const uint8_t *bytes, size_t len)
{
    struct ck_file f;
    struct ck_weights *weights;
    if (ck_file_parse(&f, bytes, len, CK_KIND_WEIGHTS)) return;
    if (!ck_weights_load(&weights, &f, &w->model->params, w->model->fingerprint, w->model->weights_bytes)) {
        run_on_zeros(w, weights);
        ck_weights_close(weights);
    }
    ck_file_close(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_forms(data, len, try_weights);
    return 0;
}
