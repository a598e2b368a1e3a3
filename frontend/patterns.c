// SPDX-License-Identifier: Apache-2.0
// Activations that exporters spell out become one operation, so that one polynomial replaces them:
//   x * 0.5 * (1 + erf(x / sqrt 2))      gelu      (any order of the three factors)
//   x * sigmoid(x)                       silu
//   x * hardsigmoid(x; 1/6, 1/2)         hardswish

#include "load.h"
#include <math.h>
#include <string.h>

static bool is_act(const struct ir_inst *x, const char *fn)
{
    return x->op == IR_TENSOR_act && !strcmp(ir_get_string(x->attrs, "fn", ""), fn);
}

/* The single number of a mulc or addc; NaN when it is none. */
static double scalar_of(const struct ir_module *m, const struct ir_inst *x, enum ir_op op)
{
    if (x->op != op)
        return NAN;
    const struct ir_const *c = ir_const_find(m, ir_get_string(x->attrs, "value", ""));
    return c && ir_const_numel(c) == 1 ? ir_const_at(c, 0) : NAN;
}

static bool near(double a, double b)
{
    return fabs(a - b) < 1e-6;
}

/* x of a branch factor * (1 + erf(x / sqrt 2)), the factor in *f; NULL when it is something else. */
static struct ir_inst *gauss(const struct ir_module *m, struct ir_inst *y, double *f)
{
    *f = 1;
    double k = scalar_of(m, y, IR_TENSOR_mulc);
    if (!isnan(k)) {
        *f = k;
        y = y->args[0];
    }
    if (!near(scalar_of(m, y, IR_TENSOR_addc), 1) || !is_act(y->args[0], "erf"))
        return NULL;
    struct ir_inst *in = y->args[0]->args[0];
    return near(scalar_of(m, in, IR_TENSOR_mulc), M_SQRT1_2) ? in->args[0] : NULL;
}

static struct ir_inst *activation(struct ir_module *m, struct ir_inst *at, struct ir_inst *x, const char *fn)
{
    struct ir_inst *y = ir_build(m, at, IR_TENSOR_act, x->type, 1, &x);
    ir_set_string(m, ir_inst_attrs(y), "fn", fn);
    ir_set_string(m, ir_inst_attrs(y), "node", ir_get_string(at->attrs, "node", ""));
    return y;
}

/* The replacement of a product, or NULL. */
static struct ir_inst *match(struct ir_module *m, struct ir_inst *mul)
{
    for (int side = 0; side < 2; side++) {
        struct ir_inst *a = mul->args[side], *b = mul->args[!side];
        if (is_act(b, "sigmoid") && b->args[0] == a)
            return activation(m, mul, a, "silu");
        if (is_act(b, "hardsigmoid") && b->args[0] == a && near(ir_get_float(b->attrs, "alpha", 0), 1 / 6.0) &&
            near(ir_get_float(b->attrs, "beta", 0), 0.5))
            return activation(m, mul, a, "hardswish");
        double f, k = scalar_of(m, a, IR_TENSOR_mulc);
        struct ir_inst *x = gauss(m, b, &f);
        if (!x || (a != x && (isnan(k) || a->args[0] != x)))
            continue;
        double factor = 2 * f * (a == x ? 1 : k);               // the product is factor * gelu(x)
        struct ir_inst *y = activation(m, mul, x, "gelu");
        if (near(factor, 1))
            return y;
        struct ir_const *c = ir_const_add(m, "gelu.scale", IR_F64, 0, NULL);
        *(double *)c->data = factor;
        struct ir_inst *s = ir_build(m, mul, IR_TENSOR_mulc, y->type, 1, &y);
        ir_set_symbol(m, ir_inst_attrs(s), "value", c->name);
        ir_set_string(m, ir_inst_attrs(s), "node", ir_get_string(mul->attrs, "node", ""));
        return s;
    }
    return NULL;
}

void patterns_apply(struct ir_module *m)
{
    for (struct ir_inst *x = m->first; x; x = x->next) {
        if (x->op == IR_TENSOR_mul) {
            struct ir_inst *y = match(m, x);
            if (y)
                ir_replace_uses(m, x, y);
        }
        /* a number times a number times x: gelu's factor met the trailing 0.5 */
        double k = scalar_of(m, x, IR_TENSOR_mulc), f = isnan(k) ? NAN : scalar_of(m, x->args[0], IR_TENSOR_mulc);
        if (!isnan(k) && !isnan(f) && is_act(x->args[0]->args[0], "gelu") && near(k * f, 1))
            ir_replace_uses(m, x, x->args[0]->args[0]);
    }
}
