// SPDX-License-Identifier: Apache-2.0
// Choice of a layout for every value: the problem, its candidates and the search.
#ifndef TACET_PASSES_LAYOUT_SEARCH_H
#define TACET_PASSES_LAYOUT_SEARCH_H

#include "layout_map.h"

/* Values that share a layout because they meet in slotwise operations. */
struct lclass {
    uint32_t rank;              // of the tensor, batch axis left out
    int64_t dim[IR_MAX_RANK];
    bool client;                // holds a function input: the client packs it, in any way
    bool output;                // holds a function output: digits must multiply to the extents exactly
    const struct place *place;  // chosen
};

/* An affine map from one class to another (or the same). */
struct ledge {
    uint32_t from, to;
    struct map_rows rows;
    int64_t nnz;
    uint64_t pattern;           // hash: maps of equal pattern cost the same
    uint32_t nstrides;
    int64_t stride[IR_MAX_RANK];
};

struct lproblem {
    struct arena *arena;
    uint32_t n;                 // slots of a vector
    uint32_t nclasses, nedges;
    struct lclass *classes;     // in program order
    struct ledge *edges;
};

struct candidate {
    struct layout l;
    struct geometry g;
};

/* Candidates for a class, given the places already chosen for the sources of its incoming edges (place[class], NULL: open). At most
 * `max`; at least one. */
uint32_t layout_candidates(const struct lproblem *, uint32_t class, const struct place *const *place, struct candidate *out,
                           uint32_t max);

/* Sets classes[].place; the sum of the prices of all edges is small (beam search). Returns that sum in rotations. */
double layout_search(struct lproblem *);
#endif
