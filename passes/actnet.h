// SPDX-License-Identifier: Apache-2.0
// A network whose nonlinear functions are being replaced by polynomials: what is measured on the plain one, fits, and runs of the result.
#ifndef TACET_PASSES_ACTNET_H
#define TACET_PASSES_ACTNET_H

#include "actspec.h"
#include "gauge.h"
#include "remez.h"

#include "../compiler/act.h"
#include "../compiler/interp.h"

enum { ACT_GRID = 2048 };

struct act_site {
    struct gauge_site g;
    struct gauge_range range;           // on all calibration rows
    const char *where;
    const char *name;                   // of the function
    act_fn fn;
    const struct ir_attr *attrs;        // of the replaced instruction
    struct actspec spec;                // as asked for; its degrees as chosen
    struct remez_sign *sign;            // of the last composition
    struct actspec sign_spec;
    struct ir_inst *x;                  // the normalised argument
    struct ir_inst *poly;               // reads it
    struct ir_inst *result;             // what replaced the function: poly, or the product of a composition
    float *sample;                      // plain inputs, from element `at` of the fitting rows
    int64_t *at, samples, stride, phase;
    double reach;                       // largest |argument| of the polynomial in the last walk
    int64_t reach_row;
    double residual;                    // relative error of the last fit, root mean square
};

struct actnet {
    struct ir_module *m;
    const struct options *opt;
    struct arena *scratch;
    struct act_site *site;
    uint32_t sites;
    int64_t rows, fit_rows, width;      // calibration rows, the first of which fit and judge polynomials; elements of output 0
    double **in;                        // fit_rows of every input
    double *ref, *out;                  // fit_rows x width: outputs of the plain network and of the last walk
    double range;                       // of ref
    const int64_t *labels;              // NULL unless the rows are calibration data with labels
};

/* Runs the plain network over the rows: ranges of all sites, samples and reference outputs. 0, or -1 after diag_error. */
int actnet_measure(struct actnet *);

/* Normalises all arguments (gauge.h) and puts a polynomial in the place of every function: composites as their spec says, others
 * unfitted. 0, or -1 after diag_error. */
int actnet_replace(struct actnet *);

/* Gives site k other degrees; the next walk fits them. 0, or -1 after diag_error. */
int actnet_set(struct actnet *, uint32_t k, const struct actspec *);

bool act_has_sign(const struct act_site *);     // can it be written with sign(x)?

/* Runs the network of polynomials over the fitting rows, in program order, and fits every polynomial of a single degree on the way: to the
 * function of the plain network's value, on the arguments that the polynomials before it produce. Fills `out`, reaches and residuals. 0 or -1. */
int actnet_walk(struct actnet *);

/* How far `out` is from `ref`. */
struct act_score {
    double agree;                       // share of rows with the same top-1
    double lost;                        // share of rows: correct before minus correct now (labels), else 1 - agree
    double error;                       // root mean square error over the range of the reference
    double worst;                       // largest error over the range
};
struct act_score actnet_score(const struct actnet *);

/* How far the inputs of a function may go for its polynomial to stay bounded (from g.mid). */
double act_range(const struct act_site *);

/* Levels of one activation. */
int act_depth(const struct actspec *);
#endif
