/* Call records: keeping, answering and completing them. See call.h.
 *
 * A completion goes through three steps, each at most once: call_settle() copies the answer out
 * and settles what was sent and given; call_post() writes the completion; call_free() gives the
 * memory back. After call_post() no buffer of the entry is touched. Whatever goes wrong while an
 * answer is copied out, the operation has taken place: moves are then committed. */
#include "kernel/core/call.h"

#include "kernel/arch/arch.h"
#include "kernel/core/denial.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/core/transfer.h"
#include "lib/wire/gen/types.h"

_Static_assert(sizeof(struct call) <= CALL_RECORD_SIZE, "a record fits its memory");

struct account *call_account(const struct call *call)
{
    KASSERT(call->process != NULL && call->process->account != NULL);
    return call->process->account;
}

/* --- keeping --- */

void call_free(struct call *call)
{
    struct account *a = call->account;
    kmem_free(a, call, CALL_RECORD_SIZE);
    ledger_refund(a, LEDGER_CALLS, 1);
}

void call_recycle(struct call *call, struct thread *caller)
{
    if (caller == NULL || caller->ring.spare != NULL || caller->ring.header == NULL) {
        call_free(call);
        return;
    }
    caller->ring.spare = call;
    arch_memory_freed(call, CALL_RECORD_SIZE);
}

/* A copy of the CPU's record in memory of its own, charged with it to the caller. */
static __attribute__((noinline)) status_t keep_copy(const struct call *call, struct call **out)
{
    struct account *a = call_account(call);
    void *memory;
    status_t s = ledger_charge(a, LEDGER_CALLS, 1);
    if (s != STATUS_OK) {
        return s;
    }
    s = kmem_alloc(a, CALL_RECORD_SIZE, &memory);
    if (s != STATUS_OK) {
        ledger_refund(a, LEDGER_CALLS, 1);
        return s;
    }
    *out = __builtin_memcpy(memory, call, sizeof(*call));
    (*out)->account = a;
    return STATUS_OK;
}

/* What was sent lies with the CPU until its call is kept. */
static __attribute__((noinline)) status_t keep_sent(struct call *kept)
{
    struct call_transfers *x = &kept->transfers;
    size_t size = x->sent_count * sizeof(struct sent_capability);
    void *memory;
    status_t s = kmem_alloc(kept->account, size, &memory);
    if (s == STATUS_OK) {
        x->sent = __builtin_memcpy(memory, x->sent, size);
        x->kept_count = x->sent_count;
    }
    return s;
}

status_t call_keep(struct call *call, void (*cancel)(struct call *), struct call **out)
{
    struct call *kept = call;
    KASSERT(call == arch_cpu()->record && cancel != NULL && call->transfers.given_count == 0);
    status_t s = call->account == NULL ? keep_copy(call, &kept) : STATUS_OK;
    if (s == STATUS_OK && call->transfers.sent_count != 0) {
        s = keep_sent(kept);
        if (s != STATUS_OK && kept != call) {
            call_free(kept);
        }
    }
    if (s != STATUS_OK) {
        return s;
    }
    call_keep_commit(kept, cancel);
    if (kept->forwarder != NULL) {
        forwarder_track(object_get(kept->forwarder), kept);
    }
    *out = kept;
    return STATUS_OK;
}

status_t call_wait(struct call *call, struct list *queue, void (*cancel)(struct call *))
{
    struct call *kept;
    status_t s = call_keep(call, cancel, &kept);
    if (s != STATUS_OK) {
        return s;
    }
    list_append(queue, &kept->queue);
    return STATUS_PENDING;
}

void call_leave_queue(struct call *call)
{
    list_remove(&call->queue);
}

void call_leave_forwarder(struct call *call)
{
    if (call->forwarder != NULL) {
        list_remove(&call->revocation);
        object_put(call->forwarder);
        call->forwarder = NULL;
    }
}

/* --- what a handler sees of its call --- */

struct object *call_sent(const struct call *call, uint32_t index)
{
    return index < call->transfers.sent_count ? call->transfers.sent[index].object : NULL;
}

struct object *call_sent_as(const struct call *call, uint32_t index,
                            const struct object_class *class)
{
    struct object *o = call_sent(call, index);
    if (o == NULL || forwarder_resolve(o, &o) != STATUS_OK) {
        return NULL;
    }
    return o->class == class ? o : NULL;
}

uint32_t call_give(struct call *call, struct object *o)
{
    uint32_t index = call->transfers.given_count++;
    KASSERT(index < call->transfers.reserved_count && o != NULL);
    call->transfers.given[index] = o;
    return index;
}

/* A builder over the CPU's reply buffer; what a handler has built there for its own call stays. */
static struct wire_message_builder *reply_begin(struct call *call)
{
    struct cpu *cpu = arch_cpu();
    if (!call->kept) {
        KASSERT(cpu->building != NULL);
        wire_message_begin(cpu->building, cpu->reply, sizeof(cpu->reply));
        return cpu->building;
    }
    size_t used = cpu->building == NULL ? 0 : ((size_t)cpu->building->used + 1) * WIRE_WORD_BYTES;
    KASSERT(used <= sizeof(cpu->reply));
    wire_message_begin(&cpu->late, cpu->reply + used, sizeof(cpu->reply) - used);
    cpu->late_call = call;
    return &cpu->late;
}

struct wire_builder call_reply(struct call *call)
{
    const struct method *m = call->method;
    KASSERT(m != NULL);
    return wire_message_init_root(reply_begin(call), m->results_data_words,
                                  m->results_pointer_words);
}

status_t call_exception(struct call *call, enum exception_type type, const char *reason,
                        const char *argument)
{
    struct wire_builder b = exception_init(reply_begin(call));
    exception_set_type(b, type);
    exception_set_reason(b, (struct wire_span){reason, __builtin_strlen(reason)});
    if (argument != NULL) {
        exception_set_argument(b, (struct wire_span){argument, __builtin_strlen(argument)});
    }
    return STATUS_EXCEPTION;
}

status_t call_bad_argument(struct call *call, const char *argument, const char *reason)
{
    return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, reason, argument);
}

/* --- the answer --- */

/* An answer that does not fit, or has no place to go. */
static status_t answer_unfit(struct call *call, status_t status, size_t size)
{
    const struct method *m = call->method;
    KASSERT(m != NULL || status == STATUS_EXCEPTION);
    if (status == STATUS_EXCEPTION
        || (call->result_size == 0 && (m->results_data_words | m->results_pointer_words) == 0)) {
        return status; /* the caller learns all it asked for */
    }
    call->completion.aux = (uint32_t)size;
    return STATUS_RESULT_TOO_SMALL;
}

static status_t copy_answer(struct call *call, status_t status, struct wire_message_builder *answer)
{
    const struct call_transfers *x = &call->transfers;
    size_t size = wire_message_finish(answer);
    if (size == 0 || size > call->result_size) {
        return answer_unfit(call, status, size);
    }
    status_t s = user_copy_out(call->process->space, call->result, answer->segment - 1, size);
    KASSERT(x->given_count <= ARRAY_SIZE(x->given) && x->given_count <= call->transfer_max);
    if (s == STATUS_OK) {
        s = transfer_write(call->process->space, call->transfers_address, x->given_count,
                           x->reserved);
    }
    if (s != STATUS_OK) {
        return STATUS_BAD_ADDRESS;
    }
    call->completion.transfer_count = x->given_count;
    call->completion.result_size = (uint32_t)size;
    return status;
}

/* What was given goes into the caller's table, or back to where it came from, and what was reserved
 * with it; unless the entry has ended its process, and the table with it. */
static void settle_given(struct call *call, bool delivered)
{
    struct call_transfers *x = &call->transfers;
    bool table_gone = call->process->table.account == NULL;
    KASSERT(x->given_count <= (table_gone ? 0 : x->reserved_count));
    if (table_gone) {
        x->reserved_count = 0;
    }
    for (uint32_t i = x->reserved_count; i > 0; i--) {
        if (i <= x->given_count && delivered) {
            cap_table_commit(&call->process->table, x->reserved[i - 1].cap, x->given[i - 1]);
            continue;
        }
        cap_table_cancel(&call->process->table, x->reserved[i - 1].cap);
        if (i <= x->given_count) {
            object_put(x->given[i - 1]);
        }
    }
    x->given_count = x->reserved_count = 0;
}

status_t call_settle(struct call *call, status_t status, struct wire_message_builder *answer)
{
    bool done = status == STATUS_OK;
    if (answer != NULL && (status == STATUS_OK || status == STATUS_EXCEPTION)) {
        status = copy_answer(call, status, answer);
    }
    if (call->transfers.reserved_count != 0) {
        settle_given(call, status == STATUS_OK);
    }
    if (call->transfers.sent_count != 0) {
        transfer_end(call, done);
    }
    return status;
}

/* --- the completion --- */

static __attribute__((noinline)) void note_failure(struct call *call, status_t status)
{
    if (status == STATUS_EXCEPTION) {
        call->completion.flags |= RING_FLAG_EXCEPTION;
    }
    denial_of_status(call->process, call->interface_id, call->method_number, status);
}

void call_post(struct call *call, status_t status)
{
    if (status != STATUS_OK) {
        note_failure(call, status);
    }
    call->completion.user_data = call->user_data;
    call->completion.status = -(int32_t)status;
    ring_post(call->caller, &call->completion);
}

/* The kept record waits for nothing any more: references go, and the memory unless a Reply has
 * it. */
static void retire(struct call *call)
{
    KASSERT(call->kept && call->transfers.sent_count == 0 && call->transfers.reserved_count == 0);
    struct cpu *cpu = arch_cpu();
    struct thread *caller = call->caller;
    if (cpu->late_call == call) {
        cpu->late_call = NULL; /* its memory may be another's soon: that one's answer begins anew */
    }
    ring_untrack(caller, call);
    if (call->transfers.kept_count != 0) {
        kmem_free(call->account, call->transfers.sent,
                  call->transfers.kept_count * sizeof(struct sent_capability));
        call->transfers.kept_count = 0;
    }
    call_leave_forwarder(call);
    object_put(call->target);
    call->target = NULL;
    call->caller = NULL;
    call->process = NULL;
    if (!call->of_reply) {
        call_recycle(call, caller);
    }
}

/* The end of a kept record, with its answer if it has one. */
static inline void complete(struct call *call, status_t status, struct wire_message_builder *answer)
{
    KASSERT(call->kept && call->caller != NULL && status != STATUS_PENDING);
    call_post(call, call_settle(call, status, answer));
    retire(call);
}

void call_complete(struct call *call, status_t status)
{
    complete(call, status, NULL);
}

void call_finish(struct call *call, status_t status)
{
    struct cpu *cpu = arch_cpu();
    struct wire_message_builder *answer = NULL;
    if (status == STATUS_EXCEPTION || (status == STATUS_OK && call->method != NULL)) {
        if (cpu->late_call != call) {
            KASSERT(status == STATUS_OK);
            (void)call_reply(call); /* all its results are zero */
        }
        answer = &cpu->late;
    }
    complete(call, status, answer);
}

void call_fail(struct call *call, status_t status)
{
    call->cancel(call);
    call_finish(call, status);
}

void call_drop(struct call *call)
{
    KASSERT(call->kept && call->caller != NULL);
    call->cancel(call);
    settle_given(call, false);
    transfer_end(call, false);
    retire(call);
}

void call_abandon(struct call *call)
{
    KASSERT(!call->kept);
    settle_given(call, false);
    transfer_end(call, true);
}
