/* What Linux does for whom: the seccomp filters. A verdict is "allow" or "trap", never "kill":
 * filters add up, and the severest verdict of a thread's would win. All numbers and arguments are
 * compared whole; the architecture first, and with it the x32 bit, which makes other numbers. */
#include "kernel/arch/linux/linux.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW_OF(field) LOAD(field) /* the machine is little-endian */
#define LOAD_HIGH_OF(field)                                                                      \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define ANSWER(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)

/* A user thread: futex WAIT without time-out and WAKE on its own word, WAKE for its manager, and
 * rt_sigreturn; all from the stub's page only, so that a program which calls Linux by itself always
 * hears that it may not. */
uint32_t linux_filter_thread(struct sock_filter out[FILTER_MAX], uint64_t word)
{
    _Static_assert(HELPER_COMMANDS >> 32 == (HELPER_END - 1) >> 32, "one upper half for all words");
    const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 24),
        LOAD_LOW_OF(instruction_pointer),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)~(PAGE_SIZE - 1)),
        EQUAL(HELPER_STUB, 0, 21),
        LOAD_HIGH_OF(instruction_pointer),
        EQUAL(HELPER_STUB >> 32, 0, 19),
        LOAD(nr),
        EQUAL(__NR_rt_sigreturn, 16, 0),
        EQUAL(__NR_futex, 0, 16),
        LOAD_HIGH_OF(args[0]),
        EQUAL(HELPER_COMMANDS >> 32, 0, 14),
        LOAD_HIGH_OF(args[1]),
        EQUAL(0, 0, 12),
        LOAD_LOW_OF(args[1]),
        EQUAL(FUTEX_WAKE, 5, 0),
        EQUAL(FUTEX_WAIT, 0, 9),
        LOAD_LOW_OF(args[3]),
        EQUAL(0, 0, 7),
        LOAD_HIGH_OF(args[3]),
        EQUAL(0, 2, 5), /* only on its own: there the manager must be the only sleeper */
        LOAD_LOW_OF(args[0]),
        EQUAL(HELPER_COMMANDS + COMMANDS_SEQUENCE, 2, 0),
        LOAD_LOW_OF(args[0]),
        EQUAL(word, 0, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_TRAP),
    };
    _Static_assert(ARRAY_SIZE(program) <= FILTER_MAX, "it fits its page");
    memcpy(out, program, sizeof(program));
    return ARRAY_SIZE(program);
}

static int64_t install(const struct sock_filter *program, uint16_t count)
{
    struct sock_fprog p = {.len = count, .filter = (struct sock_filter *)(uintptr_t)program};
    return LINUX_CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &p);
}

/* A manager, and what a thread of its still does before it installs its own. */
int64_t linux_filter_manager(void)
{
    static const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 15),
        LOAD(nr),
        EQUAL(__NR_futex, 12, 0),
        EQUAL(__NR_mmap, 11, 0),
        EQUAL(__NR_munmap, 10, 0),
        EQUAL(__NR_mprotect, 9, 0),
        EQUAL(__NR_write, 8, 0),
        EQUAL(__NR_clone, 7, 0),
        EQUAL(__NR_rt_sigreturn, 6, 0),
        EQUAL(__NR_close_range, 5, 0),
        EQUAL(__NR_sigaltstack, 4, 0),
        EQUAL(__NR_seccomp, 3, 0),
        EQUAL(__NR_prctl, 0, 3),
        LOAD_LOW_OF(args[0]),
        EQUAL(PR_SET_TSC, 0, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_TRAP),
    };
    return install(program, ARRAY_SIZE(program));
}

/* The kernel's process, once the machine runs. What is not here ends it. */
int64_t linux_filter_kernel(void)
{
    static const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 21),
        LOAD(nr),
        EQUAL(__NR_sched_setaffinity, 18, 0),
        EQUAL(__NR_futex, 17, 0),
        EQUAL(__NR_read, 16, 0),
        EQUAL(__NR_write, 15, 0),
        EQUAL(__NR_poll, 14, 0),
        EQUAL(__NR_ppoll, 13, 0),
        EQUAL(__NR_tgkill, 12, 0),
        EQUAL(__NR_kill, 11, 0),
        EQUAL(__NR_wait4, 10, 0),
        EQUAL(__NR_waitid, 9, 0),
        EQUAL(__NR_clock_gettime, 8, 0),
        EQUAL(__NR_getrandom, 7, 0),
        EQUAL(__NR_fallocate, 6, 0),
        EQUAL(__NR_rt_sigreturn, 5, 0),
        EQUAL(__NR_restart_syscall, 4, 0),
        EQUAL(__NR_exit_group, 3, 0),
        EQUAL(__NR_recvfrom, 2, 0),
        EQUAL(__NR_sendto, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
    };
    return install(program, ARRAY_SIZE(program));
}
