/* ThreadSpawner: more threads in the process that holds it. One of the four own objects. */
#include "kernel/arch/arch.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/thread_spawner.h"

/* The argument that is at fault, or NULL. Whether the addresses are mapped shows when the thread
 * uses them. */
static const char *check(uint64_t entry, uint64_t stack, uint64_t fs_base, uint32_t ring_entries)
{
    if (entry < USER_BASE || entry >= USER_END) {
        return "entry";
    }
    if (stack > USER_END || stack % 16 != 0) {
        return "stack";
    }
    if (fs_base >= USER_END) {
        return "fsBase";
    }
    if (ring_entries > RING_ENTRIES_MAX || (ring_entries & (ring_entries - 1)) != 0) {
        return "ringEntries";
    }
    return NULL;
}

status_t thread_spawner_spawn(const struct invocation *in, uint64_t entry, uint64_t stack,
                              uint64_t argument, uint64_t fs_base, uint32_t ring_entries)
{
    struct process *p = process_of_own(in->self);
    const char *fault = check(entry, stack, fs_base, ring_entries);
    if (fault != NULL) {
        return call_bad_argument(in->call, fault, "the thread cannot be started with this value");
    }
    if (p->ending) {
        return STATUS_DISCONNECTED;
    }
    struct thread *t;
    status_t status = thread_create(p, p->space, ring_entries, &t);
    if (status != STATUS_OK) {
        return status;
    }
    arch_thread_start(t, entry, stack, argument, t->ring.user_address, 0, fs_base);
    object_get(&t->object);
    thread_spawner_spawn_results_set_handle(in->results, call_give(in->call, &t->object));
    thread_spawner_spawn_results_set_ring(in->results, t->ring.user_address);
    thread_start(t);
    return STATUS_OK;
}
