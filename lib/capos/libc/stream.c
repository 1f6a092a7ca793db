/*
 * stream.c: the streams of stdio.h. A stream has a lock of its own, held for the whole of each
 * public function, so what one printf writes stays together. Input is used in place where the
 * kernel put it; output is gathered in place where the kernel will read it.
 */
#include "lib/capos/libc/stream.h"
#include <string.h>

FILE capos_stdin = {.which = PLATFORM_STDIN, .mode = _IOFBF};
FILE capos_stdout = {.which = PLATFORM_STDOUT, .mode = STREAM_MODE_UNSET};
FILE capos_stderr = {.which = PLATFORM_STDERR, .mode = _IONBF};

static bool write_out(FILE *stream)
{
    bool written = stream->used == 0 || platform_output(stream->which, stream->used);
    stream->used = 0;
    stream->failed |= !written;
    return written;
}

static void flush_at_exit(void)
{
    fflush(NULL);
}

static bool open_output(FILE *stream)
{
    if (stream->which == PLATFORM_STDIN ||
        !platform_output_buffer(stream->which, &stream->buffer, &stream->capacity)) {
        stream->failed = true;
        return false;
    }
    if (stream->mode == STREAM_MODE_UNSET) {
        stream->mode = platform_is_terminal(stream->which) ? _IOLBF : _IOFBF;
    }
    platform_flush_at_exit = flush_at_exit;
    return true;
}

bool stream_put_locked(FILE *stream, const char *from, size_t size_bytes)
{
    if (stream->buffer == NULL && !open_output(stream)) {
        return false;
    }
    if (stream->mode == _IOLBF && !stream->line_ended) {
        stream->line_ended = memchr(from, '\n', size_bytes) != NULL;
    }
    while (size_bytes > stream->capacity - stream->used) {
        size_t part = stream->capacity - stream->used;
        memcpy(stream->buffer + stream->used, from, part);
        stream->used = stream->capacity;
        from += part;
        size_bytes -= part;
        if (!write_out(stream)) {
            return false;
        }
    }
    memcpy(stream->buffer + stream->used, from, size_bytes);
    stream->used += size_bytes;
    return true;
}

bool stream_settle_locked(FILE *stream)
{
    if (stream->mode == _IONBF || stream->line_ended) {
        stream->line_ended = false;
        return write_out(stream);
    }
    return true;
}

/* Before waiting for input, show what was asked for on a terminal. */
static void show_prompt(void)
{
    platform_lock(&capos_stdout.lock);
    if (capos_stdout.mode == _IOLBF) {
        write_out(&capos_stdout);
    }
    platform_unlock(&capos_stdout.lock);
}

/* Have at least one byte in [next, end); false at the end of input, which stays the end until
 * clearerr, or in error. */
static bool refill(FILE *stream)
{
    size_t size_bytes;
    if (stream->ended) {
        return false;
    }
    if (stream->which != PLATFORM_STDIN) {
        stream->failed = true;
        return false;
    }
    show_prompt();
    if (!platform_input(&stream->next, &size_bytes)) {
        stream->next = stream->end;
        stream->failed = true;
        return false;
    }
    stream->end = stream->next + size_bytes;
    stream->ended = size_bytes == 0;
    return !stream->ended;
}

int stream_take_locked(FILE *stream)
{
    if (stream->pushed_count > 0) {
        return stream->pushed[--stream->pushed_count];
    }
    if (stream->next == stream->end && !refill(stream)) {
        return EOF;
    }
    return *stream->next++;
}

bool stream_push_locked(FILE *stream, int c)
{
    if (stream->pushed_count == STREAM_PUSHED_MAX) {
        return false;
    }
    stream->pushed[stream->pushed_count++] = (unsigned char)c;
    stream->ended = false;
    return true;
}

int fgetc(FILE *stream)
{
    platform_lock(&stream->lock);
    int c = stream_take_locked(stream);
    platform_unlock(&stream->lock);
    return c;
}

int getc(FILE *stream)
{
    return fgetc(stream);
}

int getchar(void)
{
    return fgetc(stdin);
}

int ungetc(int c, FILE *stream)
{
    if (c == EOF) {
        return EOF;
    }
    platform_lock(&stream->lock);
    bool pushed = stream_push_locked(stream, c);
    platform_unlock(&stream->lock);
    return pushed ? (unsigned char)c : EOF;
}

static size_t read_locked(FILE *stream, unsigned char *to, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes && stream->pushed_count > 0) {
        to[done++] = stream->pushed[--stream->pushed_count];
    }
    while (done < size_bytes && (stream->next != stream->end || refill(stream))) {
        size_t part = (size_t)(stream->end - stream->next);
        part = part < size_bytes - done ? part : size_bytes - done;
        memcpy(to + done, stream->next, part);
        stream->next += part;
        done += part;
    }
    return done;
}

size_t fread(void *restrict to, size_t size_bytes, size_t count, FILE *restrict stream)
{
    size_t total;
    if (size_bytes == 0 || __builtin_mul_overflow(size_bytes, count, &total)) {
        return 0;
    }
    platform_lock(&stream->lock);
    size_t done = read_locked(stream, to, total);
    platform_unlock(&stream->lock);
    return done / size_bytes;
}

/* A line, or what fits of it, without the terminating zero; returns its length. */
static size_t read_line_locked(FILE *stream, char *to, size_t limit)
{
    size_t done = 0;
    while (done < limit && (done == 0 || to[done - 1] != '\n')) {
        if (stream->pushed_count > 0) {
            to[done++] = (char)stream->pushed[--stream->pushed_count];
            continue;
        }
        if (stream->next == stream->end && !refill(stream)) {
            break;
        }
        size_t part = (size_t)(stream->end - stream->next);
        part = part < limit - done ? part : limit - done;
        const unsigned char *newline = memchr(stream->next, '\n', part);
        part = newline != NULL ? (size_t)(newline - stream->next) + 1 : part;
        memcpy(to + done, stream->next, part);
        stream->next += part;
        done += part;
    }
    return done;
}

char *fgets(char *restrict to, int size_bytes, FILE *restrict stream)
{
    if (size_bytes <= 0) {
        return NULL;
    }
    platform_lock(&stream->lock);
    bool failed_before = stream->failed;
    stream->failed = false;
    size_t length = read_line_locked(stream, to, (size_t)size_bytes - 1);
    bool failed = stream->failed;
    stream->failed |= failed_before;
    platform_unlock(&stream->lock);
    if (failed || (length == 0 && size_bytes > 1)) {
        return NULL;
    }
    to[length] = 0;
    return to;
}

static bool write_locked(FILE *stream, const char *from, size_t size_bytes)
{
    bool put = stream_put_locked(stream, from, size_bytes);
    return stream_settle_locked(stream) && put;
}

int fputc(int c, FILE *stream)
{
    char byte = (char)c;
    platform_lock(&stream->lock);
    bool written = write_locked(stream, &byte, 1);
    platform_unlock(&stream->lock);
    return written ? (unsigned char)c : EOF;
}

int putc(int c, FILE *stream)
{
    return fputc(c, stream);
}

int putchar(int c)
{
    return fputc(c, stdout);
}

size_t fwrite(const void *restrict from, size_t size_bytes, size_t count, FILE *restrict stream)
{
    size_t total;
    if (size_bytes == 0 || count == 0 || __builtin_mul_overflow(size_bytes, count, &total)) {
        return 0;
    }
    platform_lock(&stream->lock);
    bool written = write_locked(stream, from, total);
    platform_unlock(&stream->lock);
    return written ? count : 0;
}

int fputs(const char *restrict text, FILE *restrict stream)
{
    platform_lock(&stream->lock);
    bool written = write_locked(stream, text, strlen(text));
    platform_unlock(&stream->lock);
    return written ? 0 : EOF;
}

int puts(const char *text)
{
    platform_lock(&stdout->lock);
    bool put = stream_put_locked(stdout, text, strlen(text));
    bool written = write_locked(stdout, "\n", 1) && put;
    platform_unlock(&stdout->lock);
    return written ? 0 : EOF;
}

static bool flush(FILE *stream)
{
    platform_lock(&stream->lock);
    stream->line_ended = false;
    bool written = write_out(stream);
    platform_unlock(&stream->lock);
    return written;
}

int fflush(FILE *stream)
{
    bool written;
    if (stream != NULL) {
        written = flush(stream);
    } else {
        written = flush(stdout);
        written = flush(stderr) && written;
    }
    return written ? 0 : EOF;
}

int setvbuf(FILE *restrict stream, char *restrict buffer, int mode, size_t size_bytes)
{
    (void)buffer;
    (void)size_bytes;
    if (mode != _IOFBF && mode != _IOLBF && mode != _IONBF) {
        return -1;
    }
    flush(stream);
    platform_lock(&stream->lock);
    stream->mode = mode;
    platform_unlock(&stream->lock);
    return 0;
}

void setbuf(FILE *restrict stream, char *restrict buffer)
{
    setvbuf(stream, buffer, buffer != NULL ? _IOFBF : _IONBF, BUFSIZ);
}

int feof(FILE *stream)
{
    platform_lock(&stream->lock);
    bool ended = stream->ended;
    platform_unlock(&stream->lock);
    return ended;
}

int ferror(FILE *stream)
{
    platform_lock(&stream->lock);
    bool failed = stream->failed;
    platform_unlock(&stream->lock);
    return failed;
}

void clearerr(FILE *stream)
{
    platform_lock(&stream->lock);
    stream->ended = false;
    stream->failed = false;
    platform_unlock(&stream->lock);
}
