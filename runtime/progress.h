// SPDX-License-Identifier: Apache-2.0
// Progress of long work on standard error: a bar on a terminal, plain lines elsewhere, nothing when quiet.
#ifndef CK_PROGRESS_H
#define CK_PROGRESS_H

#include <stddef.h>

enum ck_progress_mode { CK_PROGRESS_AUTO, CK_PROGRESS_BAR, CK_PROGRESS_LINES, CK_PROGRESS_QUIET };

struct ck_progress {
    enum ck_progress_mode mode;
    const char *title;      // borrowed: "keygen", "sample 2/5"
    double start, shown;    // seconds, monotonic
    const double *share;    // borrowed, may be set after begin: share of the time that the steps before each take; NULL: equal steps
    const char *what;       // borrowed: last step's name
    int width;              // characters of the last bar
};

double ck_progress_now(void);       // seconds of a monotonic clock

/* Starts; AUTO becomes BAR on a terminal, LINES elsewhere. */
void ck_progress_begin(struct ck_progress *, enum ck_progress_mode, const char *title);
/* Step `done` of `total` begins, named `what` (borrowed until the next call). NULL progress is allowed. */
void ck_progress_step(struct ck_progress *, size_t done, size_t total, const char *what);
/* Ends the line; returns the seconds since begin. */
double ck_progress_end(struct ck_progress *);
#endif
