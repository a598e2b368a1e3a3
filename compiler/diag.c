// SPDX-License-Identifier: Apache-2.0
// Diagnostics on standard error; the count is what commands turn into an exit status.
#include "diag.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static int errors, quiet;

static void say(const char *kind, const char *where, const char *fmt, va_list ap)
{
    fprintf(stderr, "tacet: %s%s%s%s", where ? where : "", where ? ": " : "", kind, *kind ? ": " : "");
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void diag_error(const char *where, const char *fmt, ...)
{
    va_list ap;
    errors++;
    if (quiet >= 2) return;
    va_start(ap, fmt);
    say("", where, fmt, ap);
    va_end(ap);
}

void diag_warn(const char *where, const char *fmt, ...)
{
    va_list ap;
    if (quiet >= 2) return;
    va_start(ap, fmt);
    say("warning", where, fmt, ap);
    va_end(ap);
}

void diag_note(const char *fmt, ...)
{
    va_list ap;
    if (quiet) return;
    va_start(ap, fmt);
    say("note", NULL, fmt, ap);
    va_end(ap);
}

int diag_error_count(void)
{
    return errors;
}

void diag_reset(void)
{
    errors = 0;
}

int diag_set_quiet(int on)
{
    int was = quiet;
    quiet = on;
    return was;
}

void diag_ice(const char *file, int line, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "tacet: internal error at %s:%d: ", file, line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\nThis is a bug in tacet; please report it with the model and the command.\n", stderr);
    exit(2);
}
