// SPDX-License-Identifier: Apache-2.0
// Any bytes as IR text: either refused with exactly one error, or a module that prints back as the same bytes; when it verifies and is
// small, it runs, and editing it (dead code, constants) leaves it valid.
#include "../../compiler/diag.h"
#include "../../compiler/ir.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { SMALL = 1 << 14 };

// Work of one run, roughly: elements of values times elements of the largest constant.
static bool small(const struct ir_module *m)
{
    int64_t values = 0, consts = 1;
    for (const struct ir_inst *i = m->first; i; i = i->next)
        if ((values += ir_type_numel(&i->type)) > SMALL) return false;
    for (const struct ir_const *c = m->consts; c; c = c->next)
        if ((consts += ir_const_numel(c)) > SMALL) return false;
    for (const struct ir_inst *i = m->first; i; i = i->next) {      // pooling windows
        const struct ir_attr *k = ir_attr_find(i->attrs, "kernel");
        int64_t area = 1;
        for (size_t d = 0; k && k->kind == IR_INTS && d < k->ints.n; d++)
            if (k->ints.v[d] > SMALL || (area *= k->ints.v[d]) > SMALL) return false;
    }
    return true;
}

static void run(struct ir_module *m)
{
    uint32_t nin = 0;
    for (const struct ir_inst *i = m->first; i; i = i->next)
        nin += i->op == IR_TENSOR_input || i->op == IR_VEC_input || i->op == IR_CKKS_input;
    double *ramp = malloc(SMALL * sizeof *ramp), **out = calloc(m->noutputs, sizeof *out);
    const double **in = calloc(nin + 1, sizeof *in);
    for (int k = 0; k < SMALL; k++) ramp[k] = k % 7 * 0.25 - 0.5;
    for (uint32_t k = 0; k < nin; k++) in[k] = ramp;
    for (uint32_t k = 0; k < m->noutputs; k++) out[k] = malloc((size_t)ir_type_numel(&m->outputs[k]->type) * sizeof **out);
    ICE_IF(ir_interp(m, in, out, NULL), "a verified module does not run");
    for (uint32_t k = 0; k < m->noutputs; k++) free(out[k]);
    free(out);
    free(in);
    free(ramp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    diag_set_quiet(2);
    diag_reset();
    struct ir_module *m = ir_parse("fuzz.ir", (const char *)data, len);
    ICE_IF(!m != (diag_error_count() == 1), "%s with %d errors", m ? "parsed" : "refused", diag_error_count());
    if (!m) return 0;
    char *text = ir_print_string(m);
    ICE_IF(strlen(text) != len || memcmp(text, data, len), "prints back as\n%s", text);
    free(text);
    if (!ir_verify(m) && small(m)) {
        run(m);
        ir_remove_dead(m);
        ir_const_gc(m);
        ICE_IF(ir_verify(m), "invalid after removing dead code");
    }
    ir_module_free(m);
    return 0;
}
