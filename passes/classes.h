// SPDX-License-Identifier: Apache-2.0
// Values that must share one scale, and what fixes the scale of each such class. Works on vec (before levels) and ckks modules.
#ifndef TACET_PASSES_CLASSES_H
#define TACET_PASSES_CLASSES_H

#include "../compiler/ir.h"

/* Sums, level drops, relinearisations and rotations join their operands with their result. What defines a scale: a product, and
 * the result of a bootstrap. Everything else lands on any scale that is asked for: inputs, linear maps, polynomials, constant
 * products; and a product one operand of which (the private one) is such a free value that nobody else minds. */
struct scale_class {
    uint32_t products, boots;           // members that define its scale and cannot be adjusted
    const struct ir_inst *source;       // the first of products and boots in it, or NULL
    const struct ir_inst *reader;       // this class is the private operand of that product (its rescale in ckks), or NULL
    bool poly, boot;                    // a polynomial reads a member; a bootstrap does
    double range;                       // largest of its members' (1 where unknown)
};

struct classes {
    uint32_t *root;                     // by instruction id
    struct scale_class *of;             // by root
};

/* The module must be numbered. All memory is scratch. */
struct classes classes_find(const struct ir_module *, struct arena *scratch);

static inline struct scale_class *class_of(const struct classes *c, const struct ir_inst *i) { return &c->of[c->root[i->id]]; }

/* The product whose result, after relinearisation, this instruction is (vec.mul itself, or ckks.rescale); NULL if it is none. */
const struct ir_inst *class_product(const struct ir_inst *);

/* The operand of a product that is private to it: 0 or 1, or -1 if its scale cannot be adjusted. */
int class_private(const struct classes *, const struct ir_inst *product);
#endif
