/* Every way into the kernel and out of it: the first instruction, `syscall`, traps, the copies
 * from and to the user.
 *
 * A thread's registers go straight into its struct arch_thread: the processor's trap stack (TSS
 * rsp0) ends at the end of the running thread's frame, and the syscall entry pushes to the same
 * place. Then the CPU's own kernel stack is taken; no thread has one. The way out is always
 * x86_leave: core says which thread is next, and its frame is popped.
 *
 * Interrupts are off in the kernel but while it idles. NMI, double fault and machine check have
 * a stack of their own, at whose end lies the CPU's struct, and end in a panic unless they hit
 * user code; a debug trap has another, since it is the one exception that a user might steer to
 * the kernel's first instruction. */
#include "abi/syscall.h"
#include "kernel/arch/x86_64/offsets.h"

#define KERNEL_BASE 0xffffffff80000000
#define PHYSICAL(symbol) (symbol - KERNEL_BASE)

/* --- the first instruction --- */

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long PHYSICAL(x86_pvh_start)

    .section .bss
    .balign 4096
    .globl x86_root_table, x86_image_l3, x86_image_l2
x86_root_table: .skip 4096
x86_image_l3: .skip 4096
x86_image_l2: .skip 4096

    .section .rodata
    .balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long PHYSICAL(boot_gdt)

/* PVH: 32-bit protected mode, paging off, ebx = address of the start info. The first 2 MiB,
 * which hold the image, are mapped at 0 and at KERNEL_BASE; x86_paging_start() makes the real
 * tables. */
    .section .text.start, "ax"
    .code32
    .globl x86_pvh_start
x86_pvh_start:
    cld
    movl $(PHYSICAL(x86_image_l3) + 3), %eax
    movl %eax, PHYSICAL(x86_root_table)
    movl %eax, PHYSICAL(x86_root_table) + 511 * 8
    movl $(PHYSICAL(x86_image_l2) + 3), %eax
    movl %eax, PHYSICAL(x86_image_l3)
    movl %eax, PHYSICAL(x86_image_l3) + 510 * 8
    movl $0x83, PHYSICAL(x86_image_l2)

    movl $0x20, %eax /* PAE */
    movl %eax, %cr4
    movl $PHYSICAL(x86_root_table), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER: SCE, LME, NXE */
    xorl %edx, %edx
    movl $0x901, %eax
    wrmsr
    movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE; caches on */
    movl %eax, %cr0
    lgdt PHYSICAL(boot_gdt_pointer)
    ljmpl $0x08, $PHYSICAL(1f)

    .code64
1:  movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $x86_first_stack_top, %rsp
    xorl %ebp, %ebp
    movl %ebx, %edi
    movq $x86_boot, %rax
    call *%rax
    ud2

/* --- the lock --- */

    .section .data
    .balign 64
    .globl kernel_lock
kernel_lock: .long 0
    .skip 60

    .text
/* Clobbers ecx and the flags; r11 in the slow path, which goes on serving shootdowns. */
.macro TAKE_LOCK
    movl $1, %ecx
    xchgl %ecx, kernel_lock(%rip)
    testl %ecx, %ecx
    jnz 8f
9:
    .subsection 1
8:  pushq %rax
    pushq %rdi
    pushq %rsi
    pushq %rdx
    call x86_lock_wait
    popq %rdx
    popq %rsi
    popq %rdi
    popq %rax
    jmp 9b
    .previous
.endm

/* stac and clac, which boot turns into no-operations where the processor has no SMAP. */
.macro SMAP_SITE instruction
7:  \instruction
    .pushsection .rodata.smap, "a"
    .long 7b - KERNEL_BASE
    .popsection
.endm

    .section .rodata.smap, "a"
    .balign 4
    .globl x86_smap_sites
x86_smap_sites:
    .text

.macro PUSH_REGISTERS /* from rax down */
    .irp register, rax, rbx, rdx, rsi, rdi, rbp, r8, r9, r10, r12, r13, r14, r15
    pushq %\register
    .endr
.endm

.macro POP_REGISTERS
    .irp register, r15, r14, r13, r12, r10, r9, r8, rbp, rdi, rsi, rdx, rbx, rax
    popq %\register
    .endr
.endm

/* --- system calls, out --- */

/* rcx = user rip, r11 = user rflags; interrupts, TF, DF, AC are off (FMASK). */
    .balign 64
    .globl x86_syscall_entry
x86_syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    movq %gs:CPU_FRAME_TOP, %rsp
    movq %rcx, (FRAME_RIP - FRAME_R11)(%rsp)
    movq %r11, (FRAME_RFLAGS - FRAME_R11)(%rsp)
    movq $FRAME_BY_SYSCALL, (FRAME_VECTOR - FRAME_R11)(%rsp)
    PUSH_REGISTERS
    movq %gs:CPU_USER_RSP, %rcx
    movq %rcx, FRAME_RSP(%rsp)
    movq %gs:CPU_STACK, %rsp
    TAKE_LOCK
    cmpq $SYSCALL_CAP_ENTER, %rax
    jne .Lother_syscall
    call kernel_cap_enter
    jmp .Lleave

/* Kernel lock held, on the CPU's kernel stack. Whoever comes from elsewhere than a `syscall` of
 * the thread that it goes back to has set another vector in the frame, or goes through .Lswitch. */
    .globl x86_leave, x86_leave_boot
x86_leave:
    call kernel_leave
.Lleave:
    testq %rax, %rax
    jz .Lidle
    cmpq %rax, %gs:CPU_RUNNING
    jne .Lswitch
.Lresume:
    movl $0, kernel_lock(%rip)
    cmpl $FRAME_BY_SYSCALL, FRAME_VECTOR(%rax)
    jne .Lresume_all
    /* It has not been off this CPU since its `syscall`, so C has kept rbx, rbp and r12 to r15.
     * rip was saved by the `syscall`, which has no hole behind it, and not changed since. */
    movq FRAME_R10(%rax), %r10
    movq FRAME_R9(%rax), %r9
    movq FRAME_R8(%rax), %r8
    movq FRAME_RDI(%rax), %rdi
    movq FRAME_RSI(%rax), %rsi
    movq FRAME_RDX(%rax), %rdx
    movq FRAME_RIP(%rax), %rcx
    movq FRAME_RFLAGS(%rax), %r11
    movq FRAME_RSP(%rax), %rsp
    movq FRAME_RAX(%rax), %rax
    swapgs
    sysretq

.Lresume_all: /* by sysret if it can be, which is faster on real processors */
    movq %rax, %rsp
    cmpl $FRAME_BY_SYSCALL, FRAME_VECTOR(%rsp)
    POP_REGISTERS
    jne .Liret
    movq (FRAME_RIP - FRAME_R11)(%rsp), %rcx
    movq (FRAME_RFLAGS - FRAME_R11)(%rsp), %r11
    movq (FRAME_RSP - FRAME_R11)(%rsp), %rsp
    swapgs
    sysretq
.Liret:
    popq %r11
    popq %rcx
    addq $16, %rsp
    swapgs
    iretq

.Lswitch:
    movq %rax, %rbx
    movq %rax, %rdi
    call x86_switch
    movl $0, kernel_lock(%rip)
    movq %rbx, %rax
    jmp .Lresume_all

.Lidle:
    call x86_idle
    jmp x86_leave

.Lother_syscall:
    movq %rdx, %rcx
    movq %rsi, %rdx
    movq %rdi, %rsi
    movq %rax, %rdi
    call kernel_syscall
    jmp x86_leave

/* From boot: drops its stack. */
x86_leave_boot:
    movq %gs:CPU_STACK, %rsp
    jmp x86_leave

/* --- traps --- */

.macro TRAP_STUB vector
    .balign TRAP_STUB_SIZE
    .if (\vector == 8) || ((\vector >= 10) && (\vector <= 14)) || (\vector == 17) \
        || (\vector == 21) || (\vector == 29) || (\vector == 30)
    .else
    pushq $0
    .endif
    pushq $\vector
    .if (\vector == 1) || (\vector == 2) || (\vector == 8) || (\vector == 18)
    jmp .Ltrap_own_stack
    .else
    jmp .Ltrap
    .endif
.endm

    .balign TRAP_STUB_SIZE
    .globl x86_trap_stubs
x86_trap_stubs:
    .altmacro
    .set i, 0
    .rept VECTOR_COUNT
    TRAP_STUB %i
    .set i, i + 1
    .endr
    .noaltmacro
    .org x86_trap_stubs + VECTOR_COUNT * TRAP_STUB_SIZE /* fails when a stub is too long */

.Ltrap:
    testb $3, FRAME_CS - FRAME_VECTOR(%rsp)
    jz .Ltrap_kernel
    swapgs
    pushq %rcx
    pushq %r11
    PUSH_REGISTERS
    movq %rsp, %rdi
    movq %gs:CPU_STACK, %rsp
.Ltrap_user:
    cld
    SMAP_SITE clac
    xorl %ebp, %ebp
    call x86_trap_user
    testb %al, %al
    jnz x86_leave
    movq %gs:CPU_RUNNING, %rax
    jmp .Lresume_all

.Ltrap_kernel:
    pushq %rcx
    pushq %r11
    PUSH_REGISTERS
    movq %rsp, %rdi
    cld
    SMAP_SITE clac
    call x86_trap_kernel
    POP_REGISTERS
    popq %r11
    popq %rcx
    addq $16, %rsp
    iretq

.Ltrap_own_stack:
    pushq %rcx
    pushq %r11
    PUSH_REGISTERS
    cld
    movq %rsp, %rdi
    testb $3, FRAME_CS(%rsp)
    jz .Ltrap_own_stack_kernel
    swapgs
    call x86_trap_from_own_stack
    movq %rax, %rdi
    movq %gs:CPU_STACK, %rsp
    jmp .Ltrap_user
.Ltrap_own_stack_kernel:
    /* Which GS base is loaded is not known here; the stack's end knows the CPU. */
    movl $0xc0000101, %ecx
    movl FRAME_SIZE(%rsp), %eax
    movl FRAME_SIZE + 4(%rsp), %edx
    wrmsr
    call x86_trap_panic
    ud2

/* --- user copy --- */

/* bool arch_copy_in(void *to, uint64_t from, size_t size); a fault that stays ends at
 * x86_copy_fail. */
.macro COPY user
    movabsq $COPY_END, %rax
    movq %rdx, %rcx
    addq \user, %rcx
    jc x86_copy_refuse
    cmpq %rax, %rcx
    ja x86_copy_refuse
    movq %rdx, %rcx
    shrq $3, %rcx
    andl $7, %edx
    SMAP_SITE stac
    rep movsq
    movl %edx, %ecx
    rep movsb
    SMAP_SITE clac
    movl $1, %eax
    ret
.endm

    .balign 16
    .globl x86_copy_begin, x86_copy_end, x86_copy_fail, arch_copy_in, arch_copy_out
x86_copy_begin:
arch_copy_in:
    COPY %rsi
    .balign 16
arch_copy_out:
    COPY %rdi
x86_copy_end:
x86_copy_fail:
    SMAP_SITE clac
    xorl %eax, %eax
    ret
x86_copy_refuse: /* the range leaves the user's half; no bytes are no harm */
    xorl %eax, %eax
    testq %rdx, %rdx
    sete %al
    ret

    .section .rodata.smap, "a"
    .globl x86_smap_sites_end
x86_smap_sites_end:

/* --- the gate --- */

/* What every process finds at arch_gate_address(), read and execute only: a page of its own, since
 * the processor shows it whole. */
    .section .rodata.gate, "a"
    .balign 4096
    .globl x86_gate_code
x86_gate_code:
    syscall
    ret
    .balign 4096, 0xcc

    .section .note.GNU-stack, "", @progbits
