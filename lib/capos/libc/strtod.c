/*
 * strtod.c: the functions of stdlib.h that read floating point from a string. Out of range is an
 * infinity, or zero or a number below the normal range; there is no error number that would say so.
 */
#include "lib/capos/libc/float_parse.h"
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

static int fetch(struct source *source)
{
    const unsigned char *at = source->from;
    if (*at == 0) {
        return SOURCE_END;
    }
    source->from = (void *)(uintptr_t)(at + 1);
    return *at;
}

void source_from_text(struct source *source, const char *text)
{
    *source = (struct source){.fetch = fetch, .from = (void *)(uintptr_t)text, .left = SIZE_MAX};
}

static long double parse(const char *text, char **end, enum float_format format)
{
    struct source source;
    size_t valid;
    const char *start = text;
    while (isspace((unsigned char)*start)) {
        start++;
    }
    source_from_text(&source, start);
    long double value = float_parse(&source, format, &valid);
    if (end != NULL) {
        *end = (char *)(uintptr_t)(valid != 0 ? start + valid : text);
    }
    return value;
}

float strtof(const char *restrict text, char **restrict end)
{
    return (float)parse(text, end, FLOAT_SINGLE);
}

double strtod(const char *restrict text, char **restrict end)
{
    return (double)parse(text, end, FLOAT_DOUBLE);
}

long double strtold(const char *restrict text, char **restrict end)
{
    return parse(text, end, FLOAT_EXTENDED);
}

double atof(const char *text)
{
    return (double)parse(text, NULL, FLOAT_DOUBLE);
}
