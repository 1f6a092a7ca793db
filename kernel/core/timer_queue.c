/* Deadlines, in one heap for each CPU. A timer is armed on the CPU that starts it; sched_pick()
 * sets the machine's timer on the way out of the kernel, so nothing here touches the hardware.
 * Kernel lock held. */
#include "kernel/core/timer_queue.h"

#include "kernel/arch/arch.h"
#include "kernel/core/sched.h"
#include "kernel/core/tally.h"

void timer_start(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t))
{
    KASSERT(!t->armed);
    KASSERT(fire != NULL);
    struct cpu *cpu = arch_cpu();
    t->node.key = deadline_ns;
    t->fire = fire;
    t->cpu = cpu->number;
    t->armed = true;
    heap_insert(&cpu->timers, &t->node);
    cpu->rearm = true;
    tally.timers++;
}

void timer_start_after(struct timer *t, uint64_t timeout_ns, void (*fire)(struct timer *t))
{
    uint64_t now_ns = arch_now_ns();
    timer_start(t, timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns, fire);
}

void timer_stop(struct timer *t)
{
    if (!t->armed) {
        return;
    }
    KASSERT(tally.timers > 0);
    struct cpu *cpu = arch_cpu_by_number(t->cpu);
    heap_remove(&cpu->timers, &t->node);
    cpu->rearm = true;
    t->armed = false;
    tally.timers--;
}

void timer_run(uint64_t now_ns)
{
    struct heap *timers = &arch_cpu()->timers;
    while (heap_first(timers) != NULL && heap_first(timers)->key <= now_ns) {
        struct timer *t = CONTAINER_OF(heap_first(timers), struct timer, node);
        KASSERT(t->armed);
        timer_stop(t);
        t->fire(t);
    }
}

uint64_t timer_next_ns(void)
{
    const struct heap_node *first = heap_first(&arch_cpu()->timers);
    return first == NULL ? UINT64_MAX : first->key;
}
