/* PipeReader: the end that bytes come out of. A read takes what is there, or waits for the first
 * byte or the end. */
#include "kernel/cap/pipe.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/pipe_reader.h"

status_t pipe_reader_read(const struct invocation *in, uint32_t max_bytes)
{
    struct pipe *p = pipe_of(in->self);
    bool ready = pipe_used(p) != 0 || p->writer_gone;
    status_t s = stream_begin_read(in->call, max_bytes, ready, &p->reads);
    if (s == STATUS_OK) {
        KASSERT(list_empty(&p->reads) || max_bytes == 0);
        pipe_answer_read(p, in->call, max_bytes, in->results);
        pipe_serve(p); /* writers may go on */
    }
    return s;
}

status_t pipe_reader_ready(const struct invocation *in, uint32_t mask)
{
    struct pipe *p = pipe_of(in->self);
    return stream_ready(in, mask, pipe_reader_state(p), &p->reader_readies,
                        pipe_reader_ready_results_set_mask);
}

const struct object_class pipe_reader_class = {.interface = &pipe_reader_interface,
                                               .destroy = pipe_end_destroy};
