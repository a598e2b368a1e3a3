// SPDX-License-Identifier: Apache-2.0
// Benchmarks of the scheme, part of the bench program.
#ifndef BENCH_SCHEME_H
#define BENCH_SCHEME_H

#include "../../runtime/params.h"

/* One measured row: microseconds (median), and the same in units of one transform of the same run. */
typedef void (*bench_row_fn)(void *arg, const char *name, const char *params, int threads, double us, double ntts);

/* The parameters of the rows: N = 2^16, nq and np primes of 46 and 46.85 bits, alpha limbs a digit. */
void bench_parameters(struct ck_params *, uint32_t nq, uint32_t np, uint32_t alpha);
void bench_scheme(bench_row_fn emit, void *arg);
/* Bootstrapping (bench_boot.c): about 5 GiB of memory and two minutes. */
void bench_boot(bench_row_fn emit, void *arg);
#endif
