// SPDX-License-Identifier: Apache-2.0
// A recursive-descent JSON reader, and the escapes of strings.
#include "json.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct arena *arena;
    const char *at, *end;
    int depth;
};

static void space(struct reader *r)
{
    while (r->at < r->end && strchr(" \t\r\n", *r->at)) r->at++;
}

static bool eat(struct reader *r, char c)
{
    space(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool word(struct reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, w, n)) return false;
    r->at += n;
    return true;
}

/* \uXXXX as UTF-8; surrogates are not joined, the writer does not make them. */
static char *unicode(struct reader *r, char *out)
{
    unsigned code = 0;
    if (r->end - r->at < 4) return NULL;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        const char *hex = "0123456789abcdef", *p = c ? strchr(hex, c | 0x20) : NULL;
        if (!p) return NULL;
        code = code * 16 + (unsigned)(p - hex);
    }
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

static const char *string(struct reader *r)
{
    static const char plain[] = "\"\\/bfnrt", coded[] = "\"\\/\b\f\n\r\t";
    const char *close = r->at;
    while (close < r->end && *close != '"') close += *close == '\\' && close + 1 < r->end ? 2 : 1;
    if (close >= r->end) return NULL;
    char *text = arena_alloc(r->arena, (size_t)(close - r->at) + 1), *out = text;
    while (r->at < close) {
        char c = *r->at++;
        if (c != '\\') {
            *out++ = c;
            continue;
        }
        c = *r->at++;
        const char *p = c ? strchr(plain, c) : NULL;
        if (p)
            *out++ = coded[p - plain];
        else if (c != 'u' || !(out = unicode(r, out)))
            return NULL;
    }
    r->at = close + 1;
    *out = 0;
    return text;
}

static struct json *value(struct reader *r);

static bool members(struct reader *r, struct json *v, char close)
{
    struct json **last = &v->first;
    if (eat(r, close)) return true;
    do {
        const char *key = NULL;
        if (close == '}' && (!eat(r, '"') || !(key = string(r)) || !eat(r, ':'))) return false;
        if (!(*last = value(r))) return false;
        (*last)->key = key;
        last = &(*last)->next;
    } while (eat(r, ','));
    return eat(r, close);
}

static bool number(struct reader *r, struct json *v)
{
    char text[64];
    size_t n = 0;
    while (r->at + n < r->end && n < sizeof text - 1 && r->at[n] && strchr("+-.0123456789eE", r->at[n])) text[n] = r->at[n], n++;
    text[n] = 0;
    char *end;
    v->number = strtod(text, &end);
    r->at += n;
    return n && !*end;
}

static struct json *value(struct reader *r)
{
    struct json *v = ARENA_NEW(r->arena, struct json);
    bool good = false;
    if (++r->depth > 64) return NULL;
    space(r);
    if (eat(r, '{')) {
        v->kind = JSON_OBJECT;
        good = members(r, v, '}');
    } else if (eat(r, '[')) {
        v->kind = JSON_ARRAY;
        good = members(r, v, ']');
    } else if (eat(r, '"')) {
        v->kind = JSON_STRING;
        good = (v->string = string(r)) != NULL;
    } else if (word(r, "null")) {
        good = true;
    } else if (word(r, "true") || word(r, "false")) {
        v->kind = JSON_BOOL;
        v->number = r->at[-2] == 'u';
        good = true;
    } else {
        v->kind = JSON_NUMBER;
        good = number(r, v);
    }
    r->depth--;
    return good ? v : NULL;
}

struct json *json_parse(struct arena *a, const char *text, size_t len, int *line)
{
    struct reader r = {a, text, text + len, 0};
    struct json *v = value(&r);
    if (v) space(&r);
    if (v && r.at == r.end) return v;
    *line = 1;
    for (const char *p = text; p < r.at && p < r.end; p++) *line += *p == '\n';
    return NULL;
}

const struct json *json_get(const struct json *v, const char *key)
{
    for (const struct json *m = v ? v->first : NULL; m; m = m->next)
        if (m->key && !strcmp(m->key, key)) return m;
    return NULL;
}

double json_number(const struct json *v, const char *key)
{
    const struct json *m = json_get(v, key);
    return m ? m->number : 0;
}

const char *json_string(const struct json *v, const char *key)
{
    const struct json *m = json_get(v, key);
    return m && m->string ? m->string : "";
}

void json_write_string(FILE *f, const char *s)
{
    fputc('"', f);
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            fprintf(f, "\\%c", *s);
        else if ((unsigned char)*s < ' ' || *s == 127)
            fprintf(f, "\\u%04x", *s);
        else
            fputc(*s, f);
    fputc('"', f);
}

void json_write_number(FILE *f, double v)
{
    if (isfinite(v)) fprintf(f, "%.6g", v);
    else fprintf(f, "null");
}
