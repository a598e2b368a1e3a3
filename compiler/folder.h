// SPDX-License-Identifier: Apache-2.0
// Folders that appear whole or not at all, and child processes.
#ifndef TACET_FOLDER_H
#define TACET_FOLDER_H

#include "arena.h"
#include <stdbool.h>

/* A fresh folder beside `path`, to be renamed to it; NULL after diag_error. An existing `path` must be an empty folder or hold the
 * file `mark`, which says that it is ours to replace. */
char *folder_begin(struct arena *, const char *path, const char *mark);
/* Renames it into place, or removes it when !keep. 0, or -1 after diag_error. */
int folder_end(struct arena *, const char *tmp, const char *path, bool keep);
void folder_remove(const char *path);               // with all it holds; links are not followed
char *folder_scratch(struct arena *, const char *stem);     // under TMPDIR or /tmp; NULL after diag_error

/* A child process and what it used. Signals that end tacet remove unfinished folders; ended children count as failed. */
struct child {
    double seconds;
    double peak_bytes;
    int status;                 // exit status, 128 + signal
};
/* argv[0] is looked up in PATH; standard output goes to standard error when `quiet` is false, to nothing otherwise. 0 when it
 * ran (whatever its status), -1 when it could not be started. */
int child_run(struct child *out, const char *const *argv, bool quiet);
#endif
