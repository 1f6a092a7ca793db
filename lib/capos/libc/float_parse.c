/*
 * float_parse.c: see float_parse.h. Up to 19 digits are gathered in a word, which covers nearly all
 * numbers that people write; where both the word and the power of ten are exact in the format, one
 * multiplication or division gives the correctly rounded result (W. D. Clinger, "How to read
 * floating point numbers accurately", 1990). Everything else goes through the exact decimal number
 * of decimal.h.
 */
#include "lib/capos/libc/decimal.h"
#include "lib/capos/libc/float_parse.h"
#include "lib/capos/libc/number.h"
#include <ctype.h>
#include <stdint.h>

#define WORD_DIGITS 19
#define EXPONENT_LIMIT 100000000
/* Beyond these the largest format is infinite or zero, whatever the digits. */
#define DECIMAL_EXPONENT_MAX 4940
#define DECIMAL_EXPONENT_MIN (-4970)

struct format_shape {
    int mantissa_bits;
    int least_exponent; /* of the last bit of the smallest number */
    int infinite_exponent;
};

static const struct format_shape shapes[] = {
    [FLOAT_SINGLE] = {24, -149, 128},
    [FLOAT_DOUBLE] = {53, -1074, 1024},
    [FLOAT_EXTENDED] = {64, -16445, 16384},
};

/* mantissa * 2^exponent, exactly; mantissa is not 0 and the value is one of the extended format. */
static long double compose(uint64_t mantissa, int exponent)
{
    union {
        long double value;
        struct {
            uint64_t mantissa;
            uint16_t sign_exponent;
        } bits;
    } extended = {0};
    int zeros = __builtin_clzll(mantissa);
    int biased = exponent - zeros + 16383 + 63;
    if (biased > 0) {
        extended.bits.mantissa = mantissa << zeros;
        extended.bits.sign_exponent = (uint16_t)biased;
    } else {
        extended.bits.mantissa = mantissa << (exponent + 16445);
    }
    return extended.value;
}

/* Round mantissa (at least 2^63) * 2^exponent with the rest as decimal_to_binary gives it. */
static long double round_to(enum float_format format, uint64_t mantissa, int exponent,
                            unsigned rest)
{
    const struct format_shape *shape = &shapes[format];
    int drop = 64 - shape->mantissa_bits;
    if (exponent + drop < shape->least_exponent) {
        drop = shape->least_exponent - exponent;
    }
    if (drop > 64) {
        return 0;
    }
    bool up;
    uint64_t kept = drop < 64 ? mantissa >> drop : 0;
    if (drop == 0) {
        up = rest == 3 || (rest == 2 && (kept & 1) != 0);
    } else {
        uint64_t half = UINT64_C(1) << (drop - 1);
        uint64_t lost = mantissa & (half | (half - 1));
        up = lost > half || (lost == half && (rest != 0 || (kept & 1) != 0));
    }
    exponent += drop;
    if (up && ++kept == 0) {
        kept = UINT64_C(1) << 63;
        exponent++;
    }
    if (kept == 0) {
        return 0;
    }
    if (exponent + 64 - __builtin_clzll(kept) > shape->infinite_exponent) {
        return __builtin_infl();
    }
    return compose(kept, exponent);
}

static bool exactly(enum float_format format, uint64_t word, int power, long double *value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (format == FLOAT_DOUBLE && word >> 53 == 0 && power >= -22 && power <= 22) {
        double d = (double)word;
        *value = power < 0 ? d / tens[-power] : d * tens[power];
        return true;
    }
    if (format == FLOAT_SINGLE && word >> 24 == 0 && power >= -10 && power <= 10) {
        float f = (float)word;
        *value = power < 0 ? f / (float)tens[-power] : f * (float)tens[power];
        return true;
    }
    if (format == FLOAT_EXTENDED && power >= -22 && power <= 22) {
        *value = power < 0 ? (long double)word / tens[-power] : (long double)word * tens[power];
        return true;
    }
    return false;
}

/* The digits of a number as they come in: the first in a word, all of them in `exact` once they
 * are more. */
struct digits {
    uint64_t word;
    int count; /* significant digits seen */
    int power; /* the number is word (or `exact`, see digits_value) * 10^power so far */
    bool any;  /* a digit was seen, a zero perhaps */
    bool in_fraction;
    struct decimal exact;
};

static void digits_add(struct digits *n, unsigned digit)
{
    n->any = true;
    n->power -= n->in_fraction;
    if (n->count == 0 && digit == 0) {
        return;
    }
    if (n->count < WORD_DIGITS) {
        n->word = n->word * 10 + digit;
    } else {
        if (n->count == WORD_DIGITS) {
            decimal_from_binary(&n->exact, n->word, 0);
        }
        decimal_add_digit(&n->exact, WORD_DIGITS - 1 - n->count, digit);
    }
    n->count++;
}

/* The value of the digits times 10^exponent. */
static long double digits_value(struct digits *n, int exponent, enum float_format format)
{
    long double value;
    int power = n->power + exponent;
    if (n->count == 0) {
        return 0;
    }
    if (n->count <= WORD_DIGITS) {
        if (exactly(format, n->word, power, &value)) {
            return value;
        }
        decimal_from_binary(&n->exact, n->word, 0);
    } else {
        power += n->count - WORD_DIGITS;
    }
    int leading = decimal_exponent(&n->exact) + power;
    if (leading > DECIMAL_EXPONENT_MAX) {
        return __builtin_infl();
    }
    if (leading < DECIMAL_EXPONENT_MIN) {
        return 0;
    }
    decimal_scale(&n->exact, power);
    int binary_exponent;
    unsigned rest;
    uint64_t mantissa = decimal_to_binary(&n->exact, &binary_exponent, &rest);
    return round_to(format, mantissa, binary_exponent, rest);
}

/* Take `e`, a sign and digits after a number; without digits the exponent is 0 and *valid does
 * not move. */
static int take_exponent(struct source *source, int letter, size_t start, size_t *valid)
{
    if ((source_look(source) | 0x20) != letter) {
        return 0;
    }
    source_take(source);
    int c = source_look(source);
    bool negative = c == '-';
    if (c == '-' || c == '+') {
        source_take(source);
    }
    int exponent = 0;
    while (isdigit(c = source_look(source))) {
        source_take(source);
        exponent = exponent < EXPONENT_LIMIT ? exponent * 10 + (c - '0') : exponent;
        *valid = source->taken - start;
    }
    return negative ? -exponent : exponent;
}

static long double take_decimal(struct source *source, enum float_format format, size_t start,
                                size_t *valid, bool zero_before)
{
    struct digits n;
    n.word = 0;
    n.count = 0;
    n.power = 0;
    n.any = zero_before;
    n.in_fraction = false;
    for (;;) {
        int c = source_look(source);
        if (c == '.' && !n.in_fraction) {
            n.in_fraction = true;
        } else if (isdigit(c)) {
            digits_add(&n, (unsigned)(c - '0'));
        } else {
            break;
        }
        source_take(source);
        if (n.any) {
            *valid = source->taken - start;
        }
    }
    int exponent = n.any ? take_exponent(source, 'e', start, valid) : 0;
    return digits_value(&n, exponent, format);
}

struct hexadecimal {
    unsigned __int128 mantissa;
    int exponent;
    bool lost; /* a digit that is not zero did not fit */
    bool in_fraction;
    bool any;
};

static void hexadecimal_add(struct hexadecimal *n, unsigned digit)
{
    n->any = true;
    if (n->mantissa >> 124 == 0) {
        n->mantissa = n->mantissa << 4 | digit;
        n->exponent -= n->in_fraction ? 4 : 0;
    } else {
        n->lost |= digit != 0;
        n->exponent += n->in_fraction ? 0 : 4;
    }
}

static long double hexadecimal_value(const struct hexadecimal *n, int exponent,
                                     enum float_format format)
{
    unsigned __int128 mantissa = n->mantissa;
    if (mantissa == 0) {
        return 0;
    }
    exponent += n->exponent;
    for (; mantissa >> 127 == 0; mantissa <<= 1) {
        exponent--;
    }
    uint64_t below = (uint64_t)mantissa;
    uint64_t half = UINT64_C(1) << 63;
    unsigned rest = below > half || (below == half && n->lost) ? 3
                    : below == half                            ? 2
                                                               : below != 0 || n->lost;
    return round_to(format, (uint64_t)(mantissa >> 64), exponent + 64, rest);
}

/* The digits after `0x`. */
static long double take_hexadecimal(struct source *source, enum float_format format, size_t start,
                                    size_t *valid)
{
    struct hexadecimal n = {0};
    for (;;) {
        int c = source_look(source);
        if (c == '.' && !n.in_fraction) {
            n.in_fraction = true;
        } else if (number_digit(c) < 16) {
            hexadecimal_add(&n, number_digit(c));
        } else {
            break;
        }
        source_take(source);
        if (n.any) {
            *valid = source->taken - start;
        }
    }
    int exponent = n.any ? take_exponent(source, 'p', start, valid) : 0;
    return hexadecimal_value(&n, exponent, format);
}

/* Take as much of `word` (lower case) as comes, in either case; true if all of it. */
static bool take_word(struct source *source, const char *word)
{
    while (*word != 0 && (source_look(source) | 0x20) == *word) {
        source_take(source);
        word++;
    }
    return *word == 0;
}

static long double take_infinity(struct source *source, size_t start, size_t *valid)
{
    if (take_word(source, "inf")) {
        *valid = source->taken - start;
        if (take_word(source, "inity")) {
            *valid = source->taken - start;
        }
    }
    return __builtin_infl();
}

static long double take_nan(struct source *source, size_t start, size_t *valid)
{
    if (take_word(source, "nan")) {
        *valid = source->taken - start;
        if (source_look(source) == '(') {
            int c;
            do {
                source_take(source);
                c = source_look(source);
            } while (isalnum(c) || c == '_');
            if (c == ')') {
                source_take(source);
                *valid = source->taken - start;
            }
        }
    }
    return __builtin_nanl("");
}

long double float_parse(struct source *source, enum float_format format, size_t *valid)
{
    size_t start = source->taken;
    long double value;
    *valid = 0;
    int c = source_look(source);
    bool negative = c == '-';
    if (c == '-' || c == '+') {
        source_take(source);
        c = source_look(source);
    }
    if (c == '0') {
        source_take(source);
        *valid = source->taken - start;
        if ((source_look(source) | 0x20) == 'x') {
            source_take(source);
            value = take_hexadecimal(source, format, start, valid);
        } else {
            value = take_decimal(source, format, start, valid, true);
        }
    } else if ((c | 0x20) == 'i') {
        value = take_infinity(source, start, valid);
    } else if ((c | 0x20) == 'n') {
        value = take_nan(source, start, valid);
    } else {
        value = take_decimal(source, format, start, valid, false);
    }
    if (*valid == 0) {
        return 0;
    }
    return negative ? -value : value;
}
