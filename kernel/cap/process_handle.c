/* ProcessHandle: waiting for the end of a process, ending it, and what it uses. The struct is the
 * process's own (kernel/core/process.c). */
#include "kernel/core/exit_record.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/process_handle.h"

const struct object_class process_handle_class = {
    .interface = &process_handle_interface,
    .destroy = process_destroy,
};

static void cancelled(struct call *call)
{
    list_remove(&call->queue);
}

/* mask 0: wait. */
static status_t answer_or_keep(struct process *p, struct call *call, uint64_t mask,
                               struct wire_builder results)
{
    call->value[0] = mask;
    if (p->ended) {
        exit_record_answer(p, call, results);
        return STATUS_OK;
    }
    struct call *kept;
    status_t status = call_keep(call, cancelled, &kept);
    if (status != STATUS_OK) {
        return status;
    }
    KASSERT(kept->value[0] == mask);
    list_append(&p->waiters, &kept->queue);
    return STATUS_PENDING;
}

status_t process_handle_wait(struct object *self, struct call *call, struct wire_reader params,
                             struct wire_builder results)
{
    (void)params;
    return answer_or_keep(CONTAINER_OF(self, struct process, object), call, 0, results);
}

status_t process_handle_ready(struct object *self, struct call *call, struct wire_reader params,
                              struct wire_builder results)
{
    uint32_t mask = process_handle_ready_params_mask(params);
    if ((mask & READINESS_READABLE) == 0) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "a process becomes readable, and nothing else", "mask");
    }
    return answer_or_keep(CONTAINER_OF(self, struct process, object), call, mask, results);
}

status_t process_handle_terminate(struct object *self, struct call *call, struct wire_reader params,
                                  struct wire_builder results)
{
    (void)call;
    (void)params;
    (void)results;
    struct process *p = CONTAINER_OF(self, struct process, object);
    process_end(p, &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    return STATUS_OK;
}

status_t process_handle_stats(struct object *self, struct call *call, struct wire_reader params,
                              struct wire_builder results)
{
    (void)call;
    (void)params;
    const struct process *p = CONTAINER_OF(self, struct process, object);
    uint64_t cpu_ns = p->cpu_ns;
    for (const struct list *at = p->threads.next; at != &p->threads; at = at->next) {
        cpu_ns += CONTAINER_OF(at, const struct thread, of_process)->cpu_ns;
    }
    process_handle_stats_results_set_cpu_ns(results, cpu_ns);
    if (p->account != NULL) { /* else it has ended and uses nothing */
        process_handle_stats_results_set_frames(results, p->account->used[LEDGER_FRAMES]);
        process_handle_stats_results_set_slots(results, (uint32_t)p->account->used[LEDGER_SLOTS]);
        process_handle_stats_results_set_threads(results,
                                                 (uint32_t)p->account->used[LEDGER_THREADS]);
        process_handle_stats_results_set_calls(results, (uint32_t)p->account->used[LEDGER_CALLS]);
    }
    return STATUS_OK;
}
