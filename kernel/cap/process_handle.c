/* ProcessHandle: waiting for the end of a process, ending it, and what it uses. The struct is the
 * process's own (kernel/core/process.c). */
#include "kernel/core/exit_record.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/process_handle.h"

const struct object_class process_handle_class = {.interface = &process_handle_interface,
                                                  .destroy = process_destroy};

/* mask 0: wait. */
static status_t answer_or_keep(const struct invocation *in, uint64_t mask)
{
    struct process *p = CONTAINER_OF(in->self, struct process, object);
    in->call->value[0] = mask;
    if (p->ended) {
        exit_record_answer(p, in->call, in->results);
        return STATUS_OK;
    }
    return call_wait(in->call, &p->waiters, call_leave_queue);
}

status_t process_handle_wait(const struct invocation *in)
{
    return answer_or_keep(in, 0);
}

status_t process_handle_ready(const struct invocation *in, uint32_t mask)
{
    if ((mask & READINESS_READABLE) == 0) {
        return call_bad_argument(in->call, "mask", "a process becomes readable, and nothing else");
    }
    return answer_or_keep(in, mask);
}

status_t process_handle_terminate(const struct invocation *in)
{
    struct process *p = CONTAINER_OF(in->self, struct process, object);
    process_end(p, &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    return STATUS_OK;
}

status_t process_handle_stats(const struct invocation *in)
{
    const struct process *p = CONTAINER_OF(in->self, struct process, object);
    uint64_t cpu_ns = p->cpu_ns;
    for (const struct list *at = p->threads.next; at != &p->threads; at = at->next) {
        cpu_ns += CONTAINER_OF(at, const struct thread, of_process)->cpu_ns;
    }
    process_handle_stats_results_set_cpu_ns(in->results, cpu_ns);
    if (p->account != NULL) { /* else it has ended and uses nothing */
        const uint64_t *used = p->account->used;
        process_handle_stats_results_set_frames(in->results, used[LEDGER_FRAMES]);
        process_handle_stats_results_set_slots(in->results, (uint32_t)used[LEDGER_SLOTS]);
        process_handle_stats_results_set_threads(in->results, (uint32_t)used[LEDGER_THREADS]);
        process_handle_stats_results_set_calls(in->results, (uint32_t)used[LEDGER_CALLS]);
    }
    return STATUS_OK;
}
