/* Endpoint's methods: minting facets and forwarders. What an endpoint does is
 * kernel/core/endpoint.c. */
#include "kernel/core/endpoint.h"

#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/endpoint.h"

status_t endpoint_mint(const struct invocation *in, uint64_t interface_id, uint64_t tag)
{
    struct object *facet;
    if (interface_id == 0) {
        return call_bad_argument(in->call, "interfaceId", "an interface id is never 0");
    }
    status_t s = endpoint_mint_facet(in->self, call_account(in->call), interface_id, tag, &facet);
    if (s == STATUS_OK) {
        endpoint_mint_results_set_facet(in->results, call_give(in->call, facet));
    }
    return s;
}

status_t endpoint_revocable(const struct invocation *in, struct object *cap)
{
    struct object *target, *forwarder, *cutter;
    KASSERT(in->self->class == &endpoint_class);
    status_t s = forwarder_resolve(cap, &target);
    if (s != STATUS_OK) {
        return s;
    }
    if (target->class == &endpoint_class || target->class == &reply_class) {
        return call_exception(in->call, EXCEPTION_TYPE_UNIMPLEMENTED,
                              "owning an endpoint and answering a call are not calls", "cap");
    }
    s = forwarder_create(call_account(in->call), cap, &forwarder, &cutter);
    if (s == STATUS_OVERFLOW) {
        return call_bad_argument(in->call, "cap", "forwarders nest to a depth of 8");
    }
    if (s == STATUS_OK) {
        endpoint_revocable_results_set_forwarder(in->results, call_give(in->call, forwarder));
        endpoint_revocable_results_set_cutter(in->results, call_give(in->call, cutter));
    }
    return s;
}
