// SPDX-License-Identifier: Apache-2.0
// Layouts: text round trip, packing against the definition, refusals.
#include "../../compiler/layout.h"
#include "../test.h"
#include <stdlib.h>
#include <string.h>

int main(void)
{
    static const char *const good[] = {
        "n=1024 period=1024 [16:64 2:1 2:28] [14:56] [14:2]", "n=8 period=2 [2:1]", "n=16 period=16 offset=3 clean [2:16] [4:1]",
        "n=4 period=4", "n=65536 period=1 []", "n=16 period=4 skew=3 offset=1 [3:1]",
        "n=32 batch=4 period=16 skew=8 offset=4 [3:4] []",
    };
    static const char *const bad[] = {
        "", "n=3 period=1 [1:1]", "n=8 period=16 [8:1]", "n=8 period=3 [3:1]", "n=8 period=8 [8]", "n=8 period=8 [8:1", "n=8 period=8 [0:1]",
        "n=8 period=8 [8:-1]", "n=8 period=8 [8:1] x", "n=8 period=8 [1073741824:1] [1073741824:1073741824]", "n=8  period=8 [8:1]",
        "n=8 period=4 skew=0 [4:1]", "n=8 period=4 skew=4 [4:1]", "n=8 period=4 skew=-1 [4:1]",
        "n=8 batch=1 period=8 [8:1]", "n=8 batch=3 period=8 [2:4]", "n=8 batch=4 period=2 [1:4]", "n=8 batch=2 period=8 [4:1]",
        "n=8 batch=2 period=8 skew=1 [4:2]", "n=8 batch=2 period=8 offset=1 [2:2]",
    };
    struct arena *a = arena_new();
    struct layout l;
    for (size_t k = 0; k < sizeof good / sizeof *good; k++) {
        CHECK(!layout_parse(&l, good[k]));
        CHECKF(!strcmp(layout_print(a, &l), good[k]), "%s prints as %s", good[k], layout_print(a, &l));
    }
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) CHECKF(layout_parse(&l, bad[k]), "accepted: %s", bad[k]);

    CHECK(!layout_parse(&l, "n=64 period=64 [3:32 2:1] [4:8] [4:2]"));      // 6 channels, gap 2, 3 blocks
    CHECK(l.rank == 3 && l.dim[0] == 6 && layout_numel(&l) == 96 && layout_count(&l) == 2);
    double x[96], s[128], back[96];
    for (int k = 0; k < 96; k++) x[k] = k + 1;
    CHECK(layout_slot(&l, (5 * 4 + 3) * 4 + 2) == 2 * 32 + 1 + 3 * 8 + 2 * 2);
    layout_pack(s, &l, x, 1);
    layout_unpack(back, &l, s, 1);
    CHECK(!memcmp(x, back, sizeof x));

    CHECK(!layout_parse(&l, "n=8 period=2 [2:1]"));
    layout_pack(s, &l, x, 1);
    for (int k = 0; k < 8; k++) CHECK(s[k] == x[k % 2]);
    CHECK(!layout_parse(&l, "n=16 period=4 skew=3 [4:1]"));
    layout_pack(s, &l, x, 1);
    layout_unpack(back, &l, s, 1);
    CHECK(!memcmp(x, back, 4 * sizeof *x));
    for (int k = 0; k < 4; k++)
        for (int j = 0; j < 4; j++) CHECK(s[4 * k + j] == x[((j - 3 * k) % 4 + 4) % 4]);

    struct layout one;
    CHECK(!layout_parse(&one, "n=16 period=8 skew=3 offset=1 [3:2] [2:1]"));
    l = layout_interleave(&one, 2);
    CHECKF(!strcmp(layout_print(a, &l), "n=64 batch=4 period=32 skew=12 offset=4 [3:8] [2:4]"), "%s", layout_print(a, &l));
    layout_pack(s, &l, x, 3);                               // the fourth place takes the first sample
    for (int k = 0; k < 4; k++) {
        double alone[16];
        layout_pack(alone, &one, x + (k < 3 ? k : 0) * 6, 1);
        for (int j = 0; j < 16; j++) CHECK(s[4 * j + k] == alone[j]);
    }
    layout_unpack(back, &l, s, 3);
    CHECK(!memcmp(x, back, 18 * sizeof *x));

    l = layout_dense(2, (int64_t[]){2, 3}, 8);
    CHECK(layout_slot(&l, 5) == 5 && layout_count(&l) == 1);
    arena_free(a);
    return test_done();
}
