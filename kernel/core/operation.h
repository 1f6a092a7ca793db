/* The ring's operations: what each opcode does with one accepted entry. Called by ring.c alone;
 * kernel lock held. */
#pragma once

#include "kernel/core/call.h"

struct thread;

/* Carries the entry out: it has completed when this returns, or a kept record of it is in
 * flight. The record holds the entry, the
 * kernel's own copy, and nothing else yet. It may end the thread, its process or its program;
 * the thread is dead then. */
void operation_carry_out(struct thread *t, struct call *call);
