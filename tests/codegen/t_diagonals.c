// SPDX-License-Identifier: Apache-2.0
// Diagonals applied as the runtime applies them give the matrix product.
#include "../../codegen/diagonals.h"
#include "../test.h"

#include <math.h>
#include <stdlib.h>

enum { N = 32, NIN = 3, NOUT = 2 };

/* y[o][s] = sum over terms of the giant rotation of pt . rot_baby(x[in]). */
static double apply(const struct diagonal *t, size_t terms, const double *x, const int64_t *giant, const int64_t *baby, int s)
{
    double y = 0;
    for (size_t k = 0; k < terms; k++) {
        int u = (int)(((s + giant[t[k].giant]) % N + N) % N), v = (int)(((u + baby[t[k].baby]) % N + N) % N);
        y += t[k].pt[u] * x[t[k].in * N + v];
    }
    return y;
}

static void random_matrix(const int64_t *giant, size_t ngiant, const int64_t *baby, size_t nbaby, int one_in)
{
    struct arena *a = arena_new();
    struct ir_csr m = {NOUT * N, NIN * N, ARENA_ARRAY(a, int64_t, NOUT * N + 1), ARENA_ARRAY(a, int32_t, NOUT * N * NIN * N),
                       ARENA_ARRAY(a, double, NOUT * N * NIN * N)};
    for (int r = 0; r < NOUT * N; r++) {
        m.ptr[r + 1] = m.ptr[r];
        for (int c = 0; c < NIN * N; c++) {
            if (rand() % one_in) continue;
            m.col[m.ptr[r + 1]] = c;
            m.val[m.ptr[r + 1]++] = rand() % 100 - 50;      // some zeros
        }
    }
    double x[NIN * N];
    for (int c = 0; c < NIN * N; c++) x[c] = rand() % 1000;
    for (uint32_t o = 0; o < NOUT; o++) {
        struct diagonal *t;
        size_t n = diagonals_of(&t, a, &m, N, o, giant, ngiant, baby, nbaby);
        double worst = 0;
        int sorted = 1;
        for (int s = 0; s < N; s++) {
            double want = 0;
            int64_t r = (int64_t)o * N + s;
            for (int64_t k = m.ptr[r]; k < m.ptr[r + 1]; k++) want += m.val[k] * x[m.col[k]];
            worst = fmax(worst, fabs(want - apply(t, n, x, giant, baby, s)));
        }
        for (size_t k = 1; k < n; k++)
            sorted &= t[k - 1].giant < t[k].giant ||
                      (t[k - 1].giant == t[k].giant &&
                       (t[k - 1].in < t[k].in || (t[k - 1].in == t[k].in && t[k - 1].baby < t[k].baby)));
        CHECKF(worst == 0, "output %u, one in %d: off by %g", o, one_in, worst);
        CHECK(sorted);
        for (size_t k = 0; k < n; k++) {
            int nonzero = 0;
            for (int s = 0; s < N; s++) nonzero |= t[k].pt[s] != 0;
            CHECKF(nonzero, "term %zu is zero", k);
        }
    }
    arena_free(a);
}

int main(void)
{
    static const int64_t giant[] = {0, 8, 16, 24}, baby[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int64_t negative[] = {-16, -8, 0, 8}, shifted[] = {-3, -2, -1, 0, 1, 2, 3, 4, 5}, zero[] = {0};
    int64_t all[N];
    for (int k = 0; k < N; k++) all[k] = k;
    srand(1);
    for (int one_in = 1; one_in < 100; one_in *= 3) {
        random_matrix(giant, 4, baby, 8, one_in);
        random_matrix(negative, 4, shifted, 9, one_in);
        random_matrix(zero, 1, all, N, one_in);
    }
    return test_done();
}
