/* The objects that the machine has one of, and that the kernel hands to init as its grants.
 *
 * Each has one reference that is never given back. They hold no state of a process: who calls is in
 * the call record, so an interface whose fork policy is rebind answers the same object. */
#pragma once

#include "kernel/gen/dispatch.h"

struct account;
struct process;
/* kernel/cap/timer.c: the time page (abi/time_page.h), the kernel's own, charged to nobody; made
 * when somebody first asks for it and kept for good. Maps it at the hint, or anywhere if that is 0;
 * p->time_page says where. Errors: framesExhausted, the ledger's. */
extern frame_t timer_page_frame;
status_t timer_map_page(struct process *p, uint64_t hint) MUST_CHECK;
/* kernel/cap/pipe.c: a pipe whose record is charged to `a`; one reference to each end. */
status_t pipe_create(struct account *a, struct object **reader, struct object **writer) MUST_CHECK;
