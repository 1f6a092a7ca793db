/* What the streams share. See stream.h. A kept ready() has its mask in value[0]; a kept write
 * the address of what is left in value[0], and in value[1] how much is left (upper half) and
 * done. */
#include "kernel/cap/stream.h"

#include "kernel/arch/arch.h"
#include "kernel/core/sched.h"

uint32_t stream_room(const struct call *call)
{
    const struct method *m = call->method;
    /* the frame and the root's pointer come before the results */
    uint32_t words = 2u + m->results_data_words + m->results_pointer_words;
    uint32_t have = call->result_size / WIRE_WORD_BYTES;
    have = have < MESSAGE_MAX / WIRE_WORD_BYTES ? have : MESSAGE_MAX / WIRE_WORD_BYTES;
    return have > words ? (have - words) * WIRE_WORD_BYTES : 0;
}

status_t stream_check_read(struct call *call, uint32_t max_bytes)
{
    if (max_bytes > STREAM_CHUNK_MAX) {
        return call_bad_argument(call, "maxBytes", "more than 32 KiB in one call");
    }
    if (max_bytes > 0 && stream_room(call) == 0) {
        return call_bad_argument(call, NULL, "the result buffer has no room for data");
    }
    return STATUS_OK;
}

status_t stream_check_write(struct call *call, struct wire_span data)
{
    if (data.size > STREAM_CHUNK_MAX) {
        return call_bad_argument(call, "data", "more than 32 KiB in one call");
    }
    return STATUS_OK;
}

void stream_set_rest(struct call *call, struct wire_span data, uint32_t done)
{
    const uint8_t *bytes = data.data;
    uint64_t offset = (uint64_t)(bytes - arch_cpu()->request);
    KASSERT(!call->kept && done <= data.size && offset + data.size <= call->message_size);
    call->value[0] = call->message + offset + done;
    call->value[1] = (uint64_t)(data.size - done) << 32 | done;
}

struct stream_rest stream_rest(const struct call *kept)
{
    return (struct stream_rest){.address = kept->value[0],
                                .left = (uint32_t)(kept->value[1] >> 32),
                                .done = (uint32_t)kept->value[1]};
}

void stream_took(struct call *kept, uint32_t size)
{
    struct stream_rest rest = stream_rest(kept);
    KASSERT(size <= rest.left);
    kept->value[0] = rest.address + size;
    kept->value[1] = (uint64_t)(rest.left - size) << 32 | (rest.done + size);
}

void stream_leave_write(struct call *kept)
{
    call_leave_queue(kept);
    kept->aux = stream_rest(kept).done;
}

status_t stream_ready(const struct invocation *in, uint32_t mask, uint32_t state,
                      struct list *waiters, stream_set_mask *set_mask)
{
    if (mask == 0 || (mask & ~(READINESS_READABLE | READINESS_WRITABLE | READINESS_CLOSED)) != 0) {
        return call_bad_argument(in->call, "mask", "no bits of Readiness");
    }
    if ((mask & state) != 0) {
        set_mask(in->results, mask & state);
        return STATUS_OK;
    }
    in->call->value[0] = mask;
    return call_wait(in->call, waiters, call_leave_queue);
}

void stream_wake_ready(struct list *waiters, uint32_t state, stream_set_mask *set_mask)
{
    struct list *next;
    for (struct list *at = waiters->next; at != waiters; at = next) {
        struct call *call = CONTAINER_OF(at, struct call, queue);
        uint32_t bits = (uint32_t)call->value[0] & state;
        next = at->next;
        if (bits != 0) {
            list_remove(at);
            set_mask(call_reply(call), bits);
            call_finish(call, STATUS_OK);
        }
    }
}
