/* Threads: made, started, blocked, woken, ended.
 *
 * Everything of a thread but the struct itself is given back by thread_remove(); the struct goes
 * with the last reference (a ThreadHandle may outlive the thread). */
#include "kernel/core/thread.h"

#include "kernel/arch/arch.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/core/tally.h"
#include "lib/wire/gen/thread_handle.h"

_Static_assert(sizeof(struct thread) <= PAGE_SIZE, "kmem's largest piece");

static uint64_t last_id;

/* For a thread that never was on its process's list. */
static void unmake(struct thread *t)
{
    arch_thread_destroy(t);
    ledger_refund(t->account, LEDGER_THREADS, 1);
    kmem_free(t->account, t, sizeof *t);
}

/* All but its ring. */
static status_t make(struct process *p, struct thread **out)
{
    status_t status = ledger_charge(p->account, LEDGER_THREADS, 1);
    if (status != STATUS_OK) {
        return status;
    }
    void *memory;
    status = kmem_alloc(p->account, sizeof(struct thread), &memory);
    if (status != STATUS_OK) {
        ledger_refund(p->account, LEDGER_THREADS, 1);
        return status;
    }
    struct thread *t = memory;
    object_init(&t->object, &thread_handle_class);
    list_init(&t->of_process);
    list_init(&t->joiners);
    t->process = p;
    t->account = p->account;
    t->state = THREAD_NEW;
    t->weight = SCHED_WEIGHT_DEFAULT;
    t->cpu = arch_cpu()->number;
    t->id = ++last_id;
    status = arch_thread_init(t);
    if (status != STATUS_OK) {
        unmake(t);
        return status;
    }
    *out = t;
    return STATUS_OK;
}

static void enlist(struct process *p, struct thread *t)
{
    list_append(&p->threads, &t->of_process);
    p->thread_count++;
    tally.threads++;
}

/* Threads come and go more often than processes: the first ring that becomes free is kept. Its
 * place in the process stays when it is taken. */
static status_t take_ring(struct process *p, struct thread *t, struct address_space *as,
                          uint32_t ring_entries)
{
    bool usual = ring_entries == 0 || ring_entries == RING_SQ_ENTRIES_DEFAULT;
    if (as == p->space && usual && p->spare_ring != NULL && p->spare_ring->header != NULL) {
        ring_hand_over(&t->ring, p->spare_ring);
        return STATUS_OK;
    }
    return ring_create(&t->ring, as, ring_entries);
}

static bool has_place_for_ring(struct process *p)
{
    void *memory;
    if (p->spare_ring == NULL
        && kmem_alloc(p->account, sizeof(struct ring), &memory) == STATUS_OK) {
        p->spare_ring = memory;
    }
    return p->spare_ring != NULL && p->spare_ring->header == NULL;
}

static void give_ring(struct process *p, struct thread *t, struct address_space *as)
{
    if (as != NULL && as == p->space && t->ring.sq_entries == RING_SQ_ENTRIES_DEFAULT
        && has_place_for_ring(p)) {
        ring_hand_over(p->spare_ring, &t->ring);
    } else {
        ring_destroy(&t->ring, as, t->account);
    }
}

void thread_drop_spare_ring(struct process *p)
{
    if (p->spare_ring != NULL) {
        ring_destroy(p->spare_ring, NULL, p->account);
        kmem_free(p->account, p->spare_ring, sizeof(struct ring));
        p->spare_ring = NULL;
    }
}

status_t thread_create(struct process *p, struct address_space *as, uint32_t ring_entries,
                       struct thread **out)
{
    KASSERT(!p->ending && as != NULL);
    struct thread *t;
    status_t status = make(p, &t);
    if (status != STATUS_OK) {
        return status;
    }
    status = take_ring(p, t, as, ring_entries);
    if (status != STATUS_OK) {
        unmake(t);
        return status;
    }
    enlist(p, t);
    *out = t;
    return STATUS_OK;
}

status_t thread_fork(struct process *child, struct thread *parent, struct thread **out)
{
    struct thread *t;
    status_t status = make(child, &t);
    if (status != STATUS_OK) {
        return status;
    }
    status = ring_fork(&t->ring, &parent->ring, child->space);
    if (status != STATUS_OK) {
        unmake(t);
        return status;
    }
    arch_thread_fork(t, parent);
    t->upcall_entry = parent->upcall_entry;
    t->upcall_stack = parent->upcall_stack;
    t->upcall_stack_size = parent->upcall_stack_size;
    t->upcalls = parent->upcalls;
    t->weight = parent->weight;
    enlist(child, t);
    *out = t;
    return STATUS_OK;
}

void thread_start(struct thread *t)
{
    KASSERT(t->state == THREAD_NEW);
    t->state = THREAD_READY;
    sched_ready(t);
}

/* Answers those who wait for its end. */
static void answer_joiners(struct thread *t)
{
    while (!list_empty(&t->joiners)) {
        struct call *call = LIST_FIRST(&t->joiners, struct call, queue);
        list_remove(&call->queue);
        if (t->exited) {
            thread_handle_join_results_set_code(call_reply(call), t->exit_code);
            call_finish(call, STATUS_OK);
        } else {
            call_finish(call, STATUS_DISCONNECTED);
        }
    }
}

/* Out of the scheduler, whichever state it is in. */
static void stop(struct thread *t)
{
    struct cpu *cpu = arch_cpu_by_number(t->cpu);
    if (t->state == THREAD_READY) {
        sched_remove(t);
    }
    timer_stop(&t->wait_timer);
    if (cpu->current == t) {
        if (cpu != arch_cpu()) {
            arch_cpu_stop(cpu->number); /* it looks at its queue when it gets the lock */
            cpu->resched = true;
        }
        sched_charge(t, arch_now_ns());
        cpu->current = NULL;
    }
    t->state = THREAD_DEAD;
}

void thread_remove(struct thread *t, struct address_space *as)
{
    struct process *p = t->process;
    KASSERT(t->state != THREAD_DEAD && p != NULL);
    stop(t);
    ring_abort(t);
    give_ring(p, t, as);
    arch_thread_forget(t);
    arch_thread_destroy(t);
    list_remove(&t->of_process);
    KASSERT(p->thread_count > 0 && tally.threads > 0);
    p->thread_count--;
    tally.threads--;
    p->cpu_ns += t->cpu_ns;
    ledger_refund(t->account, LEDGER_THREADS, 1);
    t->process = NULL;
    answer_joiners(t);
    object_put(&t->object);
}

void thread_exit(struct thread *t, uint64_t code)
{
    struct process *p = t->process;
    t->exited = true;
    t->exit_code = code;
    if (p->thread_count == 1) {
        process_end(p, &(struct exit_record){.kind = EXIT_KIND_EXITED, .code = (int32_t)code});
    } else {
        thread_remove(t, p->space);
    }
}

static void wait_timed_out(struct timer *timer)
{
    struct thread *t = CONTAINER_OF(timer, struct thread, wait_timer);
    thread_wake(t, -(int64_t)STATUS_TIMED_OUT);
}

void thread_block(struct thread *t, uint32_t ready, uint32_t min_complete, uint64_t timeout_ns)
{
    KASSERT(t->state == THREAD_RUNNING && timeout_ns != 0);
    t->state = THREAD_BLOCKED;
    t->wait_min_complete = min_complete;
    t->wait_timed = timeout_ns != UINT64_MAX;
    t->wait_result = ready + 1;
    t->wait_plain = !t->wait_timed && t->ring.alone != NULL && t->ring.in_flight == 1
                    && t->ring.spare == NULL && t->wait_result >= min_complete;
    if (t->wait_timed) {
        timer_start_after(&t->wait_timer, timeout_ns, wait_timed_out);
    }
}

void thread_wake(struct thread *t, int64_t result)
{
    KASSERT(t->state == THREAD_BLOCKED);
    timer_stop(&t->wait_timer);
    arch_thread_set_result(t, result);
    t->state = THREAD_READY;
    sched_hand_off(t);
}

/* The class's destroy: the last reference is gone, and the thread was removed before. */
void thread_destroy(struct object *self)
{
    struct thread *t = CONTAINER_OF(self, struct thread, object);
    KASSERT(t->state == THREAD_DEAD && t->process == NULL && list_empty(&t->joiners));
    kmem_free(t->account, t, sizeof *t);
}
