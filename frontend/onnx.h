// SPDX-License-Identifier: Apache-2.0
// The ONNX frontend: a model file becomes a module of the tensor dialect.
#ifndef TACET_ONNX_H
#define TACET_ONNX_H

#include "../compiler/ir.h"

/* A graph input that is to be treated as a constant of the model (weights passed as inputs, shapes, indices). */
struct onnx_binding {
    const char *input;          // name of the graph input
    const uint8_t *pb;          // borrowed: a serialised TensorProto
    size_t len;                 // bytes
};

enum onnx_constant_outputs {
    ONNX_REFUSE_CONSTANT,       // an output that depends on no input is an error
    ONNX_KEEP_CONSTANT,         // it is computed from a zero-weight use of an input, made up when there is none (tests of folding)
};

struct onnx_load_options {
    const struct onnx_binding *bind;
    size_t nbind;
    enum onnx_constant_outputs constant_outputs;
};

/* Read a model. Every instruction carries {node} (the ONNX node's name, or its first output's). Inputs carry {name, shape}: the
 * type has the batch axis 1 in front, `shape` are the type's dimensions; {modelshape} is what the model declares where that has no such
 * axis. Outputs carry {name, shape, modelshape?} and, where a trailing Softmax, LogSoftmax or ArgMax is left to the client,
 * {post, postshape}: "softmax:AXIS[,AXIS..]", "logsoftmax:AXIS.." or "argmax:AXIS", axes of `shape`, and the shape after it.
 * errors  NULL after diag_error: one line for each unsupported or malformed node, all in one run
 * limits  rank <= 8, a value <= 2^27 elements, folded constants <= 2^22 elements + the bytes of the file in all, messages nested <= 32 deep */
struct ir_module *onnx_load(const char *path);
struct ir_module *onnx_load_bytes(const char *name, const uint8_t *bytes, size_t len, const char *dir);   // dir: of external data
struct ir_module *onnx_load_with(const char *name, const uint8_t *bytes, size_t len, const char *dir,
                                 const struct onnx_load_options *);

/* A graph input or output as the model declares it; dim -1: symbolic or missing. */
struct onnx_io {
    const char *name;
    int32_t type;               // TensorProto.DataType, 0 when not a tensor
    uint32_t rank;
    int64_t dim[IR_MAX_RANK];
};
/* What a model declares, initialised inputs left out; 0, or -1 after diag_error. */
int onnx_signature(struct arena *, const char *name, const uint8_t *bytes, size_t len, struct onnx_io **inputs, size_t *ninputs,
                   struct onnx_io **outputs, size_t *noutputs);
/* Names of the operators that a model uses, sorted, each once, separated by blanks; NULL after diag_error. */
const char *onnx_operators(struct arena *, const char *name, const uint8_t *bytes, size_t len);
/* "emit", "fold" (constants and shapes only), "post" or NULL (not supported): what the frontend does with an operator. */
const char *onnx_operator_support(const char *op);
const char *onnx_operator_table(struct arena *);        // Markdown: every operator of onnx_ops.def with its limits or advice

/* A serialised TensorProto (.pb) as doubles. */
struct onnx_tensor {
    const char *name;
    int32_t type;               // TensorProto.DataType
    uint32_t rank;
    int64_t dim[IR_MAX_RANK];
    int64_t numel;
    double *data;               // arena
};
struct onnx_tensor *onnx_tensor_read(struct arena *, const char *where, const uint8_t *bytes, size_t len);  // NULL after diag_error

/* A whole file in malloc'd memory; NULL after diag_error. Only regular files below 2 GiB. */
uint8_t *onnx_read_file(const char *path, size_t *len);
#endif
