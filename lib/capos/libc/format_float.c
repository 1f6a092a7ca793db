/*
 * format_float.c: the floating-point conversions of printf. Every number is turned into its exact
 * decimal expansion (decimal.h) and rounded half to even at the place that the precision asks for,
 * so every digit printed is right at any precision. A double is widened to the extended format
 * first, which changes nothing.
 */
#include "lib/capos/libc/decimal.h"
#include "lib/capos/libc/format.h"
#include <limits.h>
#include <string.h>

/* No digit of any number stands below this position. */
#define LOWEST_POSITION (-(DECIMAL_FRACTION_LIMBS * DECIMAL_LIMB_DIGITS))
#define EXPONENT_DIGITS 8

union extended {
    long double value;
    struct {
        uint64_t mantissa;
        uint16_t sign_exponent;
    } bits;
};

/* The digits from 10^position downwards, `count` of them, in front of `after` more zeros. */
static void write_decimal(struct sink *sink, const struct decimal *d, long position, long count)
{
    char chunk[64];
    while (count > 0 && position >= LOWEST_POSITION) {
        size_t filled = 0;
        for (; filled < sizeof chunk && count > 0 && position >= LOWEST_POSITION;
             filled++, count--) {
            chunk[filled] = (char)('0' + decimal_digit(d, (int)position--));
        }
        sink_write(sink, chunk, filled);
    }
    sink_fill(sink, '0', count);
}

/* `e+07` and the like, at least `digits` digits; returns its length. */
static size_t write_exponent(char *to, char letter, int exponent, int digits)
{
    char reversed[EXPONENT_DIGITS];
    unsigned value = exponent < 0 ? -(unsigned)exponent : (unsigned)exponent;
    int count = 0;
    for (; value != 0 || count < digits; value /= 10) {
        reversed[count++] = (char)('0' + value % 10);
    }
    size_t length = 0;
    to[length++] = letter;
    to[length++] = exponent < 0 ? '-' : '+';
    while (count > 0) {
        to[length++] = reversed[--count];
    }
    return length;
}

static void round_at(struct decimal *d, long position)
{
    if (position >= LOWEST_POSITION) {
        decimal_round(d, (int)position);
    }
}

static void fixed(struct sink *sink, const struct conversion *c, const char *sign,
                  const struct decimal *d, long precision)
{
    int leading = decimal_exponent(d);
    long integer_digits = leading > 0 ? leading + 1 : 1;
    bool point = precision > 0 || c->alternative;
    long after = format_open(sink, c, sign, integer_digits + point + precision, c->zero);
    write_decimal(sink, d, integer_digits - 1, integer_digits);
    sink_write(sink, ".", point);
    write_decimal(sink, d, -1, precision);
    sink_fill(sink, ' ', after);
}

static void scientific(struct sink *sink, const struct conversion *c, const char *sign,
                       const struct decimal *d, long precision)
{
    int leading = decimal_exponent(d);
    bool capital = c->letter == 'E' || c->letter == 'G';
    char exponent[EXPONENT_DIGITS + 2];
    size_t exponent_length = write_exponent(exponent, capital ? 'E' : 'e', leading, 2);
    bool point = precision > 0 || c->alternative;
    long after = format_open(sink, c, sign, 1 + point + precision + (long)exponent_length, c->zero);
    write_decimal(sink, d, leading, 1);
    sink_write(sink, ".", point);
    write_decimal(sink, d, leading - 1, precision);
    sink_write(sink, exponent, exponent_length);
    sink_fill(sink, ' ', after);
}

static void general(struct sink *sink, const struct conversion *c, const char *sign,
                    struct decimal *d, long precision)
{
    long digits = precision == 0 ? 1 : precision;
    round_at(d, decimal_exponent(d) - (digits - 1));
    int leading = decimal_exponent(d);
    int lowest = decimal_lowest(d);
    if (leading < -4 || leading >= digits) {
        long shown = c->alternative ? digits - 1 : leading - lowest;
        scientific(sink, c, sign, d, shown);
    } else {
        long shown = c->alternative ? digits - 1 - leading : lowest < 0 ? -lowest : 0;
        fixed(sink, c, sign, d, shown);
    }
}

/* The mantissa's hexadecimal digits without trailing zeros, the first in the top four bits. */
struct nibbles {
    uint64_t bits;
    int count;
    int exponent; /* of two, of the first digit's lowest bit */
};

/* A double begins with a one before the point and an extended number with its top four bits, as
 * elsewhere on x86_64. */
static struct nibbles nibbles_of(uint64_t mantissa, int exponent, bool is_double)
{
    struct nibbles n = {0};
    if (mantissa == 0) {
        return n;
    }
    if (is_double) {
        bool subnormal = exponent + 63 < -1022;
        int shift = subnormal ? -1022 - (exponent + 63) : 0;
        n.bits = mantissa >> (3 + shift);
        n.exponent = subnormal ? -1022 : exponent + 63;
    } else {
        n.bits = mantissa;
        n.exponent = exponent + 60;
    }
    n.count = 16 - __builtin_ctzll(n.bits) / 4;
    return n;
}

static void nibbles_round(struct nibbles *n, int precision)
{
    if (precision < 0 || precision >= 15) {
        return;
    }
    int lost_bits = 60 - 4 * precision;
    uint64_t unit = UINT64_C(1) << lost_bits;
    uint64_t lost = n->bits & (unit - 1);
    n->bits -= lost;
    if (lost > unit / 2 || (lost == unit / 2 && (n->bits & unit) != 0)) {
        if (__builtin_add_overflow(n->bits, unit, &n->bits)) {
            n->bits = UINT64_C(1) << 60;
            n->exponent += 4;
        }
    }
    n->count = precision + 1;
}

static void hexadecimal(struct sink *sink, const struct conversion *c, const char *sign,
                        struct nibbles n)
{
    bool capital = c->letter == 'A';
    const char *symbols = capital ? "0123456789ABCDEF" : "0123456789abcdef";
    nibbles_round(&n, c->precision);
    char text[20];
    char exponent[EXPONENT_DIGITS + 2];
    char prefix[4];
    size_t exponent_length = write_exponent(exponent, capital ? 'P' : 'p', n.exponent, 1);
    size_t length = 0;
    for (int i = 0; i < n.count || i == 0; i++) {
        text[length++] = symbols[n.bits >> (60 - 4 * i) & 15];
        if (i == 0 && (n.count > 1 || c->precision > 0 || c->alternative)) {
            text[length++] = '.';
        }
    }
    int shown = n.count > 1 ? n.count - 1 : 0;
    long zeros = c->precision > shown ? c->precision - shown : 0;
    strcpy(prefix, sign);
    strcat(prefix, capital ? "0X" : "0x");
    long after = format_open(sink, c, prefix, (long)(length + exponent_length) + zeros, c->zero);
    sink_write(sink, text, length);
    sink_fill(sink, '0', zeros);
    sink_write(sink, exponent, exponent_length);
    sink_fill(sink, ' ', after);
}

static void not_finite(struct sink *sink, const struct conversion *c, const char *sign,
                       bool infinite)
{
    bool capital = c->letter < 'a';
    const char *text = infinite ? (capital ? "INF" : "inf") : (capital ? "NAN" : "nan");
    long after = format_open(sink, c, sign, 3, false);
    sink_write(sink, text, 3);
    sink_fill(sink, ' ', after);
}

/* The number on its own stack frame, which is large. */
__attribute__((noinline)) static void decimal_form(struct sink *sink, const struct conversion *c,
                                                   const char *sign, uint64_t mantissa,
                                                   int exponent)
{
    struct decimal d;
    int zeros = mantissa != 0 ? __builtin_ctzll(mantissa) : 0;
    decimal_from_binary(&d, mantissa >> zeros, mantissa != 0 ? exponent + zeros : 0);
    long precision = c->precision < 0 ? 6 : c->precision;
    switch (c->letter | 0x20) {
    case 'f':
        round_at(&d, -precision);
        fixed(sink, c, sign, &d, precision);
        break;
    case 'e':
        round_at(&d, decimal_exponent(&d) - precision);
        scientific(sink, c, sign, &d, precision);
        break;
    default:
        general(sink, c, sign, &d, precision);
        break;
    }
}

void format_float(struct sink *sink, const struct conversion *c, long double value)
{
    union extended number = {.value = value};
    uint64_t mantissa = number.bits.mantissa;
    bool negative = number.bits.sign_exponent >> 15 != 0;
    int biased = number.bits.sign_exponent & 0x7fff;
    int exponent = (biased == 0 ? 1 : biased) - 16383 - 63;
    const char *sign = negative ? "-" : c->plus ? "+" : c->space ? " " : "";
    if (biased == 0x7fff) {
        not_finite(sink, c, sign, mantissa << 1 == 0);
    } else if ((c->letter | 0x20) == 'a') {
        hexadecimal(sink, c, sign, nibbles_of(mantissa, exponent, c->length != LENGTH_LONG));
    } else {
        decimal_form(sink, c, sign, mantissa, exponent);
    }
}
