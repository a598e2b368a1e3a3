// SPDX-License-Identifier: Apache-2.0
// Client and server as a user calls them, on a small hand-written model: the whole way from keys to results, batches, named inputs and
// outputs, .npz; every mistake with its message; damaged files. Options: --seeds DIR writes seed files for the fuzz targets.
#include "../fuzz/reseal.h"
#include "program.h"
#include "tiny_model.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64] = "/tmp/t_programs.XXXXXX", said[8192];
static const struct ck_model *model;
static int32_t weights[4 * TINY_SLOTS];

/* PATH in the test's folder; eight at a time. */
static char *at(const char *name)
{
    static char text[8][256];
    static int turn;
    char *t = text[turn = (turn + 1) % 8];
    snprintf(t, sizeof text[0], "%s/%s", dir, name);
    return t;
}

/* Runs "client ..." or "server ..." with words of one line, %x for a path in the folder; returns the exit status, `said` has its output. */
static int run(const struct ck_model *m, const char *line)
{
    static char words[64][300];
    char *argv[65], copy[2000];
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " "); w; w = strtok(NULL, " ")) {
        char *mark = strchr(w, '%');
        if (mark) snprintf(words[argc], sizeof words[0], "%.*s%s/%s", (int)(mark - w), w, dir, mark + 1);
        else snprintf(words[argc], sizeof words[0], "%s", w);
        argv[argc] = words[argc];
        argc++;
    }
    argv[argc] = NULL;
    fflush(stdout);
    fflush(stderr);
    int out = dup(1), err = dup(2), log = open(at("log"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    dup2(log, 1);
    dup2(log, 2);
    int rc = argv[0][0] == 'c' ? ck_client_main(m, argc, argv) : ck_server_main(m, argc, argv);
    fflush(stdout);
    fflush(stderr);
    ssize_t n = pread(log, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = 0;
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    close(log);
    return rc;
}

static void expect(int rc, const char *text, const char *line)
{
    int got = run(model, line);
    CHECKF(got == rc && strstr(said, text), "%s: exit %d, wanted %d and \"%s\"; said: %s", line, got, rc, text, said);
}

static void save(const char *name, size_t samples, const double *v)
{
    struct ck_npy a = {CK_NPY_F8, 3, {(int64_t)samples, 2, 3}, (void *)(uintptr_t)v};
    CHECK(!ck_npy_write(at(name), &a));
}

/* prod within 2^-20 and the right argmax for every sample. */
static int right(const struct ck_npy *prod, const struct ck_npy *best, const double *a, const double *b, size_t samples)
{
    int ok = prod->type == CK_NPY_F4 && prod->rank == 3 && prod->dim[0] == (int64_t)samples && best->type == CK_NPY_I8 &&
             best->rank == 2 && best->dim[1] == 2;
    for (size_t i = 0; i < samples * 6 && ok; i++) ok = fabs(ck_npy_at(prod, i) - a[i] * b[i]) < 1e-5;
    for (size_t r = 0; r < samples * 2 && ok; r++) {
        int want = 0;
        double z[3];
        for (size_t i = 0; i < 3; i++) z[i] = tiny_w[r % 2 * 3 + i] * a[3 * r + i] * b[3 * r + i] + tiny_c[r % 2 * 3 + i];
        for (int i = 1; i < 3; i++)
            if (z[i] > z[want]) want = i;
        ok = ck_npy_at(best, r) == want;
    }
    return ok;
}

static void whole_way(const double *a, const double *b)
{
    struct stat st;
    expect(0, "eval.keys", "client keygen --keys %k");
    CHECK(!stat(at("k/secret.key"), &st) && (st.st_mode & 0777) == 0600);
    expect(0, "3 samples", "client encrypt --keys %k --input a=%a.npy --input b=%b.npy --output %x.ct");
    expect(0, "peak memory", "server run --keys %k/eval.keys --input %x.ct --output %y.ct --weights %weights.bin --threads 2");
    CHECKF(strstr(said, "sample 3/3"), "said: %s", said);
    expect(0, "", "client decrypt --keys %k --input=%y.ct --output prod=%prod.npy --output best=%best.npy");
    struct ck_npy prod, best;
    CHECK(!ck_npy_read(&prod, at("prod.npy")) && !ck_npy_read(&best, at("best.npy")));
    CHECK(right(&prod, &best, a, b, 3));
    ck_npy_clear(&prod);
    ck_npy_clear(&best);

    // .npz both ways, other thread count: the same values
    const char *const name[] = {"b", "a"};
    struct ck_npy in[2] = {{CK_NPY_F8, 3, {3, 2, 3}, (void *)(uintptr_t)b}, {CK_NPY_F8, 3, {3, 2, 3}, (void *)(uintptr_t)a}};
    CHECK(!ck_npz_write(at("in.npz"), 2, name, in));
    expect(0, "", "client encrypt --keys %k --input %in.npz --output %x2.ct --quiet");
    CHECKF(!said[0], "not quiet: %s", said);
    expect(0, "", "server run --keys %k/eval.keys --input %x2.ct --output %y2.ct --weights %weights.bin --quiet --threads 1");
    CHECKF(!said[0], "not quiet: %s", said);
    expect(0, "", "client decrypt --keys %k --input %y2.ct --output %out.npz --quiet");
    struct ck_npz z;
    CHECK(!ck_npz_read(&z, at("out.npz")));
    CHECK(z.count == 2 && right(&z.array[0], &z.array[1], a, b, 3));
    ck_npz_clear(&z);

    // The same ciphertexts give the same bytes whatever the threads.
    void *p = NULL, *q = NULL;
    size_t pn = 0, qn = 0;
    expect(0, "", "server run --keys %k/eval.keys --input %x.ct --output %y3.ct --weights %weights.bin --threads 1");
    CHECK(!ck_file_slurp(&p, &pn, at("y.ct")) && !ck_file_slurp(&q, &qn, at("y3.ct")));
    CHECK(pn == qn && !memcmp(p, q, pn));
    free(p);
    free(q);
}

/* The steps' values of all samples, decrypted: the product, then the affine map of it in the first slots; times of the steps. */
static void trace(const double *a, const double *b)
{
    expect(0, "affine", "server run --keys %k/eval.keys --input %x.ct --output %y4.ct --weights %weights.bin --trace %t.ct --report=%r.json --layers");
    CHECKF(strstr(said, "activation") && strstr(said, "linear") && strstr(said, " 100.0 %"), "said: %s", said);
    expect(0, "", "client decrypt --keys %k --input %t.ct --output %t.npy");
    struct ck_npy t;
    CHECK(!ck_npy_read(&t, at("t.npy")));
    CHECK(t.type == CK_NPY_F8 && t.rank == 3 && t.dim[0] == 3 && t.dim[1] == 2 && t.dim[2] == TINY_SLOTS);
    double worst = 0;
    for (size_t s = 0; s < 3; s++)
        for (size_t i = 0; i < 6; i++) {
            double prod = a[6 * s + i] * b[6 * s + i], z = tiny_w[i] * prod + tiny_c[i];
            worst = fmax(worst, fabs(ck_npy_at(&t, s * 2 * TINY_SLOTS + i) - prod));
            worst = fmax(worst, fabs(ck_npy_at(&t, (s * 2 + 1) * TINY_SLOTS + i) - z));
        }
    CHECKF(worst < 1e-5, "the trace is off by %g", worst);
    ck_npy_clear(&t);
    void *p = NULL;
    size_t n = 0;
    CHECK(!ck_file_slurp(&p, &n, at("r.json")) && n > 40 && !memcmp(p, "{\"samples\": 3,", 14));
    free(p);
    expect(1, "one .npy", "client decrypt --keys %k --input %t.ct --output %t.npz");
    expect(1, "holds a trace", "server run --keys %k/eval.keys --input %t.ct --output %e.ct --weights %weights.bin");
    expect(1, "No such file", "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin --trace %no/t.ct");
    expect(1, "--trace is given twice", "server run --trace %t.ct --trace=%t.ct");
    CHECK(access(at("e.ct"), F_OK) != 0);
    // A step without a value for the trace leaves its place empty.
    struct ck_step steps[2] = {model->steps[0], model->steps[1]};
    struct ck_model other = *model;
    steps[0].count = 0;
    other.steps = steps;
    CHECK(run(&other, "server run --keys %k/eval.keys --input %x.ct --output %y4.ct --weights %weights.bin --trace %t.ct") == 0);
    CHECK(run(&other, "client decrypt --keys %k --input %t.ct --output %t.npy") == 0);
    CHECK(!ck_npy_read(&t, at("t.npy")) && t.dim[1] == 1);
    ck_npy_clear(&t);
    CHECK(run(model, "client decrypt --keys %k --input %t.ct --output %t.npy") == 1);
    CHECKF(strstr(said, "damaged"), "said: %s", said);
}

/* Values of three samples with noise of deviation 2^-20 2^10, on a grid, fresh at every decryption. */
static void flood(const double *a, const double *b)
{
    struct ck_npy x, y;
    double square = 0, same = 0;
    expect(0, "", "client decrypt --keys %k --input %y.ct --output prod=%f1.npy --flood 10");
    expect(0, "", "client decrypt --keys %k --input %y.ct --output prod=%f2.npy --flood=10");
    CHECK(!ck_npy_read(&x, at("f1.npy")) && !ck_npy_read(&y, at("f2.npy")));
    for (size_t i = 0; i < 18; i++) {
        double u = ck_npy_at(&x, i), v = ck_npy_at(&y, i);
        square += (u - a[i] * b[i]) * (u - a[i] * b[i]) + (v - a[i] * b[i]) * (v - a[i] * b[i]);
        same += u == v;
        CHECK(u * 0x1p18 == round(u * 0x1p18));
    }
    double deviation = sqrt(square / 36);           // within a factor of 2 but for one run in 10^7
    CHECKF(deviation > 0x1p-11 && deviation < 0x1p-9 && same < 3, "deviation %g, %g equal", deviation, same);
    ck_npy_clear(&x);
    ck_npy_clear(&y);
    expect(1, "--flood: wants a number from 1 to 64", "client decrypt --keys %k --input %y.ct --output prod=%f1.npy --flood 0");
    expect(1, "not for traces", "client decrypt --keys %k --input %t.ct --output %f1.npy --flood 3");
    struct ck_model other = *model;
    struct ck_port out[2] = {model->out[0], model->out[1]};
    out[1].error = 0;
    other.out = out;
    CHECK(run(&other, "client decrypt --keys %k --input %y.ct --output prod=%f1.npy --flood 3") == 1);
    CHECKF(strstr(said, "how large its errors are"), "said: %s", said);
}

static void mistakes(void)
{
    expect(0, "usage", "client --help");
    expect(0, "usage", "server run --help");
    expect(0, "usage", "client encrypt --help");
    expect(1, "usage", "client");
    expect(1, "'encode' is not a command", "client encode");
    expect(1, "--keys is missing", "client keygen");
    expect(1, "'--kees' is not an option", "client keygen --kees %k");
    expect(1, "--keys: wants a value", "client keygen --keys");
    expect(1, "--keys is given twice", "client keygen --keys %k --keys %k");
    expect(1, "--threads: wants a number", "client keygen --keys %k9 --threads no");
    expect(1, "exists", "client keygen --keys %k");
    expect(1, "No such file", "client keygen --keys %no/such/folder");
    expect(1, "'b' (Bx2x3) is missing", "client encrypt --keys %k --input a=%a.npy --output %e.ct");
    expect(1, "given twice", "client encrypt --keys %k --input a=%a.npy --input a=%a.npy --output %e.ct");
    expect(1, "several inputs", "client encrypt --keys %k --input %a.npy --output %e.ct");
    expect(1, "none.npy: No such file", "client encrypt --keys %k --input a=%none.npy --input b=%b.npy --output %e.ct");
    expect(1, "has shape 3x2; input 'b' wants Bx2x3", "client encrypt --keys %k --input a=%a.npy --input b=%odd.npy --output %e.ct");
    expect(1, "holds 1 samples", "client encrypt --keys %k --input a=%a.npy --input b=%one.npy --output %e.ct");
    expect(1, "not finite", "client encrypt --keys %k --input a=%nan.npy --input b=%one.npy --output %e.ct");
    expect(0, "outside the calibrated range", "client encrypt --keys %k --input a=%big.npy --input b=%one.npy --output %e.ct");
    expect(1, "make keys with `client keygen`", "client encrypt --keys %nokeys --input a=%a.npy --input b=%b.npy --output %e.ct");
    expect(1, "cannot be written", "client encrypt --keys %k --input a=%a.npy --input b=%b.npy --output /dev/full");
    expect(1, "another key set", "server run --keys %k2/eval.keys --input %x.ct --output %e.ct --weights %weights.bin");
    expect(1, "another key set", "client decrypt --keys %k2 --input %y.ct --output %e.npz");
    expect(1, "holds encrypted inputs", "client decrypt --keys %k --input %x.ct --output %e.npz");
    expect(1, "holds encrypted results", "server run --keys %k/eval.keys --input %y.ct --output %e.ct --weights %weights.bin");
    expect(1, "is a secret key file", "server run --keys %k/secret.key --input %x.ct --output %e.ct --weights %weights.bin");
    expect(1, "several outputs", "client decrypt --keys %k --input %y.ct --output %e.npy");
    expect(1, "weights.bin: No such file", "server run --keys %k/eval.keys --input %x.ct --output %e.ct");
    expect(1, "is a ciphertext file", "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %x.ct");
    expect(1, "not a tacet file", "server run --keys %k/eval.keys --input %a.npy --output %e.ct --weights %weights.bin");
    CHECK(access(at("e.npz"), F_OK) != 0);

    // Another program: other parameters, or the same with other weights, or with keys this set lacks.
    struct ck_model other = *model;
    other.fingerprint[0] ^= 1;
    CHECK(run(&other, "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin") == 1);
    CHECKF(strstr(said, "another model"), "said: %s", said);
    other = *model;
    other.params = fixture_params(10, 5, 40, 4, 1, 1);
    CHECK(run(&other, "client encrypt --keys %k --input a=%a.npy --input b=%b.npy --output %e.ct") == 1);
    CHECKF(strstr(said, "other parameters"), "said: %s", said);
    static const struct ck_key_spec more[] = {{5, 1}};
    other = *model;
    other.keys = more;
    other.nkeys = 1;
    CHECK(run(&other, "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin") == 1);
    CHECKF(strstr(said, "lacks keys"), "said: %s", said);
    other = *model;
    other.params.security = 128;
    CHECK(run(&other, "client keygen --keys %k9") == 1);
    CHECKF(strstr(said, "refused"), "said: %s", said);
}

/* Keys of one rotation and gadget are one key, of the highest level. */
static void shared_keys(void)
{
    static const struct ck_key_spec keys[] = {{1, 1}, {0, 1}, {-3, 1}, {0, 2}, {1, 2}, {TINY_SLOTS - 3, 0}, {1, 2}};
    struct ck_model m = *model;
    m.keys = keys;
    m.nkeys = sizeof keys / sizeof *keys;
    const struct ck_program p = {.model = &m};
    struct ck_context *ctx;
    size_t count, right = 0;
    CHECK(ck_context_new(&ctx, &m.params, 1) == CK_OK);
    struct ck_galois_spec *spec = ck_program_keys(&p, ctx, &count);
    CHECKF(spec && count == 3, "%zu keys", count);
    for (size_t k = 0; spec && k < count; k++)
        right += (spec[k].galois == 0 && spec[k].level == 2) || (spec[k].galois == ck_galois_rotation(ctx, 1) && spec[k].level == 2) ||
                 (spec[k].galois == ck_galois_rotation(ctx, -3) && spec[k].level == 1);
    CHECK(right == 3);
    free(spec);
    ck_context_free(ctx);
}

static uint64_t state = 7;
static uint32_t rnd(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % below);
}

/* Damages `name` in many ways and runs `line` on it: an error that names the file, or what the sound file gives. Half of the time the
 * checksums are repaired, as an attacker would: then only a clean end is asked for. */
static void damage(const char *name, const char *line, int count, const double *a, const double *b)
{
    uint8_t *sound, *bad;
    void *bytes;
    size_t len;
    if (ck_file_slurp(&bytes, &len, at(name))) {
        CHECKF(0, "%s is not there", name);
        return;
    }
    sound = bytes;
    bad = malloc(len + 16);
    int refused = 0, passed = 0;
    for (int k = 0; k < count; k++) {
        size_t n = len;
        memcpy(bad, sound, len);
        if (k % 5 == 0) n = rnd((uint32_t)len);
        else if (k % 5 == 1) memset(bad + n++, 0, 1);
        // Half of the changes go to the header and the start of the sections, where they matter most.
        for (uint32_t i = rnd(4) + (k % 5 > 1); i > 0; i--)
            bad[rnd(k % 2 && n > 700 ? 700 : (uint32_t)n + !n)] ^= (uint8_t)(1 + rnd(255));
        int sealed = k % 4 == 3;
        if (sealed) reseal(bad, n, NULL);
        FILE *f = fopen(at("bad"), "wb");
        CHECK(f && fwrite(bad, 1, n, f) == n && fclose(f) == 0);
        int rc = run(model, line), ok = sealed ? rc >= 0 && rc <= 2 : rc == 1 ? strstr(said, "/bad: ") != NULL : rc == 0;
        if (rc == 0 && !sealed && strstr(line, "decrypt")) {
            struct ck_npz z;
            const char *why = ck_npz_read(&z, at("bad.npz"));
            ok = !why && right(&z.array[0], &z.array[1], a, b, 3);
            if (!why) ck_npz_clear(&z);
        }
        refused += rc == 1;
        passed += rc == 0;
        if (!ok) CHECKF(0, "%s, change %d: exit %d, said: %s", name, k, rc, said);
    }
    test_passed += refused + passed;
    CHECKF(refused > count / 2, "%s: only %d of %d refused", name, refused, count);
    free(bad);
    free(sound);
}

/* Every allocation of the runtime fails once: exit 1 and a message each time, until a run needs fewer. */
static void starve(const char *line)
{
    int n = 0, rc;
    do {
        ck_mem_fail_at((uint64_t)++n);
        rc = run(model, line);
        ck_mem_fail_at(0);
        if (rc != 0) CHECKF(rc == 1 && strstr(said, "out of memory"), "%s: allocation %d: exit %d, said: %s", line, n, rc, said);
    } while (rc != 0 && n < 5000);
    CHECKF(rc == 0 && n > 3, "%s: %d allocations", line, n);
}

/* The keys of bootstrapping: both switching keys of one ephemeral secret; none under it above level 0. */
static void sparse_keys(void)
{
    struct ck_context *ctx;
    struct ck_secret *sk;
    struct ck_writer w;
    struct ck_file f;
    struct ck_evk *evk;
    struct ck_print keys;
    const struct ck_galois_spec spec[] = {{CK_KEY_SPARSE + 1, 2}, {5, 1}, {CK_KEY_SPARSE, 0}, {0, 2}};
    CHECK_OK(ck_context_new(&ctx, &model->params, 1));
    CHECK_OK(ck_secret_new(&sk, ctx));
    CHECK_OK(ck_keyset_new(&keys));
    const char *why = ck_evk_generate(&w, at("boot.keys"), ctx, sk, &keys, spec, 4, NULL);
    if (!why) why = ck_writer_close(&w, 1);
    CHECKF(!why, "generate: %s", why);
    void *bytes;
    size_t len;
    CHECK(!ck_file_slurp(&bytes, &len, at("boot.keys")) && !ck_file_parse(&f, bytes, len, CK_KIND_EVAL));
    why = ck_evk_load(&evk, ctx, &f);
    CHECKF(!why, "load: %s", why);
    CHECK(!ck_evk_covers(evk, spec, 4) && ck_evk_find(evk, CK_KEY_SPARSE, 0) && !ck_evk_find(evk, CK_KEY_SPARSE, 1));
    ck_evk_free(evk);
    for (uint32_t i = 0; i < f.nsections; i++) {
        uint32_t level = 1, np = 2;
        if (f.section[i].a != CK_KEY_SPARSE) continue;
        uint8_t *head = (uint8_t *)bytes + (f.section[i].data - (uint8_t *)bytes), *entry = (uint8_t *)bytes + 128 + 32ul * i;
        for (int k = 0; k < 2; k++) {
            memcpy(head + (k ? 12 : 4), k ? &np : &level, 4);
            memcpy(entry + 12, k ? &(uint32_t){0} : &level, 4);
            reseal(bytes, len, NULL);
            ck_file_close(&f);
            CHECK(!ck_file_parse(&f, bytes, len, CK_KIND_EVAL));
            why = ck_evk_load(&evk, ctx, &f);
            CHECKF(why && (k || strstr(why, "sparse")), "a sparse key above level 0: %s", why ? why : "taken");
            memcpy(head + 4, &(uint32_t){0}, 4);
        }
    }
    ck_file_close(&f);
    free(bytes);
    ck_secret_free(sk);
    ck_context_free(ctx);
}

static void write_seeds(const char *to)
{
    static const char *const pair[][2] = {{"x.ct", "ciphertext/in.ct"}, {"y.ct", "ciphertext/out.ct"},
                                          {"k/eval.keys", "evalkeys/eval.keys"}, {"weights.bin", "weights/weights.bin"}};
    for (int i = 0; i < 4; i++) {
        char cmd[700];
        snprintf(cmd, sizeof cmd, "cp %s %s/%s", at(pair[i][0]), to, pair[i][1]);
        CHECK(system(cmd) == 0);
    }
}

int main(int argc, char **argv)
{
    if (!mkdtemp(dir)) return 2;
    model = tiny_model(weights);
    double a[18], b[18], big[6] = {0, 3, 0, 0, 0, 0}, nan_[6] = {0, 0, NAN, 0, 0, 0};
    fixture_values(a, 18, 2, 1);
    fixture_values(b, 18, 2, 2);
    save("a.npy", 3, a);
    save("b.npy", 3, b);
    save("one.npy", 1, a);
    save("big.npy", 1, big);
    save("nan.npy", 1, nan_);
    CHECK(!ck_npy_write(at("odd.npy"), &(struct ck_npy){CK_NPY_F8, 2, {3, 2}, a}));
    const char *why = tiny_write_weights(at("weights.bin"), model, weights);
    CHECKF(!why, "weights: %s", why);

    whole_way(a, b);
    trace(a, b);
    flood(a, b);
    expect(0, "", "client keygen --keys %k2 --quiet");
    mistakes();
    if (argc == 3 && !strcmp(argv[1], "--seeds")) write_seeds(argv[2]);
    sparse_keys();
    shared_keys();
    starve("client keygen --keys %k2 --force");
    starve("client encrypt --keys %k --input a=%a.npy --input b=%b.npy --output %e.ct");
    starve("server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin --threads 1");
    starve("client decrypt --keys %k --input %y.ct --output %e.npz");
    expect(0, "", "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin --trace %t.ct");
    starve("server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %weights.bin --threads 1 --trace %e2.ct --report %e.json");
    starve("client decrypt --keys %k --input %t.ct --output %t.npy");
    damage("x.ct", "server run --keys %k/eval.keys --input %bad --output %e.ct --weights %weights.bin --threads 1", 300, a, b);
    damage("k/eval.keys", "server run --keys %bad --input %x.ct --output %e.ct --weights %weights.bin --threads 1", 300, a, b);
    damage("weights.bin", "server run --keys %k/eval.keys --input %x.ct --output %e.ct --weights %bad --threads 1", 200, a, b);
    damage("y.ct", "client decrypt --keys %k --input %bad --output %bad.npz --threads 1", 200, a, b);
    char cmd[100];
    snprintf(cmd, sizeof cmd, "find %s -name '*.tmp.*' | grep -q .", dir);
    CHECKF(system(cmd) != 0, "temporary files were left behind");
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    return system(cmd) | test_done();
}
