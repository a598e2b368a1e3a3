// SPDX-License-Identifier: Apache-2.0
// The tacet command: picks the command and maps its outcome to the exit code (0 ok, 1 the user's mistake, 2 a bug).
#include "cmd.h"
#include "diag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"compile", cmd_compile, "plan an ONNX model, write C, weights and build file, build the programs"},
    {"inspect", cmd_inspect, "print what was planned: layers, levels, keys, cost"},
    {"run", cmd_run, "key generation, encryption, evaluation and decryption in one go"},
    {"compare", cmd_compare, "encrypted, simulated and plain values, layer by layer (needs the secret key)"},
    {"simulate", cmd_simulate, "the same program on plain numbers with a noise model"},
    {"opt", cmd_opt, "run passes on IR text and print IR text"},
};

static void help(FILE *f)
{
    fprintf(f, "usage: tacet COMMAND ...\n\nCompiles ONNX models to programs that work on encrypted data.\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(f, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(f, "\n`tacet COMMAND --help` explains a command; `tacet --version` prints the version.\n");
}

/* A text that did not get out whole is a failure. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) return status;
    diag_error("standard output", "cannot be written: %s", strerror(errno));
    return status ? status : 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help(stderr);
        return 1;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        help(stdout);
        return finish(0);
    }
    if (!strcmp(argv[1], "--version")) {
        printf("tacet %s\n", TACET_VERSION);
        return finish(0);
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name)) return finish(commands[i].run(argc - 1, argv + 1));
    diag_error(NULL, "there is no command \"%s\"; `tacet --help` lists them", argv[1]);
    return 1;
}
