// SPDX-License-Identifier: Apache-2.0
// Progress on a terminal, seconds, and byte counts for people.
#include "cmd.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool silent;

void progress_quiet(bool quiet)
{
    silent = quiet;
}

void progress(const char *label, size_t done, size_t total)
{
    enum { WIDTH = 30 };
    if (silent || !isatty(2)) return;
    if (done >= total) {
        fprintf(stderr, "\r\033[K");
        return;
    }
    char bar[WIDTH + 1];
    size_t full = WIDTH * done / total;
    memset(bar, ' ', WIDTH);
    memset(bar, '#', full);
    bar[WIDTH] = 0;
    fprintf(stderr, "\r\033[K[%s] %zu/%zu %.40s", bar, done, total, label);
    fflush(stderr);
}

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *bytes_text(char buf[32], double bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    while (bytes >= 1024 && u < 4) bytes /= 1024, u++;
    snprintf(buf, 32, u ? "%.2f %s" : "%.0f %s", bytes, unit[u]);
    return buf;
}
