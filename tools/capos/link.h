/* The host's end of the link's protocol (abi/host_link.h): frames in and out over a non-blocking
 * descriptor. It knows nothing of terminals and files; the session does.
 *
 * What the machine sends is checked. The first thing that is not of the protocol makes
 * link_receive() answer LINK_BROKEN, with the reason in `problem`. */
#pragma once

#include "abi/host_link.h"
#include "tools/image/base.h"

#define LINK_BUFFER (64 * 1024)

struct link {
    int fd;
    uint8_t in[LINK_BUFFER];
    size_t in_size;
    uint8_t *out; /* what the descriptor has not taken yet */
    size_t out_size, out_room;
    uint32_t input_credit;  /* we may send */
    uint32_t output_credit; /* the machine may still send */
    uint32_t owed;          /* output bytes handed on, whose credit was not given back yet */
    bool greeted, exited;
    const char *problem;
};

enum link_result { LINK_OK, LINK_CLOSED, LINK_BROKEN };

/* What comes from the machine; called from link_receive(). */
struct link_events {
    void *context;
    void (*data)(void *context, enum host_link_stream stream, const uint8_t *bytes, size_t size);
    void (*log)(void *context, const uint8_t *bytes, size_t size);
    void (*started)(void *context, const struct host_link_started *started);
    void (*denial)(void *context, const struct host_link_denial *denial);
    void (*fault)(void *context, const struct host_link_fault *fault);
    void (*claim)(void *context, bool claimed);
    void (*refused)(void *context, enum host_link_stream stream);
    void (*exit)(void *context, const struct host_link_exit *exit);
};

void link_begin(struct link *link, int fd, const struct host_link_host_hello *hello);
/* Takes what has come. Not LINK_OK: no more will come. */
enum link_result link_receive(struct link *link, const struct link_events *events);
/* Queues a frame and sends what the descriptor takes. Input needs the credit. */
void link_send(struct link *link, enum host_link_type type, const void *payload, uint32_t size);
/* Sends more of what is queued. */
void link_flush(struct link *link);
/* So many output bytes were handed on or dropped. */
void link_give_back(struct link *link, size_t size);
