// SPDX-License-Identifier: Apache-2.0
// The container of keys, ciphertexts and weights (file.h, docs/FORMATS.md). Little-endian throughout:
//   0 magic (8)   8 version (4)   12 kind (4)   16 file length (8)   24 sections (4)   28 alignment (4)
//   32 fingerprints: parameters, model, keys (3 x 32)
//   128 + 32 i  section i: tag (4), CRC-32 (4), a (4), b (4), offset (8), length (8)
//   128 + 32 sections  CRC-32 of everything before (4)
// A section starts at the first multiple of the alignment after what precedes it and the file ends with the last one, so the table leaves
// no freedom: an offset that differs is damage.
#include "file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static const uint8_t magic[8] = {0x89, 'T', 'A', 'C', 'E', 'T', '\r', '\n'};    // \r\n shows text-mode copies
enum { HEAD = 128, ENTRY = 32 };

static uint64_t get(const uint8_t *p, int bytes)
{
    uint64_t v = 0;
    memcpy(&v, p, (size_t)bytes);
    return v;
}

static void put(uint8_t *p, uint64_t v, int bytes)
{
    memcpy(p, &v, (size_t)bytes);
}

static uint64_t round_up(uint64_t x, uint64_t align)
{
    return (x + align - 1) & ~(align - 1);
}

struct ck_print ck_print_params(const struct ck_params *p)
{
    struct ck_print f;
    const uint32_t head[7] = {p->logn, p->log_slots, p->nq, p->np, p->alpha, p->security, p->nclass};
    const struct ck_span span[4] = {{head, sizeof head}, {p->classes, p->nclass * sizeof *p->classes}, {p->q, p->nq * 8ul}, {p->p, p->np * 8ul}};
    ck_sha256(f.b, 4, span);
    return f;
}

// Evaluation keys of version 1 were not in Montgomery form.
static uint64_t version_of(uint64_t kind)
{
    return kind == CK_KIND_EVAL ? 2 : 1;
}

static const char *kind_name(uint32_t kind)
{
    switch (kind) {
    case CK_KIND_SECRET: return "is a secret key file, which does not belong here";
    case CK_KIND_EVAL: return "is an evaluation key file (eval.keys), which does not belong here";
    case CK_KIND_CIPHERTEXT: return "is a ciphertext file, which does not belong here";
    case CK_KIND_WEIGHTS: return "is a weights file, which does not belong here";
    default: return "is a tacet file of an unknown kind";
    }
}

const char *ck_file_parse(struct ck_file *out, const void *bytes, size_t len, enum ck_kind kind)
{
    const uint8_t *b = bytes;
    if (len < 8 || memcmp(b, magic, 6)) return len ? "is not a tacet file" : "is empty";
    if (memcmp(b, magic, 8)) return "was changed in transfer (line ends); copy it in binary mode";
    if (len < HEAD + 4) return "is truncated";
    if (get(b + 8, 4) != version_of(get(b + 12, 4))) return "has a format version that this program does not know; make it anew";
    uint64_t n = get(b + 24, 4), align = get(b + 28, 4), total = get(b + 16, 8), pos = HEAD + n * ENTRY;
    if (n > CK_FILE_SECTIONS_MAX) return "is damaged (header)";
    if (len < pos + 4) return "is truncated";
    if (crc32_z(0, b, pos) != get(b + pos, 4)) return "is damaged (header checksum)";
    if (get(b + 12, 4) != kind) return kind_name((uint32_t)get(b + 12, 4));
    if (align != 64 && align != 4096) return "is damaged (header)";
    if (len < total) return "is truncated";
    if (len > total) return "has bytes after its end";
    struct ck_section *s = calloc(n + 1, sizeof *s);
    if (!s) return "out of memory";
    pos += 4;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *e = b + HEAD + i * ENTRY;
        uint64_t at = get(e + 16, 8), size = get(e + 24, 8);
        pos = round_up(pos, align);
        if (at != pos || at > len || size > len - at) {
            free(s);
            return "is damaged (section table)";
        }
        s[i] = (struct ck_section){.tag = (uint32_t)get(e, 4), .crc = (uint32_t)get(e + 4, 4),
                                   .a = (int32_t)get(e + 8, 4), .b = (uint32_t)get(e + 12, 4), .data = b + at, .len = size};
        pos = at + size;
    }
    if (pos != len) {
        free(s);
        return "is damaged (section table)";
    }
    *out = (struct ck_file){.kind = kind, .nsections = (uint32_t)n, .section = s, .len = len};
    memcpy(&out->prints, b + 32, 96);
    return NULL;
}

const char *ck_file_open(struct ck_file *out, const char *path, enum ck_kind kind)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return strerror(errno);
    void *map = MAP_FAILED, *heap = NULL;
    size_t len = 0;
    const char *why = NULL;
    if (fstat(fd, &st) != 0) {
        why = strerror(errno);
    } else if (S_ISREG(st.st_mode)) {
        len = (size_t)st.st_size;
        if (len) map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (len && map == MAP_FAILED) why = strerror(errno);
    } else {
        why = ck_file_slurp(&heap, &len, path);
    }
    close(fd);
    if (!why) why = ck_file_parse(out, heap ? heap : map, len, kind);
    if (why) {
        if (map != MAP_FAILED) munmap(map, len);
        free(heap);
        return why;
    }
    out->map = map == MAP_FAILED ? NULL : map;
    out->heap = heap;
    return NULL;
}

void ck_file_close(struct ck_file *f)
{
    free(f->section);
    if (f->map) munmap(f->map, f->len);
    free(f->heap);
    *f = (struct ck_file){0};
}

const char *ck_section_check(const struct ck_section *s)
{
    return crc32_z(0, s->data, s->len) == s->crc ? NULL : "is damaged (checksum)";
}

void ck_section_done(const struct ck_file *f, const struct ck_section *s)
{
    uintptr_t from = round_up((uintptr_t)s->data, 4096), to = ((uintptr_t)s->data + s->len) & ~(uintptr_t)4095;
    if (f->map && from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

const char *ck_writer_open(struct ck_writer *w, const char *path, unsigned mode, enum ck_kind kind, uint32_t align,
                           uint32_t nsections, const struct ck_prints *prints)
{
    *w = (struct ck_writer){.align = align, .nsections = nsections, .pos = HEAD + (uint64_t)nsections * ENTRY + 4};
    if (nsections > CK_FILE_SECTIONS_MAX) return "needs too many sections";
    w->head = calloc(1, w->pos);
    if (!w->head) return "out of memory";
    memcpy(w->head, magic, 8);
    put(w->head + 8, version_of(kind), 4);
    put(w->head + 12, kind, 4);
    put(w->head + 24, nsections, 4);
    put(w->head + 28, align, 4);
    memcpy(w->head + 32, prints, 96);
    w->why = ck_out_open(&w->out, path, mode);
    if (!w->why && !w->out.tmp) {       // the header is written last, by seeking back
        ck_out_close(&w->out, 0);
        w->why = "is not a regular file, so it cannot be written";
    }
    if (w->why) {
        free(w->head);
        w->head = NULL;
    } else if (fseek(w->out.f, (long)w->pos, SEEK_SET) != 0) {
        w->why = strerror(errno);
    }
    return w->head ? NULL : w->why;
}

static void end_section(struct ck_writer *w)
{
    if (!w->at) return;
    uint8_t *e = w->head + HEAD + (size_t)(w->at - 1) * ENTRY;
    put(e + 4, w->crc, 4);
    put(e + 16, w->start, 8);
    put(e + 24, w->pos - w->start, 8);
}

static void put_raw(struct ck_writer *w, const void *data, size_t len)
{
    if (w->why) return;
    errno = 0;
    if (fwrite(data, 1, len, w->out.f) != len) w->why = errno ? strerror(errno) : "write failed";
    w->pos += len;
}

void ck_writer_section(struct ck_writer *w, uint32_t tag, int32_t a, uint32_t b)
{
    static const uint8_t zero[4096];
    end_section(w);
    if (w->at == w->nsections) {
        if (!w->why) w->why = "got more sections than announced";
        return;
    }
    put_raw(w, zero, (size_t)(round_up(w->pos, w->align) - w->pos));
    uint8_t *e = w->head + HEAD + (size_t)w->at++ * ENTRY;
    put(e, tag, 4);
    put(e + 8, (uint32_t)a, 4);
    put(e + 12, b, 4);
    w->start = w->pos;
    w->crc = 0;
}

void ck_writer_put(struct ck_writer *w, const void *data, size_t len)
{
    w->crc = (uint32_t)crc32_z(w->crc, data, len);
    put_raw(w, data, len);
}

const char *ck_writer_close(struct ck_writer *w, int keep)
{
    end_section(w);
    if (!w->why && keep && w->at != w->nsections) w->why = "got fewer sections than announced";
    if (!w->why && keep) {
        size_t n = HEAD + (size_t)w->nsections * ENTRY;
        put(w->head + 16, w->pos, 8);
        put(w->head + n, crc32_z(0, w->head, n), 4);
        if (fseek(w->out.f, 0, SEEK_SET) != 0) w->why = strerror(errno);
        else put_raw(w, w->head, n + 4);
    }
    free(w->head);
    w->head = NULL;
    const char *why = ck_out_close(&w->out, keep && !w->why);
    return w->why ? w->why : why;
}
