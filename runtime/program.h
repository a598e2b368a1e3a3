// SPDX-License-Identifier: Apache-2.0
// What client and server share: arguments, messages, context.
#ifndef CK_PROGRAM_H
#define CK_PROGRAM_H

#include "ck.h"
#include "progress.h"
#include "store.h"

enum {
    CK_OPT_KEYS = 1, CK_OPT_INPUT = 2, CK_OPT_OUTPUT = 4, CK_OPT_WEIGHTS = 8, CK_OPT_FORCE = 16, CK_OPT_LAYERS = 32, CK_OPT_REPORT = 64,
    CK_OPT_TRACE = 128, CK_OPT_FLOOD = 256
};

struct ck_program {
    const char *name;           // "client", for messages
    const struct ck_model *model;
    const char *keys, *weights, *report, *trace;    // options; NULL if not given
    uint32_t nin, nout;
    const char **input, **output;   // own
    int threads, force, layers, flood;
    enum ck_progress_mode mode;
};

/* A command of a program: its name, the options it needs and those it may take, its help. */
struct ck_command {
    const char *name;
    unsigned needs, takes;
    const char *help;
    int (*run)(const struct ck_program *);
};

/* The whole of main: picks the command (or prints help), parses its options, runs it. */
int ck_program_main(const char *name, const char *help, const struct ck_command *, size_t count, const struct ck_model *,
                    int argc, char **argv);

/* Prints "NAME: WHERE: ..." on standard error and returns 1, the exit status of a user's mistake. where may be NULL. */
int ck_fail(const struct ck_program *, const char *where, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same for a runtime error; returns 1, or 2 where the program itself is to blame. */
int ck_fail_err(const struct ck_program *, const char *where, enum ck_err);

/* Context of the model; NULL after a message. */
struct ck_context *ck_program_context(const struct ck_program *);
/* The evaluation keys of the model as Galois elements, malloc'd; NULL after a message. */
struct ck_galois_spec *ck_program_keys(const struct ck_program *, const struct ck_context *, size_t *count);
/* Most memory that the process has had, bytes. */
uint64_t ck_peak_bytes(void);
/* "12.3 MiB"; valid until the thread's next call but three. */
const char *ck_bytes_text(uint64_t bytes);
/* " in 3 groups of 4" where the program takes groups, else ""; valid until the thread's next call. */
const char *ck_groups_text(const struct ck_model *, size_t samples);
/* DIR/NAME, malloc'd; NULL if out of memory. */
char *ck_path_join(const char *dir, const char *name);
#endif
