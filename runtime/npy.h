// SPDX-License-Identifier: Apache-2.0
// Array files: NumPy .npy and .npz, ONNX TensorProto .pb. Depends on libc and zlib only, nothing of the runtime; the compiler side
// may include it too (docs/design/0002-arrays.md).
//
// Errors: functions that can fail return NULL on success, else a sentence without file name or full stop (a static string,
// or strerror's; valid until the thread's next call into this header). Outputs are untouched on error.
#ifndef CK_NPY_H
#define CK_NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CK_NPY_MAX_RANK = 8 };

/* NumPy's letters: f float, i int, u unsigned int, b bool; the digit counts bytes. */
enum ck_npy_type {
    CK_NPY_F2, CK_NPY_F4, CK_NPY_F8, CK_NPY_I1, CK_NPY_I2, CK_NPY_I4, CK_NPY_I8,
    CK_NPY_U1, CK_NPY_U2, CK_NPY_U4, CK_NPY_U8, CK_NPY_B1, CK_NPY_TYPES
};

/* A dense array in row-major order, whatever the order in the file. */
struct ck_npy {
    enum ck_npy_type type;
    uint32_t rank;                      // 0: a scalar, one element
    int64_t dim[CK_NPY_MAX_RANK];       // each >= 0
    void *data;                         // own (malloc) when read; borrowed when written
};

size_t ck_npy_width(enum ck_npy_type);                  // bytes of an element
size_t ck_npy_numel(const struct ck_npy *);
double ck_npy_at(const struct ck_npy *, size_t i);      // element i as double; 64-bit integers round
void ck_npy_clear(struct ck_npy *);                     // frees data

/* One .npy image in memory; len is exact: neither missing nor trailing bytes are accepted. Versions 1 to 3, both orders,
 * little-endian, plain element types. */
const char *ck_npy_parse(struct ck_npy *out, const void *bytes, size_t len);
const char *ck_npy_read(struct ck_npy *out, const char *path);

/* Version 1.0, C order. To a temporary name beside `path`, synced, then renamed: on error nothing new is left. */
const char *ck_npy_write(const char *path, const struct ck_npy *);

/* The header of such a file into buf, with the magic; returns its length, a multiple of 64. */
enum { CK_NPY_HEADER_MAX = 320 };
size_t ck_npy_header(char buf[CK_NPY_HEADER_MAX], const struct ck_npy *);

/* One serialised ONNX TensorProto, raw or typed data, of the element types above. */
const char *ck_npy_parse_pb(struct ck_npy *out, const void *bytes, size_t len);

/* .npz: named arrays in a zip file. Entries keep the file's order; names are unique and lack the ".npy". */
struct ck_npz {
    size_t count;
    char **name;                        // own
    struct ck_npy *array;               // own
};
const char *ck_npz_parse(struct ck_npz *out, const void *bytes, size_t len);    // stored or deflated members, zip64
const char *ck_npz_read(struct ck_npz *out, const char *path);
const struct ck_npy *ck_npz_find(const struct ck_npz *, const char *name);      // borrowed; NULL if absent
void ck_npz_clear(struct ck_npz *);

/* Writes `count` arrays, stored, without dates: the same arrays give the same bytes. Temporary name and rename as above. */
const char *ck_npz_write(const char *path, size_t count, const char *const *name, const struct ck_npy *array);

/* Reads one array from a .npy, .npz or .pb file, told apart by content. `member` picks an array of an .npz; NULL wants the
 * only one. For the other kinds it is ignored. */
const char *ck_array_read(struct ck_npy *out, const char *path, const char *member);

/* For readers of other formats: the whole file (malloc'd, own). */
const char *ck_file_slurp(void **out, size_t *len, const char *path);

/* For writers of other formats: a stream on a temporary name beside `path`, mode `mode`; close renames it to `path` after
 * fsync, or removes it when anything failed (or `keep` is 0). Close returns the first error of the stream. */
struct ck_out_file {
    FILE *f;            // own
    char *tmp, *path;   // own
};
const char *ck_out_open(struct ck_out_file *, const char *path, unsigned mode);
const char *ck_out_close(struct ck_out_file *, int keep);
#endif
