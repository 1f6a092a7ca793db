/* From the first instruction to core's kernel_start().
 *
 *   capos-kernel --package FILE --mem BYTES --cpus N --link FD [--log FD] [--gdb 1]
 *                [--test panic|no-fsgsbase] [--dir FD:NAME | --dir-ro FD:NAME]...
 *
 * A --dir is a folder of the host that capos has opened; init gets it by that name.
 * With --gdb the user's debugger may attach to its processes, and the program waits for one.
 *
 * In this order: the process shuts itself off (no new privileges, no core files, not dumpable),
 * makes its memory and the pipe of the managers, forks the folder process and the zygote, maps the
 * memory, and gives up all calls of Linux that it does not need. The package's frames are the last
 * of memory. */
#include "abi/qemu.h"
#include "kernel/arch/linux/linux.h"

#include "kernel/core/entry.h"
#include "kernel/core/log.h"

#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/mman.h>
#include <asm/stat.h>
#include <linux/auxvec.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/resource.h>

#define MEMORY_LEAST (2ull << 20)
#define HWCAP2_FSGSBASE 2u
#define SPIN_NS 20000
#define SPIN_SAMPLE 256
#define F_SETOWN 8
#define LOG_DEFAULT 2
#define PACKAGE_FD 5 /* what capos names as /proc/self/fd/5 */

struct options {
    const char *package;
    uint64_t memory, cpus, link, log, gdb;
};

struct cpu linux_first_cpu;
uint8_t *linux_helper;
int linux_helper_file;
uint32_t linux_spin, linux_cpu_count;
uint64_t linux_cpus[LINUX_CPU_WORDS];
bool linux_debugged, linux_test_panic, linux_bases_by_call;
uint64_t linux_frames;

static struct boot_info info;

_Noreturn void linux_start(const uint64_t *stack);

_Noreturn void linux_fail(const char *text, int64_t error)
{
    char line[160];
    format_text(line, sizeof(line), "capos-kernel: %s (error %d)\n", text, (int)-error);
    LINUX_CALL(__NR_write, LOG_DEFAULT, line, strlen(line));
    for (;;) {
        LINUX_CALL(__NR_exit_group, 1);
    }
}

static uint64_t checked(int64_t result, const char *text)
{
    if (result < 0 && result >= -4095) {
        linux_fail(text, result);
    }
    return (uint64_t)result;
}

static bool same(const char *a, const char *b)
{
    return strlen(a) == strlen(b) && memcmp(a, b, strlen(a)) == 0;
}

static uint64_t parse_number(const char *text)
{
    uint64_t n = 0;
    for (; *text >= '0' && *text <= '9' && n < 1ull << 48; text++) {
        n = n * 10 + (uint64_t)(*text - '0');
    }
    if (*text != 0) {
        linux_fail("a number is wrong", 0);
    }
    return n;
}

static struct options parse(int count, const char *const *words)
{
    struct options o = {.cpus = 1, .log = LOG_DEFAULT};
    for (int i = 1; i + 1 < count; i += 2) {
        const char *word = words[i], *value = words[i + 1];
        if (same(word, "--package")) {
            o.package = value;
        } else if (same(word, "--mem")) {
            o.memory = parse_number(value) & ~(PAGE_SIZE - 1);
        } else if (same(word, "--cpus")) {
            o.cpus = parse_number(value);
        } else if (same(word, "--link")) {
            o.link = parse_number(value);
        } else if (same(word, "--log")) {
            o.log = parse_number(value);
        } else if (same(word, "--gdb")) {
            o.gdb = parse_number(value);
        } else if (same(word, "--dir")) {
            linux_folders_option(value, false);
        } else if (same(word, "--dir-ro")) {
            linux_folders_option(value, true);
        } else if (same(word, "--test") && same(value, "panic")) {
            linux_test_panic = true;
        } else if (same(word, "--test") && same(value, "no-fsgsbase")) {
            linux_bases_by_call = true;
        } else {
            linux_fail("unknown option", 0);
        }
    }
    if (o.package == NULL || o.memory < MEMORY_LEAST || o.link == 0) {
        linux_fail("usage: --package FILE --mem BYTES --cpus N --link FD [--log FD]", 0);
    }
    return o;
}

/* What Linux says of the processor. */
static uint64_t auxiliary(const uint64_t *stack, uint64_t what)
{
    const uint64_t *at = stack + 1 + stack[0] + 1;
    while (*at++ != 0) {
    }
    for (; at[0] != AT_NULL; at += 2) {
        if (at[0] == what) {
            return at[1];
        }
    }
    return 0;
}

static void check_processor(const uint64_t *stack)
{
    linux_bases_by_call |= (auxiliary(stack, AT_HWCAP2) & HWCAP2_FSGSBASE) == 0;
    if (auxiliary(stack, 51 /* AT_MINSIGSTKSZ */) > AREA_SIZE - AREA_STACK) {
        linux_fail("the processor's registers are too many for a signal stack", 0);
    }
    linux_extended_detect();
}

static void shut_off(const struct options *o)
{
    uint64_t last = o->link > o->log ? o->link : o->log;
    last = last > linux_folders_last() ? last : linux_folders_last();
    last = last > PACKAGE_FD ? last : PACKAGE_FD; /* whatever else was left open is not for us */
    if (last >= MEMORY_FD) {
        linux_fail("a descriptor is too high", 0);
    }
    checked(LINUX_CALL(__NR_close_range, last + 1, ~0u, 0), "close_range");
    struct rlimit64 none = {0, 0};
    checked(LINUX_CALL(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
    if (!linux_debugged) {
        checked(LINUX_CALL(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0), "not dumpable");
    }
    checked(LINUX_CALL(__NR_prlimit64, 0, RLIMIT_CORE, &none, 0), "no core files");
}

static int memory_file(const char *name, uint64_t size)
{
    int64_t fd = LINUX_CALL(__NR_memfd_create, name, MFD_CLOEXEC | 0x10u /* MFD_EXEC */);
    if (fd == -EINVAL) { /* before Linux 6.3 */
        fd = LINUX_CALL(__NR_memfd_create, name, MFD_CLOEXEC);
    }
    checked(fd, "no file in memory");
    checked(LINUX_CALL(__NR_ftruncate, fd, size), "no file in memory of that size");
    return (int)fd;
}

static void *map_file(int fd, uint64_t address, uint64_t size)
{
    uint64_t flags = MAP_SHARED | MAP_NORESERVE | (address != 0 ? MAP_FIXED_NOREPLACE : 0);
    return (void *)checked(
        LINUX_CALL(__NR_mmap, address, size, PROT_READ | PROT_WRITE, flags, fd, 0), "no memory");
}

static uint64_t file_size(int fd)
{
    struct stat status;
    checked(LINUX_CALL(__NR_fstat, fd, &status), "the package");
    return (uint64_t)status.st_size;
}

/* From file to file, so that no page of it faults on the way. */
static void read_package(int fd, int memory, uint64_t offset, uint64_t size)
{
    checked(LINUX_CALL(__NR_lseek, memory, offset, 0 /* SEEK_SET */), "the package");
    while (size > 0) {
        uint64_t n = checked(LINUX_CALL(__NR_sendfile, memory, fd, 0, size), "the package");
        if (n == 0) {
            linux_fail("the package became shorter", 0);
        }
        size -= n;
    }
}

/* How often a processor looks at a word in 20 us; not at all where there is but one. */
static void measure_spin(void)
{
    int64_t size = LINUX_CALL(__NR_sched_getaffinity, 0, sizeof(linux_cpus), linux_cpus);
    for (int64_t i = 0; i < size / 8; i++) {
        linux_cpu_count += (uint32_t)__builtin_popcountll(linux_cpus[i]);
    }
    if (linux_cpu_count < 2) {
        return;
    }
    volatile uint32_t word = 0;
    uint64_t before = linux_monotonic_ns();
    for (uint32_t i = 0; i < SPIN_SAMPLE && word == 0; i++) {
        __builtin_ia32_pause();
    }
    uint64_t ns = linux_monotonic_ns() - before + 1;
    linux_spin = (uint32_t)(SPIN_NS * SPIN_SAMPLE / ns);
}

/* A short write wakes whoever is at the other end of the link; news of it come as SIGIO. */
static void open_link(const struct options *o)
{
    int64_t flags = LINUX_CALL(__NR_fcntl, o->link, F_GETFL);
    checked(LINUX_CALL(__NR_fcntl, o->link, F_SETOWN, LINUX_CALL(__NR_getpid)), "the link");
    checked(LINUX_CALL(__NR_fcntl, o->link, F_SETFL, flags | O_NONBLOCK | FASYNC), "the link");
}

_Noreturn void linux_start(const uint64_t *stack)
{
    struct options o = parse((int)stack[0], (const char *const *)(stack + 1));
    linux_clock_start();
    linux_machine_start((int)o.log, (int)o.link, stack);
    check_processor(stack);
    linux_debugged = o.gdb != 0;
    shut_off(&o);
    measure_spin();

    int package = (int)checked(LINUX_CALL(__NR_open, o.package, O_RDONLY | O_CLOEXEC),
                               "the package cannot be opened");
    info.package_size = file_size(package);
    uint64_t package_frames = PAGES(info.package_size);
    linux_frames = o.memory >> PAGE_SHIFT;
    if (package_frames + (MEMORY_LEAST >> PAGE_SHIFT) > linux_frames) {
        linux_fail("the package does not fit the memory", 0);
    }
    info.package_first = linux_frames - package_frames;
    info.memory[0].first = 1;
    info.memory[0].end = info.package_first;
    info.memory_count = 1;
    info.cpu_count = arch_cpu_count();

    int memory = memory_file("capos-memory", o.memory), done[2];
    checked(LINUX_CALL(__NR_dup3, memory, MEMORY_FD, O_CLOEXEC), "no descriptors");
    LINUX_CALL(__NR_close, memory);
    linux_helper_file = memory_file("capos-helper", HELPER_FILE_SIZE);
    checked(LINUX_CALL(__NR_pipe2, done, O_CLOEXEC), "no pipe");
    checked(LINUX_CALL(__NR_fcntl, done[0], F_SETFL, O_NONBLOCK), "the pipe"); /* our end alone */
    linux_folders_start();
    linux_helper = map_file(linux_helper_file, 0, HELPER_FILE_SIZE);
    memcpy(linux_helper, linux_stub, (size_t)(linux_stub_end - linux_stub));
    linux_zygote_start(MEMORY_FD, linux_helper_file, done[1]);
    map_file(MEMORY_FD, LINUX_MEMORY, o.memory);
    read_package(package, MEMORY_FD, info.package_first << PAGE_SHIFT, info.package_size);
    LINUX_CALL(__NR_close, package);

    linux_meet_bring_up(done[1]);
    open_link(&o);
    checked(linux_filter_kernel(), "no seccomp filter");
    linux_cpu()->deadline_ns = UINT64_MAX;
    linux_folders_hand(&info);
    linux_process_bring_up(done[0]);
    kernel_start(&info);
    linux_run();
}
