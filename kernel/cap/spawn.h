/* What ProcessSpawner and RestrictedLauncher share: a call that starts a process. */
#pragma once

#include "kernel/core/call.h"

/* Makes and starts it. grants: of GrantedCap. set_handle: the generated setter. */
status_t spawn_process(const struct invocation *in, struct wire_span name, struct object *image,
                       struct wire_span start, struct wire_list grants, struct wire_reader limits,
                       void (*set_handle)(struct wire_builder, uint32_t)) MUST_CHECK;
