/*
 * serve.c: the loop of a server.
 */
#include "abi/limits.h"
#include "lib/capos/libc/platform.h"
#include "lib/capos/usual.h"
#include "lib/wire/gen/messages.h"
#include <string.h>

#define SERVER_MESSAGE_DEFAULT (MESSAGE_MAX + 4096ul)

/* What a loop needs; too large for a stack. */
struct loop {
    struct capos_request request;
    void *request_bytes;
    void *reply_bytes;
    size_t message_bytes;
    bool failed; /* the answer is an Exception */
};

static const struct {
    enum exception_type type;
    const char *reason;
} unimplemented = {EXCEPTION_TYPE_UNIMPLEMENTED, "the service does not have this method"};

static void set_exception(struct wire_message_builder *message, enum exception_type type,
                          const char *reason)
{
    struct wire_builder exception = exception_init(message);
    exception_set_type(exception, type);
    exception_set_reason(exception, (struct wire_span){reason, strlen(reason)});
}

status_t capos_request_fail(struct capos_request *request, enum exception_type type,
                            const char *reason)
{
    struct loop *loop = (struct loop *)request;
    request->reply.used = 0;
    request->reply.error = WIRE_OK;
    request->sent = 0;
    loop->failed = true;
    set_exception(&request->reply, type, reason);
    return STATUS_EXCEPTION;
}

/* Open what was received. */
static inline void open_request(struct loop *loop, const struct ring_completion *completion)
{
    struct capos_request *request = &loop->request;
    const struct ring_request *head = loop->request_bytes;
    request->tag = head->tag;
    request->interface_id = head->interface_id;
    request->method = completion->method;
    request->received = completion->transfer_count;
    request->sent = 0;
    request->reply_cap = completion->aux;
    loop->failed = false;
    request->reply.used = 0; /* begun for good by capos_serve */
    request->reply.error = WIRE_OK;
    wire_message_open_root(&request->message, head + 1, completion->result_size - sizeof *head,
                           &request->params);
}

/* What serve answered, as a message: results, its own exception, or one made here. */
static void complete_answer(struct loop *loop, status_t status)
{
    struct capos_request *request = &loop->request;
    if (status == STATUS_OK || loop->failed) {
        return;
    }
    if (status == STATUS_UNKNOWN_METHOD || status == STATUS_NOT_SUPPORTED) {
        (void)!capos_request_fail(request, unimplemented.type, unimplemented.reason);
    } else {
        (void)!capos_request_fail(request, EXCEPTION_TYPE_FAILED, capos_status_name(status));
    }
}

/* The entry that receives the next request. */
static void set_receive(struct ring_entry *entry, struct loop *loop, cap_t endpoint)
{
    *entry = (struct ring_entry){
        .opcode = RING_OP_RECV,
        .cap = endpoint,
        .interface_id = endpoint, /* where a RETURN looks for it */
        .message = (uintptr_t)loop->reply_bytes,
        .result = (uintptr_t)loop->request_bytes,
        .result_size = (uint32_t)loop->message_bytes,
        .transfers = (uintptr_t)loop->request.transfers_in,
        .transfer_max = RING_TRANSFERS_MAX,
    };
}

/* Makes of it the entry that sends the answer first. */
static inline void set_answer(struct ring_entry *entry, struct loop *loop)
{
    struct capos_request *request = &loop->request;
    bool nothing = request->reply.used == 0 && request->reply.error == WIRE_OK;
    size_t size = nothing ? 0 : wire_message_finish(&request->reply);
    if (size == 0 && !nothing) {
        (void)!capos_request_fail(request, EXCEPTION_TYPE_FAILED, "the answer is too large");
        size = wire_message_finish(&request->reply);
    }
    entry->opcode = RING_OP_RETURN;
    entry->flags = loop->failed ? RING_FLAG_RECEIVE | RING_FLAG_EXCEPTION : RING_FLAG_RECEIVE;
    entry->cap = request->reply_cap;
    entry->message_size = (uint32_t)size;
}

/* Sends it alone: the last one, or one with capabilities, which lie elsewhere than received ones.
 * An answer that the kernel refuses, for them perhaps, leaves the Reply unused: dropping it
 * completes the call as failed, so that the caller does not wait for ever. */
static __attribute__((noinline)) void answer_alone(const struct ring_entry *entry,
                                                   struct capos_request *request)
{
    struct capos_wait wait;
    struct ring_entry answer = *entry;
    answer.flags &= (uint8_t)~RING_FLAG_RECEIVE;
    answer.transfers = (uintptr_t)request->transfers_out;
    answer.transfer_count = request->sent;
    capos_do_entry(&answer, &wait);
    if (wait.completion.status != 0) {
        capos_release(request->reply_cap);
    }
}

/* True if there is an answer to send now. */
static bool handle_request(struct capos_server *server, struct loop *loop,
                           const struct ring_completion *completion)
{
    struct capos_request *request = &loop->request;
    if (completion->result_size < sizeof(struct ring_request)) {
        return false;
    }
    open_request(loop, completion);
    status_t status = server->serve(server->context, request);
    if (status != STATUS_PENDING) {
        complete_answer(loop, status);
    }
    for (uint32_t i = 0; i < request->received; i++) {
        capos_release(request->transfers_in[i].cap);
    }
    return status != STATUS_PENDING;
}

static void handle_notice(struct capos_server *server, const struct loop *loop)
{
    if (server->released != NULL) {
        server->released(server->context, ((const struct ring_request *)loop->request_bytes)->tag);
    }
}

/* One entry to the kernel hands over the answer to a request and waits for the next one. */
static status_t run(struct capos_server *server, struct loop *loop)
{
    struct capos_wait wait;
    struct ring_entry entry;
    set_receive(&entry, loop, server->endpoint);
    for (;;) {
        do_entry(&entry, &wait);
        bool answering = false;
        if (wait.completion.status != 0) {
            if (entry.opcode == RING_OP_RECV) {
                return (status_t)-wait.completion.status;
            }
            capos_release(entry.cap); /* the answer was refused, or there is nothing to receive */
        } else if ((wait.completion.flags & RING_FLAG_NOTICE) != 0) {
            handle_notice(server, loop);
        } else {
            answering = handle_request(server, loop, &wait.completion);
        }
        if (answering) {
            set_answer(&entry, loop);
            if (loop->request.sent == 0 && !server->stop) {
                continue;
            }
            answer_alone(&entry, &loop->request);
        }
        if (server->stop) {
            return STATUS_OK;
        }
        set_receive(&entry, loop, server->endpoint);
    }
}

status_t capos_serve(struct capos_server *server)
{
    size_t message_bytes =
        server->message_bytes != 0 ? server->message_bytes : SERVER_MESSAGE_DEFAULT;
    size_t head_bytes = (sizeof(struct loop) + 63) & ~63ul;
    size_t total = head_bytes + 2 * message_bytes;
    struct loop *loop = capos_pages_map(total);
    if (loop == NULL) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    loop->message_bytes = message_bytes;
    loop->request_bytes = (char *)loop + head_bytes;
    loop->reply_bytes = (char *)loop->request_bytes + message_bytes;
    wire_message_begin(&loop->request.reply, loop->reply_bytes, message_bytes);
    status_t status = run(server, loop);
    capos_flush();
    capos_pages_unmap(loop, total);
    return status;
}

status_t capos_reply(cap_t reply_cap, struct wire_message_builder *message,
                     const struct cap_transfer *transfers, uint16_t sent)
{
    struct capos_wait wait;
    struct ring_entry entry = {
        .opcode = RING_OP_RETURN,
        .cap = reply_cap,
        .message = (uintptr_t)(message->segment - 1),
        .message_size = (uint32_t)wire_message_finish(message),
        .transfers = (uintptr_t)transfers,
        .transfer_count = sent,
    };
    if (entry.message_size == 0) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    capos_do_entry(&entry, &wait);
    return (status_t)-wait.completion.status;
}
