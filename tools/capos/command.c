/* See command.h. */
#include "tools/capos/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void command_add(struct command *command, const char *word)
{
    if (command->count + 1 >= COMMAND_WORDS_MAX) {
        fail(TOOL_FAILED, "too many words for %s: a mistake in capos", command->words[0]);
    }
    command->words[command->count++] = word;
}

static void read_all(int fd, struct bytes *output)
{
    *output = (struct bytes){0};
    for (;;) {
        output->data = reallocate(output->data, output->size + 4097);
        ssize_t got = read(fd, output->data + output->size, 4096);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        output->size += (size_t)got;
    }
    output->data[output->size] = 0;
}

int command_output(const struct command *command, bool errors_too, struct bytes *output)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fail(TOOL_FAILED, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        fail(TOOL_FAILED, "%s could not be started: %s", command->words[0], strerror(errno));
    }
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        dup2(errors_too ? fds[1] : null, STDERR_FILENO);
        setenv("LC_ALL", "C", 1);
        execvp(command->words[0], (char *const *)command->words);
        _exit(127);
    }
    close(fds[1]);
    read_all(fds[0], output);
    close(fds[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
