// SPDX-License-Identifier: Apache-2.0
// Candidate layouts of a class of values.
#include "layout_search.h"

#include <string.h>

static int64_t pow2_above(int64_t v)
{
    int64_t p = 1;
    while (p < v) p *= 2;
    return p;
}

struct list {
    struct layout *out;
    uint32_t n, max;
};

static void add(struct list *l, const struct layout *c)
{
    if (l->n < l->max) l->out[l->n++] = *c;
}

/* Row-major; repeated as often as the vector allows, or with a given period. */
static void dense(struct list *list, const struct lproblem *p, const struct lclass *c)
{
    struct layout l = layout_dense(c->rank, c->dim, p->n);
    int64_t numel = layout_numel(&l), least = pow2_above(numel);
    for (int64_t period = least < p->n ? least : p->n; period <= p->n; period = period < p->n ? p->n : 2 * period) {
        l.period = (uint32_t)period;
        add(list, &l);
        if (c->client) break;       // copies cost the client nothing
    }
}

uint32_t layout_candidates(const struct lproblem *p, uint32_t class, const struct place *const *place, struct layout *out,
                           uint32_t max)
{
    struct list l = {out, 0, max};
    dense(&l, p, &p->classes[class]);
    (void)place;
    return l.n;
}
