// SPDX-License-Identifier: Apache-2.0
// The container of keys, ciphertexts and weights: a header with magic, version, kind, three fingerprints and a table of sections, each
// with its length and checksum; then the sections. docs/FORMATS.md has the bytes. Depends on libc, zlib (CRC-32) and, for
// ck_sha256, libcrypto; the compiler side may include it to write weights.bin (docs/design/0002-arrays.md).
//
// Errors as in npy.h: NULL, or a sentence without the file's name.
#ifndef CK_FILE_H
#define CK_FILE_H

#include "npy.h"
#include "params.h"
#include <stddef.h>
#include <stdint.h>

enum ck_kind { CK_KIND_SECRET = 1, CK_KIND_EVAL, CK_KIND_CIPHERTEXT, CK_KIND_WEIGHTS };
enum { CK_FILE_SECTIONS_MAX = 1 << 20 };

/* 32 bytes that are equal for equal things; all zero where a kind of file has none. */
struct ck_print {
    uint8_t b[32];
};
struct ck_prints {
    struct ck_print params;     // ck_print_params
    struct ck_print model;      // struct ck_model's fingerprint; zero in key files
    struct ck_print keys;       // of the key set; zero in weights files
};
struct ck_print ck_print_params(const struct ck_params *);

struct ck_span {
    const void *data;
    size_t len;
};
/* Of the spans one after another. All zero if libcrypto finds no memory. */
void ck_sha256(uint8_t out[32], size_t count, const struct ck_span *);

struct ck_section {
    uint32_t tag;               // what it holds, ck_tag()
    uint32_t crc;               // CRC-32 of the data
    int32_t a;                  // meaning depends on the tag
    uint32_t b;
    const uint8_t *data;        // borrowed from the file; aligned to the file's alignment
    uint64_t len;               // bytes
};
#define CK_TAG(s) ((uint32_t)(s)[0] | (uint32_t)(s)[1] << 8 | (uint32_t)(s)[2] << 16 | (uint32_t)(s)[3] << 24)

/* Reading. The file is mapped, not copied; a pipe is read into memory. The header, its checksum, the table and the file's exact
 * length are checked when opened, a section's checksum by ck_section_check before it is used. */
struct ck_file {
    enum ck_kind kind;
    struct ck_prints prints;
    uint32_t nsections;
    struct ck_section *section; // own
    void *map, *heap;           // own; at most one is set
    size_t len;
};
const char *ck_file_parse(struct ck_file *out, const void *bytes, size_t len, enum ck_kind);   // borrows bytes, 8-byte aligned
const char *ck_file_open(struct ck_file *out, const char *path, enum ck_kind);
void ck_file_close(struct ck_file *);
const char *ck_section_check(const struct ck_section *);
void ck_section_done(const struct ck_file *, const struct ck_section *);   // its pages may leave memory

/* Writing, in one pass, to a temporary name that ck_writer_close renames; on any error nothing is left behind. Errors stick and are
 * returned by close, so the calls between need no checks. */
struct ck_writer {
    struct ck_out_file out;
    const char *why;            // first error
    uint8_t *head;              // own
    uint32_t align, nsections, at;
    uint64_t pos;               // bytes written
    uint32_t crc;
    uint64_t start;
};
/* align: 64, or 4096 for files that are used where they are mapped. nsections: exactly as many sections will follow. */
const char *ck_writer_open(struct ck_writer *, const char *path, unsigned mode, enum ck_kind, uint32_t align,
                           uint32_t nsections, const struct ck_prints *);
void ck_writer_section(struct ck_writer *, uint32_t tag, int32_t a, uint32_t b);       // ends the one before
void ck_writer_put(struct ck_writer *, const void *data, size_t len);
const char *ck_writer_close(struct ck_writer *, int keep);     // keep 0: give up, remove

/* weights.bin: prints.params and prints.model, one section "DATA" that ck_pt_ref offsets count from; alignment 4096. */
#endif
