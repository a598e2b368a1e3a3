// SPDX-License-Identifier: Apache-2.0
// Resize and Upsample: separable, one small matrix an axis. Rows with a single 1 are a gather; linear and cubic rows are a product.

#include "load.h"
#include <math.h>
#include <string.h>

struct axis_map {
    int64_t in, out;
    double scale, *w;                   // w [out][in]
};

/* Where output cell i lies on the input axis; false: an unknown rule. */
static bool coordinate(const char *rule, const struct axis_map *m, int64_t i, double *x)
{
    double o = (double)i, out = (double)m->out, in = (double)m->in;
    if (!strcmp(rule, "asymmetric"))
        *x = o / m->scale;
    else if (!strcmp(rule, "half_pixel"))
        *x = (o + 0.5) / m->scale - 0.5;
    else if (!strcmp(rule, "pytorch_half_pixel"))
        *x = out > 1 ? (o + 0.5) / m->scale - 0.5 : 0;
    else if (!strcmp(rule, "tf_half_pixel_for_nn"))
        *x = (o + 0.5) / m->scale;
    else if (!strcmp(rule, "align_corners"))
        *x = in * m->scale > 1 ? o * (in - 1) / (in * m->scale - 1) : 0;    // ONNX: by the exact size, not the rounded one
    else
        return false;
    return true;
}

static int64_t clamp(int64_t i, int64_t n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static double cubic(double t, double a)
{
    t = fabs(t);
    return t <= 1 ? ((a + 2) * t - (a + 3)) * t * t + 1 : t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

static int64_t nearest(double x, const char *mode)
{
    return (int64_t)(!strcmp(mode, "floor") ? floor(x) : !strcmp(mode, "ceil") ? ceil(x) : !strcmp(mode, "round_prefer_ceil") ?
                     floor(x + 0.5) : ceil(x - 0.5));
}

static int fill(struct node *n, struct axis_map *m, const char *mode, const char *rule, const char *rounding)
{
    int64_t exclude = attr_int(n, "exclude_outside", 0);
    double a = attr_float(n, "cubic_coeff_a", -0.75);
    for (int64_t i = 0; i < m->out; i++) {
        double x, *row = m->w + i * m->in;
        if (!coordinate(rule, m, i, &x))
            return node_error(n, "coordinate transformation \"%s\" is not supported", rule);
        int64_t base = (int64_t)floor(x);
        if (!strcmp(mode, "nearest")) {
            row[clamp(nearest(x, rounding), m->in)] = 1;
        } else if (!strcmp(mode, "linear")) {
            row[clamp(base, m->in)] += 1 - (x - (double)base);
            row[clamp(base + 1, m->in)] += x - (double)base;
        } else if (!strcmp(mode, "cubic")) {
            double sum = 0;
            for (int64_t k = base - 1; k <= base + 2; k++) {
                if (exclude && (k < 0 || k >= m->in))
                    continue;
                row[clamp(k, m->in)] += cubic(x - (double)k, a);
                sum += cubic(x - (double)k, a);
            }
            for (int64_t k = 0; k < m->in; k++)
                row[k] /= sum;
        } else {
            return node_error(n, "mode \"%s\" is not supported", mode);
        }
    }
    return 0;
}

/* The map applied along one axis. */
static struct ir_inst *apply(struct node *n, struct ir_inst *x, uint32_t axis, const struct axis_map *m)
{
    bool single = true;
    int64_t *index = index_array(n, m->out);
    for (int64_t i = 0; index && i < m->out; i++) {
        index[i] = -1;
        for (int64_t k = 0; k < m->in; k++)
            index[i] = m->w[i * m->in + k] == 1 ? k : index[i];
        single &= index[i] >= 0;
    }
    if (!index || single)
        return index ? emit_gather(n, x, axis, index, m->out) : NULL;
    struct shape s = inst_shape(x), ws = {2, {m->out, m->in}};
    int64_t perm[IR_MAX_RANK];
    for (uint32_t i = 0; i < s.rank; i++)
        perm[i] = i;
    perm[axis] = s.rank - 1;
    perm[s.rank - 1] = axis;
    const char *w = emit_weight(n, arena_printf(n->ld->arena, "%s.resize", n->name), &ws, m->w);
    if (!w || !(x = emit_transpose(n, x, perm)))
        return NULL;
    s = inst_shape(x);
    s.dim[s.rank - 1] = m->out;
    struct ir_inst *y = emit1(n, IR_TENSOR_gemm, &s, x);
    if (y)
        ir_set_symbol(n->ld->mod, ir_inst_attrs(y), "weight", w);
    return emit_transpose(n, y, perm);
}

int op_resize(struct node *n)
{
    struct ir_inst *x;
    const struct ctensor *scales = NULL, *sizes = NULL;
    if (in_need_inst(n, 0, &x))
        return -1;
    struct shape s = inst_shape(x);
    bool old = n->ld->opset < 11 || !strcmp(n->op, "Upsample");
    size_t at = old ? 1 : 2;
    if ((in_has(n, at) && in_need_const(n, at, "the scales", &scales)) || (!old && in_has(n, 3) && in_need_const(n, 3, "the sizes", &sizes)))
        return -1;
    if (attr_int(n, "antialias", 0) || node_attr(n, "axes") || !attr_is(n, "keep_aspect_ratio_policy", "stretch", true))
        return node_error(n, "antialias, axes and aspect ratio policies are not supported");
    bool by_size = sizes && sizes->numel;
    const Onnx__AttributeProto *attr = node_attr(n, "scales");
    if (!(by_size && sizes->numel == s.rank) && !(scales && scales->numel == s.rank) && !(attr && attr->n_floats == s.rank))
        return node_error(n, "scales or sizes do not fit the input %s", shape_print(n->ld->arena, &s));
    const char *mode = attr_str(n, "mode", "nearest"), *rule = old ? "asymmetric" :
        attr_str(n, "coordinate_transformation_mode", "half_pixel"), *rounding = old ? "floor" :
        attr_str(n, "nearest_mode", "round_prefer_floor");
    if (!strcmp(mode, "bilinear"))
        mode = "linear";
    for (uint32_t a = 0; a < s.rank; a++) {
        struct axis_map m = {.in = s.dim[a]};
        m.scale = by_size ? const_at(sizes, a) / (double)m.in : scales && scales->numel ? const_at(scales, a) : (double)attr->floats[a];
        double out = by_size ? const_at(sizes, a) : floor((double)m.in * m.scale);
        if (!(out >= 1) || !(out <= 1 << 20) || !(m.scale > 0))
            return node_error(n, "scale %g on an axis of %lld", m.scale, (long long)m.in);
        m.out = (int64_t)out;
        if (m.out == m.in && m.scale == 1)
            continue;
        struct shape ws = {2, {m.out, m.in}};
        struct ctensor *c = const_new(n, DT(DOUBLE), &ws);
        if (!c)
            return -1;
        m.w = c->f;
        if (fill(n, &m, mode, rule, rounding) || !(x = apply(n, x, a, &m)))
            return -1;
    }
    return out_inst(n, 0, x);
}
