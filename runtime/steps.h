// SPDX-License-Identifier: Apache-2.0
// What the server measures of each step of a program, as a table for people and as JSON for scripts and `tacet run`.
#ifndef CK_STEPS_H
#define CK_STEPS_H

#include "ck.h"

struct ck_steps {
    const struct ck_model *model;   // borrowed
    double *seconds;                // own: nsteps sums over the samples
    double *share;                  // own: predicted share of the time before each step; NULL if there is no prediction
    uint32_t samples, threads;
    size_t now;                     // step that runs; nsteps: none
    double since, loading;          // seconds
    uint64_t peak_bytes;
};

/* No sample measured yet. CK_ENOMEM. */
enum ck_err ck_steps_init(struct ck_steps *out, const struct ck_model *);
void ck_steps_clear(struct ck_steps *);
/* The clock of a step; stop does nothing when none runs. */
void ck_steps_start(struct ck_steps *, size_t step);
void ck_steps_stop(struct ck_steps *);
/* One line a step, predicted and measured, and one a part, to standard output. */
void ck_steps_print(const struct ck_steps *);
/* As JSON, seconds in the order of plan.json's layers; errors as in npy.h. */
const char *ck_steps_write(const struct ck_steps *, const char *path);
#endif
