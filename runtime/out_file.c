// SPDX-License-Identifier: Apache-2.0
// Whole-file reading, and writing to a temporary name that is renamed when everything has reached the disk: a reader sees the old
// file or the complete new one.
#include "npy.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *ck_file_slurp(void **out, size_t *len, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return strerror(errno);
    const char *why = NULL;
    struct stat st;
    size_t cap = 1 << 16, n = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0) cap = (size_t)st.st_size + 1;    // +1 sees the end
    char *buf = malloc(cap);
    if (!buf) why = "out of memory";
    while (!why) {
        if (n == cap) {
            char *more = cap > SIZE_MAX / 2 ? NULL : realloc(buf, cap * 2);
            if (!more) {
                why = "out of memory";
                break;
            }
            buf = more;
            cap *= 2;
        }
        ssize_t got = read(fd, buf + n, cap - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) why = strerror(errno);
        if (got <= 0) break;
        n += (size_t)got;
    }
    close(fd);
    if (why) {
        free(buf);
        return why;
    }
    *out = buf;
    *len = n;
    return NULL;
}

const char *ck_out_open(struct ck_out_file *o, const char *path, unsigned mode)
{
    struct stat st;
    size_t len = strlen(path);
    *o = (struct ck_out_file){.path = malloc(len + 1), .tmp = malloc(len + 12)};
    const char *why = NULL;
    int fd = -1;
    if (!o->path || !o->tmp) {
        why = "out of memory";
    } else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        // Devices and pipes cannot be replaced by a rename: they are written directly.
        memcpy(o->path, path, len + 1);
        free(o->tmp);
        o->tmp = NULL;
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) why = strerror(errno);
    } else {
        memcpy(o->path, path, len + 1);
        memcpy(o->tmp, path, len);
        memcpy(o->tmp + len, ".tmp.XXXXXX", 12);
        fd = mkstemp(o->tmp);
        if (fd < 0) why = strerror(errno);
        else if (fchmod(fd, mode) != 0) why = strerror(errno);
    }
    if (!why && !(o->f = fdopen(fd, "wb"))) why = strerror(errno);
    if (why) {
        if (fd >= 0) {
            close(fd);
            if (o->tmp) unlink(o->tmp);
        }
        free(o->path);
        free(o->tmp);
        *o = (struct ck_out_file){0};
    }
    return why;
}

const char *ck_out_close(struct ck_out_file *o, int keep)
{
    const char *why = NULL;
    errno = 0;
    if (ferror(o->f) || fflush(o->f) != 0) why = errno ? strerror(errno) : "write failed";
    if (!why && keep && o->tmp && fsync(fileno(o->f)) != 0) why = strerror(errno);
    if (fclose(o->f) != 0 && !why) why = strerror(errno);
    if (o->tmp) {
        if (!why && keep && rename(o->tmp, o->path) != 0) why = strerror(errno);
        if (why || !keep) unlink(o->tmp);
    }
    free(o->path);
    free(o->tmp);
    *o = (struct ck_out_file){0};
    return why;
}
