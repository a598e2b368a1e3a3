// SPDX-License-Identifier: Apache-2.0
// Plans: every diagonal is baby + giant; known sets need few rotations. Terms of a planned map, evaluated by rotations and products as the
// runtime does, give the matrix product.
#include "../../passes/bsgs.h"
#include "../../passes/pass.h"
#include "../../passes/sparse.h"
#include "../test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 11;

static uint32_t next(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

static struct linmap_sets one_block(struct arena *a, uint32_t modulus, const uint8_t *used)
{
    uint32_t *ptr = ARENA_ARRAY(a, uint32_t, 2), *d = ARENA_ARRAY(a, uint32_t, modulus);
    for (uint32_t k = 0; k < modulus; k++)
        if (used[k]) d[ptr[1]++] = k;
    return (struct linmap_sets){modulus, 1, 1, ptr, d};
}

/* Rotations of the plan of one block; all its diagonals are checked. */
static uint32_t rotations(struct arena *a, uint32_t modulus, const uint8_t *used)
{
    struct linmap_sets s = one_block(a, modulus, used);
    struct bsgs_plan p, q;
    bsgs_plan(a, &p, &s, &bsgs_weights_default);
    uint32_t n = 0;
    for (uint32_t k = 0; k < s.ptr[1]; k++) {
        uint32_t u = bsgs_find(&p, s.d[k]);
        int64_t sum = p.baby[p.of_baby[u]] + p.giant[p.of_giant[u]];
        CHECK((uint32_t)(((sum % modulus) + modulus) % modulus) == s.d[k]);
    }
    for (uint32_t k = 0; k < p.nbaby; k++) n += p.baby[k] != 0;
    for (uint32_t k = 0; k < p.ngiant; k++) n += p.giant[k] != 0;
    CHECK(bsgs_plan_given(a, &q, &s, &bsgs_weights_default, p.baby, p.nbaby, p.giant, p.ngiant));
    CHECK(fabs(q.cost - p.cost) < 1e-9 || q.cost < p.cost);
    int64_t one = 0;
    CHECK(bsgs_plan_given(a, &q, &s, &bsgs_weights_default, &one, 1, &one, 1) == (s.ptr[1] == 0 || (s.ptr[1] == 1 && s.d[0] == 0)));
    return n;
}

static void known_sets(struct arena *a)
{
    static uint8_t used[16384];
    CHECK(rotations(a, 1024, used) == 0);
    used[0] = 1;
    CHECK(rotations(a, 1024, used) == 0);
    memset(used, 1, 128);
    CHECK(rotations(a, 128, used) <= 22);
    memset(used, 0, sizeof used);
    for (int32_t y = -1; y <= 1; y++)               // a 3x3 convolution of 16 channels in planes of 32x32
        for (int32_t x = -1; x <= 1; x++)
            for (int32_t c = 0; c < 16; c++) used[(c * 1024 + y * 32 + x) & 16383] = 1;
    CHECK(rotations(a, 16384, used) <= 24);
    memset(used, 0, sizeof used);
    for (int32_t y = 0; y < 5; y++)                 // 5x5 valid convolution
        for (int32_t x = 0; x < 5; x++) used[y * 28 + x] = 1;
    CHECK(rotations(a, 1024, used) == 8);
    for (int round = 0; round < 50; round++) {
        memset(used, 0, sizeof used);
        uint32_t m = 4u << next(9);
        for (uint32_t k = next(m); k > 0; k--) used[next(m)] = 1;
        rotations(a, m, used);
        arena_reset(a);
    }
}

/* vec.linear with `nin` x `nout` vectors of n slots and a random matrix; planned by the pass. */
static void check_map(struct arena *a)
{
    uint32_t n = 8u << next(4), nin = 1 + next(3), nout = 1 + next(3);
    struct ir_module *m = ir_module_new("t", IR_VEC);
    struct ir_inst *x = ir_build(m, NULL, IR_VEC_input, ir_type_vec(nin, n), 0, NULL);
    ir_set_string(m, &x->attrs, "name", "x");
    struct ir_inst *y = ir_build(m, NULL, IR_VEC_linear, ir_type_vec(nout, n), 1, &x);
    struct sparse b;
    sparse_begin(&b, a, nout * n, nin * n);
    for (uint32_t r = 0; r < nout * n; r++) {
        for (uint32_t k = next(4); k > 0; k--) sparse_put(&b, (r % n + next(6)) % n + next(nin) * n, 1 + next(9));
        sparse_end_row(&b);
    }
    struct ir_csr mat = sparse_finish(&b);
    ir_set_symbol(m, &y->attrs, "mat", ir_csr_add(m, "m", &mat));
    int64_t fold[1] = {n / 2};
    ir_set_ints(m, &y->attrs, "fold", fold, 1);
    ir_add_output(m, y, NULL);
    struct options opt = {0};
    CHECK(pass_run(pass_find("bsgs"), m, &opt) == 0);
    struct linmap_counts c = linmap_count(m, y);
    struct linmap_steps l = linmap_steps(m, y);
    struct linmap_sets sets;
    linmap_diagonals(a, &sets, &mat, n);
    CHECK(c.diagonals == sets.ptr[nin * nout] && c.rotations == c.babies + c.giants + nout && c.folds == nout);
    double *v = ARENA_ARRAY(a, double, nin * n), *want = ARENA_ARRAY(a, double, nout * n), *got = ARENA_ARRAY(a, double, nout * n);
    for (uint32_t k = 0; k < nin * n; k++) v[k] = next(20);
    sparse_apply(want, &mat, v);
    for (uint32_t o = 0; o < nout; o++) {
        struct linmap_term *t;
        size_t terms = linmap_terms(&t, a, &sets, o, &l);
        double *pt = ARENA_ARRAY(a, double, terms * n + 1);
        linmap_plaintexts(pt, t, terms, &mat, n, o, &l);
        for (size_t k = 0; k < terms; k++)
            for (uint32_t s = 0; s < n; s++) {
                uint32_t at = (s + (uint32_t)l.giant[t[k].giant]) & (n - 1), from = (at + (uint32_t)l.baby[t[k].baby]) & (n - 1);
                got[o * n + s] += pt[k * n + at] * v[t[k].in * n + from];
            }
    }
    for (uint32_t k = 0; k < nout * n; k++) CHECK(got[k] == want[k]);
    ir_module_free(m);
}

int main(void)
{
    struct arena *a = arena_new();
    known_sets(a);
    for (int round = 0; round < 40; round++) {
        check_map(a);
        arena_reset(a);
    }
    arena_free(a);
    return test_done();
}
