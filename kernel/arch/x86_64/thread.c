/* Threads' registers: making, saving, loading them. Kernel lock held.
 *
 * A thread is loaded while it is its CPU's `running`: then its extended state and its FS and GS
 * bases are in the processor, not in its struct. They move eagerly when a CPU turns to another
 * thread or idles. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/kmem.h"
#include "kernel/core/process.h"

#define EXTENDED_ALIGN 64u
#define MXCSR_OFFSET 24
#define MXCSR_START 0x1f80u
#define FCW_START 0x37fu
#define XSAVE_HEADER 512

void x86_switch(struct thread *t);

static bool loaded(const struct thread *t)
{
    return x86_cpu()->running == t;
}

/* All components that XCR0 has. */
static void save_extended(void *area)
{
    if (x86_features.xsaveopt) {
        __asm__ volatile("xsaveopt64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    } else if (x86_features.xsave) {
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    } else {
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
    }
}

static void load_extended(const void *area)
{
    if (x86_features.xsave) {
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1) : "memory");
    } else {
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
    }
}

/* The user's bases; GS's is the other one while the kernel's own is in use. `swapgs` and back is
 * cheaper than the MSR; what comes in between may be an NMI alone, which ends in a panic that does
 * not rely on it. */
static void save_bases(struct arch_thread *a)
{
    if (x86_features.fsgsbase) {
        __asm__ volatile("rdfsbase %0\n\tswapgs\n\trdgsbase %1\n\tswapgs"
                         : "=r"(a->fs_base), "=r"(a->gs_base));
    } else {
        a->fs_base = read_msr(MSR_FS_BASE);
        a->gs_base = read_msr(MSR_KERNEL_GS_BASE);
    }
}

static void load_bases(const struct arch_thread *a)
{
    if (x86_features.fsgsbase) {
        __asm__ volatile("wrfsbase %0\n\tswapgs\n\twrgsbase %1\n\tswapgs" ::"r"(a->fs_base),
                         "r"(a->gs_base));
    } else {
        write_msr(MSR_FS_BASE, a->fs_base);
        write_msr(MSR_KERNEL_GS_BASE, a->gs_base);
    }
}

static inline void save(struct arch_thread *a)
{
    save_extended(a->extended);
    save_bases(a);
}

void x86_save_running(void)
{
    save(&x86_cpu()->running->arch);
}

static void set_time_open(bool open)
{
    uint64_t cr4 = read_cr4();
    write_cr4(open ? cr4 & ~CR4_TSD : cr4 | CR4_TSD);
    x86_cpu()->time_open = open;
}

/* Another thread than the loaded one runs next: entry.S resumes it. */
void x86_switch(struct thread *t)
{
    struct arch_cpu *c = x86_cpu();
    if (c->running != NULL) {
        save(&c->running->arch);
    }
    c->running = t;
    c->frame_top = (uint64_t)&t->arch.frame.r11;
    x86_set_trap_stack((uint64_t)(&t->arch.frame + 1));
    if (c->space != &t->process->space->arch) {
        x86_load_space(&t->process->space->arch);
        /* What a program left in these selectors is not for the next one to see. */
        __asm__ volatile("movl %0, %%ds\n\tmovl %0, %%es\n\tmovl %0, %%fs" ::"r"(0));
    }
    if (c->time_open != t->process->arch.time_open) {
        set_time_open(t->process->arch.time_open);
    }
    load_extended(t->arch.extended);
    load_bases(&t->arch);
}

void arch_time_open(struct process *p)
{
    p->arch.time_open = true;
    struct thread *running = x86_cpu()->running;
    if (running != NULL && running->process == p && !x86_cpu()->time_open) {
        set_time_open(true);
    }
}

static void start_extended(void *area)
{
    memset(area, 0, x86_features.extended_size);
    ((uint32_t *)area)[MXCSR_OFFSET / sizeof(uint32_t)] = MXCSR_START;
    if (!x86_features.xsave) {
        *(uint16_t *)area = FCW_START;
    }
}

status_t arch_thread_init(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    KASSERT(((uint64_t)&a->frame & 15) == 0);
    size_t size = x86_features.extended_size + EXTENDED_ALIGN;
    status_t s = kmem_alloc(t->account, size, &a->extended_memory);
    if (s != STATUS_OK) {
        a->extended_memory = NULL;
        return s;
    }
    a->extended = (void *)ALIGN_UP((uint64_t)a->extended_memory, EXTENDED_ALIGN);
    start_extended(a->extended);
    return STATUS_OK;
}

void arch_thread_destroy(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    KASSERT(!loaded(t));
    if (a->extended_memory != NULL) {
        kmem_free(t->account, a->extended_memory, x86_features.extended_size + EXTENDED_ALIGN);
        a->extended = a->extended_memory = NULL;
    }
}

void arch_thread_forget(struct thread *t)
{
    if (loaded(t)) {
        x86_cpu()->running = NULL;
    }
}

void arch_thread_start(struct thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint64_t ring, uint64_t extra, uint64_t fs_base)
{
    struct user_registers r = {
        .rip = entry, .rsp = stack, .rdi = argument, .rsi = ring, .rdx = extra, .fs_base = fs_base};
    arch_thread_set_registers(t, &r);
    start_extended(t->arch.extended);
    if (loaded(t)) {
        load_extended(t->arch.extended);
    }
}

void arch_thread_fork(struct thread *child, struct thread *parent)
{
    if (loaded(parent)) {
        x86_save_running();
    }
    struct arch_thread *c = &child->arch;
    c->frame = parent->arch.frame;
    c->fs_base = parent->arch.fs_base;
    c->gs_base = parent->arch.gs_base;
    memcpy(c->extended, parent->arch.extended, x86_features.extended_size);
}

void arch_thread_registers(struct thread *t, struct user_registers *out)
{
    if (loaded(t)) {
        save_bases(&t->arch);
    }
    const struct arch_frame *f = &t->arch.frame;
    bool by_syscall = f->vector == FRAME_BY_SYSCALL; /* which has put rip and rflags there */
    *out = (struct user_registers){
        .rax = f->rax, .rbx = f->rbx, .rcx = by_syscall ? f->rip : f->rcx, .rdx = f->rdx,
        .rsi = f->rsi, .rdi = f->rdi, .rbp = f->rbp, .rsp = f->rsp, .r8 = f->r8, .r9 = f->r9,
        .r10 = f->r10, .r11 = by_syscall ? f->rflags : f->r11, .r12 = f->r12, .r13 = f->r13,
        .r14 = f->r14, .r15 = f->r15, .rip = f->rip, .rflags = f->rflags,
        .fs_base = t->arch.fs_base, .gs_base = t->arch.gs_base,
    };
}

/* iretq must not fault in the kernel: segments are ours, and an address that is no user's
 * becomes one that is never mapped. */
void arch_thread_set_registers(struct thread *t, const struct user_registers *in)
{
    t->arch.frame = (struct arch_frame){
        .rax = in->rax, .rbx = in->rbx, .rcx = in->rcx, .rdx = in->rdx, .rsi = in->rsi,
        .rdi = in->rdi, .rbp = in->rbp, .rsp = in->rsp, .r8 = in->r8, .r9 = in->r9,
        .r10 = in->r10, .r11 = in->r11, .r12 = in->r12, .r13 = in->r13, .r14 = in->r14,
        .r15 = in->r15, .rip = in->rip < USER_END ? in->rip : USER_END,
        .rflags = (in->rflags & FLAGS_USER) | FLAG_IF | FLAG_RESERVED,
        .cs = SEGMENT_USER_CODE, .ss = SEGMENT_USER_DATA,
    };
    arch_thread_set_bases(t, in->fs_base, in->gs_base);
}

void arch_thread_set_bases(struct thread *t, uint64_t fs, uint64_t gs)
{
    t->arch.fs_base = fs < USER_END ? fs : 0;
    t->arch.gs_base = gs < USER_END ? gs : 0;
    if (loaded(t)) {
        load_bases(&t->arch);
    }
}

uint32_t arch_extended_size(void)
{
    return x86_features.extended_size;
}

void arch_thread_extended(struct thread *t, void *out)
{
    if (loaded(t)) {
        save_extended(t->arch.extended);
    }
    memcpy(out, t->arch.extended, x86_features.extended_size);
    if (!x86_features.xsave) {
        uint64_t header = 3; /* x87 and SSE are there */
        memcpy((char *)out + XSAVE_HEADER, &header, sizeof(header));
    }
}
