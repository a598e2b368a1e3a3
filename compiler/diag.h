// SPDX-License-Identifier: Apache-2.0
// Diagnostics: the user's mistakes are counted and printed, ours abort.
#ifndef TACET_DIAG_H
#define TACET_DIAG_H

/* "tacet: WHERE: message" on standard error. WHERE is a file, an option or `node "name" (Operator)`; NULL leaves it out. */
void diag_error(const char *where, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_warn(const char *where, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void diag_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));     // silent under --quiet
int diag_error_count(void);
void diag_reset(void);          // for tests, fuzzers and trial plans
int diag_set_quiet(int on);     // 1: notes, 2: warnings and errors too (fuzzers, trial plans); returns what it was

_Noreturn void diag_ice(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
#define ICE(...) diag_ice(__FILE__, __LINE__, __VA_ARGS__)
#define ICE_IF(cond, ...) ((cond) ? diag_ice(__FILE__, __LINE__, __VA_ARGS__) : (void)0)
#endif
