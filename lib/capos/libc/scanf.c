/*
 * scanf.c: the scanf family over the engine in scan.c.
 */
#include "lib/capos/libc/scan.h"
#include "lib/capos/libc/stream.h"

int vsscanf(const char *restrict text, const char *restrict format, va_list arguments)
{
    struct source source;
    source_from_text(&source, text);
    return scan_run(&source, format, arguments);
}

static int fetch(struct source *source)
{
    return stream_take_locked(source->from);
}

int vfscanf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    struct source source = {.fetch = fetch, .from = stream, .left = SIZE_MAX};
    platform_lock(&stream->lock);
    int assigned = scan_run(&source, format, arguments);
    if (source.looked && source.current != EOF) {
        stream_push_locked(stream, source.current);
    }
    platform_unlock(&stream->lock);
    return assigned;
}

int vscanf(const char *restrict format, va_list arguments)
{
    return vfscanf(stdin, format, arguments);
}

int sscanf(const char *restrict text, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int assigned = vsscanf(text, format, arguments);
    va_end(arguments);
    return assigned;
}

int fscanf(FILE *restrict stream, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int assigned = vfscanf(stream, format, arguments);
    va_end(arguments);
    return assigned;
}

int scanf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int assigned = vfscanf(stdin, format, arguments);
    va_end(arguments);
    return assigned;
}
