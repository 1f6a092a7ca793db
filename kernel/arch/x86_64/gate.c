/* The gate: one page of code, `syscall; ret`, that every process finds at the same address.
 *
 * It lies in the kernel's half and is the one page there that user mode may read and run. So it is
 * in every address space from the start, through tables that all of them share, and costs none of
 * them anything. Nobody can write it: the kernel's own view of it is read-only data. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/arch/x86_64/tables.h"

extern const char x86_gate_code[]; /* entry.S: a page of its own */

frame_t arch_gate_frame(void)
{
    return FRAME_NONE; /* it is mapped already */
}

uint64_t arch_gate_address(void)
{
    return X86_GATE_ADDRESS;
}

uint64_t x86_gate_entry(void)
{
    return x86_physical_of_image(x86_gate_code) | ENTRY_PRESENT | ENTRY_USER | ENTRY_GLOBAL |
           ENTRY_ACCESSED;
}
