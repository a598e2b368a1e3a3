// SPDX-License-Identifier: Apache-2.0
// The generated client program: makes keys, encrypts arrays, decrypts results. The only program that touches the secret key.
#include "internal.h"
#include "port.h"
#include "program.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: client keygen  --keys DIR [--force]\n"
    "       client encrypt --keys DIR --input [NAME=]x.npy --output x.ct\n"
    "       client decrypt --keys DIR --input y.ct --output [NAME=]y.npy\n"
    "\n"
    "client COMMAND --help tells more about each.\n";

static const char help_keygen[] =
    "usage: client keygen --keys DIR [--force] [--threads T] [--quiet]\n"
    "\n"
    "Makes a new key set in DIR: secret.key, which stays here and decrypts everything, and eval.keys, for the server.\n"
    "\n"
    "  --keys DIR       made if it does not exist\n"
    "  --force          replace a secret key that is there: what it encrypted can never be read again\n";

static const char help_encrypt[] =
    "usage: client encrypt --keys DIR --input [NAME=]x.npy [--input ...] --output x.ct [--threads T] [--quiet]\n"
    "\n"
    "Encrypts the inputs of the model into one file for the server.\n"
    "\n"
    "  --keys DIR       folder with secret.key\n"
    "  --input FILE     .npy, .npz or ONNX TensorProto .pb; NAME= tells which input, where there are several\n"
    "                   (an .npz may hold them all by name). A leading batch axis of S gives S results; programs compiled\n"
    "                   with --batch B take them in groups of B, the last one filled up.\n"
    "  --output FILE    the ciphertexts\n";

static const char help_decrypt[] =
    "usage: client decrypt --keys DIR --input y.ct --output [NAME=]y.npy [--output ...] [--threads T] [--quiet]\n"
    "\n"
    "Decrypts the server's results. Decrypted values carry noise that depends on the secret key: --flood before you\n"
    "give them to anybody who may see the ciphertexts.\n"
    "\n"
    "  --keys DIR       folder with secret.key\n"
    "  --input FILE     encrypted results, from `server run`\n"
    "  --output FILE    .npy, one for each output of the model (NAME= where there are several), or one .npz for all\n"
    "  --flood BITS     hide the noise under noise 2^BITS times as large: what is published tells it from other noise\n"
    "                   with advantage 2^-BITS a value. The results lose BITS + 2 bits of precision or so.\n"
    "\n"
    "A trace, from `server run --trace`, becomes one .npy of shape samples x vectors x slots: the values of all steps of\n"
    "the program in order, as many vectors each as it has ciphertexts.\n";

/* "NAME=path" where NAME is one of the ports: its index and the path. Otherwise -1 and the whole text. */
static int named_port(const char **path, const char *arg, const struct ck_port *port, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t len = strlen(port[i].name);
        if (!strncmp(arg, port[i].name, len) && arg[len] == '=') {
            *path = arg + len + 1;
            return (int)i;
        }
    }
    *path = arg;
    return -1;
}

static void list_ports(const struct ck_port *port, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) fprintf(stderr, "    %s  %s\n", port[i].name, ck_port_shape(&port[i]));
}

static int ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), e = strlen(end);
    return n >= e && !strcmp(s + n - e, end);
}

/* ---- keygen ---- */

static int write_keys(const struct ck_program *p, const struct ck_context *ctx, const char *secret, const char *eval)
{
    struct ck_print keys;
    struct ck_secret *sk = NULL;
    struct ck_writer w;
    struct ck_progress progress;
    size_t count;
    struct ck_galois_spec *spec = ck_program_keys(p, ctx, &count);
    if (!spec) return 1;
    enum ck_err err = ck_keyset_new(&keys);
    if (err == CK_OK) err = ck_secret_new(&sk, ctx);
    if (err != CK_OK) {
        free(spec);
        return ck_fail_err(p, NULL, err);
    }
    ck_progress_begin(&progress, p->mode, "keygen");
    const char *why = ck_evk_generate(&w, eval, ctx, sk, &keys, spec, count, &progress);
    free(spec);
    int rc = why ? ck_fail(p, eval, "%s", why) : 0;
    // The secret appears before the evaluation keys do, and goes again if they cannot.
    if (!rc && (why = ck_secret_save(secret, sk, ctx, &keys))) {
        ck_writer_close(&w, 0);
        rc = ck_fail(p, secret, "%s", why);
    }
    ck_secret_free(sk);
    uint64_t bytes = rc ? 0 : w.pos;
    if (!rc && (why = ck_writer_close(&w, 1))) {
        unlink(secret);
        rc = ck_fail(p, eval, "%s", why);
    }
    double t = ck_progress_end(&progress);
    if (!rc && p->mode != CK_PROGRESS_QUIET)
        printf("%s: keep it, it decrypts everything\n%s: %s, for the server\n%.3f s; peak memory %s\n", secret, eval, ck_bytes_text(bytes), t,
               ck_bytes_text(ck_peak_bytes()));
    return rc;
}

static int keygen(const struct ck_program *p)
{
    if (mkdir(p->keys, 0700) != 0 && errno != EEXIST) return ck_fail(p, p->keys, "%s", strerror(errno));
    char *secret = ck_path_join(p->keys, "secret.key"), *eval = ck_path_join(p->keys, "eval.keys");
    struct ck_context *ctx = NULL;
    int rc = 1;
    if (!secret || !eval) rc = ck_fail_err(p, NULL, CK_ENOMEM);
    else if (!p->force && access(secret, F_OK) == 0)
        rc = ck_fail(p, secret, "exists; choose another folder, or --force to replace it (what it encrypted is then lost)");
    else if ((ctx = ck_program_context(p))) rc = write_keys(p, ctx, secret, eval);
    ck_context_free(ctx);
    free(secret);
    free(eval);
    return rc;
}

static int load_secret(struct ck_secret **sk, struct ck_print *keys, const struct ck_program *p, const struct ck_context *ctx)
{
    struct ck_file f;
    char *path = ck_path_join(p->keys, "secret.key");
    if (!path) return ck_fail_err(p, NULL, CK_ENOMEM);
    const char *why = ck_file_open(&f, path, CK_KIND_SECRET);
    if (!why) {
        why = ck_secret_load(sk, ctx, &f);
        *keys = f.prints.keys;
        ck_file_close(&f);
    }
    int rc = why ? ck_fail(p, path, "%s%s", why, access(path, F_OK) ? "; make keys with `client keygen`" : "") : 0;
    free(path);
    return rc;
}

/* ---- encrypt ---- */

struct arrays {
    struct ck_npy *port;        // own: one array per port
    const char **path;          // own: the file it came from, borrowed; NULL before it is read
    size_t samples;
};

static int take_array(const struct ck_program *p, struct arrays *a, int port, struct ck_npy *array, const char *path)
{
    const struct ck_port *io = &p->model->in[port];
    if (a->path[port]) {
        ck_npy_clear(array);
        return ck_fail(p, path, "input '%s' is given twice", io->name);
    }
    size_t n = ck_port_samples(io, array);
    a->port[port] = *array;
    a->path[port] = path;
    if (n == 0)
        return ck_fail(p, path, "has shape %s; input '%s' wants %s, B samples at a time", ck_npy_shape(array), io->name,
                       ck_port_shape(io));
    if (a->samples && n != a->samples)
        return ck_fail(p, path, "holds %zu samples, the input before it %zu", n, a->samples);
    a->samples = n;
    return 0;
}

static int read_inputs(const struct ck_program *p, struct arrays *a)
{
    const struct ck_model *m = p->model;
    for (uint32_t i = 0; i < p->nin; i++) {
        const char *path, *why;
        struct ck_npy array;
        int port = named_port(&path, p->input[i], m->in, m->nin);
        int whole = port < 0 && m->nin > 1 && ends_in(path, ".npz");
        if (whole) {
            struct ck_npz z;
            if ((why = ck_npz_read(&z, path))) return ck_fail(p, path, "%s", why);
            int rc = 0;
            for (size_t k = 0; k < z.count && !rc; k++)
                for (uint32_t j = 0; j < m->nin && !rc; j++)
                    if (!strcmp(z.name[k], m->in[j].name)) {
                        rc = take_array(p, a, (int)j, &z.array[k], path);
                        z.array[k].data = NULL;     // moved
                    }
            ck_npz_clear(&z);
            if (rc) return rc;
            continue;
        }
        if (port < 0 && m->nin > 1) {
            ck_fail(p, p->input[i], "this model has several inputs; write NAME=FILE with NAME one of");
            list_ports(m->in, m->nin);
            return 1;
        }
        if (port < 0) port = 0;
        // In an .npz the array of the input's name, or else its only one.
        why = ck_array_read(&array, path, NULL);
        if (why && ends_in(path, ".npz")) why = ck_array_read(&array, path, m->in[port].name);
        if (why) return ck_fail(p, path, "%s", why);
        int rc = take_array(p, a, port, &array, path);
        if (rc) return rc;
    }
    for (uint32_t j = 0; j < m->nin; j++)
        if (!a->path[j]) return ck_fail(p, NULL, "input '%s' (%s) is missing", m->in[j].name, ck_port_shape(&m->in[j]));
    return 0;
}

/* Refuses what is not finite; warns once a port about values beyond the calibrated range. */
static int check_values(const struct ck_program *p, const struct arrays *a)
{
    for (uint32_t j = 0; j < p->model->nin; j++) {
        const struct ck_port *io = &p->model->in[j];
        size_t n = ck_npy_numel(&a->port[j]), numel = ck_port_numel(io), out = 0;
        double lo = 0, hi = 0;
        for (size_t i = 0; i < n; i++) {
            double v = ck_npy_at(&a->port[j], i);
            if (!isfinite(v)) return ck_fail(p, a->path[j], "sample %zu holds a value that is not finite", i / numel);
            if (io->lo < io->hi && (v < io->lo || v > io->hi)) out++;
            lo = i ? fmin(lo, v) : v;
            hi = i ? fmax(hi, v) : v;
        }
        if (out)
            fprintf(stderr, "%s: %s: warning: %zu of %zu values lie outside the calibrated range [%g, %g] of '%s' (they span "
                    "[%g, %g]); results may be wrong\n", p->name, a->path[j], out, n, io->lo, io->hi, io->name, lo, hi);
    }
    return 0;
}

static int encrypt_samples(const struct ck_program *p, const struct ck_context *ctx, const struct ck_secret *sk,
                           const struct arrays *a, struct ck_writer *w)
{
    const struct ck_model *m = p->model;
    struct ck_progress progress;
    enum ck_err err = CK_OK;
    ck_progress_begin(&progress, p->mode, "encrypt");
    const size_t batch = ck_port_batch(m->in), groups = ck_model_groups(m, a->samples);
    for (size_t g = 0; g < groups && err == CK_OK && !w->why; g++)
        for (uint32_t j = 0; j < m->nin && err == CK_OK; j++) {
            const struct ck_port *io = &m->in[j];
            size_t numel = ck_port_numel(io), bytes = (size_t)io->count * io->n * sizeof(double);
            size_t first = g * batch, here = a->samples - first < batch ? a->samples - first : batch;
            double *x = malloc(here * numel * sizeof *x + 1), *slots = malloc(bytes + 1);
            struct ck_ct *ct = calloc(io->count + 1, sizeof *ct);
            if (!x || !slots || !ct) err = CK_ENOMEM;
            ck_progress_step(&progress, g, groups, io->name);
            for (uint32_t c = 0; c < io->count && err == CK_OK; c++) err = ck_ct_init(&ct[c], ctx, io->level, 1);
            if (err == CK_OK) {
                for (size_t i = 0; i < here * numel; i++) x[i] = ck_npy_at(&a->port[j], first * numel + i);
                ck_port_pack(slots, io, x, (uint32_t)here);
                err = ck_ct_encrypt_section(w, ct, ctx, sk, slots, io, j, (uint32_t)g, (uint32_t)here);
            }
            for (uint32_t c = 0; ct && c < io->count; c++) ck_ct_clear(&ct[c]);
            free(ct);
            free(slots);
            free(x);
        }
    double t = ck_progress_end(&progress);
    if (err != CK_OK) return ck_fail_err(p, p->output[0], err);
    if (!w->why && p->mode != CK_PROGRESS_QUIET)
        printf("%s: %zu sample%s%s, %s, %.3f s; peak memory %s\n", p->output[0], a->samples, a->samples == 1 ? "" : "s",
               ck_groups_text(m, a->samples), ck_bytes_text(w->pos), t, ck_bytes_text(ck_peak_bytes()));
    return 0;
}

static int encrypt_arrays(const struct ck_program *p, const struct arrays *a)
{
    const struct ck_model *m = p->model;
    const size_t groups = ck_model_groups(m, a->samples), most = CK_FILE_SECTIONS_MAX / m->nin;
    if (groups > most)
        return ck_fail(p, a->path[0], "holds %zu samples; at most %zu fit one file", a->samples, most * ck_port_batch(m->in));
    struct ck_context *ctx = ck_program_context(p);
    if (!ctx) return 1;
    struct ck_secret *sk = NULL;
    struct ck_prints prints = {.params = ck_print_params(&m->params)};
    memcpy(&prints.model, m->fingerprint, sizeof prints.model);
    int rc = load_secret(&sk, &prints.keys, p, ctx);
    struct ck_writer w;
    const char *why;
    if (!rc) {
        why = ck_writer_open(&w, p->output[0], 0644, CK_KIND_CIPHERTEXT, 64, (uint32_t)groups * m->nin, &prints);
        if (why) rc = ck_fail(p, p->output[0], "%s", why);
        if (!rc) {
            rc = encrypt_samples(p, ctx, sk, a, &w);
            why = ck_writer_close(&w, !rc);
            if (!rc && why) rc = ck_fail(p, p->output[0], "%s", why);
        }
    }
    ck_secret_free(sk);
    ck_context_free(ctx);
    return rc;
}

static int encrypt(const struct ck_program *p)
{
    const struct ck_model *m = p->model;
    if (p->nout != 1) return ck_fail(p, "--output", "one file holds all inputs; give it once");
    struct arrays a = {.port = calloc(m->nin + 1, sizeof *a.port), .path = calloc(m->nin + 1, sizeof *a.path)};
    int rc = a.port && a.path ? read_inputs(p, &a) : ck_fail_err(p, NULL, CK_ENOMEM);
    if (!rc) rc = check_values(p, &a);
    if (!rc) rc = encrypt_arrays(p, &a);
    for (uint32_t j = 0; a.port && j < m->nin; j++) ck_npy_clear(&a.port[j]);
    free(a.port);
    free(a.path);
    return rc;
}

/* ---- decrypt ---- */

/* One output port of all samples, as an array; own data. */
static int decrypt_port(struct ck_npy *out, const struct ck_program *p, const struct ck_context *ctx,
                        const struct ck_secret *sk, const struct ck_file *f, uint32_t port, uint32_t samples)
{
    const struct ck_port *io = &p->model->out[port];
    size_t numel = ck_port_numel(io), kept = ck_port_post_numel(io);
    const uint32_t batch = ck_port_batch(io);
    int whole = io->post == CK_POST_ARGMAX;
    double *slots = malloc((size_t)io->count * io->n * sizeof *slots), *x = malloc(batch * numel * sizeof *x + 1);
    int64_t *index = malloc(kept * sizeof *index + 1);
    struct ck_ct *ct = calloc(io->count + 1, sizeof *ct);
    *out = (struct ck_npy){.type = whole ? CK_NPY_I8 : CK_NPY_F4};
    out->data = malloc(samples * kept * ck_npy_width(out->type) + 1);
    enum ck_err err = slots && x && index && ct && out->data ? CK_OK : CK_ENOMEM;
    for (uint32_t c = 0; c < io->count && err == CK_OK; c++) err = ck_ct_init(&ct[c], ctx, io->level, 1);
    const char *why = NULL;
    for (uint32_t first = 0, group = 0; first < samples && err == CK_OK && !why; first += batch, group++) {
        const uint32_t here = samples - first < batch ? samples - first : batch;
        why = ck_ct_load(ct, ctx, &f->section[(size_t)group * p->model->nout + port], io);
        for (uint32_t c = 0; c < io->count && err == CK_OK && !why; c++)
            err = ck_decrypt(slots + (size_t)c * io->n, ctx, sk, &ct[c]);
        if (err != CK_OK || why) break;
        ck_port_unpack(x, io, slots, here);
        if (p->flood) err = ck_port_flood(x, here * numel, ldexp(io->error, p->flood));
        if (err != CK_OK) break;
        for (uint32_t s = 0; s < here; s++) {
            double *one = x + s * numel;
            const size_t at = ((size_t)first + s) * kept;
            ck_port_post(one, index, io);
            if (whole) memcpy((int64_t *)out->data + at, index, kept * sizeof *index);
            else
                for (size_t i = 0; i < kept; i++) ((float *)out->data)[at + i] = (float)one[i];
        }
    }
    for (uint32_t c = 0; ct && c < io->count; c++) ck_ct_clear(&ct[c]);
    free(ct);
    free(index);
    free(x);
    free(slots);
    if (why) return ck_fail(p, p->input[0], "%s", why);
    if (err != CK_OK) return ck_fail_err(p, p->input[0], err);
    ck_port_result_shape(out, io, samples);
    return 0;
}

/* Which output goes to which --output: want[port] is the path, NULL for none; *npz the file that takes all. */
static int pick_outputs(const struct ck_program *p, const char **want, const char **npz)
{
    const struct ck_model *m = p->model;
    for (uint32_t i = 0; i < p->nout; i++) {
        const char *path;
        int port = named_port(&path, p->output[i], m->out, m->nout);
        if (port < 0 && ends_in(path, ".npz") && p->nout == 1) {
            *npz = path;
        } else if (port < 0 && m->nout > 1) {
            ck_fail(p, p->output[i], "this model has several outputs; write NAME=FILE, or one FILE.npz for all; NAME is one of");
            list_ports(m->out, m->nout);
            return 1;
        } else {
            if (port < 0) port = 0;
            if (want[port]) return ck_fail(p, path, "output '%s' is given twice", m->out[port].name);
            want[port] = path;
        }
    }
    return 0;
}

static int write_outputs(const struct ck_program *p, const struct ck_npy *a, const char *const *want, const char *npz)
{
    const struct ck_model *m = p->model;
    const char *why = NULL, *path = npz;
    if (npz) {
        const char **name = malloc(m->nout * sizeof *name + 1);
        if (!name) return ck_fail_err(p, npz, CK_ENOMEM);
        for (uint32_t i = 0; i < m->nout; i++) name[i] = m->out[i].name;
        why = ck_npz_write(npz, m->nout, name, a);
        free(name);
    }
    for (uint32_t i = 0; i < m->nout && !why; i++)
        if (want[i]) why = ck_npy_write(path = want[i], &a[i]);
    return why ? ck_fail(p, path, "%s", why) : 0;
}

/* The vectors of one step of one sample to the stream: n values each. */
static int decrypt_step(FILE *to, const struct ck_program *p, const struct ck_context *ctx, const struct ck_secret *sk,
                        const struct ck_section *s, const struct ck_port *io)
{
    struct ck_ct *ct = calloc(io->count + 1, sizeof *ct);
    double *slots = malloc(io->n * sizeof *slots);
    enum ck_err err = ct && slots ? CK_OK : CK_ENOMEM;
    for (uint32_t c = 0; c < io->count && err == CK_OK; c++) err = ck_ct_init(&ct[c], ctx, io->level, 1);
    const char *why = err == CK_OK ? ck_ct_load(ct, ctx, s, io) : NULL;
    for (uint32_t c = 0; c < io->count && err == CK_OK && !why; c++) {
        err = ck_decrypt(slots, ctx, sk, &ct[c]);
        if (err == CK_OK) fwrite(slots, sizeof *slots, io->n, to);
    }
    for (uint32_t c = 0; ct && c < io->count; c++) ck_ct_clear(&ct[c]);
    free(ct);
    free(slots);
    if (why) return ck_fail(p, p->input[0], "%s", why);
    return err == CK_OK ? 0 : ck_fail_err(p, p->input[0], err);
}

/* A trace into one array, a step at a time. */
static int decrypt_trace(const struct ck_program *p, const struct ck_context *ctx, const struct ck_secret *sk, const struct ck_file *f,
                         uint32_t samples)
{
    const struct ck_model *m = p->model;
    struct ck_npy a = {.type = CK_NPY_F8, .rank = 3, .dim = {samples, 0, INT64_C(1) << m->params.log_slots}};
    struct ck_out_file o;
    char head[CK_NPY_HEADER_MAX];
    for (size_t k = 0; k < m->nsteps; k++) a.dim[1] += m->steps[k].count;
    const char *why = ck_out_open(&o, p->output[0], 0600);
    if (why) return ck_fail(p, p->output[0], "%s", why);
    int rc = 0;
    fwrite(head, 1, ck_npy_header(head, &a), o.f);
    for (uint32_t i = 0; i < f->nsections && !rc && !ferror(o.f); i++) {
        struct ck_port io = ck_trace_port(m, &m->steps[i % m->nsteps]);
        rc = decrypt_step(o.f, p, ctx, sk, &f->section[i], &io);
        ck_section_done(f, &f->section[i]);
    }
    why = ck_out_close(&o, !rc);
    return rc || !why ? rc : ck_fail(p, p->output[0], "%s", why);
}

static int decrypt_file(const struct ck_program *p, const struct ck_file *f, struct ck_npy *a, const char **want)
{
    const struct ck_model *m = p->model;
    const char *npz = NULL, *why;
    double start = ck_progress_now();
    uint32_t samples = 0, tag = f->nsections && f->section[0].tag == CK_TAG("TRCE") ? CK_TAG("TRCE") : CK_TAG("OUTP");
    if ((why = ck_ct_file_check(&samples, f, m, tag))) return ck_fail(p, p->input[0], "%s", why);
    if (tag == CK_TAG("TRCE") && (p->nout != 1 || ends_in(p->output[0], ".npz")))
        return ck_fail(p, "--output", "a trace becomes one .npy");
    int rc = tag == CK_TAG("TRCE") ? 0 : pick_outputs(p, want, &npz);
    if (rc) return rc;
    for (uint32_t i = 0; i < m->nout && p->flood; i++)
        if (tag == CK_TAG("TRCE") || !(m->out[i].error > 0))
            return ck_fail(p, "--flood", tag == CK_TAG("TRCE") ? "is for results, not for traces" : "this program does not say how large its errors are");
    struct ck_context *ctx = ck_program_context(p);
    if (!ctx) return 1;
    struct ck_secret *sk = NULL;
    struct ck_print keys;
    rc = load_secret(&sk, &keys, p, ctx);
    if (!rc && memcmp(&keys, &f->prints.keys, sizeof keys))
        rc = ck_fail(p, p->input[0], "is encrypted under another key set than %s", p->keys);
    if (!rc && tag == CK_TAG("TRCE")) rc = decrypt_trace(p, ctx, sk, f, samples);
    for (uint32_t i = 0; i < m->nout && !rc; i++)
        if (npz || want[i]) rc = decrypt_port(&a[i], p, ctx, sk, f, i, samples);
    ck_secret_free(sk);
    ck_context_free(ctx);
    if (!rc) rc = write_outputs(p, a, want, npz);
    if (!rc && p->mode != CK_PROGRESS_QUIET)
        printf("%u sample%s, %.3f s; peak memory %s\n", samples, samples == 1 ? "" : "s", ck_progress_now() - start, ck_bytes_text(ck_peak_bytes()));
    return rc;
}

static int decrypt(const struct ck_program *p)
{
    const struct ck_model *m = p->model;
    if (p->nin != 1) return ck_fail(p, "--input", "one file holds all results; give it once");
    struct ck_file f;
    const char *why = ck_file_open(&f, p->input[0], CK_KIND_CIPHERTEXT);
    if (why) return ck_fail(p, p->input[0], "%s", why);
    struct ck_npy *a = calloc(m->nout + 1, sizeof *a);
    const char **want = calloc(m->nout + 1, sizeof *want);
    int rc = a && want ? decrypt_file(p, &f, a, want) : ck_fail_err(p, NULL, CK_ENOMEM);
    for (uint32_t i = 0; a && i < m->nout; i++) ck_npy_clear(&a[i]);
    free(a);
    free(want);
    ck_file_close(&f);
    return rc;
}

int ck_client_main(const struct ck_model *m, int argc, char **argv)
{
    static const struct ck_command command[] = {
        {"keygen", CK_OPT_KEYS, CK_OPT_FORCE, help_keygen, keygen},
        {"encrypt", CK_OPT_KEYS | CK_OPT_INPUT | CK_OPT_OUTPUT, 0, help_encrypt, encrypt},
        {"decrypt", CK_OPT_KEYS | CK_OPT_INPUT | CK_OPT_OUTPUT, CK_OPT_FLOOD, help_decrypt, decrypt},
    };
    return ck_program_main("client", help, command, 3, m, argc, argv);
}
