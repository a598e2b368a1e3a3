// SPDX-License-Identifier: Apache-2.0
// What the files of codegen share: the program read from the module, with encoded weights and operation counts.
#ifndef TACET_EMIT_H
#define TACET_EMIT_H

#include "../compiler/layout.h"
#include "codegen.h"
#include "store.h"
#include <stdio.h>

/* A plaintext in weights.bin. */
struct piece_ref {
    uint64_t offset;
    uint32_t shift, width;
};

struct lin_term {
    uint32_t out, in, giant, baby;
    struct piece_ref pt;
};

/* What an instruction costs, counted over its bundle. */
struct counts {
    uint64_t rotations, pt_products, ct_products, additions, rescales, bootstraps;
    double us;                              // predicted, one thread
};

/* One instruction of the program that computes something. */
struct op {
    const struct ir_inst *inst;
    uint32_t id;                            // numbers its tables: lin3, poly3
    uint32_t reg;                           // where its result goes
    struct counts counts;
    struct lin_term *terms;                 // linear
    size_t nterms;
    struct piece_ref *plain;                // linear: bias; addc: value; one per ciphertext of the result, or NULL
    double weight_error;                    // linear: largest standard deviation of a rounded weight
    double weight_rms;                      // linear: root mean square over its plaintexts, real part
};

/* A step is what progress and plan.json show: one operator with the bookkeeping after it. */
struct step {
    size_t first, count;                    // ops
    const char *node, *what;                // ONNX node; operator
    const struct ir_type *shape;            // of the node's result; NULL: unknown
    const char *part;                       // linear, activation, bootstrap, other
    const struct op *result;                // the op that leaves the step's value
    struct counts counts;
};

struct key {
    int32_t rotation;
    uint32_t level;
};

struct route {
    int32_t rotation;
    uint32_t level;
    int32_t step;
};

struct reg {
    uint32_t count, max_level, max_degree;
};

struct program {
    struct arena *arena;
    struct ir_module *m;
    const struct codegen_options *opt;
    struct ck_params params;
    struct ck_boot_shape boot;              // nstc 0: the program does not bootstrap
    struct op *ops;
    size_t nops;
    struct step *steps;
    size_t nsteps;
    struct key *keys;
    size_t nkeys;
    struct route *routes;
    size_t nroutes;
    struct reg *regs;
    size_t nregs;
    uint32_t nin;
    const struct ir_inst **in;
    uint32_t *in_reg, *out_reg;
    uint64_t weights_bytes;
    double key_bytes, peak_bytes;
    double key_us;                          // of the predicted time: what keys of a higher level and composed rotations add
    uint8_t fingerprint[32];
};

/* program.c: reads a planned module; the module needs parameters, keys and registers. 0, or -1 after diag_error. */
int program_read(struct program *, struct ir_module *, struct arena *, const struct codegen_options *);
const char *program_node(const struct ir_inst *);           // the ONNX node's name, or ""
void program_count(struct program *);                       // counts of every op and step, once the weights are known
void counts_add(struct counts *to, const struct counts *);
struct counts program_total(const struct program *);

/* weights.c: encodes every plaintext of the program into the file f. 0, or -1 after diag_error. */
int weights_write(struct program *, FILE *f, const char *where);

/* A layout as the text of the module's input and output attributes. */
struct layout program_layout(const struct ir_attr *);
struct ir_type program_shape(const struct layout *);        // of the tensor, with its batch axis

void emit_model(FILE *, const struct program *);            // model.c
void emit_tables(FILE *, const struct program *);           // tables.c
void emit_header(FILE *, const struct program *);           // tables.h
void emit_main(FILE *, const struct program *, const char *which);      // client.c, server.c
void emit_ninja(FILE *, const struct codegen_options *);    // build.ninja
void emit_plan(FILE *, const struct program *);             // plan.json
#endif
