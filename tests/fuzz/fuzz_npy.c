// SPDX-License-Identifier: Apache-2.0
// Any bytes as .npy, .npz or TensorProto: refused, or an array whose every element can be read and whose .npy form reads back equal.
#include "npy.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static volatile double sink;

/* Writes the array in memory and reads it again. */
static void round_trip(const struct ck_npy *a)
{
    char head[CK_NPY_HEADER_MAX];
    size_t n = ck_npy_numel(a), bytes = n * ck_npy_width(a->type), hn = ck_npy_header(head, a);
    char *image = malloc(hn + bytes);
    struct ck_npy b;
    if (!image) return;
    memcpy(image, head, hn);
    memcpy(image + hn, a->data, bytes);
    if (ck_npy_parse(&b, image, hn + bytes)) abort();
    if (b.type != a->type || b.rank != a->rank || memcmp(b.dim, a->dim, a->rank * sizeof *a->dim) || memcmp(b.data, a->data, bytes))
        abort();
    ck_npy_clear(&b);
    free(image);
}

static void use(struct ck_npy *a)
{
    double sum = 0;
    for (size_t i = 0, n = ck_npy_numel(a); i < n; i++) sum += ck_npy_at(a, i);
    sink = sum;
    round_trip(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct ck_npy a;
    struct ck_npz z;
    if (!ck_npy_parse(&a, data, len)) {
        use(&a);
        ck_npy_clear(&a);
    }
    if (!ck_npy_parse_pb(&a, data, len)) {
        use(&a);
        ck_npy_clear(&a);
    }
    if (!ck_npz_parse(&z, data, len)) {
        for (size_t i = 0; i < z.count; i++) {
            if (ck_npz_find(&z, z.name[i]) != &z.array[i]) abort();
            use(&z.array[i]);
        }
        ck_npz_clear(&z);
    }
    return 0;
}
