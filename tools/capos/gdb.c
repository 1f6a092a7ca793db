/* `--gdb`: the machine stops at the program's first instruction and waits for the user's gdb, whose
 * commands are a file in the cache.
 *
 * QEMU starts stopped and serves gdb on a socket beside that file. Where the program will lie is
 * random, so gdb first goes to the kernel's host_link_started(), which is called with its place,
 * and from there to its entry. The kernel of the linux machine stops the program's process and
 * says the place over the link; gdb attaches to the process. Its text is shared memory that gdb
 * cannot write, so breakpoints there must be the processor's. */
#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tools/capos/command.h"
#include "tools/capos/session.h"

#define STOP_MAX_MS 5000 /* until the program's process has stopped */
#define KERNEL "build/x86_64/kernel.elf"

static const char *made[2]; /* files of ours */

void gdb_end(void)
{
    for (size_t i = 0; i < 2; i++) {
        if (made[i] != NULL) {
            unlink(made[i]);
        }
    }
}

static const char *own_file(size_t index, const char *suffix)
{
    const char *path = path_cache(format("gdb-%d%s", (int)getpid(), suffix));
    if (path == NULL) {
        fail(TOOL_FAILED, "neither the cache nor build/ can be written; set XDG_CACHE_HOME");
    }
    unlink(path);
    made[index] = path;
    return path;
}

const char *gdb_socket(void)
{
    const char *path = own_file(1, ".socket");
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path) ||
        strpbrk(path, ", ") != NULL) {
        fail(TOOL_FAILED, "%s is no name for a socket; set XDG_CACHE_HOME to another folder", path);
    }
    return path;
}

struct program {
    const char *path;
    uint64_t entry; /* as linked */
};

static struct program look_at(const struct manifest *m)
{
    struct program p = {0};
    struct bytes file;
    for (uint32_t i = 0; i < m->binary_count; i++) {
        if (strcmp(m->binaries[i].name, m->program) == 0) {
            p.path = realpath(m->binaries[i].path, NULL);
        }
    }
    if (p.path == NULL || !file_read(p.path, &file) || file.size < sizeof(Elf64_Ehdr)) {
        fail(TOOL_USAGE, "%s: %s", m->program, strerror(errno));
    }
    p.entry = ((const Elf64_Ehdr *)(const void *)file.data)->e_entry;
    return p;
}

static void tell(const char *commands)
{
    const char *path = own_file(0, ".gdb");
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || !write_all(fd, commands, strlen(commands))) {
        fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
    }
    close(fd);
    complain("stopped before the program's first instruction; in another terminal, type:");
    fprintf(stderr, "    gdb -q -x %s\n", path);
}

#define COMMON_COMMANDS "set confirm off\nset pagination off\nset architecture i386:x86-64\n"

void gdb_qemu(const struct manifest *m, const char *socket)
{
    struct program p = look_at(m);
    tell(format(COMMON_COMMANDS "symbol-file \"%s\"\n"
                                "set $started = (unsigned long)&host_link_started\n"
                                "target remote %s\n"
                                "thbreak *$started\n"
                                "continue\n"
                                "set $image = $rdi\n"
                                "symbol-file\n"
                                "add-symbol-file \"%s\" -o $image\n"
                                "thbreak *($image + %#llx)\n"
                                "continue\n",
                path_in_root(KERNEL), socket, p.path, (unsigned long long)p.entry));
}

/* The process in the kernel's group that is stopped: the program's. 0: none is. */
static int stopped_process(pid_t kernel)
{
    int found = 0;
    DIR *listing = opendir("/proc");
    for (struct dirent *e = listing != NULL ? readdir(listing) : NULL; e != NULL && found == 0;
         e = readdir(listing)) {
        struct bytes file;
        int parent, group;
        char state;
        if (!isdigit((unsigned char)e->d_name[0]) ||
            !file_read(format("/proc/%s/stat", e->d_name), &file)) {
            continue;
        }
        char *text = format("%.*s", (int)file.size, (const char *)file.data);
        char *after = strrchr(text, ')');
        if (after != NULL && sscanf(after, ") %c %d %d", &state, &parent, &group) == 3 &&
            state == 'T' && group == kernel) {
            found = atoi(e->d_name);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return found;
}

void gdb_linux(const struct manifest *m, pid_t kernel, uint64_t image)
{
    struct program p = look_at(m);
    int process = 0;
    for (uint64_t until = now_ms() + STOP_MAX_MS; process == 0 && now_ms() < until;) {
        poll(NULL, 0, 5);
        process = stopped_process(kernel);
    }
    if (process == 0) {
        fail(TOOL_FAILED, "the program's process does not stop for gdb");
    }
    tell(format(COMMON_COMMANDS "handle SIGSEGV SIGBUS SIGSYS SIGILL SIGUSR1 nostop noprint pass\n"
                                "handle SIGSTOP nostop noprint nopass\n"
                                "attach %d\n"
                                "symbol-file\n"
                                "add-symbol-file \"%s\" -o %#llx\n"
                                "tbreak *%#llx\n"
                                "continue\n",
                process, p.path, (unsigned long long)image,
                (unsigned long long)(image + p.entry)));
}
