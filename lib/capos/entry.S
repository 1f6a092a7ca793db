/*
 * entry.S: what cannot be written in C: the first instruction of a process and of a thread, the two
 * system calls, the entry and the end of an upcall, and the note that says this is a capOS program.
 */
#include "abi/syscall.h"
#include "abi/elf_note.h"

        .section .text._start, "ax", @progbits
/* rdi: start block, rsi: ring, rdx: size of the start block. */
        .globl _start
        .type _start, @function
_start:
        xorl %ebp, %ebp
        andq $-16, %rsp
        call capos_start
        ud2
        .size _start, . - _start

/* rdi: the block of the thread, rsi: its ring. */
        .section .text.capos_thread_entry, "ax", @progbits
        .globl capos_thread_entry
        .hidden capos_thread_entry
        .type capos_thread_entry, @function
capos_thread_entry:
        xorl %ebp, %ebp
        andq $-16, %rsp
        call capos_thread_main
        ud2
        .size capos_thread_entry, . - capos_thread_entry

/* The gate returns to our caller by itself. */
        .section .text.capos_cap_enter, "ax", @progbits
        .globl capos_cap_enter
        .type capos_cap_enter, @function
capos_cap_enter:
        movl $SYSCALL_CAP_ENTER, %eax
        jmpq *capos_gate(%rip)
        .size capos_cap_enter, . - capos_cap_enter

        .section .text.capos_exit_process, "ax", @progbits
        .globl capos_exit_process
        .type capos_exit_process, @function
capos_exit_process:
        movl $SYSCALL_EXIT, %eax
        jmpq *capos_gate(%rip)
        .size capos_exit_process, . - capos_exit_process

/* rdi: struct upcall_frame, kept in rbx over the handler. The stack may be aligned either way. */
        .section .text.capos_upcall_entry, "ax", @progbits
        .globl capos_upcall_entry
        .hidden capos_upcall_entry
        .type capos_upcall_entry, @function
capos_upcall_entry:
        cld
        movq %rdi, %rbx
        andq $-16, %rsp
        call capos_upcall_dispatch
        movq %rbx, %rdi

/*
 * Go on as the frame in rdi says. The numbers are offsets in struct upcall_frame; upcall.c asserts
 * them. No iretq: a processor emulated with SMAP refuses it in user mode (QEMU before 9.1). Instead
 * rdi and rip are put below the red zone of the stack to go on with, from where `ret` takes both
 * them and that stack. After the one instruction that changes rsp nothing of the frame is needed
 * any more: an upcall that comes then may write over it.
 */
        .globl capos_upcall_return
        .type capos_upcall_return, @function
capos_upcall_return:
        movl $-1, %eax
        movl $-1, %edx
        movq 192(%rdi), %rcx            /* extended */
        cmpl $512, 24(%rdi)             /* extended_size */
        jbe 1f
        xrstor64 (%rcx)
        jmp 2f
1:      fxrstor64 (%rcx)
2:      movq 88(%rdi), %rcx             /* rsp */
        subq $144, %rcx                 /* the red zone and two words */
        movq 72(%rdi), %rax             /* rdi */
        movq %rax, (%rcx)
        movq 160(%rdi), %rax            /* rip */
        movq %rax, 8(%rcx)
        movq %rcx, 88(%rdi)
        pushq 168(%rdi)                 /* rflags: what follows does not change them */
        popfq
        movq 32(%rdi), %rax
        movq 40(%rdi), %rbx
        movq 48(%rdi), %rcx
        movq 56(%rdi), %rdx
        movq 64(%rdi), %rsi
        movq 80(%rdi), %rbp
        movq 96(%rdi), %r8
        movq 104(%rdi), %r9
        movq 112(%rdi), %r10
        movq 120(%rdi), %r11
        movq 128(%rdi), %r12
        movq 136(%rdi), %r13
        movq 144(%rdi), %r14
        movq 152(%rdi), %r15
        movq 88(%rdi), %rsp
        popq %rdi
        ret $128
        .size capos_upcall_entry, . - capos_upcall_entry

        .section .note.capos, "a", @note
        .balign 4
        .long ELF_NOTE_NAME_SIZE
        .long ELF_NOTE_DESC_SIZE
        .long ELF_NOTE_TYPE
        .asciz ELF_NOTE_NAME
        .balign 4
        .long ELF_NOTE_ABI_VERSION

        .section .note.GNU-stack, "", @progbits
