/* Strings of the generator: formatting, names, and the end of the program when something is wrong.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/wire/wire.h"

/* Prints "schemac: …" and exits with status 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory that lives as long as the program, zeroed; never NULL. */
void *allocate(size_t count, size_t size);

/* A new string. */
const char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *text_of(struct wire_span span);

/* camelCase, CamelCase and StdIO become camel_case, camel_case and std_io. */
const char *snake_case(const char *name);
const char *upper_case(const char *name);

/* As a C string literal, without the quotes. */
const char *escaped(struct wire_span span);
