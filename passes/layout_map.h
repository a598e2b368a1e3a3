// SPDX-License-Identifier: Apache-2.0
// What one affine map costs between two layouts, and its slot-space matrix.
#ifndef TACET_PASSES_LAYOUT_MAP_H
#define TACET_PASSES_LAYOUT_MAP_H

#include "../compiler/layout.h"
#include "bsgs.h"

/* How a layout [channels, spatial axes...] is made, for deriving that of a convolution's result: spatial axis d runs in steps of unit[d]
 * slots or multiples, `block` slots hold one plane with its gaps. nd = 0: not made so. */
struct geometry {
    uint32_t nd;
    int64_t unit[IR_MAX_RANK], block;
};

/* A layout with its slot table. */
struct place {
    struct layout l;
    struct geometry g;
    uint32_t count;             // vectors
    int64_t numel;
    bool uniform;               // every axis but the first is one digit: moving along it moves all channels by the same slots
    int64_t reach;              // then: slots from the first to the last position of a channel
    int32_t *slot;              // element -> global slot of its first copy
    uint32_t id;
};
/* NULL if an element falls outside a period or two elements share a slot. */
struct place *place_new(struct arena *, const struct layout *, const struct geometry *, uint32_t id);

/* DIRECT: every copy of the output is computed in place. FOLD: each entry is computed once somewhere in its residue class modulo the
 * output's period, and rotate-and-adds sum the classes, which leaves the result periodic. */
enum map_mode { MAP_NONE, MAP_DIRECT, MAP_FOLD };

struct map_plan {
    enum map_mode mode;
    uint32_t modulus;           // diagonals are free modulo this
    struct bsgs_plan plan;
    double cost;                // rotations; infinite for MAP_NONE
    uint32_t nfold;
    int64_t fold[16];
};

/* A matrix between tensors. like[r] is the first row of which row r is a copy moved along the axes of the columns' tensor but the first
 * (any axis, for rows within one channel), r itself if there is none before: in a uniform place such rows have the same diagonals.
 * alike[r] is the same for the columns alone, which are one set for all output channels of a convolution; kind[r] numbers these sets. */
struct map_rows {
    struct ir_csr mat;
    const int32_t *like, *alike, *kind;
    uint32_t kinds;
};
/* `dim`: shape of the columns' tensor. */
struct map_rows map_rows(struct arena *, const struct ir_csr *, uint32_t rank, const int64_t *dim);

/* The cheaper mode, if it is cheaper than `limit`; MAP_NONE otherwise. */
void map_plan(struct arena *, struct map_plan *out, const struct map_rows *, const struct place *in, const struct place *to,
              double limit);

/* The slot-space matrix (to->count*n rows, in->count*n columns) of a planned map. */
struct ir_csr map_matrix(struct arena *, const struct map_plan *, const struct map_rows *, const struct place *in,
                         const struct place *to);

/* A tensor spread over all copies of a place; others zero. */
void place_spread(double *slots, const struct place *, const double *tensor);
#endif
