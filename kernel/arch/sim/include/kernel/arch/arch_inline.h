/* The functions of arch.h that must cost nothing on real machines. Here the last three are hooks.
 */
#pragma once

#define ARCH_FAULT_AHEAD_PAGES 1u
#define ARCH_FAULT_AROUND_PAGES 8u
#define ARCH_PREFERS_RUNS sim_machine.prefers_runs
#define ARCH_FRESH_FRAMES_ARE_ZERO false

#include "kernel/arch/sim/sim.h"

static inline struct cpu *arch_cpu(void)
{
    return sim_cpu();
}

static inline void *arch_frame_address(frame_t f)
{
    return sim_machine.memory + f * PAGE_SIZE;
}

static inline bool arch_is_current(const struct arch_address_space *as)
{
    /* struct cpu begins with its struct arch_cpu */
    return ((const struct arch_cpu *)arch_cpu())->loaded == as;
}

static inline void arch_thread_set_result(struct thread *t, int64_t result)
{
    /* struct thread begins with its struct arch_thread */
    ((struct arch_thread *)(void *)t)->registers.rax = (uint64_t)result;
}

static inline void arch_memory_freed(void *memory, size_t size)
{
    sim_memory_freed(memory, size);
}

static inline void arch_memory_taken(void *memory, size_t size)
{
    sim_memory_taken(memory, size);
}

static inline void arch_user_edge(void)
{
    sim_edge(SIM_EDGE_RING, 0, 0);
}
