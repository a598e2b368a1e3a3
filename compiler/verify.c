// SPDX-License-Identifier: Apache-2.0
// The verifier: structure, operand counts, attribute kinds and named constants for every operation; then the rules of its dialect.
// Whatever passes may be interpreted and compiled without further checks.
#include "verify.h"
#include "diag.h"
#include "layout.h"
#include <math.h>
#include <string.h>

static const struct {
    uint8_t min, max;
} arity[] = {
#define OP(d, name, min, max, summary) {min, max},
#include "ops.def"
#undef OP
};

// Attributes of each operation: kind letters i f s @ (symbol) I (ints) F (floats), '!' when required.
static const struct {
    enum ir_op op;
    const char *attrs;
} schema[] = {
    {IR_TENSOR_input, "name=s! shape=I"},
    {IR_TENSOR_conv, "weight=@! bias=@ strides=I pads=I dilations=I groups=i"},
    {IR_TENSOR_gemm, "weight=@! bias=@"},
    {IR_TENSOR_batchnorm, "scale=@! shift=@!"},
    {IR_TENSOR_avgpool, "kernel=I! strides=I pads=I count_include_pad=i"},
    {IR_TENSOR_maxpool, "kernel=I! strides=I pads=I"},
    {IR_TENSOR_reduce, "axes=I keepdims=i mode=s"},
    {IR_TENSOR_transpose, "perm=I!"},
    {IR_TENSOR_slice, "axes=I starts=I! ends=I steps=I"},
    {IR_TENSOR_pad, "pads=I! value=f"},
    {IR_TENSOR_gather, "axis=i indices=@!"},
    {IR_TENSOR_concat, "axis=i"},
    {IR_TENSOR_addc, "value=@!"},
    {IR_TENSOR_mulc, "value=@!"},
    {IR_TENSOR_pow, "exponent=i!"},
    {IR_TENSOR_act, "fn=s! alpha=f beta=f lo=f hi=f approximate=s"},
    {IR_TENSOR_poly, "coeffs=@! half=f mid=f"},
    {IR_TENSOR_affine, "mat=@! bias=@"},
    {IR_VEC_input, "name=s! shape=I layout=s"},
    {IR_VEC_linear, "mat=@! bias=@ fold=I baby=I giant=I"},
    {IR_VEC_mulc, "value=f!"},
    {IR_VEC_addc, "value=@!"},
    {IR_VEC_poly, "coeffs=@!"},
    {IR_CKKS_input, "name=s! shape=I layout=s"},
    {IR_CKKS_linear, "mat=@! bias=@ fold=I baby=I! giant=I!"},
    {IR_CKKS_rot, "k=i!"},
    {IR_CKKS_mulc, "value=f!"},
    {IR_CKKS_addc, "value=@!"},
    {IR_CKKS_poly, "coeffs=@!"},
};

// Attributes that any instruction, a result or the module may carry; passes and reports read them.
static const char any_attrs[] = "layout=s name=s node=s reg=i rhi=f rlo=f shape=I terms=i us=f us_keys=f weight_error=f";
static const char result_attrs[] = "layout=s name=s post=s postshape=I shape=I";
static const char module_attrs[] = "alpha=i batch=i boot_left=i boot_range=i boot_ratio=f bytes_keys=i bytes_peak=i bytes_regs=i bytes_weights=i classes=I "
                                   "key_level=I key_rot=I log_slots=i logn=i nregs=i p=I precision=f q=I reg_count=I reg_degree=I "
                                   "reg_level=I route_level=I route_rot=I route_step=I scale=f seconds=f "
                                   "security=i";

static char kind_letter(enum ir_attr_kind k)
{
    return "ifs@IF"[k];
}

const struct ir_const *verify_const(const struct ir_module *m, const struct ir_inst *i, const char *key)
{
    const char *name = ir_get_string(i->attrs, key, NULL);
    return name ? ir_const_find(m, name) : NULL;
}

// Checks one "key=k" or "key=k!" of a schema line; moves *p behind it.
static const char *check_attr(const struct ir_module *m, const struct ir_attr *attrs, const char **p)
{
    size_t n = strcspn(*p, "=");
    char key[32] = "", kind = (*p)[n + 1];
    bool required = (*p)[n + 2] == '!';
    memcpy(key, *p, n);
    *p += n + 2 + required;
    while (**p == ' ') ++*p;
    const struct ir_attr *a = ir_attr_find(attrs, key);
    if (!a) return required ? arena_printf(m->arena, "attribute '%s' is missing", key) : NULL;
    if (kind_letter(a->kind) != kind) return arena_printf(m->arena, "attribute '%s' has the wrong kind", key);
    if (a->kind == IR_FLOAT && isnan(a->f)) return arena_printf(m->arena, "attribute '%s' is not a number", key);
    if (kind == '@' && strcmp(key, "mat") && !ir_const_find(m, a->s))
        return arena_printf(m->arena, "there is no constant '%s'", a->s);
    return NULL;
}

static const char *check_attrs(const struct ir_module *m, const struct ir_attr *attrs, const char *schema_line)
{
    const char *wrong = NULL;
    for (const char *p = schema_line; attrs && *p && !wrong;) wrong = check_attr(m, attrs, &p);
    return wrong;
}

static const char *check_schema(const struct ir_module *m, const struct ir_inst *i)
{
    const char *wrong = check_attrs(m, i->attrs, any_attrs);
    for (size_t s = 0; s < sizeof schema / sizeof *schema && !wrong; s++) {
        if (schema[s].op != i->op) continue;
        for (const char *p = schema[s].attrs; *p && !wrong;) wrong = check_attr(m, i->attrs, &p);
    }
    return wrong;
}

// A layout must be one, and lie inside the bundle that it describes; the shape beside it has as many elements.
static const char *check_layout(const struct ir_module *m, const struct ir_attr *attrs, const struct ir_type *t)
{
    const struct ir_attr *shape = ir_attr_find(attrs, "shape");
    const char *text = ir_get_string(attrs, "layout", NULL);
    int64_t numel = 1;
    struct layout l;
    for (size_t k = 0; shape && k < shape->ints.n; k++) {
        int64_t d = shape->ints.v[k];
        if (d < 1 || d > INT64_C(1) << 31 || (numel *= d) > INT64_C(1) << 31) return "the shape is not one";
    }
    if (shape && shape->ints.n > IR_MAX_RANK) return "the shape has too many axes";
    if (t->kind == IR_TENSOR) return !shape || numel == ir_type_numel(t) ? NULL : "the shape has another number of elements";
    if (!text) return NULL;
    if (layout_parse(&l, text)) return "the layout is not one";
    if (shape && layout_numel(&l) != numel) return "the shape has another number of elements than the layout";
    if (l.n != t->n || layout_count(&l) > t->count) return "the layout does not fit the bundle";
    if (layout_batch(&l) != ir_batch(m)) return "the layout's batch is not the module's";
    return NULL;
}

static const char *check_type(const struct ir_module *m, const struct ir_type *t)
{
    if (t->kind != m->dialect) return "the type is of another dialect";
    if (t->kind == IR_TENSOR) {
        int64_t n = 1;
        for (uint32_t d = 0; d < t->rank; d++) {
            if (t->dim[d] < 1 || t->dim[d] > INT64_C(1) << 31) return "a dimension is not in 1..2^31";
            if ((n *= t->dim[d]) > INT64_C(1) << 31) return "more than 2^31 elements";
        }
        return NULL;
    }
    if (t->n < 1 || t->n > 1u << 16 || t->n & (t->n - 1)) return "the number of slots is not a power of two in 1..65536";
    if (t->count < 1 || t->count > 4096) return "a bundle has 1..4096 vectors";
    if (t->n % ir_batch(m)) return "the vectors hold no whole batch";
    if (t->kind == IR_VEC) return NULL;
    if (t->level < 0 || t->level > 255) return "the level is not in 0..255";
    if (t->degree < 1 || t->degree > 2) return "the degree is 1 or 2";
    if (!(t->scale >= 0 && t->scale <= 0x1p1000)) return "the scale is negative or too large";
    return NULL;
}

// The lines of a matrix: `lines` ranges of nnz ascending columns.
static const char *check_lines(const struct ir_module *m, const char *name, const struct ir_csr *a, int64_t lines, int64_t nnz)
{
    if (a->ptr[0] != 0 || a->ptr[lines] != nnz) return arena_printf(m->arena, "sparse matrix '%s' has parts of unequal lengths", name);
    for (int64_t r = 0; r < lines; r++) {
        if (a->ptr[r + 1] < a->ptr[r] || a->ptr[r + 1] > nnz)
            return arena_printf(m->arena, "sparse matrix '%s': bad row %lld", name, (long long)r);
        for (int64_t k = a->ptr[r]; k < a->ptr[r + 1]; k++)
            if (a->col[k] < 0 || a->col[k] >= a->cols || (k > a->ptr[r] && a->col[k] <= a->col[k - 1]))
                return arena_printf(m->arena, "sparse matrix '%s': bad column in row %lld", name, (long long)r);
    }
    return NULL;
}

// Shared rows: known lines, and columns that stay inside.
static const char *check_shared(const struct ir_module *m, const char *name, const struct ir_csr *a)
{
    int64_t size = (int64_t)a->mask + 1;
    bool whole = a->mask == INT32_MAX;
    if (size < 1 || size & (size - 1) || (!whole && a->cols % size)) return arena_printf(m->arena, "sparse matrix '%s': bad block size", name);
    for (int64_t r = 0; r < a->rows; r++) {
        if (a->line[r] < 0 || a->line[r] >= a->lines || a->shift[r] < 0 || a->shift[r] > a->mask)
            return arena_printf(m->arena, "sparse matrix '%s': bad line of row %lld", name, (long long)r);
        int64_t lo = a->ptr[a->line[r]], hi = a->ptr[a->line[r] + 1];
        if (whole && hi > lo && (int64_t)a->col[hi - 1] + a->shift[r] >= a->cols)
            return arena_printf(m->arena, "sparse matrix '%s': bad column in row %lld", name, (long long)r);
    }
    return NULL;
}

const char *verify_csr(const struct ir_module *m, const char *name, int64_t rows, int64_t cols)
{
    static const char *const suffix[] = {"dim", "ptr", "col", "val", "line", "shift"};
    static const enum ir_dtype dtype[] = {IR_I64, IR_I64, IR_I32, IR_F64, IR_I32, IR_I32};
    const struct ir_const *part[6] = {NULL};
    bool shared = false;
    for (int k = 0; k < (shared ? 6 : 4); k++) {
        const char *full = arena_printf(m->arena, "%s.%s", name, suffix[k]);
        part[k] = ir_const_find(m, full);
        if (!part[k] || part[k]->rank != 1 || part[k]->dtype != dtype[k])
            return arena_printf(m->arena, "sparse matrix '%s' lacks a proper part '%s'", name, full);
        shared = part[0]->dim[0] == 3;
    }
    const int64_t *dim = part[0]->data;
    if ((part[0]->dim[0] != 2 && !shared) || dim[0] != rows || dim[1] != cols)
        return arena_printf(m->arena, "sparse matrix '%s' is not %lld x %lld", name, (long long)rows, (long long)cols);
    if (shared && (dim[2] < 1 || dim[2] > INT64_C(1) << 31)) return arena_printf(m->arena, "sparse matrix '%s': bad block size", name);
    int64_t nnz = part[2]->dim[0], lines = part[1]->dim[0] - 1;
    bool fits = shared ? lines >= 0 && part[4]->dim[0] == rows && part[5]->dim[0] == rows : lines == rows;
    if (!fits || part[3]->dim[0] != nnz) return arena_printf(m->arena, "sparse matrix '%s' has parts of unequal lengths", name);
    struct ir_csr a = ir_csr_find(m, name);
    const char *wrong = check_lines(m, name, &a, lines, nnz);
    return wrong || !shared ? wrong : check_shared(m, name, &a);
}

static const char *check(const struct ir_module *m, const struct ir_inst *i)
{
    if (ir_op_dialect(i->op) != m->dialect) return "the operation is of another dialect than the module";
    if (i->nargs < arity[i->op].min || i->nargs > arity[i->op].max) return "wrong number of operands";
    for (uint32_t k = 0; k < i->nargs; k++)
        if (i->args[k]->id >= i->id) return "an operand is used before it is defined";
    const char *wrong = check_type(m, &i->type);
    if (!wrong) wrong = check_schema(m, i);
    if (!wrong) wrong = check_layout(m, i->attrs, &i->type);
    if (!wrong) wrong = m->dialect == IR_TENSOR ? verify_tensor(m, i) : verify_slots(m, i);
    return wrong;
}

static bool is_input(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_input || i->op == IR_VEC_input || i->op == IR_CKKS_input;
}

static bool all_in(const struct ir_attr *a, int64_t lo, int64_t hi)
{
    for (size_t k = 0; a && k < a->ints.n; k++)
        if (a->ints.v[k] < lo || a->ints.v[k] > hi) return false;
    return true;
}

// Are the two lists absent or of equal length?
static bool paired(const struct ir_attr *a, const struct ir_attr *b)
{
    return !a == !b && (!a || a->ints.n == b->ints.n);
}

// Module attributes: parameters, keys, registers.
static const char *check_module(const struct ir_module *m)
{
    const struct ir_attr *list = m->attrs, *q = ir_attr_find(list, "q"), *p = ir_attr_find(list, "p");
    const char *wrong = check_attrs(m, list, module_attrs);
    if (wrong) return wrong;
    int64_t logn = ir_get_int(list, "logn", 16), log_slots = ir_get_int(list, "log_slots", 0), alpha = ir_get_int(list, "alpha", 1);
    if (logn < 1 || logn > 17 || log_slots < 0 || log_slots >= logn) return "logn or log_slots is out of range";
    int64_t batch = ir_batch(m);
    if (batch < 1 || batch > 1 << 15 || batch & (batch - 1) || (batch > 1 && m->dialect == IR_TENSOR))
        return "batch is not a power of two in 1..32768, of vectors";
    if (!q != !p || !all_in(q, 2, INT64_C(1) << 60) || !all_in(p, 2, INT64_C(1) << 60)) return "q or p does not list primes";
    if ((q && (q->ints.n < 1 || q->ints.n > 64 || p->ints.n > 64)) || alpha < 1 || alpha > 64) return "q, p or alpha is out of range";
    const struct ir_attr *classes = ir_attr_find(list, "classes");
    if (!all_in(classes, 1, 64) || (classes && (classes->ints.n % 3 || classes->ints.n > 72))) return "the list of key classes is malformed";
    const struct ir_attr *rot = ir_attr_find(list, "key_rot"), *level = ir_attr_find(list, "key_level");
    if (!paired(rot, level) || !all_in(rot, -(1 << 16), 1 << 16) || !all_in(level, 0, 63)) return "the list of keys is malformed";
    const struct ir_attr *route = ir_attr_find(list, "route_rot"), *route_level = ir_attr_find(list, "route_level");
    if (!paired(route, route_level) || !paired(route, ir_attr_find(list, "route_step")) || !all_in(route, 1, 1 << 16) ||
        !all_in(route_level, 0, 63) || !all_in(ir_attr_find(list, "route_step"), 1, 1 << 16))
        return "the list of routes is malformed";
    if (q && (!all_in(level, 0, (int64_t)q->ints.n - 1) || !all_in(route_level, 0, (int64_t)q->ints.n - 1)))
        return "a key has a level beyond the primes";
    const struct ir_attr *count = ir_attr_find(list, "reg_count"), *reg_level = ir_attr_find(list, "reg_level");
    if (!paired(count, reg_level) || !paired(count, ir_attr_find(list, "reg_degree")) || !all_in(count, 1, 4096) ||
        !all_in(reg_level, 0, 255) || !all_in(ir_attr_find(list, "reg_degree"), 1, 2))
        return "the table of registers is malformed";
    return ir_get_int(list, "nregs", 0) == (count ? (int64_t)count->ints.n : 0) ? NULL : "the table of registers is malformed";
}

static const char *check_result(const struct ir_module *m, uint32_t k)
{
    static const char *const posts[] = {"softmax", "logsoftmax", "argmax"};
    const char *wrong = check_attrs(m, m->output_attrs[k], result_attrs);
    if (wrong) return wrong;
    const char *post = ir_get_string(m->output_attrs[k], "post", NULL);
    bool known = !post;
    for (size_t p = 0; post && p < sizeof posts / sizeof *posts; p++) known |= !strncmp(post, posts[p], strlen(posts[p]));
    return known ? check_layout(m, m->output_attrs[k], &m->outputs[k]->type) : "post is softmax, logsoftmax or argmax";
}

int ir_verify(struct ir_module *m)
{
    ir_renumber(m);
    if (!m->first || !m->noutputs) {
        diag_error(m->name, "the module has no %s", m->first ? "output" : "instruction");
        return -1;
    }
    const char *bad = check_module(m);
    if (bad) {
        diag_error(m->name, "%s", bad);
        return -1;
    }
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        const char *wrong = check(m, i);
        if (!wrong && is_input(i) && i->prev && !is_input(i->prev)) wrong = "an input stands after another instruction";
        if (!wrong) continue;
        const struct ir_attr *named = ir_attr_find(i->attrs, "node");
        const char *node = named && named->kind == IR_STRING ? named->s : "";
        diag_error(m->name, "%%%u = %s%s%s%s: %s", i->id, ir_op_name(i->op), *node ? " (node \"" : "", node,
                   *node ? "\")" : "", wrong);
        return -1;
    }
    for (uint32_t k = 0; k < m->noutputs; k++) {
        if (!(bad = check_result(m, k))) continue;
        diag_error(m->name, "result %u: %s", k, bad);
        return -1;
    }
    return 0;
}
