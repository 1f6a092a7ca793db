/* Threads of the simulated machine: registers are plain data that the test reads and sets. */
#include <string.h>

#include "kernel/arch/arch.h"
#include "kernel/core/entry.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"

#define FLAGS_INTERRUPT 0x200ull
#define FLAGS_HARMLESS 0x244dd5ull /* carry to overflow, trap, direction, alignment, id */

status_t arch_thread_init(struct thread *t)
{
    memset(&t->arch, 0, sizeof(t->arch));
    void *memory;
    status_t status = kmem_alloc(t->account, SIM_EXTENDED_SIZE, &memory);
    t->arch.extended = status == STATUS_OK ? memory : NULL;
    return status;
}

void arch_thread_destroy(struct thread *t)
{
    if (t->arch.extended != NULL) {
        kmem_free(t->account, t->arch.extended, SIM_EXTENDED_SIZE);
        t->arch.extended = NULL;
    }
}

void arch_thread_start(struct thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint64_t ring, uint64_t extra, uint64_t fs_base)
{
    t->arch.registers = (struct user_registers){
        .rip = entry,
        .rsp = stack,
        .rdi = argument,
        .rsi = ring,
        .rdx = extra,
        .fs_base = fs_base,
        .rflags = FLAGS_INTERRUPT,
    };
    memset(t->arch.extended, 0, SIM_EXTENDED_SIZE);
}

void arch_thread_fork(struct thread *child, struct thread *parent)
{
    child->arch.registers = parent->arch.registers;
    memcpy(child->arch.extended, parent->arch.extended, SIM_EXTENDED_SIZE);
}

void arch_thread_registers(struct thread *t, struct user_registers *out)
{
    *out = t->arch.registers;
}

void arch_thread_set_registers(struct thread *t, const struct user_registers *in)
{
    t->arch.registers = *in;
    t->arch.registers.rflags = (in->rflags & FLAGS_HARMLESS) | FLAGS_INTERRUPT;
}

void arch_thread_set_bases(struct thread *t, uint64_t fs, uint64_t gs)
{
    t->arch.registers.fs_base = fs;
    t->arch.registers.gs_base = gs;
}

uint32_t arch_extended_size(void)
{
    return SIM_EXTENDED_SIZE;
}

void arch_thread_extended(struct thread *t, void *out)
{
    memcpy(out, t->arch.extended, SIM_EXTENDED_SIZE);
}

void arch_thread_forget(struct thread *t)
{
    KASSERT(t->arch.extended != NULL);
}
