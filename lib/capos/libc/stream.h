/*
 * stream.h: the three streams behind FILE. Within lib/capos/libc only.
 *
 * Functions named *_locked want the stream's lock held. Output is gathered with stream_put_locked
 * and a call of stream_settle_locked ends each public function: it writes what the buffering mode
 * does not let wait.
 */
#ifndef CAPOS_LIBC_STREAM_H
#define CAPOS_LIBC_STREAM_H

#include "lib/capos/libc/platform.h"
#include <stdio.h>

/* One is guaranteed by the standard; scanf may add one of its own behind it. */
#define STREAM_PUSHED_MAX 8

struct capos_stream {
    uint32_t lock;
    enum platform_stream which;
    int mode; /* _IOFBF, _IOLBF, _IONBF; STREAM_MODE_UNSET until the first output */
    bool failed;
    bool ended;
    unsigned pushed_count;
    unsigned char pushed[STREAM_PUSHED_MAX];
    const unsigned char *next; /* input: what was read and not taken is [next, end) */
    const unsigned char *end;
    char *buffer; /* output: `used` of `capacity` bytes are waiting; NULL until the first output */
    size_t used;
    size_t capacity;
    bool line_ended; /* a newline came since the last settling */
};

#define STREAM_MODE_UNSET (-1)

/* The next byte or EOF. */
int stream_take_locked(FILE *stream);

/* Make `c` the next byte; false if too many were pushed back. */
bool stream_push_locked(FILE *stream, int c);

bool stream_put_locked(FILE *stream, const char *from, size_t size_bytes);
bool stream_settle_locked(FILE *stream);

#endif
