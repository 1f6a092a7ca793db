/*
 * format.h: the engine of the printf family. Within lib/capos/libc only. It writes to a sink and
 * knows nothing of streams and buffers; it allocates nothing.
 */
#ifndef CAPOS_LIBC_FORMAT_H
#define CAPOS_LIBC_FORMAT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sink {
    void (*write)(struct sink *sink, const char *text, size_t size_bytes);
    size_t total; /* bytes so far; kept by the functions below */
};

enum length {
    LENGTH_NONE,
    LENGTH_HH,
    LENGTH_H,
    LENGTH_L,
    LENGTH_LL,
    LENGTH_J,
    LENGTH_Z,
    LENGTH_T,
    LENGTH_LONG
};

/* One conversion. precision < 0: none was given. */
struct conversion {
    bool left;
    bool plus;
    bool space;
    bool alternative;
    bool zero;
    int width;
    int precision;
    enum length length;
    char letter;
};

static inline void sink_write(struct sink *sink, const char *text, size_t size_bytes)
{
    if (size_bytes != 0) {
        sink->write(sink, text, size_bytes);
        sink->total += size_bytes;
    }
}

/* Write `byte` `count` times; nothing if count is not above 0. */
void sink_fill(struct sink *sink, char byte, long count);

/*
 * Write what stands before a field's digits, and spaces behind if the field is left-justified:
 * `prefix` is the sign and base, `length` counts all that follows the prefix. The zero flag fills
 * between them. Returns how many spaces the caller writes afterwards with sink_fill.
 */
long format_open(struct sink *sink, const struct conversion *c, const char *prefix, long length,
                 bool zeros);

/* A floating-point conversion: letters a, e, f, g and their capitals. */
void format_float(struct sink *sink, const struct conversion *c, long double value);

/* The whole format. Returns the number of bytes, or -1 when it exceeds INT_MAX or the format is
 * malformed. */
int format_run(struct sink *sink, const char *format, va_list arguments);

#endif
