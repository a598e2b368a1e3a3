// SPDX-License-Identifier: Apache-2.0
// Reads a planned ckks module: parameters, keys and registers from its attributes, instructions grouped into steps, and what each
// of them costs.
#include "../compiler/diag.h"
#include "../runtime/file.h"
#include "emit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *program_node(const struct ir_inst *i)
{
    const char *node = ir_get_string(i->attrs, "node", NULL);
    return node ? node : ir_get_string(i->attrs, "name", "");
}

struct layout program_layout(const struct ir_attr *attrs)
{
    struct layout l;
    const char *text = ir_get_string(attrs, "layout", "");
    ICE_IF(layout_parse(&l, text), "layout \"%s\" does not parse", text);
    return l;
}

struct ir_type program_shape(const struct layout *l)
{
    int64_t dim[IR_MAX_RANK + 1] = {1};
    ICE_IF(l->rank >= IR_MAX_RANK, "an input or output of rank %u", l->rank + 1);
    for (uint32_t d = 0; d < l->rank; d++) dim[d + 1] = l->dim[d];
    return ir_type_tensor(l->rank + 1, dim);
}

static const struct ir_attr *module_list(const struct ir_module *m, const char *key, const char *pass)
{
    const struct ir_attr *a = ir_attr_find(m->attrs, key);
    if (a && a->kind == IR_INTS) return a;
    diag_error(m->name, "the module has no \"%s\": run the %s pass first", key, pass);
    return NULL;
}

static int read_params(struct program *p)
{
    const struct ir_attr *q = module_list(p->m, "q", "params"), *special = module_list(p->m, "p", "params");
    const struct ir_attr *classes = ir_attr_find(p->m->attrs, "classes");
    if (!q || !special) return -1;
    if (q->ints.n > CK_MAX_Q || special->ints.n > CK_MAX_P) {
        diag_error(p->m->name, "%zu + %zu primes are more than the runtime takes (%d + %d)", q->ints.n, special->ints.n, CK_MAX_Q,
                   CK_MAX_P);
        return -1;
    }
    struct ck_params *k = &p->params;
    k->logn = (uint32_t)ir_get_int(p->m->attrs, "logn", 0);
    k->alpha = (uint32_t)ir_get_int(p->m->attrs, "alpha", 0);
    k->security = (uint32_t)ir_get_int(p->m->attrs, "security", 128);
    k->nq = (uint32_t)q->ints.n;
    k->np = (uint32_t)special->ints.n;
    for (uint32_t i = 0; i < k->nq; i++) k->q[i] = (uint64_t)q->ints.v[i];
    for (uint32_t i = 0; i < k->np; i++) k->p[i] = (uint64_t)special->ints.v[i];
    for (; classes && 3 * k->nclass < classes->ints.n; k->nclass++) {
        const int64_t *v = &classes->ints.v[3 * k->nclass];
        k->classes[k->nclass] = (struct ck_key_class){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]};
    }
    k->log_slots = (uint32_t)ir_get_int(p->m->attrs, "log_slots", 0);
    for (uint32_t i = 0; i < p->nin; i++)
        ICE_IF(p->in[i]->type.n != 1u << k->log_slots, "vectors of %u slots, parameters for 2^%u", p->in[i]->type.n, k->log_slots);
    const char *wrong = ck_params_check(k);
    if (wrong) diag_error(p->m->name, "%s", wrong);
    return wrong ? -1 : 0;
}

/* The shape of the bootstraps, where there are any. */
static void read_boot(struct program *p)
{
    uint32_t left = (uint32_t)ir_get_int(p->m->attrs, "boot_left", 0);
    if (!left) return;
    ck_boot_default(&p->boot, p->params.log_slots, left);
    const char *wrong = ck_boot_check(&p->params, &p->boot);
    ICE_IF(wrong, "the bootstraps: %s", wrong);
}

static bool starts_step(const struct ir_inst *i)
{
    switch (i->op) {
    case IR_CKKS_input: case IR_CKKS_relin: case IR_CKKS_rescale: case IR_CKKS_drop:
    case IR_CKKS_modraise: case IR_CKKS_cts: case IR_CKKS_evalmod: return false;
    default: return true;
    }
}

/* What the time of a step is counted as. Products of ciphertexts are squares and series for the most part. */
static const char *part_of(enum ir_op op)
{
    switch (op) {
    case IR_CKKS_linear: case IR_CKKS_rot: case IR_CKKS_mulc: return "linear";
    case IR_CKKS_poly: case IR_CKKS_mul: return "activation";
    case IR_CKKS_stc: case IR_CKKS_modraise: return "bootstrap";
    default: return "other";
    }
}

/* The node may stand on any instruction of the step: a product's is on its rescaling. */
static void name_step(const struct program *p, struct step *s, const struct ir_inst *i)
{
    if (*s->node) return;
    s->node = program_node(i);
    for (size_t k = 0; k < p->opt->nnodes; k++) {
        const struct codegen_node *n = &p->opt->nodes[k];
        if (strcmp(n->name, s->node)) continue;
        if (strcmp(s->part, "bootstrap")) s->what = n->operator;
        s->shape = &n->shape;
        break;
    }
}

static int read_ops(struct program *p)
{
    struct ir_module *m = p->m;
    size_t n = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        p->nin += i->op == IR_CKKS_input;
        n += i->op != IR_CKKS_input;
        if (i->type.scale <= 0) {
            diag_error(m->name, "%%%u has no scale: run the scales pass first", i->id);
            return -1;
        }
    }
    if (!p->nin || !n) {
        diag_error(m->name, "the program computes nothing on encrypted data");
        return -1;
    }
    p->ops = ARENA_ARRAY(p->arena, struct op, n);
    p->steps = ARENA_ARRAY(p->arena, struct step, n);
    p->in = ARENA_ARRAY(p->arena, const struct ir_inst *, p->nin);
    uint32_t in = 0;
    for (struct ir_inst *i = m->first; i; i = i->next) {
        if (i->op == IR_CKKS_input) {
            p->in[in++] = i;
            continue;
        }
        if (starts_step(i) || !p->nsteps) {
            const char *part = part_of(i->op);
            p->steps[p->nsteps++] = (struct step){
                .first = p->nops, .node = "", .what = strcmp(part, "bootstrap") ? ir_op_name(i->op) : "Bootstrap", .part = part};
        }
        struct step *s = &p->steps[p->nsteps - 1];
        struct op *op = &p->ops[p->nops];
        *op = (struct op){.inst = i, .id = (uint32_t)p->nops};
        p->key_us += ir_get_float(i->attrs, "us_keys", 0);
        s->count++;
        name_step(p, s, i);
        // A drop of another value may stand in between; the step's own value is what follows from its first operation.
        if (!s->result || (i->nargs && i->args[0] == s->result->inst)) s->result = op;
        p->nops++;
    }
    return 0;
}

/* Evaluation keys and compositions of rotations, as the passes keys and keyset left them. */
static int read_keys(struct program *p)
{
    const struct ir_attr *rotation = module_list(p->m, "key_rot", "keys"), *level = module_list(p->m, "key_level", "keys");
    if (!rotation || !level) return -1;
    ICE_IF(rotation->ints.n != level->ints.n, "%zu keys, %zu levels of keys", rotation->ints.n, level->ints.n);
    p->nkeys = rotation->ints.n;
    p->keys = ARENA_ARRAY(p->arena, struct key, p->nkeys + 1);
    for (size_t k = 0; k < p->nkeys; k++) p->keys[k] = (struct key){(int32_t)rotation->ints.v[k], (uint32_t)level->ints.v[k]};
    const struct ir_attr *composed = ir_attr_find(p->m->attrs, "route_rot"), *below = ir_attr_find(p->m->attrs, "route_level"),
                         *step = ir_attr_find(p->m->attrs, "route_step");
    if (!composed) return 0;
    p->nroutes = composed->ints.n;
    p->routes = ARENA_ARRAY(p->arena, struct route, p->nroutes + 1);
    for (size_t k = 0; k < p->nroutes; k++)
        p->routes[k] = (struct route){(int32_t)composed->ints.v[k], (uint32_t)below->ints.v[k], (int32_t)step->ints.v[k]};
    return 0;
}

static int register_of(const struct program *p, const struct ir_inst *i, uint32_t *out)
{
    int64_t r = ir_get_int(i->attrs, "reg", -1);
    if (r < 0 || (size_t)r >= p->nregs) {
        diag_error(p->m->name, "%%%u has no register: run the liveness pass first", i->id);
        return -1;
    }
    *out = (uint32_t)r;
    return 0;
}

/* Registers, as the pass liveness left them. */
static int read_registers(struct program *p)
{
    const struct ir_attr *count = module_list(p->m, "reg_count", "liveness"), *level = module_list(p->m, "reg_level", "liveness"),
                         *degree = module_list(p->m, "reg_degree", "liveness");
    if (!count || !level || !degree) return -1;
    p->nregs = count->ints.n;
    ICE_IF(level->ints.n != p->nregs || degree->ints.n != p->nregs, "lists of registers differ in length");
    p->regs = ARENA_ARRAY(p->arena, struct reg, p->nregs + 1);
    for (size_t r = 0; r < p->nregs; r++)
        p->regs[r] = (struct reg){(uint32_t)count->ints.v[r], (uint32_t)level->ints.v[r], (uint32_t)degree->ints.v[r]};
    p->in_reg = ARENA_ARRAY(p->arena, uint32_t, p->nin);
    p->out_reg = ARENA_ARRAY(p->arena, uint32_t, p->m->noutputs);
    for (uint32_t k = 0; k < p->nin; k++)
        if (register_of(p, p->in[k], &p->in_reg[k])) return -1;
    for (size_t k = 0; k < p->nops; k++)
        if (register_of(p, p->ops[k].inst, &p->ops[k].reg)) return -1;
    for (uint32_t k = 0; k < p->m->noutputs; k++)
        if (register_of(p, p->m->outputs[k], &p->out_reg[k])) return -1;
    p->peak_bytes = (double)ir_get_int(p->m->attrs, "bytes_peak", 0);
    p->key_bytes = (double)ir_get_int(p->m->attrs, "bytes_keys", 0);
    return 0;
}

/* Of the program's text, its constants and what else decides the weights. */
static void fingerprint(struct program *p)
{
    char *text = ir_print_string(p->m);
    size_t n = 2, max = 2;
    for (const struct ir_const *c = p->m->consts; c; c = c->next) max += 2;
    struct ck_span *spans = ARENA_ARRAY(p->arena, struct ck_span, max);
    char *options = arena_printf(p->arena, "tacet %s precision %d", p->opt->version, p->opt->precision);
    spans[0] = (struct ck_span){options, strlen(options)};
    spans[1] = (struct ck_span){text, strlen(text)};
    for (const struct ir_const *c = p->m->consts; c; c = c->next) {
        static const size_t width[] = {[IR_F64] = 8, [IR_F32] = 4, [IR_I64] = 8, [IR_I32] = 4};
        spans[n++] = (struct ck_span){c->name, strlen(c->name)};
        spans[n++] = (struct ck_span){c->data, width[c->dtype] * (size_t)ir_const_numel(c)};
    }
    ck_sha256(p->fingerprint, n, spans);
    free(text);
}

int program_read(struct program *p, struct ir_module *m, struct arena *a, const struct codegen_options *opt)
{
    *p = (struct program){.arena = a, .m = m, .opt = opt};
    if (m->dialect != IR_CKKS) {
        diag_error(m->name, "code is generated from the ckks dialect: run the whole pipeline");
        return -1;
    }
    ir_renumber(m);
    if (read_ops(p) || read_params(p)) return -1;
    read_boot(p);
    if (read_keys(p) || read_registers(p)) return -1;
    fingerprint(p);
    return 0;
}
