// SPDX-License-Identifier: Apache-2.0
// Tables of layers from plan.json, with measured times and errors where they are known.
#include "layers.h"
#include "../runtime/npy.h"
#include "diag.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct json *read_object(struct arena *a, const char *path, const char *what)
{
    void *text;
    size_t len;
    int line = 1;
    const char *why = ck_file_slurp(&text, &len, path);
    if (why) {
        diag_error(path, "%s%s", why, what);
        return NULL;
    }
    struct json *v = json_parse(a, text, len, &line);
    free(text);
    if (v && v->kind == JSON_OBJECT) return v;
    diag_error(path, "is damaged: wrong from line %d on", v ? 1 : line);
    return NULL;
}

/* A whole number from 0 to most; -1 if there is none. */
static int64_t whole(const struct json *v, const char *key, int64_t most)
{
    const struct json *n = json_get(v, key);
    if (!n || n->kind != JSON_NUMBER || !(n->number >= 0 && n->number <= (double)most)) return -1;
    return (int64_t)n->number;
}

static bool read_layer(struct layer *l, const struct json *v)
{
    int64_t value = whole(v, "value", INT32_MAX), cts = whole(v, "ciphertexts", 1 << 20), degree = whole(v, "degree", 2);
    int64_t in = whole(v, "level_in", 1024), out = whole(v, "level_out", 1024);
    if (value < 0 || cts < 1 || degree < 1 || in < 0 || out < 0) return false;
    *l = (struct layer){
        .node = json_string(v, "node"),
        .operator = json_string(v, "operator"),
        .part = json_string(v, "part"),
        .layout = json_string(v, "layout"),
        .value = (uint32_t)value,
        .ciphertexts = (uint32_t)cts,
        .degree = (uint32_t)degree,
        .level_in = (int)in,
        .level_out = (int)out,
        .rotations = json_number(v, "rotations"),
        .plain_products = json_number(v, "plaintext_products"),
        .cipher_products = json_number(v, "ciphertext_products"),
        .bootstraps = json_number(v, "bootstraps"),
        .predicted = json_number(v, "microseconds") / 1e6,
    };
    const struct json *shape = json_get(v, "shape");
    size_t at = 0;
    for (const struct json *d = shape ? shape->first : NULL; d && at < 40; d = d->next)
        at += (size_t)snprintf(l->shape + at, sizeof l->shape - at, "%s%.0f", at ? "x" : "", fmin(fmax(d->number, 0), 1e12));
    if (!at) strcpy(l->shape, "-");
    return true;
}

int plan_read(struct plan *out, struct arena *a, const char *dir)
{
    const char *path = arena_printf(a, "%s/plan.json", dir);
    const struct json *v = read_object(a, path, "; is this a folder that `tacet compile` made?");
    if (!v) return -1;
    const struct json *layers = json_get(v, "layers");
    struct plan p = {.json = v, .parameters = json_get(v, "parameters"), .totals = json_get(v, "totals")};
    p.batch = (int64_t)fmax(json_number(v, "batch"), 1);
    bool good = layers && layers->kind == JSON_ARRAY && layers->first && p.parameters && p.totals;
    for (const struct json *l = good ? layers->first : NULL; l; l = l->next) p.nlayers++;
    p.layer = ARENA_ARRAY(a, struct layer, p.nlayers + 1);
    size_t k = 0;
    for (const struct json *l = good ? layers->first : NULL; l && good; l = l->next) good = read_layer(&p.layer[k++], l);
    if (!good) {
        diag_error(path, "is not a plan of this version of tacet: compile the model again");
        return -1;
    }
    *out = p;
    return 0;
}

int plan_measured(struct plan *p, struct arena *a, const char *path)
{
    const struct json *v = read_object(a, path, ""), *seconds = json_get(v, "seconds");
    if (!v) return -1;
    size_t n = 0;
    for (const struct json *s = seconds ? seconds->first : NULL; s; s = s->next, n++)
        if (n < p->nlayers) p->layer[n].measured = s->number;
    if (n != p->nlayers) {
        diag_error(path, "has the times of %zu layers, plan.json has %zu: the programs are of another plan", n, p->nlayers);
        return -1;
    }
    p->measured = true;
    return 0;
}

double layer_rms(const struct layer *l, const struct layer_error *e)
{
    return l->values ? sqrt(e->square / (double)l->values) : 0;
}

static void seconds_text(char buf[24], double s)
{
    if (s < 10) snprintf(buf, 24, "%.1f ms", s * 1e3);
    else snprintf(buf, 24, "%.1f s", s);
}

static void print_times(const struct plan *p, double predicted, double measured)
{
    char text[24];
    seconds_text(text, predicted);
    printf(" %10s", text);
    seconds_text(text, measured);
    if (p->measured) printf(" %10s", text);
}

static void print_layer(const struct plan *p, const struct layer *l, int wide, unsigned columns)
{
    char level[32];
    snprintf(level, sizeof level, "%d -> %d", l->level_in, l->level_out);
    printf("%-*.40s  %-12.12s %-14s %3u %9s", wide, l->node, l->operator, l->shape, l->ciphertexts, level);
    if (columns & LAYERS_COST)
        printf(" %9.0f %9.0f %8.0f %5.0f", l->rotations, l->plain_products, l->cipher_products, l->bootstraps);
    print_times(p, l->predicted, l->measured);
    if ((columns & LAYERS_ERROR) && l->values)
        printf(" %9.3g %9.2e %9.2e %9.2e %9.2e%s", l->range, l->simulated.max, layer_rms(l, &l->simulated), l->encrypted.max,
               layer_rms(l, &l->encrypted), l->wrong ? " *" : "");
    else if (columns & LAYERS_ERROR)
        printf(" %9s", "-");
    if (columns & LAYERS_LAYOUT) printf("  %s", l->layout);
    printf("\n");
}

void layers_print(const struct plan *p, unsigned columns)
{
    int wide = 4;
    for (size_t k = 0; k < p->nlayers; k++) {
        int n = (int)strlen(p->layer[k].node);
        if (n > wide) wide = n < 40 ? n : 40;
    }
    printf("%-*s  %-12s %-14s %3s %9s", wide, "node", "operator", "shape", "cts", "level");
    if (columns & LAYERS_COST) printf(" %9s %9s %8s %5s", "rotations", "plain x", "cipher x", "boots");
    printf(" %10s", "predicted");
    if (p->measured) printf(" %10s", "measured");
    if (columns & LAYERS_ERROR) printf(" %9s %9s %9s %9s %9s", "range", "sim max", "sim rms", "enc max", "enc rms");
    if (columns & LAYERS_LAYOUT) printf("  layout");
    printf("\n");
    for (size_t k = 0; k < p->nlayers; k++) print_layer(p, &p->layer[k], wide, columns);
}

struct part {
    const char *name;
    double predicted, measured;
};

/* The parts in order of appearance, then the whole. Returns their number. */
static size_t parts_of(struct part part[9], const struct plan *p)
{
    size_t n = 0;
    struct part all = {.name = "all"};
    for (size_t k = 0; k < p->nlayers; k++) {
        const struct layer *l = &p->layer[k];
        size_t i = 0;
        while (i < n && strcmp(part[i].name, l->part)) i++;
        if (i == n && n < 8) part[n++] = (struct part){.name = l->part};
        all.predicted += l->predicted;
        all.measured += l->measured;
        if (i == n) continue;
        part[i].predicted += l->predicted;
        part[i].measured += l->measured;
    }
    part[n] = all;
    return n + 1;
}

void layers_print_parts(const struct plan *p)
{
    struct part part[9];
    size_t n = parts_of(part, p);
    const struct part *all = &part[n - 1];
    for (size_t i = 0; i < n; i++) {
        printf("%-10s", part[i].name);
        print_times(p, part[i].predicted, part[i].measured);
        double of = p->measured ? all->measured : all->predicted, is = p->measured ? part[i].measured : part[i].predicted;
        printf("  %5.1f %%\n", of > 0 ? 100 * is / of : 0);
    }
}

static void write_error(FILE *f, const char *name, const struct layer *l, const struct layer_error *e)
{
    fprintf(f, ", \"%s\": {\"max\": ", name);
    json_write_number(f, e->max);
    fprintf(f, ", \"rms\": ");
    json_write_number(f, layer_rms(l, e));
    fprintf(f, "}");
}

void layers_write(FILE *f, const struct plan *p, unsigned columns)
{
    fprintf(f, "  \"layers\": [");
    for (size_t k = 0; k < p->nlayers; k++) {
        const struct layer *l = &p->layer[k];
        fprintf(f, "%s\n    {\"node\": ", k ? "," : "");
        json_write_string(f, l->node);
        fprintf(f, ", \"operator\": ");
        json_write_string(f, l->operator);
        fprintf(f, ", \"part\": ");
        json_write_string(f, l->part);
        fprintf(f, ", \"predicted\": %.6g", l->predicted);
        if (p->measured) fprintf(f, ", \"measured\": %.6g", l->measured);
        if ((columns & LAYERS_ERROR) && l->values) {
            fprintf(f, ", \"range\": ");
            json_write_number(f, l->range);
            write_error(f, "simulated", l, &l->simulated);
            write_error(f, "encrypted", l, &l->encrypted);
            fprintf(f, ", \"wrong\": %s", l->wrong ? "true" : "false");
        }
        fprintf(f, "}");
    }
    struct part part[9];
    size_t n = parts_of(part, p);
    fprintf(f, "\n  ],\n  \"parts\": [");
    for (size_t i = 0; i < n; i++) {
        fprintf(f, "%s\n    {\"part\": ", i ? "," : "");
        json_write_string(f, part[i].name);
        fprintf(f, ", \"predicted\": %.6g", part[i].predicted);
        if (p->measured) fprintf(f, ", \"measured\": %.6g", part[i].measured);
        fprintf(f, "}");
    }
    fprintf(f, "\n  ]");
}
