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

/* Makes and starts it; *handle: the index of the ProcessHandle for the results. */
status_t spawn_process(struct call *call, const struct spawn_request *request,
                       uint32_t *handle) MUST_CHECK;
