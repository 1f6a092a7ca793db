/* tools/image/base.c for tests: fail() comes back by a jump instead of ending the process, and
 * files are made in memory. Included once by a test, after the sources that it tests. */
#pragma once

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

_Noreturn void fail_for_good(int status, const char *text, ...);
#define fail fail_for_good
#include "tools/image/base.c"
#undef fail

static jmp_buf test_failed;
static char test_failure[500];

_Noreturn void fail(int status, const char *text, ...)
{
    va_list arguments;
    (void)status;
    va_start(arguments, text);
    vsnprintf(test_failure, sizeof(test_failure), text, arguments);
    va_end(arguments);
    longjmp(test_failed, 1);
}

/* A file with these bytes, in memory; its path. */
static inline const char *test_file(const char *name, const void *bytes, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || !write_all(fd, bytes, size)) {
        abort();
    }
    return format("/proc/self/fd/%d", fd);
}
