// SPDX-License-Identifier: Apache-2.0
// Records how large every value of the network gets: attributes rlo and rhi (smallest and largest value seen) on every instruction. With
// calibration data (--calib) by running the tensor interpreter on its rows; without, from the input range alone, which is enough for
// polynomial networks but not for the choice of an approximation: a nonlinear function then needs --calib.
// Pays: activation polynomials fit the data, scales and the base prime fit the values. Costs compile time only.
#include "pass.h"
#include "range.h"
#include "util.h"

#include "../compiler/diag.h"

static const double budget = 1.5e9;         // multiply-adds, about two seconds

enum pass_res pass_calibrate(struct pass_ctx *ctx, struct ir_module *m)
{
    const struct options *opt = ctx->opt;
    if (opt->ncalib == 0 && !(opt->input_lo < opt->input_hi))
        for (struct ir_inst *i = m->first; i; i = i->next)
            if (i->op == IR_TENSOR_act) {
                diag_error(util_where(ctx->scratch, i), "%s is approximated by a polynomial on the range of its inputs: pass "
                           "--calib inputs.npy with typical inputs of the model (or --input-range LO,HI)", ir_get_string(i->attrs, "fn", "function"));
                return PASS_FAIL;
            }
    if (!range_measured(m, opt))
        diag_warn(m->name, "the ranges of values are guessed from generated inputs in %g..%g, and precision is relative to them: pass "
                  "--calib FILE with typical inputs, or compare with `tacet simulate`",
                  opt->input_lo < opt->input_hi ? opt->input_lo : -1, opt->input_lo < opt->input_hi ? opt->input_hi : 1);
    return range_measure(ctx, m, range_rows(m, opt, budget)) == 0 ? PASS_CHANGED : PASS_FAIL;
}
