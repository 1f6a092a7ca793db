/* The short way of a call to another process and back. See endpoint_parts.h.
 *
 * Most calls find their server waiting, and most answers a caller that waits for nothing else; the
 * message is small, carries no capability and goes into a page that was seen before; the records
 * lie ready with the rings, and a slot with the server's table. All of that is looked at before
 * the first effect, and then done in one go, without a queue, a reservation or the ledger. What
 * does not hold is left to endpoint.c, which does the same by its longer way: nothing can be had
 * here that cannot be had there.
 *
 *   CALL    a record that waits for its answer, a Reply in the server's table, the message in its
 *           buffer; the server's RECV completes, and the server runs next
 *   RETURN  the Reply is used up, the caller's CALL completes, and the caller runs next; what
 *           completes the RETURN itself is for operation.c
 *
 * A copy that fails has spoilt nothing but the buffer of an entry that goes on. Kernel lock
 * held. */
#include "kernel/core/endpoint_parts.h"

#include "kernel/arch/arch.h"
#include "kernel/core/address_space.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"

/* Whether the thread waits for `call` and nothing else, and this CPU can turn to it at once. */
static inline bool waits_for(const struct thread *t, const struct call *call,
                             const struct cpu *cpu)
{
    return t->state == THREAD_BLOCKED && t->wait_plain && t->ring.alone == call
           && t->cpu == cpu->number && cpu->hand_off == NULL && !cpu->resched;
}

/* The end of `call`, for which the thread waits: ring_post(), thread_wake() and call_recycle() in
 * one. */
static inline void complete(struct thread *t, struct call *call, uint32_t result_size,
                            uint64_t counts, uint64_t method, struct cpu *cpu)
{
    struct ring *r = &t->ring;
    KASSERT(r->in_flight == 1);
    ring_complete(r, call->user_data, ring_outcome(STATUS_OK, result_size), counts, method);
    r->alone = NULL;
    r->in_flight = 0;
    r->spare = call;
    call->kept = false;
    object_put(call->target);
    arch_memory_freed(call, CALL_RECORD_SIZE);
    arch_thread_set_result(t, t->wait_result);
    t->state = THREAD_READY;
    cpu->hand_off = t;
}

/* The record under construction becomes one that waits for its answer. */
static inline void keep(struct thread *t, struct call *call, struct facet *f)
{
    struct reply *r = CONTAINER_OF(call, struct reply, call);
    call_begin(call, t, t->process, &f->object, NULL);
    call->of_reply = true;
    call_keep_commit(call, call_leave_queue);
    object_init(&r->object, &reply_class);
    r->endpoint = f->endpoint;
    f->endpoint->holds++;
    list_append(&f->endpoint->received, &call->queue);
}

/* The message right behind the head. */
static inline bool copy_request(const struct call *call, void *to)
{
    if ((call->flags & RING_FLAG_SHORT) != 0) {
        struct call_short_message message;
        __builtin_memcpy(to, &message, call_short_message(call, &message));
        return true;
    }
    return call->message_size == 0 || arch_copy_in(to, call->message, call->message_size);
}

bool endpoint_call_fast(struct thread *t, struct call *call, struct object *facet)
{
    struct cpu *cpu = arch_cpu();
    struct facet *f = CONTAINER_OF(facet, struct facet, object);
    struct list *first = f->endpoint->receivers.next;
    struct call *receive = CONTAINER_OF(first, struct call, queue);
    uint32_t size = (uint32_t)sizeof(struct ring_request) + call_request_size(call);
    if (UNLIKELY(first == &f->endpoint->receivers /* as those of a dead one are */
                 || call->transfer_count != 0 || call->account == NULL || t->ring.in_flight != 0
                 || size > receive->result_size || !cap_table_ready(&receive->process->table)
                 || !waits_for(receive->caller, receive, cpu))) {
        return false;
    }
    struct ring_request *head = (void *)user_view(receive->process->space, receive->result, size);
    if (UNLIKELY(head == NULL || !copy_request(call, head + 1))) {
        return false;
    }
    __builtin_memcpy(head, &f->head, sizeof(f->head));
    keep(t, call, f);
    cap_id_t id = cap_table_insert_ready(&receive->process->table,
                                         &CONTAINER_OF(call, struct reply, call)->object);
    list_unlink(first);
    complete(receive->caller, receive, size, (uint64_t)id << 32, call->method_number, cpu);
    return true;
}

bool endpoint_return_fast(struct thread *t, const struct call *back, struct object *reply)
{
    struct cpu *cpu = arch_cpu();
    struct reply *r = CONTAINER_OF(reply, struct reply, object);
    struct call *call = &r->call;
    uint32_t size = back->message_size;
    if (UNLIKELY(call->caller == NULL || back->transfer_count != 0
                 || (back->flags & RING_FLAG_EXCEPTION) != 0
                 || size > call->result_size || r->object.references != 1
                 || call->forwarder != NULL
                 || call->transfers.counts != 0 /* nor a list of what it sent */
                 || !cap_table_vacate_ready(&t->process->table, back->cap)
                 || !waits_for(call->caller, call, cpu))) {
        return false;
    }
    if (size != 0) {
        char *to = user_view(call->process->space, call->result, size);
        if (UNLIKELY(to == NULL || !arch_copy_in(to, back->message, size))) {
            return false;
        }
    }
    cap_table_vacate(&t->process->table, back->cap);
    list_unlink(&call->queue);
    if (r->endpoint->holds > 1) {
        r->endpoint->holds--;
    } else {
        endpoint_let_go(r->endpoint);
    }
    complete(call->caller, call, size, 0, 0, cpu);
    return true;
}
