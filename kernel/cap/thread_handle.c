/* ThreadHandle: waiting for the end of a thread. The struct is the thread's own
 * (kernel/core/thread.c); any number may wait, and the code stays as long as a handle does. */
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/thread_handle.h"

const struct object_class thread_handle_class = {
    .interface = &thread_handle_interface,
    .destroy = thread_destroy,
};

static void cancelled(struct call *call)
{
    list_remove(&call->queue);
}

status_t thread_handle_join(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    (void)params;
    struct thread *t = CONTAINER_OF(self, struct thread, object);
    if (t->detached) {
        return STATUS_BAD_STATE;
    }
    if (t->state == THREAD_DEAD) {
        if (!t->exited) {
            return STATUS_DISCONNECTED; /* its process ended, or another thread replaced the image
                                         */
        }
        thread_handle_join_results_set_code(results, t->exit_code);
        return STATUS_OK;
    }
    struct call *kept;
    status_t status = call_keep(call, cancelled, &kept);
    if (status != STATUS_OK) {
        return status;
    }
    list_append(&t->joiners, &kept->queue);
    return STATUS_PENDING;
}

status_t thread_handle_detach(struct object *self, struct call *call, struct wire_reader params,
                              struct wire_builder results)
{
    (void)call;
    (void)params;
    (void)results;
    struct thread *t = CONTAINER_OF(self, struct thread, object);
    t->detached = true;
    while (!list_empty(&t->joiners)) {
        struct call *joiner = LIST_FIRST(&t->joiners, struct call, queue);
        list_remove(&joiner->queue);
        call_finish(joiner, STATUS_BAD_STATE);
    }
    return STATUS_OK;
}
