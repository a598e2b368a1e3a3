// SPDX-License-Identifier: Apache-2.0
// Elementwise functions. They stay functions here; the activations pass turns them into polynomials. Relatives of ReLU and ELU are
// reduced to those by multiplications with constants.

#include "load.h"
#include <math.h>
#include <string.h>

static void set_float(struct node *n, struct ir_inst *x, const char *key, double v)
{
    if (x)
        ir_set_float(n->ld->mod, ir_inst_attrs(x), key, v);
}

static int plain(struct node *n, const char *fn)
{
    struct ir_inst *x;
    return in_need_inst(n, 0, &x) ? -1 : out_inst(n, 0, emit_act(n, x, fn));
}

int op_abs(struct node *n) { return plain(n, "abs"); }
int op_relu(struct node *n) { return plain(n, "relu"); }
int op_sigmoid(struct node *n) { return plain(n, "sigmoid"); }
int op_tanh(struct node *n) { return plain(n, "tanh"); }
int op_erf(struct node *n) { return plain(n, "erf"); }
int op_exp(struct node *n) { return plain(n, "exp"); }
int op_softplus(struct node *n) { return plain(n, "softplus"); }
int op_hardswish(struct node *n) { return plain(n, "hardswish"); }

int op_gelu(struct node *n)
{
    struct ir_inst *x, *y;
    if (in_need_inst(n, 0, &x) || !(y = emit_act(n, x, "gelu")))
        return -1;
    if (attr_is(n, "approximate", "tanh", false))
        ir_set_string(n->ld->mod, ir_inst_attrs(y), "approximate", "tanh");
    return out_inst(n, 0, y);
}

int op_leakyrelu(struct node *n)
{
    struct ir_inst *x, *y;
    if (in_need_inst(n, 0, &x))
        return -1;
    y = emit_act(n, x, "leakyrelu");
    set_float(n, y, "alpha", attr_float(n, "alpha", 0.01));
    return out_inst(n, 0, y);
}

static struct ir_inst *elu(struct node *n, struct ir_inst *x, double alpha)
{
    struct ir_inst *y = emit_act(n, x, "elu");
    set_float(n, y, "alpha", alpha);
    return y;
}

int op_elu(struct node *n)
{
    struct ir_inst *x;
    return in_need_inst(n, 0, &x) ? -1 : out_inst(n, 0, elu(n, x, attr_float(n, "alpha", 1)));
}

/* gamma (max(0,x) + min(0, alpha (e^x - 1))) */
int op_selu(struct node *n)
{
    struct ir_inst *x;
    if (in_need_inst(n, 0, &x))
        return -1;
    return out_inst(n, 0, emit_mulr(n, elu(n, x, attr_float(n, "alpha", 1.67326319217681884765625)),
                                    attr_float(n, "gamma", 1.05070102214813232421875)));
}

/* max(0,x) + min(0, alpha (e^(x/alpha) - 1)) = alpha elu(x/alpha) */
int op_celu(struct node *n)
{
    struct ir_inst *x;
    double alpha = attr_float(n, "alpha", 1);
    if (in_need_inst(n, 0, &x))
        return -1;
    if (!(fabs(alpha) > 1e-30))
        return node_error(n, "alpha is zero");
    return out_inst(n, 0, emit_mulr(n, elu(n, emit_mulr(n, x, 1 / alpha), 1), alpha));
}

int op_hardsigmoid(struct node *n)
{
    struct ir_inst *x, *y;
    if (in_need_inst(n, 0, &x))
        return -1;
    y = emit_act(n, x, "hardsigmoid");
    set_float(n, y, "alpha", attr_float(n, "alpha", 0.2));
    set_float(n, y, "beta", attr_float(n, "beta", 0.5));
    return out_inst(n, 0, y);
}

/* One slope: leakyrelu. A slope per element: s x + (1 - s) relu(x). */
int op_prelu(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *c;
    if (in_need_inst(n, 0, &x) || in_need_const(n, 1, "slope", &c))
        return -1;
    bool one = c->numel > 0;
    for (int64_t i = 1; i < c->numel; i++)
        one &= const_at(c, i) == const_at(c, 0);
    struct shape s = inst_shape(x), out;
    struct ctensor slope = *c;
    if (n->ld->opset < 7 && c->s.rank == 1 && s.rank >= 2 && c->s.dim[0] == s.dim[1])   // per channel, before broadcasting came
        for (; slope.s.rank < s.rank - 1; slope.s.rank++)
            slope.s.dim[slope.s.rank] = 1;
    if (one) {
        struct ir_inst *y = emit_act(n, x, "leakyrelu");
        set_float(n, y, "alpha", const_at(c, 0));
        return out_inst(n, 0, y);
    }
    if (shape_broadcast(n, &s, &slope.s, &out))
        return -1;
    if (!shape_equal(&s, &out))
        return node_error(n, "the slope %s does not broadcast to the input", shape_print(n->ld->arena, &c->s));
    struct ctensor *rest = const_new(n, DT(DOUBLE), &slope.s);
    if (!rest)
        return -1;
    for (int64_t i = 0; i < c->numel; i++)
        rest->f[i] = 1 - const_at(c, i);
    return out_inst(n, 0, emit2(n, IR_TENSOR_add, &s, emit_mulc(n, x, &slope, 1), emit_mulc(n, emit_act(n, x, "relu"), rest, 1)));
}

/* min(max(x, lo), hi); a bound beyond 3e38 is none. One-sided clips are shifted ReLUs. */
static struct ir_inst *clip(struct node *n, struct ir_inst *x, double lo, double hi)
{
    bool has_lo = lo > -3e38, has_hi = hi < 3e38;
    if (has_lo && has_hi && lo >= hi) {                 // ONNX: min(max(x, lo), hi) = hi everywhere
        return emit_addr(n, emit_mulr(n, x, 0), hi);
    } else if (has_lo && has_hi) {
        struct ir_inst *y = emit_act(n, x, "clip");
        set_float(n, y, "lo", lo);
        set_float(n, y, "hi", hi);
        return y;
    } else if (has_lo) {
        return emit_addr(n, emit_act(n, emit_addr(n, x, -lo), "relu"), lo);
    } else if (has_hi) {
        return emit_addr(n, emit_mulr(n, emit_act(n, emit_addr(n, emit_mulr(n, x, -1), hi), "relu"), -1), hi);
    }
    return x;
}

static int bound(struct node *n, size_t i, const char *what, double *v)
{
    const struct ctensor *c;
    if (!in_has(n, i))
        return 0;
    if (in_need_const(n, i, what, &c))
        return -1;
    if (c->numel != 1)
        return node_error(n, "%s of %lld elements, one number is supported", what, (long long)c->numel);
    *v = const_at(c, 0);
    return isnan(*v) ? node_error(n, "%s is not a number", what) : 0;
}

int op_clip(struct node *n)
{
    struct ir_inst *x;
    double lo = attr_float(n, "min", -INFINITY), hi = attr_float(n, "max", INFINITY);
    if (in_need_inst(n, 0, &x) || bound(n, 1, "the lower bound", &lo) || bound(n, 2, "the upper bound", &hi))
        return -1;
    return out_inst(n, 0, clip(n, x, lo, hi));
}

/* Max or Min of one encrypted value and numbers. */
static int extremum(struct node *n, double sign)
{
    struct ir_inst *x = NULL;
    double m = -INFINITY;
    for (size_t i = 0; i < n->nin; i++) {
        const struct ctensor *c = in_const(n, i);
        if (in_inst(n, i) && x)
            return node_error(n, "of two encrypted values; only against a number (max(a,b) = b + Relu(a-b) is one way to write it)");
        if (in_inst(n, i))
            x = in_inst(n, i);
        for (int64_t k = 0; c && k < c->numel; k++)
            if (const_at(c, k) != const_at(c, 0))
                return node_error(n, "against different numbers, only one number is supported");
        if (c && c->numel && sign * const_at(c, 0) > m)
            m = sign * const_at(c, 0);
    }
    if (n->nin == 1)
        return out_inst(n, 0, x);
    for (size_t i = 0; i < n->nin; i++) {
        struct shape s = inst_shape(x), out;
        if (in_const(n, i) && (shape_broadcast(n, &s, &in_const(n, i)->s, &out) || !(x = emit_broadcast(n, x, &out))))
            return -1;
    }
    return out_inst(n, 0, sign > 0 ? clip(n, x, m, INFINITY) : clip(n, x, -INFINITY, -m));
}

int op_max(struct node *n) { return extremum(n, 1); }
int op_min(struct node *n) { return extremum(n, -1); }
