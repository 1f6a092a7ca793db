/* Deadlines of this machine's monotonic clock, for the time-outs of cap_enter and PARK and for
 * Timer. Per CPU, in a heap. */
#pragma once

#include "kernel/core/heap.h"

struct timer {
    struct heap_node node; /* key: deadline_ns */
    void (*fire)(struct timer *t);
    uint32_t cpu;
    bool armed;
};

/* It must not be armed. _after: so long from now. */
void timer_start(struct timer *t, uint64_t deadline_ns, void (*fire)(struct timer *t));
void timer_start_after(struct timer *t, uint64_t timeout_ns, void (*fire)(struct timer *t));
void timer_stop(struct timer *t); /* no effect if not armed */
void timer_run(uint64_t now_ns);  /* fires what is due on this CPU */
uint64_t timer_next_ns(void);     /* UINT64_MAX: none */
