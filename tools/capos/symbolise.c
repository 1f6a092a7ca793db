/* Addresses of a program as a person reads them: function and offset from the program's own
 * symbols, file and line from addr2line where it is installed. */
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/capos/session.h"
#include "tools/image/elf_file.h"

/* "file.c:34" or NULL. The program is started without a shell, since the path may be anything. */
static char *line_of(const char *path, uint64_t address)
{
    int pipe_fds[2];
    char text[600];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return NULL;
    }
    char *number = format("%#llx", (unsigned long long)address);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(pipe_fds[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("addr2line", "addr2line", "-e", path, number, (char *)NULL);
        _exit(127);
    }
    close(pipe_fds[1]);
    ssize_t size = pid > 0 ? read(pipe_fds[0], text, sizeof(text) - 1) : 0;
    close(pipe_fds[0]);
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
    text[size > 0 ? size : 0] = 0;
    text[strcspn(text, "\n")] = 0;
    char *discriminator = strstr(text, " (discriminator");
    if (discriminator != NULL) {
        *discriminator = 0;
    }
    const char *root = path_root();
    size_t root_size = strlen(root);
    const char *shown = strncmp(text, root, root_size) == 0 && text[root_size] == '/'
                            ? text + root_size + 1
                            : text;
    return shown[0] == 0 || shown[0] == '?' || strstr(shown, ":?") != NULL ? NULL
                                                                           : format("%s", shown);
}

char *symbolise(const char *path, uint64_t image_base, uint64_t address, bool is_return)
{
    static struct bytes file;
    static const char *file_path;
    char *bare = format("%#llx", (unsigned long long)address);
    if (path == NULL) {
        return bare;
    }
    if (file_path != path) {
        file_path = path;
        if (!file_read(path, &file)) {
            file = (struct bytes){0};
        }
    }
    if (file.size < sizeof(Elf64_Ehdr)) {
        return bare;
    }
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file.data;
    uint64_t linked = header->e_type == ET_EXEC ? address : address - image_base;
    linked -= is_return; /* the call, not what comes after it */
    uint64_t offset;
    const char *function = elf_function_at(file, linked, &offset);
    if (function == NULL) {
        return bare;
    }
    char *line = line_of(path, linked);
    return line != NULL ? format("%s (%s)", function, line)
                        : format("%s+%#llx", function, (unsigned long long)(offset + is_return));
}
