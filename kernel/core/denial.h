/* Denial records: why something was refused, kept with the process (the last DENIALS_KEPT) and sent with its exit status. */
#pragma once

#include "kernel/core/types.h"

struct denial {
    uint64_t interface_id;
    uint16_t method;
    enum denial_reason reason;
    char name[32];
    char grant[32];
};

struct process;
/* name, grant: may be NULL; cut to fit. */
void denial_record(struct process *p, uint64_t interface_id, uint16_t method, enum denial_reason reason, const char *name,
                   const char *grant);
