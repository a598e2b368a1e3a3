// SPDX-License-Identifier: Apache-2.0
// vec and ckks operations on bundles of slot vectors. Level and scale do not change a value; a bootstrap is the sine that it evaluates
// (the identity before its parameters are known), up to the error that the noise model adds.
#include "diag.h"
#include "interp.h"
#include "noise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

// y[s] += x[(s + k) mod n] for one vector, x a copy of y before.
static void fold(double *y, double *tmp, uint32_t n, int64_t k)
{
    uint32_t r = (uint32_t)(((k % n) + n) % n);
    memcpy(tmp, y, n * sizeof *y);
    for (uint32_t s = 0; s < n; s++) y[s] += tmp[(s + r) & (n - 1)];
}

// y += (A x I) x: `batch` interleaved samples in each of `rows` bundles.
static void batched(double *y, const struct ir_csr *a, const double *x, int64_t rows, int64_t batch)
{
#pragma omp parallel for
    for (int64_t t = 0; t < rows * a->rows; t++) {
        int64_t r = t % a->rows;
        const double *from = x + t / a->rows * a->cols * batch;
        double *to = y + t * batch;
        struct ir_row row = ir_csr_row(a, r);
        for (int64_t k = row.lo; k < row.hi; k++) {
            const double *column = from + ir_csr_col(a, row, k) * batch;
            for (int64_t s = 0; s < batch; s++) to[s] += a->val[k] * column[s];
        }
    }
}

static void linear(struct interp *in, const struct ir_inst *i, double *out)
{
    struct ir_csr a = ir_csr_find(in->m, ir_get_string(i->attrs, "mat", ""));
    const struct ir_attr *amounts = ir_attr_find(i->attrs, "fold");
    const double *bias = interp_const(in, i, "bias");
    uint32_t n = i->type.n, count = i->type.count, batch = (uint32_t)ir_batch(in->m);
    if (batch == 1) interp_csr(out, &a, interp_arg(in, i, 0), in->rows);
    else batched(out, &a, interp_arg(in, i, 0), in->rows, batch);
#pragma omp parallel if (in->rows * count > 1)
    {
        double *tmp = malloc(n * sizeof *tmp);
        ICE_IF(!tmp, "out of memory");
#pragma omp for
        for (int64_t v = 0; v < in->rows * count; v++) {
            double *y = out + v * n;
            const double *b = bias ? bias + v % count * (n / batch) : NULL;
            for (size_t k = 0; amounts && k < amounts->ints.n; k++) fold(y, tmp, n, amounts->ints.v[k]);
            for (uint32_t k = 0; b && k < n; k++) y[k] += b[k / batch];
        }
        free(tmp);
    }
}

// A slot of R, the largest value that the scale before StC allows, is `ratio` of a turn.
static void evalmod(struct interp *in, const struct ir_inst *i, double *out, const double *a)
{
    int64_t numel = in->rows * ir_type_numel(&i->type);
    double range = noise_boot_range(in->m, i), turn = 2 * M_PI * ir_get_float(in->m->attrs, "boot_ratio", 0);
    for (int64_t k = 0; k < numel; k++) out[k] = range > 0 ? range * sin(turn * a[k] / range) / turn : a[k];
}

void interp_slots(struct interp *in, const struct ir_inst *i, double *out)
{
    int64_t row = ir_type_numel(&i->type), numel = in->rows * row;
    uint32_t n = i->type.n;
    const double *a = i->nargs > 0 ? interp_arg(in, i, 0) : NULL, *b = i->nargs > 1 ? interp_arg(in, i, 1) : NULL;
    switch (i->op) {
    case IR_VEC_linear:
    case IR_CKKS_linear: linear(in, i, out); break;
    case IR_VEC_add:
    case IR_CKKS_add:
        for (int64_t k = 0; k < numel; k++) out[k] = a[k] + b[k];
        break;
    case IR_VEC_sub:
    case IR_CKKS_sub:
        for (int64_t k = 0; k < numel; k++) out[k] = a[k] - b[k];
        break;
    case IR_VEC_mul:
    case IR_CKKS_mul:
        for (int64_t k = 0; k < numel; k++) out[k] = a[k] * b[k];
        break;
    case IR_VEC_mulc:
    case IR_CKKS_mulc: {
        double c = ir_get_float(i->attrs, "value", 1);
        for (int64_t k = 0; k < numel; k++) out[k] = a[k] * c;
        break;
    }
    case IR_VEC_addc:
    case IR_CKKS_addc: {
        const double *c = interp_const(in, i, "value");
        int64_t batch = ir_batch(in->m);
        for (int64_t k = 0; k < numel; k++) out[k] = a[k] + c[k % row / batch];
        break;
    }
    case IR_VEC_poly:
    case IR_CKKS_poly: {
        const double *c = interp_const(in, i, "coeffs");
        int64_t terms = ir_const_numel(ir_const_find(in->m, ir_get_string(i->attrs, "coeffs", "")));
        interp_chebyshev(out, c, terms, a, numel, 0, 1);
        break;
    }
    case IR_CKKS_rot: {
        int64_t r = ir_get_int(i->attrs, "k", 0);
        for (int64_t k = 0; k < numel; k++) out[k] = a[k / n * n + ((k + r) % n + n) % n];
        break;
    }
    case IR_VEC_bootstrap:
    case IR_CKKS_relin:
    case IR_CKKS_rescale:
    case IR_CKKS_drop:
    case IR_CKKS_stc:
    case IR_CKKS_modraise:
    case IR_CKKS_cts: memcpy(out, a, (size_t)numel * sizeof *out); break;
    case IR_CKKS_evalmod: evalmod(in, i, out, a); break;
    default: ICE("no interpreter for %s", ir_op_name(i->op));
    }
}
