/* The processor, in C: registers, instructions, constants of the architecture, and what the
 * files of this folder share. Numbers and names are those of the Intel SDM. */
#pragma once

#include "kernel/arch/arch.h"
#include "kernel/arch/x86_64/offsets.h"
#include "kernel/core/types.h"

#include <string.h>

#define KERNEL_BASE 0xffffffff80000000ull /* physical address 0 of the image's mapping: link.ld */
#define MMIO_BASE 0xffffffffc0000000ull   /* device registers: paging.c */

/* Segments, in the order that syscall and sysret want. */
#define SEGMENT_KERNEL_CODE 0x08
#define SEGMENT_KERNEL_DATA 0x10
#define SEGMENT_USER_DATA 0x1b
#define SEGMENT_USER_CODE 0x23
#define SEGMENT_TSS 0x28

enum vector {
    VECTOR_DEBUG = 1, VECTOR_NMI = 2, VECTOR_BREAKPOINT = 3, VECTOR_ILLEGAL = 6,
    VECTOR_DOUBLE_FAULT = 8, VECTOR_PROTECTION = 13, VECTOR_PAGE_FAULT = 14,
    VECTOR_FLOATING_POINT = 16, VECTOR_MACHINE_CHECK = 18, VECTOR_SIMD = 19,
    VECTOR_EXCEPTIONS = 32, /* so many are the processor's own */
    VECTOR_TIMER = 32, VECTOR_LINK, VECTOR_POKE, VECTOR_SHOOTDOWN, VECTOR_SPURIOUS,
};

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define CR4_TSD (1ull << 2)
#define CR4_PGE (1ull << 7)
#define CR4_OSFXSR (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP (1ull << 11)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_OSXSAVE (1ull << 18)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

#define FLAG_RESERVED 0x2ull
#define FLAG_TF 0x100ull
#define FLAG_IF 0x200ull
#define FLAG_DF 0x400ull
#define FLAG_IOPL 0x3000ull
#define FLAG_NT 0x4000ull
#define FLAG_AC 0x40000ull
#define FLAGS_USER 0x240dd5ull /* what a program may set: CF PF AF ZF SF TF DF OF AC ID */

/* What the processor has. Set once at boot, the same for all CPUs. */
struct x86_features {
    bool xsave, xsaveopt, fsgsbase, smep, smap, umip, rdrand, rdseed, huge_pages;
    bool x2apic, tsc_deadline, hypervisor;
    uint64_t xcr0;          /* components that threads keep */
    uint32_t extended_size; /* of the standard format with them */
};
extern struct x86_features x86_features;

struct cpuid {
    uint32_t a, b, c, d;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

static inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* in8(), out8() and so on. */
#define PORT(bits, suffix)                                                                         \
    static inline uint##bits##_t in##bits(uint16_t port)                                           \
    {                                                                                              \
        uint##bits##_t v;                                                                          \
        __asm__ volatile("in" suffix " %1, %0" : "=a"(v) : "Nd"(port));                            \
        return v;                                                                                  \
    }                                                                                              \
    static inline void out##bits(uint16_t port, uint##bits##_t v)                                  \
    {                                                                                              \
        __asm__ volatile("out" suffix " %0, %1" ::"a"(v), "Nd"(port));                             \
    }
PORT(8, "b")
PORT(16, "w")
PORT(32, "l")

/* read_cr2(), write_cr2() and so on. */
#define CONTROL_REGISTER(name)                                                                     \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t v;                                                                                \
        __asm__ volatile("movq %%" #name ", %0" : "=r"(v));                                        \
        return v;                                                                                  \
    }                                                                                              \
    static inline void write_##name(uint64_t v)                                                    \
    {                                                                                              \
        __asm__ volatile("movq %0, %%" #name ::"r"(v) : "memory");                                 \
    }
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)

static inline void invalidate_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

/* This CPU's part of struct cpu. */
static inline struct arch_cpu *x86_cpu(void)
{
    struct arch_cpu *c;
    __asm__("movq %%gs:0, %0" : "=r"(c));
    return c;
}

static inline void *x86_physical(uint64_t address)
{
    return (void *)(X86_DIRECT_MAP + address);
}

static inline uint64_t x86_physical_of_image(const void *in_image)
{
    return (uint64_t)in_image - KERNEL_BASE;
}

/* entry.S */
extern const char x86_copy_begin[], x86_copy_end[], x86_copy_fail[];
extern const uint32_t x86_smap_sites[], x86_smap_sites_end[]; /* stac, clac: less KERNEL_BASE */
extern const char x86_trap_stubs[VECTOR_COUNT][TRAP_STUB_SIZE]; /* code */
void x86_syscall_entry(void);
extern uint32_t kernel_lock;
_Noreturn void x86_leave_boot(void); /* lock held: runs whoever is next */

/* cpu.c: descriptor tables and features. */
void x86_detect_features(void);
void x86_cpu_start(struct cpu *c, uint32_t number, uint32_t apic_id);
void x86_set_trap_stack(uint64_t top); /* where the processor pushes when it leaves user mode */

/* paging.c */
void x86_paging_start(void);
void x86_paging_extend(uint64_t memory_end, uint64_t (*take_page)(void));
volatile void *x86_map_device(uint64_t physical, uint64_t size); /* uncached */
void x86_load_space(struct arch_address_space *as);              /* NULL: the kernel's own tables */

/* thread.c */
void x86_save_running(void); /* the loaded registers, into the thread, which stays loaded */

/* apic.c */
void x86_apic_start(void);
void x86_apic_route(uint32_t input, enum vector vector); /* level-triggered, active high */
void x86_apic_end(void);
uint64_t x86_apic_message_address(void);
void x86_apic_timer_set(uint32_t count);
uint32_t x86_apic_timer_count(void);
void x86_apic_timer_start(bool tsc_deadline);
void x86_apic_send(uint32_t apic_id, enum vector vector);

/* clock.c */
void x86_clock_start(void);
void x86_clock_settle(void); /* ends the calibration, if it still runs */

/* shootdown.c */
void x86_shootdown_serve(void);

/* boot.c: the kernel command line has test=panic: panics at the first Timer.page. */
extern bool x86_test_panic;

/* serial.c */
void x86_serial_start(void);
_Noreturn void x86_machine_end(uint8_t value);

/* panic.c */
_Noreturn void x86_trap_panic(const struct arch_frame *f);

/* link: virtio_console.c and its transports */
void x86_link_start(void);
void x86_link_interrupt(void);
