// SPDX-License-Identifier: Apache-2.0
// The IR: the documented examples parse and print back, bad text is refused, modules survive the disk, interpreters and verifier agree
// with hand-computed values. usage: t_ir docs/IR.md
#include "../../compiler/diag.h"
#include "../../compiler/ir.h"
#include "../test.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *s = calloc(1, 1 << 20);
    if (!f || !s || fread(s, 1, (1 << 20) - 1, f) == 0) exit(1);
    fclose(f);
    return s;
}

// The interpreter gives finite numbers on a ramp.
static void runs(struct ir_module *m)
{
    double x[256], y[256], *out = y;
    const double *in = x;
    for (int k = 0; k < 256; k++) x[k] = 0.01 * k - 0.2;
    CHECK(!ir_interp(m, &in, &out, NULL));
    for (int64_t k = 0; k < ir_type_numel(&m->outputs[0]->type); k++) CHECK(isfinite(y[k]));
}

// Every ```ir block of docs/IR.md; together they use every operation.
static void documented(const char *path)
{
    char *doc = slurp(path), *at = doc;
    int blocks = 0;
    while ((at = strstr(at, "```ir\n"))) {
        at += 6;
        size_t n = (size_t)(strstr(at, "```") - at);
        struct ir_module *m = ir_parse(path, at, n);
        CHECK(m != NULL);
        if (!m) continue;
        char *back = ir_print_string(m);
        CHECKF(strlen(back) == n && !memcmp(back, at, n), "block %d prints back as\n%s", blocks, back);
        free(back);
        CHECKF(!ir_verify(m), "block %d does not verify", blocks);
        runs(m);
        ir_module_free(m);
        blocks++;
    }
    CHECK(blocks == 4);
    for (enum ir_op op = 0; op < IR_OP_COUNT; op++) {
        if (strstr(ir_op_name(op), ".input")) continue;
        char want[64];
        snprintf(want, sizeof want, " = %s ", ir_op_name(op));
        CHECKF(strstr(doc, want) != NULL, "no example of %s", ir_op_name(op));
    }
    free(doc);
}

// Each edit of a good module must be refused with an error, not a crash.
static void refused(void)
{
    static const char good[] = "module @m vec\nfunc @main(%0: vec<1x8> {name=\"x\"}) -> (vec<1x8>) {\n"
                               "  %1 = vec.mul %0, %0 {a=1, b=0x1p+0, c=\"s\", d=[1, -2], e=f[0x1p-1], f=@w} : vec<1x8>\n  ret %1\n}\n";
    struct ir_module *m = ir_parse("good", good, strlen(good));
    CHECK(m != NULL);
    if (m) {
        char *s = ir_print_string(m);
        CHECK(!strcmp(s, good));
        free(s);
        ir_module_free(m);
    }
    static const char *const edits[][2] = {
        {"module", "modul"}, {"@m vec", "@m foo"}, {"%1 = ", "%2 = "}, {"vec.mul", "vec.mull"}, {"a=1", "a=01"},
        {"a=1, b", "z=1, b"}, {"%0, %0", "%0, %7"}, {"0x1p+0", "1.0"}, {"\"s\"", "\"s"}, {"[1, -2]", "[1,-2]"},
        {"ret %1", "ret"}, {"}\n", "}"}, {"f[0x1p-1]", "f[1]"}, {"@w", "@\"w\""}, {"-> (vec<1x8>)", "-> (vec<1x9>)"},
    };
    diag_set_quiet(2);
    for (size_t k = 0; k < sizeof edits / sizeof *edits; k++) {
        char text[512] = "";
        const char *hit = strstr(good, edits[k][0]);
        if (!strcmp(edits[k][0], "}\n")) hit = good + strlen(good) - 2;
        memcpy(text, good, (size_t)(hit - good));
        strcat(text, edits[k][1]);
        strcat(text, hit + strlen(edits[k][0]));
        int before = diag_error_count();
        m = ir_parse("bad", text, strlen(text));
        CHECKF(!m && diag_error_count() == before + 1, "accepted: %s -> %s", edits[k][0], edits[k][1]);
        ir_module_free(m);
    }
    for (size_t n = 0; n < strlen(good); n++) {     // every truncation
        m = ir_parse("cut", good, n);
        CHECK(!m);
        ir_module_free(m);
    }
    diag_set_quiet(0);
}

// y = fold(M x) + b on 8 slots, a square and a polynomial, through the disk.
static struct ir_module *sample(void)
{
    struct ir_module *m = ir_module_new("sample", IR_VEC);
    struct ir_type t = ir_type_vec(1, 8);
    struct ir_inst *x = ir_build(m, NULL, IR_VEC_input, t, 0, NULL);
    ir_set_string(m, ir_inst_attrs(x), "name", "x \"quoted\"\n");
    int64_t ptr[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    int32_t col[8] = {1, 2, 3, 4, 5, 6, 7, 0};
    double val[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const char *mat = ir_csr_add(m, "m", &(struct ir_csr){.rows = 8, .cols = 8, .ptr = ptr, .col = col, .val = val});
    struct ir_inst *y = ir_build(m, NULL, IR_VEC_linear, t, 1, &x);
    ir_set_symbol(m, ir_inst_attrs(y), "mat", mat);
    ir_set_ints(m, ir_inst_attrs(y), "fold", (int64_t[]){4, 2}, 2);
    int64_t eight = 8, three = 3;
    struct ir_const *b = ir_const_add(m, "b", IR_F64, 1, &eight), *c = ir_const_add(m, "c", IR_F64, 1, &three);
    for (int k = 0; k < 8; k++) ((double *)b->data)[k] = 0.5 * k;
    memcpy(c->data, (double[]){1, 0, 0.5}, sizeof(double[3]));
    ir_set_symbol(m, ir_inst_attrs(y), "bias", b->name);
    struct ir_inst *z = ir_build(m, NULL, IR_VEC_mul, t, 2, (struct ir_inst *[]){y, y});
    struct ir_inst *p = ir_build(m, NULL, IR_VEC_poly, t, 1, &z);
    ir_set_symbol(m, ir_inst_attrs(p), "coeffs", c->name);
    ir_add_output(m, p, NULL);
    return m;
}

static void disk_and_interpreter(void)
{
    char path[] = "/tmp/t_irXXXXXX", npz[64];
    int fd = mkstemp(path);
    if (fd < 0) exit(1);
    close(fd);
    snprintf(npz, sizeof npz, "%s.npz", path);
    struct ir_module *m = sample();
    CHECK(!ir_verify(m) && !ir_save(m, path));
    struct ir_module *l = ir_load(path);
    CHECK(l && !ir_verify(l));
    char *a = ir_print_string(m), *b = l ? ir_print_string(l) : NULL;
    CHECK(b && !strcmp(a, b));
    double x[8], want[8], got[8], *out = got;
    const double *in = x;
    for (int k = 0; k < 8; k++) x[k] = 0.01 * (k - 3);
    for (int s = 0; s < 8; s++) {
        double sum = 0;
        for (int k = s % 2; k < 8; k += 2) sum += (k + 1) * x[(k + 1) % 8];     // folds 4 and 2 sum every second slot
        double y = sum + 0.5 * s, z = y * y;
        want[s] = 1 + 0.5 * (2 * z * z - 1);
    }
    CHECK(l && !ir_interp(l, &in, &out, NULL));
    for (int s = 0; s < 8; s++) CHECKF(fabs(got[s] - want[s]) < 1e-12, "slot %d: %g instead of %g", s, got[s], want[s]);
    diag_set_quiet(2);
    FILE *f = fopen(npz, "r+b");
    CHECK(f && !ftruncate(fileno(f), 100));
    if (f) fclose(f);
    CHECK(!ir_load(path));
    unlink(npz);
    CHECK(!ir_load(path));
    unlink(path);
    CHECK(!ir_load(path));
    diag_set_quiet(0);
    free(a);
    free(b);
    ir_module_free(m);
    ir_module_free(l);
}

// The verifier refuses what an edit breaks.
static void verified(void)
{
    diag_set_quiet(2);
    for (int k = 0; k < 6; k++) {
        struct ir_module *m = sample();
        struct ir_inst *lin = m->first->next, *poly = m->last;
        int64_t *ptr = ir_csr_find(m, "m").ptr;
        int32_t *col = ir_csr_find(m, "m").col;
        switch (k) {
        case 0: ptr[4] = 100; break;
        case 1: col[3] = 8; break;
        case 2: lin->type.n = 16; break;
        case 3: ir_set_symbol(m, ir_inst_attrs(poly), "coeffs", "nothing"); break;
        case 4: ir_set_int(m, ir_inst_attrs(lin), "bias", 3); break;
        case 5: poly->op = IR_CKKS_poly; break;
        }
        CHECKF(ir_verify(m) != 0, "edit %d was accepted", k);
        ir_module_free(m);
    }
    diag_set_quiet(0);
}

static void editing(void)
{
    struct ir_module *m = sample();
    struct ir_inst *x = m->first, *y = x->next, *z = y->next;
    CHECK(ir_count_uses(m, y) == 2 && ir_count_uses(m, m->last) == 1);
    ir_replace_uses(m, y, x);
    CHECK(ir_count_uses(m, y) == 0 && z->args[0] == x && z->args[1] == x);
    ir_remove_dead(m);
    CHECK(x->next == z && z->prev == x);
    ir_const_gc(m);
    CHECK(!ir_const_find(m, "m.val") && !ir_const_find(m, "b") && ir_const_find(m, "c"));
    int64_t one = 1;
    CHECK(!strcmp(ir_const_add(m, "c", IR_F64, 1, &one)->name, "c_1"));
    ir_module_free(m);
}

/* Matrices go one by one, with their own parts only; large memory goes back at once. */
static void dropping(void)
{
    enum { N = 40000 };
    struct ir_module *m = ir_module_new("d", IR_TENSOR);
    struct arena *a = arena_new();
    struct ir_csr mat = {.rows = N, .cols = N, .ptr = ARENA_ARRAY(a, int64_t, N + 1), .col = ARENA_ARRAY(a, int32_t, N),
                         .val = ARENA_ARRAY(a, double, N)};
    for (int k = 0; k < N; k++) mat.ptr[k + 1] = k + 1, mat.col[k] = k, mat.val[k] = k;
    const char *first = ir_csr_add(m, "w", &mat);
    int64_t n = N;
    CHECK(!strcmp(ir_const_add(m, "w.bias", IR_F64, 1, &n)->name, "w.bias"));
    const char *second = ir_csr_add(m, "w", &mat);
    arena_release(a, mat.col);
    arena_release(a, mat.col);          // unknown by now: nothing happens
    arena_release(a, mat.val + 1);
    CHECK(mat.ptr[N] == N && mat.val[N - 1] == N - 1);
    ir_csr_drop(m, first);
    CHECK(!ir_const_find(m, "w.val") && !ir_const_find(m, "w.dim") && ir_const_find(m, "w.bias"));
    struct ir_csr left = ir_csr_find(m, second);
    CHECK(left.rows == N && left.val[N - 1] == N - 1 && left.col[N - 1] == N - 1);
    CHECK(ir_const_add(m, "after", IR_F64, 1, &n) == m->last_const && ir_const_find(m, "after"));
    arena_free(a);
    ir_module_free(m);
}

int main(int argc, char **argv)
{
    if (argc < 2) return 1;
    documented(argv[1]);
    refused();
    disk_and_interpreter();
    verified();
    editing();
    dropping();
    return test_done();
}
