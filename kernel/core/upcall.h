/* Upcalls: faults, interrupts and foreign system calls handed to the thread itself. See
 * abi/upcall.h. */
#pragma once

#include "abi/upcall.h"
#include "kernel/core/thread.h"

/* Delivers to the thread (it resumes at its entry point) or ends the process with a report if it
 * has no handler or the frame cannot be written. */
void upcall_deliver(struct thread *t, enum upcall_cause cause, enum upcall_access access,
                    uint64_t address);
/* ThreadControl.interrupt: pending if masked, else delivered; a blocked cap_enter ends with
 * interrupted after the handler. */
void upcall_interrupt(struct thread *t);
/* On the way out to a thread with interrupt_wanted: delivers it, or leaves it pending if it was
 * masked meanwhile. */
void upcall_deliver_wanted(struct thread *t);
