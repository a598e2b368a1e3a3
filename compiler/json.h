// SPDX-License-Identifier: Apache-2.0
// JSON values as a tree (plan.json), and what writers of JSON need.
#ifndef TACET_JSON_H
#define TACET_JSON_H

#include "arena.h"
#include <stddef.h>
#include <stdio.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json {
    enum json_kind kind;
    const char *key;                    // member of an object, else NULL
    double number;                      // also 0 or 1 of a boolean
    const char *string;
    struct json *first, *next;          // elements or members; sibling
};

/* The whole text is one value. NULL, and *line set, when it is not JSON. Nesting is limited to 64. */
struct json *json_parse(struct arena *, const char *text, size_t len, int *line);

/* Lookups that forgive absence: NULL, 0 or "". */
const struct json *json_get(const struct json *, const char *key);
double json_number(const struct json *, const char *key);
const char *json_string(const struct json *, const char *key);

void json_write_string(FILE *, const char *);   // quoted and escaped
void json_write_number(FILE *, double);         // null where it is not finite
#endif
