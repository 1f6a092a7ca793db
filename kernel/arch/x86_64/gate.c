/* The gate: one page of code, `syscall; ret`, that every process finds at the same address,
 * below the end of its address space. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/frame.h"

extern const char x86_gate_code[], x86_gate_code_end[];

static frame_t gate;

frame_t arch_gate_frame(void)
{
    if (gate == FRAME_NONE) {
        status_t s = frame_alloc_zeroed(&gate);
        KASSERT(s == STATUS_OK); /* core asks for it first at boot */
        size_t size = (size_t)(x86_gate_code_end - x86_gate_code);
        memcpy(arch_frame_address(gate), x86_gate_code, size);
    }
    return gate;
}

uint64_t arch_gate_address(void)
{
    return USER_END - PAGE_SIZE;
}
