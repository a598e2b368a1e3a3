// SPDX-License-Identifier: Apache-2.0
// Entry points of the frontend: files, declared inputs and outputs, and the operators that a model uses.

#include "load.h"
#include "../compiler/diag.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

uint8_t *onnx_read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) || !S_ISREG(st.st_mode)) {
        diag_error(path, "%s", f ? "not a regular file" : strerror(errno));
        if (f)
            fclose(f);
        return NULL;
    }
    if (st.st_size > INT32_MAX) {
        diag_error(path, "larger than 2 GiB: not an ONNX file (large weights belong into external data)");
        fclose(f);
        return NULL;
    }
    *len = (size_t)st.st_size;
    uint8_t *p = malloc(*len ? *len : 1);
    if (!p || fread(p, 1, *len, f) != *len) {
        diag_error(path, "%s", p ? "cannot be read" : "out of memory");
        free(p);
        p = NULL;
    }
    fclose(f);
    return p;
}

struct ir_module *onnx_load_bytes(const char *name, const uint8_t *bytes, size_t len, const char *dir)
{
    return onnx_load_with(name, bytes, len, dir, NULL);
}

struct ir_module *onnx_load(const char *path)
{
    size_t len;
    uint8_t *p = onnx_read_file(path, &len);
    if (!p)
        return NULL;
    char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    if (slash)
        slash[slash == dir] = 0;
    struct ir_module *m = onnx_load_with(path, p, len, slash ? dir : ".", NULL);
    free(dir);
    free(p);
    return m;
}

static struct onnx_io *io_list(struct arena *a, const Onnx__GraphProto *g, Onnx__ValueInfoProto **v, size_t n, size_t *count)
{
    struct onnx_io *io = ARENA_ARRAY(a, struct onnx_io, n + 1);
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        bool init = !v[i]->name;
        for (size_t k = 0; !init && v == g->input && k < g->n_initializer; k++)
            init = g->initializer[k]->name && !strcmp(g->initializer[k]->name, v[i]->name);
        if (init)
            continue;
        struct onnx_io *o = &io[(*count)++];
        o->name = arena_strdup(a, v[i]->name);
        if (!v[i]->type || v[i]->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
            continue;
        const Onnx__TypeProto__Tensor *t = v[i]->type->tensor_type;
        o->type = t->elem_type;
        for (size_t k = 0; t->shape && k < t->shape->n_dim && k < IR_MAX_RANK; k++)
            o->dim[o->rank++] = t->shape->dim[k]->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE ?
                                t->shape->dim[k]->dim_value : -1;
    }
    return io;
}

int onnx_signature(struct arena *a, const char *name, const uint8_t *bytes, size_t len, struct onnx_io **inputs, size_t *ninputs,
                   struct onnx_io **outputs, size_t *noutputs)
{
    Onnx__ModelProto *m = proto_model(name, bytes, len);
    if (!m)
        return -1;
    *inputs = io_list(a, m->graph, m->graph->input, m->graph->n_input, ninputs);
    *outputs = io_list(a, m->graph, m->graph->output, m->graph->n_output, noutputs);
    onnx__model_proto__free_unpacked(m, NULL);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char *onnx_operators(struct arena *a, const char *name, const uint8_t *bytes, size_t len)
{
    Onnx__ModelProto *m = proto_model(name, bytes, len);
    if (!m)
        return NULL;
    size_t n = m->graph->n_node;
    const char **op = ARENA_ARRAY(a, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        op[i] = safe_text(a, m->graph->node[i]->op_type ? m->graph->node[i]->op_type : "?");
    qsort(op, n, sizeof *op, by_name);
    const char *list = "";
    for (size_t i = 0; i < n; i++)
        if (!i || strcmp(op[i], op[i - 1]))
            list = arena_printf(a, "%s%s%s", list, *list ? " " : "", op[i]);
    onnx__model_proto__free_unpacked(m, NULL);
    return list;
}

const char *onnx_operator_support(const char *op)
{
    const struct onnx_op *o = onnx_op_find(op);
    return !o || o->class == OP_REFUSED ? NULL : o->class == OP_EMIT ? "emit" : o->class == OP_FOLD ? "fold" : "post";
}

const char *onnx_operator_table(struct arena *a)
{
    static const char *const where[] = {"network", "constants", "client", "no"};
    const char *text = "| operator | where | limits, or what to do instead |\n|---|---|---|\n";
    for (int class = OP_EMIT; class <= OP_REFUSED; class++)
        for (const struct onnx_op *o = onnx_op_table; o->name; o++)
            if ((int)o->class == class)
                text = arena_printf(a, "%s| %s | %s%s | %s |\n", text, o->name, where[class], o->fold && o->emit ? ", constants" : "",
                                    o->note);
    return text;
}
