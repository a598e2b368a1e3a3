// SPDX-License-Identifier: Apache-2.0
// Array files: files made by NumPy and onnx (tests/fuzz/corpus/npy), round trips, truncation at every length.
// usage: t_npy CORPUS_DIR
#include "../test.h"
#include "npy.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *dir;
static char tmp[] = "/tmp/t_npy.XXXXXX";

static const char *in_dir(const char *d, const char *name)
{
    static char path[4][4096];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", d, name);
    return path[turn];
}

static void reads_numpy(void)
{
    static const char *const same[] = {"c_order.npy", "fortran.npy", "version2.npy", "version3.npy", "raw.pb", "typed.pb"};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++) {
        struct ck_npy a;
        const char *why = ck_array_read(&a, in_dir(dir, same[k]), NULL);
        CHECKF(!why, "%s %s", same[k], why);
        if (why) continue;
        int ok = a.type == CK_NPY_F4 && a.rank == 3 && a.dim[0] == 2 && a.dim[1] == 3 && a.dim[2] == 4;
        for (size_t i = 0; i < 24 && ok; i++) ok = ck_npy_at(&a, i) == (double)i - 5.5;
        CHECKF(ok, "%s: other contents", same[k]);
        ck_npy_clear(&a);
    }
    static const char *const zips[] = {"deflated.npz", "stored.npz"};
    for (int k = 0; k < 2; k++) {
        struct ck_npz z;
        const char *why = ck_npz_read(&z, in_dir(dir, zips[k]));
        CHECKF(!why, "%s %s", zips[k], why);
        if (why) continue;
        CHECK(z.count == CK_NPY_TYPES);
        for (size_t m = 0; m < z.count; m++) {
            const struct ck_npy *a = &z.array[m];
            int ok = a->rank == 3 && ck_npy_numel(a) == 12 && ck_npz_find(&z, z.name[m]) == a;
            for (size_t i = 0; i < 12 && ok; i++)
                ok = ck_npy_at(a, i) == (double)(a->type == CK_NPY_B1 ? i % 2 : i);
            CHECKF(ok, "%s: %s", zips[k], z.name[m]);
        }
        CHECK(!ck_npz_find(&z, "nothing"));
        ck_npz_clear(&z);
        struct ck_npy a;
        why = ck_array_read(&a, in_dir(dir, zips[k]), "i4");
        CHECK(!why && a.type == CK_NPY_I4);
        if (!why) ck_npy_clear(&a);
        CHECK(ck_array_read(&a, in_dir(dir, zips[k]), "nothing") != NULL);
        CHECK(ck_array_read(&a, in_dir(dir, zips[k]), NULL) != NULL);
    }
    struct ck_npy a;
    CHECK(!ck_array_read(&a, in_dir(dir, "scalar.npy"), NULL) && a.rank == 0 && ck_npy_at(&a, 0) == -1.25);
    ck_npy_clear(&a);
    CHECK(!ck_array_read(&a, in_dir(dir, "empty.npy"), NULL) && ck_npy_numel(&a) == 0 && a.dim[1] == 7);
    ck_npy_clear(&a);
    CHECK(!ck_array_read(&a, in_dir(dir, "int64.pb"), NULL) && ck_npy_at(&a, 0) == -1 && ck_npy_at(&a, 2) == 0x1p40);
    ck_npy_clear(&a);
    CHECK(!ck_array_read(&a, in_dir(dir, "half.pb"), NULL) && ck_npy_at(&a, 0) == 1.5 && ck_npy_at(&a, 1) == -2);
    ck_npy_clear(&a);
    static const double half[8] = {0, 1, -2, 65504, 0x1p-24, INFINITY, -INFINITY, 0.333};
    CHECK(!ck_array_read(&a, in_dir(dir, "half.npy"), NULL));
    for (size_t i = 0; i < 8; i++)
        CHECKF(i == 7 ? fabs(ck_npy_at(&a, i) - half[i]) < 2e-4 : ck_npy_at(&a, i) == half[i], "half %zu", i);
    ck_npy_clear(&a);
    CHECK(ck_array_read(&a, in_dir(dir, "big_endian.npy"), NULL) != NULL);
    CHECK(ck_array_read(&a, in_dir(dir, "object.npy"), NULL) != NULL);
    CHECK(ck_array_read(&a, in_dir(dir, "absent.npy"), NULL) != NULL);
}

static void round_trips(void)
{
    double f[6] = {0, -1, 1e300, 0x1p-1074, INFINITY, 3};
    int64_t n[3] = {-1, INT64_MAX, INT64_MIN};
    int32_t m[1] = {-7};
    float g[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct ck_npy a[4] = {
        {CK_NPY_F8, 2, {2, 3}, f},
        {CK_NPY_I8, 1, {3}, n},
        {CK_NPY_I4, 0, {0}, m},
        {CK_NPY_F4, 8, {1, 2, 1, 2, 1, 2, 1, 1}, g},
    };
    const char *const name[4] = {"conv1.val", "dim", "scalar", "deep/name with space"};
    for (int i = 0; i < 4; i++) {
        struct ck_npy b;
        const char *path = in_dir(tmp, "a.npy"), *why = ck_npy_write(path, &a[i]);
        CHECKF(!why, "write: %s", why);
        why = ck_npy_read(&b, path);
        CHECKF(!why, "read: %s", why);
        if (why) continue;
        size_t bytes = ck_npy_numel(&a[i]) * ck_npy_width(a[i].type);
        CHECK(b.type == a[i].type && b.rank == a[i].rank && !memcmp(b.dim, a[i].dim, 8 * a[i].rank));
        CHECK(!memcmp(b.data, a[i].data, bytes));
        ck_npy_clear(&b);
    }
    struct ck_npz z;
    const char *path = in_dir(tmp, "a.npz"), *why = ck_npz_write(path, 4, name, a);
    CHECKF(!why, "write: %s", why);
    why = ck_npz_read(&z, path);
    CHECKF(!why, "read: %s", why);
    if (why) return;
    CHECK(z.count == 4);
    for (size_t i = 0; i < z.count; i++)
        CHECK(!strcmp(z.name[i], name[i]) && z.array[i].type == a[i].type &&
              !memcmp(z.array[i].data, a[i].data, ck_npy_numel(&a[i]) * ck_npy_width(a[i].type)));
    ck_npz_clear(&z);

    // The same arrays give the same bytes.
    void *x = NULL, *y = NULL;
    size_t xn = 0, yn = 0;
    CHECK(!ck_npz_write(in_dir(tmp, "b.npz"), 4, name, a));
    CHECK(!ck_file_slurp(&x, &xn, path) && !ck_file_slurp(&y, &yn, in_dir(tmp, "b.npz")));
    CHECK(xn == yn && !memcmp(x, y, xn));
    free(x);
    free(y);
}

/* Every prefix and every changed byte must end in an error or a valid array, never in a read past the end (asan). */
static void damaged(const char *name)
{
    void *bytes;
    size_t len;
    if (ck_file_slurp(&bytes, &len, in_dir(dir, name))) {
        CHECKF(0, "%s unreadable", name);
        return;
    }
    int zip = strstr(name, ".npz") != NULL, pb = strstr(name, ".pb") != NULL, accepted = 0;
    for (size_t k = 0; k < len + 8 * len; k++) {
        size_t n = k < len ? k : len;
        unsigned char *copy = malloc(n ? n : 1);
        memcpy(copy, bytes, n);
        if (k >= len) copy[(k - len) / 8] ^= (unsigned char)(1 << (k - len) % 8);
        struct ck_npy a;
        struct ck_npz z;
        if (zip) {
            if (!ck_npz_parse(&z, copy, n)) ck_npz_clear(&z), accepted += k < len;
        } else if (!(pb ? ck_npy_parse_pb(&a, copy, n) : ck_npy_parse(&a, copy, n))) {
            ck_npy_clear(&a);
            accepted += k < len;
        }
        free(copy);
    }
    CHECKF(accepted == 0 || pb, "%s: a truncated file was accepted", name);
    free(bytes);
}

static void failed_writes(void)
{
    double f[1] = {1};
    struct ck_npy a = {CK_NPY_F8, 1, {1}, f};
    CHECK(ck_npy_write(in_dir(tmp, "no/such/dir.npy"), &a) != NULL);
    if (access("/dev/full", W_OK) == 0) {
        const char *why = ck_npy_write("/dev/full", &a);
        CHECK(why && !strcmp(why, strerror(ENOSPC)));
    } else {
        SKIP("no /dev/full");
    }
    // A failed write leaves the old file alone and nothing else behind.
    const char *const twice = "x";
    CHECK(!ck_npy_write(in_dir(tmp, "keep.npy"), &a));
    struct ck_out_file o;
    CHECK(!ck_out_open(&o, in_dir(tmp, "keep.npy"), 0600));
    char *t = strdup(o.tmp);
    fputs(twice, o.f);
    CHECK(!ck_out_close(&o, 0));
    CHECK(access(t, F_OK) != 0);
    free(t);
    struct ck_npy b;
    CHECK(!ck_npy_read(&b, in_dir(tmp, "keep.npy")));
    ck_npy_clear(&b);
}

int main(int argc, char **argv)
{
    if (argc != 2 || !mkdtemp(tmp)) return 2;
    dir = argv[1];
    reads_numpy();
    round_trips();
    static const char *const files[] = {"c_order.npy", "fortran.npy", "deflated.npz", "stored.npz",
                                        "raw.pb",      "typed.pb",    "int64.pb",     "scalar.npy"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) damaged(files[i]);
    failed_writes();
    char cmd[64];
    snprintf(cmd, sizeof cmd, "rm -r %s", tmp);
    return system(cmd) | test_done();
}
