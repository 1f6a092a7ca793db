/* What only the host can do to a folder that a program has.
 *
 *   folder_host socket PATH        makes one there
 *   folder_host swap SECONDS A B   exchanges the two for so long, as fast as it can
 *   folder_host without ERROR COMMAND...   runs it without openat2(), which answers ERROR, as with
 *                                  a filter that does not know the call */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int make_socket(const char *path)
{
    /* its address is short, a path may be long */
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "folder_host.socket"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(address.sun_path);
    return s < 0 || bind(s, (struct sockaddr *)&address, sizeof address) != 0 ||
           rename(address.sun_path, path) != 0;
}

static int swap(int seconds, const char *a, const char *b)
{
    time_t end = time(NULL) + seconds;
    unsigned long count = 0;
    while (time(NULL) < end) {
        for (int i = 0; i < 100; i++, count++) {
            if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0) {
                return 1;
            }
        }
    }
    return count < 100;
}

static int without_openat2(int error, char **words)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog all = {.len = sizeof program / sizeof program[0], .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) != 0) {
        return 1;
    }
    execv(words[0], words);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "socket") == 0) {
        return make_socket(argv[2]);
    }
    if (argc == 5 && strcmp(argv[1], "swap") == 0) {
        return swap(atoi(argv[2]), argv[3], argv[4]);
    }
    if (argc >= 4 && strcmp(argv[1], "without") == 0) {
        return without_openat2(atoi(argv[2]), argv + 3);
    }
    return 2;
}
