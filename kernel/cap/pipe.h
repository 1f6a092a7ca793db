/* Pipes: bytes from writers to readers, first in, first out. Inside of pipe.c, pipe_reader.c and
 * pipe_writer.c.
 *
 * The two ends are two faces of one piece of memory. An end is gone when its last reference is,
 * calls in flight included: then readers find the end of the file behind the last byte, and
 * writers `disconnected`.
 *
 * Bytes lie in up to PIPE_PAGES frames, taken when a write reaches them and given back when a
 * read has emptied them; an empty pipe has none. A frame is charged, as queued bytes and as a
 * frame, to the account of whoever wrote its first byte: so what a program has written and
 * nobody has read is its own expense, and the pipe's maker cannot be made to pay for others.
 *
 * Invariants: head <= tail, tail - head <= PIPE_CAPACITY, both free-running; a page has a frame
 * if and only if it holds a byte; readers wait only while the pipe is empty, writers only while
 * it is full or others wait before them. Kernel lock held. */
#pragma once

#include "kernel/cap/stream.h"
#include "kernel/core/ledger.h"

struct address_space;

#define PIPE_PAGES (PIPE_CAPACITY / PAGE_SIZE)

struct pipe_page {
    frame_t frame;           /* FRAME_NONE: none */
    struct account *account; /* that pays for it */
};

struct pipe {
    struct object reader, writer;
    struct account *account; /* that pays for this record */
    bool reader_gone, writer_gone;
    uint32_t head, tail;     /* bytes ever read and written */
    struct pipe_page pages[PIPE_PAGES];
    /* kept calls: value[0]: at most how many bytes; stream.h */
    struct list reads, writes;
    struct list reader_readies, writer_readies; /* kept calls: stream.h */
};

extern const struct object_class pipe_reader_class, pipe_writer_class;

static inline uint32_t pipe_used(const struct pipe *p)
{
    return p->tail - p->head;
}

/* Up to `size` bytes into it, from kernel memory, or from `as` if that is not NULL; *done says how
 * many. They are charged to `a`. Errors: badAddress, the ledger's; what was put before stays. */
status_t pipe_put(struct pipe *p, struct account *a, struct address_space *as, uint64_t from,
                  uint32_t size, uint32_t *done) MUST_CHECK;
/* After bytes or ends have come or gone: completes every call that can go on. */
void pipe_serve(struct pipe *p);
uint32_t pipe_reader_state(const struct pipe *p); /* bits of Readiness */
uint32_t pipe_writer_state(const struct pipe *p);
void pipe_answer_read(struct pipe *p, const struct call *call, uint32_t max_bytes,
                      struct wire_builder results);
struct pipe *pipe_of(struct object *end);  /* of both classes */
void pipe_end_destroy(struct object *end); /* likewise */
