// SPDX-License-Identifier: Apache-2.0
// What a ckks module costs: operation counts, time by the runtime's cost model, key bytes; and its parameters as attributes.
#ifndef TACET_PASSES_PLAN_H
#define TACET_PASSES_PLAN_H

#include "pass.h"

/* Parameters <-> module attributes alpha, classes, log_slots, logn, p, q, scale, security. plan_params: false if the module has none. */
bool plan_params(struct ck_params *out, const struct ir_module *);
void plan_set_params(struct ir_module *, const struct ck_params *, double scale);

/* Plaintext products of a linear map: its nonempty (output, input, diagonal) triples. */
int64_t plan_terms(const struct ir_module *, const struct ir_inst *, struct arena *scratch);

/* Levels between operands and result of a vec instruction; 0 for a bootstrap, which starts anew. */
int plan_levels(const struct ir_module *, const struct ir_inst *);

/* Rotations (key switches) of one instruction over the whole bundle: hoisted share their decomposition. */
struct plan_count {
    int64_t hoisted, rotations;         // baby steps; giant steps, folds and single rotations
    int64_t products, relins, rescales; // plaintext products, relinearisations, rescales
};
struct plan_count plan_count(const struct ir_module *, const struct ir_inst *, int64_t terms);

/* Microseconds of one vec or ckks instruction on one thread between two levels. */
double plan_cost_at(const struct ck_cost *, const struct ck_params *, const struct ir_module *, const struct ir_inst *,
                    int64_t terms, int level_in, int level_out);
double plan_cost(const struct ck_cost *, const struct ck_params *, const struct ir_module *, const struct ir_inst *,
                 int64_t terms);

/* The cost model of a compilation. */
const struct ck_cost *plan_constants(const struct options *);

/* Bootstraps of a bundle up to EvalMod: two ciphertexts share one, as real and imaginary part. */
static inline uint32_t plan_pairs(uint32_t count) { return (count + 1) / 2; }

/* The shape of the module's bootstraps; false if it has none (attribute boot_left). */
bool plan_boot(struct ck_boot_shape *out, const struct ir_module *);

/* Bytes of one evaluation key cut to `level`, its a-part a seed, with the permutation of its rotation. */
double plan_key_bytes(const struct ck_params *, uint32_t level);
/* Bytes of all evaluation keys of a module with key_rot and key_level, those of its bootstraps included: what bootstraps and the program
 * want of one rotation and gadget is one key. */
double plan_keys_bytes(const struct ck_params *, const struct ir_module *);
/* Predicted memory of the server besides keys: registers, weights, plaintexts of bootstraps, scratch (liveness.c). */
double plan_bytes_besides_keys(const struct ck_params *, struct ir_module *, struct arena *scratch);
/* id[level] of every level below nq: equal for keys with equal gadgets, counting from 0; the number of gadgets. */
uint32_t plan_gadgets(uint32_t *id, const struct ck_params *);

/* Attributes of a linear map as a list; length 0 if absent. */
size_t plan_list(const int64_t **out, const struct ir_inst *, const char *key);
#endif
