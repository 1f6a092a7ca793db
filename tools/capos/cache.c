/* See cache.h. */
#include "tools/capos/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/capos/run.h"

#define ENTRIES_MAX 64

static uint64_t hash(uint64_t start, const char *text)
{
    for (; *text != 0; text++) { /* FNV-1a */
        start = (start ^ (uint8_t)*text) * 0x100000001b3ull;
    }
    return start;
}

struct cache_entry cache_find(const char *source, const char *flags)
{
    char absolute[PATH_MAX];
    if (realpath(source, absolute) == NULL) {
        fail(TOOL_USAGE, "%s: %s", source, strerror(errno));
    }
    uint64_t first = hash(hash(0xcbf29ce484222325ull, absolute), flags);
    uint64_t second = hash(hash(first ^ 0x9e3779b97f4a7c15ull, flags), absolute);
    const char *folder = path_cache(format("programs/%016llx%016llx", (unsigned long long)first,
                                           (unsigned long long)second));
    if (folder == NULL) {
        fail(TOOL_FAILED, "neither the cache nor build/ can be written; set XDG_CACHE_HOME");
    }
    return (struct cache_entry){.folder = folder};
}

/* "SIZE SECONDS.NANOSECONDS PATH"; NULL: the file is not there. */
static char *made_of_line(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        return NULL;
    }
    return format("%lld %lld.%09ld %s", (long long)status.st_size, (long long)status.st_mtim.tv_sec,
                  status.st_mtim.tv_nsec, path);
}

const char *cache_program(const struct cache_entry *entry)
{
    struct bytes file;
    if (!file_read(format("%s/made-of", entry->folder), &file)) {
        return NULL;
    }
    char *text = format("%.*s", (int)file.size, (const char *)file.data);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *path = strchr(line, '/');
        char *now = path != NULL ? made_of_line(path) : NULL;
        if (now == NULL || strcmp(now, line) != 0) {
            return NULL;
        }
    }
    const char *program = format("%s/program.elf", entry->folder);
    utimensat(AT_FDCWD, entry->folder, NULL, 0); /* used now: not the oldest */
    return access(program, R_OK) == 0 ? program : NULL;
}

void cache_begin(struct cache_entry *entry)
{
    char *path = format("%s.XXXXXX", entry->folder);
    if (mkdtemp(path) == NULL) {
        fail(TOOL_FAILED, "%s: %s", path, strerror(errno));
    }
    entry->fresh = path;
}

static void remove_folder(const char *folder)
{
    DIR *listing = opendir(folder);
    if (listing != NULL) {
        for (struct dirent *e = readdir(listing); e != NULL; e = readdir(listing)) {
            unlinkat(dirfd(listing), e->d_name, 0);
        }
        closedir(listing);
    }
    rmdir(folder);
}

/* Removes the entries that were not used for the longest time. */
static void prune(const char *programs)
{
    for (;;) {
        char *oldest = NULL;
        struct timespec oldest_time = {0};
        uint32_t count = 0;
        DIR *listing = opendir(programs);
        for (struct dirent *e = listing != NULL ? readdir(listing) : NULL; e != NULL;
             e = readdir(listing)) {
            struct stat status;
            if (e->d_name[0] == '.' || fstatat(dirfd(listing), e->d_name, &status, 0) != 0) {
                continue;
            }
            count++;
            if (oldest == NULL || status.st_mtim.tv_sec < oldest_time.tv_sec) {
                oldest = format("%s/%s", programs, e->d_name);
                oldest_time = status.st_mtim;
            }
        }
        if (listing != NULL) {
            closedir(listing);
        }
        if (count <= ENTRIES_MAX) {
            return;
        }
        remove_folder(oldest);
    }
}

/* The files in a dependency file as the compiler writes it: "target: a b \", spaces escaped. */
static bool write_made_of(FILE *out, const char *dependencies)
{
    struct bytes file;
    if (!file_read(dependencies, &file)) {
        return false;
    }
    char *text = format("%.*s", (int)file.size, (const char *)file.data);
    char *at = strchr(text, ':');
    for (at = at != NULL ? at + 1 : text; *at != 0;) {
        char path[PATH_MAX], absolute[PATH_MAX];
        size_t size = 0;
        at += strspn(at, " \t\r\n");
        for (; *at != 0 && strchr(" \t\r\n", *at) == NULL && size + 1 < sizeof(path); at++) {
            if (*at == '\\' && at[1] == '\n') {
                break;
            }
            if (*at == '\\' && (at[1] == ' ' || at[1] == '#' || at[1] == '\\')) {
                at++;
            } else if (*at == '$' && at[1] == '$') {
                at++;
            }
            path[size++] = *at;
        }
        path[size] = 0;
        at += *at == '\\';
        char *line = size > 0 && realpath(path, absolute) != NULL ? made_of_line(absolute) : NULL;
        if (size > 0 && line == NULL) {
            return false;
        }
        if (line != NULL) {
            fprintf(out, "%s\n", line);
        }
    }
    return true;
}

const char *cache_commit(const struct cache_entry *entry, const char *dependencies,
                         const char *library)
{
    const char *built = format("%s/program.elf", entry->fresh);
    FILE *out = fopen(format("%s/made-of", entry->fresh), "we");
    bool good = out != NULL && write_made_of(out, dependencies);
    char *line = made_of_line(library);
    good = good && line != NULL && fprintf(out, "%s\n", line) > 0;
    good = out != NULL && fclose(out) == 0 && good;
    unlink(dependencies);
    if (!good) {
        unlink(format("%s/made-of", entry->fresh)); /* runs now, is compiled again next time */
        return built;
    }
    /* An old or another run's entry that is in the way is exchanged, so that there is one at every
     * moment: another run may be about to open it. */
    if (rename(entry->fresh, entry->folder) != 0) {
        if (renameat2(AT_FDCWD, entry->fresh, AT_FDCWD, entry->folder, RENAME_EXCHANGE) != 0) {
            return built;
        }
        remove_folder(entry->fresh);
    }
    char *programs = format("%s", entry->folder);
    *strrchr(programs, '/') = 0;
    prune(programs);
    return format("%s/program.elf", entry->folder);
}

void cache_abandon(const struct cache_entry *entry)
{
    remove_folder(entry->fresh);
}
