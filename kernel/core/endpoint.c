/* Endpoints: calls from one process to another. See endpoint.h; docs/abi.md says who gets which
 * error.
 *
 * Check, then commit: whose fault a failed delivery is decides who hears of it. A call that its
 * receiver cannot take (too large, unreadable, no room for capabilities) completes with an
 * error, and the receiver waits on; a receiver whose own buffer is bad hears of that, and the
 * call waits for the next one. So neither can harm the other.
 *
 * Invariants: `receivers` is empty, or `calls` and `notices` both are; a reply in `calls` has
 * the one reference of that list. Kernel lock held. */
#include "kernel/core/endpoint_parts.h"

#include "kernel/core/address_space.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/core/transfer.h"
#include "kernel/gen/dispatch.h"

static struct endpoint *of_endpoint(struct object *o)
{
    KASSERT(o->class == &endpoint_class);
    return CONTAINER_OF(o, struct endpoint, object);
}

static struct facet *of_facet(struct object *o)
{
    KASSERT(o->class == &facet_class);
    return CONTAINER_OF(o, struct facet, object);
}

static struct reply *of_call(struct call *call)
{
    KASSERT(call->of_reply);
    return CONTAINER_OF(call, struct reply, call);
}

/* --- life and death --- */

status_t endpoint_create(struct account *a, struct object **out)
{
    void *memory;
    status_t s = kmem_alloc(a, sizeof(struct endpoint), &memory);
    if (s != STATUS_OK) {
        return s;
    }
    struct endpoint *e = memory;
    object_init(&e->object, &endpoint_class);
    e->account = a;
    e->holds = 1;
    list_init(&e->calls);
    list_init(&e->received);
    list_init(&e->receivers);
    list_init(&e->notices);
    *out = &e->object;
    return STATUS_OK;
}

void endpoint_let_go(struct endpoint *e)
{
    KASSERT(e->holds > 0);
    if (--e->holds == 0) {
        KASSERT(e->dead && list_empty(&e->calls) && list_empty(&e->received));
        kmem_free(e->account, e, sizeof(*e));
    }
}

status_t endpoint_mint_facet(struct object *endpoint, struct account *a, uint64_t interface_id,
                             uint64_t tag, struct object **out)
{
    void *memory;
    status_t s = kmem_alloc(a, sizeof(struct facet), &memory);
    if (s != STATUS_OK) {
        return s;
    }
    struct facet *f = memory;
    object_init(&f->object, &facet_class);
    f->endpoint = of_endpoint(endpoint);
    f->endpoint->holds++;
    f->account = a;
    f->head = (struct ring_request){.tag = tag, .interface_id = interface_id};
    list_init(&f->notice);
    *out = &f->object;
    return STATUS_OK;
}

uint64_t facet_interface_id(const struct object *facet)
{
    KASSERT(facet->class == &facet_class);
    return CONTAINER_OF(facet, const struct facet, object)->head.interface_id;
}

static void facet_free(struct facet *f)
{
    endpoint_let_go(f->endpoint);
    kmem_free(f->account, f, sizeof(*f));
}

static void endpoint_destroy(struct object *o)
{
    struct endpoint *e = of_endpoint(o);
    KASSERT(list_empty(&e->receivers)); /* each has a reference */
    e->dead = true;
    while (!list_empty(&e->calls)) {
        call_fail(LIST_FIRST(&e->calls, struct call, queue), STATUS_DISCONNECTED);
    }
    while (!list_empty(&e->received)) {
        call_fail(LIST_FIRST(&e->received, struct call, queue), STATUS_DISCONNECTED);
    }
    while (!list_empty(&e->notices)) {
        struct facet *f = LIST_FIRST(&e->notices, struct facet, notice);
        list_remove(&f->notice);
        facet_free(f);
    }
    endpoint_let_go(e);
}

/* --- delivery --- */

/* Both sides' sizes, then slots for the Reply (ids[0]) and for what was sent. What is missing
 * here is the receiver's, but the call cannot wait for it. */
static status_t deliver_reserve(const struct call *receive, struct call *call,
                                struct cap_transfer *ids)
{
    uint32_t sent = call->transfers.sent_count;
    if (call_request_size(call) > receive->result_size - sizeof(struct ring_request)
        || sent > receive->transfer_max) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    if (transfer_reserve(&receive->process->table, sent + 1, ids) != STATUS_OK) {
        return call_exception(call, EXCEPTION_TYPE_OVERLOADED,
                              "the receiver has no room for capabilities", NULL);
    }
    return STATUS_OK;
}

static bool write_head(const struct call *receive, const struct facet *f)
{
    struct address_space *as = receive->process->space;
    return user_copy_out(as, receive->result, &f->head, sizeof(f->head)) == STATUS_OK;
}

/* The target is the receiver's. */
static enum user_copied deliver_copy(const struct call *receive, const struct call *call,
                                     const struct cap_transfer *ids)
{
    struct address_space *to = receive->process->space;
    uint64_t body = receive->result + sizeof(struct ring_request);
    if (transfer_write(to, receive->transfers_address, call->transfers.sent_count, ids + 1)
            != STATUS_OK
        || !write_head(receive, CONTAINER_OF(call->target, const struct facet, object))) {
        return USER_TARGET_BAD;
    }
    if ((call->flags & RING_FLAG_SHORT) != 0) {
        struct call_short_message message;
        uint32_t size = call_short_message(call, &message);
        return user_copy_out(to, body, &message, size) == STATUS_OK ? USER_COPIED : USER_TARGET_BAD;
    }
    return user_copy_across(to, body, call->process->space, call->message, call->message_size);
}

/* From the queue's hands into the receiver's: cannot fail. */
static void deliver_commit(struct call *receive, struct reply *r, const struct cap_transfer *ids)
{
    struct call *call = &r->call;
    receive->completion.result_size =
        (uint32_t)sizeof(struct ring_request) + call_request_size(call);
    receive->completion.transfer_count = call->transfers.sent_count;
    receive->completion.method = call->method_number;
    receive->completion.aux = ids[0].cap;
    if (call->transfers.sent_count != 0) {
        transfer_deliver(call, &receive->process->table, ids + 1);
    }
    call_leave_forwarder(call); /* cutting lets it finish now */
    list_remove(&call->queue);
    list_append(&r->endpoint->received, &call->queue);
    call->cancel = call_leave_queue; /* the receiver has the Reply, and learns when it returns */
    /* takes over the queue's reference */
    cap_table_commit(&receive->process->table, ids[0].cap, &r->object);
}

/* The source at fault: the call has completed with an error, and the receiver may take the next.
 * The target: nothing has happened to the call. */
static enum user_copied deliver(struct call *receive, struct reply *r)
{
    struct cap_transfer ids[RING_TRANSFERS_MAX + 1];
    struct call *call = &r->call;
    status_t s = deliver_reserve(receive, call, ids);
    if (s != STATUS_OK) {
        call_fail(call, s);
        return USER_SOURCE_BAD;
    }
    enum user_copied outcome = deliver_copy(receive, call, ids);
    if (outcome == USER_COPIED) {
        deliver_commit(receive, r, ids);
        return USER_COPIED;
    }
    transfer_unreserve(&receive->process->table, call->transfers.sent_count + 1u, ids);
    if (outcome == USER_SOURCE_BAD) {
        call_fail(call, STATUS_BAD_ADDRESS);
    }
    return outcome;
}

/* The facet itself was the notice. Error: badAddress, the receiver's. */
static status_t deliver_notice(struct call *receive, struct facet *f)
{
    if (!write_head(receive, f)) {
        return STATUS_BAD_ADDRESS;
    }
    receive->completion.result_size = sizeof(struct ring_request);
    receive->completion.flags |= RING_FLAG_NOTICE;
    list_remove(&f->notice);
    facet_free(f);
    return STATUS_OK;
}

/* The next thing for a receiver; wouldBlock: there is none. Bounded by what is queued. */
static __attribute__((noinline)) status_t take_next(struct endpoint *e, struct call *receive)
{
    if (!list_empty(&e->notices)) {
        return deliver_notice(receive, LIST_FIRST(&e->notices, struct facet, notice));
    }
    while (!list_empty(&e->calls)) {
        enum user_copied outcome =
            deliver(receive, LIST_FIRST(&e->calls, struct reply, call.queue));
        if (outcome != USER_SOURCE_BAD) {
            return outcome == USER_COPIED ? STATUS_OK : STATUS_BAD_ADDRESS;
        }
    }
    return STATUS_WOULD_BLOCK;
}

static void receiver_done(struct call *receive, status_t status)
{
    list_remove(&receive->queue);
    call_complete(receive, status);
}

static void facet_destroy(struct object *o)
{
    struct facet *f = of_facet(o);
    struct endpoint *e = f->endpoint;
    if (e->dead) {
        facet_free(f);
        return;
    }
    list_append(&e->notices, &f->notice);
    while (!list_empty(&e->receivers) && !list_empty(&e->notices)) {
        struct call *receive = LIST_FIRST(&e->receivers, struct call, queue);
        receiver_done(receive, deliver_notice(receive, f));
    }
}

/* --- CALL and RECV --- */

static void cancel_undelivered(struct call *call)
{
    call_leave_queue(call);
    /* the queue's reference; its memory stays until the end of the kernel entry */
    object_put(&of_call(call)->object);
}

/* To the first who waits for one and whose buffer is good; else it waits itself. */
static inline void offer(struct endpoint *e, struct reply *r)
{
    list_init(&r->call.queue);
    while (!list_empty(&e->receivers)) {
        struct call *receive = LIST_FIRST(&e->receivers, struct call, queue);
        enum user_copied outcome = deliver(receive, r);
        if (outcome != USER_SOURCE_BAD) {
            receiver_done(receive, outcome == USER_COPIED ? STATUS_OK : STATUS_BAD_ADDRESS);
        }
        if (outcome != USER_TARGET_BAD) {
            return;
        }
    }
    list_append(&e->calls, &r->call.queue);
}

status_t endpoint_call(struct object *facet, struct call *call)
{
    struct endpoint *e = of_facet(facet)->endpoint;
    struct call *kept;
    if (e->dead) {
        return STATUS_DISCONNECTED;
    }
    status_t s = call_keep(call, cancel_undelivered, &kept);
    if (s != STATUS_OK) {
        return s;
    }
    kept->of_reply = true;
    struct reply *r = of_call(kept);
    object_init(&r->object, &reply_class);
    r->endpoint = e;
    e->holds++;
    offer(e, r);
    return STATUS_PENDING;
}

status_t endpoint_receive(struct object *endpoint, struct call *call)
{
    struct endpoint *e = of_endpoint(endpoint);
    KASSERT(!e->dead && call->result_size >= sizeof(struct ring_request));
    if (!list_empty(&e->calls) || !list_empty(&e->notices)) {
        status_t s = take_next(e, call);
        if (s != STATUS_WOULD_BLOCK) {
            return s;
        }
    }
    return call_wait(call, &e->receivers, call_leave_queue);
}

/* --- RETURN --- */

/* Copies the answer to the caller. *theirs is what the caller then completes with; an error
 * returned is the returner's, and nothing has happened. */
static status_t return_copy(const struct call *back, struct call *call, struct cap_transfer *ids,
                            status_t *theirs)
{
    uint32_t sent = back->transfers.sent_count;
    struct address_space *to = call->process->space;
    if (back->message_size > call->result_size || sent > call->transfer_max) {
        call->completion.aux = back->message_size;
        *theirs = STATUS_RESULT_TOO_SMALL;
        return STATUS_OK;
    }
    *theirs = transfer_reserve(&call->process->table, sent, ids);
    if (*theirs != STATUS_OK) {
        return STATUS_OK;
    }
    enum user_copied copied = user_copy_across(to, call->result, back->process->space,
                                               back->message, back->message_size);
    *theirs = copied == USER_COPIED ? transfer_write(to, call->transfers_address, sent, ids)
                                    : STATUS_BAD_ADDRESS;
    if (*theirs != STATUS_OK) {
        transfer_unreserve(&call->process->table, sent, ids);
    }
    return copied == USER_SOURCE_BAD ? STATUS_BAD_ADDRESS : STATUS_OK;
}

/* The Reply is used up: its slot goes, and most often nothing else refers to it. It may have been
 * among what was sent by move; then there is nothing to do. */
static void reply_used(struct reply *r, const struct call *back, struct thread *caller)
{
    struct object *o = cap_table_take(&back->process->table, back->cap);
    if (o == NULL) {
        return;
    }
    KASSERT(o == &r->object);
    if (o->references > 1) {
        object_put(o);
        return;
    }
    endpoint_let_go(r->endpoint);
    call_recycle(&r->call, caller);
}

status_t endpoint_return(struct object *reply, struct call *back, bool exception)
{
    KASSERT(reply->class == &reply_class);
    struct cap_transfer ids[RING_TRANSFERS_MAX];
    struct reply *r = CONTAINER_OF(reply, struct reply, object);
    struct call *call = &r->call;
    struct thread *caller = call->caller;
    if (caller == NULL) {
        back->completion.flags |= RING_FLAG_CALLER_GONE;
        transfer_end(back, true);
        reply_used(r, back, NULL);
        return STATUS_OK;
    }
    status_t theirs;
    status_t s = return_copy(back, call, ids, &theirs);
    if (s != STATUS_OK) {
        return s;
    }
    if (theirs == STATUS_OK) {
        call->completion.result_size = back->message_size;
        call->completion.transfer_count = back->transfers.sent_count;
        if (back->transfers.sent_count != 0) {
            transfer_deliver(back, &call->process->table, ids);
        }
        theirs = exception ? STATUS_EXCEPTION : STATUS_OK;
    } else if (back->transfers.sent_count != 0) {
        transfer_end(back, true); /* the answer was given, whatever became of it */
    }
    list_remove(&call->queue);
    call_complete(call, theirs);
    reply_used(r, back, caller);
    return STATUS_OK;
}

static void reply_destroy(struct object *o)
{
    struct reply *r = CONTAINER_OF(o, struct reply, object);
    struct endpoint *e = r->endpoint;
    /* dropped without a RETURN; or the owner ended, and this is looked at first */
    if (r->call.caller != NULL) {
        bool dying = e->dead || e->object.references == 0;
        call_fail(&r->call, dying ? STATUS_DISCONNECTED
                                  : call_exception(&r->call, EXCEPTION_TYPE_FAILED,
                                                   "the server dropped the call", NULL));
    }
    endpoint_let_go(e);
    call_free(&r->call);
}

/* A Reply has no methods: it is for RETURN alone. A forked child must not answer for its parent. */
static const struct interface reply_interface = {.name = "Reply", .fork = FORK_POLICY_DROP};

const struct object_class endpoint_class = {.interface = &endpoint_interface,
                                            .destroy = endpoint_destroy};
const struct object_class facet_class = {.destroy = facet_destroy};
const struct object_class reply_class = {.interface = &reply_interface, .destroy = reply_destroy};
