// SPDX-License-Identifier: Apache-2.0
// The generated programs of a folder, called one after another as a user would, each as its own process with time and peak memory.
#ifndef TACET_PROGRAMS_H
#define TACET_PROGRAMS_H

#include "cmd.h"

struct programs {
    struct arena *arena;
    const char *dir;                // of client and server
    const char *keys;               // folder of keys
    const char *scratch;            // folder for what is in between
    int threads;                    // of the server; 0: its own choice
    bool quiet;
    struct program_use {
        const char *name;
        double seconds, peak_bytes, made_bytes;
    } used[4];
    size_t nused;
};

/* Finds the programs of `dir` and makes the scratch folder; keys NULL: in it. 0, or -1 after diag_error. */
int programs_open(struct programs *, const char *dir, const char *keys);
void programs_close(struct programs *);     // removes the scratch folder

/* Each prints a line. 0, or -1 after diag_error (the program has said why). */
int programs_keygen(struct programs *);     // unless the keys are there
/* Samples [0, s->rows) from the user's files, or from copies where `cut` says that the files hold more. */
int programs_encrypt(struct programs *, const struct samples *, const struct ir_module *, const struct arg_list *input, bool cut,
                     const char *to);
int programs_server(struct programs *, const char *from, const char *to, const char *trace, const char *report, int64_t rows);
int programs_decrypt(struct programs *, const char *from, const char *const *outputs, size_t noutputs);     // [NAME=]FILE each

/* "programs": {...} as a member of a JSON object, without a comma after it. */
void programs_write(FILE *, const struct programs *);
#endif
