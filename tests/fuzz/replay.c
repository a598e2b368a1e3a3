// SPDX-License-Identifier: Apache-2.0
// A main for fuzz targets without libFuzzer: feeds every file of the given directories, each also truncated and with bytes changed.
// usage: fuzz_X DIR|FILE...   closing line: N passed, 0 failed, 0 skipped (a finding is a crash)
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MUTATIONS = 60 };
static long fed;

static void feed(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return;
    size_t cap = 1 << 20, len;
    uint8_t *buf = malloc(cap), *copy = malloc(cap);
    len = fread(buf, 1, cap, f);
    fclose(f);
    LLVMFuzzerTestOneInput(buf, len);
    fed++;
    uint64_t state = 0x9e3779b97f4a7c15u ^ len;
    for (int k = 0; k < MUTATIONS && len; k++) {
        memcpy(copy, buf, len);
        size_t cut = len;
        for (int j = 0; j <= k % 4; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (k % 3 == 0)
                cut = (state >> 20) % (len + 1);
            else
                copy[(state >> 20) % len] ^= (uint8_t)(1 + (state >> 56) % 255);
        }
        uint8_t *exact = malloc(cut ? cut : 1);         // so that a sanitiser sees reads beyond the end
        memcpy(exact, copy, cut);
        LLVMFuzzerTestOneInput(exact, cut);
        free(exact);
        fed++;
    }
    free(buf);
    free(copy);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;
        char path[4096];
        if (!d)
            feed(argv[i]);
        while (d && (e = readdir(d))) {
            snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
            if (e->d_name[0] != '.')
                feed(path);
        }
        if (d)
            closedir(d);
    }
    printf("%ld passed, 0 failed, 0 skipped\n", fed);
    return 0;
}
