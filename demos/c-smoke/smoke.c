/* The smoke test: what a program on capOS can rely on, checked from user space. Prints `ok PART` or
 * `not ok PART: why` for each part, in this order, and ends with 0 if all were ok.
 *
 * Run by `make run-smoke` with the grants stdio, timer, random and spawn, in this order. */
#include "smoke.h"

cap_t smoke_timer, smoke_spawner, smoke_random;

static char why[256];

void smoke_why(const char *file, int line, const char *what)
{
    const char *slash = strrchr(file, '/');
    snprintf(why, sizeof why, "%s:%d: %s", slash == NULL ? file : slash + 1, line, what);
}

struct ring_completion smoke_run(struct ring_entry entry)
{
    struct capos_wait wait;
    capos_submit_entry(&entry, &wait);
    status_t status = capos_await_entry(&wait);
    (void)status; /* the completion has it */
    return wait.completion;
}

static const struct {
    const char *name;
    bool (*run)(void);
} parts[] = {
    {"capset", smoke_capset},
    {"interface check", smoke_interface_check},
    {"completions out of order", smoke_out_of_order},
    {"cancel", smoke_cancel},
    {"release", smoke_release},
    {"timer", smoke_timer_works},
    {"entropy", smoke_entropy},
    {"hostile entries", smoke_hostile_entries},
    {"hostile ring", smoke_hostile_ring},
    {"memory", smoke_memory},
    {"reservation", smoke_reservation},
    {"memory object", smoke_memory_object},
    {"threads", smoke_threads},
    {"thread-local storage", smoke_thread_local},
    {"park", smoke_park},
    {"large ring", smoke_large_ring},
    {"upcall of a fault", smoke_upcall_fault},
    {"upcall of a foreign system call", smoke_upcall_foreign},
    {"upcall of an interrupt", smoke_upcall_interrupt},
    {"ipc", smoke_ipc},
    {"transfer", smoke_transfer},
    {"revocation", smoke_revocation},
    {"notice", smoke_notice},
    {"owner gone", smoke_owner_gone},
    {"pipe", smoke_pipe},
    {"fork", smoke_fork},
};

int main(void)
{
    smoke_timer = capos_need("timer", TIMER_INTERFACE_ID);
    smoke_random = capos_need("random", ENTROPY_SOURCE_INTERFACE_ID);
    smoke_spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    int failed = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i].run()) {
            printf("ok %s\n", parts[i].name);
        } else {
            printf("not ok %s: %s\n", parts[i].name, why);
            failed++;
        }
        fflush(stdout);
    }
    printf(failed == 0 ? "all ok\n" : "%d not ok\n", failed);
    return failed == 0 ? 0 : 1;
}
