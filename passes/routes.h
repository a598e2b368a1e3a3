// SPDX-License-Identifier: Apache-2.0
// Which rotation keys to keep: the search on plain data. A rotation without a key is composed: the rotation `before` it, which may be composed as
// well, then one step by a key that is kept (struct ck_route in runtime/model.h).
#ifndef TACET_PASSES_ROUTES_H
#define TACET_PASSES_ROUTES_H

#include "../compiler/arena.h"
#include <stdbool.h>
#include <stdint.h>

enum { ROUTES_TOP = 64, ROUTES_GADGETS = 24 };           // levels and gadgets are below

/* How the rotations of a use meet (runtime/linear.c, linear_turn.c). */
enum routes_kind {
    ROUTES_HOISTED,         // of one ciphertext: what has the same rotation before it and one gadget shares a ModUp
    ROUTES_SUMS,            // of one sum each: a sum joins the one of the rotation before, where that is in the list
    ROUTES_SINGLE,          // each for itself
};

struct routes_use {
    enum routes_kind kind;
    uint32_t level;
    double count;           // ciphertexts
    uint32_t n;
    const int32_t *rotation;        // distinct, in (0, n); n stands for relinearisation, which cannot be composed
};

struct routes_key {
    int32_t rotation;       // 1 to n
    uint32_t level;         // highest at which it serves
};

/* Time of a key switch at one level by a key of another (at least that) level. */
struct routes_price {
    double whole, modup, hoisted, moddown;      // whole = modup + hoisted + 2 moddown or so
};

struct routes {
    uint32_t n;             // slots, a power of two
    const struct routes_use *use;
    uint32_t nuse;
    const struct routes_key *key;   // to begin with: enough for every use
    uint32_t nkey;
    const struct routes_key *fixed; // there in any case; what they serve with the same gadget needs no key of its own
    uint32_t nfixed;
    double bytes[ROUTES_TOP];       // of a key by its level
    uint32_t gadget[ROUTES_TOP];    // of a key by its level; equal numbers, equal gadgets
    struct routes_price price[ROUTES_TOP][ROUTES_TOP];      // [level of use][level of key]
    double budget;          // bytes of kept keys beyond the fixed ones
};

struct routes_step {
    int32_t rotation;
    uint32_t level;         // of use
    int32_t step;
};

struct routes_plan {
    struct routes_key *key;         // kept, by (rotation, level)
    uint32_t nkey;
    struct routes_step *step;       // compositions, by (rotation, level)
    uint32_t nstep;
    double bytes;                   // beyond the fixed ones; at most the budget, else what is the least that was found
    double *us;                     // by use: time of its rotations
    double total;
};

/* Drops keys until their bytes are within the budget, the one that costs least time a byte first; a second try starts with powers of two
 * beside the program's own rotations. Keys that save no time go whatever the budget is. False if the budget was not reached: then the
 * plan is the smallest that was found. Own: the arena's. */
bool routes_solve(const struct routes *, struct routes_plan *out, struct arena *);

/* Time of all uses, by use where us is given, with keys and steps as given; INFINITY if a rotation has no way. For tests and reports. */
double routes_time(const struct routes *, const struct routes_key *, uint32_t nkey, const struct routes_step *, uint32_t nstep, double *us,
                   struct arena *scratch);
#endif
