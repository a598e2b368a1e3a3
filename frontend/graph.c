// SPDX-License-Identifier: Apache-2.0
// The walk over an ONNX graph: names to values, a topological order, each node folded or translated by its row of onnx_ops.def. A node that cannot be translated leaves a stand-in of the same shape where that is known, so that one run reports every
// such node and nothing twice.

#include "load.h"
#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>

const struct onnx_op onnx_op_table[] = {
#define BOTH(name, fold, emit, note) {#name, OP_EMIT, fold, emit, note},
#define EMIT(name, emit, note) {#name, OP_EMIT, NULL, emit, note},
#define POST(name, emit, note) {#name, OP_POST, NULL, emit, note},
#define FOLD(name, fold, note) {#name, OP_FOLD, fold, NULL, note},
#define REFUSE(name, note) {#name, OP_REFUSED, NULL, NULL, note},
#include "onnx_ops.def"
#undef BOTH
#undef EMIT
#undef POST
#undef FOLD
#undef REFUSE
    {NULL, OP_REFUSED, NULL, NULL, NULL},
};

const struct onnx_op *onnx_op_find(const char *name)
{
    for (const struct onnx_op *o = onnx_op_table; o->name; o++)
        if (!strcmp(o->name, name))
            return o;
    return NULL;
}

struct val *load_val(struct load *ld, const char *name, bool create)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (const char *p = name; *p; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    struct val **b = &ld->bucket[h % ld->nbuckets];
    for (struct val *v = *b; v; v = v->next)
        if (!strcmp(v->name, name))
            return v;
    if (!create)
        return NULL;
    struct val *v = ARENA_NEW(ld->arena, struct val);
    v->name = name;
    v->producer = -2;
    v->next = *b;
    return *b = v;
}

int load_error(struct load *ld, const char *fmt, const char *name)
{
    diag_error(ld->file, fmt, safe_text(ld->arena, name));
    ld->errors++;
    return -1;
}

/* ---- nodes ---- */

static void node_init(struct load *ld, struct node *n, const Onnx__NodeProto *p)
{
    memset(n, 0, sizeof *n);
    n->ld = ld;
    n->p = p;
    n->op = safe_text(ld->arena, p->op_type ? p->op_type : "");
    const char *name = p->name && *p->name ? p->name : p->n_output ? p->output[0] : "";
    n->name = safe_text(ld->arena, name);
    bool standard = !p->domain || !*p->domain || !strcmp(p->domain, "ai.onnx") ||
                    (!strcmp(p->domain, "com.microsoft") && !strcmp(n->op, "Gelu"));
    n->row = standard ? onnx_op_find(n->op) : NULL;
    n->nin = p->n_input;
    n->nout = p->n_output;
    n->in = ARENA_ARRAY(ld->arena, struct val *, n->nin + 1);
    n->out = ARENA_ARRAY(ld->arena, struct val *, n->nout + 1);
    for (size_t i = 0; i < n->nin; i++)
        n->in[i] = *p->input[i] ? load_val(ld, p->input[i], true) : NULL;
    for (size_t i = 0; i < n->nout; i++)
        n->out[i] = *p->output[i] ? load_val(ld, p->output[i], true) : NULL;
}

/* A declared static shape of a value, or false. */
static bool declared_shape(const Onnx__ValueInfoProto *v, struct shape *s)
{
    if (!v->type || v->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !v->type->tensor_type->shape)
        return false;
    const Onnx__TensorShapeProto *t = v->type->tensor_type->shape;
    if (t->n_dim > IR_MAX_RANK)
        return false;
    *s = (struct shape){.rank = (uint32_t)t->n_dim};
    for (uint32_t i = 0; i < s->rank; i++) {
        bool known = t->dim[i]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (!known && i)
            return false;
        s->dim[i] = known ? t->dim[i]->dim_value : 1;
    }
    int64_t numel = 1;
    for (uint32_t i = 0; i < s->rank; i++)
        if (s->dim[i] < 1 || __builtin_mul_overflow(numel, s->dim[i], &numel) || numel > (int64_t)1 << LOAD_MAX_NUMEL_LOG2)
            return false;
    return true;
}

static bool any_declared_shape(struct load *ld, const char *name, struct shape *s)
{
    const Onnx__GraphProto *g = ld->graph;
    for (size_t i = 0; i < g->n_value_info; i++)
        if (g->value_info[i]->name && !strcmp(g->value_info[i]->name, name))
            return declared_shape(g->value_info[i], s);
    for (size_t i = 0; i < g->n_output; i++)
        if (g->output[i]->name && !strcmp(g->output[i]->name, name))
            return declared_shape(g->output[i], s);
    return false;
}

/* The result shape of a refused operator where it is plain. */
static bool guess_shape(struct node *n, struct shape *s)
{
    static const char *const same[] = {"Softmax", "LogSoftmax", "LayerNormalization", "InstanceNormalization", "Sqrt", "Reciprocal",
                                       "Log", "Sign", "LRN", "Sin", "Cos", NULL};
    static const char *const two[] = {"Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", NULL};
    struct shape a, b;
    if (in_shape(n, 0, &a))
        return false;
    for (const char *const *p = same; *p; p++)
        if (!strcmp(*p, n->op)) {
            *s = a;
            return true;
        }
    if (in_shape(n, 1, &b))
        return false;
    for (const char *const *p = two; *p; p++)
        if (!strcmp(*p, n->op))
            return shape_joins(&a, &b, s);
    if (strcmp(n->op, "MatMul") || a.rank < 2 || b.rank < 2)
        return false;
    a.dim[a.rank - 1] = b.dim[b.rank - 1];
    b.dim[b.rank - 1] = b.dim[b.rank - 2] = 1;
    return shape_joins(&a, &b, s);
}

/* After an error: outputs become stand-ins (inputs of a module that is thrown away) or unknown. */
static void poison_outputs(struct node *n)
{
    struct shape s;
    for (size_t i = 0; i < n->nout; i++) {
        struct val *v = n->out[i];
        if (!v || v->kind != VAL_UNSEEN)
            continue;
        v->kind = VAL_UNKNOWN;
        v->poisoned = true;
        if (any_declared_shape(n->ld, v->name, &s) || (i == 0 && guess_shape(n, &s))) {
            v->kind = VAL_INST;
            v->inst = ir_build(n->ld->mod, NULL, IR_TENSOR_input, ir_type_tensor(s.rank, s.dim), 0, NULL);
            ir_set_string(n->ld->mod, ir_inst_attrs(v->inst), "name", "stand-in");
        }
    }
}

static void refuse(struct node *n)
{
    const char *shapes = "";
    struct shape s;
    for (size_t i = 0; i < n->nin && i < 4; i++)
        if (in_shape(n, i, &s) == 0)
            shapes = arena_printf(n->ld->arena, "%s%s%s", shapes, *shapes ? ", " : " on input ", shape_print(n->ld->arena, &s));
    const char *domain = n->p->domain && *n->p->domain ? arena_printf(n->ld->arena, "operator of domain %s",
                                                                    safe_text(n->ld->arena, n->p->domain)) : "operator";
    node_error(n, "%s not supported%s; %s", domain, shapes, n->row && n->row->note ? n->row->note :
               "compute it before encryption or after decryption, or express it by supported operators (docs/OPERATORS.md)");
}

int load_resolve(struct load *ld, struct val *v)
{
    const Onnx__TensorProto *t = v->bound ? v->bound : v->init;
    if (v->kind != VAL_UNSEEN || !t)
        return 0;
    const char *where = arena_printf(ld->arena, "%s: initialiser \"%s\"", ld->file, safe_text(ld->arena, v->name));
    v->c = tensor_decode(ld->arena, where, v->bound ? NULL : ld->dir, t);
    v->kind = v->c ? VAL_CONST : VAL_UNKNOWN;
    if (!v->c) {
        ld->errors++;
        return -1;
    }
    v->c->name = safe_text(ld->arena, v->name);
    return 0;
}

static void node_run(struct node *n)
{
    bool unknown = false, constant = true, poisoned = false;
    for (size_t i = 0; i < n->nin; i++) {
        struct val *v = n->in[i];
        if (!v)
            continue;
        unknown |= load_resolve(n->ld, v) || v->kind == VAL_UNKNOWN;
        if (v->kind == VAL_UNSEEN) {
            node_error(n, "input %zu (\"%s\") is neither computed by a node nor an input or initialiser of the model", i,
                       safe_text(n->ld->arena, v->name));
            unknown = true;
        }
        if (v->post.fn && (!n->row || (strcmp(n->op, "Identity") && strcmp(n->op, "Dropout")))) {
            node_error(n, "follows a Softmax, LogSoftmax or ArgMax; those are supported at the end of a network only");
            unknown = true;
        }
        constant &= v->kind == VAL_CONST;
        poisoned |= v->poisoned;
    }
    if (!n->row || n->row->class == OP_REFUSED) {
        refuse(n);
    } else if (!unknown) {
        int errors = n->ld->errors;
        bool shape_only = n->row->class == OP_FOLD && !constant && (!strcmp(n->op, "Shape") || !strcmp(n->op, "Size"));
        if (n->row->fold && (constant || shape_only))
            n->row->fold(n);
        else if (n->row->emit && !constant)
            n->row->emit(n);
        else if (constant)
            node_error(n, "all its inputs are constants, and this operator is not computed while loading: fold the model's constants first "
                       "(torch.onnx.export does, or onnxsim)");
        else
            refuse(n);
        if (n->ld->errors == errors)
            for (size_t i = 0; i < n->nout; i++)
                if (n->out[i] && n->out[i]->kind == VAL_UNSEEN && (n->out[i]->uses || n->out[i]->is_output))
                    node_error(n, "its output %zu is not supported", i);
    }
    poison_outputs(n);
    for (size_t i = 0; i < n->nout; i++)
        if (n->out[i])
            n->out[i]->poisoned |= poisoned;
}

/* ---- the graph ---- */

/* Order in which every node comes after the producers of its inputs, only nodes that some output needs, as near to the file's
 * order as possible: depth first from each needed node in turn. Returns the number of nodes, or -1 after an error (a cycle). */
static int64_t order_nodes(struct load *ld, struct node *nodes, int64_t *order)
{
    const Onnx__GraphProto *g = ld->graph;
    size_t nn = g->n_node;
    char *state = ARENA_ARRAY(ld->arena, char, nn + 1);         // 0 not needed, 1 needed, 2 open, 3 done
    int64_t *stack = ARENA_ARRAY(ld->arena, int64_t, nn + 1);
    size_t *next = ARENA_ARRAY(ld->arena, size_t, nn + 1);
    int64_t top = 0, count = 0;
    for (size_t i = 0; i < g->n_output; i++) {
        struct val *v = g->output[i]->name ? load_val(ld, g->output[i]->name, false) : NULL;
        if (v && v->producer >= 0 && !state[v->producer]) {
            state[v->producer] = 1;
            stack[top++] = v->producer;
        }
    }
    while (top) {
        struct node *n = &nodes[stack[--top]];
        for (size_t i = 0; i < n->nin; i++)
            if (n->in[i] && n->in[i]->producer >= 0 && !state[n->in[i]->producer]) {
                state[n->in[i]->producer] = 1;
                stack[top++] = n->in[i]->producer;
            }
    }
    for (size_t root = 0; root < nn; root++) {
        if (state[root] != 1)
            continue;
        state[root] = 2;
        stack[top++] = (int64_t)root;
        while (top) {
            int64_t at = stack[top - 1];
            struct node *n = &nodes[at];
            if (next[at] == n->nin) {
                state[at] = 3;
                order[count++] = at;
                top--;
                continue;
            }
            struct val *v = n->in[next[at]++];
            if (!v || v->producer < 0 || state[v->producer] == 3)
                continue;
            if (state[v->producer] == 2)
                return node_error(&nodes[v->producer], "the graph has a cycle through this node");
            state[v->producer] = 2;
            stack[top++] = v->producer;
        }
    }
    return count;
}

/* Names: initialisers, bindings, producers, uses. */
static int declare(struct load *ld, struct node *nodes)
{
    const Onnx__GraphProto *g = ld->graph;
    if (g->n_sparse_initializer)
        return load_error(ld, "sparse initialisers are not supported%s; export dense weights", "");
    for (size_t i = 0; i < g->n_initializer; i++) {
        const char *name = g->initializer[i]->name;
        struct val *v = name && *name ? load_val(ld, name, true) : NULL;
        if (!v)
            return load_error(ld, "an initialiser has no name%s", "");
        if (v->init)
            return load_error(ld, "initialiser \"%s\" is defined twice", name);
        v->init = g->initializer[i];
    }
    for (size_t k = 0; k < g->n_node; k++) {
        node_init(ld, &nodes[k], g->node[k]);
        struct node *n = &nodes[k];
        bool through = n->row && (!strcmp(n->op, "Identity") || !strcmp(n->op, "Dropout"));
        for (size_t i = 0; i < n->nin; i++)
            if (n->in[i])
                n->in[i]->uses++, n->in[i]->identity_uses += through;
        for (size_t i = 0; i < n->nout; i++) {
            struct val *v = n->out[i];
            if (v && (v->producer >= 0 || v->init))
                return node_error(n, "its output \"%s\" is defined twice", safe_text(ld->arena, v->name));
            if (v)
                v->producer = (int64_t)k;
        }
    }
    for (size_t i = 0; i < g->n_output; i++) {
        if (!g->output[i]->name || !*g->output[i]->name)
            return load_error(ld, "an output has no name%s", "");
        load_val(ld, g->output[i]->name, true)->is_output = true;
    }
    for (size_t i = 0; i < g->n_input; i++)
        if (!g->input[i]->name || !*g->input[i]->name)
            return load_error(ld, "an input has no name%s", "");
    return g->n_output ? 0 : load_error(ld, "the graph has no output%s", "");
}

static int translate(struct load *ld)
{
    const Onnx__GraphProto *g = ld->graph;
    struct node *nodes = ARENA_ARRAY(ld->arena, struct node, g->n_node + 1);
    if (declare(ld, nodes))
        return -1;
    for (size_t i = 0; i < g->n_input; i++)
        port_input(ld, g->input[i], nodes);
    for (size_t i = 0; i < g->n_input; i++)
        port_strip_batch(ld, g->input[i]);
    int64_t *order = ARENA_ARRAY(ld->arena, int64_t, g->n_node + 1);
    int64_t count = order_nodes(ld, nodes, order);
    for (int64_t k = 0; k < count; k++)
        node_run(&nodes[order[k]]);
    for (size_t i = 0; count >= 0 && i < g->n_output; i++)
        port_output(ld, g->output[i]);
    return ld->errors ? -1 : 0;
}

static int find_opset(struct load *ld, const Onnx__ModelProto *m)
{
    ld->opset = 0;
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];
        if (!o->domain || !*o->domain || !strcmp(o->domain, "ai.onnx"))
            ld->opset = o->version;
    }
    if (ld->opset < 1) {
        diag_error(ld->file, "the model does not say which ONNX operator set it uses (7 and later are supported)");
        return -1;
    }
    return 0;
}

/* Bound inputs stay unpacked until the load ends. */
static int bind_inputs(struct load *ld, Onnx__TensorProto **bound)
{
    for (size_t i = 0; i < ld->opt->nbind; i++) {
        const struct onnx_binding *b = &ld->opt->bind[i];
        const char *where = arena_printf(ld->arena, "%s: constant for input \"%s\"", ld->file, safe_text(ld->arena, b->input));
        if (!(bound[i] = proto_tensor(where, b->pb, b->len)))
            return -1;
        load_val(ld, arena_strdup(ld->arena, b->input), true)->bound = bound[i];
    }
    return 0;
}

struct ir_module *onnx_load_with(const char *name, const uint8_t *bytes, size_t len, const char *dir, const struct onnx_load_options *opt)
{
    Onnx__ModelProto *m = proto_model(name, bytes, len);
    if (!m)
        return NULL;
    struct load ld = {.file = name, .dir = dir, .arena = arena_new(), .graph = m->graph, .opt = opt,
                      .fold_left = ((int64_t)1 << LOAD_FOLD_BUDGET_LOG2) + (int64_t)len};
    ld.nbuckets = 2 * m->graph->n_node + m->graph->n_initializer + 64;
    ld.bucket = ARENA_ARRAY(ld.arena, struct val *, ld.nbuckets);
    const char *base = strrchr(name, '/');
    ld.mod = ir_module_new(safe_text(ld.arena, base ? base + 1 : name), IR_TENSOR);
    size_t nbind = opt ? opt->nbind : 0;
    Onnx__TensorProto **bound = ARENA_ARRAY(ld.arena, Onnx__TensorProto *, nbind + 1);
    struct ir_module *mod = NULL;
    if (!find_opset(&ld, m) && !(nbind && bind_inputs(&ld, bound)) && !translate(&ld)) {
        patterns_apply(ld.mod);
        ir_remove_dead(ld.mod);
        ir_const_gc(ld.mod);
        ir_renumber(ld.mod);
        mod = ir_verify(ld.mod) ? NULL : ld.mod;
    }
    if (!mod)
        ir_module_free(ld.mod);
    for (size_t i = 0; i < nbind; i++)
        if (bound[i])
            onnx__tensor_proto__free_unpacked(bound[i], NULL);
    arena_free(ld.arena);
    onnx__model_proto__free_unpacked(m, NULL);
    return mod;
}
