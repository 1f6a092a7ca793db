/*
 * scan.h: the engine of the scanf family. Within lib/capos/libc only.
 */
#ifndef CAPOS_LIBC_SCAN_H
#define CAPOS_LIBC_SCAN_H

#include "lib/capos/libc/source.h"
#include <stdarg.h>

/*
 * Returns the number of assigned inputs, or EOF if the input ended before the first conversion. The
 * character that was looked at last and not taken is the caller's to put back (source->looked).
 */
int scan_run(struct source *source, const char *format, va_list arguments);

#endif
