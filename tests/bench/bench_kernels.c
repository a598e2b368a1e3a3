// SPDX-License-Identifier: Apache-2.0
// Every kernel at N = 2^16 on one limb: median, ratio to the machine's limit, ratio to the portable kernel. The limit is
// the larger of the algorithm's multiply-adds at the measured rate and, for streaming kernels, its bytes at the measured rate of
// the second-level cache. Expansion is held against reading the same words from DRAM.
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 16, FROM = 11, TO = 22, RUNS = 31 };

enum row {
    NTT, INTT, NTT50, INTT50, ADD, MUL, MULADD, MULC, SUBMULC, INNER2, PERMUTE, FROM_I32, LIFT, SPREAD, CONV, EXPAND, INNER_KEY, ROWS
};

/* name; multiply-adds a word and limbs of memory touched, where the kernel is bound by the larger. Multiply-adds of the IFMA
 * algorithms: 3 a butterfly (16/2 of them a word), 2 a product, 3 a Shoup product, 5 more to reduce a
 * product, 2 a sum of products with a key, 2 to reduce an expanded word. */
static const struct {
    const char *name;
    double madds, limbs;
} rows[ROWS] = {
    [NTT] = {"ntt, 46 bits", 24, 0},
    [INTT] = {"intt, 46 bits", 24, 0},
    [NTT50] = {"ntt, 50 bits", 24, 0},
    [INTT50] = {"intt, 50 bits", 24, 0},
    [ADD] = {"add", 0, 3},
    [MUL] = {"mul", 6, 3},
    [MULADD] = {"muladd", 6, 4},
    [MULC] = {"mulc", 3, 2},
    [SUBMULC] = {"submulc", 3, 3},
    [INNER2] = {"inner2, d=2", 16, 8},
    [PERMUTE] = {"permute", 0, 2},
    [FROM_I32] = {"from_i32", 3, 1.5},
    [LIFT] = {"lift", 2, 2},
    [SPREAD] = {"spread from 2^15", 0, 1.5},
    [CONV] = {"conv 11 to 22, a pair", 2, 0},
    [EXPAND] = {"expand", 0, 0},
    [INNER_KEY] = {"inner_key, d=2, turned", 18, 6.2},
};

struct job {
    const struct ck_kernels *k;
    enum row row;
    struct ck_mod mod, other;
    struct ck_shoup c;
    struct ck_ntt *ntt, *ntt50;
    struct ck_conv *conv;
    struct ck_perm perm;
    struct ck_key_row key;
    int32_t *small;
    uint64_t *limb[FROM + TO];
};

static void run(void *arg)
{
    const struct job *j = arg;
    const struct ck_kernels *k = j->k;
    uint64_t *const *l = j->limb;
    switch (j->row) {
    case NTT: k->ntt(l[0], j->ntt); break;
    case INTT: k->intt(l[0], j->ntt); break;
    case NTT50: k->ntt(l[1], j->ntt50); break;
    case INTT50: k->intt(l[1], j->ntt50); break;
    case ADD: k->add(l[2], l[3], l[4], N, &j->mod); break;
    case MUL: k->mul(l[2], l[3], l[4], N, &j->mod); break;
    case MULADD: k->muladd(l[2], l[3], l[4], N, &j->mod); break;
    case MULC: k->mulc(l[2], l[3], &j->c, N, &j->mod); break;
    case SUBMULC: k->submulc(l[2], l[3], l[4], &j->c, N, &j->mod); break;
    case INNER2: {
        const uint64_t *a[] = {l[4], l[5]}, *k0[] = {l[6], l[7]}, *k1[] = {l[8], l[9]};
        k->inner2(l[2], l[3], a, k0, k1, 2, N, &j->mod);
        break;
    }
    case PERMUTE: k->permute(l[2], l[3], &j->perm, 0, N); break;
    case FROM_I32: k->from_i32(l[2], j->small, 20, N, &j->mod); break;
    case LIFT: k->lift(l[2], l[3], N, &j->mod, &j->other); break;
    case SPREAD: k->spread(l[2], 16, l[3], 15); break;
    case CONV: k->conv(l + FROM, (const uint64_t *const *)l, N, j->conv); break;
    case EXPAND: k->expand(l[2], (const uint8_t *)"one seed of thirty-two bytes....", 1, 0, N, &j->mod, NULL); break;
    case INNER_KEY: k->inner_key(k, l[2], l[3], &j->key, 0, N); break;
    case ROWS: break;
    }
}

static void job_open(struct job *j, const struct ck_kernels *k)
{
    uint64_t p[FROM + TO], p50;
    if (ck_primes_near(p, FROM + TO, 0x1p46, 16, NULL, 0) != FROM + TO || ck_primes_near(&p50, 1, 0x1.fffp49, 16, NULL, 0) != 1)
        exit(1);
    *j = (struct job){.k = k, .mod = ck_mod_init(p[0]), .other = ck_mod_init(p[1])};
    j->c = ck_shoup_init(p[0] / 3, &j->mod);
    j->ntt = ck_ntt_new_for(p[0], 16, k);
    j->ntt50 = ck_ntt_new_for(p50, 16, k);
    j->conv = ck_conv_new(p, FROM, p + FROM, TO);
    ck_perm_init(&j->perm, 16, 5);
    j->small = malloc(N * sizeof *j->small);
    if (!j->ntt || !j->ntt50 || !j->conv || !j->small) exit(1);
    for (uint32_t i = 0; i < N; i++) j->small[i] = (int32_t)(i * 2654435761u) >> 1;
    uint64_t x = 1;
    for (int i = 0; i < FROM + TO; i++) {
        j->limb[i] = aligned_alloc(1 << 21, 1 << 21);       // one huge page each, where the system gives them
        if (!j->limb[i]) exit(1);
        for (size_t w = 0; w < N; w++) j->limb[i][w] = (x = x * 6364136223846793005u + 1442695040888963407u) % p[i < FROM ? i : 0];
    }
    for (size_t w = 0; w < N; w++) j->limb[1][w] %= p50;
    j->key = (struct ck_key_row){.d = 2, .x = {j->limb[4], j->limb[5]}, .b = {(const uint8_t *)j->limb[6], (const uint8_t *)j->limb[7]},
                                 .seed = (const uint8_t *)"one seed of thirty-two bytes....", .index = {1, 2}, .raise = j->limb[8],
                                 .factor = &j->c, .perm = &j->perm, .mod = &j->mod};
}

static void job_close(struct job *j)
{
    ck_ntt_free(j->ntt);
    ck_ntt_free(j->ntt50);
    ck_conv_free(j->conv);
    free(j->small);
    for (int i = 0; i < FROM + TO; i++) free(j->limb[i]);
}

static double measure(struct job *j, enum row r, int runs)
{
    j->row = r;
    return bench_median(run, j, runs) / (r == CONV ? FROM * TO : 1);
}

static double limit_of(enum row r, const struct ck_kernels *k, const struct bench_limits *m)
{
    if (r == EXPAND) return N * 8.0 / m->dram;
    const double compute = strcmp(k->name, "ifma") ? 0 : rows[r].madds * (N / 8) / m->madd52;
    const double memory = rows[r].limbs * N * 8 / m->l2;
    return compute > memory ? compute : memory;
}

struct bench_figures bench_kernels(const struct ck_kernels *k, const struct bench_limits *m)
{
    static double scalar[ROWS];
    double us[ROWS];
    struct job j;
    if (scalar[0] == 0) {
        job_open(&j, ck_kernels_named("c"));
        for (int r = 0; r < ROWS; r++) scalar[r] = measure(&j, (enum row)r, 7);
        job_close(&j);
    }
    job_open(&j, k);
    char params[64];
    snprintf(params, sizeof params, "N=2^16 table=%s", k->name);
    for (int r = 0; r < ROWS; r++) {
        us[r] = measure(&j, (enum row)r, RUNS);
        bench_emit(&(struct bench_row){rows[r].name, params, 1, us[r], limit_of((enum row)r, k, m), scalar[r], us[r] / us[NTT]});
    }
    job_close(&j);
    return (struct bench_figures){us[CONV], us[SUBMULC], us[INNER2], us[EXPAND]};
}
