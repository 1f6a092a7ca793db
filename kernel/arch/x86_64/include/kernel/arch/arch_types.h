/* What an x86_64 machine keeps in the kernel's structures. entry.S addresses several fields by
 * the offsets in offsets.h, which cpu.c checks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct arch_address_space;
struct thread;

/* A thread's user registers, as the processor and entry.S push them: the last five words are the
 * processor's own. r11 and rcx are stale after a `syscall`, which destroys them. */
struct arch_frame {
    uint64_t r15, r14, r13, r12, r10, r9, r8, rbp, rdi, rsi, rdx, rbx, rax;
    uint64_t r11, rcx;
    uint64_t vector; /* of the trap that saved this; FRAME_BY_SYSCALL: sysret may resume it */
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct arch_thread {
    _Alignas(16) struct arch_frame frame; /* first; the trap stack while the thread runs */
    uint64_t fs_base, gs_base;            /* valid while the thread is not loaded on a CPU */
    void *extended;                       /* XSAVE standard format, 64-byte aligned; likewise */
    void *extended_memory;                /* the allocation that it lies in */
};

struct arch_process {
    bool time_open; /* the time-stamp counter */
};

struct arch_address_space {
    uint64_t root;   /* physical address of the top table; 0: none */
    uint64_t active; /* bit n: CPU n has it loaded. CPUS_MAX bits */
};

struct arch_cpu {
    struct arch_cpu *self;              /* found through GS */
    uint64_t user_rsp;                  /* scratch of the syscall entry */
    uint64_t frame_top;                 /* where the syscall entry pushes: &running->frame.r11 */
    uint64_t stack;                     /* top of the CPU's kernel stack */
    struct thread *running;             /* whose registers are loaded; NULL: none */
    struct arch_address_space *space;   /* whose tables are loaded; NULL: the kernel's own */
    uint64_t deadline_ns;               /* the timer is armed for it; UINT64_MAX: off */
    bool time_open;                     /* the time-stamp counter is open in user mode */
    uint32_t apic_id;
    struct x86_tables *tables;          /* its GDT and TSS */
};
