// SPDX-License-Identifier: Apache-2.0
// Sparse matrices in compressed rows. Products are Gustavson's: one dense accumulator, touched columns sorted per row.
#include "sparse.h"

#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>

static void *grow(void *p, size_t bytes)
{
    p = realloc(p, bytes);
    if (!p) {
        diag_error(NULL, "out of memory (asked for %zu bytes)", bytes);
        exit(1);
    }
    return p;
}

void sparse_begin_slots(struct sparse *b, struct arena *a, int64_t rows, int64_t cols, uint32_t n)
{
    ICE_IF(cols > INT32_MAX, "a matrix of %lld columns", (long long)cols);
    *b = (struct sparse){.arena = a, .rows = rows, .cols = cols, .block = (int32_t)(n - 1)};
    b->line = ARENA_ARRAY(a, int32_t, rows + 1);
    b->shift = ARENA_ARRAY(a, int32_t, rows + 1);
    b->cap = b->line_cap = 256;
    b->table_size = 1024;
    b->ptr = grow(NULL, sizeof *b->ptr * ((size_t)b->line_cap + 1));
    b->ptr[0] = 0;
    b->hash = grow(NULL, sizeof *b->hash * (size_t)b->line_cap);
    b->col = grow(NULL, sizeof *b->col * (size_t)b->cap);
    b->val = grow(NULL, sizeof *b->val * (size_t)b->cap);
    b->table = grow(NULL, sizeof *b->table * b->table_size);
    memset(b->table, 0, sizeof *b->table * b->table_size);
}

void sparse_begin(struct sparse *b, struct arena *a, int64_t rows, int64_t cols)
{
    sparse_begin_slots(b, a, rows, cols, UINT32_C(1) << 31);
}

static bool in_slots(const struct sparse *b)
{
    return b->block != INT32_MAX;
}

void sparse_put(struct sparse *b, int64_t col, double val)
{
    if (b->fill == b->cap) {
        b->cap *= 2;
        b->col = grow(b->col, sizeof *b->col * (size_t)b->cap);
        b->val = grow(b->val, sizeof *b->val * (size_t)b->cap);
    }
    b->col[b->fill] = (int32_t)col;
    b->val[b->fill++] = val;
}

struct entry {
    int32_t col;
    double val;
};

/* By column, stable: equal columns stay in the order in which they were put, and so are summed. Insertion for short rows, else by digits. */
static void sort_row(struct sparse *b, int64_t lo, int64_t n)
{
    enum { SHORT = 32, BITS = 8 };
    int32_t *col = b->col + lo, top = 0;
    double *val = b->val + lo;
    for (int64_t i = 1; i < n && n <= SHORT; i++) {
        struct entry e = {col[i], val[i]};
        int64_t at = i;
        for (; at > 0 && col[at - 1] > e.col; at--) col[at] = col[at - 1], val[at] = val[at - 1];
        col[at] = e.col;
        val[at] = e.val;
    }
    if (n <= SHORT) return;
    struct entry *from = grow(NULL, 2 * sizeof *from * (size_t)n), *to = from + n, *own = from;
    for (int64_t i = 0; i < n; i++) {
        from[i] = (struct entry){col[i], val[i]};
        top = col[i] > top ? col[i] : top;
    }
    for (int digit = 0; digit < 32 && top >> digit; digit += BITS) {
        int64_t start[(1 << BITS) + 1] = {0};
        for (int64_t i = 0; i < n; i++) start[(from[i].col >> digit & ((1 << BITS) - 1)) + 1]++;
        for (int d = 1; d < 1 << BITS; d++) start[d] += start[d - 1];
        for (int64_t i = 0; i < n; i++) to[start[from[i].col >> digit & ((1 << BITS) - 1)]++] = from[i];
        struct entry *t = from;
        from = to;
        to = t;
    }
    for (int64_t i = 0; i < n; i++) {
        col[i] = from[i].col;
        val[i] = from[i].val;
    }
    free(own);
}

/* Columns relative to the row's place, which becomes the row's shift. */
static void take_place(struct sparse *b, int64_t lo)
{
    uint32_t mask = (uint32_t)b->block, place = (uint32_t)b->row & mask;
    if (!in_slots(b)) {
        place = INT32_MAX;
        for (int64_t i = lo; i < b->fill; i++) place = (uint32_t)b->col[i] < place ? (uint32_t)b->col[i] : place;
        if (b->fill == lo) place = 0;
    }
    for (int64_t i = lo; i < b->fill; i++) {
        uint32_t c = (uint32_t)b->col[i];
        b->col[i] = (int32_t)((c & ~mask) | ((c - place) & mask));
    }
    b->shift[b->row] = (int32_t)place;
}

/* Sorts, sums duplicates, drops zeros. */
static void tidy(struct sparse *b, int64_t lo)
{
    int64_t n = b->fill - lo, out = lo;
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
}

static uint64_t hash_line(const int32_t *col, const double *val, int64_t n)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)n;
    for (int64_t i = 0; i < n; i++) {
        uint64_t v;
        memcpy(&v, &val[i], sizeof v);
        h = (h ^ v ^ (uint64_t)col[i] << 32) * 0x9fb21c651e98df25u;
        h ^= h >> 32;
    }
    return h;
}

/* Place of a hash in the table: the line with these entries, or free. */
static uint32_t *look_up(struct sparse *b, uint64_t h, int64_t lo)
{
    size_t n = (size_t)(b->fill - lo);
    for (uint32_t k = (uint32_t)h & (b->table_size - 1);; k = (k + 1) & (b->table_size - 1)) {
        if (!b->table[k]) return &b->table[k];
        int64_t l = b->table[k] - 1, from = b->ptr[l];
        if (b->hash[l] == h && (size_t)(b->ptr[l + 1] - from) == n && !memcmp(b->col + from, b->col + lo, n * sizeof *b->col) &&
            !memcmp(b->val + from, b->val + lo, n * sizeof *b->val)) return &b->table[k];
    }
}

static void rehash(struct sparse *b)
{
    b->table_size *= 2;
    b->table = grow(b->table, sizeof *b->table * b->table_size);
    memset(b->table, 0, sizeof *b->table * b->table_size);
    for (int64_t l = 0; l < b->lines; l++) {
        uint32_t k = (uint32_t)b->hash[l] & (b->table_size - 1);
        while (b->table[k]) k = (k + 1) & (b->table_size - 1);
        b->table[k] = (uint32_t)l + 1;
    }
}

void sparse_end_row(struct sparse *b)
{
    int64_t lo = b->ptr[b->lines];
    take_place(b, lo);
    tidy(b, lo);
    if (!in_slots(b) && b->fill > lo && b->col[lo] > 0) {      // the first column was a zero
        b->shift[b->row] += b->col[lo];
        for (int64_t i = b->fill - 1; i >= lo; i--) b->col[i] -= b->col[lo];
    }
    uint64_t h = hash_line(b->col + lo, b->val + lo, b->fill - lo);
    uint32_t *at = look_up(b, h, lo);
    if (*at) {
        b->fill = lo;
        b->line[b->row++] = (int32_t)*at - 1;
        return;
    }
    if (b->lines == b->line_cap) {
        b->line_cap *= 2;
        b->ptr = grow(b->ptr, sizeof *b->ptr * ((size_t)b->line_cap + 1));
        b->hash = grow(b->hash, sizeof *b->hash * (size_t)b->line_cap);
    }
    b->hash[b->lines] = h;
    b->ptr[b->lines + 1] = b->fill;
    b->line[b->row++] = (int32_t)b->lines;
    *at = (uint32_t)++b->lines;
    if (b->lines > b->table_size / 2) rehash(b);
}

void sparse_same_row(struct sparse *b, int64_t earlier, int64_t shift)
{
    b->line[b->row] = b->line[earlier];
    b->shift[b->row] = in_slots(b) ? (int32_t)b->row & b->block : (int32_t)(b->shift[earlier] + shift);
    if (!in_slots(b) && b->ptr[b->line[b->row]] == b->ptr[b->line[b->row] + 1]) b->shift[b->row] = 0;
    b->row++;
}

/* Rows that hardly repeat are plainer as they stand: absolute columns, ascending. */
static struct ir_csr expand(struct sparse *b, const struct ir_csr *m)
{
    int64_t nnz = ir_csr_nnz(m);
    struct ir_csr out = {.rows = m->rows, .cols = m->cols, .ptr = ARENA_ARRAY(b->arena, int64_t, m->rows + 1),
                         .col = ARENA_ARRAY(b->arena, int32_t, nnz + 1), .val = ARENA_ARRAY(b->arena, double, nnz + 1)};
    for (int64_t r = 0, at = 0; r < m->rows; r++) {
        struct ir_row row = ir_csr_row(m, r);
        struct sparse open = {.col = out.col, .val = out.val, .fill = at};
        for (int64_t k = row.lo; k < row.hi; k++, at++) {
            out.col[at] = ir_csr_col(m, row, k);
            out.val[at] = m->val[k];
        }
        int64_t lo = open.fill;
        open.fill = at;
        tidy(&open, lo);
        out.ptr[r + 1] = at;
    }
    return out;
}

struct ir_csr sparse_finish(struct sparse *b)
{
    ICE_IF(b->row != b->rows, "a matrix of %lld rows ended after %lld", (long long)b->rows, (long long)b->row);
    struct ir_csr m = {.rows = b->rows, .cols = b->cols, .ptr = b->ptr, .col = b->col, .val = b->val, .lines = b->lines,
                       .line = b->line, .shift = b->shift, .mask = b->block};
    if (2 * b->fill > ir_csr_nnz(&m)) {
        m = expand(b, &m);
        arena_release(b->arena, b->line);
        arena_release(b->arena, b->shift);
    } else {
        m.ptr = arena_copy(b->arena, b->ptr, sizeof *b->ptr * ((size_t)b->lines + 1));
        m.col = arena_copy(b->arena, b->col, sizeof *b->col * (size_t)b->fill);
        m.val = arena_copy(b->arena, b->val, sizeof *b->val * (size_t)b->fill);
    }
    free(b->ptr);
    free(b->hash);
    free(b->col);
    free(b->val);
    free(b->table);
    return m;
}

void sparse_drop(struct arena *a, const struct ir_csr *m)
{
    const void *part[] = {m->ptr, m->col, m->val, m->line, m->shift};
    for (size_t k = 0; k < sizeof part / sizeof *part; k++)
        if (part[k]) arena_release(a, part[k]);
}

struct ir_csr sparse_identity(struct arena *a, int64_t n)
{
    struct sparse b;
    sparse_begin(&b, a, n, n);
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

/* How far each row of b may be left behind or ahead while the rows only repeat, moved by as many columns. */
static void repeats(int32_t *back, int32_t *ahead, const struct ir_csr *b)
{
    for (int64_t r = 1; r < b->rows; r++)
        if (b->line[r] == b->line[r - 1] && b->shift[r] == b->shift[r - 1] + 1) back[r] = back[r - 1] + 1;
    for (int64_t r = b->rows - 1; r-- > 0;)
        if (back[r + 1]) ahead[r] = ahead[r + 1] + 1;
}

/* a b where every row of b has at most one entry: the entries of a, renumbered and scaled. A row of a that is another moved by no more than b
 * repeats under each of its columns gives that row again. */
static struct ir_csr mul_single(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b)
{
    struct sparse out;
    struct last {
        int64_t row;            // + 1
        int32_t shift, back, ahead;
    } *last = NULL;
    int32_t *back = NULL, *ahead = NULL;
    struct arena *scratch = arena_new();
    if (a->line && a->mask == INT32_MAX && b->line && b->mask == INT32_MAX) {
        last = ARENA_ARRAY(scratch, struct last, a->lines + 1);
        back = ARENA_ARRAY(scratch, int32_t, b->rows + 1);
        ahead = ARENA_ARRAY(scratch, int32_t, b->rows + 1);
        repeats(back, ahead, b);
    }
    sparse_begin(&out, arena, a->rows, b->cols);
    for (int64_t r = 0; r < a->rows; r++) {
        struct ir_row row = ir_csr_row(a, r);
        struct last *l = last ? &last[a->line[r]] : NULL;
        if (l && l->row && row.shift - l->shift >= -l->back && row.shift - l->shift <= l->ahead) {
            sparse_same_row(&out, l->row - 1, row.shift - l->shift);
            continue;
        }
        if (l) *l = (struct last){r + 1, row.shift, INT32_MAX, INT32_MAX};
        for (int64_t i = row.lo; i < row.hi && l; i++) {
            int32_t c = ir_csr_col(a, row, i);
            l->back = back[c] < l->back ? back[c] : l->back;
            l->ahead = ahead[c] < l->ahead ? ahead[c] : l->ahead;
        }
        for (int64_t i = row.lo; i < row.hi; i++) {
            struct ir_row one = ir_csr_row(b, ir_csr_col(a, row, i));
            if (one.lo < one.hi) sparse_put(&out, ir_csr_col(b, one, one.lo), a->val[i] * b->val[one.lo]);
        }
        sparse_end_row(&out);
    }
    arena_free(scratch);
    return sparse_finish(&out);
}

/* a b where every row of a has at most one entry: rows of b, scaled. A line of b scaled as at its last use is that row again. */
static struct ir_csr single_mul(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b)
{
    struct sparse out;
    struct last {
        int64_t row;            // of the result + 1
        int32_t shift;
        double factor;
    } *last = b->line && b->mask == INT32_MAX ? ARENA_ARRAY(arena, struct last, b->lines) : NULL;
    sparse_begin(&out, arena, a->rows, b->cols);
    for (int64_t r = 0; r < a->rows; r++) {
        struct ir_row row = ir_csr_row(a, r), from = {0, 0, 0};
        if (row.lo < row.hi) from = ir_csr_row(b, ir_csr_col(a, row, row.lo));
        struct last *l = last && row.lo < row.hi ? &last[b->line[ir_csr_col(a, row, row.lo)]] : NULL;
        if (l && l->row && l->factor == a->val[row.lo]) {
            sparse_same_row(&out, l->row - 1, from.shift - l->shift);
            continue;
        }
        for (int64_t j = from.lo; j < from.hi; j++) sparse_put(&out, ir_csr_col(b, from, j), a->val[row.lo] * b->val[j]);
        sparse_end_row(&out);
        if (l) *l = (struct last){r + 1, from.shift, a->val[row.lo]};
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
    sparse_begin(&out, arena, a->rows, b->cols);
    struct arena *scratch = arena_new();
    double *acc = ARENA_ARRAY(scratch, double, b->cols);
    uint8_t *seen = ARENA_ARRAY(scratch, uint8_t, b->cols);
    int32_t *touched = ARENA_ARRAY(scratch, int32_t, b->cols);
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t n = 0;
        struct ir_row row = ir_csr_row(a, r);
        for (int64_t i = row.lo; i < row.hi; i++) {
            double v = a->val[i];
            struct ir_row from = ir_csr_row(b, ir_csr_col(a, row, i));
            for (int64_t j = from.lo; j < from.hi; j++) {
                int32_t c = ir_csr_col(b, from, j);
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
    arena_free(scratch);
    return sparse_finish(&out);
}

struct ir_csr sparse_add(struct arena *arena, const struct ir_csr *a, const struct ir_csr *b, double factor)
{
    ICE_IF(a->rows != b->rows || a->cols != b->cols, "sum of matrices of different shapes");
    struct sparse out;
    sparse_begin(&out, arena, a->rows, a->cols);
    for (int64_t r = 0; r < a->rows; r++) {
        struct ir_row x = ir_csr_row(a, r), y = ir_csr_row(b, r);
        for (int64_t i = x.lo; i < x.hi; i++) sparse_put(&out, ir_csr_col(a, x, i), a->val[i]);
        for (int64_t i = y.lo; i < y.hi; i++) sparse_put(&out, ir_csr_col(b, y, i), factor * b->val[i]);
        sparse_end_row(&out);
    }
    return sparse_finish(&out);
}

int64_t sparse_mul_nnz(const struct ir_csr *a, const struct ir_csr *b, int64_t limit, int64_t *max_row,
                       int64_t *max_col)
{
    struct arena *scratch = arena_new();
    int64_t *stamp = ARENA_ARRAY(scratch, int64_t, b->cols), nnz = 0;     // row + 1 that last touched the column
    int64_t *count = ARENA_ARRAY(scratch, int64_t, b->cols);
    *max_row = *max_col = 0;
    for (int64_t r = 0; r < a->rows; r++) {
        int64_t before = nnz;
        struct ir_row row = ir_csr_row(a, r);
        for (int64_t i = row.lo; i < row.hi; i++) {
            struct ir_row from = ir_csr_row(b, ir_csr_col(a, row, i));
            for (int64_t j = from.lo; j < from.hi; j++) {
                int32_t c = ir_csr_col(b, from, j);
                if (stamp[c] == r + 1) continue;
                stamp[c] = r + 1;
                nnz++;
                if (++count[c] > *max_col) *max_col = count[c];
            }
        }
        if (nnz - before > *max_row) *max_row = nnz - before;
        if (nnz > limit) break;
    }
    arena_free(scratch);
    return nnz > limit ? -1 : nnz;
}

void sparse_apply(double *y, const struct ir_csr *m, const double *x)
{
    for (int64_t r = 0; r < m->rows; r++) {
        struct ir_row row = ir_csr_row(m, r);
        double s = 0;
        for (int64_t i = row.lo; i < row.hi; i++) s += m->val[i] * x[ir_csr_col(m, row, i)];
        y[r] = s;
    }
}

bool sparse_is_monomial(const struct ir_csr *m)
{
    return sparse_max_row(m) <= 1 && sparse_max_col(m) <= 1;
}

bool sparse_is_scalar(const struct ir_csr *m, double *factor)
{
    if (m->rows != m->cols || m->rows == 0) return false;
    *factor = ir_csr_stored(m) ? m->val[0] : 0;
    for (int64_t r = 0; r < m->rows; r++) {
        struct ir_row row = ir_csr_row(m, r);
        if (row.hi != row.lo + 1 || ir_csr_col(m, row, row.lo) != r || m->val[row.lo] != *factor) return false;
    }
    return true;
}

int64_t sparse_max_row(const struct ir_csr *m)
{
    int64_t best = 0, lines = m->line ? m->lines : m->rows;
    for (int64_t r = 0; r < lines; r++)
        if (m->ptr[r + 1] - m->ptr[r] > best) best = m->ptr[r + 1] - m->ptr[r];
    return best;
}

int64_t sparse_max_col(const struct ir_csr *m)
{
    struct arena *scratch = arena_new();
    int64_t *count = ARENA_ARRAY(scratch, int64_t, m->cols), best = 0;
    for (int64_t r = 0; r < m->rows; r++) {
        struct ir_row row = ir_csr_row(m, r);
        for (int64_t i = row.lo; i < row.hi; i++) {
            int32_t c = ir_csr_col(m, row, i);
            if (++count[c] > best) best = count[c];
        }
    }
    arena_free(scratch);
    return best;
}

uint64_t sparse_pattern_hash(const struct ir_csr *m)
{
    struct arena *a = arena_new();
    int64_t lines = m->line ? m->lines : m->rows;
    uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)m->rows ^ (uint64_t)m->cols << 32, *of_line = ARENA_ARRAY(a, uint64_t, lines + 1);
    for (int64_t l = 0; l < lines; l++) {
        uint64_t g = (uint64_t)(m->ptr[l + 1] - m->ptr[l]);
        for (int64_t i = m->ptr[l]; i < m->ptr[l + 1]; i++) g = (g ^ (uint64_t)m->col[i]) * 0x9fb21c651e98df25u ^ g >> 29;
        of_line[l] = g;
    }
    for (int64_t r = 0; r < m->rows; r++) {
        h = (h ^ of_line[m->line ? m->line[r] : r]) * 0x100000001b3u;
        h = (h ^ (uint64_t)(m->line ? m->shift[r] : 0)) * 0x9fb21c651e98df25u ^ h >> 29;
    }
    arena_free(a);
    return h;
}
