/* Who runs.
 *
 * Each CPU has a queue of its READY threads, ordered by virtual finish time: the virtual time at
 * which a thread began its slice plus the slice divided by its weight (weighted fair queueing; the
 * queue's own virtual time is the start of the thread in service, as in start-time fair queueing,
 * Goyal and others 1996). A thread that wakes starts no earlier than the queue's virtual time, so
 * it cannot save up time by sleeping; one that is preempted keeps its own.
 *
 * Hand-off: a thread that the current one wakes waits in `hand_off`. If the current one then
 * blocks, it runs at once, on what is left of the slice, so a chain of calls between threads shares
 * one slice and starves nobody. If the current one runs on, or the slice is over, it joins the
 * queue.
 *
 * The CPU's timer is set on the way out, to the earlier of the first deadline and, if somebody else
 * is ready, the end of the slice. So an idle or lonely CPU has no tick.
 *
 * Nothing here allocates: the nodes lie in the threads. Kernel lock held. */
#include "kernel/core/sched.h"

#include "kernel/arch/arch.h"
#include "kernel/core/process.h"

#define SLICE_NS 4000000ull /* short enough that ten busy threads still answer in 40 ms */
/* by how much a woken thread must be ahead to interrupt a slice: keeps switches rare */
#define WAKE_ADVANTAGE_NS 500000

void sched_init(struct cpu *cpu, uint32_t number)
{
    cpu->number = number;
    cpu->current = cpu->hand_off = NULL;
    cpu->space = NULL;
    cpu->ready.root = cpu->timers.root = NULL;
    cpu->ready_count = 0;
    cpu->virtual_ns = 0;
    cpu->slice_end_ns = 0;
    cpu->armed_ns = UINT64_MAX;
    cpu->attention = 0;
}

static uint64_t weighted(const struct thread *t, uint64_t ns)
{
    return t->weight == SCHED_WEIGHT_DEFAULT ? ns : ns * SCHED_WEIGHT_DEFAULT / t->weight;
}

static void enqueue(struct cpu *cpu, struct thread *t)
{
    KASSERT(t->state == THREAD_READY);
    t->run.key = t->virtual_ns + weighted(t, SLICE_NS);
    heap_insert(&cpu->ready, &t->run);
    cpu->ready_count++;
    cpu->rearm = true;
}

/* The queue's virtual time is that of the thread it served last, or, while one runs alone and no
 * picks move it, of that one. */
static void catch_up(struct cpu *cpu, const struct thread *served)
{
    if (cpu->virtual_ns < served->virtual_ns) {
        cpu->virtual_ns = served->virtual_ns;
    }
}

static void start_no_earlier(struct thread *t, const struct cpu *cpu)
{
    if (t->virtual_ns < cpu->virtual_ns) {
        t->virtual_ns = cpu->virtual_ns;
    }
}

void sched_ready(struct thread *t)
{
    struct cpu *cpu = arch_cpu_by_number(t->cpu);
    struct thread *current = cpu->current;
    if (cpu->ready_count == 0 && current != NULL && current->state == THREAD_RUNNING) {
        sched_charge(current, arch_now_ns());
        catch_up(cpu, current);
    }
    start_no_earlier(t, cpu);
    enqueue(cpu, t);
    if (cpu != arch_cpu()) {
        cpu->resched = true;
        arch_cpu_poke(cpu->number);
    }
}

void sched_remove(struct thread *t)
{
    struct cpu *cpu = arch_cpu_by_number(t->cpu);
    if (cpu->hand_off == t) {
        cpu->hand_off = NULL;
        return;
    }
    KASSERT(cpu->ready_count > 0);
    heap_remove(&cpu->ready, &t->run);
    cpu->ready_count--;
    cpu->rearm = true;
}

/* The thread that was to run next does not. */
static void queue_hand_off(struct cpu *cpu)
{
    struct thread *t = cpu->hand_off;
    if (t != NULL) {
        cpu->hand_off = NULL;
        sched_ready(t);
    }
}

void sched_hand_off(struct thread *t)
{
    struct cpu *cpu = arch_cpu();
    KASSERT(t->state == THREAD_READY);
    if (t->cpu != cpu->number || cpu->current == NULL || cpu->resched) {
        sched_ready(t);
        return;
    }
    queue_hand_off(cpu);
    cpu->hand_off = t;
}

void sched_charge(struct thread *t, uint64_t now_ns)
{
    uint64_t ran_ns = now_ns > t->started_ns ? now_ns - t->started_ns : 0;
    t->cpu_ns += ran_ns;
    t->virtual_ns += weighted(t, ran_ns);
    t->started_ns = now_ns;
}

static struct thread *first_ready(const struct cpu *cpu)
{
    struct heap_node *first = heap_first(&cpu->ready);
    return first == NULL ? NULL : CONTAINER_OF(first, struct thread, run);
}

/* Whether the current thread, just charged, makes room for the first of the queue. */
static bool yields(struct cpu *cpu, const struct thread *t, uint64_t now_ns)
{
    const struct thread *first = first_ready(cpu);
    if (first == NULL) {
        return false;
    }
    uint64_t key = t->virtual_ns + weighted(t, SLICE_NS);
    if (now_ns >= cpu->slice_end_ns) {
        cpu->slice_end_ns = now_ns + SLICE_NS; /* if it runs on */
        return first->run.key <= key;
    }
    return first->run.key + WAKE_ADVANTAGE_NS < key;
}

static void arm(struct cpu *cpu)
{
    uint64_t deadline_ns = timer_next_ns();
    cpu->rearm = false;
    if (cpu->ready_count > 0 && cpu->slice_end_ns < deadline_ns) {
        deadline_ns = cpu->slice_end_ns;
    }
    if (deadline_ns != cpu->armed_ns) {
        cpu->armed_ns = deadline_ns;
        arch_timer_arm(deadline_ns);
    }
}

static struct thread *take_first(struct cpu *cpu, uint64_t now_ns)
{
    struct thread *t = first_ready(cpu);
    if (t == NULL) {
        return NULL;
    }
    sched_remove(t);
    catch_up(cpu, t);
    cpu->slice_end_ns = now_ns + SLICE_NS;
    return t;
}

/* The current thread does not go on, or may not. */
static struct thread *choose(struct cpu *cpu, uint64_t now_ns)
{
    struct thread *t = cpu->hand_off;
    if (cpu->ready_count == 0) {
        cpu->slice_end_ns = now_ns + SLICE_NS;
    }
    if (t != NULL && now_ns < cpu->slice_end_ns) {
        cpu->hand_off = NULL;
        start_no_earlier(t, cpu);
        return t;
    }
    queue_hand_off(cpu);
    return take_first(cpu, now_ns);
}

static struct thread *pick(struct cpu *cpu)
{
    uint64_t now_ns = arch_now_ns();
    struct thread *t = cpu->current;
    if (t != NULL) {
        sched_charge(t, now_ns);
        if (cpu->ready_count == 0) {
            catch_up(cpu, t);
        }
    }
    if (t != NULL && t->state == THREAD_RUNNING) {
        queue_hand_off(cpu);
        if (!cpu->resched || !yields(cpu, t, now_ns)) {
            cpu->resched = false;
            return t;
        }
        t->state = THREAD_READY;
        enqueue(cpu, t);
    }
    cpu->resched = false;
    t = choose(cpu, now_ns);
    cpu->current = t;
    if (t != NULL) {
        KASSERT(t->state == THREAD_READY && t->process != NULL);
        KASSERT(t->cpu == cpu->number);
        t->state = THREAD_RUNNING;
        t->started_ns = now_ns;
    }
    return t;
}

struct thread *sched_pick(void)
{
    struct cpu *cpu = arch_cpu();
    struct thread *t = cpu->current;
    /* The common case, a system call that neither woke nor waited, does not even read the clock. */
    if (t == NULL || t->state != THREAD_RUNNING || cpu->hand_off != NULL || cpu->resched) {
        t = pick(cpu);
    }
    arm(cpu);
    return t;
}

struct thread *sched_follow(struct cpu *cpu)
{
    struct thread *from = cpu->current;
    struct thread *t = cpu->hand_off;
    uint64_t now_ns = arch_now_ns();
    KASSERT(t->state == THREAD_READY && cpu->ready_count == 0);
    sched_charge(from, now_ns);
    if (t->virtual_ns < from->virtual_ns) { /* what the queue's virtual time would be */
        t->virtual_ns = from->virtual_ns;
    }
    cpu->slice_end_ns = now_ns + SLICE_NS;
    cpu->hand_off = NULL;
    cpu->current = t;
    t->state = THREAD_RUNNING;
    t->started_ns = now_ns;
    return t;
}

void sched_end(void)
{
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        arch_cpu_by_number(i)->ended = true;
    }
}

void sched_stop(void)
{
    struct cpu *cpu = arch_cpu();
    cpu->current = cpu->hand_off = NULL;
    cpu->ready_count = 0;
    cpu->ready.root = NULL;
    arm(cpu);
}
