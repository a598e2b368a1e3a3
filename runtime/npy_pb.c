// SPDX-License-Identifier: Apache-2.0
// ONNX TensorProto, the format of the test data that comes with ONNX models, by a reader of the protobuf wire format that knows
// this one message. Fields: 1 dims, 2 data_type, 4 float_data, 5 int32_data, 7 int64_data, 9 raw_data, 10 double_data,
// 11 uint64_data, 14 data_location; packed or not. Format: onnx.proto; protobuf.dev/programming-guides/encoding
#include "npy.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char damaged[] = "is not a TensorProto, or a damaged one";

struct wire {
    const unsigned char *p, *end;
};

static bool varint(struct wire *w, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; shift < 64 && w->p < w->end; shift += 7) {
        unsigned char c = *w->p++;
        *v |= (uint64_t)(c & 127) << shift;
        if (c < 128) return true;
    }
    return false;
}

/* The next field: number, wire type and, for types 0, 1, 5, its value, for type 2 its bytes. */
static bool field(struct wire *w, uint32_t *number, uint32_t *type, uint64_t *v, struct wire *sub)
{
    uint64_t key;
    if (!varint(w, &key)) return false;
    *number = (uint32_t)(key >> 3);
    *type = key & 7;
    *v = 0;
    size_t left = (size_t)(w->end - w->p), n = *type == 1 ? 8 : 4;
    switch (*type) {
    case 0: return varint(w, v);
    case 2:
        if (!varint(w, v) || *v > (uint64_t)(w->end - w->p)) return false;
        *sub = (struct wire){w->p, w->p + *v};
        w->p = sub->end;
        return true;
    case 1:
    case 5:
        if (left < n) return false;
        memcpy(v, w->p, n);
        w->p += n;
        return true;
    default: return false;
    }
}

/* Elements of a repeated numeric field, one occurrence: stored from *n on (out NULL: counted only). `width` bytes of each value are
 * kept; fixed is the wire width of one packed value (0: varint). */
static bool values(char *out, size_t *n, size_t cap, size_t width, size_t fixed, uint32_t type, uint64_t v, struct wire sub)
{
    if (type != 2) {
        if (type != (fixed == 8 ? 1u : fixed == 4 ? 5u : 0u)) return false;
        if (*n >= cap) return false;
        if (out) memcpy(out + *n * width, &v, width);
        ++*n;
        return true;
    }
    while (sub.p < sub.end) {
        if (fixed) {
            if ((size_t)(sub.end - sub.p) < fixed) return false;
            v = 0;
            memcpy(&v, sub.p, fixed);
            sub.p += fixed;
        } else if (!varint(&sub, &v)) {
            return false;
        }
        if (*n >= cap) return false;
        if (out) memcpy(out + *n * width, &v, width);
        ++*n;
    }
    return true;
}

const char *ck_npy_parse_pb(struct ck_npy *out, const void *bytes, size_t len)
{
    // data_type -> element type, number of the field that holds typed data, wire width of it.
    static const struct {
        uint8_t known, type, number, fixed;
    } kinds[14] = {
        [1] = {1, CK_NPY_F4, 4, 4}, [2] = {1, CK_NPY_U1, 5, 0},  [3] = {1, CK_NPY_I1, 5, 0},
        [4] = {1, CK_NPY_U2, 5, 0}, [5] = {1, CK_NPY_I2, 5, 0},  [6] = {1, CK_NPY_I4, 5, 0},
        [7] = {1, CK_NPY_I8, 7, 0}, [9] = {1, CK_NPY_B1, 5, 0},  [10] = {1, CK_NPY_F2, 5, 0},
        [11] = {1, CK_NPY_F8, 10, 8}, [12] = {1, CK_NPY_U4, 11, 0}, [13] = {1, CK_NPY_U8, 11, 0},
    };
    struct wire w = {bytes, (const unsigned char *)bytes + len}, sub = {0}, raw = {0};
    struct ck_npy a = {0};
    uint32_t number, type;
    uint64_t v, kind = 0, location = 0;
    size_t rank = 0;
    while (w.p < w.end) {
        if (!field(&w, &number, &type, &v, &sub)) return damaged;
        if (number == 1 && !values((char *)a.dim, &rank, CK_NPY_MAX_RANK, 8, 0, type, v, sub))
            return rank == CK_NPY_MAX_RANK ? "has more than 8 axes" : damaged;
        if (number == 2 && type == 0) kind = v;
        if (number == 9 && type == 2) raw = sub;
        if (number == 14 && type == 0) location = v;
    }
    if (location) return "keeps its data in another file, which is not read here";
    if (kind == 0 && !raw.p) return damaged;
    if (kind >= 14 || !kinds[kind].known) return "has an element type that is not read (only real numbers and bool are)";
    a.rank = (uint32_t)rank;
    a.type = (enum ck_npy_type)kinds[kind].type;

    size_t width = ck_npy_width(a.type), n = 1, got = 0;
    bool empty = false;
    for (uint32_t i = 0; i < a.rank; i++) {
        if (a.dim[i] < 0) return damaged;
        empty |= a.dim[i] == 0;
    }
    for (uint32_t i = 0; i < a.rank && !empty; i++)
        if (__builtin_mul_overflow(n, (size_t)a.dim[i], &n)) return "has a shape larger than its data";
    if (empty) n = 0;
    if (n > len) return "has a shape larger than its data";       // an element takes at least one byte
    a.data = malloc(n ? n * width : 1);
    if (!a.data) return "out of memory";
    bool fits = true;
    if (raw.p) {
        fits = (size_t)(raw.end - raw.p) == n * width;
        if (fits) memcpy(a.data, raw.p, n * width);
    } else {
        w.p = bytes;
        while (fits && w.p < w.end && field(&w, &number, &type, &v, &sub))
            if (number == kinds[kind].number) fits = values(a.data, &got, n, width, kinds[kind].fixed, type, v, sub);
        fits = fits && got == n;
    }
    if (!fits) {
        free(a.data);
        return "holds other data than its shape needs";
    }
    *out = a;
    return NULL;
}
