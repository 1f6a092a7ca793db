/* The code that is mapped into every process, read and execute: the gate, the signal handler, how
 * a thread begins, the manager's loop.
 *
 * None of it is trusted with anything. A user thread may jump to each byte of it with registers of
 * its choice and gains nothing: what it may ask Linux for is decided by the filter that it has
 * installed in .Lthread before it got its first register. The manager has a wider filter; it has no
 * stack, ignores signals, and reads only pages that its process cannot write.
 *
 * The page is copied, so code refers to itself and to what lies at a fixed distance only
 * (layout.h). */
#include "kernel/arch/linux/layout.h"

#include <asm/prctl.h>

#define NR_WRITE 1
#define NR_MUNMAP 11
#define NR_RT_SIGRETURN 15
#define NR_CLONE 56
#define NR_SIGALTSTACK 131
#define NR_PRCTL 157
#define NR_ARCH_PRCTL 158
#define NR_FUTEX 202
#define NR_SECCOMP 317
#define NR_CLOSE_RANGE 436
#define PR_SET_TSC 26
#define FRAME_RIP 176 /* struct rt_sigframe: its ucontext's rip */
#define PREEMPTED_TICKS 8000 /* far more than a call of Linux takes */
#define AWAKE (~WORD_KICK)

    .macro wake /* who sleeps on the word at rdi */
    movl $1, %esi /* FUTEX_WAKE */
    movl $0x7fffffff, %edx
    xorl %r10d, %r10d
    movl $NR_FUTEX, %eax
    syscall
    .endm

    .macro bases way /* compares how they are read and set */
    cmpl $\way, linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_BASES(%rip)
    .endm

    .macro where cpu /* which processor, as the kernel says it of itself in COMMANDS_CPU */
    movl $CPU_SELECTOR, \cpu
    lsl \cpu, \cpu
    andl $0xfff, \cpu
    .endm

    .section .rodata.stub, "a"
    .balign 4096
    .globl linux_stub, linux_stub_end
    .globl linux_gate_posts, linux_gate_posted, linux_gate_goes, linux_gate_deep
    .globl linux_gate_returns, linux_gate_end
    .globl linux_stub_handler, linux_stub_restorer, linux_stub_manager
linux_stub:

/* --- the gate: HELPER_STUB. rax = number; rdi, rsi, rdx = arguments --- */

/* Up to linux_gate_posts nothing has happened: the kernel may let it begin again. From there to
 * linux_gate_goes the thread waits. After it, its registers are those that were saved, and the
 * result. GS is ours unless the program has set it; then it takes the slow way, and where that
 * cannot be seen (no FSGSBASE) so do all threads of its process. */
gate:
    bases BASES_BY_INSTRUCTION
    je 1f
    bases BASES_BY_CALL
    jne .Lslow
    movq %gs:STATE_SELF, %rcx
    jmp 2f
1:  rdgsbase %rcx
    movq %rcx, %r11
    shrq $HELPER_SHIFT, %r11
    cmpl $(HELPER_BASE >> HELPER_SHIFT), %r11d
    jne .Lslow
2:  movq %rax, STATE_RAX(%rcx)
    movq %rdi, STATE_RDI(%rcx)
    movq %rsi, STATE_RSI(%rcx)
    movq %rdx, STATE_RDX(%rcx)
    movq %r10, STATE_R10(%rcx)
    movl $CAUSE_GATE, STATE_CAUSE(%rcx)
    movl $WORD_POSTED, %r11d
linux_gate_posts:
    xchgl %r11d, STATE_WORD(%rcx)
linux_gate_posted:
    andl $AWAKE, %r11d
    cmpl $WORD_KERNEL_SLEEPS, %r11d
    je .Lgate_wake
.Lgate_spin:
    movl linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_SPIN(%rip), %r11d
1:  movl STATE_WORD(%rcx), %eax
    testl $WORD_POSTED, %eax
    jz linux_gate_goes
    testl $WORD_SLEEP, %eax
    jnz 3f
    pause
    decl %r11d
    jns 1b
3:  movl $(WORD_POSTED | WORD_USER_SLEEPS), %r11d
    lock cmpxchgl %r11d, STATE_WORD(%rcx)
    jne .Lgate_spin
2:  leaq STATE_WORD(%rcx), %rdi
    xorl %esi, %esi /* FUTEX_WAIT */
    movl $(WORD_POSTED | WORD_USER_SLEEPS), %edx
    xorl %r10d, %r10d
    movl $NR_FUTEX, %eax
    syscall
    movq %rdi, %rcx /* STATE_WORD is 0 */
    testl $WORD_POSTED, STATE_WORD(%rcx)
    jnz 2b
    movq STATE_RDI(%rcx), %rdi
    movq STATE_RSI(%rcx), %rsi
    movq STATE_RDX(%rcx), %rdx
    movq STATE_R10(%rcx), %r10
linux_gate_goes:
    cmpl $KIND_LIGHT, STATE_KIND(%rcx)
    jne .Lgate_special
    movq STATE_RESULT(%rcx), %rax
linux_gate_returns:
    ret

.Lgate_wake:
    leaq STATE_WORD(%rcx), %rdi
    wake
    movq %rdi, %rcx
    movq STATE_RDI(%rcx), %rdi
    movq STATE_RSI(%rcx), %rsi
    movq STATE_RDX(%rcx), %rdx
    movq STATE_R10(%rcx), %r10
    where %eax
    movl %eax, STATE_CPU(%rcx)
    cmpl %eax, linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_CPU(%rip)
    jne .Lgate_spin
    movl $WORD_POSTED, %eax /* the kernel would not come to it while we look */
    jmp 3b

.Lgate_special:
    cmpl $KIND_DEEP, STATE_KIND(%rcx)
    je linux_gate_deep
    movq %rcx, %rbx
    jmp .Lgo
linux_gate_deep:
    ud2
linux_gate_end:

.Lslow:
    syscall
    ret

/* --- signals: on the area's stack, rdi = the signal, rsp = its frame --- */

    .balign 16
linux_stub_handler:
    movq %rsp, %rbx
    andq $-AREA_SIZE, %rbx
    addq $AREA_STATE, %rbx
    cmpl $SIGNAL_PREEMPT, %edi
    jne 1f
    /* A thread that waits in the gate is in the kernel already. */
    leaq linux_gate_posted(%rip), %rax
    movq FRAME_RIP(%rsp), %rdx
    subq %rax, %rdx
    cmpq $(linux_gate_end - linux_gate_posted), %rdx
    jae 1f
    testl $WORD_POSTED, STATE_WORD(%rbx)
    jnz .Lreturn
1:  bases BASES_BY_INSTRUCTION
    jne 2f
    rdfsbase %rax
    movq %rax, STATE_FS(%rbx)
    rdgsbase %rax
    movq %rax, STATE_GS(%rbx)
2:  movq %rsp, STATE_FRAME(%rbx)
    movl %edi, STATE_CAUSE(%rbx)
    cmpl $SIGNAL_FAULT, %edi
    je .Lfault

/* rbx = the thread's state, the cause is there: meets the kernel, goes on as it says. */
.Lmeet:
    movl $WORD_POSTED, %eax
    xchgl %eax, STATE_WORD(%rbx)
    andl $AWAKE, %eax
    cmpl $WORD_KERNEL_SLEEPS, %eax
    jne .Lspin
    movq %rbx, %rdi
    wake
    where %eax
    movl %eax, STATE_CPU(%rbx)
    cmpl %eax, linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_CPU(%rip)
    movl $WORD_POSTED, %eax
    je 2f
.Lspin:
    movl linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_SPIN(%rip), %ecx
1:  movl STATE_WORD(%rbx), %eax
    testl $WORD_POSTED, %eax
    jz .Lgo
    testl $WORD_SLEEP, %eax
    jnz 2f
    pause
    decl %ecx
    jns 1b
2:  movl $(WORD_POSTED | WORD_USER_SLEEPS), %ecx
    lock cmpxchgl %ecx, STATE_WORD(%rbx)
    jne .Lspin
.Lsleep:
    movq %rbx, %rdi
    xorl %esi, %esi
    movl $(WORD_POSTED | WORD_USER_SLEEPS), %edx
    xorl %r10d, %r10d
    movl $NR_FUTEX, %eax
    syscall
    testl $WORD_POSTED, STATE_WORD(%rbx)
    jnz .Lsleep
    .globl linux_stub_goes, linux_stub_goes_end
linux_stub_goes:
.Lgo:
    bases BASES_BY_INSTRUCTION
    jne 1f
    movq STATE_FS(%rbx), %rax
    wrfsbase %rax
    movq STATE_GS(%rbx), %rax
    wrgsbase %rax
    jmp 2f
1:  cmpl $0, STATE_SET_BASES(%rbx)
    je 2f
    movl $ARCH_SET_FS, %edi
    movq STATE_FS(%rbx), %rsi
    movl $NR_ARCH_PRCTL, %eax
    syscall
    movl $ARCH_SET_GS, %edi
    movq STATE_GS(%rbx), %rsi
    movl $NR_ARCH_PRCTL, %eax
    syscall
2:  movq STATE_FRAME(%rbx), %rsp
.Lreturn:
    addq $8, %rsp
linux_stub_restorer:
    movl $NR_RT_SIGRETURN, %eax
    syscall
linux_stub_goes_end:
    ud2

/* Where the kernel will most likely want the manager for this, it comes to this processor
 * meanwhile, and wakes us when it is done. */
.Lfault:
    cmpl $0, linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_EXPECTED(%rip)
    je .Lmeet
    movl $(WORD_POSTED | WORD_USER_SLEEPS), %eax
    xchgl %eax, STATE_WORD(%rbx)
    andl $AWAKE, %eax
    cmpl $WORD_KERNEL_SLEEPS, %eax
    jne 1f
    movq %rbx, %rdi
    wake
    where %eax
    movl %eax, STATE_CPU(%rbx)
1:  leaq linux_stub + (HELPER_COMMANDS - HELPER_STUB) + COMMANDS_SEQUENCE(%rip), %rdi
    wake
    jmp .Lsleep

/* --- a new thread: rsp = its area, signals blocked, the manager's descriptors and filter --- */

.Lthread:
    movq %rsp, %r12
    xorl %edi, %edi
    movl $-1, %esi
    xorl %edx, %edx
    movl $NR_CLOSE_RANGE, %eax
    syscall
    testq %rax, %rax
    jnz .Lbroken
    leaq SETUP_STACK(%r12), %rdi
    xorl %esi, %esi
    movl $NR_SIGALTSTACK, %eax
    syscall
    testq %rax, %rax
    jnz .Lbroken
    movl $PR_SET_TSC, %edi
    movl SETUP_TSC(%r12), %esi
    movl $NR_PRCTL, %eax
    syscall
    testq %rax, %rax
    jnz .Lbroken
    leaq AREA_STATE(%r12), %rbx
    movl $1, %edi /* SECCOMP_SET_MODE_FILTER */
    movl $4, %esi /* SECCOMP_FILTER_FLAG_SPEC_ALLOW */
    leaq SETUP_PROGRAM(%r12), %rdx
    movl $NR_SECCOMP, %eax
    syscall
    testq %rax, %rax
    jnz .Lbroken
    movl $CAUSE_READY, STATE_CAUSE(%rbx)
    jmp .Lmeet
.Lbroken:
    ud2 /* all signals are blocked: ends the process */

/* --- the manager: r15 = HELPER_COMMANDS, r14 = the sequence that was done last --- */

linux_stub_manager:
    xorl %edi, %edi /* all of the kernel's image */
    movabsq $HELPER_BASE, %rsi
    movl $NR_MUNMAP, %eax
    syscall
    testq %rax, %rax
    jnz .Lbroken
.Lmanager:
    leaq COMMANDS_SEQUENCE(%r15), %rdi
    xorl %esi, %esi
    movl %r14d, %edx
    xorl %r10d, %r10d
    movl $NR_FUTEX, %eax
    syscall
.Llook:
    movl COMMANDS_SPIN(%r15), %ecx
    where %edx
0:  movl COMMANDS_SEQUENCE(%r15), %eax
    cmpl %eax, %r14d
    jne 1f
    cmpl %edx, COMMANDS_CPU(%r15)
    je .Lmanager /* the kernel would not come to it while we look */
    pause /* a thread with a fault has woken us: the kernel is about to */
    decl %ecx
    jns 0b
    jmp .Lmanager
1:  movl %eax, %r14d
    movl COMMANDS_COUNT(%r15), %r13d
    leaq COMMANDS_FIRST(%r15), %r12
2:  subl $1, %r13d
    js 3f
    movq 0(%r12), %rax
    movq 8(%r12), %rdi
    movq 16(%r12), %rsi
    movq 24(%r12), %rdx
    movq 32(%r12), %r10
    movq 40(%r12), %r8
    movq 48(%r12), %r9
    syscall
    cmpq $-4095, %rax
    jae 4f
    testq %rax, %rax
    jnz 5f
    cmpl $NR_CLONE, 0(%r12)
    je .Lthread
5:  addq $COMMAND_SIZE, %r12
    jmp 2b
3:  leaq COMMANDS_OK(%r15), %rsi
    jmp 6f
4:  leaq COMMANDS_BAD(%r15), %rsi
6:  movq COMMANDS_WAKE(%r15), %r13
    movl $MANAGER_DONE_FD, %edi
    movl $8, %edx
    movl $NR_WRITE, %eax
    syscall
    movq %r13, %rdi
    testq %rdi, %rdi
    jz .Lmanager
    rdtsc
    movl %eax, %r13d
    wake
    rdtsc
    subl %r13d, %eax
    cmpl $PREEMPTED_TICKS, %eax
    jae .Llook /* it was faster than we, and may be back with its next fault */
    jmp .Lmanager

    .balign 4096, 0xcc
linux_stub_end:

    .section .note.GNU-stack, "", @progbits
