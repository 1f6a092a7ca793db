/* The ring's operations: what each opcode does with one accepted entry. Called by ring.c alone;
 * kernel lock held.
 *
 * Each checks the entry, then the capability, then buffers and transfers, and only then has an
 * effect; the first that is wrong names the status. docs/abi.md has the order and the statuses.
 * A call to a kernel object is decoded here and handed to its method; a call to a facet goes to
 * its endpoint. */
#include "kernel/arch/arch.h"
#include "kernel/core/denial.h"
#include "kernel/core/endpoint_parts.h"
#include "kernel/core/park.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/core/transfer.h"

/* The completion of an entry that was not begun as a call. */
static void post(struct thread *t, struct call *call, status_t status, uint32_t aux)
{
    ring_post(t, &(struct ring_completion){
                     .user_data = call->user_data, .status = -(int32_t)status, .aux = aux});
}

/* A refusal before there is a record. */
static void refuse(struct thread *t, struct call *call, status_t status)
{
    KASSERT(status != STATUS_OK && status != STATUS_PENDING);
    if (call->opcode == RING_OP_CALL) {
        if (call->cap == CAP_ID_NONE && status == STATUS_BAD_CAPABILITY) {
            denial_not_granted(t->process, call->interface_id, call->method_number);
        } else {
            denial_of_status(t->process, call->interface_id, call->method_number, status);
        }
    }
    post(t, call, status, 0);
}

static inline status_t check_sizes(const struct call *call)
{
    if (call->transfer_count > RING_TRANSFERS_MAX || call->transfer_max > RING_TRANSFERS_MAX) {
        return STATUS_BAD_ENTRY;
    }
    return call->message_size > MESSAGE_MAX ? STATUS_MESSAGE_TOO_LARGE : STATUS_OK;
}

/* A short call, and nothing beside it: compared as the words that the fields lie in. */
static inline bool is_short(const struct call *call)
{
    _Static_assert(offsetof(struct ring_entry, opcode) == 0
                       && offsetof(struct ring_entry, flags) == 1,
                   "the two are the first half word");
    return (uint16_t)call->words[0] == (RING_FLAG_SHORT << 8 | RING_OP_CALL);
}

static inline bool check_short(const struct call *call)
{
    _Static_assert(offsetof(struct ring_entry, transfer_count) == 56, "of the last word");
    return call->words[7] == 0 && call->message_size % sizeof(wire_word) == 0
           && call->message_size <= RING_SHORT_WORDS_MAX * sizeof(wire_word);
}

/* The end of a record that was not kept. */
static __attribute__((noinline)) void finish(struct call *call, struct thread *t, status_t status,
                                             struct wire_message_builder *answer)
{
    if (t->state == THREAD_DEAD) { /* by what the entry did */
        if (arch_cpu()->record != NULL) {
            call_abandon(call);
        }
    } else if (status != STATUS_PENDING) {
        call_post(call, call_settle(call, status, answer));
    }
}

/* --- CALL --- */

static __attribute__((noinline)) status_t take_capabilities(struct call *call)
{
    struct call_transfers *x = &call->transfers;
    uint32_t given = call->method == NULL ? 0 : call->method->result_capabilities;
    status_t s = transfer_resolve(call, call->transfers_address, call->transfer_count);
    KASSERT(given <= ARRAY_SIZE(x->reserved));
    if (s == STATUS_OK && given > call->transfer_max) {
        s = STATUS_BAD_ENTRY;
    }
    if (s == STATUS_OK) {
        s = transfer_reserve(&call->process->table, given, x->reserved);
    }
    x->reserved_count = (uint16_t)(s == STATUS_OK ? given : 0);
    return s;
}

/* The message in the CPU's request buffer, whatever the user does to its own from here on. No
 * message is one whose parameters are all their defaults. */
static inline status_t open_message(const struct call *call, struct cpu *cpu,
                                    struct wire_message *message, struct wire_reader *params)
{
    void *request = cpu->request;
    size_t size = call->message_size;
    if (size == 0 || (call->flags & RING_FLAG_SHORT) != 0) {
        size = call_short_message(call, request);
    } else if (!arch_copy_in(request, call->message, size)) {
        return STATUS_BAD_ADDRESS;
    }
    return wire_message_open_root(message, request, size, params) == WIRE_OK
               ? STATUS_OK
               : STATUS_BAD_MESSAGE;
}

/* Nearly every answer: good, without capabilities, and it fits. The caller is running, so its
 * memory is at hand and nobody waits for the completion. */
static inline bool finish_at_once(struct thread *t, const struct call *call,
                                  struct wire_message_builder *answer)
{
    size_t size = wire_message_finish(answer);
    if (call->transfers.counts != 0 || size == 0 || size > call->result_size
        || !arch_copy_out(call->result, answer->segment - 1, size)) {
        return false;
    }
    ring_complete(&t->ring, call->user_data, ring_outcome(STATUS_OK, (uint32_t)size), 0, 0);
    return true;
}

/* Everything between the look-up and the handler that can fail, then the handler. */
static __attribute__((noinline)) void call_kernel(struct thread *t, struct call *call)
{
    struct cpu *cpu = arch_cpu();
    const struct method *m = call->method;
    struct wire_message message;
    struct wire_message_builder answer;
    struct invocation in;
    status_t s = open_message(call, cpu, &message, &in.params);
    if (s == STATUS_OK && (call->transfer_count | m->result_capabilities) != 0) {
        s = take_capabilities(call);
    }
    if (s == STATUS_OK) {
        wire_message_begin(&answer, cpu->reply, sizeof(cpu->reply));
        KASSERT(cpu->building == NULL);
        cpu->building = &answer;
        in.self = call->target;
        in.call = call;
        in.results =
            wire_message_init_root(&answer, m->results_data_words, m->results_pointer_words);
        s = m->handler(&in);
        cpu->building = NULL;
        if (s == STATUS_OK) {
            s = message.error == WIRE_OK ? STATUS_OK : STATUS_BAD_MESSAGE;
        }
    }
    if (s != STATUS_OK || t->state == THREAD_DEAD || !finish_at_once(t, call, &answer)) {
        finish(call, t, s, &answer);
    }
}

/* Words in, a word out, and no message: for methods that need no more. */
static inline __attribute__((always_inline)) void
call_short(struct thread *t, struct call *call, const struct method *m)
{
    struct cpu *cpu = arch_cpu();
    wire_word words[RING_SHORT_WORDS_MAX] = {call->message, call->transfers_address};
    wire_word value = 0;
    struct wire_message message;        /* in which nothing can be wrong: handlers may look */
    struct wire_message_builder answer; /* for an exception; empty: late answers come behind it */
    struct invocation in = {
        call->target,
        call,
        {&message, (const uint8_t *)words, NULL, call->message_size * 8, 0, 0, 0},
        {&answer, &value, m->results_data_words, 0},
    };
    message.error = WIRE_OK;
    KASSERT(cpu->building == NULL);
    answer.used = 0; /* where the answers of kept calls begin that the handler completes */
    cpu->building = &answer;
    status_t s = m->handler(&in);
    cpu->building = NULL;
    if (s != STATUS_OK || t->state == THREAD_DEAD) {
        finish(call, t, s, &answer);
        return;
    }
    ring_complete(&t->ring, call->user_data,
                  ring_outcome(STATUS_OK, in.results.data_words * (uint32_t)sizeof(value)),
                  RING_COMPLETION_SHORT, value);
}

static __attribute__((noinline)) void call_facet(struct thread *t, struct call *call,
                                                 struct object *facet, struct object *forwarder)
{
    if (facet_interface_id(facet) != call->interface_id) {
        refuse(t, call, STATUS_WRONG_INTERFACE);
        return;
    }
    call_begin(call, t, t->process, facet, forwarder);
    status_t s = STATUS_OK;
    if (call->transfer_count != 0) {
        s = take_capabilities(call);
    }
    if (s == STATUS_OK) {
        s = endpoint_call(call->target, call);
    }
    if (s != STATUS_PENDING || t->state == THREAD_DEAD) {
        finish(call, t, s, NULL);
    }
}

static inline __attribute__((always_inline)) void
call_method(struct thread *t, struct call *call, struct object *o, struct object *forwarder)
{
    const struct interface *interface = o->class->interface;
    if (interface->id != call->interface_id) {
        refuse(t, call, STATUS_WRONG_INTERFACE);
    } else if (call->method_number >= interface->method_count) {
        refuse(t, call, STATUS_UNKNOWN_METHOD);
    } else {
        const struct method *m = &interface->methods[call->method_number];
        call_begin(call, t, t->process, o, forwarder);
        call->method = m;
        if (is_short(call) && m->short_answer) {
            call_short(t, call, m);
        } else {
            call_kernel(t, call);
        }
    }
}

/* A capability that is not where nearly all are, or is none, or not of a kernel object. */
static __attribute__((noinline)) void call_any(struct thread *t, struct call *call)
{
    struct object *o;
    struct object *forwarder = NULL;
    status_t s = cap_table_look_up(&t->process->table, call->cap, &o);
    if (s == STATUS_OK && o->class == &forwarder_class) {
        forwarder = o;
        s = forwarder_resolve(o, &o);
    }
    if (s != STATUS_OK) {
        refuse(t, call, s);
    } else if (o->class == &facet_class) {
        call_facet(t, call, o, forwarder);
    } else {
        call_method(t, call, o, forwarder);
    }
}

static inline __attribute__((always_inline)) void operation_call(struct thread *t,
                                                                 struct call *call)
{
    struct object *o = cap_table_look_up_first(&t->process->table, call->cap);
    if (o != NULL && o->class->interface != NULL) {
        call_method(t, call, o, NULL);
    } else if (LIKELY(o != NULL && o->class == &facet_class)) {
        if (UNLIKELY(facet_interface_id(o) != call->interface_id
                     || !endpoint_call_fast(t, call, o))) {
            call_facet(t, call, o, NULL);
        }
    } else {
        call_any(t, call);
    }
}

/* A CALL or a RETURN: operation_carry_out() has done the good ones. */
static void operation_bad_sizes(struct thread *t, struct call *call)
{
    refuse(t, call, check_sizes(call));
}

/* --- RECV, RETURN --- */

static inline status_t look_up(struct thread *t, cap_id_t id, const struct object_class *class,
                               struct object **out)
{
    *out = cap_table_look_up_first(&t->process->table, id);
    status_t s = *out == NULL ? cap_table_look_up(&t->process->table, id, out) : STATUS_OK;
    return s == STATUS_OK && (*out)->class != class ? STATUS_WRONG_INTERFACE : s;
}

static inline status_t receive_check(struct thread *t, const struct call *call, cap_id_t endpoint,
                                     struct object **out)
{
    return call->transfer_max > RING_TRANSFERS_MAX
                   || call->result_size < sizeof(struct ring_request)
               ? STATUS_BAD_ENTRY
               : look_up(t, endpoint, &endpoint_class, out);
}

static inline __attribute__((always_inline)) void
receive(struct thread *t, struct call *call, struct object *endpoint)
{
    call_begin(call, t, t->process, endpoint, NULL);
    if (LIKELY(endpoint_receive_ready(endpoint, call))) {
        return;
    }
    status_t s = endpoint_receive(endpoint, call);
    if (s != STATUS_PENDING) {
        call->interface_id = 0; /* a denial record is not about a method */
        call->method_number = DENIAL_NO_METHOD;
        call_post(call, s);
    }
}

static void operation_receive(struct thread *t, struct call *call)
{
    struct object *o;
    status_t s = call->transfer_count != 0 ? STATUS_BAD_ENTRY
                                           : receive_check(t, call, call->cap, &o);
    if (s != STATUS_OK) {
        refuse(t, call, s);
    } else {
        receive(t, call, o);
    }
}

#define RETURN_FLAGS (RING_FLAG_EXCEPTION | RING_FLAG_RECEIVE)

/* Any answer: with capabilities, an exception, to a caller that does not wait or is gone. */
static __attribute__((noinline)) status_t return_any(struct thread *t, struct call *call,
                                                     struct object *reply)
{
    status_t s = STATUS_OK;
    call_begin(call, t, t->process, reply, NULL);
    if (call->transfer_count != 0) {
        s = take_capabilities(call);
    }
    if (s == STATUS_OK) {
        s = endpoint_return(reply, call, (call->flags & RING_FLAG_EXCEPTION) != 0);
    }
    if (call->transfers.sent_count != 0) {
        transfer_end(call, false); /* it failed: nothing has left the table */
    }
    return s;
}

/* Sizes are checked already. */
static inline __attribute__((always_inline)) void operation_return(struct thread *t,
                                                                   struct call *call)
{
    struct object *o;
    struct object *endpoint;
    cap_id_t receive_from = /* an id has 32 bits; no other number may pass for one */
        call->interface_id <= UINT32_MAX ? (cap_id_t)call->interface_id : CAP_ID_NONE;
    bool receives = (call->flags & RING_FLAG_RECEIVE) != 0;
    status_t s = look_up(t, call->cap, &reply_class, &o);
    if (s == STATUS_OK && receives) {
        s = receive_check(t, call, receive_from, &endpoint);
    }
    if (s != STATUS_OK) {
        refuse(t, call, s);
        return;
    }
    if (UNLIKELY(!endpoint_return_fast(t, call, o))) {
        s = return_any(t, call, o);
        if (s == STATUS_OK && receives) { /* it may just have been sent away */
            s = receive_check(t, call, receive_from, &endpoint);
        }
        if (s != STATUS_OK || !receives) {
            call_post(call, s);
            return;
        }
    }
    if (receives) {
        receive(t, call, endpoint);
    } else {
        post(t, call, STATUS_OK, 0);
    }
}

/* --- the small ones --- */

/* ring_drain() has done the good ones. */
static void operation_nop(struct thread *t, struct call *call)
{
    post(t, call, STATUS_OK, 0);
}

static void operation_release(struct thread *t, struct call *call)
{
    post(t, call, cap_table_release(&t->process->table, call->cap), 0);
}

static void operation_park(struct thread *t, struct call *call)
{
    struct object *o;
    status_t s = look_up(t, call->cap, &park_space_class, &o);
    uint64_t timeout_ns = call->interface_id;
    if (s != STATUS_OK) {
        post(t, call, s, 0);
        return;
    }
    call_begin(call, t, t->process, o, NULL);
    call->interface_id = 0; /* a denial record is not about a method */
    call->method_number = DENIAL_NO_METHOD;
    s = park_wait(call, call->message, call->result_size, timeout_ns);
    if (s != STATUS_PENDING) {
        call_post(call, s);
    }
}

static void operation_unpark(struct thread *t, struct call *call)
{
    struct object *o;
    uint32_t woken = 0;
    status_t s = look_up(t, call->cap, &park_space_class, &o);
    if (s == STATUS_OK) {
        s = park_wake(t, call->message, call->result_size, &woken);
    }
    post(t, call, s, woken);
}

static void operation_cancel(struct thread *t, struct call *call)
{
    struct call *found = ring_find(t, call->interface_id);
    if (found == NULL) {
        post(t, call, STATUS_NOT_FOUND, 0);
        return;
    }
    call_fail(found, STATUS_CANCELLED);
    post(t, call, STATUS_OK, 0);
}

/* --- */

struct operation {
    void (*carry_out)(struct thread *t, struct call *call);
    uint8_t flags; /* allowed in the entry */
};

static const struct operation operations[RING_OP_COUNT] = {
    [RING_OP_NOP] = {operation_nop, 0},
    [RING_OP_CALL] = {operation_bad_sizes, 0},
    [RING_OP_RECV] = {operation_receive, 0},
    [RING_OP_RETURN] = {operation_bad_sizes, RETURN_FLAGS},
    [RING_OP_RELEASE] = {operation_release, 0},
    [RING_OP_PARK] = {operation_park, 0},
    [RING_OP_UNPARK] = {operation_unpark, 0},
    [RING_OP_CANCEL] = {operation_cancel, 0},
};

void operation_carry_out(struct thread *t, struct call *call)
{
    /* the commonest first, and by their names, so that they become a part of ring_drain() */
    uint16_t kind = (uint16_t)call->words[0]; /* opcode and flags */
    bool good_call = is_short(call) ? check_short(call)
                     : kind == RING_OP_CALL
                         && call->reserved == 0 && check_sizes(call) == STATUS_OK;
    if (good_call) {
        operation_call(t, call);
    } else if ((kind & ~(RETURN_FLAGS << 8)) == RING_OP_RETURN
               && call->reserved == 0 && check_sizes(call) == STATUS_OK) {
        operation_return(t, call);
    } else if (call->opcode >= RING_OP_COUNT) {
        post(t, call, STATUS_BAD_OPCODE, 0);
    } else if (call->reserved != 0 || (call->flags & ~operations[call->opcode].flags) != 0) {
        post(t, call, STATUS_BAD_ENTRY, 0);
    } else {
        operations[call->opcode].carry_out(t, call);
    }
}
