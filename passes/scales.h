// SPDX-License-Identifier: Apache-2.0
// Scales of a ckks module for a given prime chain; shared by params (with nominal primes) and scales (with the real ones).
#ifndef TACET_PASSES_SCALES_H
#define TACET_PASSES_SCALES_H

#include "pass.h"

/* Sets type.scale of every instruction. q[l] is the prime that a rescale from level l divides by; `target` is the integer that the
 * largest value of a freely scaled result should have (ranges: rlo, rhi). */
void scales_assign(struct ir_module *, const double *q, double target, struct arena *scratch);
#endif
