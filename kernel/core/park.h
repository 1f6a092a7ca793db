/* Parking: wait on a 32-bit word while it has the expected value, or, for Timer, just for a moment.
 * Key: (address space, address) for private memory, (MemoryObject, offset) for shared. Unmapping
 * and exit wake or drop waiters. */
#pragma once

#include "kernel/core/call.h"
#include "kernel/core/timer_queue.h"

struct address_space;

struct park_key {
    const void *owner; /* an address space or a memory object */
    uint64_t offset;
};

/* One entry that waits. Each thread has room for one; more that are in flight are allocated. */
struct park_waiter {
    struct call *call; /* NULL: a thread's, not in use */
    struct list bucket; /* both: in none if it waits for a moment */
    struct list of_space;
    struct park_key key;
    uint64_t address;
    struct timer timer;
};

/* timeout_ns: UINT64_MAX is never. Completes with ok (woken), valueChanged, timedOut, cancelled. */
status_t park_wait(struct call *call, uint64_t address, uint32_t expected,
                   uint64_t timeout_ns) MUST_CHECK;
/* Keeps the call until the moment has come; `fire` then gets the timer, ends the wait with
 * park_end() and finishes the call that it returns. */
status_t park_until(struct call *call, uint64_t deadline_ns,
                    void (*fire)(struct timer *timer)) MUST_CHECK;
struct call *park_end(struct timer *timer);
status_t park_wake(struct thread *t, uint64_t address, uint32_t count, uint32_t *woken) MUST_CHECK;
/* The range is being unmapped: its waiters are woken. */
void park_unmapped(struct address_space *as, uint64_t address, uint64_t size);
void park_bring_up(void); /* once */
