// SPDX-License-Identifier: Apache-2.0
// Operation counts and predicted time of ckks instructions: sums over the runtime's cost model (runtime/params.h).
#include "plan.h"
#include "cheb.h"
#include "util.h"

#include "../compiler/diag.h"
#include "../compiler/linmap.h"
#include <math.h>
#include <string.h>

bool plan_params(struct ck_params *out, const struct ir_module *m)
{
    const struct ir_attr *q = ir_attr_find(m->attrs, "q"), *p = ir_attr_find(m->attrs, "p");
    if (!q || !p || q->kind != IR_INTS || p->kind != IR_INTS || q->ints.n > CK_MAX_Q || p->ints.n > CK_MAX_P) return false;
    *out = (struct ck_params){
        .logn = (uint32_t)ir_get_int(m->attrs, "logn", 0), .log_slots = (uint32_t)ir_get_int(m->attrs, "log_slots", 0),
        .alpha = (uint32_t)ir_get_int(m->attrs, "alpha", 1), .security = (uint32_t)ir_get_int(m->attrs, "security", 128),
        .nq = (uint32_t)q->ints.n, .np = (uint32_t)p->ints.n,
    };
    for (uint32_t k = 0; k < out->nq; k++) out->q[k] = (uint64_t)q->ints.v[k];
    for (uint32_t k = 0; k < out->np; k++) out->p[k] = (uint64_t)p->ints.v[k];
    const struct ir_attr *classes = ir_attr_find(m->attrs, "classes");
    for (; classes && 3 * out->nclass < classes->ints.n; out->nclass++) {
        const int64_t *v = &classes->ints.v[3 * out->nclass];
        out->classes[out->nclass] = (struct ck_key_class){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]};
    }
    return true;
}

void plan_set_params(struct ir_module *m, const struct ck_params *par, double scale)
{
    int64_t v[CK_MAX_Q > 3 * CK_MAX_CLASSES ? CK_MAX_Q : 3 * CK_MAX_CLASSES];
    for (uint32_t k = 0; k < par->nq; k++) v[k] = (int64_t)par->q[k];
    ir_set_ints(m, &m->attrs, "q", v, par->nq);
    for (uint32_t k = 0; k < par->np; k++) v[k] = (int64_t)par->p[k];
    ir_set_ints(m, &m->attrs, "p", v, par->np);
    for (uint32_t k = 0; k < par->nclass; k++) {
        v[3 * k] = par->classes[k].limbs;
        v[3 * k + 1] = par->classes[k].alpha;
        v[3 * k + 2] = par->classes[k].np;
    }
    ir_set_ints(m, &m->attrs, "classes", v, 3 * par->nclass);
    ir_set_int(m, &m->attrs, "logn", par->logn);
    ir_set_int(m, &m->attrs, "log_slots", par->log_slots);
    ir_set_int(m, &m->attrs, "alpha", par->alpha);
    ir_set_int(m, &m->attrs, "security", par->security);
    ir_set_float(m, &m->attrs, "scale", scale);
}

size_t plan_list(const int64_t **out, const struct ir_inst *i, const char *key)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    if (!a || a->kind != IR_INTS) return 0;
    *out = a->ints.v;
    return a->ints.n;
}

int64_t plan_terms(const struct ir_module *m, const struct ir_inst *i, struct arena *scratch)
{
    struct ir_csr a = ir_csr_find(m, ir_get_string(i->attrs, "mat", NULL));
    struct linmap_sets sets;
    linmap_diagonals(scratch, &sets, &a, i->type.n / (uint32_t)ir_batch(m));
    return sets.ptr[sets.nin * sets.nout];
}

int plan_levels(const struct ir_module *m, const struct ir_inst *i)
{
    size_t degree;
    switch (i->op) {
    case IR_VEC_linear: case IR_VEC_mul: case IR_VEC_mulc: return 1;
    case IR_VEC_poly:
        util_coeffs(m, i, &degree);
        return cheb_depth(degree);
    default: return 0;
    }
}

static int64_t nonzero(const struct ir_inst *i, const char *key)
{
    const int64_t *v;
    int64_t count = 0;
    for (size_t k = plan_list(&v, i, key); k > 0; k--) count += v[k - 1] != 0;
    return count;
}

struct plan_count plan_count(const struct ir_module *m, const struct ir_inst *i, int64_t terms)
{
    struct plan_count c = {0};
    int64_t out = i->type.count, in = i->nargs ? i->args[0]->type.count : 0;
    size_t degree;
    switch (i->op) {
    case IR_VEC_linear: case IR_CKKS_linear:
        c.hoisted = nonzero(i, "baby") * in;
        c.rotations = (nonzero(i, "giant") + nonzero(i, "fold")) * out;
        c.products = terms;
        c.rescales = out;
        break;
    case IR_VEC_poly: case IR_CKKS_poly:
        util_coeffs(m, i, &degree);
        // Paterson-Stockmeyer: about sqrt(2d) + log2(d) products
        c.relins = c.rescales = (int64_t)(sqrt(2.0 * (double)degree) + log2((double)degree + 1)) * out;
        break;
    case IR_CKKS_relin: c.relins = out; break;
    case IR_VEC_mulc: case IR_CKKS_rescale: case IR_CKKS_mulc: c.rescales = out; break;
    case IR_VEC_mul: c.relins = c.rescales = out; break;
    case IR_CKKS_rot: c.rotations = out; break;
    default: break;
    }
    return c;
}

double plan_cost_at(const struct ck_cost *cost, const struct ck_params *par, const struct ir_module *m, const struct ir_inst *i,
                    int64_t terms, int level_in, int level_out)
{
    if (i->nargs == 0) return 0;
    struct ck_boot_shape boot;
    if (i->op >= IR_CKKS_stc && i->op <= IR_CKKS_evalmod && plan_boot(&boot, m))
        return ck_cost_boot_part(cost, par, &boot, (enum ck_boot_part)(i->op - IR_CKKS_stc)) *
               (i->op == IR_CKKS_evalmod ? i->type.count : plan_pairs(i->type.count));
    struct plan_count c = plan_count(m, i, terms);
    bool series = i->op == IR_VEC_poly || i->op == IR_CKKS_poly;
    uint32_t limbs = (uint32_t)(series ? (level_in + level_out + 1) / 2 : level_in) + 1;
    double ks = ck_cost_keyswitch(cost, par, limbs), t = 0;
    // A hoisted rotation skips the decomposition; measured near 0.35 of a whole one at 22 limbs.
    if (c.hoisted) t += ks * (0.65 * (double)i->args[0]->type.count + 0.35 * (double)c.hoisted);
    // A product's rescale is part of its relinearisation's ModDown.
    const int64_t merged = series || i->op == IR_VEC_mul ? c.relins : 0;
    t += ck_cost_mul(cost, par, limbs) * (double)merged + ks * (double)(c.rotations + c.relins - merged);
    t += ck_cost_rescale(cost, par, limbs) * (double)(c.rescales - merged);
    t += ck_cost_mulpt(cost, par, limbs) * (double)c.products;
    if (i->op == IR_VEC_mul || i->op == IR_CKKS_mul) t += 2 * ck_cost_mulpt(cost, par, limbs) * (double)i->type.count;
    return t;
}

double plan_cost(const struct ck_cost *cost, const struct ck_params *par, const struct ir_module *m, const struct ir_inst *i,
                 int64_t terms)
{
    return plan_cost_at(cost, par, m, i, terms, i->nargs ? i->args[0]->type.level : 0, i->type.level);
}

const struct ck_cost *plan_constants(const struct options *opt)
{
    return opt->cost.t_ntt > 0 ? &opt->cost : &ck_cost_default;
}

bool plan_boot(struct ck_boot_shape *out, const struct ir_module *m)
{
    int64_t left = ir_get_int(m->attrs, "boot_left", 0);
    uint32_t log_slots = 0;
    if (left <= 0 || left >= CK_MAX_Q || !m->first) return false;
    while (log_slots < CK_LOGN_MAX && 1u << log_slots < m->first->type.n) log_slots++;
    if (log_slots < 2 || log_slots >= CK_LOGN_MAX) return false;
    ck_boot_default(out, log_slots, (uint32_t)left);
    return true;
}

double plan_key_bytes(const struct ck_params *par, uint32_t level)
{
    uint32_t limbs = level + 1, alpha, np;
    ck_params_gadget(par, limbs, &alpha, &np);
    return ck_params_key_bytes(par, limbs, alpha, np) + exp2(par->logn + 1);
}

uint32_t plan_gadgets(uint32_t *id, const struct ck_params *par)
{
    uint32_t alpha[CK_MAX_Q], np[CK_MAX_Q], count = 0;
    for (uint32_t level = 0; level < par->nq; level++) {
        uint32_t k = 0;
        ck_params_gadget(par, level + 1, &alpha[count], &np[count]);
        while (alpha[k] != alpha[count] || np[k] != np[count]) k++;
        id[level] = k;
        count += k == count;
    }
    return count;
}

double plan_keys_bytes(const struct ck_params *par, const struct ir_module *m)
{
    const struct ir_attr *rot = ir_attr_find(m->attrs, "key_rot"), *level = ir_attr_find(m->attrs, "key_level");
    int32_t boot_rot[CK_BOOT_MAX_KEYS];
    uint32_t boot_level[CK_BOOT_MAX_KEYS], gadget[CK_MAX_Q], nboot = 0;
    struct ck_boot_shape boot;
    double sum = 0;
    if (plan_boot(&boot, m)) {
        nboot = ck_boot_rotations(boot_rot, boot_level, par, &boot);
        sum = ck_boot_key_bytes(par, &boot);
    }
    plan_gadgets(gadget, par);
    for (size_t k = 0; rot && k < rot->ints.n; k++) {
        double bytes = plan_key_bytes(par, (uint32_t)level->ints.v[k]), shared = 0;
        for (uint32_t b = 0; b < nboot; b++)
            if (boot_rot[b] == rot->ints.v[k] && gadget[boot_level[b]] == gadget[level->ints.v[k]])
                shared = fmax(shared, plan_key_bytes(par, boot_level[b]));
        sum += fmax(bytes - shared, 0);
    }
    return sum;
}
