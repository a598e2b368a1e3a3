// SPDX-License-Identifier: Apache-2.0
// tacet inspect: the plan of a generated folder as a table.
#include "cmd.h"
#include "diag.h"
#include "layers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void dims(char buf[64], const struct json *shape)
{
    size_t at = 0;
    buf[0] = 0;
    for (const struct json *d = shape ? shape->first : NULL; d && at < 50; d = d->next)
        at += (size_t)snprintf(buf + at, 64 - at, "%s%.0f", at ? "x" : "", d->number);
    if (!at) strcpy(buf, "-");
}

static void print_port(const char *kind, const struct json *p)
{
    char shape[64];
    dims(shape, json_get(p, "shape"));
    printf("%-7s %s %s: %.0f ciphertext%s, level %.0f, layout %s", kind, json_string(p, "name"), shape, json_number(p, "ciphertexts"),
           json_number(p, "ciphertexts") == 1 ? "" : "s", json_number(p, "level"), json_string(p, "layout"));
    if (*json_string(p, "client")) printf("; the client applies %s", json_string(p, "client"));
    printf("\n");
}

static void print_plan(const struct plan *pl)
{
    const struct json *plan = pl->json, *p = pl->parameters, *t = pl->totals;
    char keys[32], weights[32], peak[32], ct[32];
    printf("model   %s, planned by tacet %s\n", json_string(plan, "model"), json_string(plan, "tacet"));
    printf("ring    N = 2^%.0f, %.0f slots, %.0f + %.0f primes, digits of %.0f, log QP %.1f of at most %.0f bits for %.0f-bit security\n",
           json_number(p, "logn"), exp2(json_number(p, "log_slots")), json_number(p, "nq"), json_number(p, "np"),
           json_number(p, "alpha"), json_number(p, "log_qp"), json_number(p, "log_qp_limit"), json_number(p, "security"));
    if (json_number(p, "precision") > 0) printf("        predicted precision %.1f bits below the range\n", json_number(p, "precision"));
    if (pl->batch > 1) printf("batch   %lld samples in one run\n", (long long)pl->batch);
    const struct json *in = json_get(plan, "inputs"), *out = json_get(plan, "outputs");
    double in_bytes = 0;
    for (const struct json *i = in ? in->first : NULL; i; i = i->next) {
        print_port("input", i);
        // fresh ciphertexts carry one polynomial and a seed
        in_bytes += 8 * json_number(i, "ciphertexts") * (json_number(i, "level") + 1) * exp2(json_number(p, "logn"));
    }
    for (const struct json *o = out ? out->first : NULL; o; o = o->next) print_port("output", o);
    printf("\n");
    layers_print(pl, LAYERS_COST | LAYERS_LAYOUT);
    printf("\n");
    layers_print_parts(pl);
    printf("\nrotations %.0f, plaintext products %.0f, ciphertext products %.0f, additions %.0f; homomorphic operations %.0f; bootstraps %.0f\n",
           json_number(t, "rotations"), json_number(t, "plaintext_products"), json_number(t, "ciphertext_products"),
           json_number(t, "additions"), json_number(t, "operations"), json_number(t, "bootstraps"));
    if (json_number(t, "composed") > 0)
        printf("rotations without a key %.0f: composed of kept ones, which takes %.3f s of the time predicted\n", json_number(t, "composed"),
               json_number(t, "key_microseconds") / 1e6);
    printf("keys %.0f in %s, weights %s, an encrypted %s %s\n", json_number(t, "keys"), bytes_text(keys, json_number(t, "key_bytes")),
           bytes_text(weights, json_number(t, "weights_bytes")), pl->batch > 1 ? "batch" : "sample", bytes_text(ct, in_bytes));
    double seconds = json_number(t, "microseconds") / 1e6;
    bytes_text(peak, json_number(t, "peak_bytes"));
    const struct json *boot = json_get(pl->json, "bootstrap");
    if (boot) {
        char key_bytes[32], plain_bytes[32];
        printf("a bootstrap: %.3f s on one core, leaves %.0f levels, takes %.0f; its keys %s, plaintexts %s\n",
               json_number(boot, "microseconds") / 1e6, json_number(boot, "levels_left"), json_number(boot, "levels_used"),
               bytes_text(key_bytes, json_number(boot, "key_bytes")), bytes_text(plain_bytes, json_number(boot, "plain_bytes")));
    }
    if (pl->batch > 1)
        printf("predicted: %.3f s a batch on one core, %.4f s a sample, server memory %s\n", seconds, seconds / (double)pl->batch, peak);
    else printf("predicted: %.3f s a sample on one core, server memory %s\n", seconds, peak);
}

static void print_keys(const struct json *keys, const struct json *routes)
{
    printf("\nkeys (rotation:level, rotation 0 is relinearisation)\n");
    size_t n = 0;
    for (const struct json *k = keys ? keys->first : NULL; k; k = k->next)
        printf("%s%.0f:%.0f", n++ % 12 ? " " : n > 1 ? "\n  " : "  ", json_number(k, "rotation"), json_number(k, "level"));
    printf("\n");
    if (!routes || !routes->first) return;
    printf("\nrotations without a key (rotation:level = rotation before + step)\n");
    n = 0;
    for (const struct json *r = routes->first; r; r = r->next) {
        const double rotation = json_number(r, "rotation"), step = json_number(r, "step");
        printf("%s%.0f:%.0f=%.0f%+.0f", n++ % 8 ? " " : n > 1 ? "\n  " : "  ", rotation, json_number(r, "level"), rotation - step, step);
    }
    printf("\n");
}

static int print_raw(const char *path)
{
    void *text;
    size_t len;
    const char *why = ck_file_slurp(&text, &len, path);
    if (why) {
        diag_error(path, "%s", why);
        return -1;
    }
    fwrite(text, 1, len, stdout);
    free(text);
    return 0;
}

int cmd_inspect(int argc, char **argv)
{
    bool keys = false, raw = false;
    const struct arg_spec specs[] = {
        {"--keys", 0, NULL, "list every evaluation key", .flag = &keys},
        {"--json", 0, NULL, "print plan.json itself", .flag = &raw},
        {.name = NULL},
    };
    const struct arg_command cmd = {"inspect", "DIR [options]",
        "Prints what was planned: parameters, one line per layer, keys, predicted time and memory.",
        "Columns: ciphertexts of the result, level in and out, rotations, products by plaintexts and between ciphertexts, bootstraps, time.",
        1, 1, specs};
    struct arg_list dir;
    enum args_result r = args_parse(&cmd, argc, argv, &dir);
    if (r != ARGS_OK) return r == ARGS_ERROR;
    struct arena *a = arena_new();
    struct plan plan;
    int bad = plan_read(&plan, a, dir.v[0]);
    if (!bad && raw) bad = print_raw(arena_printf(a, "%s/plan.json", dir.v[0]));
    if (!bad && !raw) print_plan(&plan);
    if (!bad && !raw && keys) print_keys(json_get(plan.json, "keys"), json_get(plan.json, "routes"));
    arena_free(a);
    return bad != 0;
}
