// SPDX-License-Identifier: Apache-2.0
// Sparse matrices in compressed rows: built row by row, multiplied, applied. Everything lives in the arena given.
#ifndef TACET_PASSES_SPARSE_H
#define TACET_PASSES_SPARSE_H

#include "../compiler/ir.h"

/* Row-by-row builder. Put the entries of a row in any order, end the row: duplicates are summed, exact zeros dropped. */
struct sparse {
    struct arena *arena;
    int64_t rows, cols, row;    // rows finished so far
    int64_t cap;                // entries allocated
    int64_t *ptr;
    int32_t *col;
    double *val;
    int64_t fill;               // entries so far, those of the open row included
};
void sparse_begin(struct sparse *, struct arena *, int64_t rows, int64_t cols, int64_t nnz_guess);
void sparse_put(struct sparse *, int64_t col, double val);
void sparse_end_row(struct sparse *);
struct ir_csr sparse_finish(struct sparse *);           // every row must have been ended

int64_t sparse_nnz(const struct ir_csr *);
struct ir_csr sparse_identity(struct arena *, int64_t n);
struct ir_csr sparse_mul(struct arena *, const struct ir_csr *a, const struct ir_csr *b);      // a b
struct ir_csr sparse_add(struct arena *, const struct ir_csr *a, const struct ir_csr *b, double factor);   // a + factor b

/* Entries of a b without computing it, or -1 once they exceed `limit`. */
int64_t sparse_mul_nnz(struct arena *, const struct ir_csr *a, const struct ir_csr *b, int64_t limit);

/* y = A x. */
void sparse_apply(double *y, const struct ir_csr *, const double *x);

/* At most one entry a row and one a column: a permutation, selection, embedding or diagonal scaling. */
bool sparse_is_monomial(struct arena *, const struct ir_csr *);
/* The identity times *factor (square only). */
bool sparse_is_scalar(const struct ir_csr *, double *factor);

/* Most entries in one row, in one column. */
int64_t sparse_max_row(const struct ir_csr *);
int64_t sparse_max_col(struct arena *, const struct ir_csr *);

/* Hash of the pattern (dimensions, row pointers, columns; not the values). */
uint64_t sparse_pattern_hash(const struct ir_csr *);
#endif
