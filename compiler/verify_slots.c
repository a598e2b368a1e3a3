// SPDX-License-Identifier: Apache-2.0
// Rules of the vec and ckks dialects: equal bundles, levels, scales and degrees; what each operation does to them.
#include "linmap.h"
#include "verify.h"
#include <math.h>
#include <string.h>

static bool near(double a, double b)
{
    return a == 0 || b == 0 || fabs(a - b) <= 0x1p-40 * fabs(b);     // 0: not yet assigned
}

// Prime q_level as a double, 0 when the module has no parameters yet.
static double prime(const struct ir_module *m, int32_t level)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    return q && q->kind == IR_INTS && (size_t)level < q->ints.n ? (double)q->ints.v[level] : 0;
}

// Is every diagonal that the matrix uses the sum of a baby and a giant step?
static const char *plan(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_attr *baby = ir_attr_find(i->attrs, "baby"), *giant = ir_attr_find(i->attrs, "giant");
    struct ir_csr a = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    int64_t n = i->type.n, mask = n - 1, batch = ir_batch(m);
    uint8_t covered[1 << 16] = {0}, used[1 << 16];
    if (baby->ints.n > 1 << 13 || giant->ints.n > 1 << 13) return "more than 8192 baby or giant steps";
    for (size_t g = 0; g < giant->ints.n; g++)
        for (size_t b = 0; b < baby->ints.n; b++)
            covered[((giant->ints.v[g] & mask) + (baby->ints.v[b] & mask)) & mask] = 1;
    linmap_union(used, &a, (uint32_t)(n / batch));
    for (int64_t d = 0; d < n / batch; d++)
        if (used[d] && !covered[d * batch]) return arena_printf(m->arena, "diagonal %lld is not a baby plus a giant step", (long long)d);
    return NULL;
}

static bool whole_batches(const struct ir_inst *i, const char *key, int64_t batch)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    for (size_t k = 0; a && k < a->ints.n; k++)
        if (a->ints.v[k] % batch) return false;
    return true;
}

static const char *linear(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_type *in = &i->args[0]->type, *out = &i->type;
    const struct ir_const *bias = verify_const(m, i, "bias");
    if (in->n != out->n) return "the number of slots changes";
    int64_t batch = ir_batch(m);
    const char *wrong = verify_csr(m, ir_get_string(i->attrs, "mat", ""), ir_type_numel(out) / batch, ir_type_numel(in) / batch);
    if (wrong) return wrong;
    if (bias && (bias->dtype != IR_F64 || ir_const_numel(bias) != ir_type_numel(out) / batch)) return "the bias does not fill the result";
    if (!whole_batches(i, "baby", batch) || !whole_batches(i, "giant", batch) || !whole_batches(i, "fold", batch))
        return "a rotation mixes the samples of a batch";
    return i->op == IR_CKKS_linear ? plan(m, i) : NULL;
}

static const char *operands(const struct ir_inst *i)
{
    for (uint32_t k = 0; k < i->nargs; k++)
        if (i->args[k]->type.n != i->type.n || i->args[k]->type.count != i->type.count)
            return "the operands' bundles differ from the result's";
    return NULL;
}

static const char *constants(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_const *c;
    if (i->op == IR_VEC_addc || i->op == IR_CKKS_addc) {
        c = verify_const(m, i, "value");
        if (c->dtype != IR_F64 || ir_const_numel(c) != ir_type_numel(&i->type) / ir_batch(m)) return "the constant does not fill the result";
    }
    if (i->op == IR_VEC_poly || i->op == IR_CKKS_poly) {
        c = verify_const(m, i, "coeffs");
        if (c->dtype != IR_F64 || ir_const_numel(c) < 1 || ir_const_numel(c) > 4096) return "coeffs is not 1..4096 doubles";
    }
    return NULL;
}

static int32_t poly_levels(const struct ir_module *m, const struct ir_inst *i)
{
    int32_t depth = 0;
    for (int64_t terms = ir_const_numel(verify_const(m, i, "coeffs")); (INT64_C(1) << depth) < terms; depth++) {}
    return depth;
}

// The parts of a bootstrap, in their order; the runtime's functions of the scale are in passes/scales.c.
static const char *bootstrap(const struct ir_inst *i, const struct ir_type *a, const struct ir_type *o)
{
    static const enum ir_op before[] = {IR_CKKS_stc, IR_CKKS_modraise, IR_CKKS_cts};
    if (a->degree != 1 || o->degree != 1) return "bootstrapping works on degree 1";
    if (i->op != IR_CKKS_stc && i->args[0]->op != before[i->op - IR_CKKS_modraise]) return "the parts of a bootstrap are not in order";
    if (i->op == IR_CKKS_modraise) return a->level == 0 && o->level > 0 ? NULL : "the modulus is raised from level 0";
    if (o->level >= a->level) return "the level does not fall";
    if (i->op != IR_CKKS_stc) return NULL;
    return o->level == 0 && near(o->scale, a->scale) ? NULL : "the coefficients are not at level 0 and the scale of the slots";
}

// Levels, scales and degrees.
static const char *ckks(const struct ir_module *m, const struct ir_inst *i)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q");
    if (q && (size_t)i->type.level >= q->ints.n) return "the level has no prime";
    if (i->op == IR_CKKS_input) return i->type.degree == 1 ? NULL : "inputs have degree 1";
    const struct ir_type *a = &i->args[0]->type, *o = &i->type;
    const struct ir_type *b = i->nargs > 1 ? &i->args[1]->type : a;
    int32_t used = 0;           // levels
    uint32_t degree = a->degree;
    double scale = a->scale;    // of the result; 0: free
    switch (i->op) {
    case IR_CKKS_add:
    case IR_CKKS_sub:
        if (a->degree != b->degree || !near(a->scale, b->scale)) return "the operands' degrees or scales differ";
        break;
    case IR_CKKS_mul:
        if (a->degree != 1 || b->degree != 1) return "the operands have not degree 1";
        degree = 2;
        scale = a->scale * b->scale;
        break;
    case IR_CKKS_relin:
        if (a->degree != 2) return "the operand has not degree 2";
        degree = 1;
        break;
    case IR_CKKS_rescale: {
        double last = prime(m, a->level);
        used = 1;
        scale = last > 0 ? a->scale / last : 0;
        break;
    }
    case IR_CKKS_drop:
        if (o->level >= a->level) return "the level does not fall";
        used = a->level - o->level;
        break;
    case IR_CKKS_linear:
    case IR_CKKS_mulc: used = 1, scale = 0; break;
    case IR_CKKS_poly: used = poly_levels(m, i), scale = 0; break;
    case IR_CKKS_stc:
    case IR_CKKS_modraise:
    case IR_CKKS_cts:
    case IR_CKKS_evalmod: return bootstrap(i, a, o);
    default: break;
    }
    bool needs_one = i->op == IR_CKKS_linear || i->op == IR_CKKS_poly || i->op == IR_CKKS_rot;
    int64_t k = ir_get_int(i->attrs, "k", 0);
    if (i->op == IR_CKKS_rot && (k <= -(int64_t)o->n || k >= (int64_t)o->n)) return "the rotation is not in (-n, n)";
    if (needs_one && a->degree != 1) return "the operand has not degree 1";
    if (i->nargs > 1 && a->level != b->level) return "the operands' levels differ";
    if (o->degree != degree) return "the result's degree is wrong";
    if (a->level - used != o->level) return "the result's level is wrong";
    return near(o->scale, scale) ? NULL : "the result's scale is wrong";
}

const char *verify_slots(const struct ir_module *m, const struct ir_inst *i)
{
    const char *wrong = i->op == IR_VEC_linear || i->op == IR_CKKS_linear ? linear(m, i) : operands(i);
    if (!wrong) wrong = constants(m, i);
    return wrong || m->dialect == IR_VEC ? wrong : ckks(m, i);
}
