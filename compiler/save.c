// SPDX-License-Identifier: Apache-2.0
// A module on disk: PATH holds the text, PATH.npz the constants in their order, except those that the text has.
#include "../runtime/npy.h"
#include "diag.h"
#include "ir.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const enum ck_npy_type npy_type[] = {[IR_F64] = CK_NPY_F8, [IR_F32] = CK_NPY_F4, [IR_I64] = CK_NPY_I8, [IR_I32] = CK_NPY_I4};

static const char *save_consts(struct ir_module *m, const char *path)
{
    size_t n = 0;
    for (const struct ir_const *c = m->consts; c; c = c->next) n++;
    struct arena *a = arena_new();
    const char **name = ARENA_ARRAY(a, const char *, n);
    struct ck_npy *array = ARENA_ARRAY(a, struct ck_npy, n);
    n = 0;
    for (const struct ir_const *c = m->consts; c; c = c->next) {
        if (c->in_text) continue;
        name[n] = c->name;
        array[n] = (struct ck_npy){.type = npy_type[c->dtype], .rank = c->rank, .data = c->data};
        memcpy(array[n++].dim, c->dim, c->rank * sizeof *c->dim);
    }
    const char *wrong = ck_npz_write(path, n, name, array);
    arena_free(a);
    return wrong;
}

int ir_save(struct ir_module *m, const char *path)
{
    struct arena *a = arena_new();
    const char *npz = arena_printf(a, "%s.npz", path), *at = npz;
    struct ck_out_file out;
    const char *wrong = save_consts(m, npz);
    if (!wrong) {
        at = path;
        wrong = ck_out_open(&out, path, 0644);
        if (!wrong) {
            ir_print(out.f, m);
            wrong = ck_out_close(&out, 1);
        }
    }
    if (wrong) diag_error(at, "%s", wrong);
    arena_free(a);
    return wrong ? -1 : 0;
}

static bool resolved(const struct ir_module *m, const struct ir_attr *a)
{
    char part[4200];
    for (; a; a = a->next) {
        if (a->kind != IR_SYMBOL) continue;
        snprintf(part, sizeof part, "%s.dim", a->s);
        if (!ir_const_find(m, a->s) && !ir_const_find(m, part)) return false;
    }
    return true;
}

// Does the text have every constant that it names?
static bool complete(const struct ir_module *m)
{
    for (const struct ir_inst *i = m->first; i; i = i->next)
        if (!resolved(m, i->attrs)) return false;
    return true;
}

static int load_consts(struct ir_module *m, const char *path)
{
    struct ck_npz z;
    if (access(path, F_OK) && complete(m)) return 0;
    const char *wrong = ck_npz_read(&z, path);
    if (wrong) {
        diag_error(path, "%s (the constants of a module lie beside its text)", wrong);
        return -1;
    }
    int status = 0;
    for (size_t k = 0; k < z.count && !status; k++) {
        const struct ck_npy *y = &z.array[k];
        int t = 0;
        while (t < 4 && npy_type[t] != y->type) t++;
        if (t == 4 || y->rank > IR_MAX_RANK) {
            diag_error(path, "array '%s' is not of type f8, f4, i8 or i4", z.name[k]);
            status = -1;
            continue;
        }
        struct ir_const *c = ir_const_add(m, z.name[k], (enum ir_dtype)t, y->rank, y->dim);
        if (strcmp(c->name, z.name[k])) {
            diag_error(path, "constant '%s' is defined twice", z.name[k]);
            status = -1;
        }
        if (ck_npy_numel(y)) memcpy(c->data, y->data, ck_npy_numel(y) * ck_npy_width(y->type));
    }
    ck_npz_clear(&z);
    return status;
}

struct ir_module *ir_load(const char *path)
{
    void *text;
    size_t len;
    const char *wrong = ck_file_slurp(&text, &len, path);
    if (wrong) {
        diag_error(path, "%s", wrong);
        return NULL;
    }
    struct ir_module *m = ir_parse(path, text, len);
    free(text);
    if (!m) return NULL;
    struct arena *a = arena_new();
    int status = load_consts(m, arena_printf(a, "%s.npz", path));
    arena_free(a);
    if (!status && !ir_verify(m)) return m;
    ir_module_free(m);
    return NULL;
}
