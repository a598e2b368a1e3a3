// SPDX-License-Identifier: Apache-2.0
// A matrix through diagonals, the compile-time encoder and the store, evaluated by the runtime on ciphertexts, gives the matrix product:
// compiler and runtime agree on slot order, rotations, scales and the form of stored plaintexts.
#include "../../compiler/linmap.h"
#include "../../codegen/encode.h"
#include "../../codegen/store.h"
#include "../runtime/fixture.h"
#include "internal.h"

enum { LOG_SLOTS = 5, N = 1 << LOG_SLOTS, NIN = 2, NOUT = 2, MAXTERM = NIN * NOUT * N };

static struct ck_pt_ref put(struct store *s, const double *coeff, double scale, double max_error)
{
    struct encoded e;
    int32_t data[2 * N];
    CHECK(encoder_round(&e, data, coeff, 2 * N, scale, max_error) == 0);
    int64_t at = store_add(s, data, (size_t)2 * N * e.width);
    CHECK(at >= 0 && at % STORE_ALIGN == 0);
    CHECK(store_add(s, data, (size_t)2 * N * e.width) == at);
    return (struct ck_pt_ref){(uint64_t)at, e.shift, e.width, 0};
}

static void through(const struct ck_context *ctx, const struct ck_secret *sk, const struct ck_evk *evk, double max_error, double bits)
{
    static const int64_t giant[] = {0, 8, 16, 24}, baby[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const int32_t giant32[] = {0, 8, 16, 24}, baby32[] = {0, 1, 2, 3, 4, 5, 6, 7};
    struct arena *a = arena_new();
    struct ir_csr m = {.rows = NOUT * N, .cols = NIN * N, .ptr = ARENA_ARRAY(a, int64_t, NOUT * N + 1),
                       .col = ARENA_ARRAY(a, int32_t, NOUT * N * NIN * N), .val = ARENA_ARRAY(a, double, NOUT * N * NIN * N)};
    double values[NOUT * N * NIN * N], x[NIN * N], bias[NOUT * N], coeff[2 * N], got[N], want[N];
    fixture_values(values, NOUT * N * NIN * N, 1, 5);
    fixture_values(x, NIN * N, 1, 6);
    fixture_values(bias, NOUT * N, 1, 7);
    for (int r = 0; r < NOUT * N; r++) {
        m.ptr[r + 1] = m.ptr[r];
        for (int c = 0; c < NIN * N; c++) {
            if ((r * 7 + c * 3) % 5 > 1) continue;
            m.col[m.ptr[r + 1]] = c;
            m.val[m.ptr[r + 1]++] = values[r * NIN * N + c];
        }
    }
    const uint32_t level = 2;
    const double in_scale = 0x1p38, out_scale = 0x1.3p39, pt_scale = out_scale * (double)ctx->par.q[level] / in_scale;
    FILE *f = tmpfile();
    struct store *s = store_new(a, f);
    struct encoder *e = encoder_new(a, N);
    struct ck_lin_term term[MAXTERM];
    struct ck_pt_ref ref[NOUT + 1];
    uint32_t n = 0;
    struct linmap_steps steps = {.giant = giant, .baby = baby, .ngiant = 4, .nbaby = 8};
    struct linmap_sets sets;
    linmap_diagonals(a, &sets, &m, N);
    for (uint32_t o = 0; o < NOUT; o++) {
        struct linmap_term *d;
        size_t k = linmap_terms(&d, a, &sets, o, &steps);
        for (size_t t = 0; t < k; t++) {
            double pt[N];
            linmap_plaintexts(pt, &d[t], 1, &m, N, o, &steps);
            encoder_run(e, coeff, NULL, pt, NULL);
            term[n++] = (struct ck_lin_term){(uint16_t)o, (uint16_t)d[t].in, (uint16_t)d[t].giant, (uint16_t)d[t].baby,
                                             put(s, coeff, pt_scale, max_error)};
        }
        encoder_run(e, coeff, NULL, bias + o * N, NULL);
        ref[o] = put(s, coeff, out_scale, 0);
    }
    struct ck_weights w = {.size = store_bytes(s)};
    uint8_t *data = arena_alloc(a, w.size);
    rewind(f);
    CHECK(fread(data, 1, w.size, f) == w.size);
    fclose(f);
    w.data = data;
    const struct ck_lin lin = {.nin = NIN, .nout = NOUT, .ngiant = 4, .nbaby = 8, .nterm = n, .giant = giant32, .baby = baby32, .term = term,
                               .bias = ref, .out_scale = out_scale};
    struct ck_eval *ev;
    struct ck_ct in[NIN], out[NOUT];
    CHECK_OK(ck_eval_new(&ev, ctx, evk, &w));
    for (int i = 0; i < NIN; i++) {
        CHECK_OK(ck_ct_init(&in[i], ctx, level, 1));
        CHECK_OK(ck_encrypt(&in[i], ctx, sk, x + i * N, level, in_scale));
    }
    for (int o = 0; o < NOUT; o++) CHECK_OK(ck_ct_init(&out[o], ctx, level, 1));
    CHECK_OK(ck_linear(ev, out, in, &lin));
    for (int o = 0; o < NOUT; o++) {
        CHECK_OK(ck_decrypt(got, ctx, sk, &out[o]));
        for (int j = 0; j < N; j++) {
            want[j] = bias[o * N + j];
            for (int64_t k = m.ptr[o * N + j]; k < m.ptr[o * N + j + 1]; k++) want[j] += m.val[k] * x[m.col[k]];
        }
        CHECK_PRECISION("product", got, want, N, bits, bits + 1);
        CHECK_OK(ck_add_plain(ev, &out[o], &out[o], &ref[o]));
        CHECK_OK(ck_decrypt(got, ctx, sk, &out[o]));
        for (int j = 0; j < N; j++) want[j] += bias[o * N + j];
        CHECK_PRECISION("sum", got, want, N, bits, bits + 1);
    }
    ref[NOUT] = (struct ck_pt_ref){w.size, 0, 4, 0};
    CHECK(ck_add_plain(ev, &out[0], &out[0], &ref[NOUT]) == CK_EFORMAT);
    for (int i = 0; i < NIN; i++) ck_ct_clear(&in[i]);
    for (int o = 0; o < NOUT; o++) ck_ct_clear(&out[o]);
    ck_eval_free(ev);
    arena_free(a);
}

int main(void)
{
    struct ck_params par = fixture_params(11, LOG_SLOTS, 40, 4, 2, 2);
    struct ck_key_spec spec[] = {{1, 3}, {2, 3}, {3, 3}, {4, 3}, {5, 3}, {6, 3}, {7, 3}, {8, 3}, {16, 3}, {24, 3}};
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_evk *evk;
    CHECK_OK(ck_context_new(&ctx, &par, 1));
    CHECK_OK(ck_secret_new(&sk, ctx));
    CHECK_OK(ck_evk_new(&evk, ctx, sk, spec, sizeof spec / sizeof *spec));
    through(ctx, sk, evk, 0, 22);
    through(ctx, sk, evk, 1e-3, 9);     // 16-bit coefficients
    ck_evk_free(evk);
    ck_secret_free(sk);
    ck_context_free(ctx);
    return test_done();
}
