// SPDX-License-Identifier: Apache-2.0
// What the user asks for in --activation, by function or node.
#ifndef TACET_PASSES_ACTSPEC_H
#define TACET_PASSES_ACTSPEC_H

#include "pass.h"

bool actspec_homogeneous(const char *fn);       // f(a x) = a f(x) for a > 0

/* How to approximate one activation: AUTO searches, losing at most `points` percent of the calibrated top-1 (0: hardly any); CHEB has one
 * degree; MINIMAX a composite sign of up to 8 odd degrees. */
enum actspec_kind { ACTSPEC_AUTO, ACTSPEC_CHEB, ACTSPEC_MINIMAX };
enum { ACTSPEC_MAX = 8, ACT_DEGREE_MAX = 1023 };
struct actspec {
    enum actspec_kind kind;
    int count, degree[ACTSPEC_MAX];
    double points;
};

bool actspec_equal(const struct actspec *, const struct actspec *);

/* Looks an activation up by node name, then by function name (case ignored) in "Relu=cheb:63,node=minimax:15,15,27"; AUTO if not
 * named. 0, or -1 after diag_error on bad text. */
int actspec_find(struct actspec *out, const char *option, const char *node, const char *fn);
#endif
