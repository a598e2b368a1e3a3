// SPDX-License-Identifier: Apache-2.0
// The table of passes, from passes.def.
#include "pass.h"

#include <string.h>

const struct pass pass_table[] = {
#define PASS(symbol, name, in, out, summary) {name, IR_##in, IR_##out, pass_##symbol, summary},
#include "passes.def"
#undef PASS
    {NULL, IR_TENSOR, IR_TENSOR, NULL, NULL},
};

const struct pass *pass_find(const char *name)
{
    for (const struct pass *p = pass_table; p->name; p++)
        if (strcmp(p->name, name) == 0) return p;
    return NULL;
}
