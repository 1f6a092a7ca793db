/*
 * float_parse.h: reading floating point with correct rounding, for strtod and scanf. Within
 * lib/capos/libc only.
 */
#ifndef CAPOS_LIBC_FLOAT_PARSE_H
#define CAPOS_LIBC_FLOAT_PARSE_H

#include "lib/capos/libc/source.h"

enum float_format { FLOAT_SINGLE, FLOAT_DOUBLE, FLOAT_EXTENDED };

/*
 * Take the longest prefix of `source` that may begin a number as strtod defines it (white space
 * before it is the caller's) and return the value, rounded to `format` and therefore exact in any
 * cast to it. *valid is how many characters form the number: 0 if there is none, fewer than were
 * taken after something like `1e+`.
 */
long double float_parse(struct source *source, enum float_format format, size_t *valid);

#endif
