// SPDX-License-Identifier: Apache-2.0
// Arrays from files as inputs of a model: shapes, batches, options for the passes.
#include "cmd.h"
#include "diag.h"
#include "layout.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t ir_input_count(const struct ir_module *m)
{
    uint32_t n = 0;
    while (ir_input(m, n)) n++;
    return n;
}

struct ir_inst *ir_input(const struct ir_module *m, uint32_t i)
{
    for (struct ir_inst *x = m->first; x; x = x->next)
        if (x->op == IR_TENSOR_input || x->op == IR_VEC_input || x->op == IR_CKKS_input)
            if (i-- == 0) return x;
    return NULL;
}

struct ir_type io_shape(const struct ir_type *t, const struct ir_attr *attrs)
{
    if (t->kind == IR_TENSOR) return *t;
    struct layout l;
    const char *text = ir_get_string(attrs, "layout", "");
    int64_t dim[IR_MAX_RANK + 1] = {1};
    ICE_IF(layout_parse(&l, text) || l.rank >= IR_MAX_RANK, "layout \"%s\" does not parse", text);
    for (uint32_t d = 0; d < l.rank; d++) dim[d + 1] = l.dim[d];
    return ir_type_tensor(l.rank + 1, dim);
}

static const char *shape_text(char buf[128], uint32_t rank, const int64_t *dim)
{
    size_t at = 0;
    buf[0] = 0;
    for (uint32_t i = 0; i < rank && at < 100; i++)
        at += (size_t)snprintf(buf + at, 128 - at, "%s%lld", i ? "x" : "", (long long)dim[i]);
    return rank ? buf : "scalar";
}

/* Batch of an array for an input of shape [1, dim[1], ...]: the leading axis, or 1 where it is left out; -1 if neither fits. */
static int64_t batch_of(const struct ck_npy *a, uint32_t rank, const int64_t *dim)
{
    if (a->rank == rank && rank) {
        for (uint32_t i = 1; i < rank; i++)
            if (a->dim[i] != dim[i]) return -1;
        return a->dim[0];
    }
    if (a->rank + 1 == rank) {
        for (uint32_t i = 1; i < rank; i++)
            if (a->dim[i - 1] != dim[i]) return -1;
        return 1;
    }
    return -1;
}

int samples_read(double **out, int64_t *batch, struct arena *arena, const char *option, const char *path, const char *member,
                 uint32_t rank, const int64_t *dim)
{
    struct ck_npy a;
    const char *why = ck_array_read(&a, path, member);
    if (why && member) why = ck_array_read(&a, path, NULL);
    if (why) {
        diag_error(option, "%s: %s", path, why);
        return -1;
    }
    char have[128], want[128];
    int64_t b = batch_of(&a, rank, dim);
    int bad = b <= 0;
    if (bad)
        diag_error(option, "%s has shape %s, the model's input is %s (the first axis may be a batch)", path,
                   shape_text(have, a.rank, a.dim), shape_text(want, rank, dim));
    size_t n = ck_npy_numel(&a);
    double *v = bad ? NULL : ARENA_ARRAY(arena, double, n);
    for (size_t i = 0; !bad && i < n; i++) {
        v[i] = ck_npy_at(&a, i);
        if (!isfinite(v[i])) {
            diag_error(option, "%s: element %zu is not a finite number", path, i);
            bad = 1;
        }
    }
    ck_npy_clear(&a);
    if (bad) return -1;
    *out = v;
    *batch = b;
    return 0;
}

/* "name=file": the file, when the name is this input's; "file": the file for the only or the next unnamed input; one .npz may hold
 * all of them. */
int inputs_match(const char **path, const struct ir_module *m, const char *option, const struct arg_list *texts)
{
    uint32_t n = ir_input_count(m), unnamed = 0;
    for (uint32_t i = 0; i < n; i++) path[i] = NULL;
    for (size_t t = 0; t < texts->n; t++) {
        const char *text = texts->v[t], *eq = strchr(text, '=');
        uint32_t i = n;
        if (eq)
            for (i = 0; i < n; i++) {
                const char *name = ir_get_string(ir_input(m, i)->attrs, "name", "");
                if (strlen(name) == (size_t)(eq - text) && !strncmp(name, text, (size_t)(eq - text))) break;
            }
        if (i < n) {
            path[i] = eq + 1;
            continue;
        }
        while (unnamed < n && path[unnamed]) unnamed++;
        if (unnamed == n) {
            diag_error(option, "\"%s\": the model has %u input%s%s", text, n, n == 1 ? "" : "s", n ? ", all given already" : "");
            return -1;
        }
        path[unnamed] = text;
    }
    size_t len = texts->n == 1 ? strlen(texts->v[0]) : 0;
    for (uint32_t i = 1; len > 4 && !strcmp(texts->v[0] + len - 4, ".npz") && i < n; i++)
        if (path[0] == texts->v[0]) path[i] = path[0];
    for (uint32_t i = 0; i < n; i++)
        if (!path[i]) {
            diag_error(option, "input \"%s\" is not given: %s NAME=FILE", ir_get_string(ir_input(m, i)->attrs, "name", ""), option);
            return -1;
        }
    return 0;
}

int labels_read(int64_t **out, struct arena *arena, const char *option, const char *path, int64_t wanted)
{
    struct ck_npy a;
    const char *why = ck_array_read(&a, path, NULL);
    if (why) {
        diag_error(option, "%s: %s", path, why);
        return -1;
    }
    int bad = (int64_t)ck_npy_numel(&a) < wanted;
    if (bad) diag_error(option, "%s has %zu labels for %lld samples", path, ck_npy_numel(&a), (long long)wanted);
    int64_t *v = bad ? NULL : ARENA_ARRAY(arena, int64_t, wanted);
    for (int64_t i = 0; !bad && i < wanted; i++) v[i] = (int64_t)ck_npy_at(&a, (size_t)i);
    ck_npy_clear(&a);
    *out = v;
    return bad ? -1 : 0;
}

/* --batch: a power of two or "auto"; 0, or -1 after diag_error. */
static int batch_option(int *out, const char *text)
{
    if (!text) return 0;
    char *end;
    long b = strtol(text, &end, 10);
    if (!strcmp(text, "auto")) {
        *out = OPTIONS_BATCH_AUTO;
    } else if (*end || end == text || b < 1 || b > 1 << (CK_LOGN_MAX - 1) || b & (b - 1)) {
        diag_error("--batch", "wants a power of two up to %d, or auto, not \"%s\"", 1 << (CK_LOGN_MAX - 1), text);
        return -1;
    } else {
        *out = (int)b;
    }
    return 0;
}

int pass_flags_resolve(struct options *out, struct arena *a, const struct pass_flags *f, const struct ir_module *m)
{
    *out = (struct options){
        .security = f->security,
        .precision = f->precision,
        .logn = f->logn,
        .key_memory = f->key_memory,
        .memory = f->memory,
        .activation = f->activation,
        .threads = f->threads ? f->threads : 1,
        .input_lo = f->range[0],
        .input_hi = f->range[1],
        .cost = ck_cost_default,
    };
    if (batch_option(&out->batch, f->batch)) return -1;
    if (f->security != 128) {
        diag_error("--security", "%d bits are not offered, only 128", f->security);
        return -1;
    }
    if (f->logn && (f->logn < CK_LOGN_MIN || f->logn > CK_LOGN_MAX)) {
        diag_error("--logn", "%d is outside %d to %d", f->logn, CK_LOGN_MIN, CK_LOGN_MAX);
        return -1;
    }
    if (f->bootstrap && strcmp(f->bootstrap, "auto")) {
        char *end;
        long left = strtol(f->bootstrap, &end, 10);
        bool never = !strcmp(f->bootstrap, "never");
        if (!never && (*end || left < 3 || left >= CK_MAX_Q)) {
            diag_error("--bootstrap", "wants auto, never or the levels left after a bootstrap, 3 to %d, not \"%s\"", CK_MAX_Q - 1,
                       f->bootstrap);
            return -1;
        }
        out->bootstrap = never ? -1 : (int)left;
    }
    if (f->calib_labels && !f->calib) {
        diag_error("--calib-labels", "labels need samples: --calib FILE");
        return -1;
    }
    if (!f->calib || m->dialect != IR_TENSOR) return 0;
    const struct ir_inst *x = ir_input(m, 0);
    if (!x) {
        diag_error("--calib", "the model has no input");
        return -1;
    }
    double *samples;
    if (samples_read(&samples, &out->ncalib, a, "--calib", f->calib, ir_get_string(x->attrs, "name", NULL), x->type.rank, x->type.dim)) return -1;
    out->calib = samples;
    int64_t *labels = NULL;
    if (f->calib_labels && labels_read(&labels, a, "--calib-labels", f->calib_labels, out->ncalib)) return -1;
    out->calib_labels = labels;
    return 0;
}
