/* What the host's tools share: how they fail, memory that does not run out quietly, whole files.
 *
 * The tools are short-lived: what they allocate lives until they end, unless said otherwise. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The statuses of the commands; the program's own come besides. */
enum tool_status {
    TOOL_USAGE = 2,   /* bad usage or input */
    TOOL_FAILED = 125 /* the tool itself, its set-up, the machine */
};

/* Prints `NAME: text` as one line on standard error and ends with the status. NAME is tool_name. */
extern const char *tool_name;
_Noreturn void fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Runs before fail() ends the process; one action. */
void fail_with_action(void (*action)(void));

void *allocate(size_t size); /* zeroed; fails the tool when there is none */
void *reallocate(void *old, size_t size);
char *format(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct bytes {
    uint8_t *data;
    size_t size;
};

/* A whole file. false: errno says why. */
bool file_read(const char *path, struct bytes *out);
/* All of the bytes; false: errno says why. */
bool write_all(int fd, const void *data, size_t size);
/* mkdir -p of a path's folders. */
bool folders_make(const char *path);
