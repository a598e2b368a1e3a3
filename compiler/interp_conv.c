// SPDX-License-Identifier: Apache-2.0
// Convolution as a blocked matrix product: 4 output channels times 16 output positions in registers, over all (channel, kernel row, kernel
// column) in order. The input of a sample is copied once with its padding; a block of positions that is contiguous there (stride 1) is
// read in place, any other is gathered into a panel first, which all output channels of the group share.
#include "diag.h"
#include "interp.h"
#include <stdlib.h>
#include <string.h>

static int64_t attr_int_at(const struct ir_inst *i, const char *key, size_t k, int64_t def)
{
    const struct ir_attr *a = ir_attr_find(i->attrs, key);
    return a && a->kind == IR_INTS && k < a->ints.n ? a->ints.v[k] : def;
}

struct interp_window interp_window(const struct ir_inst *i, const int64_t *kernel)
{
    struct interp_window w = {.in = {1, 1}, .out = {1, 1}, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    uint32_t rank = i->type.rank - 2;
    ICE_IF(rank < 1 || rank > 2, "%s over %u axes", ir_op_name(i->op), rank);
    for (uint32_t d = 0; d < rank; d++) {
        uint32_t e = d + 2 - rank;
        w.in[e] = i->args[0]->type.dim[2 + d];
        w.out[e] = i->type.dim[2 + d];
        w.kernel[e] = kernel ? kernel[d] : attr_int_at(i, "kernel", d, 1);
        w.stride[e] = attr_int_at(i, "strides", d, 1);
        w.dilation[e] = attr_int_at(i, "dilations", d, 1);
        w.pad[e] = attr_int_at(i, "pads", d, 0);
        w.pad_end[e] = attr_int_at(i, "pads", d + rank, 0);
    }
    return w;
}

struct conv {
    struct interp_window w;
    int64_t groups, cin, cout, cg, og;      // channels in all, per group
    int64_t height, width;                  // of a padded plane
    int64_t terms, blocks;                  // cg x kernel; blocks of 4 output channels in a group
    double *weight;                         // [groups][blocks][terms][4]
    int64_t *offset;                        // [terms]: of a tap in the padded planes of a group
    int64_t *panel;                         // [terms]: of a tap in a gathered panel
    const double *bias;
};

static void pack(struct conv *c, const double *w, struct arena *arena)
{
    c->weight = ARENA_ARRAY(arena, double, c->groups * c->blocks * c->terms * INTERP_OUTPUTS);
    c->offset = ARENA_ARRAY(arena, int64_t, c->terms);
    c->panel = ARENA_ARRAY(arena, int64_t, c->terms);
    for (int64_t o = 0; o < c->cout; o++) {
        int64_t in_group = o % c->og;
        double *to = c->weight + ((o / c->og * c->blocks + in_group / INTERP_OUTPUTS) * c->terms) * INTERP_OUTPUTS + in_group % INTERP_OUTPUTS;
        for (int64_t k = 0; k < c->terms; k++) to[k * INTERP_OUTPUTS] = w[o * c->terms + k];
    }
    int64_t area = c->w.kernel[0] * c->w.kernel[1];
    for (int64_t k = 0; k < c->terms; k++) {
        int64_t ky = k % area / c->w.kernel[1], kx = k % c->w.kernel[1];
        c->offset[k] = (k / area * c->height + ky * c->w.dilation[0]) * c->width + kx * c->w.dilation[1];
        c->panel[k] = k * INTERP_TILE;
    }
}

/* One sample. `padded`: cin planes of height x width and a tile of slack; panel: terms x 16. */
static void sample(const struct conv *c, double *y, const double *x, double *padded, double *panel)
{
    const struct interp_window *w = &c->w;
    int64_t positions = w->out[0] * w->out[1];
    for (int64_t ch = 0; ch < c->cin; ch++)                     // negative pads crop
        for (int64_t r = 0; r < c->height; r++) {
            int64_t from = r - w->pad[0], lo = w->pad[1] > 0 ? w->pad[1] : 0, hi = w->in[1] + w->pad[1];
            if (from < 0 || from >= w->in[0]) continue;
            if (hi > c->width) hi = c->width;
            if (hi > lo)
                memcpy(padded + (ch * c->height + r) * c->width + lo, x + (ch * w->in[0] + from) * w->in[1] + lo - w->pad[1],
                       (size_t)(hi - lo) * sizeof *x);
        }
    for (int64_t p = 0; p < positions; p += INTERP_TILE) {
        int64_t at[INTERP_TILE], n = positions - p < INTERP_TILE ? positions - p : INTERP_TILE;
        for (int64_t j = 0; j < INTERP_TILE; j++) {
            int64_t q = p + (j < n ? j : n - 1);
            at[j] = q / w->out[1] * w->stride[0] * c->width + q % w->out[1] * w->stride[1];
        }
        bool contiguous = n == INTERP_TILE && w->stride[1] == 1 && at[INTERP_TILE - 1] - at[0] == INTERP_TILE - 1;
        for (int64_t g = 0; g < c->groups; g++) {
            const double *base = padded + g * c->cg * c->height * c->width, *from = contiguous ? base + at[0] : panel;
            const int64_t *offset = contiguous ? c->offset : c->panel;
            for (int64_t k = 0; !contiguous && k < c->terms; k++)
                for (int j = 0; j < INTERP_TILE; j++) panel[k * INTERP_TILE + j] = base[c->offset[k] + at[j]];
            for (int64_t b = 0; b < c->blocks; b++) {
                double acc[INTERP_OUTPUTS * INTERP_TILE];
                int64_t o = g * c->og + b * INTERP_OUTPUTS, end = (g + 1) * c->og;
                for (int64_t r = 0; r < INTERP_OUTPUTS; r++)
                    for (int j = 0; j < INTERP_TILE; j++) acc[r * INTERP_TILE + j] = c->bias && o + r < end ? c->bias[o + r] : 0;
                interp_tile(acc, c->weight + (g * c->blocks + b) * c->terms * INTERP_OUTPUTS, from, offset, c->terms);
                for (int64_t r = 0; r < INTERP_OUTPUTS && o + r < end; r++)
                    memcpy(y + (o + r) * positions + p, acc + r * INTERP_TILE, (size_t)n * sizeof *y);
            }
        }
    }
}

void interp_conv(struct interp *in, const struct ir_inst *i, double *out)
{
    const struct ir_const *wc = ir_const_find(in->m, ir_get_string(i->attrs, "weight", ""));
    ICE_IF(!wc, "convolution without weight");
    struct conv c = {.w = interp_window(i, wc->dim + 2), .groups = ir_get_int(i->attrs, "groups", 1), .cout = i->type.dim[1],
                     .cg = wc->dim[1], .bias = interp_const(in, i, "bias")};
    const double *x = interp_arg(in, i, 0);
    c.cin = c.cg * c.groups;
    c.og = c.cout / c.groups;
    c.blocks = (c.og + INTERP_OUTPUTS - 1) / INTERP_OUTPUTS;
    c.terms = c.cg * c.w.kernel[0] * c.w.kernel[1];
    // Enough for the last tap of the last position, whatever the end padding says.
    c.height = (c.w.out[0] - 1) * c.w.stride[0] + (c.w.kernel[0] - 1) * c.w.dilation[0] + 1;
    c.width = (c.w.out[1] - 1) * c.w.stride[1] + (c.w.kernel[1] - 1) * c.w.dilation[1] + 1;
    pack(&c, interp_const(in, i, "weight"), in->arena);
    int64_t samples = in->rows * i->type.dim[0], nx = ir_type_numel(&i->args[0]->type) / i->type.dim[0];
    int64_t ny = ir_type_numel(&i->type) / i->type.dim[0];
#pragma omp parallel if (samples > 1)
    {
        double *padded = calloc((size_t)(c.cin * c.height * c.width + INTERP_TILE), sizeof *padded);
        double *panel = malloc((size_t)(c.terms * INTERP_TILE) * sizeof *panel);
        ICE_IF(!padded || !panel, "out of memory");
#pragma omp for schedule(dynamic)
        for (int64_t s = 0; s < samples; s++) sample(&c, out + s * ny, x + s * nx, padded, panel);
        free(padded);
        free(panel);
    }
}
