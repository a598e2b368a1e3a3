// SPDX-License-Identifier: Apache-2.0
// What the two halves of the search for rotation keys share: keys and trees (routes_tree.c), moves and results (routes.c).
#ifndef TACET_PASSES_ROUTES_IMPL_H
#define TACET_PASSES_ROUTES_IMPL_H

#include "routes.h"

#include <stddef.h>

struct routes_kept {
    int32_t rotation;
    uint32_t level, most;       // now; to begin with
    bool fixed, alive, ladder;  // ladder: not the program's own, not dropped before the budget is reached
    int32_t next;               // of the same rotation, -1: none
    // the best move
    double us, bytes;
    uint32_t to;                // level, ROUTES_TOP: none
    uint32_t version;           // when it was priced
    bool stuck;                 // no move is possible
};

struct routes_tree {
    uint32_t level;
    int32_t *step;              // by rotation 1..n: the last step, 0: not in the tree
    uint32_t *kids;             // by rotation 0..n
    int32_t *node;              // what was ever in the tree
    bool *listed;               // among them
    uint32_t nnode;
    uint32_t *first, *uses;     // uses of rotation r: uses[first[r]..first[r+1])
};

struct routes_undo {
    struct routes_tree *tree;
    int32_t rotation, step;
};

struct routes_state {
    const struct routes *p;
    struct arena *arena;
    struct routes_kept *key;
    uint32_t nkey;
    int32_t *by_rotation;       // first key of a rotation, -1: none
    int32_t *rotations;         // that have or had keys
    uint32_t nrotation;
    struct routes_tree *tree;
    uint32_t ntree;
    uint32_t *tree_of;          // by use
    uint64_t **member;          // by use: a bit for each of its rotations
    double *us;                 // by use
    struct routes_undo *log;
    size_t nlog, room;
    uint32_t *seen, *hub, *paid, now;      // stamps by rotation; paid: by rotation and gadget
    int32_t *queue, *came;      // of the search over rotations that nobody uses
    double bytes;
    uint32_t version;
};

/* The key of lowest level that serves a rotation at `level`, -1: none. */
int32_t routes_serve(const struct routes_state *, int32_t rotation, uint32_t level);
/* Bytes that a key takes besides the fixed ones, which it replaces where it has their gadget. */
double routes_marginal(const struct routes_state *, int32_t rotation, uint32_t level);
/* A ladder's key is left out where the program has one as good. */
void routes_add_key(struct routes_state *, int32_t rotation, uint32_t level, bool fixed, bool ladder);

/* The rotation before the last step of r, which is in the tree; 0: none. */
int32_t routes_before(const struct routes_state *, const struct routes_tree *, int32_t r);
/* step 0: off the tree. Logged. */
void routes_set_step(struct routes_state *, struct routes_tree *, int32_t r, int32_t step);
/* Time of a use, as the runtime goes about it. */
double routes_time_of(struct routes_state *, uint32_t use);
/* Takes what a key carried, and the rotation itself, off a tree and hangs it up again. False: a rotation has no way. */
bool routes_rehang(struct routes_state *, struct routes_tree *, int32_t rotation);
#endif
