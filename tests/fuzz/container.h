// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of the containers share: the small model and its context, made once, and the two forms in which an input
// is tried: as it is, and with lengths, checksums and fingerprints repaired, so that the code behind those checks is reached.
#ifndef TACET_FUZZ_CONTAINER_H
#define TACET_FUZZ_CONTAINER_H

#include "../runtime/tiny_model.h"
#include "reseal.h"
#include <stdlib.h>
#include <string.h>

struct fuzz_world {
    const struct ck_model *model;
    struct ck_context *ctx;
    struct ck_prints prints;
    int32_t weights[4 * TINY_SLOTS];
};

static inline struct fuzz_world *fuzz_world(void)
{
    static struct fuzz_world w;
    if (w.model) return &w;
    w.model = tiny_model(w.weights);
    if (ck_context_new(&w.ctx, &w.model->params, 1) != CK_OK) abort();
    w.prints.params = ck_print_params(&w.model->params);
    memcpy(&w.prints.model, w.model->fingerprint, sizeof w.prints.model);
    return &w;
}

/* Calls try with the bytes as they are and repaired; copies are exact in size, for the sanitiser. */
static inline void fuzz_forms(const uint8_t *data, size_t len, void (*try)(struct fuzz_world *, const uint8_t *, size_t))
{
    struct fuzz_world *w = fuzz_world();
    for (int repaired = 0; repaired < 2; repaired++) {
        uint8_t *copy = aligned_alloc(64, (len + 64) & ~(size_t)63);
        if (!copy) return;
        memcpy(copy, data, len);
        if (repaired) reseal(copy, len, &w->prints);
        try(w, copy, len);
        free(copy);
    }
}
#endif
