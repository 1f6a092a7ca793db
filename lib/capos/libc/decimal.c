/*
 * decimal.c: see decimal.h.
 */
#include "lib/capos/libc/decimal.h"
#include <string.h>

#define LIMBS (DECIMAL_INTEGER_LIMBS + DECIMAL_FRACTION_LIMBS)

/* 10^9 is divisible by 2^9 only, so at most nine halvings at a time leave whole digits in the
 * next limb. */
#define HALVINGS_AT_ONCE 9
/* A limb times 2^29 and a carry fit 64 bits, and the carry fits a limb. */
#define DOUBLINGS_AT_ONCE 29

static const uint32_t power_of_ten[DECIMAL_LIMB_DIGITS] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
};

/* The limb that holds the digit of 10^position, and which of its digits that is. */
static int limb_of(int position)
{
    int above = position >= 0 ? position / DECIMAL_LIMB_DIGITS
                              : -((-(position + 1)) / DECIMAL_LIMB_DIGITS) - 1;
    return DECIMAL_UNITS - above;
}

static int digit_in_limb(int position)
{
    int remainder = position % DECIMAL_LIMB_DIGITS;
    return remainder < 0 ? remainder + DECIMAL_LIMB_DIGITS : remainder;
}

void decimal_clear(struct decimal *d)
{
    d->first = DECIMAL_UNITS;
    d->end = DECIMAL_UNITS + 1;
    d->inexact = false;
    d->limb[DECIMAL_UNITS] = 0;
}

static void trim(struct decimal *d)
{
    while (d->first < d->end && d->limb[d->first] == 0) {
        d->first++;
    }
    while (d->first < d->end && d->limb[d->end - 1] == 0) {
        d->end--;
    }
    if (d->first == d->end) {
        bool inexact = d->inexact;
        decimal_clear(d);
        d->inexact = inexact;
    }
}

bool decimal_is_zero(const struct decimal *d)
{
    return d->limb[d->first] == 0;
}

int decimal_exponent(const struct decimal *d)
{
    if (decimal_is_zero(d)) {
        return 0;
    }
    int digits = 0;
    while (digits + 1 < DECIMAL_LIMB_DIGITS && d->limb[d->first] >= power_of_ten[digits + 1]) {
        digits++;
    }
    return (DECIMAL_UNITS - d->first) * DECIMAL_LIMB_DIGITS + digits;
}

unsigned decimal_digit(const struct decimal *d, int position)
{
    int i = limb_of(position);
    if (i < d->first || i >= d->end) {
        return 0;
    }
    return d->limb[i] / power_of_ten[digit_in_limb(position)] % 10;
}

int decimal_lowest(const struct decimal *d)
{
    if (decimal_is_zero(d)) {
        return 0;
    }
    int zeros = 0;
    while (zeros + 1 < DECIMAL_LIMB_DIGITS && d->limb[d->end - 1] % power_of_ten[zeros + 1] == 0) {
        zeros++;
    }
    return (DECIMAL_UNITS - (d->end - 1)) * DECIMAL_LIMB_DIGITS + zeros;
}

static void multiply(struct decimal *d, uint32_t factor)
{
    uint64_t carry = 0;
    for (int i = d->end - 1; i >= d->first; i--) {
        uint64_t value = (uint64_t)d->limb[i] * factor + carry;
        carry = value / DECIMAL_LIMB;
        d->limb[i] = (uint32_t)(value - carry * DECIMAL_LIMB);
    }
    if (carry != 0) {
        d->limb[--d->first] = (uint32_t)carry;
    }
    trim(d);
}

static void halve_times(struct decimal *d, unsigned count)
{
    uint32_t carry = 0;
    uint32_t mask = (UINT32_C(1) << count) - 1;
    uint32_t scale = DECIMAL_LIMB >> count;
    for (int i = d->first; i < d->end; i++) {
        uint32_t value = d->limb[i];
        d->limb[i] = (value >> count) + carry;
        carry = (value & mask) * scale;
    }
    if (carry != 0 && d->end < LIMBS) {
        d->limb[d->end++] = carry;
    } else if (carry != 0) {
        d->inexact = true;
    }
    trim(d);
}

void decimal_from_binary(struct decimal *d, uint64_t mantissa, int exponent)
{
    decimal_clear(d);
    d->limb[DECIMAL_UNITS] = (uint32_t)(mantissa % DECIMAL_LIMB);
    for (mantissa /= DECIMAL_LIMB; mantissa != 0; mantissa /= DECIMAL_LIMB) {
        d->limb[--d->first] = (uint32_t)(mantissa % DECIMAL_LIMB);
    }
    trim(d);
    while (exponent > 0) {
        int step = exponent < DOUBLINGS_AT_ONCE ? exponent : DOUBLINGS_AT_ONCE;
        multiply(d, UINT32_C(1) << step);
        exponent -= step;
    }
    while (exponent < 0) {
        int step = -exponent < HALVINGS_AT_ONCE ? -exponent : HALVINGS_AT_ONCE;
        halve_times(d, (unsigned)step);
        exponent += step;
    }
}

/* A digit other than zero stands below 10^position. */
static bool any_below(const struct decimal *d, int position)
{
    int i = limb_of(position);
    if (decimal_is_zero(d) || i >= d->end) {
        return false;
    }
    return i < d->first || i + 1 < d->end ||
           d->limb[i] % power_of_ten[digit_in_limb(position)] != 0;
}

void decimal_round(struct decimal *d, int position)
{
    int i = limb_of(position);
    if (!any_below(d, position)) {
        return;
    }
    unsigned highest_lost = decimal_digit(d, position - 1);
    bool odd = decimal_digit(d, position) % 2 != 0;
    bool up = highest_lost > 5 || (highest_lost == 5 && (odd || any_below(d, position - 1)));
    uint32_t unit = power_of_ten[digit_in_limb(position)];
    if (i < d->first) {
        d->first = i;
        d->limb[i] = 0;
    }
    d->limb[i] -= d->limb[i] % unit;
    d->end = i + 1;
    if (up) {
        d->limb[i] += unit;
        while (d->limb[i] >= DECIMAL_LIMB) {
            d->limb[i] -= DECIMAL_LIMB;
            if (--i < d->first) {
                d->first = i;
                d->limb[i] = 0;
            }
            d->limb[i]++;
        }
    }
    trim(d);
}

void decimal_add_digit(struct decimal *d, int position, unsigned digit)
{
    int i = limb_of(position);
    if (digit == 0) {
        return;
    }
    if (i >= LIMBS) {
        d->inexact = true;
        return;
    }
    if (decimal_is_zero(d)) {
        d->first = i;
        d->end = i;
    }
    while (d->end <= i) {
        d->limb[d->end++] = 0;
    }
    d->limb[i] += digit * power_of_ten[digit_in_limb(position)];
}

void decimal_scale(struct decimal *d, int power)
{
    if (decimal_is_zero(d)) {
        return;
    }
    multiply(d, power_of_ten[digit_in_limb(power)]);
    int shift = limb_of(power) - DECIMAL_UNITS;
    int lost = d->end + shift - LIMBS;
    if (lost > 0) {
        d->inexact = true;
        d->end -= lost < d->end - d->first ? lost : d->end - d->first;
    }
    memmove(&d->limb[d->first + shift], &d->limb[d->first],
            (size_t)(d->end - d->first) * sizeof d->limb[0]);
    d->first += shift;
    d->end += shift;
    trim(d);
}

/* The integer part of a number below 10^27. */
static unsigned __int128 integer_part(const struct decimal *d)
{
    unsigned __int128 value = 0;
    for (int i = DECIMAL_UNITS - 2; i <= DECIMAL_UNITS; i++) {
        value = value * DECIMAL_LIMB + (i >= d->first && i < d->end ? d->limb[i] : 0);
    }
    return value;
}

/* Where the fraction lies: 0 none, 1 below a half, 2 a half, 3 above. */
static unsigned fraction_rest(const struct decimal *d)
{
    bool below = any_below(d, -1) || d->inexact;
    unsigned tenths = decimal_digit(d, -1);
    if (tenths == 5 && !below) {
        return 2;
    }
    if (tenths >= 5) {
        return 3;
    }
    return tenths != 0 || below ? 1 : 0;
}

uint64_t decimal_to_binary(struct decimal *d, int *exponent, unsigned *rest)
{
    *exponent = 0;
    if (decimal_is_zero(d)) {
        *rest = d->inexact ? 1 : 0;
        return 0;
    }
    while (decimal_exponent(d) >= 23) { /* so halving nine times stays above 2^64 */
        halve_times(d, HALVINGS_AT_ONCE);
        *exponent += HALVINGS_AT_ONCE;
    }
    while (decimal_exponent(d) < 10) { /* so doubling 29 times stays below 2^63 */
        multiply(d, UINT32_C(1) << DOUBLINGS_AT_ONCE);
        *exponent -= DOUBLINGS_AT_ONCE;
    }
    while (integer_part(d) > UINT64_MAX) {
        halve_times(d, 1);
        *exponent += 1;
    }
    while (integer_part(d) < UINT64_C(1) << 63) {
        multiply(d, 2);
        *exponent -= 1;
    }
    *rest = fraction_rest(d);
    return (uint64_t)integer_part(d);
}
