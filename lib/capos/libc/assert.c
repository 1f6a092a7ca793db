/*
 * assert.c: what a failed assertion does.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

void capos_assert_failed(const char *expression, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function, expression);
    abort();
}
