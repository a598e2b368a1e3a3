// SPDX-License-Identifier: Apache-2.0
// The JSON reader: values, escapes, every truncation, nesting.
#include "../../compiler/json.h"
#include "../test.h"

#include <string.h>

static const char text[] = "{ \"a\": [1, -2.5e3, true, false, null, \"x\\n\\u00e9\\\"\"],\n \"b\": {\"c\": {}}, \"d\": [] }\n";

int main(void)
{
    struct arena *a = arena_new();
    int line = 0;
    const struct json *v = json_parse(a, text, strlen(text), &line);
    CHECK(v && v->kind == JSON_OBJECT);
    const struct json *e = json_get(v, "a");
    CHECK(e && e->kind == JSON_ARRAY);
    e = e->first;
    CHECK(e->number == 1 && (e = e->next)->number == -2500 && (e = e->next)->number == 1 && e->kind == JSON_BOOL);
    CHECK((e = e->next)->number == 0 && (e = e->next)->kind == JSON_NULL && !strcmp((e = e->next)->string, "x\n\xc3\xa9\"") && !e->next);
    CHECK(json_get(json_get(v, "b"), "c")->kind == JSON_OBJECT && json_get(v, "d")->kind == JSON_ARRAY);
    CHECK(!json_get(v, "e") && json_number(v, "e") == 0 && !strcmp(json_string(v, "e"), ""));
    for (size_t n = 0; n + 2 < strlen(text); n++) CHECKF(!json_parse(a, text, n, &line), "%zu bytes were accepted", n);
    static const char *const bad[] = {"", "{", "[1,]", "{\"a\"}", "tru", "1 2", "\"\\x\"", "\"\\u12\"", "[1 2]", "--1", "{1:2}"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) CHECKF(!json_parse(a, bad[k], strlen(bad[k]), &line), "%s", bad[k]);
    char deep[401];
    memset(deep, '[', 200);
    memset(deep + 200, ']', 200);
    CHECK(!json_parse(a, deep, 400, &line));
    CHECK(json_parse(a, deep + 180, 40, &line) != NULL);
    CHECK(!json_parse(a, "{\n\n  \"a\": ?}", 12, &line) && line == 3);
    arena_free(a);
    return test_done();
}
