// SPDX-License-Identifier: Apache-2.0
// Reads the text form of a module (docs/IR.md): a recursive-descent parser without recursion, since nothing nests. The first error ends
// the parse and names line and column.
#include "diag.h"
#include "ir.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INSTS = 1 << 20, MAX_LIST = 1 << 24, MAX_ARGS = 64, MAX_CONST = 1 << 20 };

struct parser {
    const char *file, *start, *p, *end;
    struct ir_module *m;
    struct ir_inst **inst;      // by id, in the module's arena
    uint32_t ninst, cap;
    bool failed;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *s, const char *fmt, ...)
{
    if (s->failed) return false;
    s->failed = true;
    unsigned line = 1, column = 1;
    for (const char *p = s->start; p < s->p; p++) column = *p == '\n' ? (line++, 1) : column + 1;
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    diag_error(s->file, "%u:%u: %s", line, column, text);
    return false;
}

static bool have(struct parser *s, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n)) return false;
    s->p += n;
    return true;
}

static bool want(struct parser *s, const char *w)
{
    return have(s, w) || fail(s, "expected '%s'", *w == '\n' ? "end of line" : w);
}

// The longest run of characters of `set`, copied; NULL after an error if it is empty.
static char *run(struct parser *s, const char *set, const char *what)
{
    const char *from = s->p;
    while (s->p < s->end && *s->p && strchr(set, *s->p)) s->p++;
    size_t n = (size_t)(s->p - from);
    if (!n || n > 4096) {
        fail(s, "expected %s", what);
        return NULL;
    }
    char *w = arena_alloc(s->m->arena, n + 1);
    memcpy(w, from, n);
    return w;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define DIGITS "0123456789"

static bool integer(struct parser *s, int64_t *out, int64_t lo, int64_t hi)
{
    char *w = run(s, DIGITS "-", "an integer"), *end;
    if (!w) return false;
    errno = 0;
    long long v = strtoll(w, &end, 10);
    char back[32];
    snprintf(back, sizeof back, "%lld", v);
    if (errno || *end || strcmp(back, w)) return fail(s, "'%s' is not an integer in canonical form", w);
    if (v < lo || v > hi) return fail(s, "%lld is not in %lld..%lld", v, (long long)lo, (long long)hi);
    *out = v;
    return true;
}

static bool real(struct parser *s, double *out)
{
    char *w = run(s, DIGITS "abcdefpx.+-in", "a floating-point number"), *end, back[64];
    if (!w) return false;
    *out = strtod(w, &end);
    snprintf(back, sizeof back, "%a", *out);
    return (!*end && !strcmp(back, w)) || fail(s, "'%s' is not a number in canonical hexadecimal form", w);
}

// An element of a constant: whole numbers in decimal, others in hexadecimal.
static bool number(struct parser *s, double *out)
{
    const char *from = s->p;
    int64_t v;
    while (s->p < s->end && *s->p && strchr(DIGITS "-", *s->p)) s->p++;
    bool whole = s->p == s->end || *s->p == ',' || *s->p == ']';
    s->p = from;
    if (!whole) {
        if (!real(s, out)) return false;
        bool decimal = fabs(*out) < 0x1p53 && *out == floor(*out) && !(*out == 0 && signbit(*out));
        return !decimal || fail(s, "a whole number is written in decimal");
    }
    if (!integer(s, &v, -(INT64_C(1) << 53) + 1, (INT64_C(1) << 53) - 1)) return false;
    *out = (double)v;
    return true;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *string(struct parser *s)
{
    if (!want(s, "\"")) return NULL;
    const char *stop = s->p;
    while (stop < s->end && *stop != '"' && *stop != '\n') stop += *stop == '\\' ? 2 : 1;
    if (stop >= s->end || *stop != '"' || stop - s->p > 1 << 20) {
        fail(s, "string without end");
        return NULL;
    }
    char *out = arena_alloc(s->m->arena, (size_t)(stop - s->p) + 1), *o = out;
    while (s->p < stop) {
        unsigned char c = (unsigned char)*s->p++;
        if (c < 0x20 || c == 0x7f) {
            fail(s, "control character in a string; write \\xNN");
            return NULL;
        }
        if (c == '\\') {
            char e = *s->p++;
            int h = e == 'x' && stop - s->p >= 2 ? hex(s->p[0]) * 16 + hex(s->p[1]) : -1;
            if (e == 'x') {
                if (hex(s->p[0]) < 0 || hex(s->p[1]) < 0 || !((h > 0 && h < 0x20) || h == 0x7f)) {
                    fail(s, "bad escape in a string");
                    return NULL;
                }
                c = (unsigned char)h;
                s->p += 2;
            } else if (e == '"' || e == '\\') {
                c = (unsigned char)e;
            } else {
                fail(s, "bad escape in a string");
                return NULL;
            }
        }
        *o++ = (char)c;
    }
    s->p = stop + 1;
    return out;
}

static char *symbol(struct parser *s)
{
    if (!want(s, "@")) return NULL;
    bool quoted = s->p < s->end && *s->p == '"';
    char *w = quoted ? string(s) : run(s, LETTERS DIGITS "./-", "a name");
    if (w && quoted && *w && strspn(w, LETTERS DIGITS "./-") == strlen(w)) {
        fail(s, "@%s needs no quotes", w);
        return NULL;
    }
    return w;
}

// The body of a list behind its "[": integers or reals.
static bool list(struct parser *s, struct ir_attr **attrs, const char *key, bool floats)
{
    size_t n = 0, cap = 16;
    double *f = NULL;
    int64_t *v = NULL;
    if (floats)
        f = ARENA_ARRAY(s->m->arena, double, cap);
    else
        v = ARENA_ARRAY(s->m->arena, int64_t, cap);
    while (!have(s, "]")) {
        if (n && !want(s, ", ")) return false;
        if (n == cap) {
            if ((cap *= 2) > MAX_LIST) return fail(s, "list too long");
            void *old = floats ? (void *)f : (void *)v, *more = arena_alloc(s->m->arena, 8 * cap);
            memcpy(more, old, 8 * n);
            if (floats)
                f = more;
            else
                v = more;
        }
        if (floats ? !real(s, &f[n]) : !integer(s, &v[n], INT64_MIN, INT64_MAX)) return false;
        n++;
    }
    if (floats)
        ir_set_floats(s->m, attrs, key, f, n);
    else
        ir_set_ints(s->m, attrs, key, v, n);
    return true;
}

static bool attr(struct parser *s, struct ir_attr **attrs, const char **last)
{
    char *key = run(s, LETTERS DIGITS, "an attribute's name"), *w;
    if (!key || !want(s, "=")) return false;
    if (*last && strcmp(*last, key) >= 0) return fail(s, "attributes are not sorted: '%s' after '%s'", key, *last);
    *last = key;
    char c = s->p < s->end ? *s->p : 0;
    if (c == '"') {
        if ((w = string(s))) ir_set_string(s->m, attrs, key, w);
        return w != NULL;
    }
    if (c == '@') {
        if ((w = symbol(s))) ir_set_symbol(s->m, attrs, key, w);
        return w != NULL;
    }
    if (have(s, "[")) return list(s, attrs, key, false);
    if (have(s, "f[")) return list(s, attrs, key, true);
    const char *from = s->p;
    while (s->p < s->end && *s->p && strchr(DIGITS "-", *s->p)) s->p++;
    bool whole = s->p > from && (s->p == s->end || !strchr(DIGITS LETTERS ".+", *s->p)) && s->p[-1] != '-';
    s->p = from;
    if (whole) {
        int64_t v;
        if (!integer(s, &v, INT64_MIN, INT64_MAX)) return false;
        ir_set_int(s->m, attrs, key, v);
    } else {
        double v;
        if (!real(s, &v)) return false;
        ir_set_float(s->m, attrs, key, v);
    }
    return true;
}

static bool attributes(struct parser *s, struct ir_attr **out)
{
    const char *last = NULL;
    if (!have(s, " {")) return true;
    do
        if (!attr(s, out, &last)) return false;
    while (have(s, ", "));
    return want(s, "}");
}

static bool type(struct parser *s, struct ir_type *t)
{
    int64_t v[5];
    if (have(s, "tensor<")) {
        *t = (struct ir_type){.kind = IR_TENSOR};
        while (!have(s, ">")) {
            if (t->rank == IR_MAX_RANK) return fail(s, "more than %d axes", IR_MAX_RANK);
            if (t->rank && !want(s, "x")) return false;
            if (!integer(s, &t->dim[t->rank++], 0, INT64_C(1) << 40)) return false;
        }
        return true;
    }
    bool vec = have(s, "vec<");
    if (!vec && !want(s, "ct<")) return false;
    if (!integer(s, &v[0], 0, UINT32_MAX) || !want(s, "x") || !integer(s, &v[1], 0, UINT32_MAX)) return false;
    *t = ir_type_vec((uint32_t)v[0], (uint32_t)v[1]);
    if (vec) return want(s, ">");
    double scale;
    if (!want(s, ",l=") || !integer(s, &v[2], INT32_MIN, INT32_MAX) || !want(s, ",s=") || !real(s, &scale) ||
        !want(s, ",d=") || !integer(s, &v[3], 0, UINT32_MAX) || !want(s, ">"))
        return false;
    *t = ir_type_ct((uint32_t)v[0], (uint32_t)v[1], (int32_t)v[2], scale, (uint32_t)v[3]);
    return true;
}

// "%id" of a value that exists.
static struct ir_inst *value(struct parser *s)
{
    int64_t id;
    if (!want(s, "%") || !integer(s, &id, 0, MAX_INSTS)) return NULL;
    if ((uint32_t)id >= s->ninst) {
        fail(s, "%%%lld is not defined", (long long)id);
        return NULL;
    }
    return s->inst[id];
}

// "%id" of the next new value.
static bool next_id(struct parser *s)
{
    int64_t id;
    if (!want(s, "%") || !integer(s, &id, 0, MAX_INSTS)) return false;
    return (uint32_t)id == s->ninst || fail(s, "expected %%%u", s->ninst);
}

static bool append(struct parser *s, enum ir_op op, struct ir_type t, uint32_t nargs, struct ir_inst **args,
                   struct ir_attr *attrs)
{
    if (s->ninst >= MAX_INSTS) return fail(s, "more than %d instructions", MAX_INSTS);
    if (s->ninst == s->cap) {
        uint32_t cap = s->cap ? 2 * s->cap : 64;
        struct ir_inst **more = ARENA_ARRAY(s->m->arena, struct ir_inst *, cap);
        if (s->ninst) memcpy(more, s->inst, s->ninst * sizeof(*more));
        s->inst = more;
        s->cap = cap;
    }
    struct ir_inst *i = ir_build(s->m, NULL, op, t, nargs, args);
    i->attrs = attrs;
    i->id = s->ninst;
    s->inst[s->ninst++] = i;
    return true;
}

static bool element(struct parser *s, struct ir_const *c, int64_t k)
{
    double v;
    if (c->dtype == IR_I64) return integer(s, (int64_t *)c->data + k, INT64_MIN, INT64_MAX);
    if (!number(s, &v)) return false;
    switch (c->dtype) {
    case IR_I32:
        if (!(v >= INT32_MIN && v <= INT32_MAX && v == floor(v))) return fail(s, "an element is not a 32-bit integer");
        ((int32_t *)c->data)[k] = (int32_t)v;
        return true;
    case IR_F32:
        ((float *)c->data)[k] = (float)v;
        return isnan(v) || (float)v == v || fail(s, "an element does not fit a 32-bit float");
    default: ((double *)c->data)[k] = v; return true;
    }
}

// "const @name f64[2x3] = [...]" behind the word const.
static bool constant(struct parser *s)
{
    static const struct {
        const char *word;
        enum ir_dtype dtype;
    } types[] = {{" f64[", IR_F64}, {" f32[", IR_F32}, {" i64[", IR_I64}, {" i32[", IR_I32}};
    int64_t dim[IR_MAX_RANK], numel = 1;
    uint32_t rank = 0;
    size_t t = 0;
    char *name = symbol(s);
    if (!name) return false;
    while (t < 4 && !have(s, types[t].word)) t++;
    if (t == 4) return fail(s, "expected an element type: f64, f32, i64 or i32");
    while (!have(s, "]")) {
        if (rank == IR_MAX_RANK) return fail(s, "more than %d axes", IR_MAX_RANK);
        if ((rank && !want(s, "x")) || !integer(s, &dim[rank], 0, MAX_CONST)) return false;
        if ((numel *= dim[rank++]) > MAX_CONST) return fail(s, "more than %d elements", MAX_CONST);
    }
    // Two bytes of text an element at the least: text that is too short allocates nothing.
    if (!want(s, " = [")) return false;
    if (numel > (s->end - s->p) / 2 + 1) return fail(s, "fewer elements than the shape says");
    struct ir_const *c = ir_const_add(s->m, name, types[t].dtype, rank, dim);
    if (strcmp(c->name, name)) return fail(s, "constant '%s' is defined twice", name);
    c->in_text = true;
    for (int64_t k = 0; k < numel; k++)
        if ((k && !want(s, ", ")) || !element(s, c, k)) return false;
    return want(s, "]\n");
}

static bool header(struct parser *s)
{
    static const char *const word[] = {" tensor", " vec", " ckks"};
    static const enum ir_op input[] = {IR_TENSOR_input, IR_VEC_input, IR_CKKS_input};
    char *name;
    int d = 0;
    if (!want(s, "module ") || !(name = symbol(s))) return false;
    s->m->name = name;
    while (d < 3 && !have(s, word[d])) d++;
    if (d == 3) return fail(s, "expected a dialect: tensor, vec or ckks");
    s->m->dialect = (enum ir_dialect)d;
    if (!attributes(s, &s->m->attrs) || !want(s, "\n")) return false;
    while (have(s, "const "))
        if (!constant(s)) return false;
    if (!want(s, "func @main(")) return false;
    for (bool first = true; !have(s, ")"); first = false) {
        struct ir_type t;
        struct ir_attr *attrs = NULL;
        if ((!first && !want(s, ", ")) || !next_id(s) || !want(s, ": ") || !type(s, &t) || !attributes(s, &attrs) ||
            !append(s, input[d], t, 0, NULL, attrs))
            return false;
    }
    return want(s, " -> (");
}

static enum ir_op opcode(struct parser *s)
{
    char *w = run(s, LETTERS DIGITS ".", "an operation");
    for (enum ir_op op = 0; w && op < IR_OP_COUNT; op++)
        if (!strcmp(ir_op_name(op), w)) return op;
    if (w) fail(s, "there is no operation '%s'", w);
    return IR_OP_COUNT;
}

static bool instruction(struct parser *s)
{
    struct ir_inst *args[MAX_ARGS];
    uint32_t nargs = 0;
    struct ir_attr *attrs = NULL;
    struct ir_type t;
    if (!want(s, "  ") || !next_id(s) || !want(s, " = ")) return false;
    enum ir_op op = opcode(s);
    if (op == IR_OP_COUNT) return false;
    while (s->p + 1 < s->end && s->p[0] == (nargs ? ',' : ' ') && (nargs || s->p[1] == '%')) {
        if (nargs == MAX_ARGS) return fail(s, "more than %d operands", MAX_ARGS);
        if (!want(s, nargs ? ", " : " ") || !(args[nargs++] = value(s))) return false;
    }
    return attributes(s, &attrs) && want(s, " : ") && type(s, &t) && want(s, "\n") && append(s, op, t, nargs, args, attrs);
}

static bool module(struct parser *s)
{
    struct ir_type t[256];
    struct ir_attr *attrs[256] = {NULL};
    uint32_t n = 0;
    if (!header(s)) return false;
    while (!have(s, ")")) {
        if (n == 256) return fail(s, "more than 256 results");
        if ((n && !want(s, ", ")) || !type(s, &t[n]) || !attributes(s, &attrs[n])) return false;
        n++;
    }
    if (!want(s, " {\n")) return false;
    while (!have(s, "  ret"))
        if (!instruction(s)) return false;
    for (uint32_t k = 0; k < n; k++) {
        struct ir_inst *v;
        if (!want(s, k ? ", " : " ") || !(v = value(s))) return false;
        if (!ir_type_equal(&v->type, &t[k])) return fail(s, "result %u has another type than the function says", k);
        ir_add_output(s->m, v, attrs[k]);
    }
    return want(s, "\n}\n") && (s->p == s->end || fail(s, "text after the module"));
}

struct ir_module *ir_parse(const char *name, const char *text, size_t len)
{
    struct parser s = {.file = name, .start = text, .p = text, .end = text + len, .m = ir_module_new("", IR_TENSOR)};
    if (module(&s)) return s.m;
    ir_module_free(s.m);
    return NULL;
}
