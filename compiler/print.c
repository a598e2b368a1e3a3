// SPDX-License-Identifier: Apache-2.0
// The text form of a module (docs/IR.md). print(parse(t)) == t.
#include "diag.h"
#include "ir.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const dialect_name[] = {"tensor", "vec", "ckks"};

static void print_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            fprintf(f, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            fprintf(f, "\\x%02x", c);
        else
            fputc(c, f);
    }
    fputc('"', f);
}

// A symbol is bare when it is a plain word, quoted otherwise: @w3, @"layer 1.weight".
static void print_symbol(FILE *f, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    fputc('@', f);
    if (*s && strspn(s, plain) == strlen(s))
        fputs(s, f);
    else
        print_string(f, s);
}

static void print_attr(FILE *f, const struct ir_attr *a)
{
    fprintf(f, "%s=", a->key);
    switch (a->kind) {
    case IR_INT: fprintf(f, "%" PRId64, a->i); break;
    case IR_FLOAT: fprintf(f, "%a", a->f); break;
    case IR_STRING: print_string(f, a->s); break;
    case IR_SYMBOL: print_symbol(f, a->s); break;
    case IR_INTS:
        fputc('[', f);
        for (size_t i = 0; i < a->ints.n; i++) fprintf(f, "%s%" PRId64, i ? ", " : "", a->ints.v[i]);
        fputc(']', f);
        break;
    case IR_FLOATS:     // "f[" tells an empty list of floats from one of integers
        fputs("f[", f);
        for (size_t i = 0; i < a->floats.n; i++) fprintf(f, "%s%a", i ? ", " : "", a->floats.v[i]);
        fputc(']', f);
        break;
    }
}

static void print_attrs(FILE *f, const struct ir_attr *a)
{
    if (!a) return;
    fputs(" {", f);
    for (const char *gap = ""; a; a = a->next, gap = ", ") {
        fputs(gap, f);
        print_attr(f, a);
    }
    fputc('}', f);
}

static void print_type(FILE *f, const struct ir_type *t)
{
    switch (t->kind) {
    case IR_TENSOR:
        fputs("tensor<", f);
        for (uint32_t i = 0; i < t->rank; i++) fprintf(f, "%s%" PRId64, i ? "x" : "", t->dim[i]);
        fputc('>', f);
        break;
    case IR_VEC: fprintf(f, "vec<%" PRIu32 "x%" PRIu32 ">", t->count, t->n); break;
    case IR_CKKS:
        fprintf(f, "ct<%" PRIu32 "x%" PRIu32 ",l=%" PRId32 ",s=%a,d=%" PRIu32 ">", t->count, t->n, t->level, t->scale,
                t->degree);
        break;
    }
}

// Whole numbers are decimal, others hexadecimal.
static void print_number(FILE *f, double v)
{
    if (fabs(v) < 0x1p53 && v == floor(v) && !(v == 0 && signbit(v)))
        fprintf(f, "%.0f", v);
    else
        fprintf(f, "%a", v);
}

static void print_const(FILE *f, const struct ir_const *c)
{
    static const char *const dtype[] = {[IR_F64] = "f64", [IR_F32] = "f32", [IR_I64] = "i64", [IR_I32] = "i32"};
    fputs("const ", f);
    print_symbol(f, c->name);
    fprintf(f, " %s[", dtype[c->dtype]);
    for (uint32_t i = 0; i < c->rank; i++) fprintf(f, "%s%" PRId64, i ? "x" : "", c->dim[i]);
    fputs("] = [", f);
    for (int64_t k = 0, n = ir_const_numel(c); k < n; k++) {
        if (k) fputs(", ", f);
        if (c->dtype == IR_I64)
            fprintf(f, "%" PRId64, ((const int64_t *)c->data)[k]);
        else
            print_number(f, ir_const_at(c, k));
    }
    fputs("]\n", f);
}

void ir_print(FILE *f, struct ir_module *m)
{
    ir_renumber(m);
    fputs("module ", f);
    print_symbol(f, m->name);
    fprintf(f, " %s", dialect_name[m->dialect]);
    print_attrs(f, m->attrs);
    fputc('\n', f);
    for (const struct ir_const *c = m->consts; c; c = c->next)
        if (c->in_text) print_const(f, c);
    fputs("func @main(", f);
    struct ir_inst *i = m->first;
    for (; i && i->op == (m->dialect == IR_TENSOR ? IR_TENSOR_input : m->dialect == IR_VEC ? IR_VEC_input : IR_CKKS_input);
         i = i->next) {
        fprintf(f, "%s%%%" PRIu32 ": ", i == m->first ? "" : ", ", i->id);
        print_type(f, &i->type);
        print_attrs(f, i->attrs);
    }
    fputs(") -> (", f);
    for (uint32_t k = 0; k < m->noutputs; k++) {
        if (k) fputs(", ", f);
        print_type(f, &m->outputs[k]->type);
        print_attrs(f, m->output_attrs[k]);
    }
    fputs(") {\n", f);
    for (; i; i = i->next) {
        fprintf(f, "  %%%" PRIu32 " = %s", i->id, ir_op_name(i->op));
        for (uint32_t k = 0; k < i->nargs; k++) fprintf(f, "%s %%%" PRIu32, k ? "," : "", i->args[k]->id);
        print_attrs(f, i->attrs);
        fputs(" : ", f);
        print_type(f, &i->type);
        fputc('\n', f);
    }
    fputs("  ret", f);
    for (uint32_t k = 0; k < m->noutputs; k++) fprintf(f, "%s %%%" PRIu32, k ? "," : "", m->outputs[k]->id);
    fputs("\n}\n", f);
}

char *ir_print_string(struct ir_module *m)
{
    char *s = NULL;
    size_t n = 0;
    FILE *f = open_memstream(&s, &n);
    ICE_IF(!f, "no memory stream");
    ir_print(f, m);
    ICE_IF(fclose(f), "memory stream failed");
    return s;
}
