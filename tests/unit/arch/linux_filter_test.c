/* The seccomp filters of the linux machine, run as Linux runs them over calls that must be refused
 * and the few that may pass: each field that is compared is also wrong in its other half. */
#include "kernel/arch/linux/filter.c"

#include "tests/lib/test.h"

#define WORD 0x7fffc0011000ull
#define MANAGER (HELPER_COMMANDS + COMMANDS_SEQUENCE)
#define STUB_IP (HELPER_STUB + 0x1d6)

bool linux_bases_by_call;

/* The instructions that the filters are made of: "load word", "and", "equal", "any bit",
 * "return". */
static uint32_t run(const struct sock_filter *program, uint32_t count,
                    const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (uint32_t at = 0; at < count; at++) {
        const struct sock_filter *i = &program[at];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            CHECK(i->k % 4 == 0 && i->k < sizeof(*data));
            memcpy(&a, (const uint8_t *)data + i->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == i->k ? i->jt : i->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            at += (a & i->k) != 0 ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            CHECK(!"an instruction that no filter has");
        }
    }
    CHECK(!"the end without an answer");
    return 0;
}

static struct seccomp_data call(int number, uint64_t a, uint64_t b, uint64_t d)
{
    return (struct seccomp_data){.nr = number, .arch = AUDIT_ARCH_X86_64,
                                 .instruction_pointer = STUB_IP, .args = {a, b, 7, d}};
}

static bool passes(struct seccomp_data data)
{
    struct sock_filter program[FILTER_MAX];
    uint32_t count = linux_filter_thread(program, WORD);
    uint32_t answer = run(program, count, &data);
    CHECK(answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_TRAP);
    return answer == SECCOMP_RET_ALLOW;
}

TEST(what_passes)
{
    CHECK(passes(call(__NR_rt_sigreturn, 0, 0, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAIT, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAKE, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAKE, 1))); /* WAKE has no such argument */
    CHECK(passes(call(__NR_futex, MANAGER, FUTEX_WAKE, 0)));
    CHECK(!passes(call(__NR_futex, MANAGER, FUTEX_WAIT, 0)));
}

TEST(numbers)
{
    for (int n = -2000; n < 2000; n++) {
        bool may = n == __NR_rt_sigreturn || n == __NR_futex;
        CHECK_EQ(passes(call(n, WORD, FUTEX_WAKE, 0)), may);
        CHECK(!passes(call(n | 0x40000000, WORD, FUTEX_WAKE, 0)) || n < 0);
    }
}

/* FS and GS base, where no instruction sets them. */
TEST(bases)
{
    CHECK(!passes(call(__NR_arch_prctl, ARCH_SET_FS, 4096, 0)));
    CHECK(!passes(call(__NR_arch_prctl, ARCH_SET_GS, 4096, 0)));
    linux_bases_by_call = true;
    for (uint64_t what = 0; what < 0x10000; what++) {
        bool may = what == ARCH_SET_FS || what == ARCH_SET_GS;
        CHECK_EQ(passes(call(__NR_arch_prctl, what, UINT64_MAX, 0)), may);
    }
    for (int bit = 16; bit < 64; bit++) {
        CHECK(!passes(call(__NR_arch_prctl, ARCH_SET_FS | 1ull << bit, 4096, 0)));
    }
    struct seccomp_data elsewhere = call(__NR_arch_prctl, ARCH_SET_FS, 4096, 0);
    elsewhere.instruction_pointer = 0x400000;
    CHECK(!passes(elsewhere));
    for (int n = -2000; n < 2000; n++) {
        bool may = n == __NR_rt_sigreturn || n == __NR_arch_prctl;
        CHECK_EQ(passes(call(n, ARCH_SET_GS, FUTEX_WAKE, 0)), may);
    }
    linux_bases_by_call = false;
}

TEST(both_halves)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t wrong = 1ull << bit;
        CHECK(!passes(call(__NR_futex, WORD ^ wrong, FUTEX_WAIT, 0)));
        CHECK(!passes(call(__NR_futex, WORD ^ wrong, FUTEX_WAKE, 0)));
        CHECK(!passes(call(__NR_futex, MANAGER ^ wrong, FUTEX_WAKE, 0)));
        CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAIT, wrong)));
        if (bit != 0) { /* which makes one of the two operations of the other */
            CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAIT ^ wrong, 0)));
            CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAKE ^ wrong, 0)));
        }
    }
}

TEST(from_where)
{
    for (int bit = 0; bit < 64; bit++) {
        struct seccomp_data data = call(__NR_rt_sigreturn, 0, 0, 0);
        data.instruction_pointer ^= 1ull << bit;
        CHECK_EQ(passes(data), bit < PAGE_SHIFT);
    }
    struct seccomp_data data = call(__NR_rt_sigreturn, 0, 0, 0);
    data.arch = AUDIT_ARCH_I386;
    CHECK(!passes(data));
}

/* --- a worker of the folder process --- */

#define KERNEL 4711

static bool worker_may(int number, uint64_t a, uint64_t b, uint64_t c)
{
    struct sock_filter program[FILTER_MAX];
    struct seccomp_data data = {
        .nr = number, .arch = AUDIT_ARCH_X86_64, .args = {a, b, c, 0, 0, 0}};
    uint32_t count = linux_filter_worker(program, KERNEL);
    uint32_t answer = run(program, count, &data);
    CHECK(answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_KILL_PROCESS);
    return answer == SECCOMP_RET_ALLOW;
}

TEST(worker_numbers)
{
    static const int may[] = {
        __NR_pread64, __NR_pwrite64,  __NR_fstat,           __NR_getdents64, __NR_lseek,
        __NR_fsync,   __NR_ftruncate, __NR_restart_syscall, __NR_close,      __NR_futex,
        __NR_openat2, __NR_openat,    __NR_newfstatat,      __NR_mkdirat,    __NR_unlinkat,
        __NR_renameat2, __NR_exit_group};
    for (int n = -2000; n < 2000; n++) {
        bool expected = false;
        for (size_t i = 0; i < ARRAY_SIZE(may); i++) {
            expected = expected || n == may[i];
        }
        CHECK_EQ(worker_may(n, 5, 0, 6), expected);
        CHECK(n < 0 || !worker_may(n | 0x40000000, 5, 0, 6));
    }
}

/* What begins at the current folder begins with AT_FDCWD, which is below zero. */
TEST(worker_names_begin_at_a_descriptor)
{
    static const int named[] = {__NR_openat2, __NR_openat,   __NR_newfstatat,
                                __NR_mkdirat, __NR_unlinkat, __NR_renameat2};
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        CHECK(worker_may(named[i], 5, 0, 6));
        CHECK(!worker_may(named[i], (uint64_t)-100, 0, 6));
        CHECK(!worker_may(named[i], (uint32_t)-100, 0, 6));
        CHECK(!worker_may(named[i], 1ull << 32 | 5, 0, 6));
    }
    CHECK(!worker_may(__NR_renameat2, 5, 0, (uint64_t)-100));
    CHECK(!worker_may(__NR_renameat2, 5, 0, (uint32_t)-100));
}

TEST(worker_signals_the_kernel_alone)
{
    CHECK(worker_may(__NR_tgkill, KERNEL, KERNEL, SIGUSR2));
    for (int bit = 0; bit < 32; bit++) {
        CHECK(!worker_may(__NR_tgkill, KERNEL ^ 1ull << bit, KERNEL, SIGUSR2));
        CHECK(!worker_may(__NR_tgkill, KERNEL, KERNEL ^ 1ull << bit, SIGUSR2));
        CHECK(!worker_may(__NR_tgkill, KERNEL, KERNEL, SIGUSR2 ^ 1ull << bit));
    }
    CHECK(!worker_may(__NR_kill, KERNEL, SIGUSR2, 0));
}

/* --- managers and their zygote --- */

static bool manager_may(int number, const uint64_t arguments[6])
{
    struct seccomp_data data = {.nr = number, .arch = AUDIT_ARCH_X86_64};
    memcpy(data.args, arguments, sizeof(data.args));
    return run(manager_program, ARRAY_SIZE(manager_program), &data) == SECCOMP_RET_ALLOW;
}

static bool zygote_may(int number, const uint64_t arguments[6])
{
    struct seccomp_data data = {.nr = number, .arch = AUDIT_ARCH_X86_64};
    memcpy(data.args, arguments, sizeof(data.args));
    return run(zygote_program, ARRAY_SIZE(zygote_program), &data) == SECCOMP_RET_ALLOW;
}

/* A call that managers make, and which of its arguments are checked. */
struct made {
    int number;
    uint64_t arguments[6];
    uint32_t checked;
};

#define MAP_IT (MAP_SHARED | MAP_FIXED)

static const struct made by_manager[] = {
    {__NR_futex, {WORD, FUTEX_WAIT}, 1 << 1},
    {__NR_futex, {WORD, FUTEX_WAKE}, 1 << 1},
    {__NR_rt_sigreturn, {0}, 0},
    {__NR_mmap, {4096, 4096, PROT_READ, MAP_IT, MANAGER_MEMORY_FD, 4096}, 7 << 2},
    {__NR_mmap, {4096, 4096, PROT_READ | PROT_WRITE, MAP_IT | MAP_POPULATE, 0, 0}, 7 << 2},
    {__NR_mmap, {4096, 4096, PROT_READ | PROT_EXEC, MAP_IT, MANAGER_HELPER_FD, 0}, 7 << 2},
    {__NR_mmap, {4096, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, 0, 0}, 7 << 2},
    {__NR_munmap, {4096, 4096}, 0},
    {__NR_mprotect, {4096, 4096, PROT_READ | PROT_EXEC}, 1 << 2},
    {__NR_write, {MANAGER_DONE_FD, 4096, 8}, 1 << 0},
    {__NR_clone, {LINUX_THREAD_FLAGS, 4096}, 1 << 0},
    {__NR_close_range, {0, ~0u, 0}, 0},
    {__NR_sigaltstack, {4096}, 0},
    {__NR_seccomp, {1, 4, 4096}, 0},
    {__NR_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV}, 1 << 0},
    {__NR_arch_prctl, {ARCH_SET_FS, 4096}, 1 << 0},
    {__NR_arch_prctl, {ARCH_SET_GS, 4096}, 1 << 0},
};

static const struct made by_zygote[] = {
    {__NR_read, {ZYGOTE_CONTROL_FD}, 1 << 0},
    {__NR_write, {ZYGOTE_CONTROL_FD}, 1 << 0},
    {__NR_clone, {LINUX_FORK_FLAGS}, 1 << 0},
    {__NR_prctl, {PR_SET_PDEATHSIG, SIGKILL}, 1 << 0},
    {__NR_close, {ZYGOTE_CONTROL_FD}, 1 << 0},
    {__NR_getppid, {0}, 0},
    {__NR_exit_group, {1}, 0},
};

/* Whether it is one of those, as far as they are checked. */
static bool is_one_of(const struct made *all, size_t count, int number, const uint64_t *arguments)
{
    for (size_t i = 0; i < count; i++) {
        bool same = all[i].number == number;
        for (uint32_t k = 0; k < 6; k++) {
            same = same && ((all[i].checked >> k & 1) == 0 ||
                            all[i].arguments[k] == arguments[k]);
        }
        if (same) {
            return true;
        }
    }
    return false;
}

TEST(managers_and_zygotes)
{
    for (size_t i = 0; i < ARRAY_SIZE(by_manager); i++) {
        CHECK(manager_may(by_manager[i].number, by_manager[i].arguments));
        CHECK(zygote_may(by_manager[i].number, by_manager[i].arguments)); /* they add up */
    }
    for (size_t i = 0; i < ARRAY_SIZE(by_zygote); i++) {
        CHECK(!manager_may(by_zygote[i].number, by_zygote[i].arguments));
        CHECK(zygote_may(by_zygote[i].number, by_zygote[i].arguments));
    }
    for (int n = -1000; n < 1000; n++) {
        const uint64_t none[6] = {77, 77, 77, 77, 77, 77};
        CHECK_EQ(manager_may(n, none), is_one_of(by_manager, ARRAY_SIZE(by_manager), n, none));
        CHECK(!manager_may(n | 0x40000000, none) || n < 0);
    }
}

/* Nothing but one bit of one checked argument is different. */
TEST(arguments_of_managers)
{
    static const uint64_t also[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};
    for (size_t i = 0; i < ARRAY_SIZE(by_manager); i++) {
        const struct made *m = &by_manager[i];
        for (uint32_t bit = 0; bit < 6 * 64; bit++) {
            uint64_t a[6];
            memcpy(a, m->arguments, sizeof(a));
            a[bit / 64] ^= 1ull << bit % 64;
            bool may = (m->checked >> bit / 64 & 1) == 0;
            for (size_t k = 0; k < ARRAY_SIZE(also); k++) {
                may = may || (bit / 64 == 2 && a[2] == also[k]);
            }
            may = may || (bit / 64 == 1 && m->number == __NR_futex && a[1] <= FUTEX_WAKE);
            may = may || (m->number == __NR_mmap && bit / 64 == 4 && a[4] <= MANAGER_HELPER_FD);
            may = may || (m->number == __NR_mmap && bit / 64 == 3 &&
                          (a[3] == (MAP_PRIVATE | MAP_FIXED) ||
                           (a[3] | MAP_POPULATE) == (MAP_IT | MAP_POPULATE)));
            CHECK_EQ(manager_may(m->number, a), may);
        }
    }
}

/* --- the kernel's process --- */

static bool kernel_may(int number, uint64_t last)
{
    struct seccomp_data data = {
        .nr = number, .arch = AUDIT_ARCH_X86_64, .args = {5, 4096, 1, 0, 0, last}};
    uint32_t answer = run(kernel_program, ARRAY_SIZE(kernel_program), &data);
    CHECK(answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_KILL_PROCESS);
    return answer == SECCOMP_RET_ALLOW;
}

TEST(kernel_numbers)
{
    static const int may[] = {
        __NR_futex,   __NR_read,          __NR_write,           __NR_poll,       __NR_ppoll,
        __NR_tgkill,  __NR_kill,          __NR_wait4,           __NR_waitid,     __NR_clock_gettime,
        __NR_sendto,  __NR_rt_sigreturn,  __NR_restart_syscall, __NR_exit_group, __NR_recvfrom,
        __NR_fallocate, __NR_getrandom, __NR_sched_setaffinity};
    for (int n = -2000; n < 2000; n++) {
        bool expected = false;
        for (size_t i = 0; i < ARRAY_SIZE(may); i++) {
            expected = expected || n == may[i];
        }
        CHECK_EQ(kernel_may(n, 0), expected);
        CHECK(n < 0 || !kernel_may(n | 0x40000000, 0));
    }
}

TEST(kernel_writes_at_places_of_its_memory)
{
    struct seccomp_data data = {
        .nr = __NR_pwritev, .arch = AUDIT_ARCH_X86_64, .args = {MEMORY_FD, 4096, 1}};
    CHECK_EQ(run(kernel_program, ARRAY_SIZE(kernel_program), &data), SECCOMP_RET_ALLOW);
    for (int bit = 0; bit < 64; bit++) {
        data.args[0] = MEMORY_FD ^ 1ull << bit;
        CHECK_EQ(run(kernel_program, ARRAY_SIZE(kernel_program), &data), SECCOMP_RET_KILL_PROCESS);
    }
}

TEST(kernel_reads_files_without_waiting)
{
    CHECK(kernel_may(__NR_preadv2, RWF_NOWAIT));
    CHECK(!kernel_may(__NR_preadv2, 0));
    for (int bit = 0; bit < 64; bit++) {
        CHECK(!kernel_may(__NR_preadv2, RWF_NOWAIT ^ 1ull << bit));
    }
}
