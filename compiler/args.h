// SPDX-License-Identifier: Apache-2.0
// Command-line options of the tacet commands: one table per command, which also is its help text.
#ifndef TACET_ARGS_H
#define TACET_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARG_LIST_MAX = 64 };
struct arg_list {
    size_t n;
    const char *v[ARG_LIST_MAX];
};

/* One option; exactly one of the typed pointers is set and says how the value reads. */
struct arg_spec {
    const char *name;               // "--output"; a table ends with NULL
    char letter;                    // 'o' for -o, 0 for none
    const char *meta, *help;        // meta: how the help shows the value, NULL for a flag
    bool *flag;
    const char **string;
    int *count;                     // an integer >= 0
    int64_t *bytes;                 // 4096, 512MiB, 4GiB, 1.5GB
    double *range;                  // lo,hi with lo < hi
    struct arg_list *list;          // may be repeated
    const char *const *words;       // where a string must be one of these, ending with NULL
};

struct arg_command {
    const char *name;               // "compile"
    const char *synopsis;           // "MODEL.onnx -o DIR [options]"
    const char *summary, *details;  // one line; paragraphs or NULL
    size_t positional_min, positional_max;
    const struct arg_spec *specs;
};

enum args_result { ARGS_OK, ARGS_HELP, ARGS_ERROR };

/* Parses argv[1..]; options may stand anywhere, `--name=value` and `--name value` are the same, `--` ends them. ARGS_HELP: the
 * help was printed. ARGS_ERROR: diag_error was called. */
enum args_result args_parse(const struct arg_command *, int argc, char **argv, struct arg_list *positional);
void args_help(const struct arg_command *);

/* Numbers as the options read them: 0, or -1 if the text is not one. */
int args_bytes(int64_t *out, const char *text);
int args_range(double out[2], const char *text);
#endif
