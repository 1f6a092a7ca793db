/* Compiling a C source against libcapos, with the host's gcc.
 *
 * The compiler's words go to standard error as they are. Only for a header that capOS does not have
 * there is a line of our own: what the compiler would say ("No such file") is true and no help. */
#include "tools/capos/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/capos/cache.h"
#include "tools/capos/run.h"

#define LIBRARY "build/x86_64/libcapos.a"
#define FLAGS "build/x86_64/program.flags" /* a line before the source, a line after it */
#define COMPILER "gcc"

struct words {
    const char *items[64];
    uint32_t count;
};

static void add(struct words *w, const char *word)
{
    if (w->count + 1 >= sizeof(w->items) / sizeof(w->items[0])) {
        fail(TOOL_FAILED, "too many words for the compiler: a mistake in capos");
    }
    w->items[w->count++] = word;
}

static void add_all(struct words *w, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add(w, words[i]);
    }
}

/* Runs a program and gives back what it wrote to `fd` 1 and 2. Its exit status. */
static int run_captured(const struct words *w, struct bytes *output)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        fail(TOOL_FAILED, "pipe: %s", strerror(errno));
    }
    pid_t pid = fork();
    if (pid < 0) {
        fail(TOOL_FAILED, "%s could not be started: %s", w->items[0], strerror(errno));
    }
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        dup2(null, STDIN_FILENO);
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        setenv("LC_ALL", "C", 1);
        execvp(w->items[0], (char *const *)w->items);
        _exit(127);
    }
    close(fds[1]);
    *output = (struct bytes){0};
    for (;;) {
        output->data = reallocate(output->data, output->size + 4097);
        ssize_t got = read(fds[0], output->data + output->size, 4096);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        output->size += (size_t)got;
    }
    output->data[output->size] = 0;
    close(fds[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* The words of a line of FLAGS; folders of the repository in it are relative to its root. */
static void add_line(struct words *w, char *line)
{
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        bool include = strncmp(word, "-I", 2) == 0;
        const char *path = include ? word + 2 : word;
        if (strncmp(path, "lib/", 4) == 0 || strncmp(path, "build/", 6) == 0) {
            path = path_in_root(path);
            word = include ? format("-I%s", path) : format("%s", path);
        }
        add(w, word);
    }
}

/* The compiler's complaint about a header in angle brackets: "FILE:LINE:COLUMN: fatal error: NAME:
 * No such file or directory", then the source line. NULL: it is about something else. */
static char *missing_header(const char *output)
{
    static const char error[] = ": fatal error: ", reason[] = ": No such file or directory";
    const char *at = strstr(output, error);
    const char *end = at != NULL ? strstr(at, reason) : NULL;
    if (end == NULL || memchr(at, '\n', (size_t)(end - at)) != NULL) {
        return NULL;
    }
    char *name = format("%.*s", (int)(end - at - (ptrdiff_t)strlen(error)), at + strlen(error));
    if (strstr(end, format("<%s>", name)) == NULL) {
        return NULL;
    }
    const char *line_start = at;
    while (line_start > output && line_start[-1] != '\n') {
        line_start--;
    }
    char *place = format("%.*s", (int)(at - line_start), line_start);
    char *column = strrchr(place, ':');
    if (column != NULL) {
        *column = 0;
    }
    return format("%s: capOS's C library has no header <%s>", place, name);
}

const char *compile(const char *source)
{
    struct words w = {0};
    struct bytes flags, output;
    if (!file_read(path_in_root(FLAGS), &flags)) {
        fail(TOOL_FAILED, "%s: %s; run make", FLAGS, strerror(errno));
    }
    char *compile_line = format("%.*s", (int)flags.size, (const char *)flags.data);
    struct cache_entry entry = cache_find(source, compile_line);
    const char *program = cache_program(&entry);
    if (program != NULL) {
        return program;
    }
    char *link_line = strchr(compile_line, '\n');
    if (link_line == NULL) {
        fail(TOOL_FAILED, "%s is cut off; run make", FLAGS);
    }
    *link_line++ = 0;
    link_line[strcspn(link_line, "\n")] = 0;
    cache_begin(&entry);
    char *dependencies = format("%s/dependencies", entry.fresh);
    add(&w, COMPILER);
    add_line(&w, compile_line);
    const char *const paths[] = {"-idirafter", path_root(), "-MMD", "-MF", dependencies, "-o",
                                 format("%s/program.elf", entry.fresh),
                                 source[0] == '-' ? format("./%s", source) : source};
    add_all(&w, paths, sizeof(paths) / sizeof(paths[0]));
    add_line(&w, link_line);
    int status = run_captured(&w, &output);
    if (status == 0) {
        fwrite(output.data, 1, output.size, stderr);
        return cache_commit(&entry, dependencies, path_in_root(LIBRARY));
    }
    cache_abandon(&entry);
    char *header = missing_header((const char *)output.data);
    if (header != NULL) {
        fail(TOOL_USAGE, "%s", header);
    }
    fwrite(output.data, 1, output.size, stderr);
    fail(TOOL_USAGE, "%s does not compile", source);
}
