// SPDX-License-Identifier: Apache-2.0
// Scale factors ("gauge") of tensor values: rescales activation inputs to [-1,1] and pushes the factors into the neighbours.
#ifndef TACET_PASSES_GAUGE_H
#define TACET_PASSES_GAUGE_H

#include "pass.h"

/* One activation after gauging. `in` is (x - mid) / (half shape[c]) in [-1,1], c the channel (axis 1) and shape NULL for ones; the
 * polynomial that replaces `act` must return gain * f(mid + half t). (With a shape f is homogeneous, and its readers expect gain f(x) / shape[c].) */
struct gauge_site {
    struct ir_inst *act;
    double mid, half;           // of the data that `in` carries
    double gain;
    const double *shape;
};

/* Ranges of every activation input on the calibration rows. */
struct gauge_range {
    double lo, hi;
    int64_t channels;
    double *channel_max;        // largest |x| by channel (axis 1)
};

/* Rewrites the module: inserts mulc and addc so that every act sees its normalised argument; the factors sit where an affine operator
 * absorbs them whenever there is one. site[k] and range[k] belong to the k-th act in program order. */
void gauge_apply(struct ir_module *, struct gauge_site *site, const struct gauge_range *range, uint32_t sites, double margin,
                 struct arena *scratch);
#endif
