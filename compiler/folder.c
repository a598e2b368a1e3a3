// SPDX-License-Identifier: Apache-2.0
// Folders are built under a temporary name and renamed; one unfinished folder at a time is remembered so that a signal removes it.
#define _GNU_SOURCE
#include "folder.h"
#include "diag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Not strictly async-signal-safe; the process ends here in any case. */
static char *unfinished;

static void on_signal(int sig)
{
    if (unfinished) folder_remove(unfinished);
    signal(sig, SIG_DFL);
    raise(sig);
}

static void remember(char *path)
{
    unfinished = path;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], path ? on_signal : SIG_DFL);
}

static bool is_empty(const char *path)
{
    DIR *d = opendir(path);
    if (!d) return false;
    size_t entries = 0;
    while (readdir(d)) entries++;
    closedir(d);
    return entries <= 2;
}

char *folder_begin(struct arena *a, const char *path, const char *mark)
{
    struct stat st;
    char *clean = arena_strdup(a, path);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--) clean[n - 1] = 0;
    if (!lstat(clean, &st)) {
        if (!S_ISDIR(st.st_mode)) {
            diag_error(path, "exists and is not a folder");
            return NULL;
        }
        if (!is_empty(clean) && access(arena_printf(a, "%s/%s", clean, mark), F_OK)) {
            diag_error(path, "is a folder with other files in it (no %s); choose another or empty it", mark);
            return NULL;
        }
    }
    char *tmp = arena_printf(a, "%s.tmp-XXXXXX", clean);
    if (!mkdtemp(tmp)) {
        diag_error(path, "cannot make a folder beside it: %s", strerror(errno));
        return NULL;
    }
    mode_t mask = umask(0);
    umask(mask);
    chmod(tmp, 0777 & ~mask);
    remember(tmp);
    return tmp;
}

int folder_end(struct arena *a, const char *tmp, const char *path, bool keep)
{
    char *clean = arena_strdup(a, path);
    for (size_t n = strlen(clean); n > 1 && clean[n - 1] == '/'; n--) clean[n - 1] = 0;
    int bad = 0;
    if (keep) {
        bool replace = access(clean, F_OK) == 0;
        bad = replace ? renameat2(AT_FDCWD, tmp, AT_FDCWD, clean, RENAME_EXCHANGE) : rename(tmp, clean);
        if (bad && replace && (errno == EINVAL || errno == ENOSYS)) {   // file systems without the exchange
            folder_remove(clean);
            bad = rename(tmp, clean);
            replace = false;
        }
        if (bad) diag_error(path, "cannot rename the finished folder: %s", strerror(errno));
        if (bad || replace) folder_remove(tmp);
    } else {
        folder_remove(tmp);
    }
    remember(NULL);
    return bad ? -1 : 0;
}

char *folder_scratch(struct arena *a, const char *stem)
{
    const char *base = getenv("TMPDIR");
    char *tmp = arena_printf(a, "%s/%s-XXXXXX", base && *base ? base : "/tmp", stem);
    if (!mkdtemp(tmp)) {
        diag_error(tmp, "cannot make a temporary folder: %s", strerror(errno));
        return NULL;
    }
    remember(tmp);
    return tmp;
}

int child_run(struct child *out, const char *const *argv, bool quiet)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        diag_error(argv[0], "cannot start: %s", strerror(errno));
        return -1;
    }
    if (!pid) {
        int to = quiet ? open("/dev/null", O_WRONLY) : 2;
        if (to >= 0) dup2(to, 1);
        signal(SIGINT, SIG_DFL);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status;
    struct rusage use;
    while (wait4(pid, &status, 0, &use) < 0)
        if (errno != EINTR) {
            diag_error(argv[0], "lost: %s", strerror(errno));
            return -1;
        }
    clock_gettime(CLOCK_MONOTONIC, &end);
    *out = (struct child){
        .seconds = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec),
        .peak_bytes = 1024.0 * (double)use.ru_maxrss,
        .status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
    };
    if (out->status == 127) {
        diag_error(argv[0], "cannot be run; is it installed?");
        return -1;
    }
    return 0;
}
