// SPDX-License-Identifier: Apache-2.0
// The layers of a compiled folder: what plan.json says of each, what was measured, and the table of both.
#ifndef TACET_LAYERS_H
#define TACET_LAYERS_H

#include "json.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How far values lie from the plain ones. */
struct layer_error {
    double max, square;             // largest; sum of squares
};

struct layer {
    const char *node, *operator, *part, *layout;
    char shape[64];
    uint32_t value, ciphertexts, degree;    // the instruction of program.ir that is its result
    int level_in, level_out;
    double rotations, plain_products, cipher_products, bootstraps;
    double predicted, measured;     // seconds a run, which is a sample or a batch: one core; as run
    // filled by compare, over the slots that hold elements
    double range;                   // largest plain value
    int64_t values;
    struct layer_error simulated, encrypted;
    bool wrong;                     // out of tolerance
};

struct plan {
    const struct json *json, *parameters, *totals;
    struct layer *layer;            // in the arena
    size_t nlayers;
    int64_t batch;                  // samples of a run
    bool measured;
};

/* Reads DIR/plan.json. 0, or -1 after diag_error. */
int plan_read(struct plan *out, struct arena *, const char *dir);
/* Takes the measured times from a report of the server (`server run --report`). 0, or -1 after diag_error. */
int plan_measured(struct plan *, struct arena *, const char *path);

double layer_rms(const struct layer *, const struct layer_error *);

/* Columns beside node, operator, shape and levels. */
enum { LAYERS_COST = 1, LAYERS_ERROR = 2, LAYERS_LAYOUT = 4 };
/* One line a layer; times as far as they are known. */
void layers_print(const struct plan *, unsigned columns);
/* One line a part (linear, activation, bootstrap, other): seconds and share. */
void layers_print_parts(const struct plan *);
/* "layers": [...], "parts": [...] as members of a JSON object, without a comma after them. */
void layers_write(FILE *, const struct plan *, unsigned columns);
#endif
