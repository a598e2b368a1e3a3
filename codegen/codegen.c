// SPDX-License-Identifier: Apache-2.0
// The files of a generated folder, one after another.
#include "codegen.h"
#include "../compiler/diag.h"
#include "../runtime/file.h"
#include "emit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef void (*emit_fn)(FILE *, const struct program *);

static int finish(FILE *f, const char *path, int bad)
{
    bad |= ferror(f);
    bad |= fclose(f) != 0;
    if (bad) diag_error(path, "cannot be written: %s", strerror(errno));
    return bad ? -1 : 0;
}

static FILE *create(const char *path, const char *mode)
{
    FILE *f = fopen(path, mode);
    if (!f) diag_error(path, "cannot be written: %s", strerror(errno));
    return f;
}

static int write_text(struct program *p, const char *dir, const char *name, emit_fn emit)
{
    const char *path = arena_printf(p->arena, "%s/%s", dir, name);
    FILE *f = create(path, "w");
    if (!f) return -1;
    emit(f, p);
    return finish(f, path, 0);
}

static void emit_client(FILE *f, const struct program *p) { emit_main(f, p, "client"); }
static void emit_server(FILE *f, const struct program *p) { emit_main(f, p, "server"); }
static void emit_build(FILE *f, const struct program *p) { emit_ninja(f, p->opt); }

/* The pieces from `data` into the container. */
static int write_container(struct program *p, FILE *data, const char *path)
{
    struct ck_prints prints = {.params = ck_print_params(&p->params)};
    memcpy(prints.model.b, p->fingerprint, sizeof prints.model.b);
    struct ck_writer w;
    enum { CHUNK = 1 << 20 };
    char *buf = arena_alloc(p->arena, CHUNK);
    const char *why = ck_writer_open(&w, path, 0644, CK_KIND_WEIGHTS, 4096, 1, &prints);
    if (!why) {
        ck_writer_section(&w, CK_TAG("DATA"), 0, 0);
        rewind(data);
        for (size_t n; (n = fread(buf, 1, CHUNK, data)) > 0;) ck_writer_put(&w, buf, n);
        why = ck_writer_close(&w, !ferror(data));
    }
    if (why) diag_error(path, "%s", why);
    return why ? -1 : 0;
}

static int write_weights(struct program *p, const char *dir)
{
    const char *path = arena_printf(p->arena, "%s/weights.bin", dir), *pieces = arena_printf(p->arena, "%s/pieces.tmp", dir);
    FILE *f = create(pieces, "w+b");
    if (!f) return -1;
    int bad = weights_write(p, f, path) || write_container(p, f, path);
    fclose(f);
    unlink(pieces);
    return bad ? -1 : 0;
}

/* What rounding did to the weights goes into the program's text, where the simulator reads it. */
static void record_errors(const struct program *p, struct ir_module *m)
{
    for (struct ir_inst *i = m->first; i; i = i->next)
        for (size_t k = 0; k < p->nops; k++)
            if (p->ops[k].inst == i && i->op == IR_CKKS_linear)
                ir_set_float(m, ir_inst_attrs(i), "weight_error", p->ops[k].weight_rms);
}

int codegen_write(struct ir_module *m, const char *dir, const struct codegen_options *opt)
{
    static const struct { const char *name; emit_fn emit; } files[] = {
        {"model.c", emit_model},   {"tables.c", emit_tables}, {"tables.h", emit_header}, {"client.c", emit_client},
        {"server.c", emit_server}, {"plan.json", emit_plan},  {"build.ninja", emit_build},
    };
    struct arena *a = arena_new();
    struct program p;
    int bad = program_read(&p, m, a, opt);
    if (opt->plan_only) p.weights_bytes = (uint64_t)ir_get_int(m->attrs, "bytes_weights", 0);
    else bad = bad || write_weights(&p, dir);
    if (!bad && !opt->plan_only) record_errors(&p, m);
    bad = bad || ir_save(m, arena_printf(a, "%s/program.ir", dir));
    if (!bad) program_count(&p);
    for (size_t k = 0; !bad && k < sizeof files / sizeof *files; k++)
        if (!opt->plan_only || files[k].emit == emit_plan) bad = write_text(&p, dir, files[k].name, files[k].emit);
    arena_free(a);
    return bad ? -1 : 0;
}
