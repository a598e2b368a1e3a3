// SPDX-License-Identifier: Apache-2.0
// Readable C: model.c has one call per planned operation, tables.c the plans of linear maps and polynomials, tables.h declares them.
#include "../compiler/diag.h"
#include "emit.h"

#include <math.h>
#include <string.h>

/* A string literal; what is not printable ASCII is escaped in octal. */
static void quoted(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if (*s < ' ' || *s > '~' || *s == '?')
            fprintf(f, "\\%03o", (unsigned char)*s);
        else
            fputc(*s, f);
    fputc('"', f);
}

/* Inside a // comment. */
static void remark(FILE *f, const char *s)
{
    for (; *s; s++) fputc(*s < ' ' || *s > '~' || (*s == '\\' && !s[1]) ? '?' : *s, f);
}

static void head(FILE *f, const struct program *p, const char *what)
{
    fprintf(f, "// Written by tacet %s from ", p->opt->version);
    remark(f, p->opt->source);
    fprintf(f, ": %s\n", what);
}

static const struct ir_attr *list(const struct ir_inst *i, const char *key)
{
    return ir_attr_find(i->attrs, key);
}

static void rotations(FILE *f, uint32_t id, const char *key, const struct ir_attr *a)
{
    if (!a || !a->ints.n) return;
    fprintf(f, "static const int32_t lin%u_%s[%zu] = {", id, key, a->ints.n);
    for (size_t k = 0; k < a->ints.n; k++) fprintf(f, "%s%lld", !k ? "" : k % 16 ? ", " : ",\n    ", (long long)a->ints.v[k]);
    fprintf(f, "};\n");
}

static void pieces(FILE *f, const char *kind, uint32_t id, const char *what, const struct piece_ref *v, uint32_t n)
{
    fprintf(f, "%sconst struct ck_pt_ref %s%u%s[%u] = {", *what ? "static " : "", kind, id, what, n);
    for (uint32_t k = 0; k < n; k++)
        fprintf(f, "%s{%llu, %u, %u}", !k ? "" : k % 4 ? ", " : ",\n    ", (unsigned long long)v[k].offset, v[k].shift, v[k].width);
    fprintf(f, "};\n");
}

static void table_linear(FILE *f, const struct op *op)
{
    const struct ir_inst *i = op->inst;
    const struct ir_attr *giant = list(i, "giant"), *baby = list(i, "baby"), *fold = list(i, "fold");
    size_t nfold = fold ? fold->ints.n : 0;
    rotations(f, op->id, "giant", giant);
    rotations(f, op->id, "baby", baby);
    rotations(f, op->id, "fold", fold);
    if (op->nterms) {
        fprintf(f, "static const struct ck_lin_term lin%u_term[%zu] = {     // out, in, giant, baby, {offset, shift, width}\n", op->id,
                op->nterms);
        for (size_t k = 0; k < op->nterms; k++) {
            const struct lin_term *t = &op->terms[k];
            fprintf(f, "    {%u, %u, %u, %u, {%llu, %u, %u}},\n", t->out, t->in, t->giant, t->baby, (unsigned long long)t->pt.offset,
                    t->pt.shift, t->pt.width);
        }
        fprintf(f, "};\n");
    }
    if (op->plain) pieces(f, "lin", op->id, "_bias", op->plain, i->type.count);
    fprintf(f, "const struct ck_lin lin%u = {\n    .nin = %u, .nout = %u, .ngiant = %zu, .nbaby = %zu, .nfold = %zu, .nterm = %zu,\n",
            op->id, i->args[0]->type.count, i->type.count, giant->ints.n, baby->ints.n, nfold, op->nterms);
    fprintf(f, "    .giant = lin%u_giant, .baby = lin%u_baby, ", op->id, op->id);
    if (nfold) fprintf(f, ".fold = lin%u_fold, ", op->id);
    if (op->nterms) fprintf(f, ".term = lin%u_term, ", op->id);
    if (op->plain) fprintf(f, ".bias = lin%u_bias, ", op->id);
    fprintf(f, "\n    .out_scale = %a,\n};\n", i->type.scale);
}

static void table_poly(FILE *f, const struct program *p, const struct op *op)
{
    const struct ir_const *c = ir_const_find(p->m, ir_get_string(op->inst->attrs, "coeffs", ""));
    size_t terms = (size_t)ir_const_numel(c);
    fprintf(f, "static const double poly%u_c[%zu] = {", op->id, terms);
    for (size_t k = 0; k < terms; k++) fprintf(f, "%s%a", !k ? "" : k % 4 ? ", " : ",\n    ", ir_const_at(c, (int64_t)k));
    fprintf(f, "};\nconst struct ck_poly poly%u = {.degree = %zu, .c = poly%u_c, .out_scale = %a};\n", op->id, terms - 1,
            op->id, op->inst->type.scale);
}

static void node_remark(FILE *f, const struct op *op)
{
    fprintf(f, "\n// ");
    remark(f, program_node(op->inst));
    fprintf(f, " (%s)\n", ir_op_name(op->inst->op));
}

void emit_tables(FILE *f, const struct program *p)
{
    head(f, p, "plans of linear maps and polynomials.");
    fprintf(f, "// Offsets count bytes in the data of weights.bin.\n#include \"tables.h\"\n");
    for (size_t k = 0; k < p->nops; k++) {
        const struct op *op = &p->ops[k];
        switch (op->inst->op) {
        case IR_CKKS_linear: node_remark(f, op), table_linear(f, op); break;
        case IR_CKKS_poly: node_remark(f, op), table_poly(f, p, op); break;
        case IR_CKKS_addc: node_remark(f, op), pieces(f, "add", op->id, "", op->plain, op->inst->type.count); break;
        default: break;
        }
    }
}

void emit_header(FILE *f, const struct program *p)
{
    head(f, p, "what tables.c defines.");
    fprintf(f, "#include <ck.h>\n\nextern const struct ck_model model;\n");
    for (size_t k = 0; k < p->nops; k++) {
        const struct op *op = &p->ops[k];
        if (op->inst->op == IR_CKKS_linear) fprintf(f, "extern const struct ck_lin lin%u;\n", op->id);
        if (op->inst->op == IR_CKKS_poly) fprintf(f, "extern const struct ck_poly poly%u;\n", op->id);
        if (op->inst->op == IR_CKKS_addc) fprintf(f, "extern const struct ck_pt_ref add%u[%u];\n", op->id, op->inst->type.count);
    }
}

void emit_main(FILE *f, const struct program *p, const char *which)
{
    head(f, p, !strcmp(which, "client") ? "keygen, encrypt, decrypt." : "evaluation; it needs no secret.");
    fprintf(f, "#include \"tables.h\"\n\nint main(int argc, char **argv)\n{\n    return ck_%s_main(&model, argc, argv);\n}\n", which);
}

/* ---- model.c ---- */

static uint32_t reg_of(const struct ir_inst *i)
{
    return (uint32_t)ir_get_int(i->attrs, "reg", 0);
}

/* A call for each ciphertext of the bundle; `args` is what follows the output, with %1 and %2 for the operands. */
static void call(FILE *f, const struct op *op, const char *function, const char *args)
{
    const struct ir_inst *i = op->inst;
    bool loop = i->type.count > 1;
    char index[4] = "[0]";
    if (loop) {
        fprintf(f, "    for (int i = 0; i < %u; i++) ", i->type.count);
        index[1] = 'i';
    } else {
        fprintf(f, "    ");
    }
    fprintf(f, "CK_TRY(%s(ev, &r[%u]%s", function, op->reg, index);
    for (const char *a = args; *a; a++)
        if (*a == '%' && (a[1] == '1' || a[1] == '2'))
            fprintf(f, "&r[%u]%s", reg_of(i->args[*++a - '1']), index);
        else if (*a == '#')
            fprintf(f, "%s", index);
        else
            fputc(*a, f);
    fprintf(f, "));\n");
}

/* Up to EvalMod two ciphertexts share a bootstrap: those of a bundle go in pairs, and the results of a pair lie at the bundle's start. The
 * last place of the register is free while their sum is made. */
static void shared_part(FILE *f, const struct op *op)
{
    static const char *const names[] = {"ck_boot_stc", "ck_boot_modraise", "ck_boot_cts"};
    const struct ir_inst *i = op->inst;
    const char *name = names[i->op - IR_CKKS_stc];
    const uint32_t count = i->type.count, pairs = count / 2, to = op->reg, from = reg_of(i->args[0]);
    if (i->op == IR_CKKS_modraise) {
        for (uint32_t k = 0; k < (count + 1) / 2; k++)
            fprintf(f, "    CK_TRY(%s(ev, &r[%u][%u], &r[%u][%u], boot));\n", name, to, k, from, k);
        return;
    }
    for (uint32_t k = 0; k < pairs; k++)
        if (i->op == IR_CKKS_stc)
            fprintf(f, "    CK_TRY(%s2(ev, &r[%u][%u], &r[%u][%u], &r[%u][%u], &r[%u][%u], boot));\n", name, to, k, from, 2 * k, from,
                    2 * k + 1, to, count - 1);
        else
            fprintf(f, "    CK_TRY(%s2(ev, &r[%u][%u], &r[%u][%u], &r[%u][%u], boot));\n", name, to, 2 * k, to, 2 * k + 1, from, k);
    if (count % 2)
        fprintf(f, "    CK_TRY(%s(ev, &r[%u][%u], &r[%u][%u], boot));\n", name, to, i->op == IR_CKKS_stc ? pairs : count - 1, from,
                i->op == IR_CKKS_stc ? count - 1 : pairs);
}

static void emit_op(FILE *f, const struct program *p, const struct op *op)
{
    const struct ir_inst *i = op->inst;
    struct arena *a = p->arena;
    switch (i->op) {
    case IR_CKKS_linear:
        fprintf(f, "    CK_TRY(ck_linear(ev, r[%u], r[%u], &lin%u));\n", op->reg, reg_of(i->args[0]), op->id);
        break;
    case IR_CKKS_poly: call(f, op, "ck_poly_eval", arena_printf(a, ", %%1, &poly%u", op->id)); break;
    case IR_CKKS_add: call(f, op, "ck_add", ", %1, %2"); break;
    case IR_CKKS_sub: call(f, op, "ck_sub", ", %1, %2"); break;
    case IR_CKKS_mul: call(f, op, "ck_mul", ", %1, %2"); break;
    case IR_CKKS_relin: call(f, op, "ck_relin", ", %1"); break;
    case IR_CKKS_rescale: call(f, op, "ck_rescale", ", %1"); break;
    case IR_CKKS_drop: call(f, op, "ck_drop", arena_printf(a, ", %%1, %d", i->type.level)); break;
    case IR_CKKS_rot: call(f, op, "ck_rotate", arena_printf(a, ", %%1, %lld", (long long)ir_get_int(i->attrs, "k", 0))); break;
    case IR_CKKS_mulc:
        call(f, op, "ck_mul_const", arena_printf(a, ", %%1, %a, %a", ir_get_float(i->attrs, "value", 0), i->type.scale));
        break;
    case IR_CKKS_stc:
    case IR_CKKS_modraise:
    case IR_CKKS_cts: shared_part(f, op); break;
    case IR_CKKS_evalmod: call(f, op, "ck_boot_evalmod", ", %1, boot"); break;
    case IR_CKKS_addc: call(f, op, "ck_add_plain", arena_printf(a, ", %%1, &add%u#", op->id)); break;
    default: ICE("%s has no C", ir_op_name(i->op));
    }
}

static void shape_remark(FILE *f, const struct ir_type *t)
{
    for (uint32_t k = 0; t && k < t->rank; k++) fprintf(f, "%s%lld", k ? "x" : " ", (long long)t->dim[k]);
}

static void emit_step(FILE *f, const struct program *p, size_t k)
{
    const struct step *s = &p->steps[k];
    const struct op *first = &p->ops[s->first];
    const struct ir_type *t = &s->result->inst->type;
    struct counts c = s->counts;
    fprintf(f, "\n    // %zu. ", k + 1);
    remark(f, s->node);
    fprintf(f, " (%s)", s->what);
    shape_remark(f, s->shape);
    fprintf(f, ": %u ciphertext%s, level %d -> %d", t->count, t->count == 1 ? "" : "s", first->inst->args[0]->type.level, t->level);
    if (c.rotations) fprintf(f, ", %llu rotations", (unsigned long long)c.rotations);
    if (c.pt_products) fprintf(f, ", %llu plaintext products", (unsigned long long)c.pt_products);
    if (c.ct_products) fprintf(f, ", %llu ciphertext products", (unsigned long long)c.ct_products);
    if (c.bootstraps) fprintf(f, ", %llu bootstrap%s", (unsigned long long)c.bootstraps, c.bootstraps == 1 ? "" : "s");
    fprintf(f, "\n    CK_TRY(ck_eval_step(ev, %zu));\n", k);
    for (size_t o = 0; o < s->count; o++) {
        const struct ir_inst *i = first[o].inst;
        if (o + 1 < s->count && i->op == IR_CKKS_relin && first[o + 1].inst->op == IR_CKKS_rescale &&
            first[o + 1].inst->args[0] == i && ir_count_uses(p->m, i) == 1) {
            call(f, &first[o + 1], "ck_relin_rescale", arena_printf(p->arena, ", &r[%u]#", reg_of(i->args[0])));
            o++;
        } else {
            emit_op(f, p, &first[o]);
        }
    }
}

static void params(FILE *f, const struct program *p)
{
    const struct ck_params *k = &p->params;
    fprintf(f, "    .params = {     // log QP = %.1f of at most %u bits for %u-bit security\n        .logn = %u, .log_slots = %u, .nq = %u, .np = %u, .alpha = %u, .security = %u,\n", ck_params_logqp(k), ck_security_max_logqp(k->logn), k->security,
            k->logn, k->log_slots, k->nq, k->np, k->alpha, k->security);
    if (k->nclass) fprintf(f, "        .nclass = %u, .classes = {", k->nclass);     // limbs of keys, limbs a digit, special primes
    for (uint32_t i = 0; i < k->nclass; i++)
        fprintf(f, "%s{%u, %u, %u}%s", i ? ", " : "", k->classes[i].limbs, k->classes[i].alpha, k->classes[i].np, i + 1 < k->nclass ? "" : "},\n");
    fprintf(f, "        .q = {");
    for (uint32_t i = 0; i < k->nq; i++) fprintf(f, "%s%llu", !i ? "" : i % 6 ? ", " : ",\n              ", (unsigned long long)k->q[i]);
    fprintf(f, "},\n        .p = {");
    for (uint32_t i = 0; i < k->np; i++) fprintf(f, "%s%llu", !i ? "" : i % 6 ? ", " : ",\n              ", (unsigned long long)k->p[i]);
    fprintf(f, "},\n    },\n");
}

static void digits(FILE *f, const char *kind, uint32_t k, const struct layout *l)
{
    fprintf(f, "static const struct ck_digit %s%u_digit[] = {", kind, k);
    if (!l->ndigits) fprintf(f, "{0, 1, 0}");
    for (uint32_t d = 0; d < l->ndigits; d++)
        fprintf(f, "%s{%u, %lld, %lld}", d ? ", " : "", l->digit[d].axis, (long long)l->digit[d].extent, (long long)l->digit[d].stride);
    fprintf(f, "};\n");
}

/* "softmax:1" and the like. The axis counts in the shape that the model declares, which may lack the batch axis; several axes do not
 * occur in classifiers: the first counts. */
static void post(FILE *f, const struct ir_attr *attrs, const struct ir_type *shape)
{
    static const struct { const char *name, *value; } kinds[] = {
        {"softmax:", "SOFTMAX"}, {"logsoftmax:", "LOGSOFTMAX"}, {"argmax:", "ARGMAX"}};
    const char *text = ir_get_string(attrs, "post", "");
    const struct ir_attr *declared = ir_attr_find(attrs, "shape"), *after = ir_attr_find(attrs, "postshape");
    size_t rank = declared && declared->kind == IR_INTS ? declared->ints.n : shape->rank;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t n = strlen(kinds[k].name);
        if (strncmp(text, kinds[k].name, n)) continue;
        int axis = 0;
        sscanf(text + n, "%d", &axis);
        fprintf(f, ", .post = CK_POST_%s, .axis = %d, .keepdims = %d", kinds[k].value, axis + (int)(shape->rank - rank),
                !after || after->kind != IR_INTS || after->ints.n == rank);
    }
}

static void port(FILE *f, const char *kind, uint32_t k, const struct ir_inst *i, const struct ir_attr *attrs, double precision)
{
    struct layout l = program_layout(attrs);
    struct ir_type shape = program_shape(&l);
    fprintf(f, "    {.name = ");
    quoted(f, ir_get_string(attrs, "name", kind));
    fprintf(f, ", .rank = %u, .dim = {", shape.rank);
    for (uint32_t d = 0; d < shape.rank; d++) fprintf(f, "%s%lld", d ? ", " : "", (long long)shape.dim[d]);
    fprintf(f, "}, .n = %u, .period = %u, .log_batch = %u, .skew = %lld, .offset = %lld,\n     .ndigits = %u, .digit = %s%u_digit, .count = %u, .level = %d, .scale = %a",
            l.n, l.period, l.log_batch, (long long)l.skew, (long long)l.offset, l.ndigits, kind, k, i->type.count, i->type.level, i->type.scale);
    if (!strcmp(kind, "in") && ir_attr_find(i->attrs, "rlo"))
        fprintf(f, ", .lo = %a, .hi = %a", ir_get_float(i->attrs, "rlo", 0), ir_get_float(i->attrs, "rhi", 0));
    if (!strcmp(kind, "out") && ir_attr_find(i->attrs, "rlo") && precision > 0)
        fprintf(f, ", .error = %a", fmax(fabs(ir_get_float(i->attrs, "rlo", 0)), fabs(ir_get_float(i->attrs, "rhi", 0))) * exp2(-precision));
    if (!strcmp(kind, "out")) post(f, attrs, &shape);
    fprintf(f, "},\n");
}

static void ports(FILE *f, const struct program *p)
{
    const struct ir_module *m = p->m;
    for (uint32_t k = 0; k < p->nin; k++) {
        struct layout l = program_layout(p->in[k]->attrs);
        digits(f, "in", k, &l);
    }
    for (uint32_t k = 0; k < m->noutputs; k++) {
        struct layout l = program_layout(m->output_attrs[k]);
        digits(f, "out", k, &l);
    }
    fprintf(f, "static const struct ck_port in[] = {\n");
    for (uint32_t k = 0; k < p->nin; k++) port(f, "in", k, p->in[k], p->in[k]->attrs, 0);
    fprintf(f, "};\nstatic const struct ck_port out[] = {\n");
    for (uint32_t k = 0; k < m->noutputs; k++) port(f, "out", k, m->outputs[k], m->output_attrs[k], ir_get_float(m->attrs, "precision", 0));
    fprintf(f, "};\nstatic const uint32_t in_reg[] = {");
    for (uint32_t k = 0; k < p->nin; k++) fprintf(f, "%s%u", k ? ", " : "", p->in_reg[k]);
    fprintf(f, "}, out_reg[] = {");
    for (uint32_t k = 0; k < m->noutputs; k++) fprintf(f, "%s%u", k ? ", " : "", p->out_reg[k]);
    fprintf(f, "};\nstatic const struct ck_reg regs[] = {       // ciphertexts, highest level, highest degree\n    ");
    for (size_t k = 0; k < p->nregs; k++)
        fprintf(f, "%s{%u, %u, %u}", !k ? "" : k % 8 ? ", " : ",\n    ", p->regs[k].count, p->regs[k].max_level, p->regs[k].max_degree);
    fprintf(f, "};\n");
}

static void key_list(FILE *f, const struct program *p)
{
    fprintf(f, "static const struct ck_key_spec keys[] = {     // rotation (0: relinearisation), highest level of use\n    ");
    for (size_t k = 0; k < p->nkeys; k++)
        fprintf(f, "%s{%d, %u}", !k ? "" : k % 10 ? ", " : ",\n    ", p->keys[k].rotation, p->keys[k].level);
    fprintf(f, "};\n");
}

static void route_list(FILE *f, const struct program *p)
{
    fprintf(f, "static const struct ck_route routes[] = {     // rotation without a key, level, last step\n    ");
    for (size_t k = 0; k < p->nroutes; k++)
        fprintf(f, "%s{%d, %u, %d}", !k ? "" : k % 8 ? ", " : ",\n    ", p->routes[k].rotation, p->routes[k].level, p->routes[k].step);
    fprintf(f, "};\n");
}

static void steps(FILE *f, const struct program *p)
{
    fprintf(f, "static const struct ck_step steps[] = {     // node, operator, part, register, ciphertexts, level, scale, seconds\n");
    for (size_t k = 0; k < p->nsteps; k++) {
        const struct step *s = &p->steps[k];
        const struct ir_type *t = &s->result->inst->type;
        fprintf(f, "    {");
        quoted(f, s->node);
        fprintf(f, ", ");
        quoted(f, s->what);
        fprintf(f, ", \"%s\", %u, %u, %d, %a, %.6g},\n", s->part, s->result->reg, t->degree == 1 ? t->count : 0, t->level, t->scale,
                s->counts.us / 1e6);
    }
    fprintf(f, "};\n");
}

static void boot_shape(FILE *f, const struct ck_boot_shape *s)
{
    if (!s->nstc) return;
    fprintf(f, "static const struct ck_boot_shape boot_shape = {\n    .nstc = %u, .stc_levels = %u, .ncts = %u, .stc_radix = {", s->nstc, s->stc_levels, s->ncts);
    for (uint32_t k = 0; k < s->nstc; k++) fprintf(f, "%s%u", k ? ", " : "", s->stc_radix[k]);
    fprintf(f, "}, .cts_radix = {");
    for (uint32_t k = 0; k < s->ncts; k++) fprintf(f, "%s%u", k ? ", " : "", s->cts_radix[k]);
    fprintf(f, "},\n    .top = %u, .ratio = %a,\n};\n", s->top, s->ratio);
}

void emit_model(FILE *f, const struct program *p)
{
    struct counts c = program_total(p);
    head(f, p, "the encrypted program.");
    fprintf(f, "// %llu rotations, %llu plaintext products, %llu ciphertext products, %zu evaluation keys.\n#include \"tables.h\"\n\n",
            (unsigned long long)c.rotations, (unsigned long long)c.pt_products, (unsigned long long)c.ct_products, p->nkeys);
    fprintf(f, "static enum ck_err run(struct ck_eval *ev, struct ck_ct *const *r)\n{");
    if (p->boot.nstc) fprintf(f, "\n    const struct ck_boot *boot = ck_eval_boot(ev);");
    for (size_t k = 0; k < p->nsteps; k++) emit_step(f, p, k);
    fprintf(f, "    return CK_OK;\n}\n\n");
    boot_shape(f, &p->boot);
    if (p->nkeys) key_list(f, p);
    if (p->nroutes) route_list(f, p);
    ports(f, p);
    steps(f, p);
    fprintf(f, "\nconst struct ck_model model = {\n    .name = ");
    quoted(f, p->opt->source);
    fprintf(f, ",\n    .fingerprint = {");
    for (int k = 0; k < 32; k++) fprintf(f, "%s0x%02x", !k ? "" : k % 16 ? ", " : ",\n                    ", p->fingerprint[k]);
    fprintf(f, "},\n");
    params(f, p);
    if (p->boot.nstc) fprintf(f, "    .boot = &boot_shape,\n");
    if (p->nkeys) fprintf(f, "    .keys = keys, .nkeys = %zu,\n", p->nkeys);
    if (p->nroutes) fprintf(f, "    .routes = routes, .nroutes = %zu,\n", p->nroutes);
    fprintf(f, "    .nin = %u, .nout = %u, .nregs = %zu,\n    .in = in, .out = out, .regs = regs, .in_reg = in_reg, .out_reg = out_reg,\n",
            p->nin, p->m->noutputs, p->nregs);
    fprintf(f, "    .steps = steps, .nsteps = %zu, .peak_bytes = %.0f, .seconds = %.6g, .weights_bytes = %llu,\n    .run = run,\n};\n", p->nsteps,
            p->peak_bytes, c.us / 1e6, (unsigned long long)p->weights_bytes);
}
