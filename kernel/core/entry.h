/* The ways into the portable kernel, for arch. Each is called with the kernel lock held, interrupts
 * off, on the CPU's kernel stack; each returns, and then arch calls kernel_leave() and resumes the
 * thread that it names, or idles. */
#pragma once

#include "abi/upcall.h"
#include "kernel/core/sched.h"

struct boot_info {
    struct {
        frame_t first, end;
    } memory[16]; /* usable, ascending, without the kernel, the package and page tables */
    uint32_t memory_count;
    frame_t package_first; /* the boot package */
    uint64_t package_size; /* bytes */
    uint32_t cpu_count;
    /* what only this machine has, for init beside the kernel's own; objects and names live as long
     * as the machine */
    struct boot_object {
        const char *name;
        struct object *object;
    } objects[HOST_FOLDERS_MAX];
    uint32_t object_count;
};

/* Once, on the first CPU: frames, ledger, every CPU's scheduler, and all other state of core; no
 * process. */
void kernel_bring_up(const struct boot_info *info);
/* kernel_bring_up, then creates init from the package. */
void kernel_start(const struct boot_info *info);
/* A `syscall` of the current thread; arch has saved its registers. The result, if any, was set
 * through arch_thread_set_result(); number and arguments as abi/syscall.h has them. A foreign
 * number becomes an upcall. */
void kernel_syscall(uint64_t number, uint64_t a, uint64_t b, uint64_t c);
/* The same for SYSCALL_CAP_ENTER alone, for who looks at the number first, with kernel_leave() at
 * its end. */
struct thread *kernel_cap_enter(uint64_t min_complete, uint64_t timeout_ns, uint64_t upcalls_seen);
/* A fault of the current thread in user mode. */
void kernel_fault(enum upcall_cause cause, enum upcall_access access, uint64_t address);
/* A page fault while the kernel copies from or to the current address space. True: resolved, go on;
 * false: the copy fails. */
bool kernel_copy_fault(uint64_t address, enum upcall_access access);
/* The CPU's timer, or a request of another CPU to look at the queues. */
void kernel_tick(void);
/* The host link has news. */
void kernel_link_input(void);
/* The machine can run this thread, the current one, no more, and its process ends. why: a budget of
 * the machine's own that ran out, or STATUS_DISCONNECTED: what it ran in was taken away. */
void kernel_lost(struct thread *t, status_t why);
/* Reaps what died and picks who runs on. NULL: idle until an interrupt. */
struct thread *kernel_leave(void);
