/* See base.h. */
#include "tools/image/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *tool_name = "capos";
static void (*fail_action)(void);

void fail_with_action(void (*action)(void))
{
    fail_action = action;
}

/* One line, whatever is in a name that somebody has typed. */
static void print_line(const char *text, va_list arguments)
{
    char *words;
    fprintf(stderr, "%s: ", tool_name);
    if (vasprintf(&words, text, arguments) < 0) {
        fprintf(stderr, "out of memory\n");
        return;
    }
    for (const char *c = words; *c != 0; c++) {
        const char *start = c;
        while ((unsigned char)*c >= ' ' && *c != 0x7f) {
            c++;
        }
        fprintf(stderr, "%.*s", (int)(c - start), start);
        if (*c == 0) {
            break;
        }
        fprintf(stderr, "\\u%04x", (unsigned char)*c);
    }
    fputc('\n', stderr);
    free(words);
}

void fail(int status, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    print_line(text, arguments);
    va_end(arguments);
    if (fail_action != NULL) {
        fail_action();
    }
    exit(status);
}

void complain(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    print_line(text, arguments);
    va_end(arguments);
}

void *allocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    if (memory == NULL) {
        fail(TOOL_FAILED, "out of memory");
    }
    return memory;
}

void *reallocate(void *old, size_t size)
{
    void *memory = realloc(old, size > 0 ? size : 1);
    if (memory == NULL) {
        fail(TOOL_FAILED, "out of memory");
    }
    return memory;
}

char *format(const char *text, ...)
{
    va_list arguments;
    char *out;
    va_start(arguments, text);
    int length = vasprintf(&out, text, arguments);
    va_end(arguments);
    if (length < 0) {
        fail(TOOL_FAILED, "out of memory");
    }
    return out;
}

/* Of a program with debugging information little is looked at: it is mapped, not read. */
#define MAP_LEAST (64 * 1024)

bool file_read(const char *path, struct bytes *out)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : errno;
        close(fd);
        return false;
    }
    if (S_ISREG(status.st_mode) && status.st_size >= MAP_LEAST) {
        size_t size = (size_t)status.st_size;
        void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED) {
            close(fd);
            *out = (struct bytes){.data = map, .size = size};
            return true;
        }
    }
    /* The size is a hint: a pipe has none, a file may grow. */
    size_t room = (status.st_size > 0 ? (size_t)status.st_size : 0) + 4096;
    *out = (struct bytes){.data = reallocate(NULL, room)};
    for (;;) {
        ssize_t got = read(fd, out->data + out->size, room - out->size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            int error = errno;
            close(fd);
            errno = error;
            return got == 0;
        }
        out->size += (size_t)got;
        if (out->size == room) {
            room *= 2;
            out->data = reallocate(out->data, room);
        }
    }
}

bool write_all(int fd, const void *data, size_t size)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t put = write(fd, from, size);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return false;
        }
        from += put;
        size -= (size_t)put;
    }
    return true;
}

bool folders_make(const char *path)
{
    char *copy = format("%s/", path);
    for (char *slash = strchr(copy + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(copy, 0777) != 0 && errno != EEXIST) {
            free(copy);
            return false;
        }
        *slash = '/';
    }
    free(copy);
    return true;
}
