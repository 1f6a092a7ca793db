/* What a program needs before its first instruction: an address space with its image, the gate, a
 * stack with its start block, and a thread whose registers say so. Made whole or not at all; used
 * by process.c and process_exec.c. */
#pragma once

#include "kernel/core/process.h"

struct process_image {
    struct address_space *space;
    struct thread *thread; /* NEW, one of the process's */
    uint64_t base;
};

/* start_size is at most MESSAGE_MAX. reason: a sentence, set when the image is at fault
 * (badMessage) and for nothing else. */
status_t process_image_make(struct process *p, struct object *image, const void *start,
                            size_t start_size, struct process_image *out,
                            const char **reason) MUST_CHECK;
/* Bytes of the first thread's stack, from the memory of the machine: abi/start.h. */
uint64_t process_image_stack_size(void);
