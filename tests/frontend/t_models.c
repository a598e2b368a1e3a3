// SPDX-License-Identifier: Apache-2.0
// Every network of ../shared/models through the frontend and the tensor interpreter, against the logits computed by torch.
// usage: t_models DIR
#include "../../frontend/onnx.h"
#include "../../compiler/diag.h"
#include "../test.h"
#include "npy.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUDGET = 400000000 };            // multiplications of the linear layers a model, about, that the test spends

static int64_t work(const struct ir_module *m)
{
    int64_t n = 1;
    for (const struct ir_inst *x = m->first; x; x = x->next) {
        const struct ir_const *w = ir_const_find(m, ir_get_string(x->attrs, "weight", ""));
        if (w)
            n += ir_const_numel(w) / w->dim[0] * ir_type_numel(&x->type);
    }
    return n;
}

static bool exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

/* Logits of as many samples as the budget allows, at least two. */
static void compare(struct ir_module *m, const char *name, const char *in_path, const char *want_path)
{
    struct ck_npy in, want;
    const char *why = ck_npy_read(&in, in_path);
    CHECKF(!why, "%s: %s", in_path, why);
    if (why)
        return;
    if ((why = ck_npy_read(&want, want_path))) {
        CHECKF(0, "%s: %s", want_path, why);
        ck_npy_clear(&in);
        return;
    }
    int64_t nin = ir_type_numel(&m->first->type), nout = ir_type_numel(&m->outputs[0]->type), samples = in.dim[0];
    CHECKF((int64_t)ck_npy_numel(&in) == samples * nin && (int64_t)ck_npy_numel(&want) == samples * nout, "%s: sizes", name);
    double *x = malloc(sizeof *x * (size_t)nin), *y = malloc(sizeof *y * (size_t)nout), worst = 0, range = 0;
    int64_t count = BUDGET / work(m) < 2 ? 2 : BUDGET / work(m), same = 0;
    if (count > samples)
        count = samples;
    for (int64_t s = 0; s < count; s++) {
        const double *ins[1] = {x};
        double *outs[1] = {y};
        int64_t best = 0, want_best = 0;
        for (int64_t k = 0; k < nin; k++)
            x[k] = ck_npy_at(&in, (size_t)(s * nin + k));
        CHECK(ir_interp(m, ins, outs, NULL) == 0);
        for (int64_t k = 0; k < nout; k++) {
            double w = ck_npy_at(&want, (size_t)(s * nout + k));
            worst = fmax(worst, fabs(y[k] - w));
            range = fmax(range, fabs(w));
            best = y[k] > y[best] ? k : best;
            want_best = w > ck_npy_at(&want, (size_t)(s * nout + want_best)) ? k : want_best;
        }
        same += best == want_best;
    }
    CHECKF(worst <= 1e-4 * range && same == count, "%s: error %g of a range %g, top-1 equal for %lld of %lld", name, worst, range,
           (long long)same, (long long)count);
    printf("%-44s %4lld samples, largest error %.2g of the range\n", name, (long long)count, worst / range);
    free(x);
    free(y);
    ck_npy_clear(&in);
    ck_npy_clear(&want);
}

static void one(const char *dir, const char *stem)
{
    char path[4096], in[4096], want[4096];
    snprintf(path, sizeof path, "%s/%s.onnx", dir, stem);
    char base[256];
    snprintf(base, sizeof base, "%s", stem);
    char *variant = strstr(base, "_opset17");
    snprintf(in, sizeof in, "%s/%s.in.npy", dir, base);
    if (!exists(in) && (variant || (variant = strstr(base, "_clean")) || (!strncmp(base, "resnet", 6) && (variant = strstr(base, "_bn")))))
        *variant = 0;
    snprintf(in, sizeof in, "%s/%s.in.npy", dir, base);
    snprintf(want, sizeof want, "%s/%s.logits.npy", dir, base);
    diag_reset();
    bool refused = !strncmp(stem, "vit_", 4);
    if (refused)
        diag_set_quiet(2);
    struct ir_module *m = onnx_load(path);
    diag_set_quiet(1);
    if (refused) {                      // attention: refused, all nodes in one run
        CHECKF(!m && diag_error_count() > 10, "%s: %d errors", stem, diag_error_count());
        if (m)
            ir_module_free(m);
        return;
    }
    CHECKF(m != NULL, "%s does not load", stem);
    if (m && exists(in) && exists(want))
        compare(m, stem, in, want);
    for (const struct ir_inst *x = m ? m->first : NULL; x; x = x->next)
        CHECKF(ir_get_string(x->attrs, "node", NULL), "%s: an instruction without node", stem);
    if (m)
        ir_module_free(m);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    struct dirent *e;
    char *stem[256];
    size_t n = 0;
    while (d && n < 256 && (e = readdir(d))) {
        char *dot = strstr(e->d_name, ".onnx");
        if (dot && dot[5] == 0)
            stem[n++] = strndup(e->d_name, (size_t)(dot - e->d_name));
    }
    if (d)
        closedir(d);
    if (!n)
        SKIP("no models there");
    qsort(stem, n, sizeof *stem, by_name);
    diag_set_quiet(1);
    for (size_t i = 0; i < n; i++) {
        one(argv[1], stem[i]);
        free(stem[i]);
    }
    return test_done();
}
