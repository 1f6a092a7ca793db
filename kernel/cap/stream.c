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
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "more than 32 KiB in one call",
                              "maxBytes");
    }
    if (max_bytes > 0 && stream_room(call) == 0) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the result buffer has no room for data", NULL);
    }
    return STATUS_OK;
}

status_t stream_check_write(struct call *call, struct wire_span data)
{
    if (data.size > STREAM_CHUNK_MAX) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "more than 32 KiB in one call",
                              "data");
    }
    return STATUS_OK;
}

void stream_set_rest(struct call *kept, struct wire_span data, uint32_t done)
{
    const uint8_t *bytes = data.data;
    uint64_t offset = (uint64_t)(bytes - arch_cpu()->request);
    KASSERT(kept->kept && done <= data.size && offset + data.size <= kept->message_size);
    kept->value[0] = kept->message + offset + done;
    kept->value[1] = (uint64_t)(data.size - done) << 32 | done;
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

void stream_note_done(struct call *kept)
{
    kept->aux = stream_rest(kept).done;
}

static void cancel_ready(struct call *call)
{
    list_remove(&call->queue);
}

status_t stream_ready(struct call *call, struct wire_builder results, uint32_t mask, uint32_t state,
                      struct list *waiters, stream_set_mask *set_mask)
{
    struct call *kept;
    if (mask == 0 || (mask & ~(READINESS_READABLE | READINESS_WRITABLE | READINESS_CLOSED)) != 0) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "no bits of Readiness",
                              "mask");
    }
    if ((mask & state) != 0) {
        set_mask(results, mask & state);
        return STATUS_OK;
    }
    status_t s = call_keep(call, cancel_ready, &kept);
    if (s != STATUS_OK) {
        return s;
    }
    kept->value[0] = mask;
    list_append(waiters, &kept->queue);
    return STATUS_PENDING;
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
