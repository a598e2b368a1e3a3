// SPDX-License-Identifier: Apache-2.0
// Options: every kind, both spellings, every mistake.
#include "../../compiler/args.h"
#include "../../compiler/diag.h"
#include "../test.h"

#include <string.h>

struct values {
    bool flag;
    const char *string, *word;
    int count;
    int64_t bytes;
    double range[2];
    struct arg_list list;
};

static enum args_result parse(struct values *v, struct arg_list *positional, const char *text)
{
    static const char *const words[] = {"red", "blue", NULL};
    const struct arg_spec specs[] = {
        {"--flag", 'f', NULL, "a flag", .flag = &v->flag},
        {"--string", 's', "S", "a string", .string = &v->string},
        {"--word", 0, "W", "a word", .string = &v->word, .words = words},
        {"--count", 'c', "N", "a number", .count = &v->count},
        {"--bytes", 0, "SIZE", "a size", .bytes = &v->bytes},
        {"--range", 0, "LO,HI", "a range", .range = v->range},
        {"--list", 0, "X", "a list", .list = &v->list},
        {.name = NULL},
    };
    const struct arg_command cmd = {"test", "A [B]", "For a test.", NULL, 1, 2, specs};
    static char buf[1024];
    char *argv[64] = {(char *)"test"};
    int argc = 1;
    *v = (struct values){0};
    diag_reset();
    snprintf(buf, sizeof buf, "%s", text);
    for (char *w = strtok(buf, " "); w; w = strtok(NULL, " ")) argv[argc++] = w;
    return args_parse(&cmd, argc, argv, positional);
}

static void good(void)
{
    struct values v;
    struct arg_list p;
    CHECK(parse(&v, &p, "a --flag -s x --word=blue -c7 --bytes 1.5GiB --range -1,2.5 --list 1 --list=2 b") == ARGS_OK);
    CHECK(v.flag && !strcmp(v.string, "x") && !strcmp(v.word, "blue") && v.count == 7 && v.bytes == 1610612736);
    CHECK(v.range[0] == -1 && v.range[1] == 2.5);
    CHECK(v.list.n == 2 && !strcmp(v.list.v[0], "1") && !strcmp(v.list.v[1], "2"));
    CHECK(p.n == 2 && !strcmp(p.v[0], "a") && !strcmp(p.v[1], "b"));
    CHECK(parse(&v, &p, "-- --flag") == ARGS_OK && p.n == 1 && !strcmp(p.v[0], "--flag") && !v.flag);
    CHECK(parse(&v, &p, "-") == ARGS_OK && p.n == 1);
}

static void bad(void)
{
    static const char *const texts[] = {
        "",           "a b c",          "a --nothing", "a -x",          "a --flag=1",      "a --string",  "a --word green",
        "a --count x", "a --count -1",  "a --count 1e3", "a --count 99999999999", "a --bytes 4XB", "a --bytes -1", "a --bytes 1e40",
        "a --bytes x", "a --range 1",   "a --range 2,1", "a --range 1,1", "a --range nan,2", "a --range 1,2,3"};
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        struct values v;
        struct arg_list p;
        CHECKF(parse(&v, &p, texts[k]) == ARGS_ERROR, "\"%s\" was accepted", texts[k]);
        CHECKF(diag_error_count() == 1, "\"%s\" gave %d messages", texts[k], diag_error_count());
    }
}

int main(void)
{
    diag_set_quiet(2);
    good();
    bad();
    return test_done();
}
