/* Compiling a C source against libcapos, with the host's gcc.
 *
 * The compiler's words go to standard error as they are. Only for a header that capOS does not have
 * there is a line of our own: what the compiler would say ("No such file") is true and no help. */
#include "tools/capos/compile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/capos/cache.h"
#include "tools/capos/command.h"
#include "tools/capos/run.h"

#define LIBRARY "build/x86_64/libcapos.a"
#define FLAGS "build/x86_64/program.flags" /* a line before the source, a line after it */
#define COMPILER "gcc"

/* The words of a line of FLAGS; folders of the repository in it are relative to its root. */
static void add_line(struct command *c, char *line)
{
    for (char *word = strtok(line, " "); word != NULL; word = strtok(NULL, " ")) {
        bool include = strncmp(word, "-I", 2) == 0;
        const char *path = include ? word + 2 : word;
        if (strncmp(path, "lib/", 4) == 0 || strncmp(path, "build/", 6) == 0) {
            path = path_in_root(path);
            word = include ? format("-I%s", path) : format("%s", path);
        }
        command_add(c, word);
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
    struct command c = {0};
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
    command_add(&c, COMPILER);
    add_line(&c, compile_line);
    const char *const paths[] = {"-idirafter", path_root(), "-MMD", "-MF", dependencies, "-o",
                                 format("%s/program.elf", entry.fresh),
                                 source[0] == '-' ? format("./%s", source) : source};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        command_add(&c, paths[i]);
    }
    add_line(&c, link_line);
    int status = command_output(&c, true, &output);
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
