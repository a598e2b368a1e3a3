// SPDX-License-Identifier: Apache-2.0
// The parser of --activation.
#include "actspec.h"

#include "../compiler/diag.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool actspec_homogeneous(const char *fn)
{
    return strcmp(fn, "relu") == 0 || strcmp(fn, "leakyrelu") == 0 || strcmp(fn, "abs") == 0;
}

bool actspec_equal(const struct actspec *a, const struct actspec *b)
{
    return a->kind == b->kind && a->count == b->count && memcmp(a->degree, b->degree, (size_t)a->count * sizeof *a->degree) == 0;
}

static int bad(const char *text, size_t len, const char *why)
{
    diag_error("--activation", "\"%.*s\": %s (write Relu=cheb:63, Relu=minimax:15,15,27, node=auto, auto:1, ...)", (int)len, text, why);
    return -1;
}

/* "cheb:63", "minimax:15,15,27", "auto", "auto:1" */
static int parse_value(struct actspec *out, const char *text, size_t len)
{
    *out = (struct actspec){.kind = ACTSPEC_AUTO};
    if (len == 4 && strncmp(text, "auto", 4) == 0) return 0;
    const char *colon = memchr(text, ':', len);
    if (!colon) return bad(text, len, "no degree");
    if (colon - text == 4 && strncmp(text, "auto", 4) == 0) {
        char *stop;
        out->points = strtod(colon + 1, &stop);
        return stop == text + len && stop > colon + 1 && out->points >= 0 && out->points <= 100 ? 0 : bad(text, len, "points are percent of top-1, 0..100");
    }
    if (colon - text == 4 && strncmp(text, "cheb", 4) == 0) out->kind = ACTSPEC_CHEB;
    else if (colon - text == 7 && strncmp(text, "minimax", 7) == 0) out->kind = ACTSPEC_MINIMAX;
    else return bad(text, len, "unknown method");
    for (const char *p = colon + 1, *end = text + len; p < end;) {
        char *stop;
        long d = strtol(p, &stop, 10);
        if (stop == p || (stop < end && *stop != ',')) return bad(text, len, "a degree is not a number");
        if (d < 1 || d > ACT_DEGREE_MAX) return bad(text, len, "a degree is outside 1..1023");
        if (out->kind == ACTSPEC_MINIMAX && (d % 2 == 0 || d > 63)) return bad(text, len, "minimax degrees are odd, up to 63");
        if (out->count == ACTSPEC_MAX) return bad(text, len, "more than 8 degrees");
        out->degree[out->count++] = (int)d;
        p = stop + 1;
    }
    if (out->count == 0 || (out->kind == ACTSPEC_CHEB && out->count != 1)) return bad(text, len, "cheb takes one degree");
    return 0;
}

int actspec_find(struct actspec *out, const char *option, const char *node, const char *fn)
{
    *out = (struct actspec){.kind = ACTSPEC_AUTO};
    enum { NONE, ANY, FUNCTION, NODE } found = NONE;            // what names the node best wins
    for (const char *p = option; p && *p;) {
        bool any = !strncmp(p, "cheb:", 5) || !strncmp(p, "minimax:", 8) || (!strncmp(p, "auto", 4) && strchr(":,", p[4]));
        const char *equal = any ? p - 1 : strchr(p, '='), *next;
        if (!equal) return bad(p, strlen(p), "no '='");
        // The value ends before the comma that starts the next "key=".
        const char *end = p + strlen(p);
        if ((next = strchr(equal + 1, '='))) {
            end = next;
            while (end > equal && *end != ',') end--;
            if (end == equal) return bad(p, strlen(p), "two '=' in one entry");
        }
        struct actspec spec;
        if (parse_value(&spec, equal + 1, (size_t)(end - equal - 1)) != 0) return -1;
        size_t key = any ? 0 : (size_t)(equal - p);
        int match = any ? ANY : node && strlen(node) == key && !strncmp(node, p, key) ? NODE
                    : strlen(fn) == key && !strncasecmp(fn, p, key) ? FUNCTION : NONE;
        if (match && match >= (int)found) {
            *out = spec;
            found = match;
        }
        p = *end ? end + 1 : end;
    }
    return 0;
}
