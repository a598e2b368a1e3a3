// SPDX-License-Identifier: Apache-2.0
// What the interpreters of the dialects share.
#ifndef TACET_INTERP_H
#define TACET_INTERP_H

#include "ir.h"

/* One run over `rows` samples. A value holds rows x ir_type_numel numbers, sample after sample; every operation goes over all samples before
 * the next, in threads (samples or slices of the work), with the same result for any number of threads and rows. */
struct interp {
    struct ir_module *m;
    struct arena *arena;            // scratch of one instruction, emptied after it
    const struct ir_noise *noise;   // may be NULL
    int64_t rows;
    double **value;                 // by instruction id, malloc'd; NULL before it is computed and once it is dead
    uint32_t *last;                 // by instruction id: the last reader, or the number of instructions for an output
    uint32_t count;
};

/* The module must be numbered (ir_renumber) and stays so until interp_end. `step` computes one instruction other than an input, whose values
 * the caller provides (own, malloc'd); 0 or -1 after diag_error. `release` frees the operands that nobody reads after `i`. */
void interp_begin(struct interp *, struct ir_module *, int64_t rows, const struct ir_noise *);
int interp_step(struct interp *, const struct ir_inst *i);
void interp_release(struct interp *, const struct ir_inst *i);
void interp_end(struct interp *);

/* Rows that fit a share of memory at once. */
int64_t interp_rows(const struct ir_module *, int64_t wanted);

/* Compute one instruction into `out` (rows x ir_type_numel, zeroed). */
void interp_tensor(struct interp *, const struct ir_inst *, double *out);
void interp_conv(struct interp *, const struct ir_inst *, double *out);
void interp_slots(struct interp *, const struct ir_inst *, double *out);     // vec and ckks

/* Value of argument k; the constant an attribute names, as doubles; NULL when the attribute is absent. Not inside a parallel region. */
const double *interp_arg(const struct interp *, const struct ir_inst *, uint32_t k);
const double *interp_const(struct interp *, const struct ir_inst *, const char *key);

/* A window operator over 1 or 2 spatial axes, seen as 2-D (a missing axis has extent 1). kernel NULL: the attribute. */
struct interp_window {
    int64_t in[2], out[2], kernel[2], stride[2], pad[2], pad_end[2], dilation[2];
};
struct interp_window interp_window(const struct ir_inst *, const int64_t *kernel);

/* Kernels (interp_kernels.c): the same bits on every machine.
 * tile: acc[r][j] += sum_k a[4 k + r] b[offset[k] + j], r < 4, j < 16, k ascending.
 * csr: y += A x on `rows` samples.      chebyshev: out = sum c_k T_k((x - mid) / half) by Clenshaw's recurrence, n >= 1 coefficients. */
enum { INTERP_TILE = 16, INTERP_OUTPUTS = 4 };
void interp_tile(double acc[INTERP_OUTPUTS * INTERP_TILE], const double *a, const double *b, const int64_t *offset, int64_t n);
void interp_csr(double *y, const struct ir_csr *a, const double *x, int64_t rows);
void interp_chebyshev(double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half);
#endif
