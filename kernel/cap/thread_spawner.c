/* ThreadSpawner: more threads in the process that holds it. One of the four own objects. */
#include "kernel/arch/arch.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/thread_spawner.h"

const struct object_class thread_spawner_class = {.interface = &thread_spawner_interface,
                                                  .destroy = process_own_destroy,
                                                  .rebind = process_own_rebind};

/* The argument that is at fault, or NULL. Whether the addresses are mapped shows when the thread
 * uses them. */
static const char *check(struct wire_reader params)
{
    uint64_t entry = thread_spawner_spawn_params_entry(params);
    uint32_t ring_entries = thread_spawner_spawn_params_ring_entries(params);
    if (entry < USER_BASE || entry >= USER_END) {
        return "entry";
    }
    if (thread_spawner_spawn_params_stack(params) > USER_END
        || thread_spawner_spawn_params_stack(params) % 16 != 0) {
        return "stack";
    }
    if (thread_spawner_spawn_params_fs_base(params) >= USER_END) {
        return "fsBase";
    }
    if (ring_entries > RING_ENTRIES_MAX || (ring_entries & (ring_entries - 1)) != 0) {
        return "ringEntries";
    }
    return NULL;
}

status_t thread_spawner_spawn(const struct invocation *in)
{
    struct process *p = process_of_own(in->self);
    const char *argument = check(in->params);
    if (argument != NULL) {
        return call_bad_argument(in->call, argument,
                                 "the thread cannot be started with this value");
    }
    if (p->ending) {
        return STATUS_DISCONNECTED;
    }
    struct thread *t;
    status_t status = thread_create(p, thread_spawner_spawn_params_ring_entries(in->params), &t);
    if (status != STATUS_OK) {
        return status;
    }
    arch_thread_start(t, thread_spawner_spawn_params_entry(in->params),
                      thread_spawner_spawn_params_stack(in->params),
                      thread_spawner_spawn_params_argument(in->params), t->ring.user_address, 0,
                      thread_spawner_spawn_params_fs_base(in->params));
    object_get(&t->object);
    thread_spawner_spawn_results_set_handle(in->results, call_give(in->call, &t->object));
    thread_spawner_spawn_results_set_ring(in->results, t->ring.user_address);
    thread_start(t);
    return STATUS_OK;
}
