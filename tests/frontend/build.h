// SPDX-License-Identifier: Apache-2.0
// Small ONNX models in memory for tests: b_node(b, "Add", "x,w", "y") and friends. b_free_all gives back the memory of all of them.
#ifndef TACET_TEST_BUILD_H
#define TACET_TEST_BUILD_H

#include "onnx.pb-c.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { B_MAX = 64 };

static struct b_block {
    struct b_block *next;
} *b_blocks;

static inline void *b_alloc(size_t n, size_t size)
{
    struct b_block *p = calloc(1, sizeof *p + 16 + n * size);
    p->next = b_blocks;
    b_blocks = p;
    return (char *)p + 16;
}

static inline char *b_dup(const char *s)
{
    return memcpy(b_alloc(strlen(s) + 1, 1), s, strlen(s) + 1);
}

static inline void b_free_all(void)
{
    while (b_blocks) {
        struct b_block *p = b_blocks;
        b_blocks = p->next;
        free(p);
    }
}

struct build {
    Onnx__GraphProto g;
    Onnx__NodeProto *node[B_MAX];
    Onnx__TensorProto *init[B_MAX];
    Onnx__ValueInfoProto *in[B_MAX], *out[B_MAX];
    int64_t opset;
};

static inline struct build *b_new(int64_t opset)
{
    struct build *b = b_alloc(1, sizeof *b);
    onnx__graph_proto__init(&b->g);
    b->opset = opset;
    return b;
}

static inline size_t b_split(const char *list, char **part)
{
    char *s = b_dup(list);
    size_t n = 0;
    while (s && *list)
        part[n++] = strsep(&s, ",");
    return n;
}

static inline Onnx__NodeProto *b_node(struct build *b, const char *op, const char *in, const char *out)
{
    Onnx__NodeProto *n = b_alloc(1, sizeof *n);
    onnx__node_proto__init(n);
    n->op_type = b_dup(op);
    n->input = b_alloc(B_MAX, sizeof(char *));
    n->output = b_alloc(B_MAX, sizeof(char *));
    n->attribute = b_alloc(B_MAX, sizeof(Onnx__AttributeProto *));
    n->n_input = b_split(in, n->input);
    n->n_output = b_split(out, n->output);
    return b->node[b->g.n_node++] = n;
}

static inline Onnx__AttributeProto *b_attr(Onnx__NodeProto *n, const char *key)
{
    Onnx__AttributeProto *a = b_alloc(1, sizeof *a);
    onnx__attribute_proto__init(a);
    a->name = b_dup(key);
    a->has_type = 1;
    return n->attribute[n->n_attribute++] = a;
}

static inline void b_int(Onnx__NodeProto *n, const char *key, int64_t v)
{
    Onnx__AttributeProto *a = b_attr(n, key);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
    a->has_i = 1;
    a->i = v;
}

static inline void b_float(Onnx__NodeProto *n, const char *key, float v)
{
    Onnx__AttributeProto *a = b_attr(n, key);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
    a->has_f = 1;
    a->f = v;
}

static inline void b_ints(Onnx__NodeProto *n, const char *key, size_t count, const int64_t *v)
{
    Onnx__AttributeProto *a = b_attr(n, key);
    a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
    a->ints = b_alloc(count, sizeof *v);
    memcpy(a->ints, v, count * sizeof *v);
    a->n_ints = count;
}

/* A float (values v, or 0, 1, 2, ... when NULL) or int64 initialiser. */
static inline Onnx__TensorProto *b_floats(struct build *b, const char *name, size_t rank, const int64_t *dim, const float *v)
{
    Onnx__TensorProto *t = b_alloc(1, sizeof *t);
    onnx__tensor_proto__init(t);
    t->name = b_dup(name);
    t->has_data_type = 1;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    t->n_dims = rank;
    t->dims = b_alloc(rank + 1, sizeof *dim);
    t->n_float_data = 1;
    for (size_t i = 0; i < rank; i++)
        t->n_float_data *= (size_t)(t->dims[i] = dim[i]);
    t->float_data = b_alloc(t->n_float_data + 1, sizeof *v);
    for (size_t i = 0; i < t->n_float_data; i++)
        t->float_data[i] = v ? v[i] : (float)i;
    return b->init[b->g.n_initializer++] = t;
}

static inline Onnx__TensorProto *b_longs(struct build *b, const char *name, int64_t count, const int64_t *v)
{
    Onnx__TensorProto *t = b_floats(b, name, 1, &count, NULL);
    t->n_float_data = 0;
    t->data_type = ONNX__TENSOR_PROTO__DATA_TYPE__INT64;
    t->n_int64_data = (size_t)count;
    t->int64_data = b_alloc((size_t)count + 1, sizeof *v);
    memcpy(t->int64_data, v, (size_t)count * sizeof *v);
    return t;
}

/* Dimension 0: symbolic "N". */
static inline Onnx__ValueInfoProto *b_value(const char *name, size_t rank, const int64_t *dim)
{
    Onnx__ValueInfoProto *v = b_alloc(1, sizeof *v);
    onnx__value_info_proto__init(v);
    v->name = b_dup(name);
    v->type = b_alloc(1, sizeof *v->type);
    onnx__type_proto__init(v->type);
    v->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    Onnx__TypeProto__Tensor *t = v->type->tensor_type = b_alloc(1, sizeof *t);
    onnx__type_proto__tensor__init(t);
    t->has_elem_type = 1;
    t->elem_type = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT;
    t->shape = b_alloc(1, sizeof *t->shape);
    onnx__tensor_shape_proto__init(t->shape);
    t->shape->n_dim = rank;
    t->shape->dim = b_alloc(rank + 1, sizeof(void *));
    for (size_t i = 0; i < rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i] = b_alloc(1, sizeof *d);
        onnx__tensor_shape_proto__dimension__init(d);
        d->value_case = dim[i] ? ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE : ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        if (dim[i])
            d->dim_value = dim[i];
        else
            d->dim_param = b_dup("N");
    }
    return v;
}

static inline void b_input(struct build *b, const char *name, size_t rank, const int64_t *dim)
{
    b->in[b->g.n_input++] = b_value(name, rank, dim);
}

static inline void b_output(struct build *b, const char *name)
{
    b->out[b->g.n_output++] = b_value(name, 1, (int64_t[]){0});
}

static inline uint8_t *b_bytes(struct build *b, size_t *len)
{
    Onnx__ModelProto m;
    Onnx__OperatorSetIdProto set, *sets[1] = {&set};
    onnx__model_proto__init(&m);
    onnx__operator_set_id_proto__init(&set);
    set.has_version = 1;
    set.version = b->opset;
    m.n_opset_import = 1;
    m.opset_import = sets;
    m.graph = &b->g;
    b->g.node = b->node;
    b->g.initializer = b->init;
    b->g.input = b->in;
    b->g.output = b->out;
    *len = onnx__model_proto__get_packed_size(&m);
    uint8_t *p = malloc(*len);
    onnx__model_proto__pack(&m, p);
    return p;
}
#endif
