// SPDX-License-Identifier: Apache-2.0
// Linear operators of the tensor dialect as sparse affine maps y = A x + b on flattened tensors.
#ifndef TACET_PASSES_AFFINE_H
#define TACET_PASSES_AFFINE_H

#include "sparse.h"

struct affine {
    struct ir_csr mat;
    double *bias;               // one per row, or NULL: none
    bool shared;                // the matrix is another map's too
    uint32_t nstrides;          // spatial strides of the rows over the columns (convolution, pooling), 0: unknown
    int64_t stride[IR_MAX_RANK];
};

/* The part of a linear operation that depends on argument `arg`; the bias comes with argument 0. False if the operation is not
 * linear. Strides are given for operations whose operand and result have the same spatial axes (2, 3, ...). */
bool affine_of(struct arena *, const struct ir_module *, const struct ir_inst *, uint32_t arg, struct affine *out);

/* Copy of a tensor to a larger shape by the broadcasting rules. */
struct ir_csr affine_broadcast(struct arena *, const struct ir_type *from, const struct ir_type *to);

/* outer o inner. */
struct affine affine_compose(struct arena *, const struct affine *outer, const struct affine *inner);

/* Price of evaluating a map under encryption before any layout is known, in rotations: it has at least min(entries of the
 * fullest row, of the fullest column) diagonals d, which BSGS does in about 2 sqrt(d) rotations and d products. */
double affine_price(int64_t max_row, int64_t max_col);
#endif
