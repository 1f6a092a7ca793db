/* Compiling a C source for `capos run`. */
#pragma once

#include "tools/image/base.h"

/* The path of an ELF made from C source, from the cache when nothing it was made of has changed.
 * Shows the compiler's words; fails with status 2 when it refuses. */
const char *compile(const char *source);
