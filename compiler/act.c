// SPDX-License-Identifier: Apache-2.0
// One row per elementwise function.
#include "act.h"
#include <math.h>
#include <string.h>

static double at(const struct ir_attr *a, const char *key, double def)
{
    return ir_get_float(a, key, def);
}
static double clamp(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double act_relu(double x, const struct ir_attr *a) { return x > 0 ? x : 0; }
static double act_leakyrelu(double x, const struct ir_attr *a) { return x > 0 ? x : at(a, "alpha", 0.01) * x; }
static double act_sigmoid(double x, const struct ir_attr *a) { return 1 / (1 + exp(-x)); }
static double act_tanh(double x, const struct ir_attr *a) { return tanh(x); }
static double act_clip(double x, const struct ir_attr *a) { return clamp(x, at(a, "lo", -INFINITY), at(a, "hi", INFINITY)); }
static double act_erf(double x, const struct ir_attr *a) { return erf(x); }
static double act_silu(double x, const struct ir_attr *a) { return x / (1 + exp(-x)); }
static double act_softplus(double x, const struct ir_attr *a) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double act_hardswish(double x, const struct ir_attr *a) { return x * clamp(x / 6 + 0.5, 0, 1); }
static double act_elu(double x, const struct ir_attr *a) { return x > 0 ? x : at(a, "alpha", 1) * expm1(x); }
static double act_exp(double x, const struct ir_attr *a) { return exp(x); }
static double act_abs(double x, const struct ir_attr *a) { return fabs(x); }
static double act_sign(double x, const struct ir_attr *a) { return (x > 0) - (x < 0); }

static double act_hardsigmoid(double x, const struct ir_attr *a)
{
    return clamp(at(a, "alpha", 0.2) * x + at(a, "beta", 0.5), 0, 1);
}

static double act_gelu(double x, const struct ir_attr *a)
{
    if (!strcmp(ir_get_string(a, "approximate", "none"), "tanh"))
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1 + erf(x / M_SQRT2));
}

static const struct {
    const char *name;
    act_fn fn;
} table[] = {
    {"abs", act_abs},           {"clip", act_clip},   {"elu", act_elu},   {"erf", act_erf},
    {"exp", act_exp},           {"gelu", act_gelu},   {"hardsigmoid", act_hardsigmoid},
    {"hardswish", act_hardswish}, {"leakyrelu", act_leakyrelu}, {"relu", act_relu}, {"sigmoid", act_sigmoid},
    {"sign", act_sign},         {"silu", act_silu},   {"softplus", act_softplus}, {"tanh", act_tanh},
};

act_fn act_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name)) return table[i].fn;
    return NULL;
}
