/* Denial records: why something was refused, kept with the process (the last DENIALS_KEPT) and
 * sent with its exit status. */
#pragma once

#include "abi/host_link.h"
#include "kernel/core/types.h"

#define DENIAL_NO_METHOD 0xffff

struct denial {
    uint64_t interface_id;
    uint16_t method;
    enum denial_reason reason;
    char name[HOST_LINK_NAME_SIZE];
    char grant[HOST_LINK_NAME_SIZE];
};

struct process;
/* name, grant: may be NULL; cut to fit. */
void denial_record(struct process *p, uint64_t interface_id, uint16_t method,
                   enum denial_reason reason, const char *name, const char *grant);
/* The record that a refusal by status is due, if one is: its reason follows from the status, the
 * grant from the interface. */
void denial_of_status(struct process *p, uint64_t interface_id, uint16_t method, status_t status);
/* CAP_ID_NONE was called: the program asked its CapSet for the interface and did not look at the
 * answer. */
void denial_not_granted(struct process *p, uint64_t interface_id, uint16_t method);
