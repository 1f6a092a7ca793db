/* The scheduler: per-CPU queues by weighted virtual finish time, and a hand-off for the thread that
 * the current one has just woken and now waits for. No tick when nobody else is ready. Kernel lock
 * held. */
#pragma once

#include "kernel/core/thread.h"

struct cpu {
    struct arch_cpu arch; /* first: entry code addresses it */
    uint32_t number;
    struct thread *current; /* NULL: idle */
    /* of the thread that was resumed last, while it exists: the one that arch has loaded */
    struct address_space *space;
    struct thread *hand_off; /* woken by the current one, and runs next if that one blocks */
    struct heap ready;
    uint32_t ready_count;
    uint64_t virtual_ns; /* of the queue: no thread starts below it */
    uint64_t slice_end_ns;
    uint64_t armed_ns; /* what the CPU's timer is set to; UINT64_MAX: off */
    union {
        struct {
            bool resched; /* an interrupt woke somebody, or the slice is over: ask the queue */
            bool rearm;   /* a deadline or the queue has changed: see what the timer must be */
            bool buried;  /* `dead` is not empty */
            bool ended;   /* the machine has: nobody runs any more, only timers count */
        };
        uint32_t attention; /* any of them */
    };
    struct heap timers;
    struct object *dead; /* kernel/core/object.c */
    struct call *record; /* of the entry that is carried out, unless it was kept; else NULL */
    struct call scratch; /* for rings that have no spare one: without an account */
    struct sent_capability sent[RING_TRANSFERS_MAX]; /* what came with it, until it is kept */
    /* the answer of the handler that runs now, in reply; else NULL */
    struct wire_message_builder *building;
    struct wire_message_builder late;          /* the answer of a kept call, behind it in reply */
    const struct call *late_call;              /* whose it is */
    _Alignas(16) uint8_t request[MESSAGE_MAX]; /* a message to a kernel object, copied in */
    _Alignas(16) uint8_t reply[MESSAGE_MAX];   /* its answer, before it is copied out */
};

#define SCHED_WEIGHT_DEFAULT 1024

void sched_init(struct cpu *cpu, uint32_t number);
void sched_ready(struct thread *t);    /* into its CPU's queue */
void sched_remove(struct thread *t);   /* out of it */
void sched_hand_off(struct thread *t); /* just woken: into this CPU's hand_off, if it can be */
/* The time that it ran since it was picked or last charged. */
void sched_charge(struct thread *t, uint64_t now_ns);
/* The current thread has done nothing but wake another and wait for it: turns to that one, as
 * sched_pick() would. Nobody else is ready. */
struct thread *sched_follow(struct cpu *cpu);
/* Who runs now on this CPU: the current thread unless it blocked, died or used up its slice. NULL:
 * nobody. Arms the timer. */
struct thread *sched_pick(void);
void sched_end(void);  /* the machine has ended, on all CPUs */
void sched_stop(void); /* on this one: nobody runs any more */

/* The last step of call_keep(), for endpoint_fast.c too: a record that is where it can stay becomes
 * a kept one. */
static inline void call_keep_commit(struct call *call, void (*cancel)(struct call *))
{
    struct ring *r = &call->caller->ring;
    call->kept = true;
    call->cancel = cancel;
    object_get(call->target);
    if (LIKELY(r->spare == call)) { /* else what the entry itself has completed may lie there */
        r->spare = NULL;
    }
    arch_cpu()->record = NULL;
    ring_track(r, call);
}
