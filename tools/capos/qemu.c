/* Starting QEMU. Every option that is not needed is off: the time from here to the kernel's first
 * instruction is part of every run. */
#include "tools/capos/qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/qemu.h"
#include "tools/capos/command.h"

#define QEMU_NAME "qemu-system-x86_64"

/* The child's descriptors, below which it has only the standard three; the folders come last. */
enum child_fd {
    CHILD_LINK = 3,
    CHILD_SERIAL = 4,
    CHILD_PACKAGE = 5,
    CHILD_FOLDERS = 6,
    CHILD_MOST = CHILD_FOLDERS + HOST_FOLDERS_MAX
};

static void add(struct command *c, const char *first, const char *second)
{
    command_add(c, first);
    if (second != NULL) {
        command_add(c, second);
    }
}

static bool may_install;

const char *qemu_look(void)
{
    const char *own = getenv("CAPOS_QEMU");
    const char *path = getenv("PATH");
    if (own != NULL && own[0] != 0) {
        if (access(own, X_OK) != 0) {
            fail(TOOL_USAGE, "CAPOS_QEMU=%s: %s", own, strerror(errno));
        }
        return own;
    }
    for (const char *at = path != NULL ? path : "/usr/bin"; at != NULL;) {
        size_t size = strcspn(at, ":");
        char *candidate = format("%.*s/%s", (int)size, at, QEMU_NAME);
        if (size > 0 && access(candidate, X_OK) == 0) {
            return candidate;
        }
        free(candidate);
        at = at[size] == ':' ? at + size + 1 : NULL;
    }
    return NULL;
}

void qemu_may_install(void)
{
    may_install = true;
}

const char *qemu_install(void)
{
    if (!may_install) {
        return NULL;
    }
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", path_in_root("tools/capos/setup.sh"), "qemu", (char *)NULL);
        _exit(TOOL_FAILED);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    return qemu_look();
}

const char *qemu_find(void)
{
    const char *path = qemu_look();
    if (path == NULL) {
        path = qemu_install();
    }
    if (path == NULL) {
        fail(may_install ? TOOL_FAILED : TOOL_USAGE,
             "there is no " QEMU_NAME "; `./capos setup --machine qemu` installs it (Debian's "
             "package qemu-system-x86)");
    }
    return path;
}

static void machine_words(struct command *w, const struct qemu_options *o, const char *qemu)
{
    bool kvm = o->accel == ACCEL_KVM;
    add(w, qemu, NULL);
    add(w, "-nodefaults", "-no-user-config");
    add(w, "-display", "none");
    add(w, "-no-reboot", NULL);
    /* QEMU is part of the wall: it may do no more than it needs. Costs nothing that can be
     * measured. */
    add(w, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    add(w, "-M",
        "microvm,acpi=off,pic=off,pit=off,rtc=off,auto-kernel-cmdline=off,x-option-roms=off");
    add(w, "-accel", kvm ? "kvm" : "tcg");
    add(w, "-cpu", kvm ? "host" : "max");
    add(w, "-smp", format("%u", o->cpus));
    add(w, "-m", format("%lluk", (unsigned long long)o->memory >> 10));
    add(w, "-kernel", o->kernel);
    add(w, "-append", format("cpus=%u", o->cpus));
    add(w, "-device", format("isa-debug-exit,iobase=0x%x,iosize=1", QEMU_EXIT_PORT));
    add(w, "-chardev", format("socket,id=serial,fd=%d", CHILD_SERIAL));
    add(w, "-serial", "chardev:serial");
    if (!o->no_link) {
        add(w, "-global", "virtio-mmio.force-legacy=false");
        add(w, "-device", "virtio-serial-device,max_ports=2,bus=virtio-mmio-bus.0");
        add(w, "-chardev", format("socket,id=link,fd=%d", CHILD_LINK));
        add(w, "-device", format("virtserialport,chardev=link,nr=%d", QEMU_LINK_PORT));
    }
    if (o->gdb_socket != NULL) {
        add(w, "-chardev", format("socket,id=gdb,server=on,wait=off,path=%s", o->gdb_socket));
        add(w, "-gdb", "chardev:gdb");
        add(w, "-S", NULL);
    }
    if (o->package.size > 0) {
        add(w, "-initrd", format("/proc/self/fd/%d", CHILD_PACKAGE));
    }
}

/* The linux machine: kernel/arch/linux/boot.c. */
static void linux_words(struct command *w, const struct qemu_options *o)
{
    const char *own = getenv("CAPOS_KERNEL");
    add(w, own != NULL && own[0] != 0 ? own : o->kernel, NULL);
    add(w, "--package", format("/proc/self/fd/%d", CHILD_PACKAGE));
    add(w, "--mem", format("%llu", (unsigned long long)o->memory));
    add(w, "--cpus", format("%u", o->cpus));
    add(w, "--link", format("%d", CHILD_LINK));
    add(w, "--log", format("%d", CHILD_SERIAL));
    for (uint32_t i = 0; o->folders != NULL && i < o->folders->count; i++) {
        const struct folder *f = &o->folders->items[i];
        add(w, f->read_only ? "--dir-ro" : "--dir",
            format("%u:%s", CHILD_FOLDERS + i, f->grant->name));
    }
    if (o->gdb) {
        add(w, "--gdb", "1");
    }
}

/* A file without a name that holds the bytes. */
static int memory_file(struct bytes contents)
{
    int fd = memfd_create("capos-package", MFD_CLOEXEC);
    if (fd < 0 || !write_all(fd, contents.data, contents.size)) {
        fail(TOOL_FAILED, "no memory for the boot package: %s", strerror(errno));
    }
    return fd;
}

static void make_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ||
        fcntl(pair[0], F_SETFL, O_NONBLOCK) != 0) {
        fail(TOOL_FAILED, "no sockets for the machine: %s", strerror(errno));
    }
}

/* In the child: puts each descriptor at its number. First all move out of the way, above the
 * numbers. */
static void place_descriptors(const int *from, int errors)
{
    int high[CHILD_MOST];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = CHILD_LINK; i < CHILD_MOST; i++) {
        high[i] = from[i] >= 0 ? fcntl(from[i], F_DUPFD_CLOEXEC, CHILD_MOST) : -1;
    }
    int high_errors = fcntl(errors, F_DUPFD_CLOEXEC, CHILD_MOST);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(high_errors, STDERR_FILENO);
    for (int i = CHILD_LINK; i < CHILD_MOST; i++) {
        if (high[i] >= 0) {
            dup2(high[i], i);
        }
    }
}

/* As fork(). The linux machine's kernel is the first process of namespaces of its own where the
 * host allows that: so it can signal nobody but its own processes, and they end with it, whatever
 * happens. Not for gdb, which would be told numbers that mean nothing outside, nor for root with
 * folders, who could open less in there. */
static pid_t fork_apart(const struct qemu_options *o)
{
    bool has_folders = o->folders != NULL && o->folders->count > 0;
    bool wanted = o->machine == MACHINE_LINUX && !o->gdb && !(has_folders && geteuid() == 0);
    long flags = CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD;
    long pid = wanted ? syscall(SYS_clone, flags, 0, 0, 0, 0) : -1;
    return pid >= 0 ? (pid_t)pid : fork();
}

/* In the child, whose copy of the other end is closed: whether the parent died before it could be
 * noticed by its signal. */
static bool is_orphan(int end)
{
    struct pollfd p = {.fd = end};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

struct qemu qemu_start(const struct qemu_options *o)
{
    struct command command = {0};
    int link[2] = {-1, -1}, serial[2], errors[2];
    if (o->machine == MACHINE_LINUX) {
        linux_words(&command, o);
    } else {
        machine_words(&command, o, qemu_find());
    }
    if (!o->no_link) {
        make_pair(link);
    }
    make_pair(serial);
    make_pair(errors);
    int package = o->package.size > 0 ? memory_file(o->package) : -1;
    pid_t pid = fork_apart(o);
    if (pid < 0) {
        fail(TOOL_FAILED, "the machine could not be started: %s", strerror(errno));
    }
    if (pid == 0) {
        int from[CHILD_MOST] = {-1, -1, -1, link[1], serial[1], package};
        for (uint32_t i = 0; i < HOST_FOLDERS_MAX; i++) {
            bool has = o->folders != NULL && i < o->folders->count;
            from[CHILD_FOLDERS + i] = has ? o->folders->items[i].fd : -1;
        }
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        setpgid(0, 0); /* the terminal's Ctrl-C is for us, who end it in order */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a broken KVM makes QEMU abort */
        close(errors[0]);
        if (is_orphan(errors[1])) {
            _exit(TOOL_FAILED);
        }
        place_descriptors(from, errors[1]);
        execv(command.words[0], (char *const *)command.words);
        static const char text[] = "cannot be executed\n";
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        _exit(TOOL_FAILED);
    }
    if (link[1] >= 0) {
        close(link[1]);
    }
    close(serial[1]);
    close(errors[1]);
    if (package >= 0) {
        close(package);
    }
    return (struct qemu){.pid = pid, .link = link[0], .serial = serial[0], .errors = errors[0]};
}
