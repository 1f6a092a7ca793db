/* Endpoints: calls from one process to another.
 *
 * The owner's object (class endpoint_class) receives; facets (class facet_class) are what
 * clients hold, each with an interface id and a tag that the owner chose. A call waits at the
 * endpoint until a RECV takes it (or the other way round). A received call is held by a Reply, a
 * single-use object in the receiver's table, and refers to its facet until it completes.
 *
 * When the last reference to a facet goes, the facet itself is queued as the notice, in order
 * after its last call, and is freed when the notice is received or the endpoint dies. When the
 * owner's object goes, calls in every state complete with disconnected. Forwarders are objects
 * of their own that calls go through; cutting one completes undelivered calls with revoked. */
#pragma once

#include "kernel/core/call.h"
#include "kernel/core/object.h"

extern const struct object_class endpoint_class, facet_class, reply_class, forwarder_class,
    cutter_class;

status_t endpoint_create(struct account *a, struct object **out) MUST_CHECK;
/* The three opcodes' halves. */
status_t endpoint_call(struct object *facet, struct call *call) MUST_CHECK;
status_t endpoint_receive(struct object *endpoint, struct call *call) MUST_CHECK;
status_t endpoint_return(struct object *reply, struct call *call, bool exception) MUST_CHECK;
/* The first and the last in the commonest case; false: it is not that, and nothing has happened. */
bool endpoint_call_fast(struct thread *t, struct call *call, struct object *facet) MUST_CHECK;
bool endpoint_return_fast(struct thread *t, const struct call *back,
                          struct object *reply) MUST_CHECK;
status_t endpoint_mint_facet(struct object *endpoint, struct account *a, uint64_t interface_id,
                             uint64_t tag, struct object **out) MUST_CHECK;
uint64_t facet_interface_id(const struct object *facet);

/* Follows forwarders to what they stand for: revoked, or overflow beyond FORWARDER_DEPTH_MAX. */
status_t forwarder_resolve(struct object *o, struct object **target) MUST_CHECK;
/* A forwarder to `target` and its cutter, each with one reference. Errors: overflow (too deep),
 * bytesExhausted. */
status_t forwarder_create(struct account *a, struct object *target, struct object **forwarder,
                          struct object **cutter) MUST_CHECK;
/* the kept call came through it */
void forwarder_track(struct object *forwarder, struct call *call);
void forwarder_cut(struct object *cutter);
