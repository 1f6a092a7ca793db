/* A program that tries to get out of its confinement on the linux machine: every number of a Linux
 * system call by every instruction that enters Linux, jumps to each byte of each helper page with
 * registers that would do harm if anybody trusted them, and forged frames of signals. argv[1] is a
 * file of the host that must not come to be, argv[2] a step for the jumps, argv[3] "open" if the
 * host leaves the time-stamp counter open. Prints what is wrong, then `all ok`. See hostile.test,
 * which also looks from outside. */
#include <capos.h>
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"

#define HELPERS USER_END /* as kernel/arch/linux/layout.h has them */
#define COMMANDS (HELPERS + 0x2000)
#define AREAS (HELPERS + 0x10000)
#define STATE_WORD 0
#define PAGE 4096
#define NR_CREAT 85
#define NR_FORK 57
#define NR_KILL 62
#define NR_URETPROBE 335
#define NR_UPROBE 336
#define CHILD_MAX_NS 5000000 /* for a child that hangs; it is ended then */

extern uint64_t capos_gate;

static volatile uint64_t cause, recover, recover_sp;
static uint64_t upcalls;
static int wrong;
static bool has_fsgsbase;
static cap_t spawner;
static const char *canary;
static _Alignas(4096) uint8_t evil[4 * PAGE];

static void on_upcall(void *context, struct upcall_frame *frame)
{
    (void)context;
    upcalls++;
    cause = frame->cause;
    frame->registers.rip = recover;
    frame->registers.rsp = recover_sp;
    frame->registers.rflags = 0x202;
}

/* Runs the instruction with these registers and answers the cause of the upcall; 0: none. */
#define ENTER(instruction, number, a, b, c)                                                      \
    ({                                                                                           \
        cause = 0;                                                                               \
        register uint64_t r10 __asm__("r10") = 0;                                                \
        uint64_t rax_ = (uint64_t)(number), rdi_ = (uint64_t)(a), rsi_ = (uint64_t)(b);          \
        uint64_t rdx_ = (uint64_t)(c);                                                           \
        __asm__ volatile("leaq 77f(%%rip), %%r9\n\tmovq %%r9, recover(%%rip)\n\t"                \
                         "pushq %%rbp\n\tpushq %%rbx\n\tmovq %%rsp, recover_sp(%%rip)\n\t"       \
                         "movq %%rsp, %%rbp\n\t" instruction "\n77:\tpopq %%rbx\n\tpopq %%rbp"   \
                         : "+a"(rax_), "+D"(rdi_), "+S"(rsi_), "+d"(rdx_), "+r"(r10)             \
                         :                                                                       \
                         : "rcx", "r8", "r9", "r11", "r12", "r13", "r14", "r15", "memory",       \
                           "cc");                                                                \
        cause;                                                                                   \
    })

static void expect(const char *what, uint64_t n, uint64_t got, uint64_t wanted)
{
    if (got != wanted && wrong++ < 20) {
        printf("%s %llx: %llx, not %llx\n", what, (unsigned long long)n, (unsigned long long)got,
               (unsigned long long)wanted);
    }
}

/* The arguments make a file of some of them, and a signal to everybody of others. */
static void every_number(void)
{
    for (uint64_t n = 0; n < 1024; n++) {
        if (n == NR_URETPROBE || n == NR_UPROBE) {
            continue; /* hostile.test says why */
        }
        const uint64_t forms[] = {n, n | 0x40000000, n | 0xffffffff00000000, -n - 1, n << 32 | n};
        for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
            expect("syscall", forms[i], ENTER("syscall", forms[i], canary, 0777, 0777),
                   UPCALL_FOREIGN_SYSCALL);
        }
        expect("syscall", n, ENTER("syscall", n, -1, 9, 0), UPCALL_FOREIGN_SYSCALL);
        expect("int 0x80", n, ENTER("int $0x80", n, 0, 0, 0), UPCALL_PROTECTION);
        uint64_t answer = ENTER("sysenter", n, 0, 0, 0);
        bool good = answer == UPCALL_ILLEGAL_INSTRUCTION || answer == UPCALL_PROTECTION;
        expect("sysenter", n, good, true);
    }
}

/* Time, from the page that Linux has at a fixed address, and from the processor. */
static void times(bool open)
{
    static const uint64_t entries[] = {0xffffffffff600000, 0xffffffffff600400, 0xffffffffff600800};
    for (size_t i = 0; i < 3; i++) {
        expect("vsyscall", entries[i], ENTER("call *%%rax", entries[i], 0, 0, 0) != 0, true);
    }
    expect("rdtsc", 0, ENTER("rdtsc", 0, 0, 0, 0), open ? 0 : UPCALL_PROTECTION);
}

/* Runs the function in a child. False: it had to be ended. */
static bool in_child(void (*function)(uint64_t, uint64_t), uint64_t a, uint64_t b)
{
    bool is_child;
    cap_t handle;
    if (capos_fork(spawner, &is_child, &handle) != STATUS_OK) {
        expect("fork", a, 1, 0);
        return false;
    }
    if (is_child) {
        function(a, b);
        exit(0);
    }
    static struct capos_call call;
    static _Alignas(8) uint8_t request[64], reply[4096];
    capos_call_init(&call, request, sizeof request, reply, sizeof reply);
    expect("submit", a, capos_process_handle_wait_submit(&call, handle), STATUS_OK);
    status_t status = capos_wait_any(CHILD_MAX_NS);
    bool ended = status != STATUS_TIMED_OUT;
    if (!ended) {
        expect("terminate", a, capos_process_handle_terminate(handle), STATUS_OK);
    }
    struct capos_process_handle_wait_results wait_results;
    expect("wait", a, capos_process_handle_wait_await(&call, &wait_results), STATUS_OK);
    capos_release(handle);
    return ended;
}

/* What the registers hold when a helper page is jumped to: commands for a manager that would make a
 * file, as if they were its own; states of threads; a stack. */
static void fill_evil(void)
{
    const uint64_t command[8] = {NR_CREAT, (uintptr_t)canary, 0777, 0, 0, 0, 0, 0};
    memset(evil, 0, sizeof evil);
    for (size_t at = 0; at < sizeof evil; at += sizeof command) {
        memcpy(evil + at, command, sizeof command);
    }
    const uint32_t head[] = {7, 1, 1, 0}; /* another sequence, one command */
    memcpy(evil, head, sizeof head);
}

static void jump(uint64_t address, uint64_t variant)
{
    uint64_t state = variant == 0 ? (uint64_t)(uintptr_t)evil : AREAS + 0x1000;
    uint64_t number = variant == 0 ? NR_CREAT : variant == 1 ? NR_FORK : NR_KILL;
    if (has_fsgsbase) {
        __asm__ volatile("wrgsbase %0" ::"r"(state));
    }
    __asm__ volatile("movq %1, %%r15\n\tleaq 64(%%r15), %%r12\n\tmovl $1, %%r13d\n\t"
                     "movl $1, %%r14d\n\tmovq %2, %%rbx\n\tmovq %2, %%rcx\n\t"
                     "leaq 8192(%%r15), %%rsp\n\tjmpq *%0"
                     :
                     : "r"(address), "r"(evil), "r"(state), "a"(number), "D"(canary), "S"(9), "d"(0)
                     : "rbx", "rcx", "r12", "r13", "r14", "r15", "memory");
    __builtin_unreachable();
}

/* step: only each so-manieth byte */
static void jumps(uint64_t step)
{
    for (uint64_t at = 0; at < PAGE; at += step) {
        (void)in_child(jump, HELPERS + at, at % 3);
    }
    for (uint64_t at = 0; at < PAGE; at += 512) { /* pages that are not for running */
        (void)in_child(jump, COMMANDS + at, 0);
        (void)in_child(jump, AREAS + at, 1);
        (void)in_child(jump, AREAS + PAGE + at, 2);
    }
}

/* Words at which a ucontext has what is forged: Linux's struct rt_sigframe, without its first. */
enum { FRAME_MASK = 37, FRAME_RSP = 20, FRAME_RIP = 21, FRAME_FLAGS = 22, FRAME_SEGMENTS = 23 };

static volatile uint64_t arrived;

static void arrive(void)
{
    arrived = 1;
    exit(0);
}

/* rt_sigreturn from the middle of the stub's page, where it is allowed. */
static void forge(uint64_t restorer, uint64_t variant)
{
    static uint64_t frame[64];
    frame[FRAME_RIP] = variant == 3 ? 0x8000000000000000 : (uintptr_t)arrive;
    frame[FRAME_RSP] = (uintptr_t)(evil + 2 * PAGE);
    frame[FRAME_FLAGS] = variant == 4 ? ~0ull : 0x202;
    frame[FRAME_SEGMENTS] = variant == 1   ? 0x002b000000000023
                            : variant == 2 ? 0xffffffffffffffff
                                           : 0x002b000000000033;
    frame[FRAME_MASK] = variant == 5 ? ~0ull : 0;
    __asm__ volatile("movq %0, %%rsp\n\tmovl $15, %%eax\n\tjmpq *%1" ::"r"(frame), "r"(restorer));
}

/* `mov $15, %eax; syscall` in the stub. */
static uint64_t find_restorer(void)
{
    static const uint8_t code[] = {0xb8, 15, 0, 0, 0, 0x0f, 0x05};
    const uint8_t *page = (const uint8_t *)(uintptr_t)HELPERS;
    for (size_t i = 0; i + sizeof code < PAGE; i++) {
        if (memcmp(page + i, code, sizeof code) == 0) {
            return HELPERS + i;
        }
    }
    expect("the restorer is there", 0, 0, 1);
    return HELPERS;
}

/* All signals blocked, an endless loop: the kernel must end it. */
static void deaf(uint64_t restorer, uint64_t variant)
{
    (void)variant;
    static uint64_t frame[64];
    static const uint8_t loop[] = {0xeb, 0xfe};
    (void)loop;
    frame[FRAME_RIP] = (uintptr_t)&&forever;
    frame[FRAME_RSP] = (uintptr_t)(evil + 2 * PAGE);
    frame[FRAME_FLAGS] = 0x202;
    frame[FRAME_SEGMENTS] = 0x002b000000000033;
    frame[FRAME_MASK] = ~0ull;
    __asm__ volatile goto("movq %0, %%rsp\n\tmovl $15, %%eax\n\tjmpq *%1"
                          :
                          : "r"(frame), "r"(restorer)
                          :
                          : forever);
forever:
    for (;;) {
    }
}

/* Writes all over its own state while it enters the kernel. */
static void scribble(uint64_t value, uint64_t step)
{
    for (uint64_t i = 0; i < 2000; i++) {
        for (uint64_t area = 0; area < 4; area++) {
            volatile uint32_t *state = (uint32_t *)(uintptr_t)(AREAS + area * 0x8000 + PAGE);
            cause = 0;
            state[i % 26] = (uint32_t)(value + i * step);
        }
    }
}

int main(int argc, char **argv)
{
    static _Alignas(16) char stack[64 * 1024];
    canary = argc > 1 ? argv[1] : "canary";
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    (void)capos_need("timer", TIMER_INTERFACE_ID);
    if (capos_upcall_set(on_upcall, NULL, stack, sizeof stack) != STATUS_OK) {
        return 1;
    }
    fill_evil();
    every_number();
    times(argc > 3 && strcmp(argv[3], "open") == 0);
    printf("numbers tried: %llu upcalls\n", (unsigned long long)upcalls);
    if (capos_upcall_set(NULL, NULL, NULL, 0) != STATUS_OK) {
        return 1;
    }
    unsigned a, b, c, d;
    has_fsgsbase = __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_FSGSBASE) != 0;
    uint64_t restorer = find_restorer();
    for (uint64_t variant = 0; variant < 6; variant++) {
        (void)in_child(forge, restorer, variant);
    }
    (void)in_child(deaf, restorer, 0);
    puts("frames forged");
    for (uint64_t value = 0; value < 8; value++) {
        (void)in_child(scribble, 1ull << (value * 4), value);
    }
    puts("states scribbled over");
    jumps(argc > 2 ? (uint64_t)atoi(argv[2]) : 1);
    puts("jumped into the helper pages");
    puts(wrong == 0 ? "all ok" : "not ok");
    return wrong != 0;
}
