/* What the streams share. See stream.h. A kept ready() has its mask in value[0]. */
#include "kernel/cap/stream.h"

#include "kernel/arch/arch.h"
#include "kernel/core/sched.h"

static uint32_t room_of(const struct call *call)
{
    const struct method *m = call->method;
    /* the frame and the root's pointer come before the results */
    uint32_t words = 2u + m->results_data_words + m->results_pointer_words;
    uint32_t have = MIN(call->result_size, MESSAGE_MAX) / WIRE_WORD_BYTES;
    return have > words ? (have - words) * WIRE_WORD_BYTES : 0;
}

status_t stream_begin_read(struct call *call, uint32_t max_bytes, bool ready, struct list *reads)
{
    KASSERT(max_bytes <= STREAM_CHUNK_MAX);
    if (max_bytes > 0 && room_of(call) == 0) {
        return call_bad_argument(call, NULL, "the result buffer has no room for data");
    }
    if (max_bytes == 0 || ready) {
        return STATUS_OK;
    }
    call->value[0] = max_bytes;
    return call_wait(call, reads, call_leave_queue);
}

uint32_t stream_fit(const struct call *call, size_t there, uint32_t max_bytes)
{
    uint32_t room = MIN(room_of(call), max_bytes);
    return there < room ? (uint32_t)there : room;
}

status_t stream_end_write(const struct invocation *in, struct wire_span data, uint32_t done,
                          status_t s, struct list *writes, stream_setter *set_written)
{
    struct call *call = in->call;
    if (s == STATUS_OK && done < data.size) {
        uint64_t offset = (uint64_t)((const uint8_t *)data.data - arch_cpu()->request);
        KASSERT(!call->kept && offset + data.size <= call->message_size);
        call->value[0] = call->message + offset + done;
        call->value[1] = data.size - done;
        call->completion.aux = done;
        s = call_wait(call, writes, call_leave_queue);
    }
    if (s == STATUS_PENDING || done == 0) {
        return s;
    }
    call->completion.aux = 0;
    set_written(in->results, done);
    return STATUS_OK;
}

void stream_took(struct call *kept, uint32_t size)
{
    KASSERT(size <= kept->value[1]);
    kept->value[0] += size;
    kept->value[1] -= size;
    kept->completion.aux += size;
}

void stream_finish_write(struct call *kept, status_t s, stream_setter *set_written)
{
    list_remove(&kept->queue);
    if (s == STATUS_OK) {
        set_written(call_reply(kept), kept->completion.aux);
        kept->completion.aux = 0;
    }
    call_finish(kept, s);
}

status_t stream_ready(const struct invocation *in, uint32_t mask, uint32_t state,
                      struct list *waiters, stream_setter *set_mask)
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

void stream_wake_ready(struct list *waiters, uint32_t state, stream_setter *set_mask)
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
