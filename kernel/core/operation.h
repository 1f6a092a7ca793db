/* The ring's operations: what each opcode does with one accepted entry. Called by ring.c alone;
 * kernel lock held. */
#pragma once

#include "abi/ring.h"

struct thread;

/* Carries the entry out: it has completed when this returns, or a kept record of it is in
 * flight. The entry is the kernel's own copy. It may end the thread, its process or its program;
 * the ring's epoch then differs. */
void operation_carry_out(struct thread *t, const struct ring_entry *e);
