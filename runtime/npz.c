// SPDX-License-Identifier: Apache-2.0
// .npz files: a zip archive of .npy members. Reading goes by the central directory (stored or deflated, with the zip64 fields
// that NumPy writes); writing stores, with zip64 fields where a size needs them and the fixed date of 1980-01-01 for reproducible
// bytes. Inflating and CRC-32 are zlib's. Format: PKWARE APPNOTE 6.3.
#include "npy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char damaged[] = "is a damaged .npz (zip) file";

static uint64_t get(const unsigned char *p, int bytes)
{
    uint64_t v = 0;
    for (int i = bytes; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static unsigned char *put(unsigned char *p, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) *p++ = (unsigned char)(v >> 8 * i);
    return p;
}

struct member {
    const unsigned char *name;
    size_t name_len;
    uint32_t method, flags, crc;
    uint64_t packed, size, local;       // bytes, bytes, offset of the local header
};

/* Sizes of 2^32-1 stand for values in the zip64 extra field, in the order size, packed, local. */
static int read_zip64(struct member *m, const unsigned char *x, size_t xn)
{
    uint64_t *wide[3] = {&m->size, &m->packed, &m->local};
    for (size_t at = 0; xn - at >= 4;) {
        size_t id = get(x + at, 2), n = get(x + at + 2, 2), p = at + 4;
        if (n > xn - p) return -1;
        if (id == 1)
            for (int i = 0; i < 3; i++) {
                if (*wide[i] != 0xffffffff) continue;
                if (at + 4 + n - p < 8) return -1;
                *wide[i] = get(x + p, 8);
                p += 8;
            }
        at += 4 + n;
    }
    return 0;
}

/* Inflates or borrows the member's bytes; *owned is what to free. */
static const char *unpack(const unsigned char **data, void **owned, const struct member *m, const unsigned char *z,
                          size_t len)
{
    *owned = NULL;
    if (m->local > len || len - m->local < 30 || memcmp(z + m->local, "PK\3\4", 4)) return damaged;
    const unsigned char *h = z + m->local;
    size_t skip = 30 + get(h + 26, 2) + get(h + 28, 2);
    if (skip > len - m->local || m->packed > len - m->local - skip) return damaged;
    if (m->flags & 1) return "is encrypted zip, which is not read";
    h += skip;
    if (m->method == 0) {
        if (m->size != m->packed) return damaged;
        *data = h;
    } else if (m->method == 8) {
        if (m->size / 1032 > m->packed + 1) return damaged;     // deflate packs at most 1032:1
        unsigned char *buf = malloc(m->size + 1);
        if (!buf) return "out of memory";
        z_stream s = {.next_in = (unsigned char *)(uintptr_t)h, .next_out = buf};
        size_t in_left = m->packed, out_left = m->size;
        int rc = inflateInit2(&s, -15);
        while (rc == Z_OK) {            // avail_* are 32 bits wide
            uInt in = in_left > 1u << 30 ? 1u << 30 : (uInt)in_left, out = out_left > 1u << 30 ? 1u << 30 : (uInt)out_left;
            s.avail_in = in;
            s.avail_out = out;
            rc = inflate(&s, Z_NO_FLUSH);
            in_left -= in - s.avail_in;
            out_left -= out - s.avail_out;
            if (rc == Z_OK && in == s.avail_in && out == s.avail_out) rc = Z_BUF_ERROR;
        }
        inflateEnd(&s);
        if (rc != Z_STREAM_END || out_left) {
            free(buf);
            return rc == Z_MEM_ERROR ? "out of memory" : damaged;
        }
        *data = *owned = buf;
    } else {
        return "uses a zip compression other than deflate";
    }
    if (crc32_z(0, *data, m->size) != m->crc) {
        free(*owned);
        *owned = NULL;
        return "is damaged (a member's checksum differs)";
    }
    return NULL;
}

/* Finds the central directory: offset, bytes and number of entries. */
static int find_directory(const unsigned char *z, size_t len, uint64_t *at, uint64_t *bytes, uint64_t *entries)
{
    if (len < 22) return -1;
    size_t e = len - 22, low = len > 65557 ? len - 65557 : 0;
    while (memcmp(z + e, "PK\5\6", 4))
        if (e-- == low) return -1;
    *entries = get(z + e + 10, 2);
    *bytes = get(z + e + 12, 4);
    *at = get(z + e + 16, 4);
    if (*entries == 0xffff || *bytes == 0xffffffff || *at == 0xffffffff) {
        if (e < 20 || memcmp(z + e - 20, "PK\6\7", 4)) return -1;
        uint64_t w = get(z + e - 12, 8);
        if (w > len || len - w < 56 || memcmp(z + w, "PK\6\6", 4)) return -1;
        *entries = get(z + w + 32, 8);
        *bytes = get(z + w + 40, 8);
        *at = get(z + w + 48, 8);
    }
    return *at > len || *bytes > len - *at || *entries > *bytes / 46 ? -1 : 0;
}

const char *ck_npz_parse(struct ck_npz *out, const void *file, size_t len)
{
    const unsigned char *z = file;
    uint64_t at, bytes, entries;
    if (find_directory(z, len, &at, &bytes, &entries)) return damaged;
    struct ck_npz r = {.name = calloc(entries + 1, sizeof *r.name), .array = calloc(entries + 1, sizeof *r.array)};
    const char *why = r.name && r.array ? NULL : "out of memory";
    uint64_t end = at + bytes;
    for (uint64_t i = 0; i < entries && !why; i++) {
        const unsigned char *c = z + at;
        if (end - at < 46 || memcmp(c, "PK\1\2", 4)) why = damaged;
        if (why) break;
        struct member m = {.name = c + 46, .name_len = get(c + 28, 2), .method = (uint32_t)get(c + 10, 2),
                           .flags = (uint32_t)get(c + 8, 2), .crc = (uint32_t)get(c + 16, 4), .packed = get(c + 20, 4),
                           .size = get(c + 24, 4), .local = get(c + 42, 4)};
        size_t xn = get(c + 30, 2), total = 46 + m.name_len + xn + get(c + 32, 2);
        if (total > end - at || read_zip64(&m, c + 46 + m.name_len, xn)) {
            why = damaged;
            break;
        }
        at += total;
        size_t n = m.name_len;
        if (n < 5 || memcmp(m.name + n - 4, ".npy", 4)) continue;   // not an array
        if (memchr(m.name, 0, n)) {
            why = damaged;
            break;
        }
        const unsigned char *data = NULL;
        void *owned;
        why = unpack(&data, &owned, &m, z, len);
        if (!why) why = ck_npy_parse(&r.array[r.count], data, m.size);
        free(owned);
        if (why) break;
        char *name = malloc(n - 3);
        if (!name) {
            ck_npy_clear(&r.array[r.count]);
            why = "out of memory";
            break;
        }
        memcpy(name, m.name, n - 4);
        name[n - 4] = 0;
        r.name[r.count++] = name;
        if (ck_npz_find(&r, name) != &r.array[r.count - 1]) why = "has two arrays of one name";
    }
    if (why) {
        ck_npz_clear(&r);
        return why;
    }
    *out = r;
    return NULL;
}

const char *ck_npz_read(struct ck_npz *out, const char *path)
{
    void *bytes;
    size_t len;
    const char *why = ck_file_slurp(&bytes, &len, path);
    if (why) return why;
    why = ck_npz_parse(out, bytes, len);
    free(bytes);
    return why;
}

const struct ck_npy *ck_npz_find(const struct ck_npz *z, const char *name)
{
    for (size_t i = 0; i < z->count; i++)
        if (!strcmp(z->name[i], name)) return &z->array[i];
    return NULL;
}

void ck_npz_clear(struct ck_npz *z)
{
    for (size_t i = 0; i < z->count; i++) {
        free(z->name[i]);
        ck_npy_clear(&z->array[i]);
    }
    free(z->name);
    free(z->array);
    *z = (struct ck_npz){0};
}

struct written {
    char head[CK_NPY_HEADER_MAX];
    size_t head_len, data_len, name_len;
    uint64_t local;
    uint32_t crc;
};

static int write_member(FILE *f, const char *name, const struct ck_npy *a, struct written *w)
{
    unsigned char h[64], *p = h;
    w->head_len = ck_npy_header(w->head, a);
    w->data_len = ck_npy_numel(a) * ck_npy_width(a->type);
    w->name_len = strlen(name);
    w->crc = (uint32_t)crc32_z(crc32_z(0, (const unsigned char *)w->head, w->head_len), a->data, w->data_len);
    uint64_t size = w->head_len + w->data_len;
    int wide = size >= 0xffffffff;
    p = put(p, 0x04034b50, 4);
    p = put(p, wide ? 45 : 20, 2);
    p = put(p, 0x0800, 2);              // names are UTF-8
    p = put(p, 0, 2);                   // stored
    p = put(p, 0x00210000, 4);          // 1980-01-01 00:00
    p = put(p, w->crc, 4);
    p = put(p, wide ? 0xffffffff : size, 4);
    p = put(p, wide ? 0xffffffff : size, 4);
    p = put(p, w->name_len + 4, 2);
    p = put(p, wide ? 20 : 0, 2);
    fwrite(h, 1, (size_t)(p - h), f);
    fwrite(name, 1, w->name_len, f);
    fwrite(".npy", 1, 4, f);
    if (wide) {
        p = put(put(put(put(h, 1, 2), 16, 2), size, 8), size, 8);
        fwrite(h, 1, (size_t)(p - h), f);
    }
    fwrite(w->head, 1, w->head_len, f);
    fwrite(a->data, 1, w->data_len, f);
    return ferror(f);
}

static void write_entry(FILE *f, const char *name, const struct written *w, uint64_t *bytes)
{
    unsigned char h[64], x[40], *p = h, *q = x + 4;
    uint64_t size = w->head_len + w->data_len;
    int wide = size >= 0xffffffff, far = w->local >= 0xffffffff;
    if (wide) q = put(put(q, size, 8), size, 8);
    if (far) q = put(q, w->local, 8);
    size_t xn = wide || far ? (size_t)(q - x) : 0;
    put(put(x, 1, 2), xn ? xn - 4 : 0, 2);
    p = put(p, 0x02014b50, 4);
    p = put(p, 3 << 8 | 45, 2);         // made by Unix
    p = put(p, xn ? 45 : 20, 2);
    p = put(p, 0x0800, 2);
    p = put(p, 0, 2);
    p = put(p, 0x00210000, 4);
    p = put(p, w->crc, 4);
    p = put(p, wide ? 0xffffffff : size, 4);
    p = put(p, wide ? 0xffffffff : size, 4);
    p = put(p, w->name_len + 4, 2);
    p = put(p, xn, 2);
    p = put(p, 0, 2 + 2 + 2);           // comment, disk, internal attributes
    p = put(p, 0644u << 16, 4);
    p = put(p, far ? 0xffffffff : w->local, 4);
    fwrite(h, 1, (size_t)(p - h), f);
    fwrite(name, 1, w->name_len, f);
    fwrite(".npy", 1, 4, f);
    fwrite(x, 1, xn, f);
    *bytes += (uint64_t)(p - h) + w->name_len + 4 + xn;
}

static void write_end(FILE *f, uint64_t count, uint64_t at, uint64_t bytes)
{
    unsigned char h[56], *p;
    int wide = count >= 0xffff || at >= 0xffffffff || bytes >= 0xffffffff;
    if (wide) {
        p = put(put(put(put(h, 0x06064b50, 4), 44, 8), 3 << 8 | 45, 2), 45, 2);
        p = put(put(put(put(put(p, 0, 8), count, 8), count, 8), bytes, 8), at, 8);
        fwrite(h, 1, (size_t)(p - h), f);
        p = put(put(put(put(h, 0x07064b50, 4), 0, 4), at + bytes, 8), 1, 4);
        fwrite(h, 1, (size_t)(p - h), f);
    }
    p = put(put(h, 0x06054b50, 4), 0, 4);
    p = put(put(p, wide ? 0xffff : count, 2), wide ? 0xffff : count, 2);
    p = put(put(put(p, wide ? 0xffffffff : bytes, 4), wide ? 0xffffffff : at, 4), 0, 2);
    fwrite(h, 1, (size_t)(p - h), f);
}

const char *ck_npz_write(const char *path, size_t count, const char *const *name, const struct ck_npy *array)
{
    struct written *w = calloc(count + 1, sizeof *w);
    if (!w) return "out of memory";
    struct ck_out_file o;
    const char *why = ck_out_open(&o, path, 0644);
    if (why) {
        free(w);
        return why;
    }
    uint64_t at = 0, bytes = 0;
    for (size_t i = 0; i < count && !why; i++) {
        if (strlen(name[i]) > 65000) why = "has an array name that is too long";
        w[i].local = at;
        errno = 0;
        if (!why && write_member(o.f, name[i], &array[i], &w[i])) why = errno ? strerror(errno) : "write failed";
        uint64_t size = w[i].head_len + w[i].data_len;
        at += 30 + w[i].name_len + 4 + (size >= 0xffffffff ? 20 : 0) + size;
    }
    for (size_t i = 0; i < count && !why; i++) write_entry(o.f, name[i], &w[i], &bytes);
    if (!why) write_end(o.f, count, at, bytes);
    free(w);
    const char *why2 = ck_out_close(&o, !why);
    return why ? why : why2;
}
