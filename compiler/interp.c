// SPDX-License-Identifier: Apache-2.0
// The interpreter: every dialect on doubles, one instruction after the other, each over all samples. Values are freed after their last use.
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

static bool is_input(const struct ir_inst *i)
{
    return i->op == IR_TENSOR_input || i->op == IR_VEC_input || i->op == IR_CKKS_input;
}

void interp_begin(struct interp *in, struct ir_module *m, int64_t rows, const struct ir_noise *noise)
{
    *in = (struct interp){.m = m, .arena = arena_new(), .noise = noise, .rows = rows, .count = m->last ? m->last->id + 1 : 0};
    in->value = calloc(in->count + 1, sizeof *in->value);
    in->last = calloc(in->count + 1, sizeof *in->last);
    ICE_IF(!in->value || !in->last, "out of memory");
    for (struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t k = 0; k < i->nargs; k++) in->last[i->args[k]->id] = i->id;
    for (uint32_t k = 0; k < m->noutputs; k++) in->last[m->outputs[k]->id] = in->count;
}

static double *value_new(const struct interp *in, const struct ir_inst *i)
{
    int64_t numel = in->rows * ir_type_numel(&i->type);
    double *v = calloc((size_t)numel + 1, sizeof *v);
    if (!v) diag_error(NULL, "out of memory (a value of %lld elements)", (long long)numel);
    return v;
}

int interp_step(struct interp *in, const struct ir_inst *i)
{
    double *v = in->value[i->id] = value_new(in, i);
    if (!v) return -1;
    if (in->m->dialect == IR_TENSOR)
        interp_tensor(in, i, v);
    else
        interp_slots(in, i, v);
    arena_reset(in->arena);
    return 0;
}

void interp_release(struct interp *in, const struct ir_inst *i)
{
    for (uint32_t k = 0; k < i->nargs; k++) {
        uint32_t id = i->args[k]->id;
        if (in->last[id] != i->id) continue;
        free(in->value[id]);
        in->value[id] = NULL;
    }
}

void interp_end(struct interp *in)
{
    for (uint32_t k = 0; k < in->count; k++) free(in->value[k]);
    free(in->value);
    free(in->last);
    arena_free(in->arena);
}

int64_t interp_rows(const struct ir_module *m, int64_t wanted)
{
    int64_t largest = 1, most;
    for (const struct ir_inst *i = m->first; i; i = i->next)
        if (ir_type_numel(&i->type) > largest) largest = ir_type_numel(&i->type);
    most = (INT64_C(1) << 21) / largest;
    most = most < 8 ? 8 : most > 64 ? 64 : most;
    return wanted < most ? wanted : most;
}

/* Every sample has its own error. */
static void add_noise(const struct interp *in, const struct ir_inst *i)
{
    int64_t n = ir_type_numel(&i->type), na = i->nargs ? ir_type_numel(&i->args[0]->type) : 0;
    const double *x = i->nargs ? interp_arg(in, i, 0) : NULL;
#pragma omp parallel for schedule(dynamic) if (in->rows > 1)
    for (int64_t r = 0; r < in->rows; r++) {
        const struct ir_noise own = {.seed = in->noise->seed + (uint64_t)r * 0xd1342543de82ef95u};
        noise_add(&own, in->m, i, x ? x + r * na : NULL, in->value[i->id] + r * n);
    }
}

int ir_interp(struct ir_module *m, const double *const *inputs, double **outputs, const struct ir_run *run)
{
    ir_renumber(m);
    struct interp in;
    int64_t rows = run && run->rows ? run->rows : 1;
    uint32_t nin = 0;
    int status = 0;
    interp_begin(&in, m, rows, run ? run->noise : NULL);
    for (struct ir_inst *i = m->first; i && !status; i = i->next) {
        int64_t numel = rows * ir_type_numel(&i->type);
        if (!is_input(i)) {
            status = interp_step(&in, i);
        } else if ((in.value[i->id] = value_new(&in, i))) {
            memcpy(in.value[i->id], inputs[nin++], (size_t)numel * sizeof(double));
        } else {
            status = -1;
        }
        if (status) break;
        if (in.noise && m->dialect == IR_CKKS) add_noise(&in, i);
        if (run && run->observe) run->observe(run->arg, i, in.value[i->id], numel);
        interp_release(&in, i);
    }
    for (uint32_t k = 0; k < m->noutputs && !status; k++)
        memcpy(outputs[k], in.value[m->outputs[k]->id], (size_t)(rows * ir_type_numel(&m->outputs[k]->type)) * sizeof(double));
    interp_end(&in);
    return status;
}
