// SPDX-License-Identifier: Apache-2.0
// Finds the runtime relative to the running executable. In a build tree the file tacet.runtime beside the executable names the source
// folder (meson writes it); an installation has it under the prefix.
#include "locate.h"
#include "diag.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int accept(struct runtime_place *out, struct arena *a, const char *include, const char *library)
{
    char full_include[PATH_MAX], full_library[PATH_MAX];
    if (access(arena_printf(a, "%s/ck.h", include), R_OK) || access(library, R_OK)) return -1;
    if (!realpath(include, full_include) || !realpath(library, full_library)) return -1;
    *out = (struct runtime_place){arena_strdup(a, full_include), arena_strdup(a, full_library)};
    return 0;
}

static int accept_prefix(struct runtime_place *out, struct arena *a, const char *prefix)
{
    return accept(out, a, arena_printf(a, "%s/" TACET_INCLUDEDIR, prefix), arena_printf(a, "%s/" TACET_LIBDIR "/libck.a", prefix));
}

static int accept_build_tree(struct runtime_place *out, struct arena *a, const char *dir)
{
    char source[PATH_MAX] = "";
    FILE *f = fopen(arena_printf(a, "%s/tacet.runtime", dir), "r");
    if (!f) return -1;
    size_t n = fread(source, 1, sizeof source - 1, f);
    fclose(f);
    while (n && source[n - 1] == '\n') source[--n] = 0;
    return accept(out, a, source, arena_printf(a, "%s/runtime/libck.a", dir));
}

int locate_runtime(struct runtime_place *out, struct arena *a, const char *dir)
{
    const char *where = dir ? "--runtime" : "TACET_RUNTIME";
    if (!dir) dir = getenv("TACET_RUNTIME");
    if (dir && *dir) {
        if (!accept(out, a, dir, arena_printf(a, "%s/libck.a", dir)) || !accept_build_tree(out, a, dir) ||
            !accept_prefix(out, a, dir))
            return 0;
        diag_error(where, "no ck.h and libck.a in %s", dir);
        return -1;
    }
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = 0;
        *strrchr(self, '/') = 0;
        if (!accept_build_tree(out, a, self) || !accept_prefix(out, a, arena_printf(a, "%s/..", self))) return 0;
    }
    diag_error(NULL, "the runtime (ck.h, libck.a) was not found beside the tacet program; say where with --runtime DIR");
    return -1;
}
