// SPDX-License-Identifier: Apache-2.0
// weights.bin: mapped where it lies, checked once, never copied.
#include "internal.h"
#include "store.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const char *ck_prints_match(const struct ck_file *f, const struct ck_params *par, const struct ck_print *keys,
                            const uint8_t *model)
{
    struct ck_print p = ck_print_params(par);
    if (memcmp(&p, &f->prints.params, sizeof p))
        return "was made for other parameters, so for another model; use the files that belong to this program";
    if (keys && memcmp(keys, &f->prints.keys, sizeof *keys))
        return "belongs to another key set; use the keys it was made with";
    if (model && memcmp(model, &f->prints.model, 32))
        return "belongs to another model or another build of this one; make it again with this program";
    return NULL;
}

const char *ck_weights_load(struct ck_weights **out, struct ck_file *f, const struct ck_params *par, const uint8_t *model,
                            uint64_t bytes)
{
    const char *why = ck_prints_match(f, par, NULL, model);
    if (why) return why;
    if (f->nsections != 1 || f->section[0].tag != CK_TAG("DATA") || f->section[0].len != bytes)
        return "does not hold the weights of this program; compile the model again";
    if (f->heap) return "is not a regular file, so it cannot be mapped";
    if ((why = ck_section_check(&f->section[0]))) return why;
    struct ck_weights *w = calloc(1, sizeof *w);
    if (!w) return "out of memory";
    w->data = f->section[0].data;
    w->size = f->section[0].len;
    w->map = f->map;
    w->map_size = f->len;
    f->map = NULL;      // moved
    *out = w;
    return NULL;
}

void ck_weights_close(struct ck_weights *w)
{
    if (!w) return;
    if (w->map) munmap(w->map, w->map_size);
    free(w);
}
