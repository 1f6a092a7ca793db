/* See json.h. */
#include "tools/image/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct parser {
    const char *path;
    const uint8_t *at, *end;
    const uint8_t *line_start;
    uint32_t line, depth;
};

static _Noreturn void parse_fail(const struct parser *p, const char *text)
{
    fail(TOOL_USAGE, "%s:%u:%u: %s", p->path, p->line, (uint32_t)(p->at - p->line_start) + 1, text);
}

void json_fail(const char *path, const struct json *at, const char *text, ...)
{
    va_list arguments;
    char message[400];
    va_start(arguments, text);
    vsnprintf(message, sizeof(message), text, arguments);
    va_end(arguments);
    fail(TOOL_USAGE, "%s:%u:%u: %s", path, at->line, at->column, message);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end &&
           (*p->at == ' ' || *p->at == '\t' || *p->at == '\r' || *p->at == '\n')) {
        if (*p->at++ == '\n') {
            p->line++;
            p->line_start = p->at;
        }
    }
}

static bool take(struct parser *p, char c)
{
    if (p->at < p->end && *p->at == (uint8_t)c) {
        p->at++;
        return true;
    }
    return false;
}

static bool take_word(struct parser *p, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(p->end - p->at) < length || memcmp(p->at, word, length) != 0) {
        return false;
    }
    p->at += length;
    return true;
}

static uint32_t take_hex(struct parser *p)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        uint8_t c = p->at < p->end ? *p->at : 0;
        const char *digit = c != 0 ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (digit == NULL) {
            parse_fail(p, "four hexadecimal digits must follow \\u");
        }
        value = value * 16 + (uint32_t)(digit - digits);
        p->at++;
    }
    return value;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* After the backslash. */
static char *take_escape(struct parser *p, char *to)
{
    static const char from[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (take(p, 'u')) {
        uint32_t c = take_hex(p);
        if (c >= 0xd800 && c < 0xdc00 && take_word(p, "\\u")) {
            uint32_t low = take_hex(p);
            if (low < 0xdc00 || low > 0xdfff) {
                parse_fail(p, "half of a surrogate pair");
            }
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        if (c == 0 || (c >= 0xd800 && c < 0xe000)) {
            parse_fail(p, c == 0 ? "a NUL in a string" : "half of a surrogate pair");
        }
        return put_utf8(to, c);
    }
    const char *escape = p->at < p->end && *p->at != 0 ? strchr(from, *p->at) : NULL;
    if (escape == NULL) {
        parse_fail(p, "an unknown escape");
    }
    p->at++;
    *to++ = meaning[escape - from];
    return to;
}

static const char *take_string(struct parser *p)
{
    if (!take(p, '"')) {
        parse_fail(p, "a string must begin here");
    }
    size_t room = 1;
    for (const uint8_t *c = p->at; c < p->end && *c != '"'; c++) {
        room += *c == '\\' ? 3 : 1; /* an escape is never shorter than what it means */
        c += *c == '\\' && c + 1 < p->end;
    }
    char *text = allocate(room), *to = text;
    while (!take(p, '"')) {
        if (p->at == p->end) {
            parse_fail(p, "the string does not end");
        }
        if (*p->at < 0x20) {
            parse_fail(p, "a control character in a string; write it as an escape");
        }
        if (take(p, '\\')) {
            to = take_escape(p, to);
        } else {
            *to++ = (char)*p->at++;
        }
    }
    return text;
}

static void take_digits(struct parser *p)
{
    const uint8_t *start = p->at;
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9') {
        p->at++;
    }
    if (p->at == start) {
        parse_fail(p, "a digit must be here");
    }
}

static const char *take_number(struct parser *p)
{
    const uint8_t *start = p->at;
    take(p, '-');
    if (!take(p, '0')) {
        take_digits(p);
    }
    if (take(p, '.')) {
        take_digits(p);
    }
    if (take(p, 'e') || take(p, 'E')) {
        if (!take(p, '+')) {
            take(p, '-');
        }
        take_digits(p);
    }
    return format("%.*s", (int)(p->at - start), (const char *)start);
}

static struct json *take_value(struct parser *p);

/* Members or elements up to the closing bracket. */
static void take_children(struct parser *p, struct json *parent, char close)
{
    struct json **tail = &parent->first;
    skip_space(p);
    if (take(p, close)) {
        return;
    }
    for (;;) {
        const char *name = NULL;
        skip_space(p);
        if (parent->kind == JSON_OBJECT) {
            struct parser name_place = *p;
            name = take_string(p);
            if (json_member(parent, name) != NULL) {
                parse_fail(&name_place, format("\"%s\" is there twice", name));
            }
            skip_space(p);
            if (!take(p, ':')) {
                parse_fail(p, "a colon must be here");
            }
        }
        struct json *child = take_value(p);
        child->name = name;
        *tail = child;
        tail = &child->next;
        skip_space(p);
        if (take(p, close)) {
            return;
        }
        if (!take(p, ',')) {
            parse_fail(p, close == '}' ? "a comma or } must be here" : "a comma or ] must be here");
        }
    }
}

static struct json *take_value(struct parser *p)
{
    skip_space(p);
    struct json *value = allocate(sizeof(*value));
    value->line = p->line;
    value->column = (uint32_t)(p->at - p->line_start) + 1;
    if (p->depth == JSON_DEPTH_MAX) {
        parse_fail(p, "nested too deeply");
    }
    p->depth++;
    uint8_t c = p->at < p->end ? *p->at : 0;
    if (take(p, '{')) {
        value->kind = JSON_OBJECT;
        take_children(p, value, '}');
    } else if (take(p, '[')) {
        value->kind = JSON_ARRAY;
        take_children(p, value, ']');
    } else if (c == '"') {
        value->kind = JSON_STRING;
        value->text = take_string(p);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        value->kind = JSON_NUMBER;
        value->text = take_number(p);
    } else if (take_word(p, "true")) {
        value->kind = JSON_BOOL;
        value->truth = true;
    } else if (take_word(p, "false")) {
        value->kind = JSON_BOOL;
    } else if (!take_word(p, "null")) {
        parse_fail(p, "a value must be here");
    }
    p->depth--;
    return value;
}

struct json *json_read(const char *path)
{
    struct bytes file;
    if (!file_read(path, &file)) {
        fail(TOOL_USAGE, "%s: %s", path, strerror(errno));
    }
    struct parser p = {.path = path,
                       .at = file.data,
                       .end = file.data + file.size,
                       .line_start = file.data,
                       .line = 1};
    struct json *root = take_value(&p);
    skip_space(&p);
    if (p.at != p.end) {
        parse_fail(&p, "there is more after the value");
    }
    return root;
}

struct json *json_member(const struct json *object, const char *name)
{
    for (struct json *m = object->first; m != NULL; m = m->next) {
        if (m->name != NULL && strcmp(m->name, name) == 0) {
            return m;
        }
    }
    return NULL;
}

char *json_quote(const char *text)
{
    char *out = allocate(strlen(text) * 6 + 3), *to = out;
    *to++ = '"';
    for (const char *c = text; *c != 0; c++) {
        if (*c == '"' || *c == '\\') {
            *to++ = '\\';
            *to++ = *c;
        } else if ((uint8_t)*c < 0x20 || *c == 0x7f) {
            to += snprintf(to, 7, "\\u%04x", (uint8_t)*c);
        } else {
            *to++ = *c;
        }
    }
    *to++ = '"';
    return out;
}
