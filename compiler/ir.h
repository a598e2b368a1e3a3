// SPDX-License-Identifier: Apache-2.0
// The intermediate representation: one structure, three dialects (tensor, vec, ckks), SSA, one function a module.
// docs/IR.md has the grammar and one example per operation.
#ifndef TACET_IR_H
#define TACET_IR_H

#include "arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IR_MAX_RANK = 8 };

enum ir_dialect { IR_TENSOR, IR_VEC, IR_CKKS };

enum ir_op {
#define OP(dialect, name, min_args, max_args, summary) IR_##dialect##_##name,
#include "ops.def"
#undef OP
    IR_OP_COUNT
};
const char *ir_op_name(enum ir_op);             // "tensor.conv"
enum ir_dialect ir_op_dialect(enum ir_op);

/* Types, one per dialect:
 *   tensor<1x16x32x32>              real tensor, batch axis included (always 1)
 *   vec<2x16384>                    bundle of `count` vectors of `n` slots
 *   ct<2x16384,l=9,s=0x1p+40,d=1>   bundle of ciphertexts: level, scale (0 before the scales pass), degree */
struct ir_type {
    enum ir_dialect kind;
    uint32_t rank;                      // tensor
    int64_t dim[IR_MAX_RANK];           // tensor
    uint32_t count, n;                  // vec, ct
    int32_t level;                      // ct
    uint32_t degree;                    // ct
    double scale;                       // ct
};
int64_t ir_type_numel(const struct ir_type *);      // elements of a tensor, count*n otherwise
bool ir_type_equal(const struct ir_type *, const struct ir_type *);
struct ir_type ir_type_tensor(uint32_t rank, const int64_t *dim);
struct ir_type ir_type_vec(uint32_t count, uint32_t n);
struct ir_type ir_type_ct(uint32_t count, uint32_t n, int32_t level, double scale, uint32_t degree);

/* Named constant data of a module, dense, row-major. A sparse matrix @m is four constants: "m.ptr" (i64, rows+1), "m.col" (i32, nnz,
 * ascending in a row), "m.val" (f64, nnz) and "m.dim" (i64: rows, columns); or six, see struct ir_csr. */
enum ir_dtype { IR_F64, IR_F32, IR_I64, IR_I32 };
struct ir_const {
    const char *name;
    enum ir_dtype dtype;
    uint32_t rank;
    int64_t dim[IR_MAX_RANK];
    void *data;                         // own (module arena)
    bool in_text;                       // printed with the module instead of saved beside it
    struct ir_const *next;
};
int64_t ir_const_numel(const struct ir_const *);

/* Borrowed view of a sparse matrix. Rows may share their entries, as those of a convolution do: line[r] names the line of entries of row
 * r, and entry k of it lies in column block + (at + shift[r]) mod size, where col[k] = block + at and blocks have size mask + 1. Without
 * sharing (line NULL) row r is line r as it stands. As constants: "m.dim" (rows, columns, block size), "m.ptr" (i64, lines+1), "m.col",
 * "m.val", "m.line" and "m.shift" (i32, rows). */
struct ir_csr {
    int64_t rows, cols;
    int64_t *ptr;
    int32_t *col;
    double *val;
    int64_t lines;                      // when shared
    int32_t *line, *shift;
    int32_t mask;                       // INT32_MAX: one block
};
struct ir_row {                         // entries lo..hi-1
    int64_t lo, hi;
    int32_t shift;
};
static inline struct ir_row ir_csr_row(const struct ir_csr *m, int64_t r)
{
    if (!m->line) return (struct ir_row){m->ptr[r], m->ptr[r + 1], 0};
    return (struct ir_row){m->ptr[m->line[r]], m->ptr[m->line[r] + 1], m->shift[r]};
}
static inline int32_t ir_csr_col(const struct ir_csr *m, struct ir_row row, int64_t k)
{
    uint32_t c = (uint32_t)m->col[k], mask = (uint32_t)m->mask;
    return (int32_t)((c & ~mask) | ((c + (uint32_t)row.shift) & mask));
}
static inline int64_t ir_csr_stored(const struct ir_csr *m)     // entries in memory
{
    return m->ptr[m->line ? m->lines : m->rows];
}
int64_t ir_csr_nnz(const struct ir_csr *);                      // entries of the matrix

/* Attributes: sorted by key when printed. Floats print in hex, strings quoted, symbols as @name, lists in brackets. */
enum ir_attr_kind { IR_INT, IR_FLOAT, IR_STRING, IR_SYMBOL, IR_INTS, IR_FLOATS };
struct ir_attr {
    const char *key;
    enum ir_attr_kind kind;
    union {
        int64_t i;
        double f;
        const char *s;                  // IR_STRING, IR_SYMBOL
        struct { const int64_t *v; size_t n; } ints;
        struct { const double *v; size_t n; } floats;
    };
    struct ir_attr *next;
};

/* An instruction and its one result. Function inputs are instructions of op IR_<dialect>_input. */
struct ir_inst {
    enum ir_op op;
    uint32_t nargs;
    struct ir_inst **args;
    struct ir_attr *attrs;
    struct ir_type type;
    uint32_t id;                        // renumbered by ir_renumber; printed as %id
    struct ir_inst *prev, *next;
};

struct ir_module {
    struct arena *arena;                // own
    const char *name;
    enum ir_dialect dialect;            // every instruction is of this dialect
    struct ir_attr *attrs;
    struct ir_const *consts, *last_const;
    struct ir_inst *first, *last;       // inputs first
    uint32_t noutputs;
    struct ir_inst **outputs;
    struct ir_attr **output_attrs;      // per output: name, shape, layout, post
};

struct ir_module *ir_module_new(const char *name, enum ir_dialect);
void ir_module_free(struct ir_module *);
void ir_renumber(struct ir_module *);

/* Append (before == NULL) or insert an instruction; args are copied. */
struct ir_inst *ir_build(struct ir_module *, struct ir_inst *before, enum ir_op, struct ir_type, uint32_t nargs,
                         struct ir_inst *const *args);
void ir_remove(struct ir_module *, struct ir_inst *);                          // must have no uses
void ir_replace_uses(struct ir_module *, struct ir_inst *old, struct ir_inst *with);  // outputs too
uint32_t ir_count_uses(const struct ir_module *, const struct ir_inst *);      // outputs too
void ir_remove_dead(struct ir_module *);
void ir_add_output(struct ir_module *, struct ir_inst *, struct ir_attr *attrs);

/* Attributes. Setters copy and replace; getters return the default when absent; a wrong kind is an ICE. */
struct ir_attr **ir_inst_attrs(struct ir_inst *);
void ir_set_int(struct ir_module *, struct ir_attr **, const char *key, int64_t);
void ir_set_float(struct ir_module *, struct ir_attr **, const char *key, double);
void ir_set_string(struct ir_module *, struct ir_attr **, const char *key, const char *);
void ir_set_symbol(struct ir_module *, struct ir_attr **, const char *key, const char *);
void ir_set_ints(struct ir_module *, struct ir_attr **, const char *key, const int64_t *, size_t n);
void ir_set_floats(struct ir_module *, struct ir_attr **, const char *key, const double *, size_t n);
void ir_unset(struct ir_attr **, const char *key);
const struct ir_attr *ir_attr_find(const struct ir_attr *, const char *key);
int64_t ir_get_int(const struct ir_attr *, const char *key, int64_t def);
double ir_get_float(const struct ir_attr *, const char *key, double def);
const char *ir_get_string(const struct ir_attr *, const char *key, const char *def);   // strings and symbols
void ir_copy_attrs(struct ir_module *, struct ir_attr **to, const struct ir_attr *from);

/* Module attribute `batch` (vec, ckks), 1 if absent: samples interleaved in the vectors, sample k of value s in slot s batch + k. Matrices and
 * added constants are those of one sample: entry (r, c) of a matrix stands for (r batch + k, c batch + k) for all k. */
int64_t ir_batch(const struct ir_module *);

/* Constants. ir_const_add makes the name unique by a suffix when taken; data is uninitialised. */
struct ir_const *ir_const_add(struct ir_module *, const char *name, enum ir_dtype, uint32_t rank, const int64_t *dim);
struct ir_const *ir_const_find(const struct ir_module *, const char *name);
double ir_const_at(const struct ir_const *, int64_t i);
void ir_const_gc(struct ir_module *);                                           // drop the unreferenced
const char *ir_csr_add(struct ir_module *, const char *name, const struct ir_csr *);   // copies; returns the unique name
struct ir_csr ir_csr_find(const struct ir_module *, const char *name);
void ir_csr_drop(struct ir_module *, const char *name);                                // of a matrix that nobody will read

/* Text. Constants live in FILE.npz beside the text, except those `in_text`. print(parse(t)) == t byte for byte. */
#include <stdio.h>
void ir_print(FILE *, struct ir_module *);
char *ir_print_string(struct ir_module *);                                      // malloc'd
void ir_consts_in_text(struct ir_module *, int64_t most);                       // those of at most so many elements
struct ir_module *ir_parse(const char *name, const char *text, size_t len);     // NULL after diag_error; other constants unset
int ir_save(struct ir_module *, const char *path);                              // path and path.npz; 0 or -1 after diag_error
struct ir_module *ir_load(const char *path);                                    // verified; path.npz may lack if the text has all constants

/* Rules of every operation; 0, or -1 after diag_error. Runs after every pass. */
int ir_verify(struct ir_module *);

/* Interpreter on doubles, any dialect. inputs/outputs: one array per module input/output, rows samples of it, tensors row-major,
 * bundles count*n. `noise` NULL, or a model that adds to ckks.* results the error that encryption would (simulate). */
struct ir_noise;
struct ir_run {
    const struct ir_noise *noise;
    int64_t rows;                       // samples at once, in threads; 0: 1. interp_rows (interp.h) says how many suit
    /* called after every instruction with its values, n = rows times its elements, sample after sample; may be NULL */
    void (*observe)(void *arg, const struct ir_inst *, const double *value, int64_t n);
    void *arg;
};
int ir_interp(struct ir_module *, const double *const *inputs, double **outputs, const struct ir_run *);
#endif
