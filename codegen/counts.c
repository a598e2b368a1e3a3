// SPDX-License-Identifier: Apache-2.0
// Counts homomorphic operations as the literature does: rotations, products by plaintexts, products of ciphertexts and additions, each
// for one ciphertext. Rescaling, relinearisation and level drops belong to the products.
#include "../compiler/linmap.h"
#include "emit.h"

static void count_linear(const struct program *p, struct op *op)
{
    struct linmap_counts n = linmap_count(p->m, op->inst);
    struct counts *c = &op->counts;
    c->rotations = n.rotations;
    c->pt_products = n.diagonals;
    c->additions = n.additions;
    c->rescales = op->inst->type.count;
}

/* Paterson-Stockmeyer in the Chebyshev basis, depth-optimal: powers T_1..T_{m-1}, T_m, T_2m, ..., then a binary tree of products. */
static void count_poly(const struct program *p, struct op *op)
{
    size_t degree = (size_t)ir_const_numel(ir_const_find(p->m, ir_get_string(op->inst->attrs, "coeffs", ""))) - 1;
    uint64_t count = op->inst->type.count, bits = 0;
    while ((size_t)1 << bits < degree + 1) bits++;
    uint64_t low = (bits + 1) / 2, steps = (uint64_t)1 << low, products = steps - 1 + (bits - low);
    uint64_t blocks = (degree + steps) / steps;
    products += blocks - 1;
    if (degree < 2) products = 0;
    op->counts.ct_products = products * count;
    op->counts.pt_products = (degree + 1) * count;
    op->counts.additions = (degree + products) * count;
    op->counts.rescales = (products + blocks) * count;
}

void program_count(struct program *p)
{
    for (size_t k = 0; k < p->nops; k++) {
        struct op *op = &p->ops[k];
        uint64_t count = op->inst->type.count;
        op->counts = (struct counts){.us = ir_get_float(op->inst->attrs, "us", 0)};
        switch (op->inst->op) {
        case IR_CKKS_linear: count_linear(p, op); break;
        case IR_CKKS_poly: count_poly(p, op); break;
        case IR_CKKS_add: case IR_CKKS_sub: case IR_CKKS_addc: op->counts.additions = count; break;
        case IR_CKKS_mul: op->counts.ct_products = count; break;
        case IR_CKKS_mulc: op->counts.pt_products = op->counts.rescales = count; break;
        case IR_CKKS_rescale: op->counts.rescales = count; break;
        case IR_CKKS_rot: op->counts.rotations = count; break;
        case IR_CKKS_modraise: op->counts.bootstraps = count; break;
        default: break;
        }
    }
    for (size_t k = 0; k < p->nsteps; k++) {
        struct step *s = &p->steps[k];
        s->counts = (struct counts){0};
        for (size_t o = 0; o < s->count; o++) counts_add(&s->counts, &p->ops[s->first + o].counts);
    }
}

void counts_add(struct counts *to, const struct counts *c)
{
    to->rotations += c->rotations;
    to->pt_products += c->pt_products;
    to->ct_products += c->ct_products;
    to->additions += c->additions;
    to->rescales += c->rescales;
    to->bootstraps += c->bootstraps;
    to->us += c->us;
}

struct counts program_total(const struct program *p)
{
    struct counts c = {0};
    for (size_t k = 0; k < p->nops; k++) counts_add(&c, &p->ops[k].counts);
    return c;
}
