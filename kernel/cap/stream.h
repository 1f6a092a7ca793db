/* What the streams (StdIO and the ends of a pipe) share: room for data in an answer, data of a
 * call that has to wait, and ready(). Kernel lock held. */
#pragma once

#include "kernel/core/call.h"

/* How many bytes of data fit the caller's result buffer beside results of that shape: a read
 * takes no more, so that nothing is lost in an answer that does not fit. */
uint32_t stream_room(const struct call *call);

/* A count of bytes a call may ask for or bring. Answers the exception if it is above the bound
 * or, for a read, nothing fits. */
status_t stream_check_read(struct call *call, uint32_t max_bytes) MUST_CHECK;
status_t stream_check_write(struct call *call, struct wire_span data) MUST_CHECK;

/* A kept write: what is left of its data stays in the caller's memory, and is read from there
 * when there is room. */
struct stream_rest {
    uint64_t address;
    uint32_t left;
    uint32_t done;
};
/* Before call_wait(): `done` bytes of `data`, which lies in the CPU's request buffer, have been
 * taken. */
void stream_set_rest(struct call *call, struct wire_span data, uint32_t done);
struct stream_rest stream_rest(const struct call *kept);
void stream_took(struct call *kept, uint32_t size);
/* The cancel of a kept write: how much was taken is the completion's aux. */
void stream_leave_write(struct call *kept);

/* ready(mask): completes at once if a bit of `state` is in the mask, else waits in the list.
 * set_mask is the generated setter. */
typedef void stream_set_mask(struct wire_builder results, uint32_t mask);
status_t stream_ready(const struct invocation *in, uint32_t mask, uint32_t state,
                      struct list *waiters, stream_set_mask *set_mask) MUST_CHECK;
/* Completes those that wait for a bit of `state`. */
void stream_wake_ready(struct list *waiters, uint32_t state, stream_set_mask *set_mask);
