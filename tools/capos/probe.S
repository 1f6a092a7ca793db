/* The probe for real hardware virtualisation: a kernel of one page of code. Under KVM that deserves
 * the name it ends within milliseconds; where /dev/kvm is there but kernel-mode code is
 * interpreted, or a `syscall` does not change the privilege, it does not get to its end in the time
 * that it is given.
 *
 * It enters 64-bit mode as a PVH kernel does, counts a loop, goes to user mode, comes back with
 * `syscall`, checks that it is in ring 0 now and was in ring 3 before, and writes
 * QEMU_EXIT_PROBE. */
#include "abi/qemu.h"

#define LOOPS 2000000 /* real: a millisecond; interpreted, 1,500 cycles each: over a second */
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define KERNEL_CODE 0x08

    .section .note.Xen, "a"
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    movl $pml4, %edi
    movl $(pdpt + 7), (%edi) /* present, writable, user */
    movl $pdpt, %edi
    movl $0x87, (%edi) /* the first GiB in one large page */
    movl %cr4, %eax
    orl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $pml4, %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    movl $0x101, %eax /* LME, SCE */
    xorl %edx, %edx
    wrmsr
    movl %cr0, %eax
    orl $0x80000001, %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $KERNEL_CODE, $long_mode

    .code64
long_mode:
    movl $LOOPS, %ecx
1:  decl %ecx
    jnz 1b
    movl $MSR_STAR, %ecx
    xorl %eax, %eax
    movl $0x00100008, %edx /* user selectors from 0x10, kernel from 0x08 */
    wrmsr
    movl $MSR_LSTAR, %ecx
    movl $entered, %eax
    xorl %edx, %edx
    wrmsr
    movl $MSR_SFMASK, %ecx
    xorl %eax, %eax
    wrmsr
    movl $user, %ecx
    movl $2, %r11d
    sysretq

user:
    movl %cs, %ebx
    syscall
    ud2

entered:
    movl %ebx, %eax
    andl $3, %eax
    cmpl $3, %eax
    jne failed
    movl %cs, %eax
    testl $3, %eax
    jnz failed
    movl $0, %eax
    movq %rax, %cr2 /* only ring 0 may */
    movl $QEMU_EXIT_PROBE, %eax
    movw $QEMU_EXIT_PORT, %dx
    outb %al, %dx
failed:
    hlt
    jmp failed

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 0x08 kernel code */
    .quad 0x00cf93000000ffff /* 0x10 kernel data */
    .quad 0x00cff3000000ffff /* 0x18 user data */
    .quad 0x00affb000000ffff /* 0x20 user code */
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .bss
    .balign 4096
pml4:
    .skip 4096
pdpt:
    .skip 4096
