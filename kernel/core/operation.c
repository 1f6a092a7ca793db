/* The ring's operations. See operation.h.
 *
 * Each checks the entry, then the capability, then buffers and transfers, and only then has an
 * effect; the first that is wrong names the status. docs/abi.md has the order and the statuses.
 * A call to a kernel object is decoded here and handed to its method; a call to a facet goes to
 * its endpoint; both have a record on this stack, which costs a few stores and becomes memory
 * only when somebody keeps it. */
#include "kernel/core/operation.h"

#include "abi/syscall.h"
#include "kernel/arch/arch.h"
#include "kernel/core/denial.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/park.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/core/transfer.h"

/* --- completions of entries that have no record --- */

static void post(struct thread *t, struct call *call, status_t status, uint32_t aux)
{
    ring_post_status(t, call->user_data, status, aux);
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

/* --- records --- */

/* What ring_post(), a handler and call_keep() may look at, and no more: the rest of the record
 * is not touched. */
static void begin(struct call *call, struct thread *t, struct object *target)
{
    call->caller = t;
    call->process = t->process;
    call->target = target;
    call->method = NULL;
    call->forwarder = NULL;
    call->kept = false;
    call->of_reply = false;
    call->completion = (struct ring_completion){.user_data = call->user_data};
    call->transfers.counts = 0;
}

static status_t check_sizes(struct call *call)
{
    if ((call->transfer_count | call->transfer_max) > RING_TRANSFERS_MAX
        && (call->transfer_count > RING_TRANSFERS_MAX || call->transfer_max > RING_TRANSFERS_MAX)) {
        return STATUS_BAD_ENTRY;
    }
    return call->message_size > MESSAGE_MAX ? STATUS_MESSAGE_TOO_LARGE : STATUS_OK;
}

/* The record's end on this stack, unless it was kept or its ring is gone. */
static void finish(struct call *call, struct thread *t, uint32_t epoch, status_t status,
                   struct wire_message_builder *answer)
{
    if (t->ring.epoch != epoch) {
        call_abandon(call);
        return;
    }
    if (status != STATUS_PENDING) {
        status = call_settle(call, status, answer);
        call_post(call, status);
    }
}

/* --- CALL --- */

/* The message in the CPU's request buffer, whatever the user does to its own from here on. */
static status_t open_message(const struct call *call, struct cpu *cpu, struct wire_message *message)
{
    if (call->message_size == 0) { /* no parameters: all are their defaults */
        wire_word *empty = (wire_word *)(void *)cpu->request;
        empty[0] = (uint64_t)1 << 32;
        empty[1] = 0;
        enum wire_error none = wire_message_open(message, empty, 2 * sizeof(*empty));
        KASSERT(none == WIRE_OK);
        return STATUS_OK;
    }
    status_t s = user_copy_in(call->process->space, cpu->request, call->message,
                              call->message_size);
    if (s != STATUS_OK) {
        return s;
    }
    return wire_message_open(message, cpu->request, call->message_size) == WIRE_OK
               ? STATUS_OK
               : STATUS_BAD_MESSAGE;
}

static status_t reserve_given(struct call *call)
{
    struct call_transfers *x = &call->transfers;
    uint32_t count = call->method->result_capabilities;
    KASSERT(count <= ARRAY_SIZE(x->reserved));
    if (count > call->transfer_max) {
        return STATUS_BAD_ENTRY;
    }
    for (; x->reserved_count < count; x->reserved_count++) {
        status_t s = cap_table_reserve(&call->process->table, &x->reserved[x->reserved_count]);
        if (s != STATUS_OK) {
            return s; /* call_settle() gives the others back */
        }
    }
    return STATUS_OK;
}

/* Everything between the look-up and the handler that can fail, then the handler. */
static status_t invoke(struct call *call, struct sent_capability *room,
                       struct wire_message_builder *answer)
{
    struct cpu *cpu = arch_cpu();
    struct wire_message message;
    status_t s = open_message(call, cpu, &message);
    if (s == STATUS_OK && call->transfer_count != 0) {
        s = transfer_resolve(call, call->transfers_address, call->transfer_count, room);
    }
    if (s == STATUS_OK && call->method->result_capabilities != 0) {
        s = reserve_given(call);
    }
    if (s != STATUS_OK) {
        return s;
    }
    const struct method *m = call->method;
    wire_message_begin(answer, cpu->reply, sizeof(cpu->reply));
    KASSERT(cpu->building == NULL);
    cpu->building = answer;
    struct invocation in = {
        call->target, call, wire_message_root(&message),
        wire_message_init_root(answer, m->results_data_words, m->results_pointer_words)};
    s = m->handler(&in);
    cpu->building = NULL;
    if (message.error != WIRE_OK && s == STATUS_OK) {
        s = STATUS_BAD_MESSAGE;
    }
    return s;
}

static void call_kernel(struct thread *t, struct call *call, struct object *target,
                        struct object *forwarder)
{
    const struct interface *interface = target->class->interface;
    if (interface->id != call->interface_id) {
        refuse(t, call, STATUS_WRONG_INTERFACE);
        return;
    }
    if (call->method_number >= interface->method_count) {
        refuse(t, call, STATUS_UNKNOWN_METHOD);
        return;
    }
    struct sent_capability room[RING_TRANSFERS_MAX];
    struct wire_message_builder answer;
    uint32_t epoch = t->ring.epoch;
    begin(call, t, target);
    call->method = &interface->methods[call->method_number];
    call->forwarder = forwarder;
    status_t s = invoke(call, room, &answer);
    finish(call, t, epoch, s, &answer);
}

static void call_facet(struct thread *t, struct call *call, struct object *facet,
                       struct object *forwarder)
{
    if (facet_interface_id(facet) != call->interface_id) {
        refuse(t, call, STATUS_WRONG_INTERFACE);
        return;
    }
    struct sent_capability room[RING_TRANSFERS_MAX];
    uint32_t epoch = t->ring.epoch;
    begin(call, t, facet);
    call->forwarder = forwarder;
    status_t s = STATUS_OK;
    if (call->transfer_count != 0) {
        s = transfer_resolve(call, call->transfers_address, call->transfer_count, room);
    }
    if (s == STATUS_OK) {
        s = endpoint_call(facet, call);
    }
    finish(call, t, epoch, s, NULL);
}

static void operation_call(struct thread *t, struct call *call)
{
    struct object *o;
    struct object *forwarder = NULL;
    status_t s = check_sizes(call);
    if (s == STATUS_OK) {
        s = cap_table_look_up(&t->process->table, call->cap, &o);
    }
    if (s == STATUS_OK && o->class == &forwarder_class) {
        forwarder = o;
        s = forwarder_resolve(o, &o);
    }
    if (s != STATUS_OK) {
        refuse(t, call, s);
    } else if (o->class == &facet_class) {
        call_facet(t, call, o, forwarder);
    } else {
        call_kernel(t, call, o, forwarder);
    }
}

/* --- RECV, RETURN --- */

static void operation_receive(struct thread *t, struct call *call)
{
    struct object *o;
    status_t s = call->transfer_max > RING_TRANSFERS_MAX || call->transfer_count != 0
                         || call->result_size < sizeof(struct ring_request)
                     ? STATUS_BAD_ENTRY
                     : cap_table_look_up(&t->process->table, call->cap, &o);
    if (s == STATUS_OK && o->class != &endpoint_class) {
        s = STATUS_WRONG_INTERFACE;
    }
    if (s != STATUS_OK) {
        refuse(t, call, s);
        return;
    }
    begin(call, t, o);
    s = endpoint_receive(o, call);
    if (s != STATUS_PENDING) {
        call_post(call, s);
    }
}

static void operation_return(struct thread *t, struct call *call)
{
    struct object *o;
    status_t s = check_sizes(call);
    if (s == STATUS_OK) {
        s = cap_table_look_up(&t->process->table, call->cap, &o);
    }
    if (s == STATUS_OK && o->class != &reply_class) {
        s = STATUS_WRONG_INTERFACE;
    }
    if (s != STATUS_OK) {
        refuse(t, call, s);
        return;
    }
    struct sent_capability room[RING_TRANSFERS_MAX];
    begin(call, t, o);
    if (call->transfer_count != 0) {
        s = transfer_resolve(call, call->transfers_address, call->transfer_count, room);
    }
    if (s == STATUS_OK) {
        s = endpoint_return(o, call, (call->flags & RING_FLAG_EXCEPTION) != 0);
    }
    if (call->transfers.sent_count != 0) {
        transfer_end(call, false); /* it failed: nothing has left the table */
    }
    call_post(call, s);
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

static status_t look_up_park(struct thread *t, struct call *call, struct object **o)
{
    status_t s = cap_table_look_up(&t->process->table, call->cap, o);
    return s == STATUS_OK && (*o)->class != &park_space_class ? STATUS_WRONG_INTERFACE : s;
}

static void operation_park(struct thread *t, struct call *call)
{
    struct object *o;
    status_t s = look_up_park(t, call, &o);
    uint64_t timeout_ns = call->interface_id;
    if (s == STATUS_OK && timeout_ns != 0 && timeout_ns != CAP_ENTER_FOREVER
        && !process_time_granted(t->process)) {
        s = STATUS_TIME_NOT_GRANTED;
        denial_of_status(t->process, 0, DENIAL_NO_METHOD, s);
    }
    if (s != STATUS_OK) {
        post(t, call, s, 0);
        return;
    }
    begin(call, t, o);
    call->interface_id = 0;
    s = park_wait(call, call->message, call->result_size, timeout_ns);
    if (s != STATUS_PENDING) {
        call_post(call, s);
    }
}

static void operation_unpark(struct thread *t, struct call *call)
{
    struct object *o;
    uint32_t woken = 0;
    status_t s = look_up_park(t, call, &o);
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
    found->cancel(found);
    call_complete(found, STATUS_CANCELLED);
    post(t, call, STATUS_OK, 0);
}

/* --- */

struct operation {
    void (*carry_out)(struct thread *t, struct call *call);
    uint8_t flags; /* allowed in the entry */
};

static const struct operation operations[RING_OP_COUNT] = {
    [RING_OP_NOP] = {operation_nop, 0},
    [RING_OP_CALL] = {operation_call, 0},
    [RING_OP_RECV] = {operation_receive, 0},
    [RING_OP_RETURN] = {operation_return, RING_FLAG_EXCEPTION},
    [RING_OP_RELEASE] = {operation_release, 0},
    [RING_OP_PARK] = {operation_park, 0},
    [RING_OP_UNPARK] = {operation_unpark, 0},
    [RING_OP_CANCEL] = {operation_cancel, 0},
};

void operation_carry_out(struct thread *t, struct call *call)
{
    if (call->opcode >= RING_OP_COUNT) {
        post(t, call, STATUS_BAD_OPCODE, 0);
        return;
    }
    const struct operation *operation = &operations[call->opcode];
    if (call->reserved != 0 || (call->flags & ~operation->flags) != 0) {
        post(t, call, STATUS_BAD_ENTRY, 0);
        return;
    }
    operation->carry_out(t, call);
}
