/* What the linux machine keeps in the kernel's structures. */
#pragma once

#include "abi/upcall.h"
#include "kernel/arch/hosted/hosted_types.h"

#include <stdbool.h>
#include <stdint.h>

struct thread;
struct linux_process;
struct linux_slot;

/* Where a thread's registers are. */
enum linux_mode {
    LINUX_FRESH,   /* in struct arch_thread; no Linux thread has them yet */
    LINUX_RUNNING, /* in the processor: the thread runs user code */
    LINUX_GATE,    /* in the processor too: its Linux thread waits in the gate */
    LINUX_FRAME,   /* in struct arch_thread and in the frame of the signal in which it waits */
};

struct arch_thread {
    struct user_registers registers; /* GATE, RUNNING: only rax, rdi, rsi, rdx mean something */
    struct linux_slot *slot;         /* the Linux thread; NULL: none yet */
    enum linux_mode mode, before;    /* before: when it last began to run */
    bool dirty;        /* FRAME: registers differ from the frame. Others: nothing */
    bool pending;      /* it has entered the kernel, and core does not know yet */
    bool has_extended; /* FRESH: extended is to be loaded, else the state after reset */
    uint32_t cause;    /* of its last entry: 0 the gate, else a signal */
    uint64_t frame;    /* FRAME: where the signal's frame lies, in the process */
    uint64_t extended_at;  /* FRAME: and its extended state; 0: none that could be read */
    void *extended;    /* XSAVE standard format, in kmem */
};

struct arch_process {
    bool time_open; /* the time-stamp counter */
};

struct arch_address_space {
    uint64_t root;                 /* frame of the top table; 0: none */
    struct linux_process *process; /* that has these pages mapped; NULL: none yet */
    struct hosted_breaks breaks;
};

struct arch_cpu {
    const struct arch_address_space *space; /* that copies go to */
    struct thread *running;                 /* in user mode, as far as is known; NULL: none */
    uint64_t deadline_ns;                   /* the timer; UINT64_MAX: off */
};
