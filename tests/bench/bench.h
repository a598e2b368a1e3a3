// SPDX-License-Identifier: Apache-2.0
// What the parts of the bench program share.
#ifndef BENCH_H
#define BENCH_H

#include "../../runtime/kernels.h"

/* One measured row. `limit_us`: what the machine's measured limits allow; `scalar_us`: the portable kernel; `ntts`: in units of one
 * transform of the same run. 0 where there is none. */
struct bench_row {
    const char *name, *params;
    int threads;
    double median_us, limit_us, scalar_us, ntts;
};
/* Prints the row and keeps it for build/bench.json. */
void bench_emit(const struct bench_row *);

/* Median microseconds of `runs` <= 64 calls, after one that does not count: by the thread's own clock, which a machine shared with
 * others disturbs less, or by the wall's where there are several threads. */
double bench_median(void (*call)(void *), void *arg, int runs);
double bench_median_wall(void (*call)(void *), void *arg, int runs);

/* The limits of one core, measured. */
struct bench_limits {
    double madd52, fma512, fma256, mul64;   // instructions a microsecond; 0 where the CPU lacks them
    double l2, dram;                        // bytes read a microsecond: 512 KiB, 256 MiB
};
struct bench_limits bench_limits_measure(void);

/* Figures that the cost model is fitted to, microseconds. */
struct bench_figures {
    double conv_pair, submulc, inner2, expand;
};
/* The kernels of a table at 2^16; rows carry the ratio to the portable table. */
struct bench_figures bench_kernels(const struct ck_kernels *, const struct bench_limits *);
#endif
