// SPDX-License-Identifier: Apache-2.0
// What the files of the frontend share: values, nodes under translation, and the helpers that operator groups are written with.
#ifndef TACET_FRONTEND_LOAD_H
#define TACET_FRONTEND_LOAD_H

#include "onnx.h"
#include "onnx.pb-c.h"
#include <stdarg.h>

#define DT(x) ONNX__TENSOR_PROTO__DATA_TYPE__##x

enum { LOAD_MAX_NUMEL_LOG2 = 27, LOAD_FOLD_BUDGET_LOG2 = 22, LOAD_MAX_NESTING = 32 };    // budget: plus the bytes of the file

/* A shape; dim[] beyond rank is 0. */
struct shape {
    uint32_t rank;
    int64_t dim[IR_MAX_RANK];
};

/* A constant known while loading: integers and booleans exactly as int64, floating point as double. */
struct ctensor {
    const char *name;
    int32_t type;                       // TensorProto.DataType
    bool is_int;
    struct shape s;
    int64_t numel;                      // may be 0
    union {
        double *f;                      // !is_int
        int64_t *i;                     // is_int
    };
};

/* A trailing Softmax, LogSoftmax or ArgMax: what the client computes, the shape after it. */
struct post {
    const char *fn;                     // NULL: nothing
    uint32_t naxes, axis[IR_MAX_RANK];
    struct shape shape;
};

enum val_kind {
    VAL_UNSEEN,                         // not computed yet
    VAL_UNKNOWN,                        // result of an unsupported node, shape unknown
    VAL_CONST,
    VAL_INST,
};
struct val {
    const char *name;
    enum val_kind kind;
    struct ctensor *c;
    struct ir_inst *inst;
    const Onnx__TensorProto *init;      // decoded at first use
    const Onnx__TensorProto *bound;
    bool is_output, poisoned;           // poisoned: a stand-in of known shape for the result of an unsupported node
    int64_t producer;                   // node index, -1: input or initialiser, -2: nothing
    uint32_t uses, identity_uses;       // consumers; those that are Identity or Dropout
    struct post post;
    struct val *next;                   // hash chain
};

struct load {
    const char *file, *dir;
    struct arena *arena;                // of this load; the module has its own
    struct ir_module *mod;
    const Onnx__GraphProto *graph;
    int64_t opset;
    struct val **bucket;
    size_t nbuckets;
    int64_t fold_left;                  // elements that folding may still produce
    int errors;
    const struct onnx_load_options *opt;
};

struct val *load_val(struct load *, const char *name, bool create);

/* Report against the model, `fmt` with one name; always -1. */
int load_error(struct load *, const char *fmt, const char *name);
/* Decode an initialiser or a bound input at its first use; 0, or -1 after a report. */
int load_resolve(struct load *, struct val *);

/* One ONNX node being translated. */
struct node {
    struct load *ld;
    const Onnx__NodeProto *p;
    const struct onnx_op *row;
    const char *op, *name;              // name for people: the node's, or its first output's
    size_t nin, nout;
    struct val **in, **out;             // NULL: optional, left out
};

/* Both return 0, or -1 after node_error. */
typedef int (*node_fn)(struct node *);
enum op_class { OP_EMIT, OP_FOLD, OP_POST, OP_REFUSED };
struct onnx_op {
    const char *name;
    enum op_class class;
    node_fn fold, emit;                 // all inputs constant; otherwise. NULL: not possible
    const char *note;                   // limits, or advice for refused operators
};
const struct onnx_op *onnx_op_find(const char *name);
extern const struct onnx_op onnx_op_table[];    // ends with a NULL name

#define BOTH(name, fold, emit, note) int fold(struct node *); int emit(struct node *);
#define EMIT(name, emit, note) int emit(struct node *);
#define POST(name, emit, note) int emit(struct node *);
#define FOLD(name, fold, note) int fold(struct node *);
#define REFUSE(name, note)
#include "onnx_ops.def"
#undef BOTH
#undef EMIT
#undef POST
#undef FOLD
#undef REFUSE

/* Report against the node; always -1. */
int node_error(struct node *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void node_note(struct node *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *shape_print(struct arena *, const struct shape *);
const char *safe_text(struct arena *, const char *);            // printable ASCII without quotes and backslashes
const char *safe_symbol(struct arena *, const char *);          // letters, digits, _ and .

/* Attributes; the default when absent. */
struct ints {
    bool present;
    size_t n;
    const int64_t *v;
};
const Onnx__AttributeProto *node_attr(const struct node *, const char *key);
int64_t attr_int(const struct node *, const char *key, int64_t def);
double attr_float(const struct node *, const char *key, double def);
struct ints attr_ints(const struct node *, const char *key);
bool attr_is(const struct node *, const char *key, const char *value, bool def);    // string attribute equals value
const char *attr_str(const struct node *, const char *key, const char *def);        // arena copy

/* Inputs. */
bool in_has(const struct node *, size_t i);
const struct ctensor *in_const(struct node *, size_t i);        // NULL when absent or encrypted
struct ir_inst *in_inst(struct node *, size_t i);               // NULL when absent or constant
int in_shape(struct node *, size_t i, struct shape *);          // 0, or -1 when absent
int in_need_inst(struct node *, size_t i, struct ir_inst **);   // -1 after node_error when absent or constant
int in_need_const(struct node *, size_t i, const char *what, const struct ctensor **);
/* An integer list that is an attribute in old opsets and input i in new ones; absent is fine. */
int in_ints(struct node *, const char *key, size_t i, struct ints *);

/* Constants. */
struct ctensor *const_new(struct node *, int32_t type, const struct shape *);   // NULL after node_error; zeroed
double const_at(const struct ctensor *, int64_t i);
int64_t const_int(const struct ctensor *, int64_t i);           // truncates, saturates
bool type_is_int(int32_t type);
const char *type_name(int32_t type);
int64_t type_wrap(int32_t type, int64_t);                       // an integer as its type holds it: low bits, sign extended

/* Results. */
int out_inst(struct node *, size_t i, struct ir_inst *);        // -1 when inst is NULL (already reported)
int out_const(struct node *, size_t i, struct ctensor *);
int out_alias(struct node *, size_t i, size_t input);           // the same value as an input

/* Building instructions; NULL after node_error, and NULL from a NULL operand. */
struct shape inst_shape(const struct ir_inst *);
int shape_check(struct node *, const struct shape *);           // a tensor of the network: every axis >= 1, not huge
struct ir_inst *emit(struct node *, enum ir_op, const struct shape *, uint32_t nargs, struct ir_inst *const *args);
struct ir_inst *emit1(struct node *, enum ir_op, const struct shape *, struct ir_inst *);
struct ir_inst *emit2(struct node *, enum ir_op, const struct shape *, struct ir_inst *, struct ir_inst *);
struct ir_inst *emit_reshape(struct node *, struct ir_inst *, const struct shape *);    // the operand itself when equal
struct ir_inst *emit_transpose(struct node *, struct ir_inst *, const int64_t *perm);
struct ir_inst *emit_addc(struct node *, struct ir_inst *, const struct ctensor *, double factor);   // x + factor c, broadcast
struct ir_inst *emit_mulc(struct node *, struct ir_inst *, const struct ctensor *, double factor);
struct ir_inst *emit_addr(struct node *, struct ir_inst *, double);     // x + number
struct ir_inst *emit_mulr(struct node *, struct ir_inst *, double);
struct ir_inst *emit_broadcast(struct node *, struct ir_inst *, const struct shape *);
int64_t *index_array(struct node *, int64_t n);                 // for emit_gather; NULL after node_error (charged like a constant)
struct ir_inst *emit_gather(struct node *, struct ir_inst *, int64_t axis, const int64_t *index, int64_t n);
struct ir_inst *emit_slice(struct node *, struct ir_inst *, const int64_t *start, const int64_t *end, const int64_t *step);
struct ir_inst *emit_pad(struct node *, struct ir_inst *, const int64_t *pads, double value);     // pads: rank begins, rank ends; < 0 crops
struct ir_inst *emit_act(struct node *, struct ir_inst *, const char *fn);
/* A named constant of the module, float32 when that is exact; NULL after node_error (NaN, infinity). */
const char *emit_weight(struct node *, const char *hint, const struct shape *, const double *);
void emit_ints(struct node *, struct ir_inst *, const char *key, const int64_t *, size_t n);

/* shape.c: shape inference. All return 0, or -1 after node_error. */
int64_t shape_numel(const struct shape *);
bool shape_equal(const struct shape *, const struct shape *);
int shape_axis(struct node *, int64_t axis, uint32_t rank, uint32_t *out);          // negative axes count from the end
int shape_axes(struct node *, const struct ints *, uint32_t rank, bool *marked);    // marked[rank]
bool shape_joins(const struct shape *, const struct shape *, struct shape *out);     // broadcasting, without a report
int shape_broadcast(struct node *, const struct shape *, const struct shape *, struct shape *out);
int shape_reshape(struct node *, const struct shape *in, const int64_t *want, size_t n, bool allowzero, struct shape *out);
int shape_squeeze(struct node *, const struct shape *in, const struct ints *axes, struct shape *out);
int shape_unsqueeze(struct node *, const struct shape *in, const struct ints *axes, struct shape *out);
/* Slice normalised to 0 <= start, step != 0; out may have empty axes. Arrays of rank entries. */
int shape_slice(struct node *, const struct shape *in, int64_t *start, int64_t *end, int64_t *step, struct shape *out);
/* Window operators: spatial axes of a [N, C, ...] tensor. pads are normalised (auto_pad resolved, ceil_mode as larger ends). */
struct window {
    uint32_t n;                         // spatial axes
    int64_t kernel[IR_MAX_RANK], strides[IR_MAX_RANK], dilations[IR_MAX_RANK], pads[2 * IR_MAX_RANK], extra[IR_MAX_RANK];
    int64_t out[IR_MAX_RANK];           // extra: cells beyond the end padding that ceil_mode adds
};
int shape_window(struct node *, const struct shape *in, const int64_t *kernel, struct window *);

/* The row-major index of a broadcast operand: strides of `s` over `out`, 0 along stretched axes. */
void shape_strides(const struct shape *s, const struct shape *out, int64_t *stride);

/* tensor_data.c: NULL after diag_error(where). */
struct ctensor *tensor_decode(struct arena *, const char *where, const char *dir, const Onnx__TensorProto *);

/* ports.c: all report against the named port. */
int port_input(struct load *, const Onnx__ValueInfoProto *, struct node *nodes);
void port_strip_batch(struct load *, const Onnx__ValueInfoProto *);    // after all inputs
void port_output(struct load *, const Onnx__ValueInfoProto *);

/* proto.c */
Onnx__ModelProto *proto_model(const char *file, const uint8_t *bytes, size_t len);     // NULL after diag_error
Onnx__TensorProto *proto_tensor(const char *file, const uint8_t *bytes, size_t len);

/* patterns.c: GELU, SiLU and HardSwish spelled out by exporters become one activation. */
void patterns_apply(struct ir_module *);

#endif
