/* See link.h. */
#include "tools/capos/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GIVE_BACK_MIN \
    (HOST_LINK_OUTPUT_CREDIT / 4) /* few credit frames, yet the machine never waits */

void link_flush(struct link *link)
{
    size_t done = 0;
    while (done < link->out_size) {
        ssize_t put = send(link->fd, link->out + done, link->out_size - done, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && errno != EAGAIN) {
            done = link->out_size; /* the machine is gone; link_receive() will say so */
        }
        if (put <= 0) {
            break;
        }
        done += (size_t)put;
    }
    memmove(link->out, link->out + done, link->out_size - done);
    link->out_size -= done;
}

void link_send(struct link *link, enum host_link_type type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = (uint8_t)type, .length = size};
    size_t need = link->out_size + sizeof(header) + size;
    if (need > link->out_room) {
        link->out_room = need * 2;
        link->out = reallocate(link->out, link->out_room);
    }
    memcpy(link->out + link->out_size, &header, sizeof(header));
    if (size > 0) {
        memcpy(link->out + link->out_size + sizeof(header), payload, size);
    }
    link->out_size = need;
    if (type == HOST_LINK_STDIN) {
        link->input_credit -= size;
    }
    link_flush(link);
}

void link_begin(struct link *link, int fd, const struct host_link_host_hello *hello)
{
    link->fd = fd;
    link->output_credit = HOST_LINK_OUTPUT_CREDIT;
    link_send(link, HOST_LINK_HELLO, hello, sizeof(*hello));
}

void link_give_back(struct link *link, size_t size)
{
    link->owed += (uint32_t)size;
    if (link->owed >= GIVE_BACK_MIN && !link->exited) {
        link_send(link, HOST_LINK_CREDIT, &link->owed, sizeof(link->owed));
        link->output_credit += link->owed;
        link->owed = 0;
    }
}

static bool text_ends(const char *text)
{
    return memchr(text, 0, HOST_LINK_NAME_SIZE) != NULL;
}

/* The payload's length that a record of this type must have, or -1 when it may vary. -2: unknown.
 */
static int64_t length_of(uint8_t type)
{
    switch (type) {
    case HOST_LINK_HELLO:
        return sizeof(struct host_link_machine_hello);
    case HOST_LINK_CREDIT:
        return sizeof(uint32_t);
    case HOST_LINK_STDOUT:
    case HOST_LINK_STDERR:
    case HOST_LINK_LOG:
        return -1;
    case HOST_LINK_STARTED:
        return sizeof(struct host_link_started);
    case HOST_LINK_DENIAL:
        return sizeof(struct host_link_denial);
    case HOST_LINK_FAULT:
        return sizeof(struct host_link_fault);
    case HOST_LINK_CLAIM:
    case HOST_LINK_REFUSED:
        return 1;
    case HOST_LINK_EXIT:
        return sizeof(struct host_link_exit);
    default:
        return -2;
    }
}

static const char *header_problem(const struct link *link, const struct host_link_header *h)
{
    int64_t length = length_of(h->type);
    if (length == -2 || h->length > HOST_LINK_MAX_PAYLOAD ||
        (length >= 0 && h->length != (uint64_t)length)) {
        return "an unknown frame, or one of a wrong length";
    }
    if (link->exited) {
        return "a frame after the exit record";
    }
    if (link->greeted == (h->type == HOST_LINK_HELLO)) {
        return link->greeted ? "a second HELLO" : "a frame before HELLO";
    }
    if ((h->type == HOST_LINK_STDOUT || h->type == HOST_LINK_STDERR) &&
        h->length > link->output_credit) {
        return "more output than its credit";
    }
    return NULL;
}

static const char *take_hello(struct link *link, const uint8_t *payload)
{
    struct host_link_machine_hello hello;
    memcpy(&hello, payload, sizeof(hello));
    link->greeted = true;
    return hello.magic == HOST_LINK_MAGIC && hello.version == HOST_LINK_VERSION
               ? NULL
               : "another protocol or version; build the kernel again";
}

static const char *take_credit(struct link *link, const uint8_t *payload)
{
    uint32_t more;
    memcpy(&more, payload, sizeof(more));
    if (more > HOST_LINK_INPUT_CREDIT - link->input_credit) {
        return "more input credit than there is";
    }
    link->input_credit += more;
    return NULL;
}

static const char *take_record(const struct link_events *events, uint8_t type,
                               const uint8_t *payload)
{
    if (type == HOST_LINK_DENIAL) {
        struct host_link_denial denial;
        memcpy(&denial, payload, sizeof(denial));
        if (!text_ends(denial.process_name) || !text_ends(denial.name) ||
            !text_ends(denial.grant)) {
            return "a denial with text that does not end";
        }
        events->denial(events->context, &denial);
        return NULL;
    }
    struct host_link_fault fault;
    memcpy(&fault, payload, sizeof(fault));
    if (!text_ends(fault.process_name) || !text_ends(fault.binary) ||
        fault.frame_count > BACKTRACE_MAX) {
        return "a fault record that is not well-formed";
    }
    events->fault(events->context, &fault);
    return NULL;
}

/* A frame whose header was checked. NULL: it was good. */
static const char *take_frame(struct link *link, const struct link_events *events,
                              const struct host_link_header *h, const uint8_t *payload)
{
    switch (h->type) {
    case HOST_LINK_HELLO:
        return take_hello(link, payload);
    case HOST_LINK_CREDIT:
        return take_credit(link, payload);
    case HOST_LINK_STDOUT:
    case HOST_LINK_STDERR:
        link->output_credit -= h->length;
        events->data(events->context,
                     h->type == HOST_LINK_STDOUT ? HOST_LINK_STREAM_OUT : HOST_LINK_STREAM_ERR,
                     payload, h->length);
        return NULL;
    case HOST_LINK_LOG:
        events->log(events->context, payload, h->length);
        return NULL;
    case HOST_LINK_STARTED: {
        struct host_link_started started;
        memcpy(&started, payload, sizeof(started));
        events->started(events->context, &started);
        return NULL;
    }
    case HOST_LINK_CLAIM:
        events->claim(events->context, payload[0] != 0);
        return NULL;
    case HOST_LINK_REFUSED:
        events->refused(events->context,
                        payload[0] == HOST_LINK_STREAM_ERR ? HOST_LINK_STREAM_ERR
                                                           : HOST_LINK_STREAM_OUT);
        return NULL;
    case HOST_LINK_EXIT: {
        struct host_link_exit exit;
        memcpy(&exit, payload, sizeof(exit));
        link->exited = true;
        events->exit(events->context, &exit);
        return NULL;
    }
    default:
        return take_record(events, h->type, payload);
    }
}

/* Takes the whole frames in the buffer. */
static void take_frames(struct link *link, const struct link_events *events)
{
    size_t at = 0;
    while (link->problem == NULL && link->in_size - at >= sizeof(struct host_link_header)) {
        struct host_link_header header;
        memcpy(&header, link->in + at, sizeof(header));
        link->problem = header_problem(link, &header);
        if (link->problem != NULL || link->in_size - at - sizeof(header) < header.length) {
            break;
        }
        link->problem = take_frame(link, events, &header, link->in + at + sizeof(header));
        at += sizeof(header) + header.length;
    }
    memmove(link->in, link->in + at, link->in_size - at);
    link->in_size -= at;
}

enum link_result link_receive(struct link *link, const struct link_events *events)
{
    for (;;) {
        ssize_t got = recv(link->fd, link->in + link->in_size, LINK_BUFFER - link->in_size, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            return LINK_OK;
        }
        if (got <= 0) {
            return LINK_CLOSED;
        }
        link->in_size += (size_t)got;
        take_frames(link, events);
        if (link->problem != NULL) {
            return LINK_BROKEN;
        }
    }
}
