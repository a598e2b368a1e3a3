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
    const char *name = ir_get_string(i->attrs, "name", NULL);
    return name ? arena_printf(a, "node \"%s\" (%s)", name, ir_op_name(i->op)) : arena_printf(a, "%s", ir_op_name(i->op));
}

double util_range(const struct ir_inst *i, double def)
{
    if (!ir_attr_find(i->attrs, "rlo") || !ir_attr_find(i->attrs, "rhi")) return def;
    return fmax(fabs(ir_get_float(i->attrs, "rlo", 0)), fabs(ir_get_float(i->attrs, "rhi", 0)));
}
