// SPDX-License-Identifier: Apache-2.0
// What a ckks module costs: operation counts, time by the runtime's cost model, key bytes; and its parameters as attributes.
#ifndef TACET_PASSES_PLAN_H
#define TACET_PASSES_PLAN_H

#include "pass.h"

/* Parameters <-> module attributes alpha, log_slots, logn, p, q, scale, security. plan_params: false if the module has none. */
bool plan_params(struct ck_params *out, const struct ir_module *);
void plan_set_params(struct ir_module *, const struct ck_params *, double scale);

/* Plaintext products of a linear map: its nonempty (output, input, diagonal) triples. */
int64_t plan_terms(const struct ir_module *, const struct ir_inst *, struct arena *scratch);

/* Rotations (key switches) of one instruction over the whole bundle: hoisted share their decomposition. */
struct plan_count {
    int64_t hoisted, rotations;         // baby steps; giant steps, folds and single rotations
    int64_t products, relins, rescales; // plaintext products, relinearisations, rescales
};
struct plan_count plan_count(const struct ir_module *, const struct ir_inst *, int64_t terms);

/* Microseconds of one instruction on one thread. */
double plan_cost(const struct ck_cost *, const struct ck_params *, const struct ir_module *, const struct ir_inst *,
                 int64_t terms);

/* Bytes of one evaluation key cut to `level`, its a-part a seed. */
double plan_key_bytes(const struct ck_params *, uint32_t level);

/* Attributes of a linear map as a list; length 0 if absent. */
size_t plan_list(const int64_t **out, const struct ir_inst *, const char *key);
#endif
