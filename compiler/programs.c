// SPDX-License-Identifier: Apache-2.0
// Client and server as child processes.
#include "programs.h"
#include "diag.h"
#include "folder.h"
#include "json.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct command_line {
    const char *v[2 * ARG_LIST_MAX + 16];
    size_t n;
};

static void put(struct command_line *c, const char *word)
{
    c->v[c->n++] = word;
    c->v[c->n] = NULL;
}

static void option(struct command_line *c, const char *name, const char *value)
{
    put(c, name);
    put(c, value);
}

static struct command_line begin(const struct programs *p, const char *program, const char *verb, const char *keys)
{
    struct command_line c = {.n = 0};
    put(&c, arena_printf(p->arena, "%s/%s", p->dir, program));
    put(&c, verb);
    option(&c, "--keys", keys);
    return c;
}

static double file_bytes(const char *path)
{
    struct stat st;
    return !path || stat(path, &st) ? 0 : (double)st.st_size;
}

static int part(struct programs *p, const char *name, struct command_line *c, const char *made, int64_t rows)
{
    struct child child;
    char size[32], peak[32];
    bool show = !p->quiet && isatty(2) && !strcmp(name, "server");      // its progress; the others are short
    if (!show) put(c, "--quiet");
    if (child_run(&child, c->v, !show)) return -1;
    if (child.status) {
        diag_error(c->v[0], "%s failed", name);
        return -1;
    }
    p->used[p->nused++] = (struct program_use){name, child.seconds, child.peak_bytes, file_bytes(made)};
    printf("%-8s %8.3f s  peak memory %s", name, child.seconds, bytes_text(peak, child.peak_bytes));
    if (rows > 1) printf("  %.3f s a sample", child.seconds / (double)rows);
    if (made) printf("  %s", bytes_text(size, file_bytes(made)));
    printf("\n");
    fflush(stdout);
    return 0;
}

int programs_open(struct programs *p, const char *dir, const char *keys)
{
    p->dir = strchr(dir, '/') ? dir : arena_printf(p->arena, "./%s", dir);
    if (access(arena_printf(p->arena, "%s/server", p->dir), X_OK) || access(arena_printf(p->arena, "%s/client", p->dir), X_OK)) {
        diag_error(p->dir, "holds no built programs: `tacet compile` it without --no-build");
        return -1;
    }
    p->scratch = folder_scratch(p->arena, "tacet-run");
    if (!p->scratch) return -1;
    p->keys = keys ? keys : arena_printf(p->arena, "%s/keys", p->scratch);
    return 0;
}

void programs_close(struct programs *p)
{
    if (p->scratch) folder_end(p->arena, p->scratch, p->scratch, false);
}

int programs_keygen(struct programs *p)
{
    if (!access(arena_printf(p->arena, "%s/secret.key", p->keys), F_OK)) return 0;
    struct command_line c = begin(p, "client", "keygen", p->keys);
    return part(p, "keygen", &c, arena_printf(p->arena, "%s/eval.keys", p->keys), 0);
}

int programs_encrypt(struct programs *p, const struct samples *s, const struct ir_module *m, const struct arg_list *input, bool cut,
                     const char *to)
{
    struct command_line c = begin(p, "client", "encrypt", p->keys);
    for (uint32_t i = 0; i < s->nin; i++) {
        const char *path = arena_printf(p->arena, "%s/in%u.npy", p->scratch, i);
        if (cut && samples_save(s, m, i, path)) return -1;
        if (cut && s->nin > 1) path = arena_printf(p->arena, "%s=%s", ir_get_string(ir_input(m, i)->attrs, "name", ""), path);
        if (!cut) path = i < input->n ? input->v[i] : NULL;         // one .npz may hold all inputs
        if (path) option(&c, "--input", path);
    }
    option(&c, "--output", to);
    return part(p, "encrypt", &c, to, s->rows);
}

int programs_server(struct programs *p, const char *from, const char *to, const char *trace, const char *report, int64_t rows)
{
    struct command_line c = begin(p, "server", "run", arena_printf(p->arena, "%s/eval.keys", p->keys));
    option(&c, "--input", from);
    option(&c, "--output", to);
    option(&c, "--report", report);
    if (trace) option(&c, "--trace", trace);
    if (p->threads) option(&c, "--threads", arena_printf(p->arena, "%d", p->threads));
    return part(p, "server", &c, trace ? trace : to, rows);
}

int programs_decrypt(struct programs *p, const char *from, const char *const *outputs, size_t noutputs)
{
    struct command_line c = begin(p, "client", "decrypt", p->keys);
    option(&c, "--input", from);
    for (size_t k = 0; k < noutputs; k++) option(&c, "--output", outputs[k]);
    return part(p, "decrypt", &c, NULL, 0);
}

void programs_write(FILE *f, const struct programs *p)
{
    fprintf(f, "  \"programs\": {");
    for (size_t k = 0; k < p->nused; k++) {
        const struct program_use *u = &p->used[k];
        fprintf(f, "%s\n    \"%s\": {\"seconds\": %.6g, \"peak_bytes\": %.0f, \"made_bytes\": %.0f}", k ? "," : "", u->name, u->seconds,
                u->peak_bytes, u->made_bytes);
    }
    fprintf(f, "\n  }");
}
