/*
 * printf.c: the printf family over the engine in format.c.
 */
#include "lib/capos/libc/format.h"
#include "lib/capos/libc/stream.h"
#include <limits.h>
#include <string.h>

struct text_sink {
    struct sink sink;
    char *to;
    size_t left; /* room, the terminating zero's not counted */
};

static void write_text(struct sink *sink, const char *text, size_t size_bytes)
{
    struct text_sink *out = (struct text_sink *)sink;
    size_t part = size_bytes < out->left ? size_bytes : out->left;
    if (part != 0) {
        memcpy(out->to, text, part);
        out->to += part;
        out->left -= part;
    }
}

int vsnprintf(char *restrict to, size_t size_bytes, const char *restrict format, va_list arguments)
{
    struct text_sink out = {{.write = write_text}, to, size_bytes > 0 ? size_bytes - 1 : 0};
    int length = format_run(&out.sink, format, arguments);
    if (size_bytes > 0) {
        *out.to = 0;
    }
    return length;
}

int vsprintf(char *restrict to, const char *restrict format, va_list arguments)
{
    return vsnprintf(to, (size_t)INT_MAX + 1, format, arguments);
}

struct stream_sink {
    struct sink sink;
    FILE *stream;
    bool failed;
};

static void write_stream(struct sink *sink, const char *text, size_t size_bytes)
{
    struct stream_sink *out = (struct stream_sink *)sink;
    out->failed = out->failed || !stream_put_locked(out->stream, text, size_bytes);
}

int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    struct stream_sink out = {{.write = write_stream}, stream, false};
    platform_lock(&stream->lock);
    int length = format_run(&out.sink, format, arguments);
    bool settled = stream_settle_locked(stream);
    platform_unlock(&stream->lock);
    return settled && !out.failed ? length : -1;
}

int vprintf(const char *restrict format, va_list arguments)
{
    return vfprintf(stdout, format, arguments);
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(stdout, format, arguments);
    va_end(arguments);
    return length;
}

int fprintf(FILE *restrict stream, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(stream, format, arguments);
    va_end(arguments);
    return length;
}

int snprintf(char *restrict to, size_t size_bytes, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size_bytes, format, arguments);
    va_end(arguments);
    return length;
}

int sprintf(char *restrict to, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf(to, format, arguments);
    va_end(arguments);
    return length;
}
