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
    bool zero;
    size_t width;
    bool is_long; /* the argument; size_t is a long */
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
    for (size_t i = size; i < c->width; i++) {
        put(s, c->zero ? '0' : ' ');
    }
    for (size_t i = 0; i < size; i++) {
        put(s, text[i]);
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

static const char *parse(const char *f, struct conversion *c)
{
    *c = (struct conversion){.zero = *f == '0'};
    for (; *f >= '0' && *f <= '9'; f++) {
        c->width = c->width * 10 + (size_t)(*f - '0');
    }
    c->is_long = *f == 'l';
    return f + c->is_long;
}

static void convert(struct sink *s, char kind, const struct conversion *c, va_list *a)
{
    switch (kind) {
    case 's': {
        const char *text = va_arg(*a, const char *);
        put_padded(s, c, text, __builtin_strlen(text));
        break;
    }
    case 'd': {
        int n = va_arg(*a, int);
        put_number(s, c, n < 0 ? 0 - (uint64_t)n : (uint64_t)n, 10, n < 0);
        break;
    }
    case 'u':
    case 'x': {
        uint64_t n = c->is_long ? va_arg(*a, unsigned long) : va_arg(*a, unsigned);
        put_number(s, c, n, kind == 'u' ? 10 : 16, false);
        break;
    }
    case 'p':
        put_padded(s, c, "0x", 2);
        put_number(s, c, (uint64_t)(uintptr_t)va_arg(*a, void *), 16, false);
        break;
    default: /* shown, not lost: a mistake in the kernel's own text must not end the kernel */
        put(s, '%');
        put(s, kind);
        break;
    }
}

int format_text_v(char *out, size_t size, const char *format, va_list arguments)
{
    struct sink s = {out, size == 0 ? 0 : size - 1, 0};
    va_list a; /* a parameter of that type has decayed, and its address is another type's */
    va_copy(a, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&s, *format++);
            continue;
        }
        struct conversion c;
        format = parse(format + 1, &c);
        if (*format == '\0') {
            break;
        }
        convert(&s, *format++, &c, &a);
    }
    va_end(a);
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
