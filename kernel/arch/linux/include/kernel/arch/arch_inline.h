/* The functions of arch.h that must cost next to nothing. */
#pragma once

#define ARCH_FAULT_AHEAD_PAGES 64u
#define ARCH_FAULT_AROUND_PAGES 32u
#define ARCH_PREFERS_RUNS true
#define ARCH_FRESH_FRAMES_ARE_ZERO true

#define LINUX_MEMORY 0x100000000000ull /* where the kernel sees all of physical memory */

/* There is one virtual CPU so far. */
extern struct cpu linux_first_cpu;

static inline struct cpu *arch_cpu(void)
{
    return &linux_first_cpu;
}

static inline void *arch_frame_address(frame_t f)
{
    return (void *)(LINUX_MEMORY + (f << PAGE_SHIFT));
}

static inline bool arch_is_current(const struct arch_address_space *as)
{
    /* struct cpu begins with its struct arch_cpu */
    return ((const struct arch_cpu *)(const void *)arch_cpu())->space == as;
}

static inline void arch_thread_set_result(struct thread *t, int64_t result)
{
    /* struct thread begins with its struct arch_thread */
    struct arch_thread *a = (struct arch_thread *)(void *)t;
    a->registers.rax = (uint64_t)result;
    a->dirty = true;
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
