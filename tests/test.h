// SPDX-License-Identifier: Apache-2.0
// Unit tests: CHECK counts and reports, test_done prints the closing line and gives the exit status.
#ifndef TACET_TEST_H
#define TACET_TEST_H

#include <stdio.h>

static int test_passed, test_failed, test_skipped;

/* One check; the message is a printf format with its arguments. */
#define CHECKF(cond, ...)                                                                                              \
    do {                                                                                                               \
        if (cond) {                                                                                                    \
            test_passed++;                                                                                             \
        } else {                                                                                                       \
            test_failed++;                                                                                             \
            printf("%s:%d: ", __FILE__, __LINE__);                                                                     \
            printf(__VA_ARGS__);                                                                                       \
            printf("\n");                                                                                              \
        }                                                                                                              \
    } while (0)
#define CHECK(cond) CHECKF(cond, "not true: %s", #cond)
#define SKIP(why) (test_skipped++, printf("skipped: %s\n", why))

static inline int test_done(void)
{
    printf("%d passed, %d failed, %d skipped\n", test_passed, test_failed, test_skipped);
    return test_failed != 0;
}
#endif
