/* The zygote: a process forked before the kernel has mapped memory or has other files, from which
 * all others are cloned. It waits for the number of a page of commands, clones, and says the pid.
 *
 * Its children are the kernel's (CLONE_PARENT), so the kernel alone waits for them, and they end
 * with it: each sets its parent-death signal and then looks whether its parent is still there. A
 * child holds three descriptors (layout.h), no environment, no memory of the host but the image of
 * the kernel before it started, which it unmaps first of all. After the fork nothing here calls
 * anything but Linux. It runs on a stack in the image, because where Linux puts a process's own is
 * where the helper pages come. */
#include "kernel/arch/linux/linux.h"

#include <linux/close_range.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <asm/errno.h>
#include <asm/mman.h>
#include <asm/signal.h>

#define ZYGOTE_STACK 16384

static _Alignas(16) uint8_t zygote_stack[ZYGOTE_STACK];
static int control; /* the kernel's end */
static int32_t kernel_pid;

static _Noreturn void leave(void)
{
    for (;;) {
        LINUX_CALL(__NR_exit_group, 1);
    }
}

/* In a new process: what it needs, then the manager's loop, without a way back. */
static _Noreturn void become_manager(uint32_t commands_page)
{
    LINUX_CALL(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (LINUX_CALL(__NR_getppid) != kernel_pid) {
        leave();
    }
    if (linux_debugged) { /* whoever may debug the user's processes; an error: he may anyway */
        LINUX_CALL(__NR_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    }
    LINUX_CALL(__NR_close, ZYGOTE_CONTROL_FD);
    int64_t at = LINUX_CALL(__NR_mmap, HELPER_COMMANDS, PAGE_SIZE, PROT_READ,
                            MAP_SHARED | MAP_FIXED | MAP_POPULATE, MANAGER_HELPER_FD,
                            HELPER_FILE_COMMANDS + commands_page * PAGE_SIZE);
    if (at != HELPER_COMMANDS || linux_filter_manager() != 0) {
        leave();
    }
    __asm__ volatile("movq %0, %%r15\n\t"
                     "xorl %%r14d, %%r14d\n\t"
                     "jmpq *%1" ::"r"(HELPER_COMMANDS),
                     "a"(linux_stub_address(linux_stub_manager))
                     : "r14", "r15");
    __builtin_unreachable();
}

/* Blocked in all processes and threads until a thread's first registers are loaded, which are a
 * signal's frame with an empty mask. */
static void catch_signals(void)
{
    static const uint64_t every = ~0ull;
    if (LINUX_CALL(__NR_rt_sigprocmask, SIG_SETMASK, &every, 0, sizeof(every)) != 0) {
        leave();
    }
    static const uint8_t all[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGNAL_PREEMPT};
    struct {
        uint64_t handler, flags, restorer, mask;
    } action = {
        .handler = linux_stub_address(linux_stub_handler),
        .flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER,
        .restorer = linux_stub_address(linux_stub_restorer),
        .mask = ~0ull,
    };
    for (uint32_t i = 0; i < sizeof(all); i++) {
        if (LINUX_CALL(__NR_rt_sigaction, all[i], &action, 0, sizeof(uint64_t)) != 0) {
            leave();
        }
    }
}

/* Everything that Linux had put where the helper pages come: its stack, the vDSO, its data. */
static void clear_helper_pages(void)
{
    uint64_t size = PAGE_SIZE;
    if (LINUX_CALL(__NR_munmap, HELPER_BASE, HELPER_END - HELPER_BASE) != 0 ||
        LINUX_CALL(__NR_mmap, HELPER_STUB, size, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED,
                   MANAGER_HELPER_FD, 0) != HELPER_STUB) {
        leave();
    }
}

static _Noreturn void zygote(void)
{
    LINUX_CALL(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (LINUX_CALL(__NR_getppid) != kernel_pid) {
        leave();
    }
    catch_signals();
    clear_helper_pages();
    if (linux_filter_zygote() != 0) {
        leave();
    }
    for (;;) {
        uint32_t page;
        int64_t got = LINUX_CALL(__NR_read, ZYGOTE_CONTROL_FD, &page, sizeof(page));
        if (got != sizeof(page)) {
            leave();
        }
        int64_t pid = LINUX_CALL(__NR_clone, LINUX_FORK_FLAGS, 0, 0, 0, 0);
        if (pid == 0) {
            become_manager(page);
        }
        int32_t answer = (int32_t)pid;
        if (LINUX_CALL(__NR_write, ZYGOTE_CONTROL_FD, &answer, sizeof(answer)) != sizeof(answer)) {
            leave();
        }
    }
}

/* In the child of the fork: the descriptors come to their numbers, and all others go. */
static void place(int memory, int helper, int done, int end)
{
    const int from[] = {memory, helper, done, end};
    int high[ARRAY_SIZE(from)];
    for (uint32_t i = 0; i < ARRAY_SIZE(from); i++) {
        high[i] = (int)LINUX_CALL(__NR_fcntl, from[i], 0 /* F_DUPFD */, 16);
        if (high[i] < 0) {
            leave();
        }
    }
    for (uint32_t i = 0; i < ARRAY_SIZE(from); i++) {
        if (LINUX_CALL(__NR_dup3, high[i], i, 0) != i) {
            leave();
        }
    }
    if (LINUX_CALL(__NR_close_range, ZYGOTE_CONTROL_FD + 1, ~0u, 0) != 0) {
        leave();
    }
}

void linux_zygote_start(int memory, int helper, int done)
{
    int pair[2];
    int64_t result = LINUX_CALL(__NR_socketpair, 1 /* AF_UNIX */, 5 /* SOCK_SEQPACKET */, 0, pair);
    if (result != 0) {
        linux_fail("no sockets", result);
    }
    kernel_pid = (int32_t)LINUX_CALL(__NR_getpid);
    int64_t pid = LINUX_CALL(__NR_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid < 0) {
        linux_fail("no process more", pid);
    }
    if (pid == 0) {
        place(memory, helper, done, pair[1]);
        __asm__ volatile("movq %0, %%rsp\n\txorl %%ebp, %%ebp\n\tcall *%1" ::"r"(
                             zygote_stack + ZYGOTE_STACK),
                         "r"(zygote)
                         : "memory");
        __builtin_unreachable();
    }
    LINUX_CALL(__NR_close, pair[1]);
    control = pair[0];
}

void linux_zygote_ask(uint32_t commands_page)
{
    int64_t result;
    do {
        result = LINUX_CALL(__NR_write, control, &commands_page, sizeof(commands_page));
    } while (result == -EINTR);
    if (result != sizeof(commands_page)) {
        panic("linux: the zygote is gone");
    }
}

int32_t linux_zygote_answer(void)
{
    int32_t pid = 0;
    int64_t result;
    do {
        result = LINUX_CALL(__NR_read, control, &pid, sizeof(pid));
    } while (result == -EINTR);
    if (result != sizeof(pid)) {
        panic("linux: the zygote is gone");
    }
    return pid;
}
