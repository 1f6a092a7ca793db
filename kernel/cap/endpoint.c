/* Endpoint's methods: minting facets and forwarders. What an endpoint does is
 * kernel/core/endpoint.c. */
#include "kernel/core/endpoint.h"

#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/endpoint.h"

status_t endpoint_mint(struct object *self, struct call *call, struct wire_reader params,
                       struct wire_builder results)
{
    uint64_t interface_id = endpoint_mint_params_interface_id(params);
    uint64_t tag = endpoint_mint_params_tag(params);
    struct object *facet;
    if (interface_id == 0) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "an interface id is never 0",
                              "interfaceId");
    }
    status_t s = endpoint_mint_facet(self, call_account(call), interface_id, tag, &facet);
    if (s == STATUS_OK) {
        endpoint_mint_results_set_facet(results, call_give(call, facet));
    }
    return s;
}

/* What a forwarder must not stand for, and why; NULL: it may. */
static const char *not_revocable(const struct object *o)
{
    if (o->class == &endpoint_class || o->class == &reply_class) {
        return "owning an endpoint and answering a call are not calls";
    }
    return NULL;
}

status_t endpoint_revocable(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    struct object *cap = call_sent(call, endpoint_revocable_params_cap(params));
    struct object *target, *forwarder, *cutter;
    KASSERT(self->class == &endpoint_class);
    if (cap == NULL) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "no capability was sent",
                              "cap");
    }
    status_t s = forwarder_resolve(cap, &target);
    if (s != STATUS_OK) {
        return s;
    }
    const char *reason = not_revocable(target);
    if (reason != NULL) {
        return call_exception(call, EXCEPTION_TYPE_UNIMPLEMENTED, reason, "cap");
    }
    s = forwarder_create(call_account(call), cap, &forwarder, &cutter);
    if (s == STATUS_OVERFLOW) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "forwarders nest to a depth of 8", "cap");
    }
    if (s == STATUS_OK) {
        endpoint_revocable_results_set_forwarder(results, call_give(call, forwarder));
        endpoint_revocable_results_set_cutter(results, call_give(call, cutter));
    }
    return s;
}
