/*
 * format.c: parsing of printf's formats, and the conversions of integers, characters and strings.
 * %lc and %ls write UTF-8.
 */
#include "lib/capos/libc/format.h"
#include <ctype.h>
#include <limits.h>
#include <string.h>

/* 64 bits in octal, and one zero before them for the `#` flag. */
#define INTEGER_DIGITS 24

void sink_fill(struct sink *sink, char byte, long count)
{
    char chunk[64];
    if (count <= 0) {
        return;
    }
    memset(chunk, byte, count < (long)sizeof chunk ? (size_t)count : sizeof chunk);
    for (; count > 0; count -= (long)sizeof chunk) {
        sink_write(sink, chunk, count < (long)sizeof chunk ? (size_t)count : sizeof chunk);
    }
}

long format_open(struct sink *sink, const struct conversion *c, const char *prefix, long length,
                 bool zeros)
{
    long prefix_length = (long)strlen(prefix);
    long padding = c->width - prefix_length - length;
    if (!c->left && !zeros) {
        sink_fill(sink, ' ', padding);
    }
    sink_write(sink, prefix, (size_t)prefix_length);
    if (!c->left && zeros) {
        sink_fill(sink, '0', padding);
    }
    return c->left ? padding : 0;
}

static void format_bytes(struct sink *sink, const struct conversion *c, const char *text,
                         size_t size_bytes)
{
    long after = format_open(sink, c, "", (long)size_bytes, false);
    sink_write(sink, text, size_bytes);
    sink_fill(sink, ' ', after);
}

/* The digits of `value` before `end`; returns the first. */
static char *write_digits(char *end, uint64_t value, char letter)
{
    const char *symbols = letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    switch (letter) {
    case 'o':
        for (; value != 0; value >>= 3) {
            *--end = symbols[value & 7];
        }
        break;
    case 'x':
    case 'X':
        for (; value != 0; value >>= 4) {
            *--end = symbols[value & 15];
        }
        break;
    default:
        for (; value != 0; value /= 10) {
            *--end = symbols[value % 10];
        }
        break;
    }
    return end;
}

static void format_integer(struct sink *sink, const struct conversion *c, const char *prefix,
                           uint64_t value)
{
    char buffer[INTEGER_DIGITS];
    char *end = buffer + INTEGER_DIGITS;
    char *start = write_digits(end, value, c->letter);
    long digits = end - start;
    long least = c->precision < 0 ? 1 : c->precision;
    if (c->letter == 'o' && c->alternative && least <= digits) {
        least = digits + 1;
    }
    if (value == 0 && c->letter != 'p') {
        prefix = prefix[0] == '0' ? "" : prefix;
    }
    long zeros = least > digits ? least - digits : 0;
    long after = format_open(sink, c, prefix, digits + zeros, c->zero && c->precision < 0);
    sink_fill(sink, '0', zeros);
    sink_write(sink, start, (size_t)digits);
    sink_fill(sink, ' ', after);
}

/* One character in UTF-8; returns its bytes, at most 4. What is no character becomes U+FFFD. */
static size_t encode(char *to, uint32_t character)
{
    if (character < 0x80) {
        to[0] = (char)character;
        return 1;
    }
    if (character > 0x10ffff || (character >= 0xd800 && character < 0xe000)) {
        character = 0xfffd;
    }
    size_t extra = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[extra] | character >> 6 * extra);
    for (size_t i = 1; i <= extra; i++) {
        to[i] = (char)(0x80 | (character >> 6 * (extra - i) & 0x3f));
    }
    return extra + 1;
}

static void format_wide(struct sink *sink, const struct conversion *c, const wchar_t *text)
{
    char bytes[4];
    size_t limit = c->precision < 0 ? SIZE_MAX : (size_t)c->precision;
    size_t total = 0;
    size_t count = 0;
    for (; total < limit && text[count] != 0; count++) {
        size_t size_bytes = encode(bytes, (uint32_t)text[count]);
        if (size_bytes > limit - total) {
            break;
        }
        total += size_bytes;
    }
    long after = format_open(sink, c, "", (long)total, false);
    for (size_t i = 0; i < count; i++) {
        sink_write(sink, bytes, encode(bytes, (uint32_t)text[i]));
    }
    sink_fill(sink, ' ', after);
}

static void format_text(struct sink *sink, const struct conversion *c, const char *text)
{
    if (text == NULL) {
        text = "(null)";
    }
    if (c->precision < 0) {
        format_bytes(sink, c, text, strlen(text));
        return;
    }
    const char *end = memchr(text, 0, (size_t)c->precision);
    format_bytes(sink, c, text, end != NULL ? (size_t)(end - text) : (size_t)c->precision);
}

/* The arguments, in a struct because an array type cannot be handed on by reference. */
struct arguments {
    va_list list;
};

static int64_t next_signed(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_HH:
        return (signed char)va_arg(arguments->list, int);
    case LENGTH_H:
        return (short)va_arg(arguments->list, int);
    case LENGTH_NONE:
        return va_arg(arguments->list, int);
    default:
        return va_arg(arguments->list, long);
    }
}

static uint64_t next_unsigned(struct arguments *arguments, enum length length)
{
    switch (length) {
    case LENGTH_HH:
        return (unsigned char)va_arg(arguments->list, int);
    case LENGTH_H:
        return (unsigned short)va_arg(arguments->list, int);
    case LENGTH_NONE:
        return va_arg(arguments->list, unsigned);
    default:
        return va_arg(arguments->list, unsigned long);
    }
}

static void store_count(struct arguments *arguments, enum length length, size_t count)
{
    switch (length) {
    case LENGTH_HH:
        *va_arg(arguments->list, signed char *) = (signed char)count;
        break;
    case LENGTH_H:
        *va_arg(arguments->list, short *) = (short)count;
        break;
    case LENGTH_NONE:
        *va_arg(arguments->list, int *) = (int)count;
        break;
    default:
        *va_arg(arguments->list, long *) = (long)count;
        break;
    }
}

static void format_signed(struct sink *sink, const struct conversion *c, int64_t value)
{
    const char *sign = value < 0 ? "-" : c->plus ? "+" : c->space ? " " : "";
    format_integer(sink, c, sign, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void format_character(struct sink *sink, const struct conversion *c,
                             struct arguments *arguments)
{
    char bytes[4];
    if (c->length == LENGTH_L) {
        format_bytes(sink, c, bytes, encode(bytes, va_arg(arguments->list, unsigned)));
    } else {
        bytes[0] = (char)va_arg(arguments->list, int);
        format_bytes(sink, c, bytes, 1);
    }
}

/* False for a letter that is no conversion. */
static bool convert(struct sink *sink, const struct conversion *c, struct arguments *arguments)
{
    switch (c->letter) {
    case 'd':
    case 'i':
        format_signed(sink, c, next_signed(arguments, c->length));
        return true;
    case 'o':
    case 'u':
        format_integer(sink, c, "", next_unsigned(arguments, c->length));
        return true;
    case 'x':
    case 'X':
        format_integer(sink, c,
                       !c->alternative    ? ""
                       : c->letter == 'x' ? "0x"
                                          : "0X",
                       next_unsigned(arguments, c->length));
        return true;
    case 'p': {
        struct conversion as_hexadecimal = *c;
        as_hexadecimal.letter = 'x';
        uint64_t address = (uintptr_t)va_arg(arguments->list, void *);
        if (address == 0) {
            format_bytes(sink, c, "(nil)", 5);
        } else {
            format_integer(sink, &as_hexadecimal, "0x", address);
        }
        return true;
    }
    case 'c':
        format_character(sink, c, arguments);
        return true;
    case 's':
        if (c->length == LENGTH_L) {
            format_wide(sink, c, va_arg(arguments->list, const wchar_t *));
        } else {
            format_text(sink, c, va_arg(arguments->list, const char *));
        }
        return true;
    case 'a':
    case 'A':
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
        format_float(sink, c,
                     c->length == LENGTH_LONG ? va_arg(arguments->list, long double)
                                              : (long double)va_arg(arguments->list, double));
        return true;
    case 'n':
        store_count(arguments, c->length, sink->total);
        return true;
    case '%':
        sink_write(sink, "%", 1);
        return true;
    default:
        return false;
    }
}

static const char *parse_flags(const char *at, struct conversion *c)
{
    for (;; at++) {
        switch (*at) {
        case '-':
            c->left = true;
            break;
        case '+':
            c->plus = true;
            break;
        case ' ':
            c->space = true;
            break;
        case '#':
            c->alternative = true;
            break;
        case '0':
            c->zero = true;
            break;
        default:
            return at;
        }
    }
}

/* A number or `*`; -1 where it is too large. */
static const char *parse_number(const char *at, int *number, struct arguments *arguments)
{
    *number = 0;
    if (*at == '*') {
        *number = va_arg(arguments->list, int);
        return at + 1;
    }
    for (; isdigit((unsigned char)*at); at++) {
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, *at - '0', number)) {
            *number = INT_MIN;
        }
    }
    return at;
}

static const char *parse_length(const char *at, enum length *length)
{
    switch (*at) {
    case 'h':
        *length = at[1] == 'h' ? LENGTH_HH : LENGTH_H;
        return at + (at[1] == 'h' ? 2 : 1);
    case 'l':
        *length = at[1] == 'l' ? LENGTH_LL : LENGTH_L;
        return at + (at[1] == 'l' ? 2 : 1);
    case 'j':
        *length = LENGTH_J;
        return at + 1;
    case 'z':
        *length = LENGTH_Z;
        return at + 1;
    case 't':
        *length = LENGTH_T;
        return at + 1;
    case 'L':
        *length = LENGTH_LONG;
        return at + 1;
    default:
        return at;
    }
}

/* From behind the `%` to behind the letter; NULL where a number is too large. */
static const char *parse_conversion(const char *at, struct conversion *c,
                                    struct arguments *arguments)
{
    *c = (struct conversion){.precision = -1};
    at = parse_flags(at, c);
    bool from_argument = *at == '*';
    at = parse_number(at, &c->width, arguments);
    if (c->width < 0) {
        if (!from_argument || c->width == INT_MIN) {
            return NULL;
        }
        c->left = true;
        c->width = -c->width;
    }
    if (*at == '.') {
        from_argument = at[1] == '*';
        at = parse_number(at + 1, &c->precision, arguments);
        if (c->precision < 0 && !from_argument) {
            return NULL;
        }
    }
    at = parse_length(at, &c->length);
    c->letter = *at;
    return c->letter != 0 ? at + 1 : NULL;
}

/* The conversions that most formats consist of, bare of flags, widths and lengths; false for
 * others. */
static bool convert_plain(struct sink *sink, char letter, struct arguments *arguments)
{
    char buffer[INTEGER_DIGITS];
    char *end = buffer + INTEGER_DIGITS;
    if (letter == 's') {
        const char *text = va_arg(arguments->list, const char *);
        text = text != NULL ? text : "(null)";
        sink_write(sink, text, strlen(text));
        return true;
    }
    if (letter == 'd' || letter == 'u') {
        int64_t value = letter == 'd' ? va_arg(arguments->list, int)
                                      : (int64_t)va_arg(arguments->list, unsigned);
        char *start = write_digits(end, value < 0 ? (uint64_t)-value : (uint64_t)value, letter);
        if (value == 0) {
            *--start = '0';
        } else if (value < 0) {
            *--start = '-';
        }
        sink_write(sink, start, (size_t)(end - start));
        return true;
    }
    return false;
}

int format_run(struct sink *sink, const char *format, va_list list)
{
    struct arguments arguments;
    bool well_formed = true;
    va_copy(arguments.list, list);
    while (well_formed && *format != 0) {
        const char *end = strchr(format, '%');
        size_t plain = end != NULL ? (size_t)(end - format) : strlen(format);
        sink_write(sink, format, plain);
        format += plain;
        if (*format == '%' && convert_plain(sink, format[1], &arguments)) {
            format += 2;
            well_formed = sink->total <= INT_MAX;
        } else if (*format == '%') {
            struct conversion c;
            format = parse_conversion(format + 1, &c, &arguments);
            well_formed = format != NULL && convert(sink, &c, &arguments) && sink->total <= INT_MAX;
        }
    }
    va_end(arguments.list);
    return well_formed && sink->total <= INT_MAX ? (int)sink->total : -1;
}
