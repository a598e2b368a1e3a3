// SPDX-License-Identifier: Apache-2.0
// The elementwise functions of tensor.act, exactly as ONNX defines them.
#ifndef TACET_ACT_H
#define TACET_ACT_H

#include "ir.h"

/* Looks a function name up; NULL if unknown. Attributes alpha, beta, lo, hi of the instruction are read per call. */
typedef double (*act_fn)(double x, const struct ir_attr *attrs);
act_fn act_find(const char *name);
#endif
