/*
 * platform.c: the platform under the ISO C part as the host's unit tests want it: output is kept,
 * input is a text handed out in chunks, pages come from mmap, and what ends the process is run in a
 * child.
 */
#define _GNU_SOURCE
#include "lib/capos/libc/platform.h"
#include "tests/unit/libc/libc_test.h"
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_output test_outputs[3];
bool test_terminal;
char **capos_environment;

static char output_buffers[3][OUTPUT_CAPACITY];
static const char *input;
static size_t input_left;
static size_t input_chunk;
static unsigned char *input_copy;
static int ending_pipe = 2; /* standard error: nothing was to end here */
static bool failed_now;
static bool failed_ever;
static char failure[1024];

bool platform_output_buffer(enum platform_stream stream, char **buffer, size_t *capacity_bytes)
{
    *buffer = output_buffers[stream];
    *capacity_bytes = OUTPUT_CAPACITY;
    return !test_outputs[stream].refuse;
}

bool platform_output(enum platform_stream stream, size_t size_bytes)
{
    struct test_output *out = &test_outputs[stream];
    if (out->refuse || out->size + size_bytes > sizeof out->bytes) {
        return false;
    }
    memcpy(out->bytes + out->size, output_buffers[stream], size_bytes);
    memset(output_buffers[stream], '?', OUTPUT_CAPACITY);
    out->size += size_bytes;
    out->writes++;
    return true;
}

void test_input(const char *bytes, size_t size, size_t chunk)
{
    input = bytes;
    input_left = size;
    input_chunk = chunk;
}

/* Each chunk is a block of its own, so that AddressSanitizer sees reads beyond it. */
bool platform_input(const unsigned char **bytes, size_t *size_bytes)
{
    size_t part = input_left < input_chunk ? input_left : input_chunk;
    free(input_copy);
    input_copy = malloc(part + 1);
    if (part != 0) {
        memcpy(input_copy, input, part);
        input += part;
    }
    input_left -= part;
    *bytes = input_copy;
    *size_bytes = part;
    return true;
}

bool platform_is_terminal(enum platform_stream stream)
{
    (void)stream;
    return test_terminal;
}

void *capos_heap_grow(size_t size_bytes)
{
    void *start =
        mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

void capos_heap_shrink(void *start, size_t size_bytes)
{
    munmap(start, size_bytes);
}

void platform_lock_slow(uint32_t *lock)
{
    while (__atomic_exchange_n(lock, PLATFORM_LOCK_HELD, __ATOMIC_ACQUIRE) != PLATFORM_LOCK_FREE) {
        sched_yield();
    }
}

void platform_unlock_slow(uint32_t *lock)
{
    (void)lock;
}

static _Noreturn void end_with(const char *what, const char *detail)
{
    dprintf(ending_pipe, "%s%s", what, detail);
    _exit(ending_pipe == 2 ? 1 : 0);
}

void platform_exit(int status)
{
    char detail[300];
    snprintf(detail, sizeof detail, "%d out '%.*s'", status, (int)test_outputs[1].size,
             test_outputs[1].bytes);
    end_with("exit ", detail);
}

void platform_panic(const char *text)
{
    end_with("panic: ", text);
}

const char *test_ending(void (*function)(void))
{
    static char ending[256];
    int ends[2];
    fflush(NULL);
    if (pipe(ends) != 0) {
        return "no pipe";
    }
    pid_t child = fork();
    if (child == 0) {
        ending_pipe = ends[1];
        function();
        end_with("returned", "");
    }
    close(ends[1]);
    ssize_t length = read(ends[0], ending, sizeof ending - 1);
    ending[length > 0 ? length : 0] = 0;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return ending;
}

uint64_t test_random(void)
{
    static uint64_t state = 0x853c49e6748fea9b;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}

void test_fail(const char *format, ...)
{
    va_list arguments;
    if (!failed_now) {
        va_start(arguments, format);
        vsnprintf(failure, sizeof failure, format, arguments);
        va_end(arguments);
    }
    failed_now = true;
}

void test_done(const char *name)
{
    if (failed_now) {
        printf("not ok %s: %s\n", name, failure);
    } else {
        printf("ok %s\n", name);
    }
    failed_ever |= failed_now;
    failed_now = false;
}

int test_status(void)
{
    return failed_ever ? 1 : 0;
}
