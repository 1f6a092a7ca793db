/* Cutter: ends what was passed on through its forwarder. The forwarder itself is
 * kernel/core/forwarder.c. */
#include "kernel/core/endpoint.h"
#include "kernel/gen/dispatch.h"

status_t cutter_cut(struct object *self, struct call *call, struct wire_reader params,
                    struct wire_builder results)
{
    KASSERT(call->target == self && params.message != NULL && results.message != NULL);
    forwarder_cut(self);
    return STATUS_OK;
}
