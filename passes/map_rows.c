// SPDX-License-Identifier: Apache-2.0
// Which rows of a matrix between tensors are others, moved: by their entries, as a convolution's output channel repeats itself, or by their columns
// alone, which all its output channels share.
#include "layout_map.h"

#include <string.h>

/* Lines by their columns alone, numbered from 0. */
static int32_t *patterns(struct arena *a, const struct ir_csr *m)
{
    uint32_t size = 16;
    while (size < 2 * m->lines) size *= 2;
    int32_t *of_line = ARENA_ARRAY(a, int32_t, m->lines + 1), *table = ARENA_ARRAY(a, int32_t, size), n = 0;       // table: line + 1
    uint64_t *hash = ARENA_ARRAY(a, uint64_t, m->lines + 1);
    for (int64_t l = 0; l < m->lines; l++) {
        size_t bytes = sizeof *m->col * (size_t)(m->ptr[l + 1] - m->ptr[l]);
        uint64_t h = 0x9e3779b97f4a7c15u ^ bytes;
        for (int64_t e = m->ptr[l]; e < m->ptr[l + 1]; e++) {
            h = (h ^ (uint64_t)m->col[e]) * 0x9fb21c651e98df25u;
            h ^= h >> 32;
        }
        hash[l] = h;
        for (uint32_t k = (uint32_t)h & (size - 1);; k = (k + 1) & (size - 1)) {
            int64_t other = table[k] - 1;
            if (other < 0) {
                table[k] = (int32_t)l + 1;
                of_line[l] = n++;
                break;
            }
            if (hash[other] != h || (size_t)(m->ptr[other + 1] - m->ptr[other]) * sizeof *m->col != bytes ||
                memcmp(m->col + m->ptr[other], m->col + m->ptr[l], bytes) != 0) continue;
            of_line[l] = of_line[other];
            break;
        }
    }
    return of_line;
}

/* The first row of which each row is a moved copy, among those of its class; `class` by line, NULL: the line itself. */
static int32_t *moved_rows(struct arena *a, const struct ir_csr *m, const int32_t *class, uint32_t rank, const int64_t *dim)
{
    int32_t *like = ARENA_ARRAY(a, int32_t, m->rows + 1), *first = ARENA_ARRAY(a, int32_t, m->lines + 1);     // first: row + 1, by class
    struct box {
        int64_t at[IR_MAX_RANK], lo[IR_MAX_RANK], hi[IR_MAX_RANK];  // of the first entry; least and largest, by axis
    } *box = ARENA_ARRAY(a, struct box, m->lines + 1);
    int64_t stride[IR_MAX_RANK], s = 1;
    for (uint32_t d = rank; d-- > 0; s *= dim[d]) stride[d] = s;
    for (int64_t r = 0; r < m->rows; r++) {
        like[r] = (int32_t)r;
        struct ir_row row = ir_csr_row(m, r);
        if (!m->line || row.lo == row.hi) continue;
        int32_t c = class ? class[m->line[r]] : m->line[r], *f = &first[c];
        struct box *b = &box[c];
        if (!*f) {
            *f = (int32_t)r + 1;
            for (uint32_t d = 0; d < rank; d++) {
                b->lo[d] = b->hi[d] = b->at[d] = ir_csr_col(m, row, row.lo) / stride[d] % dim[d];
                for (int64_t e = row.lo; e < row.hi; e++) {
                    int64_t x = ir_csr_col(m, row, e) / stride[d] % dim[d];
                    b->lo[d] = x < b->lo[d] ? x : b->lo[d];
                    b->hi[d] = x > b->hi[d] ? x : b->hi[d];
                }
            }
            continue;
        }
        bool moved = true;
        for (uint32_t d = 0; d < rank && moved; d++) {
            int64_t by = ir_csr_col(m, row, row.lo) / stride[d] % dim[d] - b->at[d];
            moved = b->lo[d] + by >= 0 && b->hi[d] + by < dim[d] && (d > 0 || by == 0 || b->lo[0] == b->hi[0]);
        }
        if (moved) like[r] = *f - 1;
    }
    return like;
}

struct map_rows map_rows(struct arena *a, const struct ir_csr *m, uint32_t rank, const int64_t *dim)
{
    struct map_rows out = {.mat = *m, .like = moved_rows(a, m, NULL, rank, dim)};
    out.alike = m->line ? moved_rows(a, m, patterns(a, m), rank, dim) : out.like;
    int32_t *kind = ARENA_ARRAY(a, int32_t, m->rows + 1);
    for (int64_t r = 0; r < m->rows; r++) kind[r] = out.alike[r] == r ? (int32_t)out.kinds++ : kind[out.alike[r]];
    out.kind = kind;
    return out;
}
