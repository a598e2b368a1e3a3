// SPDX-License-Identifier: Apache-2.0
// The container: round trip, every truncation, every changed byte of the header, overstated and understated sections, failed writes;
// packing of residues for every width; SHA-256 against its published vector; ports with digits, periods, skew and batches.
#include "../fuzz/reseal.h"
#include "fixture.h"
#include "kernels_impl.h"
#include "port.h"
#include "store.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/t_file.XXXXXX", path[64];

static const char *write_two(const char *to, uint32_t announced)
{
    struct ck_prints prints = {.params.b = "p", .model.b = "m", .keys.b = "k"};
    struct ck_writer w;
    const char *why = ck_writer_open(&w, to, 0600, CK_KIND_EVAL, 64, announced, &prints);
    if (why) return why;
    ck_writer_section(&w, CK_TAG("ONE "), -5, 7);
    ck_writer_put(&w, "hello", 5);
    ck_writer_put(&w, " world", 6);
    ck_writer_section(&w, CK_TAG("TWO "), 0, 0);
    return ck_writer_close(&w, 1);
}

static void containers(void)
{
    struct ck_file f;
    struct stat st;
    CHECK(!write_two(path, 2));
    CHECK(!stat(path, &st) && (st.st_mode & 0777) == 0600);
    CHECK(!ck_file_open(&f, path, CK_KIND_EVAL));
    CHECK(f.nsections == 2 && f.section[0].len == 11 && f.section[0].a == -5 && f.section[0].b == 7 && f.section[1].len == 0);
    CHECK(!memcmp(f.section[0].data, "hello world", 11) && !ck_section_check(&f.section[0]));
    CHECK((uintptr_t)f.section[0].data % 64 == 0 && f.prints.keys.b[0] == 'k' && f.prints.model.b[0] == 'm');
    ck_file_close(&f);
    CHECK(ck_file_open(&f, path, CK_KIND_SECRET) != NULL);

    void *bytes;
    size_t len;
    CHECK(!ck_file_slurp(&bytes, &len, path));
    int taken = 0;
    for (size_t n = 0; n < len; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        memcpy(cut, bytes, n);
        taken += !ck_file_parse(&f, cut, n, CK_KIND_EVAL);
        reseal(cut, n, NULL);       // an attacker's truncation: the table still accounts for more
        taken += !ck_file_parse(&f, cut, n, CK_KIND_EVAL);
        free(cut);
    }
    CHECKF(taken == 0, "%d truncated files were taken", taken);
    uint8_t *copy = malloc(len + 1);
    for (size_t i = 0; i < 8 * (128 + 2 * 32 + 4); i++) {
        memcpy(copy, bytes, len);
        copy[i / 8] ^= (uint8_t)(1 << i % 8);
        taken += !ck_file_parse(&f, copy, len, CK_KIND_EVAL);
    }
    CHECKF(taken == 0, "%d changed headers were taken", taken);
    memcpy(copy, bytes, len);
    copy[8]--;                      // what a writer of the version before left
    reseal(copy, len, NULL);
    const char *why = ck_file_parse(&f, copy, len, CK_KIND_EVAL);
    CHECKF(why && strstr(why, "version"), "said %s", why ? why : "nothing");
    memcpy(copy, bytes, len);
    copy[len] = 0;
    CHECK(ck_file_parse(&f, copy, len + 1, CK_KIND_EVAL) != NULL);
    copy[len - 1] ^= 1;             // the last byte of "hello world", or of what pads it
    if (!ck_file_parse(&f, copy, len, CK_KIND_EVAL)) {
        CHECK(f.section[0].data[10] == 'd' || ck_section_check(&f.section[0]) != NULL);
        ck_file_close(&f);
    }
    free(copy);
    free(bytes);
}

static void failures(void)
{
    CHECK(!write_two(path, 2));
    CHECK(write_two(path, 1) != NULL && write_two(path, 3) != NULL);
    struct ck_file f;
    CHECK(!ck_file_open(&f, path, CK_KIND_EVAL) && f.nsections == 2);     // the old file is still there
    ck_file_close(&f);
    CHECK(write_two("/dev/full", 2) != NULL);
    CHECK(write_two("/nonexistent/x", 2) != NULL);

    // A full disk, by a limit on the size of files.
    struct rlimit old, small = {4096, 4096};
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    struct ck_prints prints = {0};
    struct ck_writer w;
    const char *why = ck_writer_open(&w, path, 0600, CK_KIND_EVAL, 64, 1, &prints);
    CHECK(!why);
    ck_writer_section(&w, CK_TAG("BIG "), 0, 0);
    static const uint8_t block[1 << 16];
    for (int i = 0; i < 16; i++) ck_writer_put(&w, block, sizeof block);
    why = ck_writer_close(&w, 1);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECKF(why && !strcmp(why, strerror(EFBIG)), "said %s", why ? why : "nothing");
    CHECK(!ck_file_open(&f, path, CK_KIND_EVAL) && f.nsections == 2);
    ck_file_close(&f);
    char cmd[100];
    snprintf(cmd, sizeof cmd, "ls %s | grep -q tmp", dir);
    CHECKF(system(cmd) != 0, "temporary files were left");
}

static void packing(void)
{
    enum { N = 128 };
    for (uint32_t bits = 1; bits <= 63; bits++) {
        uint64_t a[N], b[N], packed[N], max = 0, top = ((uint64_t)1 << bits) - 1;
        double r[N];
        fixture_values(r, N, 1, bits);
        for (int i = 0; i < N; i++) {
            memcpy(&a[i], &r[i], 8);
            a[i] = i == 3 ? top : i == 4 ? 0 : (a[i] * 0x9e3779b97f4a7c15u >> (64 - bits)) & top;
            if (a[i] > max) max = a[i];
        }
        memset(packed, 0xee, sizeof packed);
        ck_pack(packed, a, N, bits);
        CHECKF(ck_unpack_c(b, packed, N, bits) == max && !memcmp(a, b, sizeof a), "%u bits", bits);
        CHECKF(packed[N * bits / 64] == 0xeeeeeeeeeeeeeeeeu, "%u bits: wrote too far", bits);
    }
}

static void ports(void)
{
    // Axis 0 of 4 split into digits 2:16 2:1, axis 1 of 3 as 3:4; offset 2; two ciphertexts of 32 slots; period 32.
    static const struct ck_digit digit[] = {{0, 2, 32}, {0, 2, 1}, {1, 3, 4}};
    struct ck_port p = {.rank = 3, .dim = {1, 4, 3}, .n = 32, .period = 32, .offset = 2, .ndigits = 3, .digit = digit, .count = 2};
    double x[12], y[12], s[64];
    for (int i = 0; i < 12; i++) x[i] = i + 1;
    ck_port_pack(s, &p, x, 1);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 3; j++) CHECKF(s[2 + i / 2 * 32 + i % 2 + 4 * j] == x[3 * i + j], "element %d,%d", i, j);
    ck_port_unpack(y, &p, s, 1);
    CHECK(!memcmp(x, y, sizeof x));

    // A period of 8 with copies turned by 3: slot 8 k + j holds slot (j - 3 k) mod 8 of copy 0.
    static const struct ck_digit flat[] = {{0, 6, 1}};
    p = (struct ck_port){.rank = 2, .dim = {1, 6}, .n = 32, .period = 8, .skew = 3, .ndigits = 1, .digit = flat, .count = 1};
    ck_port_pack(s, &p, x, 1);
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 8; j++) {
            int from = ((j - 3 * k) % 8 + 8) % 8;
            CHECKF(s[8 * k + j] == (from < 6 ? x[from] : 0), "copy %d slot %d", k, j);
        }
    p.skew = -3;
    ck_port_pack(s, &p, x, 1);
    CHECK(s[8 + 5] == x[0] && s[16 + 2] == x[0]);

    // Two samples of six elements in a group of four: s 4 + k; the places that are left take the first.
    p = (struct ck_port){.rank = 2, .dim = {1, 6}, .n = 32, .period = 32, .log_batch = 2, .ndigits = 1,
                         .digit = &(struct ck_digit){0, 6, 4}, .count = 1};
    ck_port_pack(s, &p, x, 2);
    for (int j = 0; j < 8; j++)
        for (int k = 0; k < 4; k++) CHECKF(s[4 * j + k] == (j < 6 ? x[(k == 1) * 6 + j] : 0), "sample %d slot %d", k, j);
    ck_port_unpack(y, &p, s, 2);
    CHECK(!memcmp(x, y, sizeof x));

    struct ck_npy a = {CK_NPY_F4, 2, {5, 6}, NULL}, b = {CK_NPY_F4, 1, {6}, NULL}, c = {CK_NPY_F4, 2, {6, 5}, NULL};
    CHECK(ck_port_samples(&p, &a) == 5 && ck_port_samples(&p, &b) == 1 && ck_port_samples(&p, &c) == 0);

    double z[6] = {1, 2, 3, -1, 1000, 1001};
    int64_t best[2];
    p = (struct ck_port){.rank = 3, .dim = {1, 2, 3}, .post = CK_POST_ARGMAX, .axis = 2};
    ck_port_post(z, best, &p);
    CHECK(best[0] == 2 && best[1] == 2 && ck_port_post_numel(&p) == 2);
    struct ck_npy out;
    ck_port_result_shape(&out, &p, 7);
    CHECK(out.rank == 2 && out.dim[0] == 7 && out.dim[1] == 2);
    p.keepdims = 1;
    ck_port_result_shape(&out, &p, 7);
    CHECK(out.rank == 3 && out.dim[2] == 1);
    p.post = CK_POST_LOGSOFTMAX;
    memcpy(y, z, sizeof z);
    ck_port_post(y, NULL, &p);
    CHECK(fabs(y[2] + log(1 + exp(-1) + exp(-2))) < 1e-12 && fabs(y[5] + log1p(exp(-1))) < 1e-12);
    p.post = CK_POST_SOFTMAX;
    ck_port_post(z, NULL, &p);
    CHECK(fabs(z[0] + z[1] + z[2] - 1) < 1e-12 && fabs(z[5] - 1 / (1 + exp(-1))) < 1e-12);
}

int main(void)
{
    if (!mkdtemp(dir)) return 2;
    snprintf(path, sizeof path, "%s/f", dir);
    signal(SIGXFSZ, SIG_IGN);
    containers();
    failures();
    packing();
    ports();
    uint8_t h[32];
    ck_sha256(h, 2, (const struct ck_span[]){{"a", 1}, {"bc", 2}});
    CHECK(h[0] == 0xba && h[1] == 0x78 && h[31] == 0xad);
    char cmd[64];
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    return system(cmd) | test_done();
}
