/* What ProcessSpawner and RestrictedLauncher share: a call that starts a process. */
#pragma once

#include "kernel/core/call.h"
#include "lib/wire/wire.h"

struct spawn_request {
    struct wire_span name;
    struct object *image; /* no reference of its own */
    struct wire_span start;
    struct wire_list grants; /* of GrantedCap */
    struct wire_reader limits;
};

/* Makes and starts it. set_handle: the generated setter. */
status_t spawn_process(const struct invocation *in, const struct spawn_request *request,
                       void (*set_handle)(struct wire_builder, uint32_t)) MUST_CHECK;
