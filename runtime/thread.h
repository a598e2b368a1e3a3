// SPDX-License-Identifier: Apache-2.0
// The only place that knows OpenMP. A loop under CK_PARALLEL runs its iterations in any order on `threads` threads;
// every iteration writes its own memory only, so results do not depend on the number of threads. Loops are never
// nested: kernels and functions called from a loop body open none.
#ifndef CK_THREAD_H
#define CK_THREAD_H

#include <omp.h>

#define CK_PRAGMA(x) _Pragma(#x)
#define CK_PARALLEL(threads) CK_PRAGMA(omp parallel for schedule(dynamic, 1) num_threads(threads) if ((threads) > 1))
/* The same, with the integer `var` summed over the iterations: counts failures. */
#define CK_PARALLEL_SUM(threads, var)                                                                                  \
    CK_PRAGMA(omp parallel for schedule(dynamic, 1) num_threads(threads) if ((threads) > 1) reduction(+ : var))

/* Index of the calling thread inside a CK_PARALLEL loop, in [0, threads): selects its scratch. */
static inline int ck_thread_index(void)
{
    return omp_get_thread_num();
}

/* Number of processors that OpenMP would use. */
static inline int ck_thread_max(void)
{
    return omp_get_max_threads();
}
#endif
