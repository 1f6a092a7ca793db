/* Upcalls: how the kernel hands a thread its own faults, interrupts and foreign system calls.
 *
 * The frame is written on the upcall stack, or below the red zone of the current stack when the
 * thread already runs on it. The kernel keeps no record of nesting: user code restores the state
 * itself (XRSTOR, registers, iretq-like), edits the frame first, or never returns. On x86_64 the
 * entry point gets rdi = address of the frame and a stack aligned for a call. */
#pragma once

#include <stdint.h>

enum upcall_cause {
    UPCALL_PAGE_FAULT = 1,
    UPCALL_DIVIDE = 2,
    UPCALL_ILLEGAL_INSTRUCTION = 3,
    UPCALL_BREAKPOINT = 4,
    UPCALL_PROTECTION = 5,    /* general protection, stack or alignment fault: no address */
    UPCALL_FLOATING_POINT = 6,
    UPCALL_INTERRUPT = 7,     /* ThreadControl.interrupt */
    UPCALL_FOREIGN_SYSCALL = 8, /* registers as at the instruction; rip is after it */
};

enum upcall_access {
    UPCALL_ACCESS_READ = 0,
    UPCALL_ACCESS_WRITE = 1,
    UPCALL_ACCESS_EXECUTE = 2,
};

struct user_registers {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags, fs_base, gs_base;
};

struct upcall_frame {
    uint32_t cause;  /* enum upcall_cause */
    uint32_t access; /* enum upcall_access, for a page fault */
    uint64_t address; /* for a page fault */
    /* of the cap_enter that an interrupt ended: what it would have returned; else 0 */
    uint64_t result;
    uint32_t extended_size;  /* bytes of extended state */
    uint32_t reserved;
    struct user_registers registers;
    /* address of the extended state (XSAVE standard format, 64-byte aligned), above this frame */
    uint64_t extended;
    uint64_t reserved2;
};

#define UPCALL_RED_ZONE 128

_Static_assert(sizeof(struct upcall_frame) % 16 == 0, "the frame keeps the stack aligned");
