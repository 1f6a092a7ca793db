/* What the streams (StdIO and the ends of a pipe) share: how much a read takes, a write that has to
 * wait, and ready(). Kernel lock held. */
#pragma once

#include "kernel/core/call.h"

/* The generated setter of results that are one number. */
typedef void stream_setter(struct wire_builder results, uint32_t number);

/* --- reads --- */
/* Ok: the read takes what is there now. Else it waits in the list, with max_bytes in value[0], or
 * has answered the exception that nothing fits. */
status_t stream_begin_read(struct call *call, uint32_t max_bytes, bool ready,
                           struct list *reads) MUST_CHECK;
/* How many of the bytes that are there the read takes: no more than fit the caller's result buffer
 * beside the results, so that nothing is lost in an answer that does not fit. */
uint32_t stream_fit(const struct call *call, size_t there, uint32_t max_bytes);

/* --- writes --- */
/* Those that are kept have the address of what is left of their data, in the caller's memory, in
 * value[0], and its size in value[1]. What was taken is counted in aux, where the caller finds it
 * if the write is cancelled or fails. */
/* Of a write whose `data` lies in the CPU's request buffer, `done` bytes were taken before `s`.
 * Keeps it if more can be taken later, else answers how much that was, or `s` if it was nothing. */
status_t stream_end_write(const struct invocation *in, struct wire_span data, uint32_t done,
                          status_t s, struct list *writes, stream_setter *set_written) MUST_CHECK;
void stream_took(struct call *kept, uint32_t size);
void stream_finish_write(struct call *kept, status_t s, stream_setter *set_written);

/* --- ready --- */
/* ready(mask): completes at once if a bit of `state` is in the mask, else waits in the list. */
status_t stream_ready(const struct invocation *in, uint32_t mask, uint32_t state,
                      struct list *waiters, stream_setter *set_mask) MUST_CHECK;
/* Completes those that wait for a bit of `state`. */
void stream_wake_ready(struct list *waiters, uint32_t state, stream_setter *set_mask);
