/* Compiling a C source against libcapos, with the host's gcc.
 *
 * The compiler's words go to standard error as they are. Only for a header that capOS does not have there
 * is a line of our own: what the compiler would say ("No such file") is true and no help. */
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

/* Where the compiler keeps its own headers (stddef.h, stdarg.h …); libcapos has the rest. */
static const char *compiler_headers(void)
{
    struct words w = {0};
    struct bytes output;
    static const char *const words[] = {COMPILER, "-print-file-name=include"};
    add_all(&w, words, 2);
    if (run_captured(&w, &output) != 0 || output.size < 2) {
        fail(TOOL_FAILED, "there is no working %s; `capos setup` installs it", COMPILER);
    }
    output.data[output.size - 1] = 0;
    return (const char *)output.data;
}

static void add_flags(struct words *w)
{
    static const char *const flags[] = {
        "-std=gnu17", "-O2", "-g", "-fPIE", "-fno-stack-protector", "-fno-omit-frame-pointer",
        "-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-nostdinc"};
    static const char *const link_flags[] = {
        "-nostdlib", "-static-pie", "-Wl,--gc-sections", "-Wl,-z,noexecstack",
        "-Wl,-z,max-page-size=4096", "-Wl,--build-id=none", "-u", "_start"};
    add_all(w, flags, sizeof(flags) / sizeof(flags[0]));
    add_all(w, link_flags, sizeof(link_flags) / sizeof(link_flags[0]));
}

/* The compiler's complaint about a header in angle brackets: "FILE:LINE:COLUMN: fatal error: NAME: No
 * such file or directory", then the source line. NULL: it is about something else. */
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
    const char *library = path_in_root(LIBRARY);
    struct cache_entry entry = cache_find(source, format("1 %s", library));
    const char *program = cache_program(&entry);
    if (program != NULL) {
        return program;
    }
    cache_begin(&entry);
    char *dependencies = format("%s/dependencies", entry.fresh);
    add(&w, COMPILER);
    add_flags(&w);
    const char *const paths[] = {"-isystem", path_in_root("lib/capos/include"), "-isystem",
                                 compiler_headers(), "-idirafter", path_root(), "-MMD", "-MF",
                                 dependencies, "-o", format("%s/program.elf", entry.fresh),
                                 source[0] == '-' ? format("./%s", source) : source, library};
    add_all(&w, paths, sizeof(paths) / sizeof(paths[0]));
    struct bytes output;
    int status = run_captured(&w, &output);
    if (status == 0) {
        fwrite(output.data, 1, output.size, stderr);
        return cache_commit(&entry, dependencies, library);
    }
    cache_abandon(&entry);
    const char *text = (const char *)output.data;
    char *header = missing_header(text);
    if (header != NULL) {
        fail(TOOL_USAGE, "%s", header);
    }
    fwrite(output.data, 1, output.size, stderr);
    fail(TOOL_USAGE, "%s does not compile", source);
}
