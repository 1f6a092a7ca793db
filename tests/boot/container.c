/* Runs a command as a container engine would by default: no new privileges, a filter that allows a
 * list of Linux's calls and answers EPERM to all others, no user namespaces, at most 512 MiB of
 * private memory.
 *
 *   container [--deny CALL]... [--user] COMMAND ARGUMENTS
 *
 * --deny takes a call off the list; --user gives root up. The list is what the common engines
 * allow without capabilities; of clone they refuse the flags that make namespaces, and clone3 does
 * not exist. */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MEMORY (512ull << 20)
#define NOBODY 65534
#define NAMESPACES                                                                                \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |                 \
     CLONE_NEWPID | CLONE_NEWNET)

#define C(name) {#name, __NR_##name}
static struct {
    const char *name;
    unsigned number;
} calls[] = {
    C(accept), C(accept4), C(access), C(alarm), C(arch_prctl), C(bind), C(brk), C(capget),
    C(capset), C(chdir), C(chmod), C(chown), C(clock_getres), C(clock_gettime),
    C(clock_nanosleep), C(close), C(close_range), C(connect), C(copy_file_range), C(creat), C(dup),
    C(dup2), C(dup3), C(epoll_create), C(epoll_create1), C(epoll_ctl), C(epoll_pwait),
    C(epoll_wait), C(eventfd), C(eventfd2), C(execve), C(execveat), C(exit), C(exit_group),
    C(faccessat), C(faccessat2), C(fadvise64), C(fallocate), C(fchdir), C(fchmod), C(fchmodat),
    C(fchown), C(fchownat), C(fcntl), C(fdatasync), C(fgetxattr), C(flistxattr), C(flock),
    C(fork), C(fstat), C(fstatfs), C(fsync), C(ftruncate), C(futex), C(futimesat), C(getcpu),
    C(getcwd), C(getdents), C(getdents64), C(getegid), C(geteuid), C(getgid), C(getgroups),
    C(getitimer), C(getpeername), C(getpgid), C(getpgrp), C(getpid), C(getppid), C(getpriority),
    C(getrandom), C(getresgid), C(getresuid), C(getrlimit), C(get_robust_list), C(getrusage),
    C(getsid), C(getsockname), C(getsockopt), C(get_thread_area), C(gettid), C(gettimeofday),
    C(getuid), C(getxattr), C(inotify_add_watch), C(inotify_init), C(inotify_init1),
    C(inotify_rm_watch), C(ioctl), C(ioprio_get), C(ioprio_set), C(kill), C(lchown), C(link),
    C(linkat), C(listen), C(listxattr), C(lseek), C(lstat), C(madvise), C(membarrier),
    C(memfd_create), C(mincore), C(mkdir), C(mkdirat), C(mknod), C(mknodat), C(mlock), C(mlock2),
    C(mlockall), C(mmap), C(mprotect), C(mremap), C(msync), C(munlock), C(munlockall), C(munmap),
    C(nanosleep), C(newfstatat), C(open), C(openat), C(openat2), C(pause), C(pidfd_open),
    C(pidfd_send_signal), C(pipe), C(pipe2), C(poll), C(ppoll), C(prctl), C(pread64), C(preadv),
    C(preadv2), C(prlimit64), C(process_vm_readv), C(process_vm_writev), C(pselect6), C(ptrace),
    C(pwrite64), C(pwritev), C(pwritev2), C(read), C(readahead), C(readlink), C(readlinkat),
    C(readv), C(recvfrom), C(recvmmsg), C(recvmsg), C(rename), C(renameat), C(renameat2),
    C(restart_syscall), C(rmdir), C(rseq), C(rt_sigaction), C(rt_sigpending), C(rt_sigprocmask),
    C(rt_sigqueueinfo), C(rt_sigreturn), C(rt_sigsuspend), C(rt_sigtimedwait),
    C(rt_tgsigqueueinfo), C(sched_getaffinity), C(sched_getattr), C(sched_getparam),
    C(sched_get_priority_max), C(sched_get_priority_min), C(sched_getscheduler),
    C(sched_rr_get_interval), C(sched_setaffinity), C(sched_setattr), C(sched_setparam),
    C(sched_setscheduler), C(sched_yield), C(seccomp), C(select), C(sendfile), C(sendmmsg),
    C(sendmsg), C(sendto), C(setfsgid), C(setfsuid), C(setgid), C(setgroups), C(setitimer),
    C(setpgid), C(setpriority), C(setregid), C(setresgid), C(setresuid), C(setreuid),
    C(setrlimit), C(set_robust_list), C(setsid), C(setsockopt), C(set_thread_area),
    C(set_tid_address), C(setuid), C(shutdown), C(sigaltstack), C(signalfd), C(signalfd4),
    C(socket), C(socketpair), C(splice), C(stat), C(statfs), C(statx), C(symlink), C(symlinkat),
    C(sync), C(sync_file_range), C(syncfs), C(sysinfo), C(tee), C(tgkill), C(time),
    C(timer_create), C(timer_delete), C(timer_getoverrun), C(timer_gettime), C(timer_settime),
    C(timerfd_create), C(timerfd_gettime), C(timerfd_settime), C(times), C(tkill), C(truncate),
    C(umask), C(uname), C(unlink), C(unlinkat), C(utime), C(utimensat), C(utimes), C(vfork),
    C(wait4), C(waitid), C(write), C(writev),
};
#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

static void need(int good, const char *what)
{
    if (!good) {
        fprintf(stderr, "container: %s: %s\n", what, strerror(errno));
        exit(99);
    }
}

static void deny(const char *name)
{
    for (size_t i = 0; i < CALL_COUNT; i++) {
        if (strcmp(calls[i].name, name) == 0) {
            calls[i].number = ~0u;
            return;
        }
    }
    errno = EINVAL;
    need(0, name);
}

static void filter(void)
{
    static struct sock_filter program[2 * CALL_COUNT + 16];
    unsigned short n = 0;
#define ADD(...) program[n++] = (struct sock_filter)__VA_ARGS__
#define LOAD(field) ADD(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field)))
#define ANSWER(verdict) ADD(BPF_STMT(BPF_RET | BPF_K, verdict))
#define UNLESS(value) ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1))
    LOAD(arch);
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
    ANSWER(SECCOMP_RET_ERRNO | EPERM);
    LOAD(nr);
    for (size_t i = 0; i < CALL_COUNT; i++) {
        UNLESS(calls[i].number);
        ANSWER(SECCOMP_RET_ALLOW);
    }
    UNLESS(__NR_clone3);
    ANSWER(SECCOMP_RET_ERRNO | ENOSYS);
    ADD(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 0, 3));
    LOAD(args[0]);
    ADD(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 1, 0));
    ANSWER(SECCOMP_RET_ALLOW);
    ANSWER(SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog p = {.len = n, .filter = program};
    need(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0, "no filter");
}

int main(int argc, char **argv)
{
    int at = 1, other_user = 0;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--user") == 0) {
            other_user = 1;
        } else if (strcmp(argv[at], "--deny") == 0 && at + 1 < argc) {
            deny(argv[++at]);
        }
    }
    if (other_user) {
        need(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0,
             "no other user");
    }
    need(setrlimit(RLIMIT_DATA, &(struct rlimit){MEMORY, MEMORY}) == 0, "no limit of memory");
    need(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
    filter();
    need(unshare(CLONE_NEWUSER) != 0 && at < argc, "there are user namespaces");
    execvp(argv[at], argv + at);
    need(0, argv[at]);
}
