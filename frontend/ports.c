// SPDX-License-Identifier: Apache-2.0
// Inputs and outputs of the graph. A batch axis of 1 stands in front of every port's type; where the model declares none, it is added and
// taken away again by a reshape.

#include "load.h"
#include "../compiler/diag.h"
#include <string.h>

/* True when the integer input is used by casts to real numbers only: its values are then encrypted as reals. */
static bool only_cast(const struct node *nodes, size_t nn, const struct val *v)
{
    for (size_t k = 0; k < nn; k++)
        for (size_t i = 0; i < nodes[k].nin; i++)
            if (nodes[k].in[i] == v && (strcmp(nodes[k].op, "Cast") || type_is_int((int32_t)attr_int(&nodes[k], "to", DT(INT64)))))
                return false;
    return v->uses > 0;
}

/* The shape with a batch axis of 1 in front, added where there is none; -1: too many axes. */
static int with_batch(const struct shape *s, struct shape *full)
{
    *full = *s;
    if (s->rank && s->dim[0] == 1)
        return 0;
    if (s->rank == IR_MAX_RANK)
        return -1;
    full->rank = s->rank + 1;
    full->dim[0] = 1;
    memcpy(full->dim + 1, s->dim, s->rank * sizeof s->dim[0]);
    return 0;
}

int port_input(struct load *ld, const Onnx__ValueInfoProto *in, struct node *nodes)
{
    const char *name = safe_text(ld->arena, in->name);
    struct val *v = load_val(ld, in->name, true);
    if (v->kind != VAL_UNSEEN || v->init || v->bound)
        return 0;
    if (v->producer >= -1)
        return load_error(ld, "\"%s\" is defined twice", in->name);
    v->producer = -1;
    if (!v->uses && !v->is_output) {
        diag_note("%s: input \"%s\" is not used", ld->file, name);
        return 0;
    }
    const char *where = arena_printf(ld->arena, "%s: input \"%s\"", ld->file, name);
    ld->errors++;
    v->kind = VAL_UNKNOWN;
    if (!in->type || in->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !in->type->tensor_type->shape) {
        diag_error(where, "not a tensor of known shape");
        return -1;
    }
    const Onnx__TypeProto__Tensor *t = in->type->tensor_type;
    if (t->elem_type == DT(STRING) || t->elem_type == DT(COMPLEX64) || t->elem_type == DT(COMPLEX128)) {
        diag_error(where, "elements of type %s cannot be encrypted", type_name(t->elem_type));
        return -1;
    }
    if (type_is_int(t->elem_type) && !only_cast(nodes, ld->graph->n_node, v)) {
        diag_error(where, "its elements are %s; encrypted inputs are real numbers: give it as a constant of the model, or as float",
                   type_name(t->elem_type));
        return -1;
    }
    struct shape s = {.rank = (uint32_t)t->shape->n_dim};
    if (t->shape->n_dim > IR_MAX_RANK) {
        diag_error(where, "more than %d axes", IR_MAX_RANK);
        return -1;
    }
    int64_t numel = 1;
    for (uint32_t i = 0; i < s.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool known = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value != 0;
        if (!known && i) {
            const char *sym = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? safe_text(ld->arena, d->dim_param) : "?";
            diag_error(where, "axis %u has no fixed size (\"%s\"); only the first axis, the batch, may be symbolic. Export the model with a "
                       "fixed input shape (torch.onnx.export without dynamic_axes for that axis, or python3 -m onnxruntime.tools."
                       "make_dynamic_shape_fixed)", i, sym);
            return -1;
        }
        s.dim[i] = known ? d->dim_value : 1;
        if (s.dim[i] < 1 || __builtin_mul_overflow(numel, s.dim[i], &numel) || numel > (int64_t)1 << LOAD_MAX_NUMEL_LOG2) {
            diag_error(where, "impossible or too large dimension %lld (axis %u)", (long long)s.dim[i], i);
            return -1;
        }
    }
    struct shape full;
    if (with_batch(&s, &full)) {
        diag_error(where, "more than %d axes (a batch axis of 1 included)", IR_MAX_RANK);
        return -1;
    }
    ld->errors--;
    struct ir_inst *x = ir_build(ld->mod, NULL, IR_TENSOR_input, ir_type_tensor(full.rank, full.dim), 0, NULL);
    ir_set_string(ld->mod, ir_inst_attrs(x), "name", name);
    ir_set_string(ld->mod, ir_inst_attrs(x), "node", name);
    ir_set_ints(ld->mod, ir_inst_attrs(x), "shape", full.dim, full.rank);
    if (full.rank != s.rank)
        ir_set_ints(ld->mod, ir_inst_attrs(x), "modelshape", s.dim, s.rank);
    v->kind = VAL_INST;
    v->inst = x;
    return 0;
}

/* Inputs come first in a module, so the reshape that takes the added batch axis away is a second step. */
void port_strip_batch(struct load *ld, const Onnx__ValueInfoProto *in)
{
    struct val *v = load_val(ld, in->name, true);
    if (v->kind != VAL_INST || v->inst->op != IR_TENSOR_input)
        return;
    const struct ir_attr *s = ir_attr_find(v->inst->attrs, "modelshape");
    if (!s)
        return;
    struct ir_inst *arg = v->inst;
    v->inst = ir_build(ld->mod, NULL, IR_TENSOR_reshape, ir_type_tensor((uint32_t)s->ints.n, s->ints.v), 1, &arg);
    ir_set_string(ld->mod, ir_inst_attrs(v->inst), "node", safe_text(ld->arena, in->name));
}

/* A constant as an instruction: no entry of the matrix, all of it bias. */
static struct ir_inst *constant_output(struct load *ld, const char *name, const struct ctensor *c)
{
    struct ir_inst *x = ld->mod->first;
    if (!x) {
        x = ir_build(ld->mod, NULL, IR_TENSOR_input, ir_type_tensor(2, (int64_t[]){1, 1}), 0, NULL);
        ir_set_string(ld->mod, ir_inst_attrs(x), "name", "none");
        ir_set_string(ld->mod, ir_inst_attrs(x), "node", "none");
        ir_set_ints(ld->mod, ir_inst_attrs(x), "shape", (int64_t[]){1, 1}, 2);
    }
    int64_t cols = ir_type_numel(&x->type);
    struct ir_csr m = {.rows = c->numel, .cols = cols, .ptr = ARENA_ARRAY(ld->arena, int64_t, c->numel + 1),
                       .col = ARENA_NEW(ld->arena, int32_t), .val = ARENA_NEW(ld->arena, double)};
    struct ir_inst *y = ir_build(ld->mod, NULL, IR_TENSOR_affine, ir_type_tensor(c->s.rank, c->s.dim), 1, &x);
    ir_set_symbol(ld->mod, ir_inst_attrs(y), "mat", ir_csr_add(ld->mod, safe_symbol(ld->arena, name), &m));
    struct ir_const *b = ir_const_add(ld->mod, safe_symbol(ld->arena, arena_printf(ld->arena, "%s.bias", name)), IR_F64, 1, &c->numel);
    for (int64_t i = 0; i < c->numel; i++)
        ((double *)b->data)[i] = const_at(c, i);
    ir_set_symbol(ld->mod, ir_inst_attrs(y), "bias", b->name);
    ir_set_string(ld->mod, ir_inst_attrs(y), "node", safe_text(ld->arena, name));
    return y;
}

void port_output(struct load *ld, const Onnx__ValueInfoProto *out)
{
    struct val *v = load_val(ld, out->name, false);
    const char *name = safe_text(ld->arena, out->name);
    if (v && load_resolve(ld, v))
        return;
    if (!v || v->kind == VAL_UNSEEN) {
        load_error(ld, "output \"%s\" is computed by no node", out->name);
        return;
    }
    if (v->kind == VAL_UNKNOWN || v->poisoned)
        return;
    if (v->kind == VAL_CONST) {
        if (!ld->opt || ld->opt->constant_outputs == ONNX_REFUSE_CONSTANT || v->c->numel < 1) {
            load_error(ld, "output \"%s\" is a constant: it depends on no input, so there is nothing to encrypt", out->name);
            return;
        }
        v->inst = constant_output(ld, out->name, v->c);
    }
    struct shape s = inst_shape(v->inst), full;
    if (with_batch(&s, &full)) {
        load_error(ld, "output \"%s\" has too many axes", out->name);
        return;
    }
    struct ir_inst *y = v->inst;
    if (full.rank != s.rank) {
        y = ir_build(ld->mod, NULL, IR_TENSOR_reshape, ir_type_tensor(full.rank, full.dim), 1, &y);
        ir_set_string(ld->mod, ir_inst_attrs(y), "node", name);
    }
    struct ir_attr *attrs = NULL;
    ir_set_string(ld->mod, &attrs, "name", name);
    ir_set_ints(ld->mod, &attrs, "shape", full.dim, full.rank);
    if (full.rank != s.rank)
        ir_set_ints(ld->mod, &attrs, "modelshape", s.dim, s.rank);
    if (v->post.fn) {
        const char *text = arena_printf(ld->arena, "%s:", v->post.fn);
        for (uint32_t i = 0; i < v->post.naxes; i++)
            text = arena_printf(ld->arena, "%s%s%u", text, i ? "," : "", v->post.axis[i] + full.rank - s.rank);
        ir_set_string(ld->mod, &attrs, "post", text);
        struct shape after = v->post.shape;
        if (full.rank != s.rank) {
            memmove(after.dim + 1, after.dim, after.rank++ * sizeof after.dim[0]);
            after.dim[0] = 1;
        }
        ir_set_ints(ld->mod, &attrs, "postshape", after.dim, after.rank);
    }
    ir_add_output(ld->mod, y, attrs);
}
