/* What the generated clients (lib/capos/gen) stand on: one call, from the building of its
 * parameters to the reading of its results. libcapos implements the functions; the stubs are their
 * main users.
 *
 * A synchronous call uses the calling thread's own struct capos_call:
 *
 *     struct capos_call *call = capos_call_begin();
 *     struct wire_builder params = timer_sleep_params_init(&call->message);
 *     timer_sleep_params_set_ns(params, 1000000);
 *     status_t status = capos_invoke(call, timer, TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP);
 *
 * and that is all that capos_timer_sleep(timer, 1000000) does. What needs parameters that no stub
 * can take conveniently (lists of structs) builds them in place like this.
 *
 * A call that goes on while its thread does other things has a struct capos_call and buffers of its
 * own: capos_call_init, the generated capos_x_y_submit, capos_x_y_await. They must stay until the
 * call is complete.
 *
 * Results are valid until the call record is used again: for the thread's own until its next call.
 * malloc and its like make none with that record.
 * Capabilities received belong to whoever takes them with capos_received; those that nobody took
 * are released when the record is used again.
 *
 * No function here may be called from an upcall handler while its thread's own call is being built,
 * unless the handler saves and restores the thread's record. */
#pragma once

#include "abi/capability.h"
#include "abi/gen/interfaces.h"
#include "abi/ring.h"
#include "lib/wire/wire.h"

typedef cap_id_t cap_t;
typedef enum status status_t;

#define CAPOS_MUST_CHECK __attribute__((warn_unused_result))

enum capos_call_state {
    CAPOS_CALL_IDLE = 0,
    CAPOS_CALL_SUBMITTED,
    CAPOS_CALL_COMPLETE,
};

struct capos_call {
    struct wire_message_builder message; /* the parameters, in `request` */
    struct wire_reader results; /* root of the answer; after STATUS_EXCEPTION an Exception */
    struct wire_message answer; /* what `results` is read from */
    void *request;
    void *reply;
    uint32_t request_size;
    uint32_t reply_size;
    enum capos_call_state state;
    uint64_t value;      /* of the completion of a short call: its results */
    int32_t status;      /* of the completion: 0 or a negated enum status */
    uint32_t result_size; /* of the completion */
    uint32_t aux;        /* of the completion */
    bool is_short;       /* the answer is `value` */
    uint16_t sent;     /* capabilities in `transfers`, while building */
    uint16_t received; /* capabilities in `transfers`, when complete; a taken one is CAP_ID_NONE */
    struct cap_transfer transfers[RING_TRANSFERS_MAX];
};

/* The calling thread's record, ready to build parameters in: releases what the last answer brought
 * and nobody took. The buffers hold at least a message of MESSAGE_MAX bytes each way, or as much as
 * the runtime says for its threads. */
struct capos_call *capos_call_begin(void);

/* The same record with the last call's answer. */
struct capos_call *capos_call_own(void);

/* A record with buffers of the caller's, both aligned to 8. */
void capos_call_init(struct capos_call *call, void *request, uint32_t request_size, void *reply,
                     uint32_t reply_size);

/* Makes a complete or idle record ready to build parameters in, as capos_call_begin does. A record
 * that is submitted must not be given. */
void capos_call_reset(struct capos_call *call);

/* Puts the call into the ring. Errors: messageTooLarge if the parameters did not fit `request`, and
 * what entering the ring answers. After an error nothing is under way. */
status_t capos_submit(struct capos_call *call, cap_t cap, uint64_t interface_id,
                      uint16_t method) CAPOS_MUST_CHECK;

/* Waits until the submitted call is complete; other completions are kept for their owners. Answers
 * the call's status; badMessage if the answer is not a message. With STATUS_OK and STATUS_EXCEPTION
 * `results` is set. */
status_t capos_await(struct capos_call *call) CAPOS_MUST_CHECK;

/* Whether a submitted call is complete; does not wait. */
bool capos_is_complete(struct capos_call *call);

/* Submit and await. With CAPOS_NO_RESULTS added to the method's number `results` is set after an
 * exception only. */
status_t capos_invoke(struct capos_call *call, cap_t cap, uint64_t interface_id,
                      uint32_t method) CAPOS_MUST_CHECK;
#define CAPOS_NO_RESULTS 0x10000u

/* A short call (RING_FLAG_SHORT in abi/ring.h) by the calling thread's record, which the parameters
 * do not go through: one or two words of them. `what`: CAPOS_SHORT of the method's number and how
 * many words there are. Answers the record, with the call's status, negated, in `status`. */
struct capos_call *capos_invoke_short(cap_t cap, uint64_t interface_id, uint64_t what,
                                      uint64_t first, uint64_t second);
#define CAPOS_SHORT(method, words)                                                                 \
    ((uint64_t)(words) * 8 << 32 | (uint32_t)(method) << 16 | RING_FLAG_SHORT << 8 | RING_OP_CALL)

/* A call by the calling thread's record, which is built in one go: its parameters are one Data, or
 * one Text where CAPOS_TEXT is added to the method's number. Otherwise as capos_invoke. */
status_t capos_invoke_bytes(cap_t cap, uint64_t interface_id, uint32_t method, const void *bytes,
                            size_t size) CAPOS_MUST_CHECK;
#define CAPOS_TEXT 0x20000u

/* Queued: takes effect with the next entry to the kernel. CAP_ID_NONE is allowed. */
void capos_release(cap_t cap);

/* Adds a capability to the call that is being built and answers the index to set in its message. */
static inline uint32_t capos_send(struct capos_call *call, cap_t cap, enum cap_transfer_mode mode)
{
    if (cap == CAP_ID_NONE) {
        return WIRE_NO_CAPABILITY;
    }
    if (call->sent == RING_TRANSFERS_MAX) {
        call->message.error = WIRE_ERROR_SPACE; /* the call fails as messageTooLarge */
        return WIRE_NO_CAPABILITY;
    }
    call->transfers[call->sent] = (struct cap_transfer){cap, mode};
    return call->sent++;
}

/* Adds capabilities to which indices refer that were set before: must come first, and none of them
 * may be CAP_ID_NONE. */
static inline void capos_send_all(struct capos_call *call, const struct cap_transfer *transfers,
                                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)capos_send(call, transfers[i].cap, (enum cap_transfer_mode)transfers[i].mode);
    }
}

/* Takes the capability that the answer has at this index; CAP_ID_NONE if there is none. */
static inline cap_t capos_received(struct capos_call *call, uint32_t index)
{
    if (index >= call->received) {
        return CAP_ID_NONE;
    }
    cap_t cap = call->transfers[index].cap;
    call->transfers[index].cap = CAP_ID_NONE;
    return cap;
}
