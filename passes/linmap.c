// SPDX-License-Identifier: Apache-2.0
// Diagonals of a slot-space matrix: two passes over the entries (count, fill), bucketed by (block, diagonal).
#include "linmap.h"

#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>

void linmap_diagonals(struct arena *a, struct bsgs_sets *out, const struct ir_csr *m, uint32_t n)
{
    uint32_t nout = (uint32_t)(m->rows / n), nin = (uint32_t)(m->cols / n), mask = n - 1;
    uint8_t *used = ARENA_ARRAY(a, uint8_t, (size_t)nout * nin * n);
    for (int64_t r = 0; r < m->rows; r++) {
        uint8_t *row = used + (size_t)(r / n) * nin * n;
        for (int64_t k = m->ptr[r]; k < m->ptr[r + 1]; k++) {
            uint32_t c = (uint32_t)m->col[k];
            row[(size_t)(c / n) * n + ((c - (uint32_t)r) & mask)] = 1;
        }
    }
    uint32_t *ptr = ARENA_ARRAY(a, uint32_t, nout * nin + 1), total = 0;
    for (size_t k = 0; k < (size_t)nout * nin * n; k++) total += used[k];
    uint32_t *d = ARENA_ARRAY(a, uint32_t, total + 1), at = 0;
    for (uint32_t b = 0; b < nout * nin; b++) {
        for (uint32_t k = 0; k < n; k++)
            if (used[(size_t)b * n + k]) d[at++] = k;
        ptr[b + 1] = at;
    }
    *out = (struct bsgs_sets){n, nin, nout, ptr, d};
}

static const int64_t *ints(const struct ir_inst *i, const char *key, uint32_t *n)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    *n = a ? (uint32_t)a->ints.n : 0;
    return a ? a->ints.v : NULL;
}

static int term_cmp(const void *p, const void *q)
{
    const struct linmap_term *a = p, *b = q;
    if (a->out != b->out) return a->out < b->out ? -1 : 1;
    if (a->giant != b->giant) return a->giant < b->giant ? -1 : 1;
    if (a->in != b->in) return a->in < b->in ? -1 : 1;
    return a->baby < b->baby ? -1 : a->baby > b->baby;
}

static void plan_of(struct linmap *out, struct arena *a, const struct ir_inst *i, const struct bsgs_sets *sets,
                    struct bsgs_plan *plan)
{
    out->n = i->type.n;
    out->nin = sets->nin;
    out->nout = sets->nout;
    out->baby = ints(i, "baby", &out->nbaby);
    out->giant = ints(i, "giant", &out->ngiant);
    out->fold = ints(i, "fold", &out->nfold);
    bool ok = bsgs_plan_given(a, plan, sets, &bsgs_weights_default, out->baby, out->nbaby, out->giant, out->ngiant);
    ICE_IF(!ok, "a linear map has a diagonal that its steps do not reach");
    out->baby = plan->baby;             // ascending, without duplicates
    out->nbaby = plan->nbaby;
    out->giant = plan->giant;
    out->ngiant = plan->ngiant;
}

static void list_terms(struct linmap *out, struct arena *a, const struct bsgs_sets *sets, const struct bsgs_plan *plan)
{
    out->nterm = sets->ptr[sets->nin * sets->nout];
    out->term = ARENA_ARRAY(a, struct linmap_term, out->nterm + 1);
    for (uint32_t b = 0; b < sets->nin * sets->nout; b++)
        for (uint32_t k = sets->ptr[b]; k < sets->ptr[b + 1]; k++) {
            uint32_t u = bsgs_find(plan, sets->d[k]);
            out->term[k] = (struct linmap_term){b / sets->nin, b % sets->nin, plan->of_giant[u], plan->of_baby[u], sets->d[k], 0};
        }
    qsort(out->term, out->nterm, sizeof *out->term, term_cmp);
}

void linmap_open(struct linmap *out, struct arena *a, const struct ir_module *m, const struct ir_inst *i)
{
    memset(out, 0, sizeof *out);
    struct ir_csr mat = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    struct bsgs_sets sets;
    struct bsgs_plan plan;
    uint32_t n = i->type.n, mask = n - 1;
    linmap_diagonals(a, &sets, &mat, n);
    plan_of(out, a, i, &sets, &plan);
    list_terms(out, a, &sets, &plan);
    uint32_t *term_at = ARENA_ARRAY(a, uint32_t, (size_t)sets.nin * sets.nout * n);
    for (size_t t = 0; t < out->nterm; t++) {
        const struct linmap_term *e = &out->term[t];
        term_at[((size_t)e->out * sets.nin + e->in) * n + e->diagonal] = (uint32_t)t;
    }
    int64_t nnz = mat.ptr[mat.rows], *fill = ARENA_ARRAY(a, int64_t, out->nterm + 1);
    out->slot = ARENA_ARRAY(a, int32_t, nnz + 1);
    out->val = ARENA_ARRAY(a, double, nnz + 1);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t r = 0; r < mat.rows; r++)
            for (int64_t k = mat.ptr[r]; k < mat.ptr[r + 1]; k++) {
                uint32_t c = (uint32_t)mat.col[k], d = (c - (uint32_t)r) & mask;
                uint32_t t = term_at[((size_t)(r / n) * sets.nin + c / n) * n + d];
                if (pass) {
                    out->slot[fill[t]] = (int32_t)(r % n);
                    out->val[fill[t]] = mat.val[k];
                }
                fill[t]++;
            }
        if (pass) break;
        int64_t sum = 0;
        for (size_t t = 0; t <= out->nterm; t++) {
            int64_t count = fill[t];
            out->term[t].first = fill[t] = sum;
            sum += count;
        }
    }
}

void linmap_plaintext(double *pt, const struct linmap *l, size_t term)
{
    const struct linmap_term *t = &l->term[term];
    uint32_t mask = l->n - 1, shift = (uint32_t)l->giant[t->giant];
    memset(pt, 0, sizeof *pt * l->n);
    for (int64_t k = t->first; k < t[1].first; k++) pt[((uint32_t)l->slot[k] + shift) & mask] = l->val[k];
}

static int i64_cmp(const void *p, const void *q)
{
    int64_t a = *(const int64_t *)p, b = *(const int64_t *)q;
    return a < b ? -1 : a > b;
}

struct linmap_counts linmap_count(struct arena *a, const struct ir_module *m, const struct ir_inst *i)
{
    struct linmap l = {0};
    struct ir_csr mat = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    struct bsgs_sets sets;
    struct bsgs_plan plan;
    linmap_diagonals(a, &sets, &mat, i->type.n);
    plan_of(&l, a, i, &sets, &plan);
    list_terms(&l, a, &sets, &plan);
    struct linmap_counts c = {.diagonals = (uint32_t)l.nterm, .folds = l.nfold * l.nout};
    uint8_t *b = ARENA_ARRAY(a, uint8_t, l.nin * l.nbaby), *g = ARENA_ARRAY(a, uint8_t, l.nout * l.ngiant);
    uint8_t *row = ARENA_ARRAY(a, uint8_t, l.nout);
    for (size_t t = 0; t < l.nterm; t++) {
        b[l.term[t].in * l.nbaby + l.term[t].baby] = 1;
        g[l.term[t].out * l.ngiant + l.term[t].giant] = 1;
        row[l.term[t].out] = 1;
    }
    for (uint32_t k = 0; k < l.nin * l.nbaby; k++) c.babies += b[k] && l.baby[k % l.nbaby] != 0;
    for (uint32_t k = 0; k < l.nout * l.ngiant; k++) c.giants += g[k] && l.giant[k % l.ngiant] != 0;
    c.rotations = c.babies + c.giants + c.folds;
    c.additions = c.diagonals + c.folds;
    for (uint32_t o = 0; o < l.nout; o++) c.additions -= row[o];
    if (ir_attr_find(i->attrs, "bias")) c.additions += l.nout;
    int64_t *all = ARENA_ARRAY(a, int64_t, l.nbaby + l.ngiant + l.nfold), n = 0;
    for (uint32_t k = 0; k < l.nbaby; k++) all[n++] = l.baby[k];
    for (uint32_t k = 0; k < l.ngiant; k++) all[n++] = l.giant[k];
    for (uint32_t k = 0; k < l.nfold; k++) all[n++] = l.fold[k];
    for (int64_t k = 0; k < n; k++) all[k] = ((all[k] % l.n) + l.n) % l.n;
    qsort(all, (size_t)n, sizeof *all, i64_cmp);
    for (int64_t k = 0; k < n; k++) c.keys += all[k] != 0 && (k == 0 || all[k] != all[k - 1]);
    return c;
}
