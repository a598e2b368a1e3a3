// SPDX-License-Identifier: Apache-2.0
// How large every value gets: attributes rlo and rhi on every instruction.
#ifndef TACET_PASSES_RANGE_H
#define TACET_PASSES_RANGE_H

#include "pass.h"

/* Runs the module (any dialect) on the calibration rows, at most `rows` of them, and sets rlo, rhi to what was seen. Without
 * calibration data: on both ends of --input-range ([-1,1] if none) and random inputs between. 0, or -1 after diag_error. */
int range_measure(struct pass_ctx *, struct ir_module *, int64_t rows);

/* Generated inputs to run, at most `most`: few where one run takes billions of multiply-adds. */
int64_t range_guesses(const struct ir_module *, int64_t most);

/* Runs that about `budget` multiply-adds pay, from `least` to `most`. */
int64_t range_few(const struct ir_module *, double budget, int64_t least, int64_t most);

/* Calibration rows to run so that about `budget` multiply-adds are spent; all of them if few. */
int64_t range_rows(const struct ir_module *, const struct options *, double budget);

/* Is there calibration data that fits this module (one input)? */
bool range_measured(const struct ir_module *, const struct options *);

/* Inputs number `row` of what range_measure runs, packed: calibration rows, or both ends and random ones. 0, or -1 after diag_error. */
int range_inputs(double *const *in, const struct ir_module *, const struct options *, int64_t row, struct arena *scratch);

/* The same for n runs from row `first` on, one after the other in every array (a run takes ir_batch rows). */
int range_inputs_rows(double *const *in, const struct ir_module *, const struct options *, int64_t first, int64_t n, struct arena *scratch);

/* Arrays for the module's inputs and outputs, one row or several. */
void range_buffers(double ***in, double ***out, const struct ir_module *, struct arena *scratch);
void range_buffers_rows(double ***in, double ***out, const struct ir_module *, int64_t rows, struct arena *scratch);
#endif
