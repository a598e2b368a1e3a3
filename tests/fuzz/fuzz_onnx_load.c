// SPDX-License-Identifier: Apache-2.0
// Any bytes as an ONNX model: either refused with at least one error, or a module that verifies, prints, and runs on zeros when it is small.
#include "../../frontend/onnx.h"
#include "../../compiler/diag.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run_on_zeros(struct ir_module *m)
{
    int64_t total = 0, weights = 0;
    uint32_t nin = 0, nout = m->noutputs;
    for (struct ir_inst *x = m->first; x; x = x->next) {
        nin += x->op == IR_TENSOR_input;
        total += ir_type_numel(&x->type);
    }
    for (struct ir_const *c = m->consts; c; c = c->next)
        weights += ir_const_numel(c);
    if (total > 4096 || weights > 65536)
        return;
    double *zero = calloc(4096, sizeof *zero);
    const double **in = calloc(nin + 1, sizeof *in);
    double **out = calloc(nout + 1, sizeof *out);
    for (uint32_t i = 0; i < nin; i++)
        in[i] = zero;
    for (uint32_t i = 0; i < nout; i++)
        out[i] = calloc((size_t)ir_type_numel(&m->outputs[i]->type), sizeof **out);
    ir_interp(m, in, out, NULL);
    for (uint32_t i = 0; i < nout; i++)
        free(out[i]);
    free(out);
    free(in);
    free(zero);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    diag_set_quiet(2);
    diag_reset();
    struct ir_module *m = onnx_load_bytes("fuzz.onnx", data, len, NULL);
    ICE_IF(!m != (diag_error_count() > 0), "%s with %d errors", m ? "loaded" : "refused", diag_error_count());
    if (m) {
        free(ir_print_string(m));
        run_on_zeros(m);
        ir_module_free(m);
    }
    return 0;
}
