// SPDX-License-Identifier: Apache-2.0
// Sparse matrices against dense ones.
#include "../../passes/sparse.h"
#include "../test.h"

#include <math.h>

static uint64_t seed = 7;

static uint32_t next(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static struct ir_csr random_matrix(struct arena *a, int64_t rows, int64_t cols, uint32_t each)
{
    struct sparse b;
    sparse_begin(&b, a, rows, cols);
    for (int64_t r = 0; r < rows; r++) {
        for (uint32_t k = next(each + 1); k > 0; k--) sparse_put(&b, next((uint32_t)cols), (double)next(7) - 3);
        sparse_end_row(&b);
    }
    return sparse_finish(&b);
}

static double *dense(struct arena *a, const struct ir_csr *m)
{
    double *d = ARENA_ARRAY(a, double, m->rows * m->cols + 1);
    for (int64_t r = 0; r < m->rows; r++) {
        struct ir_row row = ir_csr_row(m, r);
        for (int64_t k = row.lo; k < row.hi; k++) {
            CHECK(k == row.lo || m->col[k] > m->col[k - 1]);
            CHECK(m->val[k] != 0);
            d[r * m->cols + ir_csr_col(m, row, k)] = m->val[k];
        }
    }
    return d;
}

static void check_round(struct arena *a)
{
    int64_t n = 1 + next(20), m = 1 + next(20), k = 1 + next(20);
    struct ir_csr x = random_matrix(a, n, m, 1 + next(6)), y = random_matrix(a, m, k, 1 + next(6)), z = random_matrix(a, n, m, 4);
    struct ir_csr p = sparse_mul(a, &x, &y), s = sparse_add(a, &x, &z, -2);
    double *dx = dense(a, &x), *dy = dense(a, &y), *dz = dense(a, &z), *dp = dense(a, &p), *ds = dense(a, &s);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < k; j++) {
            double want = 0;
            for (int64_t t = 0; t < m; t++) want += dx[i * m + t] * dy[t * k + j];
            CHECK(dp[i * k + j] == want);
        }
    for (int64_t i = 0; i < n * m; i++) CHECK(ds[i] == dx[i] - 2 * dz[i]);
    int64_t max_row, max_col, nnz = sparse_mul_nnz(&x, &y, INT64_MAX, &max_row, &max_col);
    CHECK(max_row >= sparse_max_row(&p) && max_col >= sparse_max_col(&p) && max_row <= k && max_col <= n);
    CHECK(nnz >= ir_csr_nnz(&p));
    CHECK(nnz == 0 || sparse_mul_nnz(&x, &y, nnz - 1, &max_row, &max_col) == -1);
    double *v = ARENA_ARRAY(a, double, m), *w = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < m; i++) v[i] = next(9);
    sparse_apply(w, &x, v);
    for (int64_t i = 0; i < n; i++) {
        double want = 0;
        for (int64_t t = 0; t < m; t++) want += dx[i * m + t] * v[t];
        CHECK(w[i] == want);
    }
}

/* Rows of any length come out by column, duplicates summed in the order in which they were put. */
static void row_order(struct arena *a)
{
    enum { ROWS = 300 };
    struct sparse b;
    int64_t cols = INT64_C(1) << (4 + next(26));
    sparse_begin(&b, a, ROWS, cols);
    int32_t *col[ROWS], count[ROWS];
    double *val[ROWS];
    for (int r = 0; r < ROWS; r++) {
        count[r] = 1 + (int32_t)next(r % 10 ? 40 : 2000);
        col[r] = ARENA_ARRAY(a, int32_t, count[r]);
        val[r] = ARENA_ARRAY(a, double, count[r]);
        for (int k = 0; k < count[r]; k++) {
            bool again = k && next(4) == 0;
            col[r][k] = again ? col[r][next((uint32_t)k)] : (int32_t)next((uint32_t)cols);
            val[r][k] = 0x1p-30 * next(1 << 30) + next(1 << 30);
            sparse_put(&b, col[r][k], val[r][k]);
        }
        sparse_end_row(&b);
    }
    struct ir_csr m = sparse_finish(&b);
    for (int r = 0; r < ROWS; r++) {
        struct ir_row row = ir_csr_row(&m, r);
        int64_t seen = 0;
        bool same = true;
        for (int64_t k = row.lo; k < row.hi; k++) {
            double sum = 0;
            int terms = 0;
            for (int j = 0; j < count[r]; j++)
                if (col[r][j] == ir_csr_col(&m, row, k)) sum = terms++ ? sum + val[r][j] : val[r][j];
            same &= terms && sum == m.val[k] && (k == row.lo || m.col[k] > m.col[k - 1]);
            seen += terms;
        }
        CHECK(same && seen == count[r]);
    }
}

int main(void)
{
    struct arena *a = arena_new();
    for (int round = 0; round < 100; round++) {
        check_round(a);
        arena_reset(a);
    }
    for (int round = 0; round < 10; round++) {
        row_order(a);
        arena_reset(a);
    }
    double f = 0;
    struct ir_csr id = sparse_identity(a, 5), twice = sparse_add(a, &id, &id, 1), none = sparse_add(a, &id, &id, -1);
    CHECK(sparse_is_scalar(&twice, &f) && f == 2);
    CHECK(!sparse_is_scalar(&none, &f) && ir_csr_nnz(&none) == 0 && sparse_is_monomial(&none));
    CHECK(sparse_is_monomial(&twice));
    struct sparse b;
    sparse_begin(&b, a, 2, 3);
    sparse_put(&b, 2, 1);
    sparse_end_row(&b);
    sparse_put(&b, 2, 4);
    sparse_put(&b, 0, 1);
    sparse_put(&b, 2, -1);
    sparse_end_row(&b);
    struct ir_csr m = sparse_finish(&b);
    CHECK(ir_csr_nnz(&m) == 3 && m.col[1] == 0 && m.val[2] == 3);
    CHECK(!sparse_is_monomial(&m) && sparse_max_row(&m) == 2 && sparse_max_col(&m) == 2);
    CHECK(sparse_pattern_hash(&m) != sparse_pattern_hash(&id));
    m.val[0] = 9;
    uint64_t h = sparse_pattern_hash(&m);
    m.val[0] = 8;
    CHECK(h == sparse_pattern_hash(&m));
    arena_free(a);
    return test_done();
}
