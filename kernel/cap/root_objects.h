/* The objects that the machine has one of, and that the kernel hands to init as its grants.
 *
 * Each has one reference that is never given back. They hold no state of a process: who calls is in
 * the call record, so an interface whose fork policy is rebind answers the same object. */
#pragma once

#include "kernel/core/object.h"

extern struct object console_object, std_io_object, timer_object, entropy_source_object,
    code_memory_object, boot_package_object, process_spawner_object, restricted_launcher_object;

struct account;
/* kernel/cap/pipe.c: a pipe whose record is charged to `a`; one reference to each end. */
status_t pipe_create(struct account *a, struct object **reader, struct object **writer) MUST_CHECK;
