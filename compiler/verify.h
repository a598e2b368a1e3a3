// SPDX-License-Identifier: Apache-2.0
// What the verifier's files share.
#ifndef TACET_VERIFY_H
#define TACET_VERIFY_H

#include "ir.h"

/* Rules of one operation beyond operand counts, dialects and attribute kinds; NULL or what is wrong (arena of the module). */
const char *verify_tensor(const struct ir_module *, const struct ir_inst *);
const char *verify_slots(const struct ir_module *, const struct ir_inst *);

/* The constant of a symbol attribute; NULL if the attribute is absent. Existence has been checked. */
const struct ir_const *verify_const(const struct ir_module *, const struct ir_inst *, const char *key);
/* NULL if attribute `mat` is a valid sparse matrix of this shape: pointers ascending, columns in range and ascending. */
const char *verify_csr(const struct ir_module *, const char *name, int64_t rows, int64_t cols);
#endif
