// SPDX-License-Identifier: Apache-2.0
// Sparse matrices in compressed rows: built row by row, multiplied, applied. Equal rows share their entries (struct ir_csr), so that a
// convolution takes the memory of its weights, not of its entries. Everything lives in the arena given.
#ifndef TACET_PASSES_SPARSE_H
#define TACET_PASSES_SPARSE_H

#include "../compiler/ir.h"

/* Row-by-row builder. Put the entries of a row in any order, end the row: duplicates are summed, exact zeros dropped. */
struct sparse {
    struct arena *arena;
    int64_t rows, cols, row;    // rows finished so far
    int32_t block;              // mask of a block of columns
    int64_t lines, fill;        // lines kept, entries so far; those of the open row included
    int64_t cap, line_cap;      // allocated
    int64_t *ptr;               // of the lines; it and the next three are the builder's own until it finishes
    uint64_t *hash;
    int32_t *col;
    double *val;
    int32_t *line, *shift;      // of the rows
    uint32_t *table, table_size;        // line + 1 by hash
};
/* Columns are compared relative to the first of their row. */
void sparse_begin(struct sparse *, struct arena *, int64_t rows, int64_t cols);
/* Slot space: columns are compared within their vector of n slots, relative to the row's slot. */
void sparse_begin_slots(struct sparse *, struct arena *, int64_t rows, int64_t cols, uint32_t n);
void sparse_put(struct sparse *, int64_t col, double val);
void sparse_end_row(struct sparse *);
/* Instead of putting its entries: the row is an earlier one moved by `shift` columns (in slot space: by the distance of the rows). */
void sparse_same_row(struct sparse *, int64_t earlier, int64_t shift);
struct ir_csr sparse_finish(struct sparse *);           // every row must have been ended

void sparse_drop(struct arena *, const struct ir_csr *);        // gives its memory back, if the arena's

struct ir_csr sparse_identity(struct arena *, int64_t n);
struct ir_csr sparse_mul(struct arena *, const struct ir_csr *a, const struct ir_csr *b);      // a b
struct ir_csr sparse_add(struct arena *, const struct ir_csr *a, const struct ir_csr *b, double factor);   // a + factor b

/* Entries of a b without computing it, or -1 once they exceed `limit`; with them the most in one row and in one column. */
int64_t sparse_mul_nnz(const struct ir_csr *a, const struct ir_csr *b, int64_t limit, int64_t *max_row,
                       int64_t *max_col);

/* y = A x. */
void sparse_apply(double *y, const struct ir_csr *, const double *x);

/* At most one entry a row and one a column: a permutation, selection, embedding or diagonal scaling. */
bool sparse_is_monomial(const struct ir_csr *);
/* The identity times *factor (square only). */
bool sparse_is_scalar(const struct ir_csr *, double *factor);

/* Most entries in one row, in one column. */
int64_t sparse_max_row(const struct ir_csr *);
int64_t sparse_max_col(const struct ir_csr *);

/* Hash of the pattern (dimensions, rows, columns; not the values). */
uint64_t sparse_pattern_hash(const struct ir_csr *);
#endif
