/* What Linux does for whom: the seccomp filters. A verdict is "allow" or "trap", never "kill":
 * filters add up, and the severest verdict of a thread's would win. All numbers and arguments are
 * compared whole; the architecture first, and with it the x32 bit, which makes other numbers. */
#include "kernel/arch/linux/linux.h"

#include <asm/signal.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW_OF(field) LOAD(field) /* the machine is little-endian */
#define LOAD_HIGH_OF(field)                                                                      \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define BELOW_ZERO(yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80000000u, yes, no)
#define ANSWER(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)

/* A user thread: futex WAIT without time-out and WAKE on its own word, and rt_sigreturn; both from
 * the stub's page only, so that a program which calls Linux by itself always hears that it may
 * not. */
uint32_t linux_filter_thread(struct sock_filter out[FILTER_MAX], uint64_t word)
{
    const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 22),
        LOAD_LOW_OF(instruction_pointer),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)~(PAGE_SIZE - 1)),
        EQUAL(HELPER_STUB, 0, 19),
        LOAD_HIGH_OF(instruction_pointer),
        EQUAL(HELPER_STUB >> 32, 0, 17),
        LOAD(nr),
        EQUAL(__NR_rt_sigreturn, 14, 0),
        EQUAL(__NR_futex, 0, 14),
        LOAD_LOW_OF(args[0]),
        EQUAL(word, 0, 12),
        LOAD_HIGH_OF(args[0]),
        EQUAL(word >> 32, 0, 10),
        LOAD_HIGH_OF(args[1]),
        EQUAL(0, 0, 8),
        LOAD_LOW_OF(args[1]),
        EQUAL(FUTEX_WAKE, 5, 0),
        EQUAL(FUTEX_WAIT, 0, 5),
        LOAD_LOW_OF(args[3]),
        EQUAL(0, 0, 3),
        LOAD_HIGH_OF(args[3]),
        EQUAL(0, 0, 1),
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

/* The kernel's process, once the machine runs. What is not here ends it. A read of a file is
 * one that never waits. */
int64_t linux_filter_kernel(void)
{
    static const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 25),
        LOAD(nr),
        EQUAL(__NR_futex, 22, 0),
        EQUAL(__NR_read, 21, 0),
        EQUAL(__NR_write, 20, 0),
        EQUAL(__NR_poll, 19, 0),
        EQUAL(__NR_ppoll, 18, 0),
        EQUAL(__NR_tgkill, 17, 0),
        EQUAL(__NR_kill, 16, 0),
        EQUAL(__NR_wait4, 15, 0),
        EQUAL(__NR_waitid, 14, 0),
        EQUAL(__NR_clock_gettime, 13, 0),
        EQUAL(__NR_getrandom, 12, 0),
        EQUAL(__NR_fallocate, 11, 0),
        EQUAL(__NR_rt_sigreturn, 10, 0),
        EQUAL(__NR_restart_syscall, 9, 0),
        EQUAL(__NR_exit_group, 8, 0),
        EQUAL(__NR_recvfrom, 7, 0),
        EQUAL(__NR_sendto, 6, 0),
        EQUAL(__NR_preadv2, 0, 4),
        LOAD_LOW_OF(args[5]),
        EQUAL(RWF_NOWAIT, 0, 2),
        LOAD_HIGH_OF(args[5]),
        EQUAL(0, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
    };
    return install(program, ARRAY_SIZE(program));
}

/* A worker of the folder process: what names something takes a descriptor, never the current
 * folder (AT_FDCWD is below zero), and the only signal is the kernel's. */
uint32_t linux_filter_worker(struct sock_filter out[FILTER_MAX], int32_t kernel)
{
    const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 31),
        LOAD(nr),
        EQUAL(__NR_pread64, 30, 0),
        EQUAL(__NR_pwrite64, 29, 0),
        EQUAL(__NR_fstat, 28, 0),
        EQUAL(__NR_getdents64, 27, 0),
        EQUAL(__NR_lseek, 26, 0),
        EQUAL(__NR_ftruncate, 25, 0),
        EQUAL(__NR_fsync, 24, 0),
        EQUAL(__NR_close, 23, 0),
        EQUAL(__NR_futex, 22, 0),
        EQUAL(__NR_exit_group, 21, 0),
        EQUAL(__NR_restart_syscall, 20, 0),
        EQUAL(__NR_openat2, 14, 0),
        EQUAL(__NR_openat, 13, 0),
        EQUAL(__NR_newfstatat, 12, 0),
        EQUAL(__NR_mkdirat, 11, 0),
        EQUAL(__NR_unlinkat, 10, 0),
        EQUAL(__NR_renameat2, 7, 0),
        EQUAL(__NR_tgkill, 0, 12),
        LOAD_LOW_OF(args[0]),
        EQUAL(kernel, 0, 10),
        LOAD_LOW_OF(args[1]),
        EQUAL(kernel, 0, 8),
        LOAD_LOW_OF(args[2]),
        EQUAL(SIGUSR2, 7, 6),
        LOAD_LOW_OF(args[2]),
        BELOW_ZERO(4, 0),
        LOAD_LOW_OF(args[0]),
        BELOW_ZERO(2, 0),
        LOAD_HIGH_OF(args[0]),
        EQUAL(0, 1, 0),
        ANSWER(SECCOMP_RET_KILL_PROCESS),
        ANSWER(SECCOMP_RET_ALLOW),
    };
    _Static_assert(ARRAY_SIZE(program) <= FILTER_MAX, "it fits");
    memcpy(out, program, sizeof(program));
    return ARRAY_SIZE(program);
}

int64_t linux_filter_folders(int32_t kernel)
{
    struct sock_filter program[FILTER_MAX];
    uint32_t count = linux_filter_worker(program, kernel);
    return install(program, (uint16_t)count);
}
