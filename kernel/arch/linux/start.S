/* The first instruction of the kernel's process: there is no C library in it. */
    .text
    .globl _start
_start:
    xorl %ebp, %ebp
    movq %rsp, %rdi
    andq $-16, %rsp
    call linux_start
    ud2

    .globl linux_signal_restorer
linux_signal_restorer:
    movl $15, %eax
    syscall

    .section .symbols, "a" /* filled after the link: rules.mk */
    .balign 8
    .globl kernel_symbols
kernel_symbols:
    .fill 24576

    .section .note.GNU-stack, "", @progbits
