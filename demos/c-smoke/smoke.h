/* What the parts of the smoke test share. Each part is a function that checks one thing the kernel
 * promises, calling the kernel as a program does; smoke.c runs them in order and prints a line for
 * each. */
#pragma once

#include <capos.h>
#include <stdio.h>
#include <string.h>

#include "abi/limits.h"
#include "lib/wire/gen/messages.h"

/* The first condition that does not hold ends the part. */
#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            smoke_why(__FILE__, __LINE__, #condition); \
            return false;                              \
        }                                              \
    } while (0)

#define CHECK_STATUS(expression, expected)                                  \
    do {                                                                    \
        status_t check_status = (expression);                               \
        if (check_status != (expected)) {                                   \
            smoke_why(__FILE__, __LINE__, capos_status_name(check_status)); \
            return false;                                                   \
        }                                                                   \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(expression, STATUS_OK)

void smoke_why(const char *file, int line, const char *what);

extern cap_t smoke_timer, smoke_spawner, smoke_random;

/* An entry as it is, and its completion. */
struct ring_completion smoke_run(struct ring_entry entry);

bool smoke_capset(void);
bool smoke_interface_check(void);
bool smoke_out_of_order(void);
bool smoke_cancel(void);
bool smoke_release(void);
bool smoke_timer_works(void);
bool smoke_entropy(void);
bool smoke_hostile_entries(void);
bool smoke_hostile_ring(void);
bool smoke_memory(void);
bool smoke_reservation(void);
bool smoke_memory_object(void);
bool smoke_threads(void);
bool smoke_thread_local(void);
bool smoke_park(void);
bool smoke_large_ring(void);
bool smoke_upcall_fault(void);
bool smoke_upcall_foreign(void);
bool smoke_upcall_interrupt(void);
bool smoke_ipc(void);
bool smoke_transfer(void);
bool smoke_revocation(void);
bool smoke_notice(void);
bool smoke_owner_gone(void);
bool smoke_pipe(void);
bool smoke_fork(void);
