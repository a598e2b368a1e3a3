// SPDX-License-Identifier: Apache-2.0
// Bytes choose a small random network; every pass must either refuse it with an error or leave a module that verifies and computes the
// same results: the tensor interpreter before, the interpreter of the new dialect after. Approximated activations are the one
// exception; from there on the approximated network is the reference. The last module also prints and parses.
#include "../../compiler/diag.h"
#include "../../compiler/layout.h"
#include "../../passes/pass.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MAX_NUMEL = 96, MAX_VALUES = 12, ROWS = 4, BATCH = 4, BUNDLE = 1 << 16 };

struct gen {
    const uint8_t *p, *end;
    struct ir_module *m;
    struct ir_inst *value[MAX_VALUES];
    uint32_t n;                 // values
    uint32_t consts, acts;
};

static int64_t pick(struct gen *g, int64_t n)       // 0..n-1
{
    return g->p < g->end && n > 0 ? *g->p++ % n : 0;
}

// A constant of elements k/16 / `fan`, |k| <= 16.
static const char *constant(struct gen *g, uint32_t rank, const int64_t *dim, double fan)
{
    struct ir_const *c = ir_const_add(g->m, arena_printf(g->m->arena, "c%u", g->consts++), IR_F64, rank, dim);
    uint32_t state = (uint32_t)pick(g, 256) * 2654435761u + 12345;
    for (int64_t k = 0; k < ir_const_numel(c); k++) {
        state = state * 1664525u + 1013904223u;
        ((double *)c->data)[k] = ((int)(state >> 24) % 33 - 16) / 16.0 / fan;
    }
    return c->name;
}

static struct ir_inst *build(struct gen *g, enum ir_op op, uint32_t rank, const int64_t *dim, uint32_t nargs, struct ir_inst *a,
                             struct ir_inst *b)
{
    struct ir_inst *arg[2] = {a, b};
    struct ir_inst *i = ir_build(g->m, NULL, op, ir_type_tensor(rank, dim), nargs, arg);
    ir_set_string(g->m, ir_inst_attrs(i), "node", arena_printf(g->m->arena, "n%u", g->n));
    return i;
}

static void ints(struct gen *g, struct ir_inst *i, const char *key, const int64_t *v, size_t n)
{
    ir_set_ints(g->m, ir_inst_attrs(i), key, v, n);
}

static void symbol(struct gen *g, struct ir_inst *i, const char *key, const char *name)
{
    ir_set_symbol(g->m, ir_inst_attrs(i), key, name);
}

// Convolution or pooling: shape of the result from random windows; false if the window does not fit.
static struct ir_inst *window(struct gen *g, struct ir_inst *x, enum ir_op op)
{
    const struct ir_type *t = &x->type;
    uint32_t spatial = t->rank - 2;
    int64_t kernel[2], stride[2], pad[4], dil[2], dim[4] = {1, t->dim[1]}, area = 1;
    if (t->rank < 3 || t->rank > 4) return NULL;
    for (uint32_t d = 0; d < spatial; d++) {
        kernel[d] = 1 + pick(g, 3);
        stride[d] = 1 + pick(g, 2);
        dil[d] = op == IR_TENSOR_conv ? 1 + pick(g, 2) : 1;
        pad[d] = pick(g, kernel[d]);
        pad[spatial + d] = pick(g, kernel[d]);
        int64_t room = t->dim[2 + d] + pad[d] + pad[spatial + d] - dil[d] * (kernel[d] - 1) - 1;
        if (room < 0) return NULL;
        dim[2 + d] = room / stride[d] + 1;
        area *= kernel[d];
    }
    int64_t groups = op == IR_TENSOR_conv && pick(g, 2) ? t->dim[1] : 1;
    if (op == IR_TENSOR_conv) dim[1] = groups * (1 + pick(g, 3));
    struct ir_inst *y = build(g, op, t->rank, dim, 1, x, NULL);
    if (op == IR_TENSOR_conv) {
        int64_t w[4] = {dim[1], t->dim[1] / groups, kernel[0], kernel[1]};
        symbol(g, y, "weight", constant(g, t->rank, w, (double)(w[1] * area)));
        if (pick(g, 2)) symbol(g, y, "bias", constant(g, 1, &dim[1], 1));
        ints(g, y, "dilations", dil, spatial);
        ir_set_int(g->m, ir_inst_attrs(y), "groups", groups);
    } else {
        ints(g, y, "kernel", kernel, spatial);
        ir_set_int(g->m, ir_inst_attrs(y), "count_include_pad", pick(g, 2));
    }
    ints(g, y, "strides", stride, spatial);
    ints(g, y, "pads", pad, 2 * spatial);
    return y;
}

static struct ir_inst *gemm(struct gen *g, struct ir_inst *x)
{
    struct ir_type t = x->type;
    int64_t w[2] = {1 + pick(g, 8), t.dim[t.rank - 1]};
    t.dim[t.rank - 1] = w[0];
    struct ir_inst *y = build(g, IR_TENSOR_gemm, t.rank, t.dim, 1, x, NULL);
    symbol(g, y, "weight", constant(g, 2, w, (double)w[1]));
    if (pick(g, 2)) symbol(g, y, "bias", constant(g, 1, w, 1));
    return y;
}

// Operations that move elements: reshape, transpose, slice, pad, gather.
static struct ir_inst *move(struct gen *g, struct ir_inst *x)
{
    struct ir_type t = x->type;
    int64_t axis = 1 + pick(g, t.rank - 1), list[2 * IR_MAX_RANK] = {0}, n = ir_type_numel(&t);
    struct ir_inst *y;
    switch (pick(g, 5)) {
    case 0: return build(g, IR_TENSOR_reshape, 2, (int64_t[]){1, n}, 1, x, NULL);
    case 1:
        for (uint32_t d = 0; d < t.rank; d++) list[d] = d;
        if (t.rank > 2) {
            list[axis] = t.rank - 1;
            list[t.rank - 1] = axis;
        }
        for (uint32_t d = 0; d < t.rank; d++) t.dim[d] = x->type.dim[list[d]];
        y = build(g, IR_TENSOR_transpose, t.rank, t.dim, 1, x, NULL);
        ints(g, y, "perm", list, t.rank);
        return y;
    case 2: {
        int64_t start = pick(g, t.dim[axis]), step = 1 + pick(g, 2), end = t.dim[axis];
        t.dim[axis] = (end - start + step - 1) / step;
        y = build(g, IR_TENSOR_slice, t.rank, t.dim, 1, x, NULL);
        ints(g, y, "axes", &axis, 1);
        ints(g, y, "starts", &start, 1);
        ints(g, y, "ends", &end, 1);
        ints(g, y, "steps", &step, 1);
        return y;
    }
    case 3:
        list[axis] = pick(g, 3);
        list[t.rank + axis] = pick(g, 3);
        t.dim[axis] += list[axis] + list[t.rank + axis];
        y = build(g, IR_TENSOR_pad, t.rank, t.dim, 1, x, NULL);
        ints(g, y, "pads", list, 2 * t.rank);
        ir_set_float(g->m, ir_inst_attrs(y), "value", (double)pick(g, 3) / 2);
        return y;
    default: {
        int64_t old = t.dim[axis], count = 1 + pick(g, 4);
        struct ir_const *c = ir_const_add(g->m, "index", IR_I64, 1, &count);
        for (int64_t k = 0; k < count; k++) ((int64_t *)c->data)[k] = pick(g, old) - (pick(g, 2) ? old : 0);
        t.dim[axis] = count;
        y = build(g, IR_TENSOR_gather, t.rank, t.dim, 1, x, NULL);
        ir_set_int(g->m, ir_inst_attrs(y), "axis", axis);
        symbol(g, y, "indices", c->name);
        return y;
    }
    }
}

static struct ir_inst *reduce(struct gen *g, struct ir_inst *x)
{
    struct ir_type t = x->type;
    int64_t axes[IR_MAX_RANK], keep = pick(g, 2), mask = 1 + pick(g, (1 << (t.rank - 1)) - 1), dim[IR_MAX_RANK];
    uint32_t n = 0, rank = 0;
    for (uint32_t d = 0; d < t.rank; d++) {
        bool gone = d > 0 && mask >> (d - 1) & 1;
        if (gone) axes[n++] = d;
        if (!gone || keep) dim[rank++] = gone ? 1 : t.dim[d];
    }
    struct ir_inst *y = build(g, IR_TENSOR_reduce, rank, dim, 1, x, NULL);
    ints(g, y, "axes", axes, n);
    ir_set_int(g->m, ir_inst_attrs(y), "keepdims", keep);
    ir_set_string(g->m, ir_inst_attrs(y), "mode", pick(g, 2) ? "mean" : "sum");
    return y;
}

static struct ir_inst *scaled(struct gen *g, struct ir_inst *x)
{
    const struct ir_type *t = &x->type;
    int64_t dim[IR_MAX_RANK];
    uint32_t kind = (uint32_t)pick(g, 3);
    if (kind == 2 && t->rank > 1) {
        struct ir_inst *y = build(g, IR_TENSOR_batchnorm, t->rank, t->dim, 1, x, NULL);
        symbol(g, y, "scale", constant(g, 1, &t->dim[1], 1));
        symbol(g, y, "shift", constant(g, 1, &t->dim[1], 1));
        return y;
    }
    for (uint32_t d = 0; d < t->rank; d++) dim[d] = pick(g, 2) ? t->dim[d] : 1;
    struct ir_inst *y = build(g, kind ? IR_TENSOR_mulc : IR_TENSOR_addc, t->rank, t->dim, 1, x, NULL);
    symbol(g, y, "value", constant(g, pick(g, 4) ? t->rank : 0, dim, 1));
    return y;
}

static bool broadcasts(const struct ir_type *a, const struct ir_type *b)
{
    bool fits = b->rank <= a->rank;
    for (uint32_t d = 0; fits && d < b->rank; d++) {
        int64_t e = a->dim[a->rank - b->rank + d];
        fits = b->dim[d] == 1 || b->dim[d] == e;
    }
    return fits;
}

static struct ir_inst *binary(struct gen *g, struct ir_inst *x)
{
    static const enum ir_op op[] = {IR_TENSOR_add, IR_TENSOR_sub, IR_TENSOR_mul, IR_TENSOR_mul, IR_TENSOR_concat};
    struct ir_inst *other = g->value[pick(g, g->n)];
    enum ir_op chosen = op[pick(g, 5)];
    if (chosen == IR_TENSOR_concat) {
        struct ir_type t = x->type;
        int64_t axis = 1 + pick(g, t.rank - 1);
        if (!ir_type_equal(&t, &other->type)) other = x;
        t.dim[axis] *= 2;
        struct ir_inst *y = build(g, chosen, t.rank, t.dim, 2, x, other);
        ir_set_int(g->m, ir_inst_attrs(y), "axis", axis);
        return y;
    }
    if (!broadcasts(&x->type, &other->type)) other = x;
    return build(g, chosen, x->type.rank, x->type.dim, 2, pick(g, 2) ? x : other, x->type.rank == other->type.rank ? other : x);
}

static struct ir_inst *function(struct gen *g, struct ir_inst *x)
{
    static const char *const fn[] = {"relu", "sigmoid", "tanh", "gelu", "hardswish", "softplus"};
    const struct ir_type *t = &x->type;
    struct ir_inst *y;
    switch (pick(g, 6)) {
    case 0:
        if (g->acts++) return NULL;
        y = build(g, IR_TENSOR_act, t->rank, t->dim, 1, x, NULL);
        ir_set_string(g->m, ir_inst_attrs(y), "fn", fn[pick(g, 6)]);
        return y;
    case 1: case 2: {
        int64_t terms = 2 + pick(g, 6);
        y = build(g, IR_TENSOR_poly, t->rank, t->dim, 1, x, NULL);
        symbol(g, y, "coeffs", constant(g, 1, &terms, 1));
        ir_set_float(g->m, ir_inst_attrs(y), "mid", (double)pick(g, 3) / 4);
        ir_set_float(g->m, ir_inst_attrs(y), "half", 1 + (double)pick(g, 3));
        return y;
    }
    case 3: return build(g, IR_TENSOR_mul, t->rank, t->dim, 2, x, x);
    default:
        y = build(g, IR_TENSOR_pow, t->rank, t->dim, 1, x, NULL);
        ir_set_int(g->m, ir_inst_attrs(y), "exponent", 2 + pick(g, 3));
        return y;
    }
}

static void grow(struct gen *g)
{
    struct ir_inst *x = g->value[pick(g, 3) ? g->n - 1 : pick(g, g->n)], *before = g->m->last, *y;
    switch (pick(g, 9)) {
    case 0: y = window(g, x, IR_TENSOR_conv); break;
    case 1: y = window(g, x, IR_TENSOR_avgpool); break;
    case 2: y = gemm(g, x); break;
    case 3: y = reduce(g, x); break;
    case 4: y = scaled(g, x); break;
    case 5: y = binary(g, x); break;
    case 6: y = function(g, x); break;
    default: y = move(g, x); break;
    }
    if (!y) return;
    if (y->type.rank < 2 || ir_type_numel(&y->type) > MAX_NUMEL) {
        while (g->m->last != before) ir_remove(g->m, g->m->last);
        return;
    }
    g->value[g->n++] = y;
}

static struct ir_module *generate(const uint8_t *data, size_t len)
{
    struct gen g = {.p = data, .end = data + len, .m = ir_module_new("fuzz", IR_TENSOR)};
    uint32_t rank = 2 + (uint32_t)pick(&g, 3);
    int64_t dim[4] = {1};
    for (uint32_t d = 1; d < rank; d++) dim[d] = 1 + pick(&g, d == 1 && rank > 2 ? 3 : 5);
    g.value[g.n++] = build(&g, IR_TENSOR_input, rank, dim, 0, NULL, NULL);
    ir_set_string(g.m, ir_inst_attrs(g.value[0]), "name", "x");
    ints(&g, g.value[0], "shape", dim, rank);
    while (g.p < g.end && g.n < MAX_VALUES) grow(&g);
    for (uint32_t k = 0; k < 1 + (uint32_t)(len % 7 == 0); k++) {
        struct ir_inst *y = g.value[k ? pick(&g, g.n) : g.n - 1];
        struct ir_attr *attrs = NULL;
        ir_set_string(g.m, &attrs, "name", k ? "z" : "y");
        ir_set_ints(g.m, &attrs, "shape", y->type.dim, y->type.rank);
        ir_add_output(g.m, y, attrs);
    }
    return g.m;
}

static void observe(void *arg, const struct ir_inst *i, const double *value, int64_t n)
{
    double *top = arg;
    for (int64_t k = 0; k < n; k++) *top = fmax(*top, isfinite(value[k]) ? fabs(value[k]) : 1e300);
}

// Results of one input, as tensors; *top is the largest value on the way. The input is the last of its batch, the
// others are its rotations.
static void evaluate(double out[2][MAX_NUMEL], struct ir_module *m, const double *x, double *top)
{
    static double in[BUNDLE], raw[2][BUNDLE], all[BATCH * MAX_NUMEL];
    struct layout l;
    uint32_t batch = (uint32_t)ir_batch(m);
    struct ir_run run = {.observe = observe, .arg = top};
    bool slots = m->dialect != IR_TENSOR;
    *top = 0;
    ICE_IF(ir_type_numel(&m->first->type) > BUNDLE, "the input is too large");
    for (uint32_t k = 0; k < m->noutputs; k++) ICE_IF(ir_type_numel(&m->outputs[k]->type) > BUNDLE, "a result is too large");
    if (slots) {
        ICE_IF(layout_parse(&l, ir_get_string(m->first->attrs, "layout", "")), "the input has no layout");
        for (uint32_t k = 0; k < batch; k++)
            for (int64_t e = 0, n = layout_numel(&l); e < n; e++) all[k * n + e] = k + 1 < batch ? x[(e + k) % n] : x[e];
        layout_pack(in, &l, all, batch);
    } else {
        memcpy(in, x, (size_t)ir_type_numel(&m->first->type) * sizeof *in);
    }
    ICE_IF(ir_interp(m, &(const double *){in}, (double *[]){raw[0], raw[1]}, &run), "a verified module does not run");
    for (uint32_t k = 0; k < m->noutputs; k++) {
        if (!slots) {
            memcpy(out[k], raw[k], (size_t)ir_type_numel(&m->outputs[k]->type) * sizeof(double));
            continue;
        }
        ICE_IF(layout_parse(&l, ir_get_string(m->output_attrs[k], "layout", "")), "result %u has no layout", k);
        ICE_IF(layout_numel(&l) > MAX_NUMEL, "result %u is too large", k);
        layout_unpack(all, &l, raw[k], batch);
        memcpy(out[k], all + (batch - 1) * layout_numel(&l), (size_t)layout_numel(&l) * sizeof(double));
    }
}

static void compare(double got[2][MAX_NUMEL], double want[2][MAX_NUMEL], const int64_t *numel, uint32_t n, double top, const char *pass)
{
    for (uint32_t k = 0; k < n; k++)
        for (int64_t e = 0; e < numel[k]; e++)
            ICE_IF(!(fabs(got[k][e] - want[k][e]) <= 1e-7 * (1 + top)), "after %s: result %u[%lld] is %.12g, was %.12g", pass, k,
                   (long long)e, got[k][e], want[k][e]);
}

static void reparse(struct ir_module *m)
{
    char *text = ir_print_string(m);
    struct ir_module *again = ir_parse("again", text, strlen(text));
    ICE_IF(!again, "printed text does not parse");
    char *back = ir_print_string(again);
    ICE_IF(strcmp(text, back), "printed text changes");
    free(back);
    free(text);
    ir_module_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 3 || len > 96) return 0;
    diag_set_quiet(2);
    diag_reset();
    struct ir_module *m = generate(data + 1, len - 1);
    double calib[ROWS * MAX_NUMEL], want[2][MAX_NUMEL], got[2][MAX_NUMEL], top, before;
    int64_t numel[2] = {0}, width = ir_type_numel(&m->first->type);
    for (int64_t k = 0; k < ROWS * width; k++) calib[k] = (double)((k * 7 + data[0]) % 33 - 16) / 16;
    struct options opt = {.calib = calib, .ncalib = ROWS, .log_slots = 4 + data[0] % 5, .batch = 1 << data[0] / 5 % 3, .precision = 8, .security = 128,
                          .activation = "relu=cheb:15,sigmoid=cheb:7,tanh=cheb:7,gelu=cheb:15,hardswish=cheb:7,softplus=cheb:7",
                          .cost = ck_cost_default};
    ICE_IF(ir_verify(m), "the generator built a module that does not verify:\n%s", ir_print_string(m));
    for (uint32_t k = 0; k < m->noutputs; k++) numel[k] = ir_type_numel(&m->outputs[k]->type);
    bool done = false;
    for (int r = ROWS; r-- > 0;) {      // row 0 last: it is the one compared
        evaluate(want, m, calib + r * width, &before);
        done |= before > 1e6;           // ranges that large leave nothing to compare
    }
    for (const char *const *name = pass_pipeline; *name && !done; name++) {
        int errors = diag_error_count();
        done = pass_run(pass_find(*name), m, &opt) != 0;
        ICE_IF(done && diag_error_count() == errors, "%s failed without a message", *name);
        if (done) break;
        evaluate(got, m, calib, &top);
        if (strcmp(*name, "activations")) compare(got, want, numel, m->noutputs, fmax(top, before), *name);
        memcpy(want, got, sizeof want);
        before = top;
    }
    reparse(m);
    ir_module_free(m);
    return 0;
}
