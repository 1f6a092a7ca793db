/*
 * decimal.h: exact decimal numbers, wide enough for every long double, with which printf writes and
 * strtod reads floating point. Within lib/capos/libc only.
 *
 * A number is a row of limbs of nine decimal digits, most significant first, with the units' limb
 * at a fixed index. Halving and doubling are exact, so a binary number m * 2^e becomes decimal by
 * doubling or halving m, and a decimal number becomes binary by halving or doubling it until its
 * integer part is a 64-bit mantissa. Only the limbs in [first, end) are ever written or read, so
 * the size costs nothing where it is not needed.
 *
 * Widths: the integer part of the largest long double has 4,933 digits and the smallest's expansion
 * 16,445 fraction digits; half way between two of them one more. What strtod reads beyond is only
 * remembered as "inexact".
 */
#ifndef CAPOS_LIBC_DECIMAL_H
#define CAPOS_LIBC_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#define DECIMAL_LIMB_DIGITS 9
#define DECIMAL_LIMB 1000000000u
#define DECIMAL_INTEGER_LIMBS 556
#define DECIMAL_FRACTION_LIMBS 1840
#define DECIMAL_UNITS (DECIMAL_INTEGER_LIMBS - 1) /* the index of the units' limb */

struct decimal {
    int first; /* the first limb in use, and */
    int end; /* one past the last; neither limb is zero, unless the number is. Others count as 0 */
    bool inexact; /* digits below the last limb were lost */
    uint32_t limb[DECIMAL_INTEGER_LIMBS + DECIMAL_FRACTION_LIMBS];
};

/* The number mantissa * 2^exponent; -16,445 <= exponent <= 16,320. */
void decimal_from_binary(struct decimal *d, uint64_t mantissa, int exponent);

bool decimal_is_zero(const struct decimal *d);

/* The power of ten of the leading digit; 0 for zero. */
int decimal_exponent(const struct decimal *d);

/* The digit that counts 10^position; 0 outside the limbs in use. */
unsigned decimal_digit(const struct decimal *d, int position);

/* Round half to even so that no digit below 10^position is left; the lost ones become zero. */
void decimal_round(struct decimal *d, int position);

/* Set to zero, and then add digits from the highest position to the lowest. */
void decimal_clear(struct decimal *d);
void decimal_add_digit(struct decimal *d, int position, unsigned digit);

/* Multiply by 10^power. Digits that fall below the last limb make the number inexact; the
 * largest must stay in range. */
void decimal_scale(struct decimal *d, int power);

/* The position of the lowest digit that is not zero; 0 for zero. */
int decimal_lowest(const struct decimal *d);

/*
 * The mantissa (below 2^64; at least 2^63 unless the number is zero) and exponent of the number's
 * leading 64 bits; *rest is 0 where the number is exactly that, 1 or 3 where it lies below or above
 * the middle to the next mantissa, 2 at the middle. Uses up the number.
 */
uint64_t decimal_to_binary(struct decimal *d, int *exponent, unsigned *rest);

#endif
