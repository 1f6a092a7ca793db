/* The functions of arch.h that must cost next to nothing. */
#pragma once

#define ARCH_FAULT_AHEAD_PAGES 1u
#define ARCH_FAULT_AROUND_PAGES 8u
#define ARCH_PREFERS_RUNS false
#define ARCH_FRESH_FRAMES_ARE_ZERO false

#include "abi/limits.h"

#define X86_DIRECT_MAP 0xffff800000000000ull /* all of physical memory, from address 0 */

/* struct cpu begins with its struct arch_cpu, that with its own address; GS is the only way to
 * it. */
static inline struct cpu *arch_cpu(void)
{
    struct cpu *c;
    __asm__("movq %%gs:0, %0" : "=r"(c));
    return c;
}

static inline void *arch_frame_address(frame_t f)
{
    return (void *)(X86_DIRECT_MAP + (f << PAGE_SHIFT));
}

static inline bool arch_is_current(const struct arch_address_space *as)
{
    const struct arch_address_space *loaded;
    __asm__("movq %%gs:%c1, %0" : "=r"(loaded) : "i"(offsetof(struct arch_cpu, space)));
    return loaded == as;
}

static inline void arch_thread_set_result(struct thread *t, int64_t result)
{
    /* struct thread begins with its struct arch_thread */
    ((struct arch_thread *)(void *)t)->frame.rax = (uint64_t)result;
}

static inline void arch_memory_freed(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

static inline void arch_memory_taken(void *memory, size_t size)
{
    (void)memory;
    (void)size;
}

static inline void arch_user_edge(void)
{
}
