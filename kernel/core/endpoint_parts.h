/* What an endpoint is made of: for endpoint.c and endpoint_fast.c.
 *
 *   struct endpoint   what RECV names. Its memory stays while facets or replies point at it;
 *                     `dead` says that the owner's object is gone.
 *   struct facet      what clients hold. On its last reference it becomes the notice.
 *   struct reply      one call, from its CALL to its RETURN: the caller's kept record, and the
 *                     object that the receiver returns on. It is in `calls` until received and
 *                     in `received` until completed; then it waits for its last reference.
 *
 * Kernel lock held. */
#pragma once

#include "kernel/core/endpoint.h"
#include "kernel/core/sched.h"

struct endpoint {
    struct object object;
    struct account *account;
    bool dead;
    uint32_t holds;        /* the object, facets and replies */
    struct list calls;     /* struct reply, by call.queue: nobody has received them */
    struct list received;  /* struct reply, by call.queue: nobody has answered them */
    struct list receivers; /* struct call, by queue: RECVs that wait */
    struct list notices;   /* struct facet */
};

struct facet {
    struct object object;
    struct endpoint *endpoint;
    struct account *account;
    struct ring_request head; /* what a receiver finds before a message of its */
    struct list notice;
};

struct reply {
    struct call call; /* first: call_keep() makes it */
    struct object object;
    struct endpoint *endpoint;
};

_Static_assert(sizeof(struct reply) <= CALL_RECORD_SIZE, "it lies in a kept record's memory");

/* A facet or a reply refers to it no more. */
void endpoint_let_go(struct endpoint *e);

/* endpoint_receive() where nothing waits to be received and the record is where it can stay. */
static inline bool endpoint_receive_ready(struct object *endpoint, struct call *call)
{
    struct endpoint *e = CONTAINER_OF(endpoint, struct endpoint, object);
    if (!list_empty(&e->calls) || !list_empty(&e->notices) || call->account == NULL) {
        return false;
    }
    call_keep_commit(call, call_leave_queue);
    list_append(&e->receivers, &call->queue);
    return true;
}
