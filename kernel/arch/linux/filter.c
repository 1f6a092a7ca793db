/* What Linux does for whom: the seccomp filters. A verdict is "allow" or "trap", never "kill":
 * filters add up, and the severest verdict of a thread's would win. All numbers and arguments are
 * compared whole; the architecture first, and with it the x32 bit, which makes other numbers. */
#include "kernel/arch/linux/linux.h"

#include <asm/mman.h>
#include <asm/prctl.h>
#include <asm/signal.h>
#include <linux/audit.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_LOW_OF(field) LOAD(field) /* the machine is little-endian */
#define LOAD_HIGH_OF(field)                                                                      \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field) + 4)
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define BELOW_ZERO(yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80000000u, yes, no)
#define ANSWER(verdict) BPF_STMT(BPF_RET | BPF_K, verdict)

/* A user thread: futex WAIT without time-out and WAKE on its own word, WAKE for its manager,
 * rt_sigreturn, and its own FS and GS base where no instruction sets them; all from the stub's page
 * only, so that a program which calls Linux by itself always hears that it may not. */
uint32_t linux_filter_thread(struct sock_filter out[FILTER_MAX], uint64_t word)
{
    _Static_assert(HELPER_COMMANDS >> 32 == (HELPER_END - 1) >> 32, "one upper half for all words");
    const uint32_t none = __NR_rt_sigreturn; /* it does not come so far */
    const uint32_t sets_base = linux_bases_by_call ? __NR_arch_prctl : none;
    const struct sock_filter program[] = {
        LOAD(arch),
        EQUAL(AUDIT_ARCH_X86_64, 0, 30),
        LOAD_LOW_OF(instruction_pointer),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (uint32_t)~(PAGE_SIZE - 1)),
        EQUAL(HELPER_STUB, 0, 27),
        LOAD_HIGH_OF(instruction_pointer),
        EQUAL(HELPER_STUB >> 32, 0, 25),
        LOAD(nr),
        EQUAL(__NR_rt_sigreturn, 22, 0),
        EQUAL(__NR_futex, 6, 0),
        EQUAL(sets_base, 0, 21),
        LOAD_HIGH_OF(args[0]),
        EQUAL(0, 0, 19),
        LOAD_LOW_OF(args[0]),
        EQUAL(ARCH_SET_FS, 16, 0),
        EQUAL(ARCH_SET_GS, 15, 16),
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

/* Blocks of instructions for one call of Linux each: it may be made, or it may if its arguments are
 * as they are checked. The size is that of the checks, in instructions. */
#define BEGIN LOAD(arch), EQUAL(AUDIT_ARCH_X86_64, 1, 0), ANSWER(SECCOMP_RET_TRAP), LOAD(nr)
#define MAY(number) EQUAL(number, 0, 1), ANSWER(SECCOMP_RET_ALLOW)
#define MAY_IF(number, size, ...)                                                                \
    EQUAL(number, 0, (size) + 1), __VA_ARGS__, ANSWER(SECCOMP_RET_ALLOW)
#define ONE_OF_SIZE 8
#define ONE_OF(argument, a, b, c) /* all below 2^32 */                                           \
    LOAD_LOW_OF(args[argument]), EQUAL(a, 3, 0), EQUAL(b, 2, 0), EQUAL(c, 1, 0),                  \
        ANSWER(SECCOMP_RET_TRAP), LOAD_HIGH_OF(args[argument]), EQUAL(0, 1, 0),                  \
        ANSWER(SECCOMP_RET_TRAP)
#define IS(argument, value) ONE_OF(argument, value, value, value)

/* Memory at an address that is said, from the manager's files alone, and never both to be written
 * and to be run. */
#define MAY_MAP                                                                                  \
    MAY_IF(__NR_mmap, 3 * ONE_OF_SIZE,                                                           \
           ONE_OF(2, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC),                  \
           ONE_OF(3, MAP_SHARED | MAP_FIXED, MAP_SHARED | MAP_FIXED | MAP_POPULATE,              \
                  MAP_PRIVATE | MAP_FIXED),                                                      \
           ONE_OF(4, MANAGER_MEMORY_FD, MANAGER_HELPER_FD, MANAGER_HELPER_FD)),                  \
        MAY(__NR_munmap),                                                                        \
        MAY_IF(__NR_mprotect, ONE_OF_SIZE,                                                       \
               ONE_OF(2, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC))
#define MAY_SHUT_OFF MAY(__NR_close_range), MAY(__NR_sigaltstack), MAY(__NR_seccomp)
/* Which a thread's own filter takes away where it can be done by an instruction. */
#define MAY_SET_BASES                                                                            \
    MAY_IF(__NR_arch_prctl, ONE_OF_SIZE, ONE_OF(0, ARCH_SET_FS, ARCH_SET_GS, ARCH_SET_GS))
#define END ANSWER(SECCOMP_RET_TRAP)

/* A manager, and what a thread of its still does before it installs its own. */
static const struct sock_filter manager_program[] = {
    BEGIN,
    MAY_IF(__NR_futex, ONE_OF_SIZE, ONE_OF(1, FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAKE)),
    MAY(__NR_rt_sigreturn),
    MAY_MAP,
    MAY_IF(__NR_write, ONE_OF_SIZE, IS(0, MANAGER_DONE_FD)),
    MAY_IF(__NR_clone, ONE_OF_SIZE, IS(0, LINUX_THREAD_FLAGS)),
    MAY_SHUT_OFF,
    MAY_IF(__NR_prctl, ONE_OF_SIZE, IS(0, PR_SET_TSC)),
    MAY_SET_BASES,
    END,
};

int64_t linux_filter_manager(void)
{
    return install(manager_program, ARRAY_SIZE(manager_program));
}

/* The zygote, and what its children need until they have become managers, and after that: filters
 * add up. */
static const struct sock_filter zygote_program[] = {
    BEGIN,
    MAY(__NR_futex),
    MAY(__NR_rt_sigreturn),
    MAY_MAP,
    MAY_IF(__NR_write, ONE_OF_SIZE, ONE_OF(0, MANAGER_DONE_FD, ZYGOTE_CONTROL_FD, MANAGER_DONE_FD)),
    MAY_IF(__NR_read, ONE_OF_SIZE, IS(0, ZYGOTE_CONTROL_FD)),
    MAY_IF(__NR_clone, ONE_OF_SIZE,
           ONE_OF(0, LINUX_THREAD_FLAGS, LINUX_FORK_FLAGS, LINUX_FORK_FLAGS)),
    MAY_SHUT_OFF,
    MAY_IF(__NR_prctl, ONE_OF_SIZE, ONE_OF(0, PR_SET_TSC, PR_SET_PDEATHSIG, PR_SET_PTRACER)),
    MAY_SET_BASES,
    MAY_IF(__NR_close, ONE_OF_SIZE, IS(0, ZYGOTE_CONTROL_FD)),
    MAY(__NR_getppid),
    MAY(__NR_exit_group),
    END,
};

int64_t linux_filter_zygote(void)
{
    return install(zygote_program, ARRAY_SIZE(zygote_program));
}

/* The kernel's process, once the machine runs. What is not here ends it. A read of a file is
 * one that never waits, a write at a place is one to its memory. */
static const struct sock_filter kernel_program[] = {
    LOAD(arch),
    EQUAL(AUDIT_ARCH_X86_64, 1, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    MAY(__NR_futex),
    MAY(__NR_read),
    MAY(__NR_write),
    MAY(__NR_poll),
    MAY(__NR_ppoll),
    MAY(__NR_tgkill),
    MAY(__NR_kill),
    MAY(__NR_wait4),
    MAY(__NR_waitid),
    MAY(__NR_clock_gettime),
    MAY(__NR_getrandom),
    MAY(__NR_fallocate),
    MAY(__NR_rt_sigreturn),
    MAY(__NR_restart_syscall),
    MAY(__NR_exit_group),
    MAY(__NR_recvfrom),
    MAY(__NR_sendto),
    MAY(__NR_sched_setaffinity),
    EQUAL(__NR_pwritev, 2, 0),
    EQUAL(__NR_preadv2, 5, 0),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
    LOAD_LOW_OF(args[0]),
    EQUAL(MEMORY_FD, 0, 7),
    LOAD_HIGH_OF(args[0]),
    EQUAL(0, 4, 5),
    LOAD_LOW_OF(args[5]),
    EQUAL(RWF_NOWAIT, 0, 3),
    LOAD_HIGH_OF(args[5]),
    EQUAL(0, 0, 1),
    ANSWER(SECCOMP_RET_ALLOW),
    ANSWER(SECCOMP_RET_KILL_PROCESS),
};

int64_t linux_filter_kernel(void)
{
    return install(kernel_program, ARRAY_SIZE(kernel_program));
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
