/* The kernel's log: lines for people, to the machine's serial port and the host link's log stream.
 * Safe in every context. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

/* Bytes as they are, at most a page of them. */
void log_text(const char *text, size_t size);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* %s %d %u %x %p %lu %lx, with a width and zero padding, and no others; always terminated.
 * Returns the length it has. */
int format_text(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_text_v(char *out, size_t size, const char *format, va_list arguments);
/* The last ring entries of the thread that this CPU serves, a line each: for arch, in a panic. */
void trace_dump(void (*say)(const char *text));
