/* The halves of making a process that process.c and process_fork.c share. */
#pragma once

#include "kernel/core/process.h"

/* The struct, an account, an empty table; no address space and no thread. The own objects begin
 * with a reference each, which process_put_own() gives back once the table holds them. */
status_t process_make(struct account *parent, const char *name, size_t name_size,
                      const uint64_t *limits, struct process **out) MUST_CHECK;
void process_put_own(struct process *p);
/* A process that never started. */
void process_undo(struct process *p);
/* Destroys its address space, also if a CPU still has it loaded. */
void process_drop_space(struct process *p);
