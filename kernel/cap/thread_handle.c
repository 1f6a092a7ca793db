/* ThreadHandle: waiting for the end of a thread. The struct is the thread's own
 * (kernel/core/thread.c); any number may wait, and the code stays as long as a handle does. */
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/thread_handle.h"

const struct object_class thread_handle_class = {.interface = &thread_handle_interface,
                                                  .destroy = thread_destroy};

status_t thread_handle_join(const struct invocation *in)
{
    struct thread *t = CONTAINER_OF(in->self, struct thread, object);
    if (t->detached) {
        return STATUS_BAD_STATE;
    }
    if (t->state == THREAD_DEAD) {
        if (!t->exited) {
            return STATUS_DISCONNECTED; /* its process ended, or another thread did exec */
        }
        thread_handle_join_results_set_code(in->results, t->exit_code);
        return STATUS_OK;
    }
    return call_wait(in->call, &t->joiners, call_leave_queue);
}

status_t thread_handle_detach(const struct invocation *in)
{
    struct thread *t = CONTAINER_OF(in->self, struct thread, object);
    t->detached = true;
    while (!list_empty(&t->joiners)) {
        struct call *joiner = LIST_FIRST(&t->joiners, struct call, queue);
        list_remove(&joiner->queue);
        call_finish(joiner, STATUS_BAD_STATE);
    }
    return STATUS_OK;
}
