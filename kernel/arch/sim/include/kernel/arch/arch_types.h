/* What the simulated machine keeps in the kernel's structures. Everything is plain data that a test
 * may look at. */
#pragma once

#include "abi/upcall.h"
#include "kernel/arch/hosted/hosted_types.h"
#include "kernel/core/types.h"

#define SIM_EXTENDED_SIZE 832 /* as large as x87, SSE and AVX state together */

struct account;

struct arch_address_space {
    frame_t root; /* of four levels of 512 words, as x86_64 has them; FRAME_NONE: not created or
                     destroyed */
    struct hosted_breaks breaks;
};

struct arch_cpu {
    uint64_t timer_ns; /* UINT64_MAX: off */
    bool poked;
    const struct arch_address_space *loaded;
};

struct arch_thread {
    struct user_registers registers;
    void *extended;          /* SIM_EXTENDED_SIZE bytes of kmem */
};

struct arch_process {
    bool time_open;
};
