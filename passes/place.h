// SPDX-License-Identifier: Apache-2.0
// Where to bootstrap: the search on plain data. A value may be bootstrapped once; each operand that reads it takes the value itself or
// the refreshed copy.
#ifndef TACET_PASSES_PLACE_H
#define TACET_PASSES_PLACE_H

#include "../compiler/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum { PLACE_TOP = 64 };                // levels are below

struct place_value {                    // operands come first: arg[k] < own index
    uint32_t nargs, arg[2];
    bool low;                           // its operands lie at most at level `left` (polynomials, products)
    int used;                           // levels between operands and result
    int boot_need;                      // level at which bootstrapping wants it
    double boot_cost;
    const double *cost;                 // [level of the result]: time of the operation, not decreasing
};

struct place {
    uint32_t count, noutputs;
    const struct place_value *value;
    const uint32_t *output;             // wanted at level 0
    int left, top;                      // level after bootstrapping; highest level of the chain
};

/* Chooses for every operand k of every value v whether it reads the refreshed copy: boot[2 v + k] (equal operands agree). Returns
 * the time of the whole program, INFINITY if there is no way. Exact unless more than `beam` states are worth keeping at one
 * point; then the cheapest are. */
double place_solve(const struct place *, bool *boot, uint32_t beam, struct arena *scratch);

/* Time of a given choice: every value at the lowest level that its readers allow. INFINITY if a level is not to be had.
 * level (may be NULL): by value, that of the value itself. */
double place_cost(const struct place *, const bool *boot, int *level, struct arena *scratch);
#endif
