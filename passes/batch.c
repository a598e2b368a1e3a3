// SPDX-License-Identifier: Apache-2.0
// Several samples in one ciphertext: every vector of n slots becomes one of n B slots in which slot s of sample k is slot s B + k.
//
// A rotation by r becomes one by r B, which is cyclic in every sample at once, so a linear map M becomes M x I_B with the same diagonals, baby
// and giant steps and folds; everything else is slotwise. Rotations, products, levels and keys stay as they are: B samples cost the time of
// one in a ring that has the room. Matrices and constants are kept for one sample (docs/IR.md, module attribute `batch`); only the
// plaintexts in weights.bin grow B times, each value being repeated. The layout pass has left the room (n B <= N/2).
// Why interleaved and not one sample after another: docs/design/0006-batches.md.
// Module attributes: sets `batch`, from the option of that name.
#include "pass.h"

#include "../compiler/diag.h"
#include "../compiler/layout.h"

static void interleave_layout(struct ir_module *m, struct ir_attr **attrs, uint32_t log_batch)
{
    const char *text = ir_get_string(*attrs, "layout", NULL);
    if (!text) return;
    struct layout l;
    ICE_IF(layout_parse(&l, text), "layout \"%s\" does not parse", text);
    l = layout_interleave(&l, log_batch);
    ir_set_string(m, attrs, "layout", layout_print(m->arena, &l));
}

static void multiply(struct ir_module *m, struct ir_inst *i, const char *key, int64_t batch, struct arena *scratch)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    if (!a) return;
    int64_t *v = ARENA_ARRAY(scratch, int64_t, a->ints.n + 1);
    for (size_t k = 0; k < a->ints.n; k++) v[k] = a->ints.v[k] * batch;
    ir_set_ints(m, &i->attrs, key, v, a->ints.n);
}

enum pass_res pass_batch(struct pass_ctx *ctx, struct ir_module *m)
{
    int64_t batch = ctx->opt->batch > 1 ? ctx->opt->batch : 1;
    uint32_t log_batch = 0, n = m->first ? m->first->type.n : 1;
    if (batch == 1) return PASS_OK;
    if (ir_batch(m) > 1) {
        diag_error("--batch", "the module's vectors hold batches of %lld already", (long long)ir_batch(m));
        return PASS_FAIL;
    }
    while (INT64_C(1) << log_batch < batch) log_batch++;
    if ((int64_t)n << log_batch > 1 << (CK_LOGN_MAX - 1)) {
        diag_error("--batch", "%lld samples of %u slots need more than the 2^%d of the largest ring; vectors of this plan leave room for %u",
                   (long long)batch, n, CK_LOGN_MAX - 1, (1u << (CK_LOGN_MAX - 1)) / n);
        return PASS_FAIL;
    }
    for (struct ir_inst *i = m->first; i; i = i->next) {
        i->type.n <<= log_batch;
        interleave_layout(m, &i->attrs, log_batch);
        multiply(m, i, "baby", batch, ctx->scratch);
        multiply(m, i, "giant", batch, ctx->scratch);
        multiply(m, i, "fold", batch, ctx->scratch);
    }
    for (uint32_t k = 0; k < m->noutputs; k++) interleave_layout(m, &m->output_attrs[k], log_batch);
    ir_set_int(m, &m->attrs, "batch", batch);
    return PASS_CHANGED;
}
