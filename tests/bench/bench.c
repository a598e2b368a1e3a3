// SPDX-License-Identifier: Apache-2.0
// The bench program: the machine's limits, the kernels of every table, the scheme's operations, and the constants of the cost
// model fitted to them. Prints a table and writes an array of {name, params, threads, median_us, ratio_to_limit,
// ratio_to_scalar, ntts}, null where a ratio makes no sense.
// usage: bench [--kernels] OUT.json      --kernels: without the scheme
#include "bench.h"
#include "bench_scheme.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_ROWS = 256, TEXT = 64 };

static struct bench_row kept[MAX_ROWS];
static char text[MAX_ROWS][2][TEXT];
static int count;

static double now_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(void (*call)(void *), void *arg, int runs, clockid_t clock)
{
    double t[64];
    call(arg);
    for (int i = 0; i < runs; i++) {
        t[i] = now_us(clock);
        call(arg);
        t[i] = now_us(clock) - t[i];
    }
    qsort(t, (size_t)runs, sizeof *t, by_value);
    return t[runs / 2];
}

double bench_median(void (*call)(void *), void *arg, int runs)
{
    return median(call, arg, runs, CLOCK_THREAD_CPUTIME_ID);
}

double bench_median_wall(void (*call)(void *), void *arg, int runs)
{
    return median(call, arg, runs, CLOCK_MONOTONIC);
}

static void ratio(double value, double unit)
{
    if (unit > 0 && value > 0) printf(" %9.2f", value / unit);
    else printf(" %9s", "-");
}

void bench_emit(const struct bench_row *r)
{
    if (count == MAX_ROWS) exit(1);
    snprintf(text[count][0], TEXT, "%s", r->name);
    snprintf(text[count][1], TEXT, "%s", r->params);
    kept[count] = *r;
    kept[count].name = text[count][0];
    kept[count].params = text[count][1];
    count++;
    printf("%-32s %-26s %2d %12.2f", r->name, r->params, r->threads, r->median_us);
    ratio(r->median_us, r->limit_us);
    ratio(r->scalar_us, r->median_us);
    ratio(r->ntts, 1);
    printf("\n");
    fflush(stdout);
}

static void emit_scheme(void *arg, const char *name, const char *params, int threads, double us, double ntts)
{
    bench_emit(&(struct bench_row){name, params, threads, us, 0, 0, ntts});
}

static double find(const char *name, int threads)
{
    for (int i = count; i-- > 0;)
        if (!strcmp(kept[i].name, name) && kept[i].threads == threads) return kept[i].median_us;
    return 0;
}

// t_ntt is that of a row of primes, whose twiddles come from beyond the second-level cache; t_pass, what a limb costs besides its
// transform when it comes from memory and goes back, is taken from the rescale. All rows but that one are predictions.
static void fit(const struct bench_figures *f, const struct bench_limits *m)
{
    const double two = find("key switch (rotation)", 2), one = find("key switch (rotation)", 1), ntt = find("ntt (in a row of primes)", 1);
    const struct ck_cost c = {
        .t_ntt = ntt, .t_conv = f->conv_pair, .t_elt = f->submulc, .t_mul = f->inner2 / 4, .t_expand = f->expand,
        .t_pass = fmax(find("rescale", 1) / 44 - ntt, f->submulc), .bytes_per_us = m->dram, .two_thread_speedup = two > 0 ? one / two : 1,
    };
    struct ck_params par, big;
    bench_parameters(&par, 22, 11, 11);
    bench_parameters(&big, 30, 7, 7);
    printf("\ncost model: .t_ntt = %.1f, .t_conv = %.2f, .t_elt = %.1f, .t_mul = %.1f, .t_expand = %.1f, .t_pass = %.1f, "
           ".bytes_per_us = %.0f, .two_thread_speedup = %.2f\n",
           c.t_ntt, c.t_conv, c.t_elt, c.t_mul, c.t_expand, c.t_pass, c.bytes_per_us, c.two_thread_speedup);
    const struct { const char *name; double value; } constant[] = {
        {"cost t_ntt", c.t_ntt}, {"cost t_conv", c.t_conv}, {"cost t_elt", c.t_elt}, {"cost t_mul", c.t_mul},
        {"cost t_expand", c.t_expand}, {"cost t_pass", c.t_pass}, {"cost bytes_per_us", c.bytes_per_us},
        {"cost two_thread_speedup", c.two_thread_speedup},
    };
    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++)
        bench_emit(&(struct bench_row){constant[i].name, "N=2^16", 1, constant[i].value, 0, 0, 0});
    const struct { const char *name; double us; } predicted[] = {
        {"rotation, key of 4 limbs", ck_cost_keyswitch(&c, &par, 4)}, {"rotation, key of 8 limbs", ck_cost_keyswitch(&c, &par, 8)},
        {"rotation, key of 13 limbs", ck_cost_keyswitch(&c, &par, 13)},
        {"key switch (rotation)", ck_cost_keyswitch(&c, &par, 22)}, {"rotation, key of 30 limbs", ck_cost_keyswitch(&c, &big, 30)},
        {"multiply, relinearise, rescale", ck_cost_mul(&c, &par, 22)}, {"rescale", ck_cost_rescale(&c, &par, 22)},
        {"16 rotations, hoisted, in QP", ck_cost_modup(&c, &par, 22) + 16 * ck_cost_hoisted(&c, &par, 22)},
        {"16 rotations, hoisted, in Q", ck_cost_modup(&c, &par, 22) + 16 * (ck_cost_hoisted(&c, &par, 22) + 2 * ck_cost_moddown(&c, &par, 22))},
    };
    printf("predicted / measured, one thread:");
    for (size_t i = 0; i < sizeof predicted / sizeof *predicted; i++)
        printf("%s %s %.2f", i ? ";" : "", predicted[i].name, predicted[i].us / find(predicted[i].name, 1));
    printf("\n");
}

static void put_ratio(FILE *f, const char *key, double value, double unit)
{
    if (unit > 0 && value > 0) fprintf(f, ", \"%s\": %.4g", key, value / unit);
    else fprintf(f, ", \"%s\": null", key);
}

static int write_json(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return 1;
    }
    fprintf(f, "[\n");
    for (int i = 0; i < count; i++) {
        const struct bench_row *r = &kept[i];
        fprintf(f, "  {\"name\": \"%s\", \"params\": \"%s\", \"threads\": %d, \"median_us\": %.3f", r->name, r->params, r->threads,
                r->median_us);
        put_ratio(f, "ratio_to_limit", r->median_us, r->limit_us);
        put_ratio(f, "ratio_to_scalar", r->scalar_us, r->median_us);
        put_ratio(f, "ntts", r->ntts, 1);
        fprintf(f, "}%s\n", i + 1 < count ? "," : "");
    }
    fprintf(f, "]\n");
    return fclose(f) != 0;
}

static void print_machine(const struct bench_limits *m)
{
    char line[256] = "unknown CPU";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "model name", 10)) break;
    if (f) fclose(f);
    printf("%smeasured limits of one core, G instructions/s: madd52 (8 lanes) %.2f, fma (8) %.2f, fma (4) %.2f, mul64 %.2f; "
           "GB/s: L2 %.1f, DRAM %.1f\n\n", line, m->madd52 / 1e3, m->fma512 / 1e3, m->fma256 / 1e3, m->mul64 / 1e3, m->l2 / 1e3,
           m->dram / 1e3);
    const struct { const char *name; double value; } limit[] = {
        {"limit madd52 per us", m->madd52}, {"limit fma512 per us", m->fma512}, {"limit fma256 per us", m->fma256},
        {"limit L2 bytes per us", m->l2}, {"limit DRAM bytes per us", m->dram},
    };
    printf("%-32s %-26s %2s %12s %9s %9s %9s\n", "name", "params", "th", "median us", "/limit", "scalar/", "in ntts");
    for (size_t i = 0; i < sizeof limit / sizeof *limit; i++)
        bench_emit(&(struct bench_row){limit[i].name, "one core", 1, limit[i].value, 0, 0, 0});
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"avx2", "avx512", "ifma"};
    const bool some = argc == 3, kernels = !some || !strcmp(argv[1], "--kernels"), boot = !some || !strcmp(argv[1], "--bootstrap");
    const char *path = argc > 1 ? argv[argc - 1] : NULL;
    if (!path || argc > 3 || (!kernels && !boot)) {
        fprintf(stderr, "usage: bench [--kernels | --bootstrap] OUT.json\n");
        return 2;
    }
    const struct bench_limits m = bench_limits_measure();
    print_machine(&m);
    struct bench_figures f = {0};
    if (kernels) f = bench_kernels(ck_kernels_named("c"), &m);
    for (int i = 0; i < 3; i++)
        if (kernels && ck_kernels_named(names[i])) f = bench_kernels(ck_kernels_named(names[i]), &m);
    if (!some) {
        bench_scheme(emit_scheme, NULL);
        fit(&f, &m);
    }
    if (boot) bench_boot(emit_scheme, NULL);
    return write_json(path);
}
