// SPDX-License-Identifier: Apache-2.0
// What a pass is, and the options that a compilation carries to them.
#ifndef TACET_PASS_H
#define TACET_PASS_H

#include "../compiler/ir.h"
#include "../runtime/params.h"

/* User options of one compilation; zero or NULL means "choose". */
struct options {
    int security;                   // bits, 128
    int precision;                  // bits of the result wanted below its range
    int logn;                       // pinned ring degree
    int bootstrap;                  // levels left after bootstrapping; 0: choose, -1: never bootstrap
    int log_slots;                  // pinned slots of a vector (at most logn-1); 0: the layout pass chooses
    int batch;                      // samples that one ciphertext carries, a power of two; 0 or 1: one; OPTIONS_BATCH_AUTO: for the driver to choose
    int64_t key_memory, memory;     // bytes
    const char *activation;         // "Relu=cheb:63,name=minimax:15,15,27"
    const double *calib;            // [ncalib][elements of input 0]; borrowed
    int64_t ncalib;
    const int64_t *calib_labels;    // [ncalib] or NULL
    double input_lo, input_hi;      // --input-range, when lo < hi
    int threads;
    struct ck_cost cost;
};

enum { OPTIONS_BATCH_AUTO = -1 };

struct pass_ctx {
    const struct options *opt;
    struct arena *scratch;          // emptied after each pass
};

enum pass_res { PASS_OK, PASS_CHANGED, PASS_FAIL };     // FAIL after diag_error

struct pass {
    const char *name;
    enum ir_dialect in, out;
    enum pass_res (*run)(struct pass_ctx *, struct ir_module *);
    const char *summary;
};

/* One function a pass, pass_<symbol> for the symbol of its row in passes.def, in the file of the same stem. */
#define PASS(symbol, name, in, out, summary) enum pass_res pass_##symbol(struct pass_ctx *, struct ir_module *);
#include "passes.def"
#undef PASS

const struct pass *pass_find(const char *name);     // NULL if unknown
extern const struct pass pass_table[];          // from passes.def, ends with a NULL name
extern const char *const pass_pipeline[];       // the one visible list (pipeline.c), ends with NULL

/* Runs pipeline passes from start_at to stop_after (NULL: all), verifying after each; 0 or -1. `after` (may be NULL) sees each
 * pass with its seconds. */
int pass_run(const struct pass *, struct ir_module *, const struct options *);  // one pass, then the verifier; 0 or -1
int pipeline_run(struct ir_module *, const struct options *, const char *start_at, const char *stop_after,
                 void (*after)(void *arg, const struct pass *, struct ir_module *, double seconds), void *arg);
#endif
