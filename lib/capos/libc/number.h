/*
 * number.h: what the readers of numbers (strtol, strtod, scanf) share. Within lib/capos/libc only.
 */
#ifndef CAPOS_LIBC_NUMBER_H
#define CAPOS_LIBC_NUMBER_H

#define NUMBER_NO_DIGIT 99u

/* What `c` counts as a digit of base 36, or NUMBER_NO_DIGIT. */
unsigned number_digit(int c);

#endif
