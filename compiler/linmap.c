// SPDX-License-Identifier: Apache-2.0
// Diagonals of slot-space matrices. Rows that share a line of entries and move with its columns have the same diagonals, so each line is looked at
// once for each output vector; where slots are numbered through (one block), a column may meanwhile cross into another vector.
#include "linmap.h"

#include "diag.h"
#include <stdlib.h>
#include <string.h>

static uint32_t modulo(int64_t k, uint32_t n)
{
    return (uint32_t)(((k % n) + n) % n);
}

/* Has row r the diagonals that its line's columns say? */
static bool in_place(const struct ir_csr *m, int64_t r, uint32_t n)
{
    return m->line && (uint32_t)m->mask == n - 1 && (uint32_t)m->shift[r] == ((uint32_t)r & (n - 1));
}

static void mark_row(uint8_t *used, size_t stride, const struct ir_csr *m, uint32_t n, int64_t r)
{
    struct ir_row row = ir_csr_row(m, r);
    for (int64_t k = row.lo; k < row.hi; k++) {
        uint32_t c = (uint32_t)ir_csr_col(m, row, k);
        if (m->val[k] != 0) used[c / n * stride + ((c - (uint32_t)r) & (n - 1))] = 1;
    }
}

/* What `mark` remembers of a line in an output vector: where slots are numbered through, its first and last row (+ 1) that move with the
 * columns; else only that it was looked at (last = output vector + 1). */
struct span {
    int64_t first, last;
};

static void mark_through(uint8_t *used, size_t stride, const struct ir_csr *m, uint32_t n, uint32_t o, struct span *span)
{
    int bits = __builtin_ctz(n);
    memset(span, 0, sizeof *span * (size_t)m->lines);
    for (int64_t r = (int64_t)o * n; r < (int64_t)(o + 1) * n; r++) {
        struct span *s = &span[m->line[r]];
        if (!s->last) s->first = s->last = r + 1;
        else if (m->shift[r] - r == m->shift[s->first - 1] - (s->first - 1)) s->last = r + 1;
        else mark_row(used, stride, m, n, r);
    }
    for (int64_t l = 0; l < m->lines; l++) {
        if (!span[l].last) continue;
        int64_t row = span[l].first - 1, lo = m->shift[row], hi = m->shift[span[l].last - 1];
        for (int64_t k = m->ptr[l]; k < m->ptr[l + 1]; k++) {
            if (m->val[k] == 0) continue;
            int64_t c = m->col[k];
            uint8_t *u = used + ((uint32_t)(c + lo - row) & (n - 1));
            u[(size_t)((c + lo) >> bits) * stride] = 1;         // hi - lo < n: no vector between
            u[(size_t)((c + hi) >> bits) * stride] = 1;
        }
    }
}

/* Marks used[in * stride + diagonal] for the rows of output vector o. span: one per line, zeroed before the first vector. */
static void mark(uint8_t *used, size_t stride, const struct ir_csr *m, uint32_t n, uint32_t o, struct span *span)
{
    if (m->line && m->mask == INT32_MAX) {
        mark_through(used, stride, m, n, o, span);
        return;
    }
    for (int64_t r = (int64_t)o * n; r < (int64_t)(o + 1) * n; r++) {
        if (in_place(m, r, n)) {
            if (span[m->line[r]].last == o + 1) continue;
            span[m->line[r]].last = o + 1;
        }
        mark_row(used, stride, m, n, r);
    }
}

void linmap_union(uint8_t *used, const struct ir_csr *m, uint32_t n)
{
    struct arena *a = arena_new();
    struct span *span = ARENA_ARRAY(a, struct span, m->lines + 1);
    memset(used, 0, n);
    for (uint32_t o = 0; o < m->rows / n; o++) mark(used, 0, m, n, o, span);
    arena_free(a);
}

void linmap_diagonals(struct arena *a, struct linmap_sets *out, const struct ir_csr *m, uint32_t n)
{
    struct arena *scratch = arena_new();
    uint32_t nout = (uint32_t)(m->rows / n), nin = (uint32_t)(m->cols / n), total = 0, at = 0;
    uint8_t *used = ARENA_ARRAY(scratch, uint8_t, (size_t)nout * nin * n);
    struct span *span = ARENA_ARRAY(scratch, struct span, m->lines + 1);
    for (uint32_t o = 0; o < nout; o++) mark(used + (size_t)o * nin * n, n, m, n, o, span);
    for (size_t k = 0; k < (size_t)nout * nin * n; k++) total += used[k];
    uint32_t *ptr = ARENA_ARRAY(a, uint32_t, nout * nin + 1), *d = ARENA_ARRAY(a, uint32_t, total + 1);
    for (uint32_t b = 0; b < nout * nin; b++) {
        for (uint32_t k = 0; k < n; k++)
            if (used[(size_t)b * n + k]) d[at++] = k;
        ptr[b + 1] = at;
    }
    *out = (struct linmap_sets){n, nin, nout, ptr, d};
    arena_free(scratch);
}

static const int64_t *steps(const struct ir_inst *i, const char *key, size_t *n)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    *n = a && a->kind == IR_INTS ? a->ints.n : 0;
    return *n ? a->ints.v : NULL;
}

struct linmap_steps linmap_steps(const struct ir_module *m, const struct ir_inst *i)
{
    struct linmap_steps s = {.batch = ir_batch(m)};
    s.giant = steps(i, "giant", &s.ngiant);
    s.baby = steps(i, "baby", &s.nbaby);
    s.fold = steps(i, "fold", &s.nfold);
    ICE_IF(!s.ngiant || !s.nbaby, "%s without its plan", ir_op_name(i->op));
    return s;
}

static int64_t single(const struct linmap_steps *s, int64_t amount)
{
    return s->batch > 1 ? amount / s->batch : amount;
}

static int by_place(const void *x, const void *y)
{
    const struct linmap_term *a = x, *b = y;
    if (a->giant != b->giant) return a->giant < b->giant ? -1 : 1;
    if (a->in != b->in) return a->in < b->in ? -1 : 1;
    return a->baby < b->baby ? -1 : a->baby > b->baby;
}

size_t linmap_terms(struct linmap_term **terms, struct arena *a, const struct linmap_sets *sets, uint32_t out,
                    const struct linmap_steps *s)
{
    struct arena *scratch = arena_new();
    uint32_t n = sets->modulus, first = out * sets->nin;
    struct pair {
        uint32_t giant, baby;           // indices + 1, 0 where the plan does not reach
    } *reach = ARENA_ARRAY(scratch, struct pair, n);
    for (size_t g = 0; g < s->ngiant; g++)
        for (size_t b = 0; b < s->nbaby; b++) {
            struct pair *p = &reach[modulo(single(s, s->giant[g] + s->baby[b]), n)];
            if (!p->giant) *p = (struct pair){(uint32_t)g + 1, (uint32_t)b + 1};
        }
    size_t count = sets->ptr[first + sets->nin] - sets->ptr[first];
    struct linmap_term *t = *terms = ARENA_ARRAY(a, struct linmap_term, count + 1);
    for (uint32_t in = 0; in < sets->nin; in++)
        for (uint32_t k = sets->ptr[first + in]; k < sets->ptr[first + in + 1]; k++) {
            struct pair p = reach[sets->d[k]];
            ICE_IF(!p.giant, "the plan of a linear map does not reach diagonal %u", sets->d[k]);
            *t++ = (struct linmap_term){in, p.giant - 1, p.baby - 1, sets->d[k]};
        }
    qsort(*terms, count, sizeof **terms, by_place);
    arena_free(scratch);
    return count;
}

void linmap_plaintexts(double *pt, const struct linmap_term *terms, size_t count, const struct ir_csr *m, uint32_t n, uint32_t out,
                       const struct linmap_steps *s)
{
    struct arena *scratch = arena_new();
    uint32_t mask = n - 1, *index = ARENA_ARRAY(scratch, uint32_t, m->cols);   // 1 + term of in * n + diagonal
    memset(pt, 0, sizeof *pt * n * count);
    for (size_t k = 0; k < count; k++) index[(size_t)terms[k].in * n + terms[k].diagonal] = (uint32_t)k + 1;
    for (uint32_t r = 0; r < n; r++) {
        struct ir_row row = ir_csr_row(m, (int64_t)out * n + r);
        for (int64_t k = row.lo; k < row.hi; k++) {
            uint32_t c = (uint32_t)ir_csr_col(m, row, k), t = index[(c & ~mask) + ((c - r) & mask)];
            if (t) pt[(size_t)(t - 1) * n + ((r + (uint32_t)single(s, s->giant[terms[t - 1].giant])) & mask)] = m->val[k];
        }
    }
    arena_free(scratch);
}

static int i64_cmp(const void *p, const void *q)
{
    int64_t a = *(const int64_t *)p, b = *(const int64_t *)q;
    return a < b ? -1 : a > b;
}

/* Distinct amounts other than 0. */
static uint64_t distinct(struct arena *a, const struct linmap_steps *s, uint32_t n)
{
    int64_t *all = ARENA_ARRAY(a, int64_t, s->nbaby + s->ngiant + s->nfold);
    size_t count = 0;
    uint64_t keys = 0;
    for (size_t k = 0; k < s->nbaby; k++) all[count++] = modulo(single(s, s->baby[k]), n);
    for (size_t k = 0; k < s->ngiant; k++) all[count++] = modulo(single(s, s->giant[k]), n);
    for (size_t k = 0; k < s->nfold; k++) all[count++] = modulo(single(s, s->fold[k]), n);
    qsort(all, count, sizeof *all, i64_cmp);
    for (size_t k = 0; k < count; k++) keys += all[k] != 0 && (k == 0 || all[k] != all[k - 1]);
    return keys;
}

struct linmap_counts linmap_count(const struct ir_module *m, const struct ir_inst *i)
{
    struct arena *a = arena_new();
    struct ir_csr mat = ir_csr_find(m, ir_get_string(i->attrs, "mat", ""));
    struct linmap_sets sets;
    struct linmap_steps s = linmap_steps(m, i);
    uint32_t one = i->type.n / (uint32_t)ir_batch(m);
    linmap_diagonals(a, &sets, &mat, one);
    struct linmap_counts c = {.folds = s.nfold * sets.nout, .keys = distinct(a, &s, one)};
    uint8_t *b = ARENA_ARRAY(a, uint8_t, sets.nin * s.nbaby);
    uint64_t outputs = 0;
    for (uint32_t o = 0; o < sets.nout; o++) {
        struct linmap_term *t;
        size_t n = linmap_terms(&t, a, &sets, o, &s);
        for (size_t k = 0; k < n; k++) {
            b[t[k].in * s.nbaby + t[k].baby] = 1;
            c.giants += (k == 0 || t[k].giant != t[k - 1].giant) && s.giant[t[k].giant] != 0;
        }
        c.diagonals += n;
        outputs += n > 0;
    }
    for (size_t k = 0; k < sets.nin * s.nbaby; k++) c.babies += b[k] && s.baby[k % s.nbaby] != 0;
    c.rotations = c.babies + c.giants + c.folds;
    c.additions = c.diagonals - outputs + c.folds + (ir_attr_find(i->attrs, "bias") ? sets.nout : 0);
    arena_free(a);
    return c;
}
