// SPDX-License-Identifier: Apache-2.0
// What the two halves of ck_linear share: the plan of one call (linear.c) and its inner sums (linear_sum.c).
#ifndef CK_LINEAR_IMPL_H
#define CK_LINEAR_IMPL_H

#include "internal.h"
#include "plain.h"

/* A rotated input that occurs in the map. Made on the fly from the digits of its input if there is a key, else `poly` are its two
 * polynomials in Q. */
struct lin_source {
    uint32_t in, baby;
    const struct ck_key *key;
    const uint64_t *poly[2];
};

/* An inner sum: the terms of one output and one giant step. */
struct lin_group {
    uint32_t from, to, out;
    uint32_t depth;                 // key switches from it to the outer sum
    int32_t rotation;
};

/* A rotation of the inputs that babies need: a baby, or one on the way to it. The turn that it is made from comes earlier. */
struct lin_turn {
    int32_t rotation;
    uint32_t from;                  // the turn before its last step + 1; 0: the input
    uint32_t children;              // turns made from it
    const struct ck_key *key;       // of the last step
    // of the input at hand
    bool wanted;
    uint32_t source;                // + 1; 0: none
    const uint64_t *poly[2];        // in Q
};

/* One call. Limbs: ell in Q; kin special ones of babies and inner sums; kout of outer sums; kin <= kout. */
struct lin_map {
    struct ck_eval *ev;
    const struct ck_context *ctx;
    const struct ck_lin *lin;
    const struct ck_gadget *g;      // of the sums; NULL: nothing is rotated
    uint32_t level, ell, kin, kout;
    uint32_t nsource, ngroup, most; // most: sources of one input
    uint32_t nturn;
    uint32_t nmixed;                // babies modulo QP that are made in Q first: those of another gadget, composed ones and what they need
    uint32_t nhub;                  // most turns of one input that are no sources
    // Passes: `chunk` inputs at a time, all groups; or all inputs at once, groups of whole outputs up to `batch`. The second kind
    // keeps babies modulo QP in the pool from the first batch on.
    uint32_t chunk, batch;
    size_t tile;                    // words of a limb for which babies are made on the fly
    bool keep;
    bool counting;                  // scratch is counted, not taken
    size_t words, local_words;
    uint32_t *source_of;            // nin x nbaby: index of the source + 1
    struct lin_source *source;      // by input
    struct lin_group *group;
    struct lin_turn *turn;
    uint32_t *turn_of;              // nbaby: index of the turn + 1; 0: not turned
    struct ck_plain *plain;         // nterm
    uint64_t *pool, *mixed, *sums, *outer, *spare, *acc, *low, *digits, *local;
    uint64_t *hubs, *more;          // turns that are no sources; digits of turns, or of another gadget
};

/* One pass over the primes. */
struct lin_pass {
    uint32_t in0, in1, source0, source1, group0, group1;
    bool make;                      // babies modulo QP are to be made
};

/* Words of `count` entries of a table, in whole cache lines. */
static inline size_t lin_words_for(size_t count, size_t size)
{
    return (count * size + 63) / 64 * 8;
}

/* Rotated inputs and transforms of plaintexts are read side by side, at one place in each: a power of two apart they would share a few sets of the caches.
 * Words that set them apart, nine cache lines. */
enum { LIN_SKEW = 72 };
/* Words from one polynomial of a rotated input to the next; `special`: special limbs. */
static inline size_t lin_turned_words(const struct lin_map *m, uint32_t special)
{
    return (m->ell + special) * m->ctx->n + LIN_SKEW;
}
/* Words of one polynomial pair of an inner sum. */
static inline size_t lin_inner_words(const struct lin_map *m)
{
    return (size_t)2 * (m->ell + m->kin) * m->ctx->n;
}

/* The last step of a rotation (any; not 0 modulo n) and what comes before it, as ck_eval_turn; NULL: no key. */
static inline const struct ck_key *lin_step(const struct lin_map *m, int32_t rotation, int32_t *before)
{
    return ck_eval_turn(m->ev, ck_rotation(m->ctx, rotation), m->level, before);
}
static inline const struct ck_gadget *lin_gadget(const struct lin_map *m, const struct ck_key *key)
{
    return &m->ev->evk->gadget[key->gadget];
}

/* The key of a baby of a raised map; NULL: none. */
static inline const struct ck_key *lin_raised_key(const struct lin_map *m, int32_t rotation)
{
    return ck_evk_find(m->ev->evk, CK_KEY_SPARSE + ck_galois_rotation(m->ctx, rotation), m->level);
}
/* linear_turn.c. The turns of all babies; m->turn and m->turn_of have room (ck_lin_turn_words). All keys are there. */
void ck_lin_turns(struct lin_map *);
size_t ck_lin_turn_words(const struct lin_map *);
/* Sets nmixed and nhub, once kin is known. */
void ck_lin_turns_count(struct lin_map *);
/* Words of `more`. */
size_t ck_lin_turn_digits(const struct lin_map *);
/* What the pass needs of its inputs: digits, and polynomials of the sources that are not made on the fly. */
enum ck_err ck_lin_sources(struct lin_map *, const struct ck_ct *in, const struct lin_pass *);

/* The same for a raised map. */
enum ck_err ck_lin_raised_sources(struct lin_map *, const struct ck_ct *in);

/* sums[group] (+)= the products of the pass. CK_ERANDOM. */
enum ck_err ck_lin_sums(const struct lin_map *, const struct lin_pass *);
/* Words of scratch of one thread. */
size_t ck_lin_sums_words(const struct lin_map *);
#endif
