/* The kernel's log: lines for people, to the machine's serial port and the host link's log stream.
 * Safe in every context. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes as they are, at most a page of them. */
void log_text(const char *text, size_t size);
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* %s %d %u %x %p %lu %lx, with a width and zero padding, and no others; always terminated.
 * Returns the length it has. */
int format_text(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int format_text_v(char *out, size_t size, const char *format, va_list arguments);
/* For arch_panic(), which begins with its own: text to arch_log(); at last the functions that have
 * called each other, from this instruction and frame on, and the thread's last ring entries. */
void panic_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void panic_end(uint64_t rip, uint64_t rbp, bool (*in_stack)(uint64_t frame));
