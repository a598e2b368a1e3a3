// SPDX-License-Identifier: Apache-2.0
// From a planned module of the ckks dialect to a folder of C, weights, plan and build file.
#ifndef TACET_CODEGEN_H
#define TACET_CODEGEN_H

#include "../compiler/ir.h"
#include "../runtime/params.h"

/* What a node of the model was before the passes merged and split it. */
struct codegen_node {
    const char *name, *operator;
    struct ir_type shape;           // tensor type of its result
};

struct codegen_options {
    const struct codegen_node *nodes;
    size_t nnodes;
    const char *source;             // the model's file name as comments show it
    const char *version;            // of tacet
    const char *include, *archive;  // runtime headers' folder and libck.a, absolute
    const char *cc;                 // C compiler
    int precision;                  // bits of the result wanted, 0: the default
    int threads;                    // that the programs use unless told otherwise
    struct ck_cost cost;
    void (*progress)(const char *what, size_t done, size_t total);  // may be NULL
    bool plan_only;                 // no weights, no programs: plan.json and program.ir
};

/* Writes model.c, tables.c, client.c, server.c, weights.bin, plan.json, program.ir (+ .npz) and build.ninja into the existing
 * folder `dir`, or some of them (plan_only). The same module and options give the same bytes. 0, or -1 after diag_error. */
int codegen_write(struct ir_module *, const char *dir, const struct codegen_options *);
#endif
