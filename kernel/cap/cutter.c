/* Cutter: ends what was passed on through its forwarder. The forwarder itself is
 * kernel/core/forwarder.c. */
#include "kernel/core/endpoint.h"
#include "kernel/gen/dispatch.h"

status_t cutter_cut(const struct invocation *in)
{
    forwarder_cut(in->self);
    return STATUS_OK;
}
