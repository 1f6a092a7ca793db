/* PipeWriter: the end that bytes go into. A write waits until all is taken; those that wait are
 * served in their order.
 *
 * When a write cannot go on for lack of budget or memory after part of it was taken, it answers
 * how much that was. */
#include "kernel/cap/pipe.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/pipe_writer.h"

status_t pipe_writer_write(const struct invocation *in, struct wire_span data)
{
    struct pipe *p = pipe_of(in->self);
    uint32_t done = 0;
    status_t s = STATUS_OK;
    if (p->reader_gone) {
        return STATUS_DISCONNECTED;
    }
    if (list_empty(&p->writes)) {
        s = pipe_put(p, call_account(in->call), NULL, (uint64_t)(uintptr_t)data.data,
                     (uint32_t)data.size, &done);
    }
    s = stream_end_write(in, data, done, s, &p->writes, pipe_writer_write_results_set_written);
    pipe_serve(p); /* readers may go on, and then the call that waits */
    return s;
}

status_t pipe_writer_ready(const struct invocation *in, uint32_t mask)
{
    struct pipe *p = pipe_of(in->self);
    return stream_ready(in, mask, pipe_writer_state(p), &p->writer_readies,
                        pipe_writer_ready_results_set_mask);
}

const struct object_class pipe_writer_class = {.interface = &pipe_writer_interface,
                                               .destroy = pipe_end_destroy};
