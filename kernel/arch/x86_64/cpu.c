/* One processor: what it can do, its descriptor tables, its control registers.
 *
 * Features are detected once, on the first CPU; all CPUs are taken to be alike. x86_cpu_start()
 * runs on the CPU that it sets up; after it traps work. Nothing here takes a lock. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/sched.h"

#define TRAP_STACK_SIZE 8192  /* NMI, double fault, machine check: prints a panic */
#define DEBUG_STACK_SIZE 1024 /* copies its frame away */

struct tss {
    uint32_t reserved;
    uint64_t rsp[3];
    uint64_t reserved2;
    uint64_t ist[7];
    uint64_t reserved3;
    uint16_t reserved4, io_map;
} __attribute__((packed));

struct gate {
    uint16_t offset_low, segment;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

/* Where a trap on a stack of its own finds the CPU: entry.S. */
struct stack_end {
    struct arch_cpu *cpu;
    uint64_t alignment;
};

struct x86_tables {
    uint64_t gdt[7];
    struct tss tss;
    _Alignas(16) uint8_t trap_stack[TRAP_STACK_SIZE];
    struct stack_end trap_end;
    _Alignas(16) uint8_t debug_stack[DEBUG_STACK_SIZE];
    struct stack_end debug_end;
};

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

#define CPU_AT(field, offset) (offsetof(struct arch_cpu, field) == (offset))
#define FRAME_AT(field, offset) (offsetof(struct arch_frame, field) == (offset))
_Static_assert(CPU_AT(user_rsp, CPU_USER_RSP) && CPU_AT(frame_top, CPU_FRAME_TOP)
                   && CPU_AT(stack, CPU_STACK) && CPU_AT(running, CPU_RUNNING),
               "offsets.h");
_Static_assert(FRAME_AT(r10, FRAME_R10) && FRAME_AT(r9, FRAME_R9) && FRAME_AT(r8, FRAME_R8)
                   && FRAME_AT(rdi, FRAME_RDI) && FRAME_AT(rsi, FRAME_RSI)
                   && FRAME_AT(rdx, FRAME_RDX) && FRAME_AT(rax, FRAME_RAX)
                   && FRAME_AT(r11, FRAME_R11) && FRAME_AT(vector, FRAME_VECTOR)
                   && FRAME_AT(rip, FRAME_RIP) && FRAME_AT(cs, FRAME_CS)
                   && FRAME_AT(rflags, FRAME_RFLAGS) && FRAME_AT(rsp, FRAME_RSP),
               "offsets.h");
_Static_assert(sizeof(struct arch_frame) == FRAME_SIZE && FRAME_SIZE % 16 == 0, "offsets.h");
_Static_assert(offsetof(struct arch_thread, frame) == 0, "a thread begins with its frame");
_Static_assert(offsetof(struct cpu, arch) == 0, "GS finds both");
_Static_assert(COPY_END == USER_END, "offsets.h");
_Static_assert(VECTOR_COUNT == VECTOR_SPURIOUS + 1, "a stub for each vector");

struct x86_features x86_features;

static struct x86_tables first_tables;
static struct gate idt[VECTOR_COUNT]; /* shared: the stacks differ by the TSS */
extern char x86_first_stack_top[];

/* Boot, first CPU, while the text can still be written: takes stac and clac out where they are
 * illegal. */
static void patch_smap_sites(void)
{
    for (const uint32_t *site = x86_smap_sites; site < x86_smap_sites_end; site++) {
        memcpy((void *)(KERNEL_BASE + *site), "\x0f\x1f\x00", 3); /* nopl (%rax) */
    }
}

void x86_detect_features(void)
{
    struct x86_features *f = &x86_features;
    uint32_t leaves = cpuid(0, 0).a;
    struct cpuid one = cpuid(1, 0);
    f->xsave = one.c >> 26 & 1;
    f->rdrand = one.c >> 30 & 1;
    f->x2apic = one.c >> 21 & 1;
    f->tsc_deadline = one.c >> 24 & 1;
    f->hypervisor = one.c >> 31 & 1;
    if (leaves >= 7) {
        struct cpuid seven = cpuid(7, 0);
        f->fsgsbase = seven.b & 1;
        f->smep = seven.b >> 7 & 1;
        f->rdseed = seven.b >> 18 & 1;
        f->smap = seven.b >> 20 & 1;
        f->umip = seven.c >> 2 & 1;
    }
    f->huge_pages = cpuid(0x80000001, 0).d >> 26 & 1;
    f->extended_size = 512 + 64; /* FXSAVE's, with an XSAVE header */
    if (f->xsave) {
        uint64_t wanted = cpuid(0xd, 0).a & 0xe7; /* x87, SSE, AVX and the three of AVX-512 */
        if ((wanted & 0xe0) != 0xe0 || !(wanted & 4)) {
            wanted &= 7;
        }
        f->xcr0 = wanted;
        f->xsaveopt = cpuid(0xd, 1).a & 1;
    }
    if (!f->smap) {
        patch_smap_sites();
    }
}

static void set_control_registers(void)
{
    const struct x86_features *f = &x86_features;
    uint64_t cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_TSD;
    cr4 |= f->umip ? CR4_UMIP : 0;
    cr4 |= f->fsgsbase ? CR4_FSGSBASE : 0;
    cr4 |= f->xsave ? CR4_OSXSAVE : 0;
    cr4 |= f->smep ? CR4_SMEP : 0;
    cr4 |= f->smap ? CR4_SMAP : 0;
    write_cr4(cr4);
    if (f->xsave) {
        __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)f->xcr0), "d"((uint32_t)(f->xcr0 >> 32)));
        x86_features.extended_size = cpuid(0xd, 0).b;
    }
    write_msr(MSR_STAR,
              (SEGMENT_USER_DATA - 8ull) << 48 | (uint64_t)SEGMENT_KERNEL_CODE << 32);
    write_msr(MSR_LSTAR, (uint64_t)x86_syscall_entry);
    write_msr(MSR_FMASK, FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_AC);
}

static void set_gates(void)
{
    for (uint32_t v = 0; v < VECTOR_COUNT; v++) {
        uint64_t stub = (uint64_t)x86_trap_stubs[v];
        bool own_stack = v == VECTOR_NMI || v == VECTOR_DOUBLE_FAULT || v == VECTOR_MACHINE_CHECK;
        idt[v] = (struct gate){
            .offset_low = (uint16_t)stub, .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32), .segment = SEGMENT_KERNEL_CODE,
            .ist = own_stack ? 1 : v == VECTOR_DEBUG ? 2 : 0,
            .type = v == VECTOR_BREAKPOINT ? 0xee : 0x8e, /* int3 is for users too */
        };
    }
}

static void set_segments(struct x86_tables *t)
{
    uint64_t tss = (uint64_t)&t->tss;
    t->gdt[0] = 0;
    t->gdt[SEGMENT_KERNEL_CODE / 8] = 0x00af9b000000ffff;
    t->gdt[SEGMENT_KERNEL_DATA / 8] = 0x00cf93000000ffff;
    t->gdt[SEGMENT_USER_DATA / 8] = 0x00cff3000000ffff;
    t->gdt[SEGMENT_USER_CODE / 8] = 0x00affb000000ffff;
    t->gdt[SEGMENT_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 |
                              (tss >> 24 & 0xff) << 56;
    t->gdt[SEGMENT_TSS / 8 + 1] = tss >> 32;
}

static void load_tables(const struct x86_tables *t)
{
    struct table_pointer gdt = {sizeof(t->gdt) - 1, (uint64_t)t->gdt};
    struct table_pointer idt_pointer = {sizeof(idt) - 1, (uint64_t)idt};
    __asm__ volatile("lgdt %0\n\t"
                     "lidt %1\n\t"
                     "ltr %w2\n\t"
                     "movl %3, %%ss\n\t"
                     "movl %4, %%ds\n\t"
                     "movl %4, %%es\n\t"
                     "lldt %w4" ::"m"(gdt),
                     "m"(idt_pointer), "r"(SEGMENT_TSS), "r"(SEGMENT_KERNEL_DATA), "r"(0)
                     : "memory");
}

void x86_cpu_start(struct cpu *c, uint32_t number, uint32_t apic_id)
{
    struct x86_tables *t = &first_tables;
    KASSERT(number == 0); /* the others bring their tables when they are started */
    struct arch_cpu *a = &c->arch;
    *a = (struct arch_cpu){.self = a, .stack = (uint64_t)x86_first_stack_top, .tables = t,
                           .deadline_ns = UINT64_MAX, .apic_id = apic_id};
    write_msr(MSR_GS_BASE, (uint64_t)a);
    write_msr(MSR_KERNEL_GS_BASE, 0);
    set_segments(t);
    t->tss.io_map = sizeof(struct tss);
    t->trap_end.cpu = t->debug_end.cpu = a;
    t->tss.ist[0] = (uint64_t)&t->trap_end;
    t->tss.ist[1] = (uint64_t)&t->debug_end;
    set_gates();
    load_tables(t);
    set_control_registers();
}

void x86_set_trap_stack(uint64_t top)
{
    x86_cpu()->tables->tss.rsp[0] = top;
}
