/* The caller's three streams. Output of the machine is queued in the order in which it came and
 * written as the descriptors take it; nothing here waits. Descriptors are shared with the caller's
 * other programs, so they are never made non-blocking: poll first, then at most PIPE_BUF bytes. */
#pragma once

#include <sys/types.h>

#include "abi/host_link.h"
#include "tools/image/base.h"

struct streams_run; /* a stretch of bytes for one stream */

struct streams {
    uint8_t bytes[HOST_LINK_OUTPUT_CREDIT]; /* a ring */
    size_t first, used;
    struct streams_run *runs; /* a ring too, in the order of the bytes */
    size_t run_first, run_count, run_room;
    bool closed[3]; /* by host_link_stream */
    int error[3];   /* why, for those closed */
};

/* A caller may have started us with some of the three closed. */
void streams_begin(struct streams *streams);
/* Queues; the credit guarantees that there is room. Bytes for a closed stream are dropped later, in
 * their turn. */
void streams_put(struct streams *streams, enum host_link_stream stream, const uint8_t *bytes,
                 size_t size);
/* Writes what can be written at once. Returns how many bytes were written or dropped. */
size_t streams_flush(struct streams *streams);
/* The stream that holds the queue up; HOST_LINK_STREAM_IN: nothing is queued. */
enum host_link_stream streams_waiting(const struct streams *streams);
/* Reads input: >0 bytes, 0 the end (also after an error), -1 nothing there after all. */
ssize_t streams_read(struct streams *streams, uint8_t *to, size_t size);
/* Poll has said that the other end is gone. */
void streams_close(struct streams *streams, enum host_link_stream stream, int error);
