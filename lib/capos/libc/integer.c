/*
 * integer.c: the integer functions of stdlib.h and inttypes.h. There is no error number: a number
 * out of range is the nearest limit, and a base that does not exist (neither 0 nor 2 to 36) gives 0
 * and an end at the beginning.
 */
#include "lib/capos/libc/number.h"
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

unsigned number_digit(int c)
{
    if (isdigit(c)) {
        return (unsigned)(c - '0');
    }
    return isalpha(c) ? (unsigned)(tolower(c) - 'a') + 10 : NUMBER_NO_DIGIT;
}

struct parsed {
    uint64_t magnitude; /* UINT64_MAX where it is too large */
    bool negative;
    bool too_large;
    const char *end;
};

static struct parsed parse(const char *text, unsigned base)
{
    struct parsed p = {.end = text};
    const char *at = text;
    while (isspace((unsigned char)*at)) {
        at++;
    }
    p.negative = *at == '-';
    at += *at == '-' || *at == '+';
    bool hexadecimal =
        at[0] == '0' && (at[1] | 0x20) == 'x' && number_digit((unsigned char)at[2]) < 16;
    if ((base == 0 || base == 16) && hexadecimal) {
        at += 2;
        base = 16;
    } else if (base == 0) {
        base = at[0] == '0' ? 8 : 10;
    }
    if (base < 2 || base > 36) {
        return p;
    }
    for (unsigned digit; (digit = number_digit((unsigned char)*at)) < base; at++) {
        p.too_large |= __builtin_mul_overflow(p.magnitude, base, &p.magnitude);
        p.too_large |= __builtin_add_overflow(p.magnitude, digit, &p.magnitude);
        p.end = at + 1;
    }
    if (p.too_large) {
        p.magnitude = UINT64_MAX;
    }
    return p;
}

static void set_end(char **end, const char *at)
{
    if (end != NULL) {
        *end = (char *)(uintptr_t)at;
    }
}

long strtol(const char *restrict text, char **restrict end, int base)
{
    struct parsed p = parse(text, (unsigned)base);
    set_end(end, p.end);
    if (p.negative) {
        return p.magnitude > LONG_MAX ? LONG_MIN : -(long)p.magnitude;
    }
    return p.magnitude > LONG_MAX ? LONG_MAX : (long)p.magnitude;
}

unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    struct parsed p = parse(text, (unsigned)base);
    set_end(end, p.end);
    return p.negative && !p.too_large ? -p.magnitude : p.magnitude;
}

long long strtoll(const char *restrict text, char **restrict end, int base)
{
    return strtol(text, end, base);
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

intmax_t strtoimax(const char *restrict text, char **restrict end, int base)
{
    return strtol(text, end, base);
}

uintmax_t strtoumax(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

int atoi(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

long atol(const char *text)
{
    return strtol(text, NULL, 10);
}

long long atoll(const char *text)
{
    return strtol(text, NULL, 10);
}

int abs(int value)
{
    return value < 0 ? -value : value;
}

long labs(long value)
{
    return value < 0 ? -value : value;
}

long long llabs(long long value)
{
    return value < 0 ? -value : value;
}

intmax_t imaxabs(intmax_t value)
{
    return value < 0 ? -value : value;
}

div_t div(int numerator, int denominator)
{
    return (div_t){numerator / denominator, numerator % denominator};
}

ldiv_t ldiv(long numerator, long denominator)
{
    return (ldiv_t){numerator / denominator, numerator % denominator};
}

lldiv_t lldiv(long long numerator, long long denominator)
{
    return (lldiv_t){numerator / denominator, numerator % denominator};
}

imaxdiv_t imaxdiv(intmax_t numerator, intmax_t denominator)
{
    return (imaxdiv_t){numerator / denominator, numerator % denominator};
}
