/*
 * thread_self.h: what each thread has of the runtime's, at the address its FS base points to; its
 * thread-local variables lie below. Within lib/capos only.
 *
 * A thread's ring, and everything here, belongs to that thread alone: no lock guards it. Another
 * thread may only look at `ended`.
 */
#pragma once

#include "abi/upcall.h"
#include "lib/capos/include/capos.h"

/* For buffers of which little is used mostly: the linker lays them behind all other variables, so
 * that those share pages and a small program touches few. */
#define CAPOS_LARGE __attribute__((section(".bss.~large")))

struct capos_thread;

struct capos_thread_self {
    struct capos_thread_self *self; /* at fs:0, as the ABI of thread-local storage wants it */
    struct ring_header *ring;
    struct ring_entry *entries;
    struct ring_completion *completions;
    uint32_t entry_mask;
    uint32_t completion_mask;
    uint64_t stack_protector; /* at fs:0x28, where compilers look for it */
    uint32_t releases;        /* entries queued that will complete and that nobody waits for */
    uint32_t reserved;
    capos_upcall_handler *upcall_handler;
    void *upcall_context;
    struct capos_thread *thread; /* NULL for the first thread */
    struct capos_call call;      /* of synchronous calls */
};

_Static_assert(offsetof(struct capos_thread_self, stack_protector) == 0x28, "compilers know this");

static inline struct capos_thread_self *capos_self(void)
{
    struct capos_thread_self *self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self;
}

/* Connect a thread's record with its ring and its two buffers. */
void capos_self_init(struct capos_thread_self *self, struct ring_header *ring, void *request,
                     uint32_t request_size, void *reply, uint32_t reply_size);

/* The two system calls; there is no third. In entry.S. */
int64_t capos_cap_enter(uint64_t min_complete, uint64_t timeout_ns, uint64_t upcalls_seen);
_Noreturn void capos_exit_process(uint64_t code);

/* A call by a thread that may not yet have its FS base. */
status_t capos_invoke_as(struct capos_thread_self *self, struct capos_call *call, cap_t cap,
                         uint64_t interface_id, uint16_t method) CAPOS_MUST_CHECK;

/* Put one entry in, and wait for its completion, which is then in the record. */
void capos_do_entry(const struct ring_entry *entry, struct capos_wait *wait);

/* Where the program's image begins: its ELF header. The linker defines it. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

/* The thread-local variables' initial contents, from the image's PT_TLS. */
struct capos_tls {
    const void *contents;
    size_t contents_size;
    size_t size; /* zeroes included; a multiple of the alignment */
    size_t alignment;
};
extern struct capos_tls capos_tls;

/* Lay out the variables in front of `self`, whose address is a multiple of their alignment. */
void capos_tls_place(struct capos_thread_self *self);

/* The address of the entry to the kernel. */
extern uint64_t capos_gate;
