/* The ways into the portable kernel: see entry.h. Only cap_enter blocks, and only here. */
#include "kernel/core/entry.h"

#include "abi/syscall.h"
#include "kernel/arch/arch.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/host_link.h"
#include "kernel/core/object.h"
#include "kernel/core/process.h"
#include "kernel/core/upcall.h"

/* --- out --- */

static __attribute__((noinline)) struct thread *leave_changed(void)
{
    for (;;) { /* each further round has ended a process */
        object_reap();
        if (arch_cpu()->ended) {
            sched_stop();
            return NULL;
        }
        struct thread *t = sched_pick();
        if (t != NULL && t->interrupt_wanted) {
            upcall_deliver_wanted(t);
            if (arch_cpu()->current != t) {
                continue;
            }
        }
        if (t != NULL) { /* an idle CPU keeps the space that it has loaded */
            arch_cpu()->space = t->process->space;
        }
        return t;
    }
}

/* It has only asked for what could be answered at once. */
static inline bool goes_on(const struct cpu *cpu)
{
    const struct thread *t = cpu->current;
    return cpu->attention == 0 && t != NULL && cpu->hand_off == NULL && t->state == THREAD_RUNNING
           && !t->interrupt_wanted;
}

struct thread *kernel_leave(void)
{
    struct cpu *cpu = arch_cpu();
    return goes_on(cpu) ? cpu->current : leave_changed();
}

/* --- in --- */

/* Drains, then answers or blocks. The thread may die in the drain: then nothing of it is touched
 * any more. */
static inline __attribute__((always_inline)) void
cap_enter(uint64_t min_complete, uint64_t timeout_ns, uint64_t upcalls_seen)
{
    struct thread *t = arch_cpu()->current;
    KASSERT(t->state == THREAD_RUNNING);
    if ((uint32_t)upcalls_seen != t->upcalls) {
        arch_thread_set_result(t, -(int64_t)STATUS_INTERRUPTED);
        return;
    }
    if (timeout_ns != 0 && timeout_ns != CAP_ENTER_FOREVER && !process_time_granted(t->process)) {
        arch_thread_set_result(t, -(int64_t)STATUS_TIME_NOT_GRANTED);
        return;
    }
    uint32_t ready;
    status_t status = ring_drain(t, &ready);
    if (status != STATUS_OK) {
        if (status != STATUS_PENDING) {
            arch_thread_set_result(t, -(int64_t)status);
        }
        return;
    }
    /* A full completion queue is all that can ever be there. */
    if (ready >= min_complete || ready >= t->ring.cq_entries) {
        arch_thread_set_result(t, ready);
    } else if (t->interrupt_wanted) { /* by an entry of its own: the upcall comes on the way out */
        t->wait_interrupted = true;
        arch_thread_set_result(t, -(int64_t)STATUS_INTERRUPTED);
    } else if (timeout_ns == 0) {
        arch_thread_set_result(t, -(int64_t)STATUS_TIMED_OUT);
    } else {
        uint32_t most = t->ring.cq_entries;
        thread_block(t, ready, min_complete < most ? (uint32_t)min_complete : most, timeout_ns);
    }
}

struct thread *kernel_cap_enter(uint64_t min_complete, uint64_t timeout_ns, uint64_t upcalls_seen)
{
    cap_enter(min_complete, timeout_ns, upcalls_seen);
    struct cpu *cpu = arch_cpu();
    if (goes_on(cpu)) {
        return cpu->current;
    }
    struct thread *t = cpu->current, *next = cpu->hand_off;
    if (cpu->attention != 0 || t == NULL || t->state != THREAD_BLOCKED || next == NULL
        || cpu->ready_count != 0 || next->interrupt_wanted) {
        return leave_changed();
    }
    next = sched_follow(cpu); /* it waits for another that it has just woken */
    cpu->space = next->process->space;
    return next;
}

static void exit_process(struct process *p, uint64_t code)
{
    struct exit_record record = {.kind = EXIT_KIND_EXITED, .code = (int32_t)(uint32_t)code};
    if ((code & EXIT_BECAUSE_PANIC) != 0) {
        record.kind = EXIT_KIND_PANICKED;
    } else if ((code & EXIT_BECAUSE_DENIED) != 0) {
        record.kind = EXIT_KIND_DENIED;
    } else if ((code & EXIT_BECAUSE_EXHAUSTED) != 0) {
        record.kind = EXIT_KIND_OUT_OF_BUDGET;
        bool is_budget =
            (uint32_t)code >= STATUS_SLOTS_EXHAUSTED && (uint32_t)code <= STATUS_MAPPINGS_EXHAUSTED;
        /* whatever else it says that it lacks is memory */
        record.exhausted = is_budget ? (status_t)(uint32_t)code : STATUS_FRAMES_EXHAUSTED;
    }
    process_end(p, &record);
}

void kernel_syscall(uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    struct thread *t = arch_cpu()->current;
    KASSERT(t != NULL && t->state == THREAD_RUNNING);
    if (number == SYSCALL_CAP_ENTER) {
        (void)kernel_cap_enter(a, b, c); /* arch will ask again who runs on */
    } else if (number == SYSCALL_EXIT) {
        exit_process(t->process, a);
    } else {
        upcall_deliver(t, UPCALL_FOREIGN_SYSCALL, UPCALL_ACCESS_READ, 0);
    }
}

void kernel_fault(enum upcall_cause cause, enum upcall_access access, uint64_t address)
{
    struct thread *t = arch_cpu()->current;
    KASSERT(t != NULL && t->state == THREAD_RUNNING);
    if (cause == UPCALL_PAGE_FAULT && address < USER_END) {
        status_t status = address_space_fault(t->process->space, address, access);
        if (status == STATUS_OK) {
            return;
        }
        if (status != STATUS_BAD_ADDRESS) {
            struct exit_record record = {.kind = EXIT_KIND_OUT_OF_BUDGET, .exhausted = status};
            exit_record_trace(t, &record);
            process_end(t->process, &record);
            return;
        }
    }
    upcall_deliver(t, cause, access, address);
}

void kernel_lost(struct thread *t, status_t why)
{
    KASSERT(t == arch_cpu()->current && t->state == THREAD_RUNNING);
    struct exit_record record = {.kind = EXIT_KIND_OUT_OF_BUDGET, .exhausted = why};
    if (why == STATUS_DISCONNECTED) {
        record = (struct exit_record){.kind = EXIT_KIND_FAULTED, .cause = UPCALL_PROTECTION};
    }
    process_end(t->process, &record);
}

bool kernel_copy_fault(uint64_t address, enum upcall_access access)
{
    struct address_space *as = arch_cpu()->space;
    KASSERT(as != NULL && arch_is_current(&as->arch));
    return address < USER_END && address_space_fault(as, address, access) == STATUS_OK;
}

void kernel_tick(void)
{
    struct cpu *cpu = arch_cpu();
    cpu->armed_ns = UINT64_MAX; /* it has fired */
    cpu->resched = true;
    timer_run(arch_now_ns());
}

void kernel_link_input(void)
{
    arch_cpu()->resched = true;
    host_link_input();
}
