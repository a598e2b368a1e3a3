// SPDX-License-Identifier: Apache-2.0
// Progress of long work. The time left follows from the share of the work that is done.
#include "progress.h"
#include <stdio.h>
#include <time.h>
#include <unistd.h>

double ck_progress_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void ck_progress_begin(struct ck_progress *p, enum ck_progress_mode mode, const char *title)
{
    if (mode == CK_PROGRESS_AUTO) mode = isatty(2) ? CK_PROGRESS_BAR : CK_PROGRESS_LINES;
    *p = (struct ck_progress){.mode = mode, .title = title, .start = ck_progress_now()};
    p->shown = mode == CK_PROGRESS_LINES ? p->start : p->start - 1;
}

static void left(char *buf, size_t cap, double elapsed, double share)
{
    double s = share > 0 ? elapsed * (1 - share) / share : 0;
    if (!(share > 0)) snprintf(buf, cap, "...");
    else if (s < 100) snprintf(buf, cap, "%.0f s left", s);
    else snprintf(buf, cap, "%.0f min left", s / 60);
}

void ck_progress_step(struct ck_progress *p, size_t done, size_t total, const char *what)
{
    if (!p) return;
    p->what = what;
    double now = ck_progress_now();
    // A bar moves ten times a second at most; a line comes every two seconds.
    if (p->mode == CK_PROGRESS_QUIET || now - p->shown < (p->mode == CK_PROGRESS_BAR ? 0.1 : 2.0)) return;
    p->shown = now;
    char eta[32];
    double share = p->share && done < total ? p->share[done] : total ? (double)done / (double)total : 1;
    left(eta, sizeof eta, now - p->start, share);
    if (p->mode == CK_PROGRESS_LINES) {
        fprintf(stderr, "%s: %zu/%zu %s, %s\n", p->title, done, total, what, eta);
        return;
    }
    char bar[25] = "........................";
    for (int i = 0; i < 24; i++)
        if (i + 1 <= share * 24) bar[i] = '#';
    int n = fprintf(stderr, "\r%s [%s] %3.0f%% %.40s, %s", p->title, bar, 100 * share, what, eta);
    for (int i = n; i < p->width; i++) fputc(' ', stderr);
    p->width = n;
    fflush(stderr);
}

double ck_progress_end(struct ck_progress *p)
{
    if (p->width) {
        fprintf(stderr, "\r%*s\r", p->width, "");
        fflush(stderr);
        p->width = 0;
    }
    return ck_progress_now() - p->start;
}
