/* Text from numbers, for the log and for panics: the few conversions that log.h names. Allocates
 * nothing, any context. */
#include "kernel/core/log.h"

#include "kernel/core/types.h"

struct sink {
    char *out;
    size_t room;   /* without the terminator */
    size_t length; /* of the whole text, also what did not fit */
};

struct conversion {
    bool zero, left;
    int width, precision; /* precision < 0: none */
    int longs;            /* of the argument: 0 int, 1 long, 2 long long; size_t is a long */
};

static void put(struct sink *s, char c)
{
    if (s->length < s->room) {
        s->out[s->length] = c;
    }
    s->length++;
}

static void put_padded(struct sink *s, const struct conversion *c, const char *text, size_t size)
{
    size_t width = c->width > 0 ? (size_t)c->width : 0;
    size_t pad = width > size ? width - size : 0;
    for (size_t i = 0; !c->left && i < pad; i++) {
        put(s, c->zero ? '0' : ' ');
    }
    for (size_t i = 0; i < size; i++) {
        put(s, text[i]);
    }
    for (size_t i = 0; c->left && i < pad; i++) {
        put(s, ' ');
    }
}

static void put_number(struct sink *s, const struct conversion *c, uint64_t n, unsigned base,
                       bool negative)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[n % base];
        n /= base;
    } while (n != 0);
    if (negative) {
        digits[--at] = '-';
    }
    put_padded(s, c, digits + at, sizeof digits - at);
}

static void put_text(struct sink *s, struct conversion *c, const char *text)
{
    if (text == NULL) {
        text = "(null)";
    }
    size_t size = 0;
    while ((c->precision < 0 || size < (size_t)c->precision) && text[size] != '\0') {
        size++;
    }
    c->zero = false;
    put_padded(s, c, text, size);
}

static const char *parse_number(const char *f, int *out)
{
    int n = 0;
    while (*f >= '0' && *f <= '9' && n < 10000) {
        n = n * 10 + (*f++ - '0');
    }
    *out = n;
    return f;
}

/* The argument list is the address of a parameter's copy, as arrays of va_list decay. */
struct arguments {
    va_list list;
};

static uint64_t take_unsigned(struct arguments *a, int longs)
{
    return longs == 0   ? va_arg(a->list, unsigned)
           : longs == 1 ? va_arg(a->list, unsigned long)
                        : va_arg(a->list, unsigned long long);
}

static int64_t take_signed(struct arguments *a, int longs)
{
    return longs == 0   ? va_arg(a->list, int)
           : longs == 1 ? va_arg(a->list, long)
                        : va_arg(a->list, long long);
}

static const char *parse(const char *f, struct conversion *c, struct arguments *a)
{
    *c = (struct conversion){.precision = -1};
    for (; *f == '0' || *f == '-'; f++) {
        c->zero |= *f == '0';
        c->left |= *f == '-';
    }
    f = parse_number(f, &c->width);
    if (*f == '.') {
        f++;
        if (*f == '*') {
            c->precision = va_arg(a->list, int);
            f++;
        } else {
            f = parse_number(f, &c->precision);
        }
    }
    for (; *f == 'l' || *f == 'z'; f++) {
        c->longs++;
    }
    return f;
}

static void convert(struct sink *s, char kind, struct conversion *c, struct arguments *a)
{
    switch (kind) {
    case 's':
        put_text(s, c, va_arg(a->list, const char *));
        break;
    case 'c':
        put(s, (char)va_arg(a->list, int));
        break;
    case 'd': {
        int64_t n = take_signed(a, c->longs);
        put_number(s, c, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10, n < 0);
        break;
    }
    case 'u':
        put_number(s, c, take_unsigned(a, c->longs), 10, false);
        break;
    case 'x':
        put_number(s, c, take_unsigned(a, c->longs), 16, false);
        break;
    case 'p':
        put(s, '0');
        put(s, 'x');
        put_number(s, c, (uint64_t)(uintptr_t)va_arg(a->list, void *), 16, false);
        break;
    case '%':
        put(s, '%');
        break;
    default: /* shown rather than lost: a mistake in the kernel's own text must not end the kernel
              */
        put(s, '%');
        put(s, kind);
        break;
    }
}

int format_text_v(char *out, size_t size, const char *format, va_list arguments)
{
    struct sink s = {out, size == 0 ? 0 : size - 1, 0};
    struct arguments a;
    va_copy(a.list, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&s, *format++);
            continue;
        }
        struct conversion c;
        format = parse(format + 1, &c, &a);
        if (*format == '\0') {
            break;
        }
        convert(&s, *format++, &c, &a);
    }
    va_end(a.list);
    if (size != 0) {
        out[s.length < s.room ? s.length : s.room] = '\0';
    }
    return (int)s.length;
}

int format_text(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = format_text_v(out, size, format, arguments);
    va_end(arguments);
    return length;
}
