// SPDX-License-Identifier: Apache-2.0
// Diagonals applied as the runtime applies them give the matrix product, for plain and for shared rows.
#include "../../compiler/linmap.h"
#include "../test.h"

#include <math.h>
#include <stdlib.h>

enum { N = 32, NIN = 3, NOUT = 2 };

/* y[o][s] = sum over terms of the giant rotation of pt . rot_baby(x[in]). */
static double apply(const struct linmap_term *t, const double *pt, size_t terms, const double *x, const struct linmap_steps *l, int s)
{
    double y = 0;
    for (size_t k = 0; k < terms; k++) {
        int u = (int)(((s + l->giant[t[k].giant]) % N + N) % N), v = (int)(((u + l->baby[t[k].baby]) % N + N) % N);
        y += pt[k * N + u] * x[t[k].in * N + v];
    }
    return y;
}

/* Checks m against the dense matrix of the same values. */
static void check(struct arena *a, const struct ir_csr *m, const double *dense, const struct linmap_steps *l)
{
    double x[NIN * N];
    uint8_t used[N], want_used[N] = {0};
    for (int c = 0; c < NIN * N; c++) x[c] = rand() % 1000;
    struct linmap_sets sets;
    linmap_diagonals(a, &sets, m, N);
    CHECK(sets.modulus == N && sets.nin == NIN && sets.nout == NOUT);
    for (uint32_t o = 0; o < NOUT; o++) {
        struct linmap_term *t;
        size_t n = linmap_terms(&t, a, &sets, o, l);
        double worst = 0, *pt = ARENA_ARRAY(a, double, n * N + 1);
        linmap_plaintexts(pt, t, n / 2, m, N, o, l);
        linmap_plaintexts(pt + n / 2 * N, t + n / 2, n - n / 2, m, N, o, l);
        int sorted = 1;
        for (int s = 0; s < N; s++) {
            double want = 0;
            for (int c = 0; c < NIN * N; c++) {
                double v = dense[((int)o * N + s) * NIN * N + c];
                want += v * x[c];
                want_used[((c - s) % N + N) % N] |= v != 0;
            }
            worst = fmax(worst, fabs(want - apply(t, pt, n, x, l, s)));
        }
        for (size_t k = 1; k < n; k++)
            sorted &= t[k - 1].giant < t[k].giant ||
                      (t[k - 1].giant == t[k].giant &&
                       (t[k - 1].in < t[k].in || (t[k - 1].in == t[k].in && t[k - 1].baby < t[k].baby)));
        CHECKF(worst == 0, "output %u: off by %g", o, worst);
        CHECK(sorted);
        for (size_t k = 0; k < n; k++) {
            int nonzero = 0;
            for (int s = 0; s < N; s++) nonzero |= pt[k * N + s] != 0;
            CHECKF(nonzero, "term %zu is zero", k);
        }
    }
    linmap_union(used, m, N);
    for (int d = 0; d < N; d++) CHECK(used[d] == want_used[d]);
}

static struct ir_csr empty(struct arena *a)
{
    return (struct ir_csr){.rows = NOUT * N, .cols = NIN * N, .ptr = ARENA_ARRAY(a, int64_t, NOUT * N + 1),
                           .col = ARENA_ARRAY(a, int32_t, NOUT * N * NIN * N), .val = ARENA_ARRAY(a, double, NOUT * N * NIN * N)};
}

static void plain_matrix(const struct linmap_steps *l, int one_in)
{
    struct arena *a = arena_new();
    struct ir_csr m = empty(a);
    double *dense = ARENA_ARRAY(a, double, NOUT * N * NIN * N);
    for (int r = 0; r < NOUT * N; r++) {
        m.ptr[r + 1] = m.ptr[r];
        for (int c = 0; c < NIN * N; c++) {
            if (rand() % one_in) continue;
            m.col[m.ptr[r + 1]] = c;
            m.val[m.ptr[r + 1]++] = dense[r * NIN * N + c] = rand() % 100 - 50;     // some zeros
        }
    }
    CHECK(ir_csr_nnz(&m) == m.ptr[NOUT * N]);
    check(a, &m, dense, l);
    arena_free(a);
}

/* Few lines; most rows lie where their columns were counted from, others anywhere. */
static void shared_matrix(const struct linmap_steps *l, int one_in)
{
    struct arena *a = arena_new();
    struct ir_csr m = empty(a);
    double *dense = ARENA_ARRAY(a, double, NOUT * N * NIN * N);
    int64_t nnz = 0;
    m.lines = 5;
    m.mask = N - 1;
    m.line = ARENA_ARRAY(a, int32_t, NOUT * N);
    m.shift = ARENA_ARRAY(a, int32_t, NOUT * N);
    for (int r = 0; r < m.lines; r++) {
        m.ptr[r + 1] = m.ptr[r];
        for (int c = 0; c < NIN * N; c++) {
            if (rand() % one_in) continue;
            m.col[m.ptr[r + 1]] = c;
            m.val[m.ptr[r + 1]++] = rand() % 100 - 50;
        }
    }
    for (int r = 0; r < NOUT * N; r++) {
        m.line[r] = rand() % (int)m.lines;
        m.shift[r] = rand() % 4 ? r % N : rand() % N;
        for (int64_t k = m.ptr[m.line[r]]; k < m.ptr[m.line[r] + 1]; k++, nnz++)
            dense[r * NIN * N + m.col[k] / N * N + (m.col[k] + m.shift[r]) % N] = m.val[k];
    }
    CHECK(ir_csr_nnz(&m) == nnz);
    check(a, &m, dense, l);
    arena_free(a);
}

/* Slots numbered through: lines that move with their rows across the input vectors, and one that lies anywhere. */
static void moved_matrix(const struct linmap_steps *l, int one_in)
{
    struct arena *a = arena_new();
    struct ir_csr m = empty(a);
    double *dense = ARENA_ARRAY(a, double, NOUT * N * NIN * N);
    enum { WIDTH = NIN * N - N + 1 };       // columns of a line, which moves by less than N
    m.lines = 5;
    m.mask = INT32_MAX;
    m.line = ARENA_ARRAY(a, int32_t, NOUT * N);
    m.shift = ARENA_ARRAY(a, int32_t, NOUT * N);
    for (int r = 0; r < m.lines; r++) {
        m.ptr[r + 1] = m.ptr[r];
        for (int c = 0; c < WIDTH; c++) {
            if (rand() % one_in) continue;
            m.col[m.ptr[r + 1]] = c;
            m.val[m.ptr[r + 1]++] = rand() % 100 - 50;
        }
    }
    for (int r = 0; r < NOUT * N; r++) {
        m.line[r] = rand() % (int)m.lines;
        m.shift[r] = m.line[r] ? r % N : rand() % N;
        for (int64_t k = m.ptr[m.line[r]]; k < m.ptr[m.line[r] + 1]; k++) dense[r * NIN * N + m.col[k] + m.shift[r]] = m.val[k];
    }
    check(a, &m, dense, l);
    arena_free(a);
}

int main(void)
{
    static const int64_t giant[] = {0, 8, 16, 24}, baby[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int64_t negative[] = {-16, -8, 0, 8}, shifted[] = {-3, -2, -1, 0, 1, 2, 3, 4, 5}, zero[] = {0};
    int64_t all[N];
    for (int k = 0; k < N; k++) all[k] = k;
    const struct linmap_steps plan[] = {{.giant = giant, .ngiant = 4, .baby = baby, .nbaby = 8},
                                        {.giant = negative, .ngiant = 4, .baby = shifted, .nbaby = 9},
                                        {.giant = zero, .ngiant = 1, .baby = all, .nbaby = N}};
    srand(1);
    for (int one_in = 1; one_in < 100; one_in *= 3)
        for (int k = 0; k < 3; k++) {
            plain_matrix(&plan[k], one_in);
            shared_matrix(&plan[k], one_in);
            moved_matrix(&plan[k], one_in);
        }
    return test_done();
}
