/* What a program may do to the processor, and what it may not: each privileged or broken
 * instruction comes back as an upcall with its cause and leaves the kernel as it was; flags,
 * segment bases and vector registers are the thread's own across the kernel and other threads.
 * Prints what is wrong, then `all ok` if nothing is. Run by processor.test. */
#include <capos.h>
#include <cpuid.h>
#include <stdio.h>
#include <string.h>

static volatile uint64_t cause, address, access_kind, recover;
static int wrong;
static bool bare; /* no other kernel is below ours (argv[1] is "bare") */

static void on_upcall(void *context, struct upcall_frame *frame)
{
    (void)context;
    if (recover == 0) { /* not asked for: the end, and the report says where */
        printf("upcall %u at %llx, address %llx\n", (unsigned)frame->cause,
               (unsigned long long)frame->registers.rip, (unsigned long long)frame->address);
        fflush(stdout);
        capos_panic("an upcall that nobody asked for");
    }
    cause = frame->cause;
    address = frame->address;
    access_kind = frame->access;
    frame->registers.rip = recover;
    frame->registers.rflags &= ~0x44500ull; /* AC, NT, DF, TF */
}

static void expect(const char *what, uint64_t got, uint64_t wanted)
{
    if (got != wanted) {
        printf("%s: %llx, not %llx\n", what, (unsigned long long)got, (unsigned long long)wanted);
        wrong++;
    }
}

/* Runs the instructions and answers the cause of the upcall that they made; 0: none. */
#define TRY(code)                                                                                  \
    ({                                                                                             \
        cause = 0;                                                                                 \
        address = 0;                                                                               \
        __asm__ volatile("leaq 77f(%%rip), %%rax\n\tmovq %%rax, %0\n\t" code "\n77:"               \
                         : "=m"(recover)                                                           \
                         :                                                                         \
                         : "rax", "rcx", "rdx", "r8", "r11", "memory", "cc");                      \
        recover = 0;                                                                               \
        cause;                                                                                     \
    })

#define REFUSED(code) expect(code, TRY(code), UPCALL_PROTECTION)
#define ILLEGAL(code) expect(code, TRY(code), UPCALL_ILLEGAL_INSTRUCTION)
#define ALLOWED(code) expect(code, TRY(code), 0)

/* These tell where the kernel's tables are, unless the processor is told not to (UMIP). On the
 * linux machine that is the host's affair. */
static void tables(void)
{
    REFUSED("sgdt -64(%%rsp)");
    REFUSED("sidt -64(%%rsp)");
    REFUSED("sldt %%eax");
    REFUSED("smsw %%eax");
    REFUSED("str %%eax");
}

static void privileged(void)
{
    REFUSED("hlt");
    REFUSED("cli");
    REFUSED("sti");
    REFUSED("inb $0x80, %%al");
    REFUSED("outb %%al, $0xf4");
    REFUSED("movq %%cr0, %%rax");
    REFUSED("movq %%rax, %%cr3");
    REFUSED("movq %%rax, %%cr4");
    REFUSED("movq %%rax, %%dr7");
    REFUSED("xorl %%ecx, %%ecx\n\trdmsr");
    REFUSED("movl $0xc0000082, %%ecx\n\twrmsr");
    REFUSED("xorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\tmovl $1, %%eax\n\txsetbv");
    REFUSED("lgdt -64(%%rsp)");
    REFUSED("lidt (%%rax)");
    REFUSED("movl $0x28, %%eax\n\tltr %%ax");
    REFUSED("swapgs");
    REFUSED("sysretq");
    REFUSED("invlpg (%%rax)");
    REFUSED("clts");
    REFUSED("xorl %%ecx, %%ecx\n\trdpmc");
    REFUSED("int $0x80");
    REFUSED("int $14");
    REFUSED("int $32");
    REFUSED("movl $0x10, %%eax\n\tmovl %%eax, %%ds");
    REFUSED("movl $0x08, %%eax\n\tmovl %%eax, %%ss");
    REFUSED("movabsq $0x8000000000000000, %%rax\n\tmovb (%%rax), %%al");
    ILLEGAL("ud2");
    ILLEGAL("clac");
    expect("int3", TRY("int3"), UPCALL_BREAKPOINT);
    expect("division", TRY("xorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\tdivl %%ecx"), UPCALL_DIVIDE);
    expect("foreign", TRY("movl $39, %%eax\n\tsyscall"), UPCALL_FOREIGN_SYSCALL);
    expect("foreign x32", TRY("movl $0x40000027, %%eax\n\tsyscall"), UPCALL_FOREIGN_SYSCALL);
}

static void kernel_addresses(void)
{
    expect("read", TRY("movq $0xffffffff80100000, %%rax\n\tmovb (%%rax), %%al"), UPCALL_PAGE_FAULT);
    expect("read's address", address, 0xffffffff80100000ull);
    expect("write", TRY("movabsq $0xffff800000100000, %%rax\n\tmovb $1, (%%rax)"),
           UPCALL_PAGE_FAULT);
    expect("write's kind", access_kind, UPCALL_ACCESS_WRITE);
    expect("gate", TRY("movq capos_gate(%%rip), %%rax\n\tmovb $1, (%%rax)"), UPCALL_PAGE_FAULT);
    expect("gate's kind", access_kind, UPCALL_ACCESS_WRITE);
    expect("behind the gate", TRY("movq capos_gate(%%rip), %%rax\n\tmovb 4096(%%rax), %%al"),
           UPCALL_PAGE_FAULT);
    expect("before the gate", TRY("movq capos_gate(%%rip), %%rax\n\tmovb -4096(%%rax), %%al"),
           UPCALL_PAGE_FAULT);
    expect("devices", TRY("movq $0xffffffffc0000000, %%rax\n\tmovb (%%rax), %%al"),
           UPCALL_PAGE_FAULT);
    expect("jump", TRY("movq $0xffffffff80100000, %%rax\n\tjmp *%%rax"), UPCALL_PAGE_FAULT);
    expect("jump's kind", access_kind, UPCALL_ACCESS_EXECUTE);
    expect("end", TRY("movabsq $0x7ffffffff000, %%rax\n\tjmp *%%rax"), UPCALL_PAGE_FAULT);
}

/* cap_enter with flags that must not disturb the kernel, and are kept. */
static uint64_t flags_across(uint64_t set)
{
    uint64_t after;
    __asm__ volatile("pushfq\n\torq %1, (%%rsp)\n\tpopfq\n\t"
                     "movl $0x0ca90000, %%eax\n\txorl %%edi, %%edi\n\txorl %%esi, %%esi\n\t"
                     "movq $-1, %%rdx\n\tsyscall\n\t"
                     "pushfq\n\tpopq %0\n\t"
                     "pushq $2\n\tpopfq"
                     : "=&r"(after)
                     : "r"(set)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r11", "memory", "cc");
    return after & set;
}

static void flags(void)
{
    expect("AC", flags_across(0x40000), 0x40000);
    expect("DF", flags_across(0x400), 0x400);
    uint64_t nested = flags_across(0x4000); /* which some hosts forget */
    expect("NT", bare ? nested : 0x4000, 0x4000);
    expect("ID", flags_across(0x200000), 0x200000);
    expect("step", TRY("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop"), UPCALL_BREAKPOINT);
    expect("step over syscall",
           TRY("movl $0x0ca90000, %%eax\n\txorl %%edx, %%edx\n\t"
               "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tsyscall\n\tnop"),
           UPCALL_BREAKPOINT);
    expect("mov ss, step, syscall",
           TRY("movl $0x0ca90000, %%eax\n\tmovl %%ss, %%ecx\n\t"
               "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tmovl %%ecx, %%ss\n\tsyscall"),
           UPCALL_BREAKPOINT);
}

/* --- what threads have of their own --- */

static uint32_t turn, vectors_wrong;
static bool has_fsgsbase; /* and may be used: CPUID alone does not say what a host does with it */

struct vectors {
    uint8_t bytes[16][32];
    uint64_t gs; /* its own address, so that it can be read where it cannot be asked for */
};

static void set_gs(uint64_t gs)
{
    if (has_fsgsbase) {
        __asm__ volatile("wrgsbase %0" ::"r"(gs));
    } else {
        expect("setGsBase", capos_thread_control_set_gs_base(CAPOS_THREAD, gs), STATUS_OK);
    }
}

static uint64_t get_gs(void)
{
    uint64_t gs;
    if (has_fsgsbase) {
        __asm__ volatile("rdgsbase %0" : "=r"(gs));
    } else {
        __asm__ volatile("movq %%gs:0, %0" : "=r"(gs));
    }
    return gs;
}

static void load(const struct vectors *v)
{
    __asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm1\n\tvmovdqu 224(%0), %%ymm7\n\t"
                     "vmovdqu 480(%0), %%ymm15" ::"r"(v)
                     : "xmm0", "xmm1", "xmm7", "xmm15");
}

static void store(struct vectors *v)
{
    __asm__ volatile("vmovdqu %%ymm0, (%0)\n\tvmovdqu %%ymm1, 32(%0)\n\tvmovdqu %%ymm7, 224(%0)\n\t"
                     "vmovdqu %%ymm15, 480(%0)" ::"r"(v) : "memory");
}

/* Enters the kernel until the other thread has had its turn, without a C function in between. */
static void give_turn(uint32_t mine)
{
    uint32_t spins = 0;
    __atomic_store_n(&turn, 1 - mine, __ATOMIC_RELEASE);
    while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine && ++spins != 0) {
        __asm__ volatile("pause");
    }
}

static uint64_t keep_vectors(void *argument)
{
    uint32_t mine = (uint32_t)(uintptr_t)argument;
    struct vectors own, seen;
    memset(&own, 0x11 + 0x22 * (int)mine, sizeof own);
    memset(&seen, 0, sizeof seen);
    own.gs = (uintptr_t)&own.gs;
    for (int i = 0; i < 10; i++) {
        set_gs(own.gs);
        load(&own);
        give_turn(mine);
        store(&seen);
        seen.gs = get_gs();
        if (memcmp(seen.bytes[0], own.bytes[0], 64) != 0 ||
            memcmp(seen.bytes[7], own.bytes[7], 32) != 0 ||
            memcmp(seen.bytes[15], own.bytes[15], 32) != 0 || seen.gs != own.gs) {
            __atomic_fetch_add(&vectors_wrong, 1, __ATOMIC_RELAXED);
        }
    }
    __atomic_store_n(&turn, 1 - mine, __ATOMIC_RELEASE);
    return 0;
}

static void threads(void)
{
    struct capos_thread *other;
    unsigned a, b, c, d;
    has_fsgsbase = bare && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_FSGSBASE) != 0;
    turn = 0;
    if (capos_thread_spawn(keep_vectors, (void *)1, NULL, &other) != STATUS_OK) {
        expect("thread", 1, 0);
        return;
    }
    (void)keep_vectors((void *)0);
    turn = 1;
    expect("join", capos_thread_join(other, NULL), STATUS_OK);
    expect("vectors", vectors_wrong, 0);
}

/* open: this host leaves the time-stamp counter open, whatever it is asked for */
static void clock_opens(bool open)
{
    uint64_t now;
    cap_t timer = capos_need("timer", TIMER_INTERFACE_ID);
    if (open) {
        ALLOWED("rdtsc");
    } else {
        REFUSED("rdtsc");
    }
    expect("Timer.page", capos_clock(timer, &now), STATUS_OK);
    ALLOWED("rdtsc");
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[64 * 1024];
    if (capos_upcall_set(on_upcall, NULL, stack, sizeof stack) != STATUS_OK) {
        return 1;
    }
    bare = argc > 1 && strcmp(argv[1], "bare") == 0;
    clock_opens(argc > 1 && strcmp(argv[1], "open") == 0);
    if (bare) {
        tables();
    }
    privileged();
    kernel_addresses();
    flags();
    threads();
    puts(wrong == 0 ? "all ok" : "not ok");
    return wrong != 0;
}
