// SPDX-License-Identifier: Apache-2.0
// Classes of equal scale by union-find, then who defines them and who reads them.
#include "classes.h"
#include "util.h"

#include <math.h>

static uint32_t find(uint32_t *root, uint32_t k)
{
    while (root[k] != k) k = root[k] = root[root[k]];
    return k;
}

static bool joins(enum ir_op op)
{
    switch (op) {
    case IR_VEC_add: case IR_VEC_sub: case IR_VEC_addc:
    case IR_CKKS_add: case IR_CKKS_sub: case IR_CKKS_addc: case IR_CKKS_drop: case IR_CKKS_relin: case IR_CKKS_rot: return true;
    default: return false;
    }
}

const struct ir_inst *class_product(const struct ir_inst *i)
{
    if (i->op == IR_VEC_mul) return i;
    if (i->op != IR_CKKS_rescale) return NULL;
    const struct ir_inst *p = i->args[0];
    while (p->op == IR_CKKS_relin) p = p->args[0];
    return p->op == IR_CKKS_mul ? p : NULL;
}

/* Takes any scale of its operand without a price. */
static bool absorbs(enum ir_op op)
{
    return op == IR_VEC_linear || op == IR_CKKS_linear || op == IR_VEC_mulc || op == IR_CKKS_mulc;
}

/* By class: the only product that reads it where nobody else minds its scale, else NULL. */
static const struct ir_inst **private_readers(const struct ir_module *m, const struct classes *c, uint32_t count,
                                              struct arena *scratch)
{
    const struct ir_inst **reader = ARENA_ARRAY(scratch, const struct ir_inst *, count);
    bool *shared = ARENA_ARRAY(scratch, bool, count);
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        // a product's own ciphertext has degree 2 and an exact scale
        if (i->op == IR_CKKS_mul || i->op == IR_VEC_bootstrap || i->op == IR_CKKS_evalmod || class_product(i))
            shared[c->root[i->id]] = true;
        for (uint32_t a = 0; a < i->nargs; a++) {
            uint32_t r = c->root[i->args[a]->id];
            if (absorbs(i->op) || (joins(i->op) && c->root[i->id] == r)) continue;
            bool product = i->op == IR_VEC_mul || i->op == IR_CKKS_mul;
            if (!product || (reader[r] && reader[r] != i) || (i->nargs == 2 && c->root[i->args[1 - a]->id] == r)) shared[r] = true;
            reader[r] = i;
        }
    }
    for (uint32_t k = 0; k < m->noutputs; k++) shared[c->root[m->outputs[k]->id]] = true;
    for (uint32_t k = 0; k < count; k++)
        if (shared[k]) reader[k] = NULL;
    return reader;
}

struct classes classes_find(const struct ir_module *m, struct arena *scratch)
{
    uint32_t count = m->last ? m->last->id + 1 : 0;
    struct classes c = {ARENA_ARRAY(scratch, uint32_t, count + 1), ARENA_ARRAY(scratch, struct scale_class, count + 1)};
    for (uint32_t k = 0; k < count; k++) c.root[k] = k;
    for (const struct ir_inst *i = m->first; i; i = i->next)
        for (uint32_t a = 0; a < i->nargs && joins(i->op); a++) c.root[find(c.root, i->id)] = find(c.root, i->args[a]->id);
    for (uint32_t k = 0; k < count; k++) c.root[k] = find(c.root, k);
    const struct ir_inst **reader = private_readers(m, &c, count, scratch);
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        uint32_t r = c.root[i->id];
        c.of[r].range = fmax(c.of[r].range, util_range(i, 1));
        c.of[r].reader = reader[r];
        for (uint32_t a = 0; a < i->nargs; a++) {
            struct scale_class *x = class_of(&c, i->args[a]);
            x->poly |= i->op == IR_VEC_poly || i->op == IR_CKKS_poly;
            x->boot |= i->op == IR_VEC_bootstrap || i->op == IR_CKKS_stc;
        }
    }
    for (const struct ir_inst *i = m->first; i; i = i->next) {
        struct scale_class *x = class_of(&c, i);
        const struct ir_inst *p = class_product(i);
        bool boot = i->op == IR_VEC_bootstrap || i->op == IR_CKKS_evalmod, fixed = i->op == IR_CKKS_mul || (i->op == IR_CKKS_rescale && !p);
        if (p && class_private(&c, p) >= 0) continue;
        x->products += p != NULL || fixed;
        x->boots += boot;
        if ((p || boot || fixed) && !x->source) x->source = i;
    }
    return c;
}

int class_private(const struct classes *c, const struct ir_inst *product)
{
    for (int a = 1; a >= 0; a--)
        if (class_of(c, product->args[a])->reader == product) return a;
    return -1;
}
