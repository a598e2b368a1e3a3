// SPDX-License-Identifier: Apache-2.0
// build.ninja of a generated folder.
#include "emit.h"

#include <stdio.h>

/* Paths with what ninja reads as special. */
static void path(FILE *f, const char *p)
{
    for (; *p; p++) {
        if (*p == ' ' || *p == '$' || *p == ':') fputc('$', f);
        fputc(*p, f);
    }
}

void emit_ninja(FILE *f, const struct codegen_options *opt)
{
    static const char *const units[] = {"model", "tables", "client", "server"};
    fprintf(f, "# Written by tacet %s from %s.\nninja_required_version = 1.3\n\ncc = ", opt->version, opt->source);
    fputs(opt->cc, f);
    fprintf(f, "\nruntime_include = ");
    path(f, opt->include);
    fprintf(f, "\nruntime_library = ");
    path(f, opt->archive);
    fprintf(f, "\ncflags = -std=c17 -O2 -Wall\n\n"
               "rule cc\n  command = $cc $cflags \"-I$runtime_include\" -MMD -MF $out.d -c $in -o $out\n  depfile = $out.d\n"
               "  deps = gcc\n  description = cc $in\n\n"
               "rule link\n  command = $cc -o $out $in -fopenmp -lcrypto -lz -lm\n  description = link $out\n\n");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) fprintf(f, "build %s.o: cc %s.c\n", units[i], units[i]);
    fprintf(f, "build client: link client.o model.o tables.o $runtime_library\n"
               "build server: link server.o model.o tables.o $runtime_library\n"
               "default client server\n");
}
