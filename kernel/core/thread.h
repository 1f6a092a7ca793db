/* Threads: user registers, a ring, and a place in the scheduler's queue. A thread has no kernel
 * stack.
 *
 * States: NEW -> READY (in its CPU's queue or hand-off) -> RUNNING (some CPU's current) -> BLOCKED
 * (in cap_enter, its timer armed if the wait is timed) -> READY ... -> DEAD. A thread's struct is a
 * kernel object: ThreadHandle is its face. Kernel lock held. */
#pragma once

#include "kernel/arch/arch_types.h"
#include "kernel/core/object.h"
#include "kernel/core/park.h"
#include "kernel/core/ring.h"
#include "kernel/core/timer_queue.h"

enum thread_state { THREAD_NEW, THREAD_READY, THREAD_RUNNING, THREAD_BLOCKED, THREAD_DEAD };

struct thread {
    struct arch_thread arch; /* first: entry code addresses the user registers by offset */
    /* class thread_handle_class; one reference is the process's while it runs */
    struct object object;
    struct process *process; /* NULL once dead */
    struct account *account; /* that pays for it */
    struct list of_process;
    enum thread_state state;
    struct ring ring;
    uint32_t wait_min_complete; /* BLOCKED: how many completions end the wait */
    bool wait_timed;
    /* BLOCKED, without time-out, for the only entry in flight, whose record can lie ready with the
     * ring; wait_result: what its cap_enter then returns. For endpoint_fast.c */
    bool wait_plain;
    uint32_t wait_result;
    struct timer wait_timer;
    struct park_waiter park; /* for the first of its entries that park */
    uint64_t upcall_entry, upcall_stack, upcall_stack_size;
    uint32_t upcalls;      /* delivered; the ring's header shows it */
    bool interrupt_wanted; /* an upcall is delivered before the thread runs on */
    bool wait_interrupted; /* ... and it ended a cap_enter */
    bool detached;
    bool exited; /* by itself: exit_code counts; else the process ended */
    uint64_t exit_code;
    struct list joiners;  /* kept calls */
    struct heap_node run; /* key: virtual finish time */
    uint64_t virtual_ns, started_ns, cpu_ns;
    uint32_t weight;
    uint32_t cpu; /* where it runs or ran last */
    uint64_t id;  /* for traces; unique in the machine */
};

extern const struct object_class thread_handle_class;

/* A thread in state NEW with a ring mapped in the process's address space, or in the one that
 * becomes it; thread_start makes it READY. Charged to the process's account. */
status_t thread_create(struct process *p, struct address_space *as, uint32_t ring_entries,
                       struct thread **out) MUST_CHECK;
/* Its address space is about to be cleared. */
void thread_drop_spare_ring(struct process *p);
/* The forked child's thread: registers and ring as the parent's, nothing in flight. */
status_t thread_fork(struct process *child, struct thread *parent, struct thread **out) MUST_CHECK;
void thread_start(struct thread *t);
/* Takes a thread away without ending its process. `as`: where its ring is unmapped; NULL when all
 * of it is cleared. */
void thread_remove(struct thread *t, struct address_space *as);
/* Ends one thread: cancels its entries, unmaps its ring, wakes joiners. The last one ends the
 * process. If it is the current thread of this CPU, the entry that does it must not touch it
 * afterwards. */
void thread_exit(struct thread *t, uint64_t code);
/* The current thread waits: until ring_post() finds min_complete completions, the time-out or an
 * interrupt. `ready`: how many there are. */
void thread_block(struct thread *t, uint32_t ready, uint32_t min_complete, uint64_t timeout_ns);
void thread_destroy(struct object *self);           /* of thread_handle_class */
void thread_wake(struct thread *t, int64_t result); /* ends its cap_enter with this result */
