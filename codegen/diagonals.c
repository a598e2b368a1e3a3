// SPDX-License-Identifier: Apache-2.0
// Extraction of generalised diagonals. Diagonal d of a block, D[s] = M[s, s+d], appears in the plan as d = g + b:
//     M x = sum_d D_d . rot_d(x) = sum_g rot_g( sum_b rot_-g(D_{g+b}) . rot_b(x) ),  so pt[t] = D_{g+b}[t - g].
#include "diagonals.h"
#include "../compiler/diag.h"

#include <stdlib.h>

struct pair {
    int32_t giant, baby;                // indices, -1 where the plan does not reach
};

static uint32_t modulo(int64_t k, uint32_t n)
{
    return (uint32_t)(((k % n) + n) % n);
}

static struct pair *reach(struct arena *a, uint32_t n, const int64_t *giant, size_t ngiant, const int64_t *baby, size_t nbaby)
{
    struct pair *p = ARENA_ARRAY(a, struct pair, n);
    for (uint32_t d = 0; d < n; d++) p[d] = (struct pair){-1, -1};
    for (size_t g = 0; g < ngiant; g++)
        for (size_t b = 0; b < nbaby; b++) {
            uint32_t d = modulo(giant[g] + baby[b], n);
            if (p[d].giant < 0) p[d] = (struct pair){(int32_t)g, (int32_t)b};
        }
    return p;
}

static int by_place(const void *x, const void *y)
{
    const struct diagonal *a = x, *b = y;
    if (a->giant != b->giant) return a->giant < b->giant ? -1 : 1;
    if (a->in != b->in) return a->in < b->in ? -1 : 1;
    return a->baby < b->baby ? -1 : a->baby > b->baby;
}

size_t diagonals_of(struct diagonal **terms, struct arena *a, const struct ir_csr *mat, uint32_t n, uint32_t out,
                    const int64_t *giant, size_t ngiant, const int64_t *baby, size_t nbaby)
{
    struct arena *scratch = arena_new();
    uint32_t nin = (uint32_t)(mat->cols / n);
    struct pair *plan = reach(scratch, n, giant, ngiant, baby, nbaby);
    uint32_t *index = ARENA_ARRAY(scratch, uint32_t, (size_t)nin * n);  // 1 + term of (in, diagonal)
    int64_t first = (int64_t)out * n;
    size_t count = 0;
    for (int64_t r = first; r < first + n; r++)
        for (int64_t k = mat->ptr[r]; k < mat->ptr[r + 1]; k++) {
            uint32_t in = (uint32_t)(mat->col[k] / n), d = modulo(mat->col[k] - r, n);
            if (mat->val[k] != 0 && !index[(size_t)in * n + d]) index[(size_t)in * n + d] = (uint32_t)++count;
        }
    struct diagonal *t = ARENA_ARRAY(a, struct diagonal, count ? count : 1);
    for (uint32_t in = 0; in < nin; in++)
        for (uint32_t d = 0; d < n; d++) {
            uint32_t at = index[(size_t)in * n + d];
            if (!at) continue;
            ICE_IF(plan[d].giant < 0, "the plan of a linear map does not reach diagonal %u", d);
            t[at - 1] = (struct diagonal){in, (uint32_t)plan[d].giant, (uint32_t)plan[d].baby, ARENA_ARRAY(a, double, n)};
        }
    for (int64_t r = first; r < first + n; r++)
        for (int64_t k = mat->ptr[r]; k < mat->ptr[r + 1]; k++) {
            if (mat->val[k] == 0) continue;
            uint32_t in = (uint32_t)(mat->col[k] / n), d = modulo(mat->col[k] - r, n);
            struct diagonal *x = &t[index[(size_t)in * n + d] - 1];
            x->pt[modulo(r - first + giant[x->giant], n)] += mat->val[k];
        }
    arena_free(scratch);
    qsort(t, count, sizeof *t, by_place);
    *terms = t;
    return count;
}
