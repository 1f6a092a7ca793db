/* killer MOMENTS SEED COMMAND...: runs COMMAND, which starts a machine of tests/linux/phases.c, and
 * sends SIGKILL to the kernel's process, or every eighth time to COMMAND itself, at random moments
 * of each phase in turn: the start of machine and program, forks, threads, changes of memory, the
 * end. Then no process of the machine may be left, dead or alive, and at last none of its memory:
 * nobody has its files open or mapped, and /dev/shm is as before.
 *
 * It is the reaper of all that its children leave, so what a machine has left is a child of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRIALS 5 /* undisturbed, to know how long it lives */
#define FILES_MAX 20000
#define GONE_NS 5000000000ull /* by then all must be; hosts are busy */
#define START_NS 20000000000ull
#define PHASES 5
#define LETTERS "ftme" /* with which all but the first begin */

struct machine {
    pid_t command, kernel;
    int handle, output; /* handle: of the kernel, whose number may be somebody else's later */
    uint64_t start_ns;
};

static ino_t files[FILES_MAX]; /* of all machines' memory */
static size_t file_count;
static unsigned met[PHASES]; /* by the last letter that was said */

static _Noreturn void fail(const char *what, long number)
{
    printf("killer: %s (%ld)\n", what, number);
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
    }
}

static uint64_t random_below(uint64_t *state, uint64_t below)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return below == 0 ? 0 : (z ^ z >> 31) % below;
}

/* The kernel's process is the command's only child. 0: it has none yet. */
static pid_t child_of(pid_t command)
{
    char path[64], text[32];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)command, (int)command);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    return (pid_t)atoi(text);
}

static struct machine start(char **words)
{
    int ends[2];
    struct machine m = {.kernel = 0};
    if (pipe2(ends, O_CLOEXEC) != 0 || (m.command = fork()) < 0) {
        fail("no process", errno);
    }
    if (m.command == 0) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(ends[1], 1);
        dup2(null, 2);
        execv(words[0], words);
        _exit(127);
    }
    close(ends[1]);
    m.output = ends[0];
    uint64_t begin = now_ns();
    siginfo_t info = {.si_pid = 0};
    while ((m.kernel = child_of(m.command)) == 0) {
        if (info.si_pid != 0 || now_ns() - begin > START_NS) {
            fail("the command starts no machine, or Linux does not say which", m.command);
        }
        waitid(P_PID, (id_t)m.command, &info, WEXITED | WNOHANG | WNOWAIT);
    }
    m.start_ns = now_ns();
    m.handle = (int)syscall(SYS_pidfd_open, m.kernel, 0);
    return m;
}

/* Calls with each file of a machine's memory that the process has open. Who is not root may not
 * look into a kernel's: it is not dumpable. */
static void each_file(long pid, void (*use)(ino_t file, const char *where))
{
    char path[300], name[64];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%ld/fd", pid);
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%ld/fd/%.20s", pid, e->d_name);
        ssize_t n = readlink(path, name, sizeof name - 1);
        name[n > 0 ? n : 0] = 0;
        if (strncmp(name, "/memfd:capos", 12) == 0 && stat(path, &status) == 0) {
            use(status.st_ino, path);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}

static void note(ino_t file, const char *where)
{
    (void)where;
    if (file_count < FILES_MAX) {
        files[file_count++] = file;
    }
}

/* Reads what it says up to the letter with which the phase begins, or to its end: PHASES. Returns
 * the phase that it has reached. */
static unsigned read_up_to(const struct machine *m, unsigned phase, unsigned reached)
{
    char letter;
    while (reached < phase) {
        ssize_t n = read(m->output, &letter, 1);
        const char *at = n == 1 ? strchr(LETTERS, letter) : NULL;
        if (n == 0 || (n < 0 && errno != EINTR)) {
            break;
        }
        reached = at != NULL ? (unsigned)(at - LETTERS) + 1 : reached;
    }
    return reached;
}

static void expect_nobody(unsigned phase, uint64_t moment_ns)
{
    uint64_t until = now_ns() + GONE_NS;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) >= 0) {
        if (now_ns() > until) {
            printf("killed %lu us after phase %u began: ", (unsigned long)(moment_ns / 1000),
                   phase);
            fail("there is still a process", child_of(getpid()));
        }
        if (pid == 0) {
            sleep_until(now_ns() + 200000);
        }
    }
}

static void kill_at(char **words, unsigned phase, uint64_t moment_ns, bool command)
{
    struct machine m = start(words);
    unsigned reached = read_up_to(&m, phase, 0);
    sleep_until((phase == 0 ? m.start_ns : now_ns()) + moment_ns);
    each_file(m.kernel, note);
    if (command) {
        kill(m.command, SIGKILL);
    } else {
        syscall(SYS_pidfd_send_signal, m.handle, SIGKILL, NULL, 0); /* it may have ended */
    }
    close(m.handle);
    met[read_up_to(&m, PHASES, reached)]++;
    close(m.output);
    waitpid(m.command, NULL, 0);
    expect_nobody(phase, moment_ns);
}

static int in_order(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* How long each phase takes, undisturbed: the medians. */
static void measure(char **words, uint64_t took_ns[PHASES])
{
    uint64_t all[PHASES][TRIALS];
    for (int i = 0; i < TRIALS; i++) {
        int status;
        struct machine m = start(words);
        uint64_t last = m.start_ns;
        for (unsigned phase = 1; phase <= PHASES; phase++) {
            unsigned reached = read_up_to(&m, phase, phase - 1);
            if (reached != (phase < PHASES ? phase : PHASES - 1)) {
                fail("the program does not get to its end by itself", reached);
            }
            all[phase - 1][i] = now_ns() - last;
            last = now_ns();
        }
        close(m.output);
        close(m.handle);
        if (waitpid(m.command, &status, 0) != m.command || status != 0) {
            fail("the program fails by itself", status);
        }
        expect_nobody(PHASES, 0);
    }
    for (unsigned phase = 0; phase < PHASES; phase++) {
        qsort(all[phase], TRIALS, sizeof all[phase][0], in_order);
        took_ns[phase] = all[phase][TRIALS / 2];
    }
}

/* --- memory --- */

static void expect_not_ours(ino_t file, const char *where)
{
    for (size_t i = 0; i < file_count; i++) {
        if (files[i] == file) {
            printf("%s: ", where);
            fail("memory of a machine is left", (long)file);
        }
    }
}

static void look_at_process(long pid)
{
    char path[64], line[500];
    unsigned long file;
    snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strstr(line, "/memfd:capos") != NULL &&
            sscanf(line, "%*s %*s %*s %*s %lu", &file) == 1) {
            expect_not_ours((ino_t)file, path);
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    each_file(pid, expect_not_ours);
}

static void expect_no_memory(void)
{
    DIR *d = opendir("/proc");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
            look_at_process(atol(e->d_name));
        }
    }
    closedir(d);
}

static unsigned shared_files(void)
{
    unsigned count = 0;
    DIR *d = opendir("/dev/shm");
    while (d != NULL && readdir(d) != NULL) {
        count++;
    }
    if (d != NULL) {
        closedir(d);
    }
    return count;
}

int main(int argc, char **argv)
{
    uint64_t moments = argc > 3 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t state = argc > 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (moments == 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        fail("usage: killer MOMENTS SEED COMMAND...", argc);
    }
    printf("seed %s, %s moments\n", argv[2], argv[1]);
    fflush(stdout);
    unsigned before = shared_files();
    uint64_t took_ns[PHASES];
    measure(argv + 3, took_ns);
    for (uint64_t i = 0; i < moments; i++) {
        unsigned phase = (unsigned)(i % PHASES);
        kill_at(argv + 3, phase, random_below(&state, took_ns[phase]), i % 8 == 7);
    }
    expect_no_memory();
    if (shared_files() != before) {
        fail("/dev/shm is not as before", shared_files());
    }
    static const char *const names[PHASES] = {"start", "forks", "threads", "memory", "end"};
    for (unsigned phase = 0; phase < PHASES; phase++) {
        printf("%s: %lu us, killed there %u times\n", names[phase],
               (unsigned long)(took_ns[phase] / 1000), met[phase]);
        if (met[phase] == 0 && moments >= 50) {
            fail("a phase was not met", phase);
        }
    }
    printf("%lu files of memory looked for\n", (unsigned long)file_count);
    return 0;
}
