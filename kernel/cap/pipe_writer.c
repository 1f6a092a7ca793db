/* PipeWriter: the end that bytes go into. A write waits until all is taken; those that wait are
 * served in their order.
 *
 * When a write cannot go on for lack of budget or memory after part of it was taken, it answers
 * how much that was. */
#include "kernel/cap/pipe.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/pipe_writer.h"

static struct pipe *of_writer(struct object *o)
{
    KASSERT(o->class == &pipe_writer_class);
    return CONTAINER_OF(o, struct pipe, writer);
}

static void cancel_write(struct call *call)
{
    list_remove(&call->queue);
    stream_note_done(call);
}

/* The rest waits in the caller's memory. */
static status_t wait(struct pipe *p, struct call *call, struct wire_span data, uint32_t done)
{
    struct call *kept;
    status_t s = call_keep(call, cancel_write, &kept);
    if (s != STATUS_OK) {
        return s;
    }
    stream_set_rest(kept, data, done);
    list_append(&p->writes, &kept->queue);
    return STATUS_PENDING;
}

status_t pipe_writer_write(struct object *self, struct call *call, struct wire_reader params,
                           struct wire_builder results)
{
    struct pipe *p = of_writer(self);
    struct wire_span data = pipe_writer_write_params_data(params);
    uint32_t done = 0;
    status_t s = stream_check_write(call, data);
    if (s != STATUS_OK) {
        return s;
    }
    if (p->reader_gone) {
        return STATUS_DISCONNECTED;
    }
    if (list_empty(&p->writes)) {
        s = pipe_put(p, call_account(call), NULL, (uint64_t)(uintptr_t)data.data,
                     (uint32_t)data.size, &done);
    }
    if (s == STATUS_OK && done < data.size) {
        s = wait(p, call, data, done);
    }
    pipe_serve(p); /* readers may go on, and then the call that waits */
    if (s == STATUS_PENDING || done == 0) {
        return s;
    }
    pipe_writer_write_results_set_written(results, done);
    return STATUS_OK;
}

status_t pipe_writer_ready(struct object *self, struct call *call, struct wire_reader params,
                           struct wire_builder results)
{
    struct pipe *p = of_writer(self);
    return stream_ready(call, results, pipe_writer_ready_params_mask(params), pipe_writer_state(p),
                        &p->writer_readies, pipe_writer_ready_results_set_mask);
}

static void pipe_writer_destroy(struct object *o)
{
    struct pipe *p = of_writer(o);
    KASSERT(!p->writer_gone);
    p->writer_gone = true;
    pipe_end_gone(p);
}

const struct object_class pipe_writer_class = {.interface = &pipe_writer_interface,
                                               .destroy = pipe_writer_destroy};
