// SPDX-License-Identifier: Apache-2.0
// Maps between places: looking at one row of each kind gives the same plan and the same matrix as looking at every row, and the matrix
// computes what the map says; for convolutions and poolings whose planes straddle ciphertexts, and for copies and skews.
#include "../../passes/affine.h"
#include "../../passes/layout_map.h"
#include "../test.h"

#include <math.h>
#include <string.h>

static uint64_t seed = 11;

static uint32_t next(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static double weight(void)
{
    return 1 + next(1000);
}

/* A convolution or an average pooling of random shape, as a map. */
static struct affine random_map(struct arena *a, struct ir_module *m, int64_t *in, int64_t *out)
{
    int64_t k = 1 + next(3), stride = 1 + next(2), pad = next((uint32_t)k), cin = 1 + next(5), groups = 1;
    in[0] = cin;
    in[1] = k + next(12);
    in[2] = k + next(12);
    bool pool = next(4) == 0;
    out[0] = pool ? cin : 1 + next(6);
    if (!pool && next(4) == 0) out[0] = groups = cin;
    for (int d = 1; d < 3; d++) out[d] = (in[d] + 2 * pad - k) / stride + 1;
    struct ir_inst *x = ir_build(m, NULL, IR_TENSOR_input, ir_type_tensor(4, (int64_t[]){1, in[0], in[1], in[2]}), 0, NULL);
    struct ir_inst *y = ir_build(m, NULL, pool ? IR_TENSOR_avgpool : IR_TENSOR_conv, ir_type_tensor(4, (int64_t[]){1, out[0], out[1], out[2]}), 1, &x);
    ir_set_ints(m, &y->attrs, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
    ir_set_ints(m, &y->attrs, "strides", (int64_t[]){stride, stride}, 2);
    if (pool) ir_set_ints(m, &y->attrs, "kernel", (int64_t[]){k, k}, 2);
    if (!pool) {
        struct ir_const *w = ir_const_add(m, "w", IR_F64, 4, (int64_t[]){out[0], cin / groups, k, k});
        for (int64_t e = 0; e < ir_const_numel(w); e++) ((double *)w->data)[e] = weight();
        ir_set_symbol(m, &y->attrs, "weight", w->name);
        ir_set_int(m, &y->attrs, "groups", groups);
    }
    struct affine f;
    CHECK(affine_of(a, m, y, 0, &f));
    return f;
}

/* Row-major, channels on any distance, perhaps interleaved, perhaps copied, perhaps turned. */
static struct place *random_place(struct arena *a, const int64_t *dim, uint32_t n)
{
    struct layout l = layout_dense(3, dim, n);
    int64_t plane = dim[1] * dim[2];
    l.digit[0].stride = plane + next(3);
    if (next(3) == 0) {                         // channels in the gaps of every second column
        l.digit[2].stride = 2;
        l.digit[1].stride = 2 * dim[2];
        l.ndigits = 0;
        l.digit[l.ndigits++] = (struct layout_digit){0, (dim[0] + 1) / 2, 2 * plane + next(5)};
        l.digit[l.ndigits++] = (struct layout_digit){0, 2, 1};
        l.digit[l.ndigits++] = (struct layout_digit){1, dim[1], 2 * dim[2]};
        l.digit[l.ndigits++] = (struct layout_digit){2, dim[2], 2};
    }
    int64_t top = 1;
    for (uint32_t d = 0; d < l.ndigits; d++) top += (l.digit[d].extent - 1) * l.digit[d].stride;
    l.period = n;
    while (l.period / 2 >= top && next(3)) l.period /= 2;
    if (l.period < n && next(2)) l.skew = l.period / 4;
    return place_new(a, &l, &(struct geometry){0}, 0);
}

static void equal_matrices(const struct ir_csr *x, const struct ir_csr *y, struct arena *a)
{
    double *row = ARENA_ARRAY(a, double, x->cols);
    int same = x->rows == y->rows && x->cols == y->cols;
    for (int64_t r = 0; r < x->rows && same; r++) {
        struct ir_row p = ir_csr_row(x, r), q = ir_csr_row(y, r);
        same = p.hi - p.lo == q.hi - q.lo;
        for (int64_t k = p.lo; k < p.hi; k++) row[ir_csr_col(x, p, k)] = x->val[k];
        for (int64_t k = q.lo; k < q.hi && same; k++) same = row[ir_csr_col(y, q, k)] == y->val[k];
        for (int64_t k = p.lo; k < p.hi; k++) row[ir_csr_col(x, p, k)] = 0;
    }
    CHECK(same);
}

/* Every copy of every element of M x + folds is that of the map. */
static void check_product(struct arena *a, const struct map_plan *p, const struct ir_csr *mat, const struct ir_csr *map,
                          const struct place *in, const struct place *to)
{
    uint32_t n = in->l.n;
    double *x = ARENA_ARRAY(a, double, in->numel), *y = ARENA_ARRAY(a, double, to->numel), worst = 0;
    double *slots = ARENA_ARRAY(a, double, (int64_t)in->count * n), *got = ARENA_ARRAY(a, double, (int64_t)to->count * n);
    double *want = ARENA_ARRAY(a, double, (int64_t)to->count * n), *old = ARENA_ARRAY(a, double, n), *is = ARENA_ARRAY(a, double, (int64_t)to->count * n);
    for (int64_t e = 0; e < in->numel; e++) x[e] = next(100);
    sparse_apply(y, map, x);
    place_spread(slots, in, x);
    place_spread(want, to, y);
    for (int64_t e = 0; e < to->numel; e++) y[e] = 1;
    place_spread(is, to, y);
    sparse_apply(got, mat, slots);
    for (uint32_t f = 0; f < p->nfold; f++) {
        memcpy(old, got, n * sizeof *old);
        for (uint32_t s = 0; s < n; s++) got[s] += old[(s + p->fold[f]) % n];
    }
    for (int64_t s = 0; s < (int64_t)to->count * n; s++)
        if (is[s] != 0) worst = fmax(worst, fabs(got[s] - want[s]) / (1 + fabs(want[s])));
    CHECKF(worst < 1e-12, "off by %g", worst);
}

static void check_round(struct arena *a)
{
    int64_t din[3], dout[3];
    struct ir_module *m = ir_module_new("t", IR_TENSOR);
    struct affine f = random_map(a, m, din, dout);
    uint32_t n = 32u << next(6);
    struct place *in = random_place(a, din, n), *to = random_place(a, dout, n);
    if (in && to) {
        struct map_rows rows = map_rows(a, &f.mat, 3, din), all = rows;
        int32_t *own = ARENA_ARRAY(a, int32_t, f.mat.rows);
        for (int64_t r = 0; r < f.mat.rows; r++) own[r] = (int32_t)r;
        all.like = all.alike = all.kind = own;
        all.kinds = (uint32_t)f.mat.rows;
        struct map_plan p, q;
        map_plan(a, &p, &rows, in, to, INFINITY);
        map_plan(a, &q, &all, in, to, INFINITY);
        CHECK(p.mode == q.mode && p.cost == q.cost && p.modulus == q.modulus && p.plan.nunion == q.plan.nunion);
        struct ir_csr x = map_matrix(a, &p, &rows, in, to), y = map_matrix(a, &p, &all, in, to);
        equal_matrices(&x, &y, a);
        check_product(a, &p, &x, &f.mat, in, to);
    }
    ir_module_free(m);
}

int main(void)
{
    struct arena *a = arena_new();
    for (int round = 0; round < 400; round++) {
        check_round(a);
        arena_reset(a);
    }
    arena_free(a);
    return test_done();
}
