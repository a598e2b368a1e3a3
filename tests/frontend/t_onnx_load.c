// SPDX-License-Identifier: Apache-2.0
// The ONNX loader on models made here: every kind of broken model ends in an error that names its cause, both forms (attribute and
// input) of the operators that changed give the same values, spelled-out activations are recognised, mutated files never crash.
// usage: t_onnx_load SOURCE_ROOT
#include "../../frontend/onnx.h"
#include "../../compiler/diag.h"
#include "../test.h"
#include "build.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIMS(...) (sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__}
#define LONGS(b, name, ...) b_longs(b, name, (int64_t)(sizeof((int64_t[]){__VA_ARGS__}) / 8), (int64_t[]){__VA_ARGS__})

/* Loads; what was printed goes to `text`. */
static struct ir_module *load(struct build *b, const char *dir, char *text, size_t size)
{
    size_t len;
    uint8_t *p = b_bytes(b, &len);
    fflush(stderr);
    int old = dup(2);
    FILE *f = tmpfile();
    dup2(fileno(f), 2);
    diag_reset();
    struct ir_module *m = onnx_load_bytes("model.onnx", p, len, dir);
    fflush(stderr);
    dup2(old, 2);
    close(old);
    rewind(f);
    size_t n = fread(text, 1, size - 1, f);
    text[n] = 0;
    fclose(f);
    free(p);
    return m;
}

/* The model must be refused with a message that contains every given piece. */
static void refused(struct build *b, const char *dir, const char *what, int errors, const char *piece1, const char *piece2)
{
    char text[65536];
    struct ir_module *m = load(b, dir, text, sizeof text);
    CHECKF(!m, "%s: accepted", what);
    CHECKF(diag_error_count() == errors, "%s: %d errors instead of %d: %s", what, diag_error_count(), errors, text);
    CHECKF(strstr(text, piece1) && strstr(text, piece2) && strstr(text, "model.onnx"), "%s: message: %s", what, text);
    if (m)
        ir_module_free(m);
}

/* Runs on x = start, start + step, ...; the first output in `y`. Returns its elements, -1 when it does not load. */
static int64_t run(struct build *b, double start, double step, double *y, int64_t max, const char *what)
{
    char text[65536];
    struct ir_module *m = load(b, NULL, text, sizeof text);
    CHECKF(m != NULL, "%s: %s", what, text);
    if (!m)
        return -1;
    int64_t nin = ir_type_numel(&m->first->type), n = ir_type_numel(&m->outputs[0]->type);
    double *x = malloc(sizeof *x * (size_t)nin);
    const double *in[1] = {x};
    double *out[1] = {y};
    for (int64_t i = 0; i < nin; i++)
        x[i] = start + (double)i * step;
    CHECKF(n <= max && ir_interp(m, in, out, NULL) == 0, "%s", what);
    free(x);
    ir_module_free(m);
    return n;
}

static void expect(struct build *b, double start, double step, const char *what, int64_t n, const double *want)
{
    double y[4096];
    int64_t got = run(b, start, step, y, 4096, what);
    CHECKF(got == n, "%s: %lld elements instead of %lld", what, (long long)got, (long long)n);
    for (int64_t i = 0; i < n && got == n; i++)
        CHECKF(fabs(y[i] - want[i]) < 1e-6, "%s: element %lld is %g instead of %g", what, (long long)i, y[i], want[i]);
}

static struct build *unary(int64_t opset, const char *op, const char *in, Onnx__NodeProto **n)
{
    struct build *b = b_new(opset);
    b_input(b, "x", DIMS(1, 6));
    b_output(b, "y");
    Onnx__NodeProto *p = b_node(b, op, in, "y");
    if (n)
        *n = p;
    return b;
}

static void broken_models(void)
{
    struct build *b = unary(13, "Add", "x,w", NULL);
    refused(b, NULL, "missing initialiser", 1, "\"w\"", "(Add)");
    b = unary(13, "Relu", "x", NULL);
    b->out[0] = b_value("nowhere", DIMS(1));
    refused(b, NULL, "output of nothing", 1, "nowhere", "computed by no node");
    b = unary(13, "Relu", "z", NULL);
    b_node(b, "Relu", "y", "z");
    refused(b, NULL, "cycle", 1, "cycle", "(Relu)");
    b = unary(13, "Relu", "x", NULL);
    b_node(b, "Relu", "x", "y");
    refused(b, NULL, "defined twice", 1, "defined twice", "y");
    b = unary(13, "Add", "x,w", NULL);
    b_floats(b, "w", DIMS(6), NULL)->n_float_data = 5;
    refused(b, NULL, "short data", 1, "initialiser \"w\"", "5 elements");
    b = unary(13, "Add", "x,w", NULL);
    b_floats(b, "w", DIMS(6), NULL)->dims[0] = (int64_t)1 << 62;
    refused(b, NULL, "huge tensor", 1, "impossible dimension", "initialiser \"w\"");
    b = unary(13, "Add", "x,w", NULL);
    b_floats(b, "w", DIMS(5), NULL);
    refused(b, NULL, "shapes", 1, "[1,6]", "[5]");
    b = unary(13, "Relu", "x", NULL);
    b->in[0] = b_value("x", DIMS(1, 0, 6));
    refused(b, NULL, "symbolic axis", 1, "input \"x\"", "axis 1");
    b = unary(13, "Relu", "x", NULL);
    b->in[0] = b_value("x", DIMS(1, (int64_t)1 << 40, (int64_t)1 << 40));
    refused(b, NULL, "huge input", 1, "input \"x\"", "too large");
    b = unary(13, "Tile", "x,r", NULL);
    LONGS(b, "r", 1 << 13, 1 << 13);
    refused(b, NULL, "huge tile", 1, "too large", "(Tile)");
    b = unary(13, "Add", "x,c", NULL);
    b_node(b, "ConstantOfShape", "s", "c");
    LONGS(b, "s", (int64_t)1 << 30, (int64_t)1 << 30);
    refused(b, NULL, "huge constant", 1, "too large", "(ConstantOfShape)");
    b = unary(0, "Relu", "x", NULL);
    refused(b, NULL, "no operator set", 1, "operator set", "");
    b = unary(13, "Div", "w,x", NULL);
    b_floats(b, "w", DIMS(6), NULL);
    refused(b, NULL, "division by a value", 1, "(Div)", "encrypted");
    b = b_new(13);
    b_output(b, "y");
    b_node(b, "Neg", "w", "y");
    b_floats(b, "w", DIMS(6), NULL);
    refused(b, NULL, "constant output", 1, "\"y\"", "constant");
    b = b_new(13);
    refused(b, NULL, "empty graph", 1, "no output", "");
}

static void all_at_once(void)
{
    struct build *b = b_new(13);
    b_input(b, "x", DIMS(1, 4, 4));
    b_output(b, "y");
    b_node(b, "Softmax", "x", "a")->name = b_dup("attention");
    b_node(b, "MatMul", "a,x", "b")->name = b_dup("scores");
    b_node(b, "Frobnicate", "b", "c")->name = b_dup("odd");
    b_node(b, "Relu", "c", "d");
    b_node(b, "LSTM", "d", "y")->name = b_dup("memory");
    char text[65536];
    CHECK(!load(b, NULL, text, sizeof text));
    CHECKF(diag_error_count() == 4, "%d errors: %s", diag_error_count(), text);
    CHECKF(strstr(text, "\"attention\" (Softmax)") && strstr(text, "[1,4,4]") && strstr(text, "\"scores\" (MatMul)") &&
           strstr(text, "\"odd\" (Frobnicate)") && strstr(text, "\"memory\" (LSTM)"), "%s", text);
}

static void external_data(void)
{
    char dir[] = "/tmp/t_onnx_load.XXXXXX", path[256];
    CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/w.bin", dir);
    FILE *f = fopen(path, "wb");
    float w[7] = {0, 1, 2, 3, 4, 5, 6};
    CHECK(f && fwrite(w, 4, 7, f) == 7 && !fclose(f));
    snprintf(path, sizeof path, "%s/link", dir);
    CHECK(symlink("/etc/passwd", path) == 0);
    struct { const char *location, *offset, *length, *piece; } t[] = {
        {"w.bin", "4", "24", NULL}, {"missing.bin", "0", "24", "missing.bin"}, {"../w.bin", "0", "24", "leaves"},
        {"/etc/passwd", "0", "24", "leaves"}, {"a/../../w.bin", "0", "24", "leaves"}, {"link", "0", "24", "out of the model's directory"},
        {"w.bin", "8", "24", "too short"}, {"w.bin", "0", "99", "length"}, {"w.bin", "-4", "24", "offset"}, {".", "0", "24", "."},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct build *b = unary(13, "Add", "x,w", NULL);
        Onnx__TensorProto *p = b_floats(b, "w", DIMS(6), NULL);
        const char *key[3] = {"location", "offset", "length"}, *value[3] = {t[i].location, t[i].offset, t[i].length};
        p->n_float_data = 0;
        p->has_data_location = 1;
        p->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
        p->external_data = b_alloc(3, sizeof *p->external_data);
        for (int k = 0; k < 3; k++) {
            Onnx__StringStringEntryProto *e = p->external_data[p->n_external_data++] = b_alloc(1, sizeof *e);
            onnx__string_string_entry_proto__init(e);
            e->key = b_dup(key[k]);
            e->value = b_dup(value[k]);
        }
        char text[65536];
        if (t[i].piece) {
            refused(b, dir, t[i].location, 1, "initialiser \"w\"", t[i].piece);
            continue;
        }
        struct ir_module *m = load(b, dir, text, sizeof text);
        CHECKF(m && m->consts && ir_const_at(m->consts, 0) == 1 && ir_const_at(m->consts, 5) == 6, "external data: %s", text);
        if (m)
            ir_module_free(m);
        refused(b, NULL, "external data without a directory", 1, "initialiser \"w\"", "external");
    }
    unlink(path);
    snprintf(path, sizeof path, "%s/w.bin", dir);
    unlink(path);
    rmdir(dir);
}

/* Attribute forms of old operator sets and input forms of new ones. */
static void both_forms(void)
{
    Onnx__NodeProto *n;
    struct build *b = unary(9, "Slice", "x", &n);
    b_ints(n, "starts", DIMS(1));
    b_ints(n, "ends", DIMS(-1));
    b_ints(n, "axes", DIMS(1));
    expect(b, 0, 1, "Slice 9", 4, (double[]){1, 2, 3, 4});
    b = unary(13, "Slice", "x,s,e,a,t", NULL);
    LONGS(b, "s", -1), LONGS(b, "e", INT64_MIN), LONGS(b, "a", -1), LONGS(b, "t", -2);
    expect(b, 0, 1, "Slice 13, backwards", 3, (double[]){5, 3, 1});
    b = unary(6, "Clip", "x", &n);
    b_float(n, "min", 1);
    b_float(n, "max", 3);
    expect(b, 0, 1, "Clip 6", 6, (double[]){1, 1, 2, 3, 3, 3});
    b = unary(13, "Clip", "x,,hi", NULL);
    b_floats(b, "hi", 0, NULL, (float[]){2.5f});
    expect(b, 0, 1, "Clip 13, upper bound", 6, (double[]){0, 1, 2, 2.5, 2.5, 2.5});
    b = unary(11, "Unsqueeze", "x", &n);
    b_ints(n, "axes", DIMS(0, 3));
    expect(b, 0, 1, "Unsqueeze 11", 6, (double[]){0, 1, 2, 3, 4, 5});
    b = unary(13, "ReduceSum", "x,a", &n);
    LONGS(b, "a", 1);
    b_int(n, "keepdims", 0);
    expect(b, 0, 1, "ReduceSum 13", 1, (double[]){15});
    b = unary(11, "ReduceSum", "x", &n);
    b_ints(n, "axes", DIMS(-1));
    expect(b, 0, 1, "ReduceSum 11", 1, (double[]){15});
    b = unary(9, "Pad", "x", &n);
    b_ints(n, "pads", DIMS(0, 1, 0, -4));
    b_float(n, "value", 7);
    expect(b, 0, 1, "Pad 9", 3, (double[]){7, 0, 1});
    b = unary(13, "Pad", "x,p,v", NULL);
    LONGS(b, "p", 0, 1, 0, -4);
    b_floats(b, "v", 0, NULL, (float[]){7});
    expect(b, 0, 1, "Pad 13", 3, (double[]){7, 0, 1});
    b = unary(13, "Reshape", "x,s", NULL);
    LONGS(b, "s", 1, 2, -1);
    expect(b, 0, 1, "Reshape", 6, (double[]){0, 1, 2, 3, 4, 5});
    b = unary(13, "Dropout", "x", NULL);
    expect(b, 0, 1, "Dropout", 6, (double[]){0, 1, 2, 3, 4, 5});
    b = unary(13, "Gemm", "x,w,c", &n);
    b_floats(b, "w", DIMS(6, 2), NULL);
    b_floats(b, "c", DIMS(2), NULL);
    b_float(n, "alpha", 2);
    b_float(n, "beta", 3);
    expect(b, 1, 0, "Gemm", 2, (double[]){60, 75});
    b = unary(13, "MatMul", "w,x", NULL);                       // constant on the left
    b_floats(b, "w", DIMS(2, 1), (float[]){1, 10});
    expect(b, 0, 1, "MatMul, constant on the left", 12, (double[]){0, 1, 2, 3, 4, 5, 0, 10, 20, 30, 40, 50});
    b = unary(13, "Concat", "x,w", &n);
    b_floats(b, "w", DIMS(1, 2), (float[]){8, 9});
    b_int(n, "axis", 1);
    expect(b, 0, 1, "Concat with a constant", 8, (double[]){0, 1, 2, 3, 4, 5, 8, 9});
    b = unary(13, "Sub", "w,x", NULL);
    b_floats(b, "w", DIMS(1), (float[]){1});
    expect(b, 0, 1, "constant minus value", 6, (double[]){1, 0, -1, -2, -3, -4});
}

/* The activation that the module holds, "" when none or several. */
static void recognised(struct build *b, const char *fn, double (*f)(double), double factor)
{
    char text[65536];
    struct ir_module *m = load(b, NULL, text, sizeof text);
    CHECKF(m != NULL, "%s: %s", fn, text);
    if (!m)
        return;
    int acts = 0, right = 0, others = 0;
    for (const struct ir_inst *x = m->first; x; x = x->next) {
        acts += x->op == IR_TENSOR_act;
        right += x->op == IR_TENSOR_act && !strcmp(ir_get_string(x->attrs, "fn", ""), fn);
        others += x->op == IR_TENSOR_mul || x->op == IR_TENSOR_mulc || x->op == IR_TENSOR_addc;
    }
    CHECKF(acts == 1 && right == 1 && others == (factor != 1), "%s: %d activations, %d right, %d other operations", fn, acts, right, others);
    ir_module_free(m);
    double y[16];
    CHECK(run(b, -3, 1, y, 16, fn) == 6);
    for (int i = 0; i < 6; i++)
        CHECKF(fabs(y[i] - factor * f(-3 + i)) < 1e-6, "%s(%d) = %g", fn, -3 + i, y[i]);
}

static double gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double silu(double x) { return x / (1 + exp(-x)); }
static double hardswish(double x) { return x * fmin(fmax(x / 6 + 0.5, 0), 1); }

static void patterns(void)
{
    for (int form = 0; form < 4; form++) {                      // where the factor 1/2 stands; 3: forgotten
        struct build *b = b_new(13);
        b_input(b, "x", DIMS(1, 6));
        b_output(b, "y");
        b_floats(b, "r2", 0, NULL, (float[]){1.41421356f});
        b_floats(b, "one", 0, NULL, (float[]){1});
        b_floats(b, "half", 0, NULL, (float[]){0.5f});
        b_node(b, "Div", "x,r2", "d");
        b_node(b, "Erf", "d", "e");
        b_node(b, "Add", "e,one", "a");
        if (form == 0) {
            b_node(b, "Mul", "x,half", "h");
            b_node(b, "Mul", "h,a", "y");
        } else if (form == 1) {
            b_node(b, "Mul", "a,half", "h");
            b_node(b, "Mul", "x,h", "y");
        } else if (form == 2) {
            b_node(b, "Mul", "x,a", "h");
            b_node(b, "Mul", "h,half", "y");
        } else {
            b_node(b, "Mul", "a,x", "y");
        }
        recognised(b, "gelu", gelu, form == 3 ? 2 : 1);
    }
    struct build *b = unary(13, "Mul", "x,s", NULL);
    b_node(b, "Sigmoid", "x", "s");
    recognised(b, "silu", silu, 1);
    Onnx__NodeProto *n;
    b = unary(13, "Mul", "s,x", NULL);
    n = b_node(b, "HardSigmoid", "x", "s");
    b_float(n, "alpha", 1 / 6.0f);
    recognised(b, "hardswish", hardswish, 1);
}

/* A symbolic batch, a shape chain, a trailing softmax, an input without a batch axis. */
static void ports(void)
{
    char text[65536];
    struct build *b = b_new(13);
    b_input(b, "x", DIMS(0, 2, 3));
    b_output(b, "y");
    b_node(b, "Shape", "x", "s");
    b_node(b, "Gather", "s,zero", "n");
    b_node(b, "Concat", "n,rest", "t")->n_attribute = 0;
    b_int(b->node[2], "axis", 0);
    b_node(b, "Reshape", "x,t", "r");
    b_node(b, "Softmax", "r", "z");
    b_node(b, "Identity", "z", "y");
    LONGS(b, "zero", 0), LONGS(b, "rest", -1);
    struct ir_module *m = load(b, NULL, text, sizeof text);
    CHECKF(m && m->noutputs == 1 && !strcmp(ir_get_string(m->output_attrs[0], "post", ""), "softmax:1"), "%s", text);
    if (m) {
        CHECK(m->outputs[0]->type.rank == 2 && m->outputs[0]->type.dim[0] == 1 && m->outputs[0]->type.dim[1] == 6);
        CHECK(ir_verify(m) == 0);
        ir_module_free(m);
    }
    b = b_new(13);
    b_input(b, "x", DIMS(2, 3));
    b_output(b, "y");
    b_int(b_node(b, "ArgMax", "x", "y"), "axis", 1);
    m = load(b, NULL, text, sizeof text);
    CHECKF(m && m->first->type.rank == 3 && m->first->type.dim[0] == 1 &&
           !strcmp(ir_get_string(m->output_attrs[0], "post", ""), "argmax:2"), "%s", text);
    if (m) {
        const struct ir_attr *s = ir_attr_find(m->output_attrs[0], "postshape");
        CHECK(s && s->ints.n == 3 && s->ints.v[1] == 2 && s->ints.v[2] == 1);
        ir_module_free(m);
    }
}

/* Truncations and random changes of real files; 1,000 of them. */
static void mutations(const char *root)
{
    char dir[4096], path[8192];
    snprintf(dir, sizeof dir, "%s/tests/fuzz/corpus/onnx_load", root);
    DIR *d = opendir(dir);
    struct dirent *e;
    uint64_t state = 20240917;
    int done = 0, accepted = 0;
    diag_set_quiet(2);
    for (; d && done < 1000; rewinddir(d))
        while ((e = readdir(d)) && done < 1000) {
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            size_t len;
            uint8_t *p = e->d_name[0] == '.' ? NULL : onnx_read_file(path, &len);
            if (!p)
                continue;
            for (int k = 0; k < 8 && done < 1000 && len; k++, done++) {
                uint8_t *q = malloc(len);
                memcpy(q, p, len);
                size_t cut = len;
                for (int j = 0; j <= k; j++) {
                    state = state * 6364136223846793005u + 1442695040888963407u;
                    if (k == 0)
                        cut = (state >> 20) % len;
                    else
                        q[(state >> 20) % len] = (uint8_t)(state >> 56);
                }
                diag_reset();
                struct ir_module *m = onnx_load_bytes(e->d_name, q, cut, NULL);
                CHECKF(!m == (diag_error_count() > 0), "%s, mutation %d: no module and no error", e->d_name, done);
                accepted += m != NULL;
                if (m)
                    ir_module_free(m);
                free(q);
            }
            free(p);
        }
    if (d)
        closedir(d);
    diag_set_quiet(1);
    CHECKF(done == 1000, "no seeds in %s", dir);
    printf("%d mutated models: %d accepted, %d refused\n", done, accepted, done - accepted);
}

/* 100,000 nested messages must be refused, not recursed into. */
static void nesting(void)
{
    size_t levels = 100000, len = 0;
    uint8_t *p = malloc(levels * 8 + 16), *end = p + levels * 8 + 16, *at = end;
    for (size_t i = 0; i < levels; i++) {           // inside out: graph (model field 7) > node (1) > attribute (5) > graph (6) ...
        uint8_t head[8];
        size_t n = 0;
        uint32_t field = i == levels - 1 ? 7 : (uint32_t[]){6, 5, 1}[(levels - 2 - i) % 3 == 0 ? 2 : (levels - 2 - i) % 3 == 1 ? 1 : 0];
        head[n++] = (uint8_t)(field << 3 | 2);
        for (size_t v = len; ; v >>= 7) {
            head[n++] = (uint8_t)(v > 127 ? (v & 127) | 128 : v);
            if (v <= 127)
                break;
        }
        at -= n;
        memcpy(at, head, n);
        len += n;
    }
    diag_set_quiet(2);
    diag_reset();
    CHECK(!onnx_load_bytes("deep.onnx", at, len, NULL) && diag_error_count() == 1);
    diag_set_quiet(1);
    free(p);
}

int main(int argc, char **argv)
{
    diag_set_quiet(1);
    broken_models();
    all_at_once();
    external_data();
    both_forms();
    patterns();
    ports();
    nesting();
    mutations(argc > 1 ? argv[1] : ".");
    diag_set_quiet(2);
    CHECK(!onnx_load("/nonexistent/model.onnx"));
    b_free_all();
    return test_done();
}
