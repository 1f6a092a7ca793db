/* See text.h. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/text.h"

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("schemac: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size);
    if (memory == NULL) {
        die("out of memory");
    }
    return memory;
}

const char *format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *string = allocate((size_t)length + 1, 1);
    va_start(arguments, format);
    vsnprintf(string, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return string;
}

const char *text_of(struct wire_span span)
{
    char *string = allocate(span.size + 1, 1);
    if (span.size != 0) {
        memcpy(string, span.data, span.size);
    }
    return string;
}

/* A capital begins a new word after a small letter or digit, and also before a small letter: StdIO
 * is std_io, HTTPServer http_server. */
static bool begins_word(const char *name, size_t i)
{
    unsigned char before = (unsigned char)name[i - 1];
    unsigned char after = (unsigned char)name[i + 1];
    return isupper((unsigned char)name[i]) && (!isupper(before) || islower(after));
}

const char *snake_case(const char *name)
{
    char *string = allocate(2 * strlen(name) + 1, 1);
    char *to = string;
    for (size_t i = 0; name[i] != 0; i++) {
        if (i > 0 && begins_word(name, i) && to[-1] != '_') {
            *to++ = '_';
        }
        *to++ = (char)tolower((unsigned char)name[i]);
    }
    return string;
}

const char *upper_case(const char *name)
{
    char *string = allocate(strlen(name) + 1, 1);
    for (size_t i = 0; name[i] != 0; i++) {
        string[i] = (char)toupper((unsigned char)name[i]);
    }
    return string;
}

const char *escaped(struct wire_span span)
{
    const unsigned char *bytes = span.data;
    char *string = allocate(4 * span.size + 1, 1);
    char *to = string;
    for (size_t i = 0; i < span.size; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\' || bytes[i] == '?') {
            *to++ = '\\';
            *to++ = (char)bytes[i];
        } else if (bytes[i] >= ' ' && bytes[i] < 127) {
            *to++ = (char)bytes[i];
        } else {
            to += snprintf(to, 5, "\\%03o", bytes[i]);
        }
    }
    return string;
}
