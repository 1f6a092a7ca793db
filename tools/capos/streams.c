/* See streams.h. */
#include "tools/capos/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct streams_run {
    enum host_link_stream stream;
    size_t size;
};

void streams_begin(struct streams *s)
{
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            s->closed[fd] = true;
            s->error[fd] = EBADF;
            /* Nothing else of ours may get this number. */
            if (open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) {
                fail(TOOL_FAILED, "the descriptor %d is closed and cannot be opened", fd);
            }
        }
    }
}

static struct streams_run *run_at(const struct streams *s, size_t index)
{
    return &s->runs[(s->run_first + index) % s->run_room];
}

static void add_run(struct streams *s, enum host_link_stream stream, size_t size)
{
    if (s->run_count > 0 && run_at(s, s->run_count - 1)->stream == stream) {
        run_at(s, s->run_count - 1)->size += size;
        return;
    }
    if (s->run_count == s->run_room) {
        size_t room = s->run_room * 2 + 16;
        struct streams_run *runs = allocate(room * sizeof(*runs));
        for (size_t i = 0; i < s->run_count; i++) {
            runs[i] = *run_at(s, i);
        }
        free(s->runs);
        s->runs = runs;
        s->run_room = room;
        s->run_first = 0;
    }
    s->run_count++;
    *run_at(s, s->run_count - 1) = (struct streams_run){stream, size};
}

void streams_put(struct streams *s, enum host_link_stream stream, const uint8_t *bytes, size_t size)
{
    if (size > sizeof(s->bytes) - s->used) {
        fail(TOOL_FAILED, "output beyond its credit: a mistake in capos");
    }
    if (size == 0) {
        return;
    }
    size_t at = (s->first + s->used) % sizeof(s->bytes);
    size_t to_edge = sizeof(s->bytes) - at;
    size_t step = size < to_edge ? size : to_edge;
    memcpy(s->bytes + at, bytes, step);
    memcpy(s->bytes, bytes + step, size - step);
    s->used += size;
    add_run(s, stream, size);
}

void streams_close(struct streams *s, enum host_link_stream stream, int error)
{
    if (!s->closed[stream]) {
        s->closed[stream] = true;
        s->error[stream] = error;
    }
}

/* As much of the oldest run as its descriptor takes now; 0: it takes nothing. */
static size_t flush_run(struct streams *s, const struct streams_run *run)
{
    size_t to_edge = sizeof(s->bytes) - s->first;
    size_t size = run->size < to_edge ? run->size : to_edge;
    struct pollfd poll_fd = {.fd = (int)run->stream, .events = POLLOUT};
    if (s->closed[run->stream]) {
        return size;
    }
    if (poll(&poll_fd, 1, 0) != 1 || poll_fd.revents == 0) {
        return 0;
    }
    size = size < PIPE_BUF ? size : PIPE_BUF;
    ssize_t put = write((int)run->stream, s->bytes + s->first, size);
    if (put < 0 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }
    if (put < 0) {
        streams_close(s, run->stream, errno);
        return size;
    }
    return (size_t)put;
}

size_t streams_flush(struct streams *s)
{
    size_t total = 0;
    while (s->run_count > 0) {
        struct streams_run *run = run_at(s, 0);
        size_t done = flush_run(s, run);
        if (done == 0) {
            break;
        }
        s->first = (s->first + done) % sizeof(s->bytes);
        s->used -= done;
        total += done;
        run->size -= done;
        if (run->size == 0) {
            s->run_first = (s->run_first + 1) % s->run_room;
            s->run_count--;
        }
    }
    return total;
}

enum host_link_stream streams_waiting(const struct streams *s)
{
    return s->run_count > 0 ? run_at(s, 0)->stream : HOST_LINK_STREAM_IN;
}

ssize_t streams_read(struct streams *s, uint8_t *to, size_t size)
{
    if (s->closed[HOST_LINK_STREAM_IN]) {
        return 0;
    }
    ssize_t got = read(STDIN_FILENO, to, size);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) {
        return -1;
    }
    if (got < 0) {
        streams_close(s, HOST_LINK_STREAM_IN, errno);
        return 0;
    }
    return got;
}
