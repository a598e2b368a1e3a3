// SPDX-License-Identifier: Apache-2.0
// TensorProto to constants: raw, typed and external data. Sizes are checked against the bytes that are there before anything
// is allocated, so that a tensor never takes more memory than eight times its data.

#include "load.h"
#include "../compiler/diag.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool type_is_int(int32_t t)
{
    return t != DT(FLOAT) && t != DT(DOUBLE) && t != DT(FLOAT16) && t != DT(BFLOAT16);
}

const char *type_name(int32_t t)
{
    static const char *const name[] = {"undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool",
                                       "float16", "double", "uint32", "uint64", "complex64", "complex128", "bfloat16"};
    return t >= 0 && t < (int32_t)(sizeof name / sizeof *name) ? name[t] : "unknown";
}

/* Bytes of an element in raw data; 0: a type that is not read. */
static size_t elem_size(int32_t t)
{
    switch (t) {
    case DT(BOOL): case DT(INT8): case DT(UINT8): return 1;
    case DT(FLOAT16): case DT(BFLOAT16): case DT(INT16): case DT(UINT16): return 2;
    case DT(FLOAT): case DT(INT32): case DT(UINT32): return 4;
    case DT(DOUBLE): case DT(INT64): case DT(UINT64): return 8;
    default: return 0;
    }
}

static double half_to_double(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
    return h >> 15 ? -v : v;
}

static double bfloat_to_double(uint16_t h)
{
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Element i of little-endian raw data. */
static void raw_get(struct ctensor *c, int64_t i, const uint8_t *p)
{
    size_t size = elem_size(c->type);
    uint64_t u = 0;
    for (size_t k = 0; k < size; k++)
        u |= (uint64_t)p[k] << (8 * k);
    uint32_t u32 = (uint32_t)u;
    float f;
    switch (c->type) {
    case DT(FLOAT): memcpy(&f, &u32, 4); c->f[i] = f; break;
    case DT(DOUBLE): memcpy(&c->f[i], &u, 8); break;
    case DT(FLOAT16): c->f[i] = half_to_double((uint16_t)u); break;
    case DT(BFLOAT16): c->f[i] = bfloat_to_double((uint16_t)u); break;
    case DT(BOOL): c->i[i] = u != 0; break;
    case DT(INT8): c->i[i] = (int8_t)u; break;
    case DT(INT16): c->i[i] = (int16_t)u; break;
    case DT(INT32): c->i[i] = (int32_t)u; break;
    default: c->i[i] = (int64_t)u; break;
    }
}

/* Element i of the typed fields; int32_data holds the small integers and the bits of the 16-bit floats. */
static void typed_get(struct ctensor *c, int64_t i, const Onnx__TensorProto *t)
{
    switch (c->type) {
    case DT(FLOAT): c->f[i] = t->float_data[i]; break;
    case DT(DOUBLE): c->f[i] = t->double_data[i]; break;
    case DT(FLOAT16): c->f[i] = half_to_double((uint16_t)t->int32_data[i]); break;
    case DT(BFLOAT16): c->f[i] = bfloat_to_double((uint16_t)t->int32_data[i]); break;
    case DT(INT64): c->i[i] = t->int64_data[i]; break;
    case DT(UINT32): case DT(UINT64): c->i[i] = (int64_t)t->uint64_data[i]; break;
    default: c->i[i] = t->int32_data[i]; break;
    }
}

static size_t typed_count(const Onnx__TensorProto *t)
{
    switch (t->data_type) {
    case DT(FLOAT): return t->n_float_data;
    case DT(DOUBLE): return t->n_double_data;
    case DT(INT64): return t->n_int64_data;
    case DT(UINT32): case DT(UINT64): return t->n_uint64_data;
    default: return t->n_int32_data;
    }
}

static const char *external_get(const Onnx__TensorProto *t, const char *key)
{
    for (size_t i = 0; i < t->n_external_data; i++)
        if (t->external_data[i]->key && !strcmp(t->external_data[i]->key, key))
            return t->external_data[i]->value;
    return NULL;
}

static int parse_offset(const char *text, int64_t def, int64_t *v)
{
    if (!text || !*text) {
        *v = def;
        return 0;
    }
    char *end;
    errno = 0;
    long long x = strtoll(text, &end, 10);
    *v = x;
    return errno || *end || x < 0 ? -1 : 0;
}

/* The file of external data, opened; it must lie in or below the directory of the model. */
static int external_open(const char *where, const char *dir, const char *location)
{
    char base[PATH_MAX], full[PATH_MAX];
    if (!dir) {
        diag_error(where, "its data is in the external file \"%s\", which cannot be read here", location);
        return -1;
    }
    bool climbs = location[0] == '/' || location[0] == 0;
    for (const char *p = location; *p; p++)
        climbs |= (p == location || p[-1] == '/') && p[0] == '.' && p[1] == '.' && (p[2] == '/' || p[2] == 0);
    int n = snprintf(full, sizeof full, "%s/%s", *dir ? dir : ".", location);
    if (climbs || n < 0 || (size_t)n >= sizeof full) {
        diag_error(where, "the external data location \"%s\" leaves the model's directory", location);
        return -1;
    }
    char real[PATH_MAX];
    struct stat st;
    if (!realpath(*dir ? dir : ".", base) || !realpath(full, real)) {
        diag_error(where, "external data file \"%s\": %s", full, strerror(errno));
        return -1;
    }
    size_t blen = strlen(base);
    if (strncmp(real, base, blen) || (real[blen] != '/' && strcmp(base, "/"))) {
        diag_error(where, "the external data file \"%s\" leads out of the model's directory", full);
        return -1;
    }
    int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        diag_error(where, "external data file \"%s\": %s", full, fd < 0 ? strerror(errno) : "not a regular file");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* malloc'd bytes of external data, exactly `want` of them. */
static uint8_t *external_read(const char *where, const char *dir, const Onnx__TensorProto *t, size_t want)
{
    const char *location = external_get(t, "location");
    int64_t offset, length;
    if (!location) {
        diag_error(where, "external data without a location");
        return NULL;
    }
    if (parse_offset(external_get(t, "offset"), 0, &offset) || parse_offset(external_get(t, "length"), (int64_t)want, &length) ||
        (uint64_t)length != want) {
        diag_error(where, "external data of a wrong length or offset (the shape needs %zu bytes)", want);
        return NULL;
    }
    int fd = external_open(where, dir, location);
    if (fd < 0)
        return NULL;
    struct stat st;
    uint8_t *buf = NULL;
    if (fstat(fd, &st) || offset > st.st_size || (uint64_t)(st.st_size - offset) < want) {
        diag_error(where, "external data file \"%s\" is too short: %zu bytes wanted at offset %lld", location, want, (long long)offset);
    } else if (!(buf = malloc(want ? want : 1))) {
        diag_error(where, "out of memory for %zu bytes", want);
    } else {
        for (size_t got = 0; got < want;) {
            ssize_t r = pread(fd, buf + got, want - got, offset + (off_t)got);
            if (r <= 0) {
                diag_error(where, "external data file \"%s\": %s", location, r ? strerror(errno) : "ends early");
                free(buf);
                buf = NULL;
                break;
            }
            got += (size_t)r;
        }
    }
    close(fd);
    return buf;
}

struct ctensor *tensor_decode(struct arena *a, const char *where, const char *dir, const Onnx__TensorProto *t)
{
    size_t size = elem_size(t->data_type);
    if (!size) {
        diag_error(where, "tensor of type %s is not supported", type_name(t->data_type));
        return NULL;
    }
    if (t->n_dims > IR_MAX_RANK || t->segment) {
        diag_error(where, t->segment ? "segmented tensors are not supported" : "tensor of more than %d axes", IR_MAX_RANK);
        return NULL;
    }
    struct shape s = {.rank = (uint32_t)t->n_dims};
    int64_t numel = 1;
    for (uint32_t i = 0; i < s.rank; i++) {
        s.dim[i] = t->dims[i];
        if (s.dim[i] < 0 || __builtin_mul_overflow(numel, s.dim[i], &numel) || numel > INT32_MAX) {
            diag_error(where, "tensor with an impossible dimension (%lld)", (long long)t->dims[i]);
            return NULL;
        }
    }
    bool external = t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    size_t want = (size_t)numel * size;
    const uint8_t *raw = NULL;
    uint8_t *own = NULL;
    if (external) {
        if (!(own = external_read(where, dir, t, want)))
            return NULL;
        raw = own;
    } else if (t->has_raw_data) {
        raw = t->raw_data.data;
        if (t->raw_data.len != want) {
            diag_error(where, "tensor data of %zu bytes, its shape %s needs %zu", t->raw_data.len, shape_print(a, &s), want);
            return NULL;
        }
    } else if (typed_count(t) != (size_t)numel) {
        diag_error(where, "tensor data of %zu elements, its shape %s needs %lld", typed_count(t), shape_print(a, &s), (long long)numel);
        return NULL;
    }
    struct ctensor *c = ARENA_NEW(a, struct ctensor);
    c->name = safe_text(a, t->name ? t->name : "");
    c->type = t->data_type;
    c->is_int = type_is_int(c->type);
    c->s = s;
    c->numel = numel;
    c->f = ARENA_ARRAY(a, double, numel ? numel : 1);
    for (int64_t i = 0; i < numel; i++) {
        if (raw)
            raw_get(c, i, raw + (size_t)i * size);
        else
            typed_get(c, i, t);
    }
    free(own);
    return c;
}

struct onnx_tensor *onnx_tensor_read(struct arena *a, const char *where, const uint8_t *bytes, size_t len)
{
    Onnx__TensorProto *t = proto_tensor(where, bytes, len);
    struct ctensor *c = t ? tensor_decode(a, where, NULL, t) : NULL;
    if (t)
        onnx__tensor_proto__free_unpacked(t, NULL);
    if (!c)
        return NULL;
    struct onnx_tensor *r = ARENA_NEW(a, struct onnx_tensor);
    r->name = c->name;
    r->type = c->type;
    r->rank = c->s.rank;
    memcpy(r->dim, c->s.dim, sizeof r->dim);
    r->numel = c->numel;
    r->data = ARENA_ARRAY(a, double, c->numel ? c->numel : 1);
    for (int64_t i = 0; i < c->numel; i++)
        r->data[i] = const_at(c, i);
    return r;
}
