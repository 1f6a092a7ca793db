/* What the generated servers (lib/capos/gen/server.h) stand on: one request that an endpoint's
 * owner has received, and the answer that it builds.
 *
 * The runtime's loop receives (RECV), fills a struct capos_request, calls capos_x_serve, and
 * returns (RETURN) what was built. A method may answer other than STATUS_OK: the runtime then sends
 * an Exception instead of the results (unimplemented for unknownMethod and notSupported), unless
 * the method made one of its own with capos_request_fail. A method that cannot answer yet moves the
 * reply capability out of the request and answers STATUS_PENDING; the runtime then returns nothing.
 */
#pragma once

#include "lib/capos/invoke.h"

struct capos_request {
    uint64_t tag;          /* of the facet that was called */
    uint64_t interface_id; /* of that facet */
    uint16_t method;
    uint16_t received; /* capabilities in `transfers_in`; one that was taken is CAP_ID_NONE */
    uint16_t sent;     /* capabilities in `transfers_out` */
    cap_t reply_cap;   /* the single-use Reply */
    struct wire_message message; /* the request */
    struct wire_reader params;   /* its root; valid until the answer is sent */
    struct wire_message_builder reply;
    struct cap_transfer transfers_in[RING_TRANSFERS_MAX];
    struct cap_transfer transfers_out[RING_TRANSFERS_MAX];
};

/* Takes the capability that the request has at this index; CAP_ID_NONE if there is none. Those that
 * nobody takes are released after the answer. */
static inline cap_t capos_request_take(struct capos_request *request, uint32_t index)
{
    if (index >= request->received) {
        return CAP_ID_NONE;
    }
    cap_t cap = request->transfers_in[index].cap;
    request->transfers_in[index].cap = CAP_ID_NONE;
    return cap;
}

/* Adds a capability to the answer and gives the index to set in its message. */
static inline uint32_t capos_request_give(struct capos_request *request, cap_t cap,
                                          enum cap_transfer_mode mode)
{
    if (cap == CAP_ID_NONE) {
        return WIRE_NO_CAPABILITY;
    }
    if (request->sent == RING_TRANSFERS_MAX) {
        request->reply.error = WIRE_ERROR_SPACE;
        return WIRE_NO_CAPABILITY;
    }
    request->transfers_out[request->sent] = (struct cap_transfer){cap, mode};
    return request->sent++;
}

/* Makes the answer an Exception; answers STATUS_EXCEPTION, for the method to answer in turn. What
 * was built before is lost. `reason` ends with a NUL. */
status_t capos_request_fail(struct capos_request *request, enum exception_type type,
                            const char *reason);
