// SPDX-License-Identifier: Apache-2.0
// Tensors to slot vectors and back, by the mixed-radix layout of a port (model.h).
#include "port.h"
#include "internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

size_t ck_port_numel(const struct ck_port *p)
{
    size_t n = 1;
    for (uint32_t i = 1; i < p->rank; i++) n *= (size_t)p->dim[i];
    return n;
}

static const char *shape(uint32_t rank, const int64_t *dim, int batch)
{
    static _Thread_local char text[4][256];
    static _Thread_local int turn;
    char *t = text[turn = (turn + 1) % 4];
    int n = snprintf(t, sizeof text[0], "%s", rank ? "" : "()");
    for (uint32_t i = 0; i < rank; i++)
        if (i == 0 && batch) n += snprintf(t + n, sizeof text[0] - (size_t)n, "B");
        else n += snprintf(t + n, sizeof text[0] - (size_t)n, "%s%lld", i ? "x" : "", (long long)dim[i]);
    return t;
}

const char *ck_port_shape(const struct ck_port *p)
{
    return shape(p->rank, p->dim, 1);
}

const char *ck_npy_shape(const struct ck_npy *a)
{
    return shape(a->rank, a->dim, 0);
}

/* Global slot of a row-major element: axes from the last, digits of an axis from the least significant. */
static size_t slot_of(const struct ck_port *p, size_t element)
{
    int64_t slot = p->offset;
    uint32_t d = p->ndigits;
    for (uint32_t axis = p->rank; axis-- > 1;) {
        size_t extent = (size_t)p->dim[axis], i = element % extent;
        element /= extent;
        for (; d > 0 && p->digit[d - 1].axis == axis - 1; d--) {
            size_t e = (size_t)p->digit[d - 1].extent;
            slot += (int64_t)(i % e) * p->digit[d - 1].stride;
            i /= e;
        }
    }
    return (size_t)slot;
}

uint32_t ck_port_batch(const struct ck_port *p)
{
    return 1u << p->log_batch;
}

size_t ck_model_groups(const struct ck_model *m, size_t samples)
{
    uint32_t batch = ck_port_batch(m->in);
    return (samples + batch - 1) / batch;
}

static void pack_one(double *slots, const struct ck_port *p, const double *tensor, uint32_t sample)
{
    size_t numel = ck_port_numel(p);
    for (size_t e = 0; e < numel; e++) {
        size_t s = slot_of(p, e) + sample, first = s - s % p->n;
        for (uint32_t k = 0; k < p->n / p->period; k++) {
            // Periods are powers of two: the cast turns a negative skew into its residue.
            size_t j = (size_t)((int64_t)s + k * p->skew) & (p->period - 1);
            slots[first + (size_t)k * p->period + j] = tensor[e];
        }
    }
}

void ck_port_pack(double *slots, const struct ck_port *p, const double *tensor, uint32_t samples)
{
    size_t numel = ck_port_numel(p), total = (size_t)p->count * p->n;
    memset(slots, 0, total * sizeof *slots);
    for (uint32_t k = 0; k < ck_port_batch(p); k++) pack_one(slots, p, tensor + (k < samples ? k : 0) * numel, k);
}

void ck_port_unpack(double *tensor, const struct ck_port *p, const double *slots, uint32_t samples)
{
    size_t numel = ck_port_numel(p);
    for (uint32_t k = 0; k < samples; k++)
        for (size_t e = 0; e < numel; e++) tensor[k * numel + e] = slots[slot_of(p, e) + k];
}

size_t ck_port_samples(const struct ck_port *p, const struct ck_npy *a)
{
    if (a->rank + 1 == p->rank && !memcmp(a->dim, p->dim + 1, a->rank * sizeof *a->dim)) return 1;
    if (a->rank != p->rank || memcmp(a->dim + 1, p->dim + 1, (a->rank - 1) * sizeof *a->dim)) return 0;
    return (size_t)a->dim[0];
}

size_t ck_port_post_numel(const struct ck_port *p)
{
    return p->post == CK_POST_ARGMAX ? ck_port_numel(p) / (size_t)p->dim[p->axis] : ck_port_numel(p);
}

static void softmax(double *x, size_t n, size_t step, int logs)
{
    double max = x[0], sum = 0;
    for (size_t i = 1; i < n; i++) max = fmax(max, x[i * step]);
    for (size_t i = 0; i < n; i++) sum += exp(x[i * step] - max);
    for (size_t i = 0; i < n; i++)
        x[i * step] = logs ? x[i * step] - max - log(sum) : exp(x[i * step] - max) / sum;
}

void ck_port_post(double *tensor, int64_t *index, const struct ck_port *p)
{
    if (p->post == CK_POST_NONE) return;
    size_t n = (size_t)p->dim[p->axis], inner = 1;
    for (uint32_t i = p->axis + 1; i < p->rank; i++) inner *= (size_t)p->dim[i];
    size_t outer = ck_port_numel(p) / n / inner;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            double *x = tensor + o * n * inner + i;
            if (p->post != CK_POST_ARGMAX) {
                softmax(x, n, inner, p->post == CK_POST_LOGSOFTMAX);
                continue;
            }
            size_t best = 0;
            for (size_t k = 1; k < n; k++)
                if (x[k * inner] > x[best * inner]) best = k;
            index[o * inner + i] = (int64_t)best;
        }
}

void ck_port_result_shape(struct ck_npy *out, const struct ck_port *p, size_t samples)
{
    out->rank = 0;
    for (uint32_t i = 0; i < p->rank; i++) {
        int64_t dim = i ? p->dim[i] : (int64_t)samples;
        if (p->post == CK_POST_ARGMAX && i == p->axis) {
            if (!p->keepdims) continue;
            dim = 1;
        }
        out->dim[out->rank++] = dim;
    }
}

enum ck_err ck_port_flood(double *tensor, size_t n, double sigma)
{
    struct ck_drbg *rng;
    CK_TRY(ck_drbg_new(&rng, NULL));
    enum ck_err err = CK_OK;
    int grid = ilogb(sigma) - 8;
    for (size_t i = 0; i < n && err == CK_OK; i++) {
        uint64_t r[2];
        err = ck_drbg_bytes(rng, r, sizeof r);
        if (err != CK_OK) break;
        double u = ((double)(r[0] >> 11) + 0.5) * 0x1p-53, v = (double)(r[1] >> 11) * 0x1p-53;
        tensor[i] = ldexp(round(ldexp(tensor[i] + sigma * sqrt(-2 * log(u)) * cos(6.283185307179586 * v), -grid)), grid);
        ck_mem_wipe(r, sizeof r);
    }
    ck_drbg_free(rng);
    return err;
}
