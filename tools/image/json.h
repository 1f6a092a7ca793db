/* JSON as RFC 8259 has it, read into a tree. The tool fails with file, line and column at the first
 * thing that is not JSON, at a name that is twice in an object, and below JSON_DEPTH_MAX levels. */
#pragma once

#include "tools/image/base.h"

#define JSON_DEPTH_MAX 64

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    uint32_t line, column;
    const char *name;  /* in an object */
    const char *text;  /* string: UTF-8, without a NUL inside; number: as written */
    bool truth;
    struct json *first; /* array, object: in the order of the file */
    struct json *next;
};

struct json *json_read(const char *path);
/* The member of an object, or NULL. */
struct json *json_member(const struct json *object, const char *name);
/* Fails the tool, pointing at the place. */
_Noreturn void json_fail(const char *path, const struct json *at, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
/* The text as a JSON string, with its quotes. */
char *json_quote(const char *text);
