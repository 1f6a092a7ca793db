/* Call records: one accepted ring entry, from its acceptance to its completion.
 *
 * A record is made in the ring's spare memory, or the CPU's, to carry the entry out. Whoever cannot
 * answer at once takes call_keep(), which sees to it that it lies in memory charged to the caller
 * (LEDGER_CALLS), sets how to cancel it, and returns STATUS_PENDING. Later call_finish()
 * completes it, exactly once. Between the two the record hangs in its thread's table of entries
 * in flight (found by user_data for CANCEL). `caller`, `process` and its memory are there as
 * long as the record is kept: the end of a thread cancels its records first.
 *
 * A handler of a kernel object gets `params` and a root `results` in the CPU's reply buffer.
 * After STATUS_PENDING the kernel code that answers later begins a new reply with call_reply().
 * A handler may complete other, kept calls while it builds its own results: their replies are
 * made behind what it has built so far. The next call_reply() or call_exception() of a kept call
 * ends the one before, so each is followed by its call_finish() at once.
 *
 * A getter that meets a bad pointer answers the default and marks the message. The call then
 * answers badMessage, but what the handler did stays done; so a handler whose effects matter
 * looks at params.message->error between its last getter and its first effect.
 *
 * Capabilities sent: resolved before the handler runs; call_sent() reads them, the reference
 * stays the call's (take one to keep it). Those sent by move are in transit and leave the
 * sender's table when the call completes with success, and are back under their id otherwise.
 * Capabilities given: the method's result_capabilities slots are reserved in the caller's table
 * before the handler runs, so call_give() cannot fail; it takes over a reference and returns the
 * index to set in the results. */
#pragma once

#include "abi/ring.h"
#include "kernel/core/cap_table.h"
#include "kernel/core/object.h"

struct thread;

struct sent_capability {
    struct object *object; /* a reference */
    cap_id_t id;           /* in the sender's table, if moving */
    bool moving;
};

/* Bytes of every kept record, with what endpoint.c adds to one. */
#define CALL_RECORD_SIZE 336

struct call_transfers {
    union {
        struct {
            uint16_t sent_count, given_count, reserved_count;
            uint16_t kept_count; /* kept calls: how many `sent` has room for */
        };
        uint64_t counts; /* 0: the call has to do with no capability */
    };
    struct sent_capability *sent; /* kept calls: in memory of their own */
    struct object *given[2]; /* no method has more in its results */
    struct cap_transfer reserved[2];
};

struct call {
    union {
        uint64_t words[8]; /* of the entry; each is read once from the ring */
        struct {           /* as struct ring_entry has it */
            uint8_t opcode;
            uint8_t flags;
            uint16_t method_number;
            cap_id_t cap;
            uint64_t interface_id;
            uint64_t user_data;
            uint64_t message;
            uint32_t message_size, result_size;
            uint64_t result;
            uint64_t transfers_address;
            uint16_t transfer_count, transfer_max;
            uint32_t reserved;
        };
    };
    struct thread *caller;       /* NULL: it is gone, or the call was cancelled after delivery */
    struct process *process;     /* whose table and memory the answer goes to */
    struct object *target;       /* a reference while kept */
    const struct method *method; /* NULL for facets and opcodes without one */
    /* the outermost one that the call came through, or NULL; a reference while kept */
    struct object *forwarder;
    bool kept;
    /* the memory belongs to a Reply (kernel/core/endpoint.c), which frees it */
    bool of_reply;
    struct ring_completion completion; /* call_post() adds user_data and status */
    struct call_transfers transfers;
    struct account *account;     /* kept: who pays for the record */
    struct list in_flight;       /* thread's table, by user_data */
    struct list revocation;      /* kept: the forwarder's list of calls that its cutter ends */
    struct list queue;           /* the waiting side's list: an endpoint's, a pipe's, a process's */
    /* takes it out of whatever it waits in; the caller of cancel completes it */
    void (*cancel)(struct call *call);
    void *context;    /* the waiter's own */
    uint64_t value[2]; /* the waiter's own */
};

_Static_assert(offsetof(struct call, user_data) == offsetof(struct ring_entry, user_data)
                   && offsetof(struct call, result) == offsetof(struct ring_entry, result)
                   && offsetof(struct call, transfer_max)
                          == offsetof(struct ring_entry, transfer_max)
                   && sizeof(struct ring_entry) == 64,
               "a record begins with its entry");

/* *out is the record where it stays. Error: callsExhausted or bytesExhausted; the handler returns
 * it. */
status_t call_keep(struct call *call, void (*cancel)(struct call *), struct call **out) MUST_CHECK;
/* The same for who waits in a list until it is served or cancelled; returns STATUS_PENDING. The
 * waiter sets context and value before. */
status_t call_wait(struct call *call, struct list *queue, void (*cancel)(struct call *)) MUST_CHECK;
void call_leave_queue(struct call *call); /* the cancel of who has nothing else to undo */
void call_leave_forwarder(struct call *call); /* cutting, if it came through one, ends it no more */
/* The account of the caller, for what the handler makes on its behalf. */
struct account *call_account(const struct call *call);
/* NULL: no such, or WIRE_NO_CAPABILITY */
struct object *call_sent(const struct call *call, uint32_t index);
/* As call_sent, if it is of the given class (forwarders followed), else NULL. */
struct object *call_sent_as(const struct call *call, uint32_t index,
                            const struct object_class *class);
uint32_t call_give(struct call *call, struct object *o);
/* Builds an Exception as the answer; returns STATUS_EXCEPTION. reason: static text; argument may
 * be NULL. */
status_t call_exception(struct call *call, enum exception_type type, const char *reason,
                        const char *argument);
/* The commonest of them: an argument that cannot be. */
status_t call_bad_argument(struct call *call, const char *argument, const char *reason);
/* For an answer after STATUS_PENDING: an empty root of the method's results, in the CPU's reply
 * buffer. */
struct wire_builder call_reply(struct call *call);
/* Completes a kept call: copies the reply out if STATUS_OK or STATUS_EXCEPTION (an empty one if
 * no call_reply() was made), inserts what was given, posts the completion and frees the record. */
void call_finish(struct call *call, status_t status);

/* --- for ring.c, endpoint.c and forwarder.c --- */
/* What a short call would have as its message: frame, root, and its words. */
struct call_short_message {
    uint64_t frame, root, words[RING_SHORT_WORDS_MAX];
};
static inline uint32_t call_short_message(const struct call *call, struct call_short_message *out)
{
    uint64_t count = call->message_size / sizeof(uint64_t);
    out->frame = (count + 1) << 32;
    out->root = count << 32;
    out->words[0] = call->message;
    out->words[1] = call->transfers_address;
    return (uint32_t)offsetof(struct call_short_message, words) + call->message_size;
}
/* Bytes of the request as a message. */
static inline uint32_t call_request_size(const struct call *call)
{
    uint32_t head = (uint32_t)offsetof(struct call_short_message, words);
    return call->message_size + ((call->flags & RING_FLAG_SHORT) != 0 ? head : 0);
}
/* What a handler, call_keep() and what comes after them may look at, and no more: the rest of a
 * record is not touched. */
static inline void call_begin(struct call *call, struct thread *caller, struct process *process,
                              struct object *target, struct object *forwarder)
{
    call->caller = caller;
    call->process = process;
    call->target = target;
    call->method = NULL;
    call->forwarder = forwarder;
    call->kept = false;
    call->of_reply = false;
    call->completion = (struct ring_completion){0};
    call->transfers.counts = 0;
}
/* A record that completed goes back to where the next call of its thread takes it from: the
 * first is kept with the ring, charged as it is, the others are freed. caller NULL: its thread
 * is gone. */
void call_recycle(struct call *call, struct thread *caller);
void call_free(struct call *call);
/* Completes without an answer in the reply buffer: the answer's size and count are set already,
 * or there is none. */
void call_complete(struct call *call, status_t status);
/* Takes the call out of whatever it waits in and finishes it. */
void call_fail(struct call *call, status_t status);
/* The same without a completion: its thread ends. */
void call_drop(struct call *call);
/* A call whose ring is gone because its handler ended the thread, or replaced its program. */
void call_abandon(struct call *call);
/* Copies the answer out (NULL: there is none), settles what was sent and given. Returns the
 * status to post. */
status_t call_settle(struct call *call, status_t status,
                     struct wire_message_builder *answer) MUST_CHECK;
/* nothing but the completion, and a denial record where one is due */
void call_post(struct call *call, status_t status);
