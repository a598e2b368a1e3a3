// SPDX-License-Identifier: Apache-2.0
// Benchmarks of the scheme, part of the bench program.
#ifndef BENCH_SCHEME_H
#define BENCH_SCHEME_H

/* One measured row: microseconds (median), and the same in units of one transform of the same run. */
typedef void (*bench_row_fn)(void *arg, const char *name, const char *params, int threads, double us, double ntts);

void bench_scheme(bench_row_fn emit, void *arg);
#endif
