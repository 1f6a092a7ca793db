/* The host's side of the linux machine's rows (tests/perf/linux.sh).
 *
 *   native WHAT                        measures it here: nanoseconds, a number to compare
 *   native pairs N WHAT COMMAND...     N times that and COMMAND, which prints the same of a
 *                                      machine, in turn: the medians of here and there, of the
 *                                      ratios there / here in thousandths, and its spread
 *   native command N TEXT COMMAND...   COMMAND, from its start to its end, which has to print
 *                                      TEXT or, if that is a number, to exit with it: median,
 *                                      spread
 *   native ticks                       of the time-stamp counter, in a millisecond
 *
 * WHAT beginning with `one-` keeps both on one processor, where nobody spins. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/perf/machine/work.h"

#define PAIRS_MAX 99

extern char **environ;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void need(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "native: %s\n", what);
        exit(1);
    }
}

/* --- what guest.c measures --- */

static uint64_t compute(uint64_t *check)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < WORK_TRIES; i++) {
        uint64_t start = now_ns();
        *check = work_compute();
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    return best;
}

static char *map(size_t bytes)
{
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(pages != MAP_FAILED, "mmap");
    return pages;
}

static uint64_t touch(uint64_t *check)
{
    uint64_t start = now_ns();
    char *pages = map(TOUCH_BYTES);
    need(work_touch(pages, TOUCH_BYTES), "touch");
    uint64_t took = now_ns() - start;
    munmap(pages, TOUCH_BYTES);
    *check = TOUCH_BYTES;
    return took;
}

static uint64_t call(uint64_t *check)
{
    uint64_t samples[SAMPLES];
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t k = 0; k < CALLS; k++) {
            *check += syscall(SYS_getppid) > 0;
        }
        samples[i] = (now_ns() - start) / CALLS;
    }
    return work_median(samples, SAMPLES);
}


static uint64_t faults(uint64_t *check, uint32_t stride)
{
    char *pages = map(FAULT_PAGES * PAGE_BYTES);
    uint64_t *took = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                          0);
    need(took != MAP_FAILED, "mmap");
    memset(pages, 1, FAULT_PAGES * PAGE_BYTES);
    pid_t child = fork();
    if (child == 0) {
        uint64_t start = now_ns();
        bool right = work_copy(pages, 1, stride);
        *took = (now_ns() - start) / FAULTS;
        _exit(right ? 0 : 1);
    }
    int status;
    need(child > 0 && waitpid(child, &status, 0) == child && status == 0, "fault");
    munmap(pages, FAULT_PAGES * PAGE_BYTES);
    *check = FAULT_PAGES;
    return *took;
}

static uint64_t fault(uint64_t *check)
{
    return faults(check, FAR);
}

static uint64_t fault_near(uint64_t *check)
{
    return faults(check, NEAR);
}

/* What is left of the linux machine's way of a fault when nobody is handed anything: a program that
 * keeps its pages in a file and learns of a write by SIGSEGV copies the page to a fresh one of the
 * file and maps that over it. */
static struct {
    int file;
    char *whole; /* the file, twice FAULT_PAGES */
    off_t fresh; /* its next page */
} by_hand;

static void copy_by_hand(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    char *page = (char *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE_BYTES - 1));
    memcpy(by_hand.whole + by_hand.fresh, page, PAGE_BYTES);
    char *at = mmap(page, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE,
                    by_hand.file, by_hand.fresh);
    need(at == page, "mmap");
    by_hand.fresh += PAGE_BYTES;
}

static uint64_t fault_by_hand(uint64_t *check)
{
    const size_t bytes = FAULT_PAGES * PAGE_BYTES;
    struct sigaction action = {.sa_sigaction = copy_by_hand, .sa_flags = SA_SIGINFO};
    by_hand.file = memfd_create("pages", MFD_CLOEXEC);
    need(ftruncate(by_hand.file, (off_t)(2 * bytes)) == 0, "memfd");
    by_hand.whole = mmap(NULL, 2 * bytes, PROT_READ | PROT_WRITE, MAP_SHARED, by_hand.file, 0);
    char *pages = mmap(NULL, bytes, PROT_READ, MAP_SHARED, by_hand.file, 0);
    need(by_hand.whole != MAP_FAILED && pages != MAP_FAILED, "mmap");
    memset(by_hand.whole, 1, bytes);
    by_hand.fresh = (off_t)bytes;
    need(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
    uint64_t start = now_ns();
    need(work_copy(pages, 1, FAR), "fault");
    uint64_t each = (now_ns() - start) / FAULTS;
    signal(SIGSEGV, SIG_DFL);
    munmap(pages, bytes);
    munmap(by_hand.whole, 2 * bytes);
    close(by_hand.file);
    *check = FAULT_PAGES;
    return each;
}

static void skip(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2; /* ud2 */
}

/* Nanoseconds of one, from SAMPLES times `count` of them. */
static uint64_t each(void (*one)(void), uint32_t count)
{
    uint64_t samples[SAMPLES];
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t k = 0; k < count; k++) {
            one();
        }
        samples[i] = (now_ns() - start) / count;
    }
    return work_median(samples, SAMPLES);
}

static void raise_fault(void)
{
    __asm__ volatile("ud2" ::: "memory");
}

/* What an upcall is to a program of the host's. */
static uint64_t own_signal(uint64_t *check)
{
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    need(sigaction(SIGILL, &action, NULL) == 0, "sigaction");
    *check = CALLS;
    return each(raise_fault, CALLS);
}

static void fork_once(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        _exit(7);
    }
    need(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7, "fork");
}

static void map_once(void)
{
    volatile char *pages = map(MAP_BYTES);
    need(pages[1] == 0, "map");
    pages[0] = 1;
    munmap((void *)(uintptr_t)pages, MAP_BYTES);
}

static uint64_t map_unmap(uint64_t *check)
{
    *check = MAPS;
    return each(map_once, MAPS);
}

static uint64_t fork_wait(uint64_t *check)
{
    *check = FORKS;
    return each(fork_once, FORKS);
}

/* The file that PERF_FILE names. */
static int open_file(void)
{
    const char *path = getenv("PERF_FILE");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    need(file >= 0, "PERF_FILE");
    return file;
}

static char chunk[CHUNK_BYTES] __attribute__((aligned(PAGE_BYTES)));

static uint64_t file_move(uint64_t *check, bool writes)
{
    uint64_t samples[SAMPLES];
    int file = open_file();
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t at = 0; at < FILE_BYTES; at += CHUNK_BYTES) {
            ssize_t moved = writes ? pwrite(file, chunk, CHUNK_BYTES, at)
                                   : pread(file, chunk, CHUNK_BYTES, at);
            need(moved == CHUNK_BYTES, "pread or pwrite");
            *check += writes ? CHUNK_BYTES : (unsigned char)chunk[at / CHUNK_BYTES];
        }
        samples[i] = now_ns() - start;
    }
    close(file);
    return work_median(samples, SAMPLES);
}

static uint64_t file_read(uint64_t *check)
{
    return file_move(check, false);
}

static uint64_t file_write(uint64_t *check)
{
    return file_move(check, true);
}

/* A byte to another process and back. */
static uint64_t round_trip(uint64_t *check)
{
    int there[2], back[2];
    uint64_t samples[SAMPLES];
    char byte = 1;
    need(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1) {
        }
        _exit(0);
    }
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t k = 0; k < CALLS; k++) {
            need(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "pipe");
        }
        samples[i] = (now_ns() - start) / CALLS;
    }
    close(there[1]);
    int status;
    need(waitpid(child, &status, 0) == child && status == 0, "pipe");
    *check = 40; /* what a machine's cold NOPs count */
    return work_median(samples, SAMPLES);
}

static uint64_t measure(const char *what, uint64_t *check)
{
    static const struct {
        const char *name;
        uint64_t (*measure)(uint64_t *check);
    } all[] = {{"compute", compute}, {"touch", touch},          {"call", call},
               {"map", map_unmap},   {"fault", fault},         {"fault-by-hand", fault_by_hand},
               {"pipe", round_trip}, {"one-cold", round_trip}, {"read", file_read},
               {"write", file_write}, {"signal", own_signal}, {"fork", fork_wait},
               {"fault-near", fault_near}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(what, all[i].name) == 0) {
            return all[i].measure(check);
        }
    }
    need(false, what);
    return 0;
}

/* --- commands --- */

/* Runs it; what it printed, of at most `size` bytes, goes to `out`. Returns its exit status. */
static int run(char **words, char *out, size_t size)
{
    int ends[2], status;
    pid_t child;
    posix_spawn_file_actions_t actions;
    need(pipe(ends) == 0 && posix_spawn_file_actions_init(&actions) == 0, "pipe");
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    need(posix_spawn(&child, words[0], &actions, NULL, words, environ) == 0, words[0]);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t used = 0;
    for (ssize_t n = 1; n > 0 && used < size - 1; used += n > 0 ? (size_t)n : 0) {
        n = read(ends[0], out + used, size - 1 - used);
    }
    out[used] = 0;
    close(ends[0]);
    need(waitpid(child, &status, 0) == child && WIFEXITED(status), words[0]);
    return WEXITSTATUS(status);
}

static uint64_t there(char **words, uint64_t *check)
{
    char text[100];
    unsigned long long ns;
    unsigned long long number;
    need(run(words, text, sizeof text) == 0, "the machine's program failed");
    need(sscanf(text, "%llu %llu", &ns, &number) == 2, text);
    *check = number;
    return ns;
}

static void pairs(size_t n, const char *what, char **words)
{
    uint64_t here[PAIRS_MAX], other[PAIRS_MAX], ratio[PAIRS_MAX];
    for (size_t i = 0; i < n; i++) {
        uint64_t check[2];
        here[i] = i % 2 == 0 ? measure(what, &check[0]) : 0;
        other[i] = there(words, &check[1]);
        here[i] = i % 2 == 0 ? here[i] : measure(what, &check[0]);
        need(check[0] == check[1], "the results differ");
        ratio[i] = other[i] * 1000 / here[i];
    }
    uint64_t median = work_median(ratio, n);
    printf("%lu %lu %lu %lu\n", work_median(here, n), work_median(other, n), median,
           ratio[n - 1] - ratio[0]);
}

static void command(size_t n, const char *text, char **words)
{
    uint64_t took[PAIRS_MAX];
    bool by_status = text[0] >= '0' && text[0] <= '9';
    for (size_t i = 0; i < n; i++) {
        char out[100];
        uint64_t start = now_ns();
        int status = run(words, out, sizeof out);
        took[i] = now_ns() - start;
        need(by_status ? status == atoi(text) : status == 0 && strcmp(out, text) == 0, out);
    }
    uint64_t median = work_median(took, n);
    printf("%lu %lu\n", median, took[n - 1] - took[0]);
}

static uint64_t ticks(void)
{
    uint64_t start_ns = now_ns(), start = __builtin_ia32_rdtsc();
    while (now_ns() - start_ns < 100000000) {
    }
    return (__builtin_ia32_rdtsc() - start) * 1000000 / (now_ns() - start_ns);
}

int main(int argc, char **argv)
{
    size_t n = argc > 4 ? (size_t)atoi(argv[2]) : 0;
    const char *what = argc > 4 ? argv[3] : argc == 2 ? argv[1] : "";
    if (strncmp(what, "one-", 4) == 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET((size_t)sched_getcpu(), &one);
        need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
    }
    if (argc == 2 && strcmp(what, "ticks") == 0) {
        printf("%lu\n", ticks());
    } else if (argc == 2) {
        uint64_t check, ns = measure(what, &check);
        printf("%lu %lu\n", ns, check);
    } else if (n == 0 || n > PAIRS_MAX) {
        need(false, "wrong usage");
    } else if (strcmp(argv[1], "pairs") == 0) {
        pairs(n, what, argv + 4);
    } else {
        command(n, what, argv + 4);
    }
    return 0;
}
