// SPDX-License-Identifier: Apache-2.0
// Shape inference. Every value of a network has a static shape; these are the rules that several operators share.

#include "load.h"
#include <string.h>

int64_t shape_numel(const struct shape *s)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        n *= s->dim[i];
    return n;
}

bool shape_equal(const struct shape *a, const struct shape *b)
{
    return a->rank == b->rank && !memcmp(a->dim, b->dim, a->rank * sizeof a->dim[0]);
}

int shape_axis(struct node *n, int64_t axis, uint32_t rank, uint32_t *out)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return node_error(n, "axis %lld of a tensor of %u axes", (long long)axis, rank);
    *out = (uint32_t)(axis < 0 ? axis + rank : axis);
    return 0;
}

int shape_axes(struct node *n, const struct ints *axes, uint32_t rank, bool *marked)
{
    memset(marked, 0, rank * sizeof *marked);
    for (size_t i = 0; i < axes->n; i++) {
        uint32_t a = 0;
        if (shape_axis(n, axes->v[i], rank, &a))
            return -1;
        if (marked[a])
            return node_error(n, "axis %u is given twice", a);
        marked[a] = true;
    }
    return 0;
}

bool shape_joins(const struct shape *a, const struct shape *b, struct shape *out)
{
    memset(out, 0, sizeof *out);
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 0; i < out->rank; i++) {
        int64_t x = i + a->rank < out->rank ? 1 : a->dim[i + a->rank - out->rank];
        int64_t y = i + b->rank < out->rank ? 1 : b->dim[i + b->rank - out->rank];
        if (x != y && x != 1 && y != 1)
            return false;
        out->dim[i] = x == 1 ? y : x;
    }
    return true;
}

int shape_broadcast(struct node *n, const struct shape *a, const struct shape *b, struct shape *out)
{
    if (shape_joins(a, b, out))
        return 0;
    return node_error(n, "shapes %s and %s do not broadcast", shape_print(n->ld->arena, a), shape_print(n->ld->arena, b));
}

void shape_strides(const struct shape *s, const struct shape *out, int64_t *stride)
{
    int64_t step = 1;
    for (uint32_t k = 0; k < out->rank; k++) {
        uint32_t i = out->rank - 1 - k;
        bool have = k < s->rank;
        int64_t d = have ? s->dim[s->rank - 1 - k] : 1;
        stride[i] = d == 1 ? 0 : step;
        step *= d;
    }
}

int shape_reshape(struct node *n, const struct shape *in, const int64_t *want, size_t nwant, bool allowzero, struct shape *out)
{
    memset(out, 0, sizeof *out);
    if (nwant > IR_MAX_RANK)
        return node_error(n, "reshape to %zu axes, at most %d are supported", nwant, IR_MAX_RANK);
    out->rank = (uint32_t)nwant;
    int64_t known = 1, total = shape_numel(in), hole = -1;
    for (uint32_t i = 0; i < out->rank; i++) {
        int64_t d = want[i];
        if (d == 0 && !allowzero) {
            if (i >= in->rank)
                return node_error(n, "reshape copies axis %u of a tensor of %u axes", i, in->rank);
            d = in->dim[i];
        }
        if (d == -1) {
            if (hole >= 0)
                return node_error(n, "reshape with two unknown axes");
            hole = i;
            continue;
        }
        if (d < 0 || __builtin_mul_overflow(known, d, &known))
            return node_error(n, "reshape to an impossible dimension (%lld)", (long long)d);
        out->dim[i] = d;
    }
    if (hole >= 0) {
        if (known == 0 || total % known)
            return node_error(n, "cannot reshape %s: %lld elements do not divide by %lld", shape_print(n->ld->arena, in),
                              (long long)total, (long long)known);
        out->dim[hole] = total / known;
    } else if (known != total) {
        return node_error(n, "cannot reshape %s to %s: a different number of elements (a fixed batch size other than 1 in the "
                          "model? export with batch size 1)", shape_print(n->ld->arena, in), shape_print(n->ld->arena, out));
    }
    return 0;
}

int shape_squeeze(struct node *n, const struct shape *in, const struct ints *axes, struct shape *out)
{
    bool drop[IR_MAX_RANK];
    if (shape_axes(n, axes, in->rank, drop))
        return -1;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < in->rank; i++) {
        if (drop[i] && in->dim[i] != 1)
            return node_error(n, "cannot squeeze axis %u of %s", i, shape_print(n->ld->arena, in));
        if (axes->present ? !drop[i] : in->dim[i] != 1)
            out->dim[out->rank++] = in->dim[i];
    }
    return 0;
}

int shape_unsqueeze(struct node *n, const struct shape *in, const struct ints *axes, struct shape *out)
{
    memset(out, 0, sizeof *out);
    if (in->rank + axes->n > IR_MAX_RANK)
        return node_error(n, "more than %d axes", IR_MAX_RANK);
    bool fresh[IR_MAX_RANK];
    out->rank = in->rank + (uint32_t)axes->n;
    if (shape_axes(n, axes, out->rank, fresh))
        return -1;
    for (uint32_t i = 0, k = 0; i < out->rank; i++)
        out->dim[i] = fresh[i] ? 1 : in->dim[k++];
    return 0;
}

int shape_slice(struct node *n, const struct shape *in, int64_t *start, int64_t *end, int64_t *step, struct shape *out)
{
    *out = *in;
    for (uint32_t i = 0; i < in->rank; i++) {
        int64_t d = in->dim[i], st = step[i], lo = st > 0 ? 0 : -1, hi = st > 0 ? d : d - 1;
        if (st == 0 || st == INT64_MIN)
            return node_error(n, "slice with step %lld", (long long)st);
        int64_t b = start[i] < 0 ? start[i] + d : start[i], e = end[i];
        e = e < 0 ? (e < -d ? -1 - d : e) + d : e;
        b = b < 0 ? 0 : b > hi ? hi : b;
        e = e < lo ? lo : e > d ? d : e;
        int64_t span = st > 0 ? e - b : b - e, mag = st > 0 ? st : -st;
        out->dim[i] = span > 0 ? (span - 1) / mag + 1 : 0;
        start[i] = b;
        end[i] = e;
    }
    return 0;
}

int shape_window(struct node *n, const struct shape *in, const int64_t *kernel, struct window *w)
{
    memset(w, 0, sizeof *w);
    if (in->rank < 3 || in->rank > 5)
        return node_error(n, "input %s: a tensor [N, C, spatial...] of 1 to 3 spatial axes is needed", shape_print(n->ld->arena, in));
    w->n = in->rank - 2;
    struct ints strides = attr_ints(n, "strides"), dil = attr_ints(n, "dilations"), pads = attr_ints(n, "pads");
    if ((strides.present && strides.n != w->n) || (dil.present && dil.n != w->n) || (pads.present && pads.n != 2 * w->n))
        return node_error(n, "strides, dilations or pads do not fit an input of %u spatial axes", w->n);
    const char *autopad = attr_str(n, "auto_pad", "NOTSET");
    bool same = !strcmp(autopad, "SAME_UPPER") || !strcmp(autopad, "SAME_LOWER");
    if (!same && strcmp(autopad, "NOTSET") && strcmp(autopad, "VALID") && *autopad)
        return node_error(n, "unknown auto_pad \"%s\"", autopad);
    bool explicit_pads = !same && strcmp(autopad, "VALID");
    int64_t ceil_mode = attr_int(n, "ceil_mode", 0);
    for (uint32_t i = 0; i < w->n; i++) {
        int64_t d = in->dim[i + 2], k = kernel[i], s = strides.present ? strides.v[i] : 1, l = dil.present ? dil.v[i] : 1;
        if (k < 1 || s < 1 || l < 1 || k > INT32_MAX || s > INT32_MAX || l > INT32_MAX || d > INT32_MAX)
            return node_error(n, "kernel %lld, stride %lld or dilation %lld out of range", (long long)k, (long long)s, (long long)l);
        int64_t reach = (k - 1) * l + 1, lo = 0, hi = 0;
        if (same) {
            int64_t o = (d + s - 1) / s, need = (o - 1) * s + reach - d;
            need = need > 0 ? need : 0;
            lo = strcmp(autopad, "SAME_LOWER") ? need / 2 : need - need / 2;
            hi = need - lo;
        } else if (explicit_pads && pads.present) {
            lo = pads.v[i], hi = pads.v[i + w->n];
        }
        if (lo < 0 || hi < 0 || lo > INT32_MAX || hi > INT32_MAX)
            return node_error(n, "padding %lld, %lld out of range", (long long)lo, (long long)hi);
        int64_t room = d + lo + hi - reach;
        if (room < 0)
            return node_error(n, "window of %lld cells (dilation included) on an axis of %lld with padding %lld, %lld", (long long)reach,
                              (long long)d, (long long)lo, (long long)hi);
        int64_t o = room / s + 1;
        /* ceil_mode: one more window when it starts inside the input or the left padding (the rule of PyTorch) */
        if (ceil_mode && room % s && o * s < d + lo) {
            w->extra[i] = o * s + reach - (d + lo + hi);
            o++;
        }
        w->kernel[i] = k, w->strides[i] = s, w->dilations[i] = l, w->pads[i] = lo, w->pads[i + w->n] = hi, w->out[i] = o;
    }
    return 0;
}
