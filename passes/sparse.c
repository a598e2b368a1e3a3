// SPDX-License-Identifier: Apache-2.0
// Sparse matrices in compressed rows. Products are Gustavson's: one dense accumulator, touched columns sorted per row.
#include "sparse.h"

#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>

void sparse_begin(struct sparse *b, struct arena *a, int64_t rows, int64_t cols, int64_t nnz_guess)
{
    ICE_IF(cols > INT32_MAX, "a matrix of %lld columns", (long long)cols);
    memset(b, 0, sizeof *b);
    b->arena = a;
    b->rows = rows;
    b->cols = cols;
    b->cap = nnz_guess < 16 ? 16 : nnz_guess;
    b->ptr = ARENA_ARRAY(a, int64_t, rows + 1);
    b->col = ARENA_ARRAY(a, int32_t, b->cap);
    b->val = ARENA_ARRAY(a, double, b->cap);
}

void sparse_put(struct sparse *b, int64_t col, double val)
{
    if (b->fill == b->cap) {
        int64_t cap = 2 * b->cap;
        int32_t *c = ARENA_ARRAY(b->arena, int32_t, cap);
        double *v = ARENA_ARRAY(b->arena, double, cap);
        memcpy(c, b->col, sizeof *c * (size_t)b->fill);
        memcpy(v, b->val, sizeof *v * (size_t)b->fill);
        b->col = c;
        b->val = v;
        b->cap = cap;
    }
    b->col[b->fill] = (int32_t)col;
    b->val[b->fill++] = val;
}

struct entry {
    int32_t col;
    int32_t order;      // keeps the sum of duplicates in the order they were put
    double val;
};

static int entry_cmp(const void *x, const void *y)
{
    const struct entry *a = x, *b = y;
    if (a->col != b->col) return a->col < b->col ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static void sort_row(struct sparse *b, int64_t lo, int64_t n)
{
    struct entry small[256], *e = n <= 256 ? small : malloc(sizeof *e * (size_t)n);
    ICE_IF(!e, "out of memory");
    for (int64_t i = 0; i < n; i++) e[i] = (struct entry){b->col[lo + i], (int32_t)i, b->val[lo + i]};
    qsort(e, (size_t)n, sizeof *e, entry_cmp);
    for (int64_t i = 0; i < n; i++) {
        b->col[lo + i] = e[i].col;
        b->val[lo + i] = e[i].val;
    }
    if (e != small) free(e);
}

void sparse_end_row(struct sparse *b)
{
    int64_t lo = b->ptr[b->row], n = b->fill - lo, out = lo;
    for (int64_t i = 1; i < n; i++)
        if (b->col[lo + i] < b->col[lo + i - 1]) {
            sort_row(b, lo, n);
            break;
        }
    for (int64_t i = lo; i < lo + n;) {
        int32_t c = b->col[i];
        double v = b->val[i++];
        while (i < lo + n && b->col[i] == c) v += b->val[i++];
        if (v == 0) continue;
        b->col[out] = c;
        b->val[out++] = v;
    }
    b->fill = out;
    b->ptr[++b->row] = out;
}

struct ir_csr sparse_finish(struct sparse *b)
{
    ICE_IF(b->row != b->rows, "a matrix of %lld rows ended after %lld", (long long)b->rows, (long long)b->row);
    return (struct ir_csr){b->rows, b->cols, b->ptr, b->col, b->val};
}

int64_t sparse_nnz(const struct ir_csr *m)
{
    return m->ptr[m->rows];
}

struct ir_csr sparse_identity(struct arena *a, int64_t n)
{
    struct sparse b;
    sparse_begin(&b, a, n, n, n);
    for (int64_t i = 0; i < n; i++) {
        sparse_put(&b, i, 1);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

static int int32_cmp(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;
    return a < b ? -1 : a > b;
}

/* a b where every row of b has at most one entry: the entries of a, renumbered and scaled. */
static struct ir_csr mul_single(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b)
{
    struct sparse out;
    sparse_begin(&out, arena, a->rows, b->cols, sparse_nnz(a));
    for (int64_t r = 0; r < a->rows; r++) {
        for (int64_t i = a->ptr[r]; i < a->ptr[r + 1]; i++) {
            int64_t j = b->ptr[a->col[i]];
            if (j < b->ptr[a->col[i] + 1]) sparse_put(&out, b->col[j], a->val[i] * b->val[j]);
        }
        sparse_end_row(&out);
    }
    return sparse_finish(&out);
}

/* a b where every row of a has at most one entry: rows of b, scaled. */
static struct ir_csr single_mul(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b)
{
    struct sparse out;
    sparse_begin(&out, arena, a->rows, b->cols, sparse_nnz(b));
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t i = a->ptr[r];
        for (int64_t j = i < a->ptr[r + 1] ? b->ptr[a->col[i]] : 0; i < a->ptr[r + 1] && j < b->ptr[a->col[i] + 1]; j++)
            sparse_put(&out, b->col[j], a->val[i] * b->val[j]);
        sparse_end_row(&out);
    }
    return sparse_finish(&out);
}

struct ir_csr sparse_mul(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b)
{
    ICE_IF(a->cols != b->rows, "product of %lldx%lld and %lldx%lld", (long long)a->rows, (long long)a->cols,
           (long long)b->rows, (long long)b->cols);
    if (sparse_max_row(a) <= 1) return single_mul(arena, a, b);
    if (sparse_max_row(b) <= 1) return mul_single(arena, a, b);
    struct sparse out;
    sparse_begin(&out, arena, a->rows, b->cols, sparse_mul_nnz(arena, a, b, INT64_MAX));
    double *acc = ARENA_ARRAY(arena, double, b->cols);
    uint8_t *seen = ARENA_ARRAY(arena, uint8_t, b->cols);
    int32_t *touched = ARENA_ARRAY(arena, int32_t, b->cols);
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t n = 0;
        for (int64_t i = a->ptr[r]; i < a->ptr[r + 1]; i++) {
            double v = a->val[i];
            int64_t k = a->col[i];
            for (int64_t j = b->ptr[k]; j < b->ptr[k + 1]; j++) {
                int32_t c = b->col[j];
                if (!seen[c]) {
                    seen[c] = 1;
                    touched[n++] = c;
                    acc[c] = 0;
                }
                acc[c] += v * b->val[j];
            }
        }
        if (4 * n > b->cols) {
            for (int64_t c = 0; c < b->cols; c++)
                if (seen[c]) {
                    sparse_put(&out, c, acc[c]);
                    seen[c] = 0;
                }
        } else {
            qsort(touched, (size_t)n, sizeof *touched, int32_cmp);
            for (int64_t j = 0; j < n; j++) {
                sparse_put(&out, touched[j], acc[touched[j]]);
                seen[touched[j]] = 0;
            }
        }
        sparse_end_row(&out);
    }
    return sparse_finish(&out);
}

struct ir_csr sparse_add(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b, double factor)
{
    ICE_IF(a->rows != b->rows || a->cols != b->cols, "sum of matrices of different shapes");
    struct sparse out;
    sparse_begin(&out, arena, a->rows, a->cols, sparse_nnz(a) + sparse_nnz(b));
    for (int64_t r = 0; r < a->rows; r++) {
        for (int64_t i = a->ptr[r]; i < a->ptr[r + 1]; i++) sparse_put(&out, a->col[i], a->val[i]);
        for (int64_t i = b->ptr[r]; i < b->ptr[r + 1]; i++) sparse_put(&out, b->col[i], factor * b->val[i]);
        sparse_end_row(&out);
    }
    return sparse_finish(&out);
}

int64_t sparse_mul_nnz(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b, int64_t limit)
{
    int64_t *stamp = ARENA_ARRAY(arena, int64_t, b->cols), nnz = 0;     // row + 1 that last touched the column
    for (int64_t r = 0; r < a->rows; r++) {
        for (int64_t i = a->ptr[r]; i < a->ptr[r + 1]; i++) {
            int64_t k = a->col[i];
            for (int64_t j = b->ptr[k]; j < b->ptr[k + 1]; j++)
                if (stamp[b->col[j]] != r + 1) {
                    stamp[b->col[j]] = r + 1;
                    nnz++;
                }
        }
        if (nnz > limit) return -1;
    }
    return nnz;
}

void sparse_apply(double *y, const struct ir_csr *m, const double *x)
{
    for (int64_t r = 0; r < m->rows; r++) {
        double s = 0;
        for (int64_t i = m->ptr[r]; i < m->ptr[r + 1]; i++) s += m->val[i] * x[m->col[i]];
        y[r] = s;
    }
}

bool sparse_is_monomial(struct arena *arena, const struct ir_csr *m)
{
    if (sparse_nnz(m) > m->rows || sparse_nnz(m) > m->cols) return false;
    return sparse_max_row(m) <= 1 && sparse_max_col(arena, m) <= 1;
}

bool sparse_is_scalar(const struct ir_csr *m, double *factor)
{
    if (m->rows != m->cols || m->rows == 0 || sparse_nnz(m) != m->rows) return false;
    for (int64_t r = 0; r < m->rows; r++)
        if (m->ptr[r + 1] != r + 1 || m->col[r] != r || m->val[r] != m->val[0]) return false;
    *factor = m->val[0];
    return true;
}

int64_t sparse_max_row(const struct ir_csr *m)
{
    int64_t best = 0;
    for (int64_t r = 0; r < m->rows; r++)
        if (m->ptr[r + 1] - m->ptr[r] > best) best = m->ptr[r + 1] - m->ptr[r];
    return best;
}

int64_t sparse_max_col(struct arena *arena, const struct ir_csr *m)
{
    int64_t *count = ARENA_ARRAY(arena, int64_t, m->cols), best = 0, nnz = sparse_nnz(m);
    for (int64_t i = 0; i < nnz; i++)
        if (++count[m->col[i]] > best) best = count[m->col[i]];
    return best;
}

uint64_t sparse_pattern_hash(const struct ir_csr *m)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)m->rows ^ (uint64_t)m->cols << 32;
    for (int64_t r = 0; r < m->rows; r++) h = (h ^ (uint64_t)m->ptr[r + 1]) * 0x100000001b3u;
    int64_t nnz = sparse_nnz(m);
    for (int64_t i = 0; i < nnz; i++) h = (h ^ (uint64_t)m->col[i]) * 0x9fb21c651e98df25u ^ h >> 29;
    return h;
}
