// SPDX-License-Identifier: Apache-2.0
// Small helpers that several passes share.
#include "util.h"

#include "../compiler/diag.h"
#include <math.h>

struct ir_const *util_const(const struct ir_module *m, const struct ir_inst *i, const char *key)
{
    const char *name = ir_get_string(i->attrs, key, NULL);
    ICE_IF(!name, "%s has no %s", ir_op_name(i->op), key);
    struct ir_const *c = ir_const_find(m, name);
    ICE_IF(!c, "constant @%s of %s is missing", name, ir_op_name(i->op));
    return c;
}

const double *util_coeffs(const struct ir_module *m, const struct ir_inst *i, size_t *degree)
{
    const struct ir_const *c = util_const(m, i, "coeffs");
    *degree = (size_t)ir_const_numel(c) - 1;
    return c->data;
}

void util_set_coeffs(struct ir_module *m, struct ir_inst *i, const double *c, size_t degree)
{
    int64_t n = (int64_t)degree + 1;
    struct ir_const *k = ir_const_add(m, "coeffs", IR_F64, 1, &n);
    for (int64_t j = 0; j < n; j++) ((double *)k->data)[j] = c[j];
    ir_set_symbol(m, &i->attrs, "coeffs", k->name);
}

int64_t util_broadcast(const struct ir_type *type, uint32_t rank, const int64_t *dim, int64_t k)
{
    int64_t at = 0, step = 1;
    for (uint32_t d = 0; d < type->rank; d++) {
        uint32_t axis = type->rank - 1 - d;
        int64_t index = k % type->dim[axis];
        k /= type->dim[axis];
        if (d >= rank) break;
        int64_t extent = dim[rank - 1 - d];
        if (extent > 1) at += index * step;
        step *= extent;
    }
    return at;
}

const char *util_where(struct arena *a, const struct ir_inst *i)
{
    const char *name = ir_get_string(i->attrs, "node", NULL);
    return name ? arena_printf(a, "node \"%s\" (%s)", name, ir_op_name(i->op)) : arena_printf(a, "%s", ir_op_name(i->op));
}

double util_range(const struct ir_inst *i, double def)
{
    if (!ir_attr_find(i->attrs, "rlo") || !ir_attr_find(i->attrs, "rhi")) return def;
    return fmax(fabs(ir_get_float(i->attrs, "rlo", 0)), fabs(ir_get_float(i->attrs, "rhi", 0)));
}
