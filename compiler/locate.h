// SPDX-License-Identifier: Apache-2.0
// Where the runtime's headers and library are.
#ifndef TACET_LOCATE_H
#define TACET_LOCATE_H

#include "arena.h"

struct runtime_place {
    const char *include;        // folder that holds ck.h
    const char *archive;        // libck.a
};

/* In this order: `dir` (option --runtime), the environment variable TACET_RUNTIME, the build tree or the installation that the
 * running executable belongs to. A given folder holds ck.h and libck.a itself, or is an installation prefix.
 * 0, or -1 after diag_error. */
int locate_runtime(struct runtime_place *out, struct arena *, const char *dir);
#endif
