// SPDX-License-Identifier: Apache-2.0
// NumPy .npy files: a magic, a version, a header that is a Python dictionary literal with the keys descr, fortran_order and
// shape, then the elements. The header is read by a small scanner that accepts exactly what numpy.save writes and variations in
// white space; nothing is evaluated. Format: numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include "npy.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "array files are read and written in the host's order");

static const struct {
    const char *descr;
    size_t width;
} types[CK_NPY_TYPES] = {
    [CK_NPY_F2] = {"f2", 2}, [CK_NPY_F4] = {"f4", 4}, [CK_NPY_F8] = {"f8", 8}, [CK_NPY_I1] = {"i1", 1},
    [CK_NPY_I2] = {"i2", 2}, [CK_NPY_I4] = {"i4", 4}, [CK_NPY_I8] = {"i8", 8}, [CK_NPY_U1] = {"u1", 1},
    [CK_NPY_U2] = {"u2", 2}, [CK_NPY_U4] = {"u4", 4}, [CK_NPY_U8] = {"u8", 8}, [CK_NPY_B1] = {"b1", 1},
};

size_t ck_npy_width(enum ck_npy_type t)
{
    return types[t].width;
}

size_t ck_npy_numel(const struct ck_npy *a)
{
    size_t n = 1;
    for (uint32_t i = 0; i < a->rank; i++) n *= (size_t)a->dim[i];
    return n;
}

static double from_half(uint16_t h)
{
    uint64_t exp = h >> 10 & 31, frac = h & 1023, bits;
    double v;
    if (exp == 0) {
        v = (double)frac * 0x1p-24;
    } else {
        bits = (exp == 31 ? 0x7ffull : exp + 1008) << 52 | frac << 42;
        memcpy(&v, &bits, 8);
    }
    return h >> 15 ? -v : v;
}

double ck_npy_at(const struct ck_npy *a, size_t i)
{
#define AT(type) (((const type *)a->data)[i])
    switch (a->type) {
    case CK_NPY_F2: return from_half(AT(uint16_t));
    case CK_NPY_F4: return AT(float);
    case CK_NPY_F8: return AT(double);
    case CK_NPY_I1: return AT(int8_t);
    case CK_NPY_I2: return AT(int16_t);
    case CK_NPY_I4: return AT(int32_t);
    case CK_NPY_I8: return (double)AT(int64_t);
    case CK_NPY_U1: return AT(uint8_t);
    case CK_NPY_U2: return AT(uint16_t);
    case CK_NPY_U4: return AT(uint32_t);
    case CK_NPY_U8: return (double)AT(uint64_t);
    default: return AT(uint8_t) != 0;
    }
#undef AT
}

void ck_npy_clear(struct ck_npy *a)
{
    free(a->data);
    *a = (struct ck_npy){0};
}

struct scan {
    const char *p, *end;
};

static void skip_space(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t')) s->p++;
}

static bool take(struct scan *s, char c)
{
    skip_space(s);
    if (s->p == s->end || *s->p != c) return false;
    s->p++;
    return true;
}

static bool take_word(struct scan *s, const char *w)
{
    size_t n = strlen(w);
    skip_space(s);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n)) return false;
    s->p += n;
    return true;
}

/* A quoted string without escapes into buf (cap bytes with the final zero). */
static bool take_string(struct scan *s, char *buf, size_t cap)
{
    skip_space(s);
    if (s->p == s->end || (*s->p != '\'' && *s->p != '"')) return false;
    char quote = *s->p++;
    size_t n = 0;
    while (s->p < s->end && *s->p != quote && *s->p != '\\') {
        if (n + 1 == cap) return false;
        buf[n++] = *s->p++;
    }
    buf[n] = 0;
    return take(s, quote);
}

static const char *take_descr(struct scan *s, struct ck_npy *a)
{
    static const char *const other =
        "has an element type that is not read (only plain f2 f4 f8, i1 to i8, u1 to u8 and bool are)";
    char d[16];
    if (!take_string(s, d, sizeof d)) return other;     // structured types are lists
    const char *name = d;
    if (*name == '>') return "is big-endian; save it little-endian, with x.astype('<f4')";
    if (*name == '<' || *name == '|' || *name == '=') name++;
    if (!strcmp(name, "?")) name = "b1";
    for (int t = 0; t < CK_NPY_TYPES; t++)
        if (!strcmp(name, types[t].descr)) {
            a->type = (enum ck_npy_type)t;
            return NULL;
        }
    return other;
}

static const char *take_shape(struct scan *s, struct ck_npy *a)
{
    static const char *const bad = "has a damaged .npy header (shape)";
    if (!take(s, '(')) return bad;
    a->rank = 0;
    while (!take(s, ')')) {
        if (a->rank == CK_NPY_MAX_RANK) return "has more than 8 axes";
        skip_space(s);
        int64_t v = 0;
        const char *start = s->p;
        while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
            if (v > (INT64_MAX - 9) / 10) return bad;
            v = v * 10 + (*s->p++ - '0');
        }
        if (s->p == start) return bad;
        a->dim[a->rank++] = v;
        if (!take(s, ',')) {
            if (!take(s, ')')) return bad;
            break;
        }
    }
    return NULL;
}

/* The dictionary, its keys in any order. */
static const char *take_header(struct scan *s, struct ck_npy *a, bool *fortran)
{
    static const char *const bad = "has a damaged .npy header";
    unsigned seen = 0;
    if (!take(s, '{')) return bad;
    while (!take(s, '}')) {
        char key[24];
        const char *why = NULL;
        unsigned bit;
        if (!take_string(s, key, sizeof key) || !take(s, ':')) return bad;
        if (!strcmp(key, "descr")) {
            bit = 1;
            why = take_descr(s, a);
        } else if (!strcmp(key, "fortran_order")) {
            bit = 2;
            if (take_word(s, "True")) *fortran = true;
            else if (take_word(s, "False")) *fortran = false;
            else why = bad;
        } else if (!strcmp(key, "shape")) {
            bit = 4;
            why = take_shape(s, a);
        } else {
            return bad;
        }
        if (why) return why;
        if (seen & bit) return bad;
        seen |= bit;
        if (!take(s, ',')) {
            if (!take(s, '}')) return bad;
            break;
        }
    }
    skip_space(s);
    return seen == 7 && s->p == s->end ? NULL : bad;
}

/* Column-major elements to row-major. */
static void reorder(char *to, const char *from, const struct ck_npy *a, size_t n, size_t width)
{
    int64_t idx[CK_NPY_MAX_RANK] = {0};
    size_t stride[CK_NPY_MAX_RANK], at = 0;
    for (uint32_t i = 0; i < a->rank; i++) stride[i] = i ? stride[i - 1] * (size_t)a->dim[i - 1] : 1;
    for (size_t e = 0; e < n; e++) {
        memcpy(to + e * width, from + at * width, width);
        for (uint32_t i = a->rank; i-- > 0;) {
            at += stride[i];
            if (++idx[i] < a->dim[i]) break;
            at -= stride[i] * (size_t)a->dim[i];
            idx[i] = 0;
        }
    }
}

const char *ck_npy_parse(struct ck_npy *out, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;
    struct ck_npy a = {0};
    bool fortran = false;
    if (len < 10 || memcmp(b, "\x93NUMPY", 6)) return "is not a .npy array";
    if (b[6] < 1 || b[6] > 3) return "is a .npy array of an unknown version";
    size_t at = b[6] == 1 ? 10 : 12, head = b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) {
        if (len < 12) return "ends inside its header";
        head |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    }
    if (head > len - at) return "ends inside its header";
    struct scan s = {(const char *)b + at, (const char *)b + at + head};
    const char *why = take_header(&s, &a, &fortran);
    if (why) return why;
    at += head;

    size_t width = types[a.type].width, n = 1;
    bool empty = false;
    for (uint32_t i = 0; i < a.rank; i++) empty |= a.dim[i] == 0;
    for (uint32_t i = 0; i < a.rank && !empty; i++)
        if (__builtin_mul_overflow(n, (size_t)a.dim[i], &n)) return "has a shape larger than its data";
    if (empty) n = 0;
    if (n > (len - at) / width) return "is truncated: its shape needs more data than the file holds";
    if (n * width != len - at) return "holds more data than its shape needs";
    a.data = malloc(n ? n * width : 1);
    if (!a.data) return "out of memory";
    if (fortran && a.rank > 1) reorder(a.data, (const char *)b + at, &a, n, width);
    else memcpy(a.data, b + at, n * width);
    *out = a;
    return NULL;
}

const char *ck_npy_read(struct ck_npy *out, const char *path)
{
    void *bytes;
    size_t len;
    const char *why = ck_file_slurp(&bytes, &len, path);
    if (why) return why;
    why = ck_npy_parse(out, bytes, len);
    free(bytes);
    return why;
}

size_t ck_npy_header(char buf[CK_NPY_HEADER_MAX], const struct ck_npy *a)
{
    int n = 10;
    n += sprintf(buf + n, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", types[a->type].width == 1 ? '|' : '<',
                 types[a->type].descr);
    for (uint32_t i = 0; i < a->rank; i++)
        n += sprintf(buf + n, "%s%lld", i ? ", " : "", (long long)a->dim[i]);
    n += sprintf(buf + n, "%s), }", a->rank == 1 ? "," : "");
    while ((n + 1) % 64) buf[n++] = ' ';
    buf[n++] = '\n';
    memcpy(buf, "\x93NUMPY\x01\x00", 8);
    buf[8] = (char)((n - 10) & 255);
    buf[9] = (char)((n - 10) >> 8);
    return (size_t)n;
}

const char *ck_npy_write(const char *path, const struct ck_npy *a)
{
    struct ck_out_file o;
    char head[CK_NPY_HEADER_MAX];
    const char *why = ck_out_open(&o, path, 0644);
    if (why) return why;
    size_t hn = ck_npy_header(head, a), n = ck_npy_numel(a) * types[a->type].width;
    errno = 0;
    if (fwrite(head, 1, hn, o.f) != hn || fwrite(a->data, 1, n, o.f) != n) why = errno ? strerror(errno) : "write failed";
    const char *why2 = ck_out_close(&o, !why);
    return why ? why : why2;
}

const char *ck_array_read(struct ck_npy *out, const char *path, const char *member)
{
    void *bytes;
    size_t len, pl = strlen(path);
    const char *why = ck_file_slurp(&bytes, &len, path);
    if (why) return why;
    if (len >= 6 && !memcmp(bytes, "\x93NUMPY", 6)) {
        why = ck_npy_parse(out, bytes, len);
    } else if (len >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4))) {
        struct ck_npz z;
        why = ck_npz_parse(&z, bytes, len);
        if (!why) {
            struct ck_npy *a = NULL;
            for (size_t i = 0; i < z.count; i++)
                if (member ? !strcmp(z.name[i], member) : z.count == 1) a = &z.array[i];
            if (a) {
                *out = *a;
                a->data = NULL;
            } else {
                why = member ? "has no array of that name" : "does not hold exactly one array; say which by name";
            }
            ck_npz_clear(&z);
        }
    } else if (pl > 3 && !strcmp(path + pl - 3, ".pb")) {
        why = ck_npy_parse_pb(out, bytes, len);
    } else {
        why = "is neither .npy, .npz nor a TensorProto .pb";
    }
    free(bytes);
    return why;
}
