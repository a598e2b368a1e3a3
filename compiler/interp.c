// SPDX-License-Identifier: Apache-2.0
// The interpreter: every dialect on doubles, one instruction after the other. Values are freed after their last use.
#include "interp.h"
#include "diag.h"
#include "noise.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const double *interp_arg(const struct interp *in, const struct ir_inst *i, uint32_t k)
{
    return in->value[i->args[k]->id];
}

const double *interp_const(struct interp *in, const struct ir_inst *i, const char *key)
{
    const char *name = ir_get_string(i->attrs, key, NULL);
    if (!name) return NULL;
    const struct ir_const *c = ir_const_find(in->m, name);
    ICE_IF(!c, "%s: no constant '%s'", ir_op_name(i->op), name);
    if (c->dtype == IR_F64) return c->data;
    int64_t n = ir_const_numel(c);
    double *d = ARENA_ARRAY(in->arena, double, n);
    for (int64_t k = 0; k < n; k++) d[k] = ir_const_at(c, k);
    return d;
}

void interp_csr(double *y, const struct ir_csr *a, const double *x)
{
    for (int64_t r = 0; r < a->rows; r++) {
        double s = 0;
        for (int64_t k = a->ptr[r]; k < a->ptr[r + 1]; k++) s += a->val[k] * x[a->col[k]];
        y[r] += s;
    }
}

void interp_chebyshev(double *out, const double *c, int64_t n, const double *x, int64_t points, double mid, double half)
{
    enum { BLOCK = 16 };                // the recurrence is serial; points side by side fill the vector units
    for (int64_t from = 0; from < points; from += BLOCK) {
        double t[BLOCK] = {0}, b1[BLOCK] = {0}, b2[BLOCK] = {0};
        int64_t m = points - from < BLOCK ? points - from : BLOCK;
        for (int64_t j = 0; j < m; j++) t[j] = (x[from + j] - mid) / half;
        for (int64_t k = n; k-- > 1;)
            for (int j = 0; j < BLOCK; j++) {
                double b = c[k] + 2 * t[j] * b1[j] - b2[j];
                b2[j] = b1[j];
                b1[j] = b;
            }
        for (int64_t j = 0; j < m; j++) out[from + j] = c[0] + t[j] * b1[j] - b2[j];
    }
}

static bool is_input(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_input || i->op == IR_VEC_input || i->op == IR_CKKS_input;
}

int ir_interp(struct ir_module *m, const double *const *inputs, double **outputs, const struct ir_run *run)
{
    ir_renumber(m);
    uint32_t n = m->last ? m->last->id + 1 : 0, nin = 0;
    struct interp in = {.m = m, .arena = arena_new(), .noise = run ? run->noise : NULL};
    in.value = ARENA_ARRAY(in.arena, double *, n);
    uint32_t *last = ARENA_ARRAY(in.arena, uint32_t, n);
    for (struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t k = 0; k < i->nargs; k++) last[i->args[k]->id] = i->id;
    for (uint32_t k = 0; k < m->noutputs; k++) last[m->outputs[k]->id] = n;
    int status = 0;
    for (struct ir_inst *i = m->first; i && !status; i = i->next) {
        int64_t numel = ir_type_numel(&i->type);
        double *v = in.value[i->id] = calloc((size_t)numel + 1, sizeof *v);
        if (!v) {
            diag_error(NULL, "out of memory (a value of %lld elements)", (long long)numel);
            status = -1;
            break;
        }
        if (is_input(i))
            memcpy(v, inputs[nin++], (size_t)numel * sizeof *v);
        else if (m->dialect == IR_TENSOR)
            interp_tensor(&in, i, v);
        else
            interp_slots(&in, i, v);
        if (in.noise && m->dialect == IR_CKKS) noise_add(in.noise, m, i, i->nargs ? interp_arg(&in, i, 0) : NULL, v);
        if (run && run->observe) run->observe(run->arg, i, v, numel);
        for (uint32_t k = 0; k < i->nargs; k++) {
            uint32_t id = i->args[k]->id;
            if (last[id] == i->id) {
                free(in.value[id]);
                in.value[id] = NULL;
            }
        }
    }
    for (uint32_t k = 0; k < m->noutputs && !status; k++)
        memcpy(outputs[k], in.value[m->outputs[k]->id], (size_t)ir_type_numel(&m->outputs[k]->type) * sizeof(double));
    for (uint32_t k = 0; k < n; k++) free(in.value[k]);
    arena_free(in.arena);
    return status;
}
