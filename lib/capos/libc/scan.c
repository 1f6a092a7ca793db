/*
 * scan.c: see scan.h. %lc, %ls and %l[ are not supported and count as a mismatch, and there is no
 * positional argument.
 */
#include "lib/capos/libc/float_parse.h"
#include "lib/capos/libc/number.h"
#include "lib/capos/libc/scan.h"
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum scan_length { SCAN_NONE, SCAN_HH, SCAN_H, SCAN_L, SCAN_LONG };
enum outcome { MATCHED, MISMATCH, INPUT_ENDED };

struct directive {
    bool suppressed;
    bool has_width;
    size_t width;
    enum scan_length length;
    char letter;
    uint64_t set[4]; /* for %[ */
};

/* In a struct because an array type cannot be handed on by reference. */
struct targets {
    va_list list;
    int assigned;
};

static void skip_space(struct source *source)
{
    while (isspace(source_look(source))) {
        source_take(source);
    }
}

static void store_integer(struct targets *targets, const struct directive *d, uint64_t value)
{
    switch (d->length) {
    case SCAN_HH:
        *va_arg(targets->list, unsigned char *) = (unsigned char)value;
        break;
    case SCAN_H:
        *va_arg(targets->list, unsigned short *) = (unsigned short)value;
        break;
    case SCAN_NONE:
        *va_arg(targets->list, unsigned *) = (unsigned)value;
        break;
    default:
        *va_arg(targets->list, unsigned long *) = value;
        break;
    }
}

/* The magnitude; base 0 is decided by the prefix. False if there is no digit. */
static bool take_digits(struct source *source, unsigned base, uint64_t *value, bool *too_large)
{
    bool any = false;
    *value = 0;
    *too_large = false;
    if (source_look(source) == '0' && (base == 0 || base == 16)) {
        source_take(source);
        any = true;
        if ((source_look(source) | 0x20) == 'x') {
            source_take(source);
            any = false;
            base = 16;
        } else if (base == 0) {
            base = 8;
        }
    }
    base = base == 0 ? 10 : base;
    for (unsigned digit; (digit = number_digit(source_look(source))) < base;) {
        source_take(source);
        any = true;
        *too_large |= __builtin_mul_overflow(*value, base, value);
        *too_large |= __builtin_add_overflow(*value, digit, value);
    }
    return any;
}

static enum outcome scan_integer(struct source *source, const struct directive *d,
                                 struct targets *targets)
{
    static const char letters[] = "diouxXp";
    static const unsigned char bases[] = {10, 0, 8, 10, 16, 16, 16};
    unsigned base = bases[strchr(letters, d->letter) - letters];
    int c = source_look(source);
    bool negative = c == '-';
    if (c == '-' || c == '+') {
        source_take(source);
    }
    uint64_t value;
    bool too_large;
    if (!take_digits(source, base, &value, &too_large)) {
        return MISMATCH;
    }
    bool is_signed = d->letter == 'd' || d->letter == 'i';
    uint64_t limit = is_signed ? (uint64_t)INT64_MAX + negative : UINT64_MAX;
    if (too_large || value > limit) {
        value = limit;
        negative = negative && is_signed;
    }
    if (!d->suppressed) {
        struct directive as_pointer = *d;
        as_pointer.length = d->letter == 'p' ? SCAN_L : d->length;
        store_integer(targets, &as_pointer, negative ? -value : value);
        targets->assigned++;
    }
    return MATCHED;
}

static enum outcome scan_float(struct source *source, const struct directive *d,
                               struct targets *targets)
{
    enum float_format format = d->length == SCAN_LONG ? FLOAT_EXTENDED
                               : d->length == SCAN_L  ? FLOAT_DOUBLE
                                                      : FLOAT_SINGLE;
    size_t valid;
    size_t start = source->taken;
    long double value = float_parse(source, format, &valid);
    if (valid == 0 || valid != source->taken - start) {
        return MISMATCH;
    }
    if (d->suppressed) {
        return MATCHED;
    }
    if (format == FLOAT_EXTENDED) {
        *va_arg(targets->list, long double *) = value;
    } else if (format == FLOAT_DOUBLE) {
        *va_arg(targets->list, double *) = (double)value;
    } else {
        *va_arg(targets->list, float *) = (float)value;
    }
    targets->assigned++;
    return MATCHED;
}

static bool in_set(const struct directive *d, int c)
{
    switch (d->letter) {
    case 'c':
        return true;
    case 's':
        return !isspace(c);
    default:
        return (d->set[c / 64] >> c % 64 & 1) != 0;
    }
}

/* %c, %s and %[ */
static enum outcome scan_text(struct source *source, const struct directive *d,
                              struct targets *targets)
{
    if (d->length != SCAN_NONE) {
        return MISMATCH;
    }
    char *to = d->suppressed ? NULL : va_arg(targets->list, char *);
    size_t count = 0;
    for (int c; (c = source_look(source)) != SOURCE_END && in_set(d, c); count++) {
        source_take(source);
        if (to != NULL) {
            to[count] = (char)c;
        }
    }
    if (count == 0 || (d->letter == 'c' && count != d->width)) {
        return source_look(source) == SOURCE_END && source->left != 0 ? INPUT_ENDED : MISMATCH;
    }
    if (to != NULL) {
        if (d->letter != 'c') {
            to[count] = 0;
        }
        targets->assigned++;
    }
    return MATCHED;
}

static enum outcome scan_byte(struct source *source, int wanted)
{
    int c = source_look(source);
    if (c != wanted) {
        return c == SOURCE_END ? INPUT_ENDED : MISMATCH;
    }
    source_take(source);
    return MATCHED;
}

static enum outcome scan_directive(struct source *source, struct directive *d,
                                   struct targets *targets)
{
    if (d->letter == 'n') {
        if (!d->suppressed) {
            store_integer(targets, d, source->taken);
        }
        return MATCHED;
    }
    if (d->letter != 'c' && d->letter != '[') {
        skip_space(source);
    }
    if (d->letter == '%') {
        return scan_byte(source, '%');
    }
    if (source_look(source) == SOURCE_END) {
        return INPUT_ENDED;
    }
    d->width = d->has_width ? d->width : d->letter == 'c' ? 1 : SIZE_MAX;
    source->left = d->width;
    enum outcome outcome;
    if (strchr("diouxXp", d->letter) != NULL) {
        outcome = scan_integer(source, d, targets);
    } else if (strchr("aAeEfFgG", d->letter) != NULL) {
        outcome = scan_float(source, d, targets);
    } else {
        outcome = scan_text(source, d, targets);
    }
    source->left = SIZE_MAX;
    return outcome;
}

/* From behind the `[` to behind the `]`; NULL if there is none. A range a-z is taken as one. */
static const char *parse_set(const char *at, struct directive *d)
{
    bool inverted = *at == '^';
    at += inverted;
    const char *start = at;
    for (; *at != ']' || at == start; at++) {
        if (*at == 0) {
            return NULL;
        }
        unsigned first = (unsigned char)*at;
        unsigned last = first;
        if (at[1] == '-' && at[2] != ']' && at[2] != 0) {
            last = (unsigned char)at[2];
            at += 2;
        }
        for (unsigned c = first; c <= last; c++) {
            d->set[c / 64] |= UINT64_C(1) << c % 64;
        }
    }
    for (unsigned i = 0; i < 4 && inverted; i++) {
        d->set[i] = ~d->set[i];
    }
    return at + 1;
}

static const char *parse_length(const char *at, enum scan_length *length)
{
    switch (*at) {
    case 'h':
        *length = at[1] == 'h' ? SCAN_HH : SCAN_H;
        return at + (at[1] == 'h' ? 2 : 1);
    case 'l':
        *length = SCAN_L;
        return at + (at[1] == 'l' ? 2 : 1);
    case 'j':
    case 'z':
    case 't':
        *length = SCAN_L;
        return at + 1;
    case 'L':
        *length = SCAN_LONG;
        return at + 1;
    default:
        *length = SCAN_NONE;
        return at;
    }
}

/* From behind the `%` to behind the directive; NULL if it is malformed. */
static const char *parse_directive(const char *at, struct directive *d)
{
    *d = (struct directive){0};
    d->suppressed = *at == '*';
    at += d->suppressed;
    for (; isdigit((unsigned char)*at) && d->width <= SIZE_MAX / 20; at++) {
        d->width = d->width * 10 + (size_t)(*at - '0');
        d->has_width = true;
    }
    if (d->has_width && d->width == 0) {
        return NULL;
    }
    at = parse_length(at, &d->length);
    d->letter = *at;
    if (d->letter == '[') {
        return parse_set(at + 1, d);
    }
    return d->letter != 0 && strchr("diouxXpaAeEfFgGcsn%", d->letter) != NULL ? at + 1 : NULL;
}

int scan_run(struct source *source, const char *format, va_list list)
{
    struct targets targets = {.assigned = 0};
    enum outcome outcome = MATCHED;
    bool converted = false;
    va_copy(targets.list, list);
    while (*format != 0 && outcome == MATCHED) {
        if (isspace((unsigned char)*format)) {
            skip_space(source);
            format++;
        } else if (*format != '%') {
            outcome = scan_byte(source, (unsigned char)*format++);
        } else {
            struct directive d;
            format = parse_directive(format + 1, &d);
            if (format == NULL) {
                break;
            }
            outcome = scan_directive(source, &d, &targets);
            converted |= outcome == MATCHED && d.letter != 'n' && d.letter != '%';
        }
    }
    va_end(targets.list);
    return outcome == INPUT_ENDED && !converted ? EOF : targets.assigned;
}
