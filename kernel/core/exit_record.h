/* How a process ended, told to everybody who is to know: waiters on its handle, log, host. */
#pragma once

#include "kernel/core/process.h"

/* Return addresses of the thread by the chain of frame pointers in its memory; also the
 * instruction. */
void exit_record_trace(struct thread *t, struct exit_record *record);
/* At the begin of its end, while the memory is still there: what is bad news goes to the log and
 * the host. */
void exit_record_report(const struct process *p);
/* wait: call->value[0] is 0; ready: the mask. */
void exit_record_answer(const struct process *p, struct call *call, struct wire_builder results);
void exit_record_answer_waiters(struct process *p);
/* The end of init ends the machine. The record that the host gets is that of the program: the first
 * process that init made. If it never was or still runs, init's own: boot failed unless init
 * faulted. Nothing runs after this. */
void exit_record_end_machine(const struct process *init);
/* There is no init to run. */
void exit_record_boot_failed(void);
