// SPDX-License-Identifier: Apache-2.0
// Mixed-radix strided layouts and their text form.
#include "layout.h"
#include "diag.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layout layout_dense(uint32_t rank, const int64_t *dim, uint32_t n)
{
    struct layout l = {.n = n, .period = n, .rank = rank, .ndigits = rank};
    int64_t stride = 1;
    for (uint32_t i = rank; i-- > 0;) {
        l.dim[i] = dim[i];
        l.digit[i] = (struct layout_digit){i, dim[i], stride};
        stride *= dim[i];
    }
    return l;
}

int64_t layout_numel(const struct layout *l)
{
    int64_t n = 1;
    for (uint32_t i = 0; i < l->rank; i++) n *= l->dim[i];
    return n;
}

uint32_t layout_count(const struct layout *l)
{
    int64_t top = l->offset;
    for (uint32_t i = 0; i < l->ndigits; i++)
        if (l->digit[i].stride > 0) top += (l->digit[i].extent - 1) * l->digit[i].stride;
    return (uint32_t)(top / l->n + 1);
}

int64_t layout_slot(const struct layout *l, int64_t element)
{
    int64_t slot = l->offset;
    uint32_t d = l->ndigits;
    for (uint32_t axis = l->rank; axis-- > 0;) {
        int64_t index = element % l->dim[axis];
        element /= l->dim[axis];
        for (; d > 0 && l->digit[d - 1].axis == axis; d--) {
            slot += index % l->digit[d - 1].extent * l->digit[d - 1].stride;
            index /= l->digit[d - 1].extent;
        }
    }
    return slot;
}

uint32_t layout_batch(const struct layout *l)
{
    return 1u << l->log_batch;
}

void layout_pack(double *slots, const struct layout *l, const double *tensor, uint32_t samples)
{
    int64_t numel = layout_numel(l);
    memset(slots, 0, sizeof *slots * l->n * layout_count(l));
    for (uint32_t k = 0; k < layout_batch(l); k++) {
        const double *x = tensor + (k < samples ? k : 0) * numel;
        for (int64_t e = 0; e < numel; e++) {
            int64_t s = layout_slot(l, e) + k, base = s / l->n * l->n, at = (s - base) % l->period;
            for (int64_t copy = 0; copy < l->n; copy += l->period) {
                slots[base + copy + at] = x[e];
                at = (at + l->skew) % l->period;
            }
        }
    }
}

void layout_unpack(double *tensor, const struct layout *l, const double *slots, uint32_t samples)
{
    int64_t numel = layout_numel(l);
    for (uint32_t k = 0; k < samples; k++)
        for (int64_t e = 0; e < numel; e++) tensor[k * numel + e] = slots[layout_slot(l, e) + k];
}

struct layout layout_interleave(const struct layout *one, uint32_t log_batch)
{
    struct layout l = *one;
    l.n <<= log_batch;
    l.period <<= log_batch;
    l.log_batch += log_batch;
    l.skew *= INT64_C(1) << log_batch;
    l.offset *= INT64_C(1) << log_batch;
    for (uint32_t d = 0; d < l.ndigits; d++) l.digit[d].stride *= INT64_C(1) << log_batch;
    return l;
}

const char *layout_print(struct arena *a, const struct layout *l)
{
    char *s = arena_printf(a, "n=%" PRIu32, l->n);
    if (l->log_batch) s = arena_printf(a, "%s batch=%" PRIu32, s, layout_batch(l));
    s = arena_printf(a, "%s period=%" PRIu32, s, l->period);
    if (l->skew) s = arena_printf(a, "%s skew=%" PRId64, s, l->skew);
    if (l->offset) s = arena_printf(a, "%s offset=%" PRId64, s, l->offset);
    if (l->clean) s = arena_printf(a, "%s clean", s);
    uint32_t d = 0;
    for (uint32_t axis = 0; axis < l->rank; axis++) {
        s = arena_printf(a, "%s [", s);
        for (const char *gap = ""; d < l->ndigits && l->digit[d].axis == axis; d++, gap = " ")
            s = arena_printf(a, "%s%s%" PRId64 ":%" PRId64, s, gap, l->digit[d].extent, l->digit[d].stride);
        s = arena_printf(a, "%s]", s);
    }
    return s;
}

// Reads a number in [lo, hi] at *p and moves on.
static int number(const char **p, int64_t *out, int64_t lo, int64_t hi)
{
    char *end;
    errno = 0;
    if ((**p < '0' || **p > '9') && **p != '-') return -1;
    long long v = strtoll(*p, &end, 10);
    if (errno || end == *p || v < lo || v > hi) return -1;
    *out = v;
    *p = end;
    return 0;
}

static int word(const char **p, const char *w)
{
    size_t n = strlen(w);
    if (strncmp(*p, w, n)) return 0;
    *p += n;
    return 1;
}

// One axis: digits up to the closing bracket.
static int parse_axis(struct layout *l, const char **p)
{
    if (l->rank == IR_MAX_RANK) return -1;
    uint32_t axis = l->rank++;
    l->dim[axis] = 1;
    while (!word(p, "]")) {
        struct layout_digit *d = &l->digit[l->ndigits];
        if (l->ndigits == LAYOUT_MAX_DIGITS) return -1;
        d->axis = axis;
        if (number(p, &d->extent, 1, 1 << 30) || !word(p, ":") || number(p, &d->stride, 0, 1 << 30)) return -1;
        l->ndigits++;
        if ((l->dim[axis] *= d->extent) > INT64_C(1) << 31) return -1;
        while (word(p, " ")) {}
    }
    return 0;
}

static bool power_of_two(int64_t v)
{
    return v > 0 && !(v & (v - 1));
}

int layout_parse(struct layout *out, const char *text)
{
    struct layout l = {0};
    const char *p = text;
    int64_t n, period, batch = 1;
    if (!word(&p, "n=") || number(&p, &n, 1, 1 << 16)) return -1;
    if (word(&p, " batch=") && number(&p, &batch, 2, n)) return -1;
    if (!word(&p, " period=") || number(&p, &period, batch, n)) return -1;
    if (!power_of_two(n) || !power_of_two(period) || !power_of_two(batch)) return -1;
    while (INT64_C(1) << l.log_batch < batch) l.log_batch++;
    l.n = (uint32_t)n;
    l.period = (uint32_t)period;
    if (word(&p, " skew=") && number(&p, &l.skew, 1, period - 1)) return -1;
    if (word(&p, " offset=") && number(&p, &l.offset, 0, 1 << 30)) return -1;
    if (word(&p, " clean")) l.clean = true;
    while (word(&p, " ["))
        if (parse_axis(&l, &p)) return -1;
    int64_t top = l.offset, mixed = l.offset | l.skew;
    for (uint32_t i = 0; i < l.ndigits; i++) {
        top += (l.digit[i].extent - 1) * l.digit[i].stride;
        mixed |= l.digit[i].extent > 1 ? l.digit[i].stride : 0;
    }
    if (mixed & (batch - 1)) return -1;         // samples would share slots
    if (*p || top >= INT64_C(1) << 31) return -1;
    *out = l;
    return 0;
}
