/*
 * libc_test.h: how a host test reaches the capOS library beside the host's. US(name) declares
 * capos_test_name with the type of the host's function of that name. Each test program prints `ok
 * NAME` or `not ok NAME: why`.
 */
#ifndef CAPOS_LIBC_TEST_H
#define CAPOS_LIBC_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define US(name) extern __typeof__(name) capos_test_##name

extern struct capos_stream capos_test_capos_stdin;
extern struct capos_stream capos_test_capos_stdout;
extern struct capos_stream capos_test_capos_stderr;
#define US_STDIN ((FILE *)&capos_test_capos_stdin)
#define US_STDOUT ((FILE *)&capos_test_capos_stdout)
#define US_STDERR ((FILE *)&capos_test_capos_stderr)

/* The current test has failed: say why, once, and remember it. Returns so that the caller can
 * stop. */
void test_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* End the test `name`: print its line. */
void test_done(const char *name);

/* The exit status of the program. */
int test_status(void);

/* The same numbers in every run. */
uint64_t test_random(void);
static inline size_t test_below(size_t limit)
{
    return (size_t)(test_random() % limit);
}

/* What the platform under the library does: see platform.c. */
#define OUTPUT_CAPACITY 64
struct test_output {
    char bytes[1 << 16];
    size_t size;
    unsigned writes;
    bool refuse;
};
extern struct test_output test_outputs[3];
extern bool test_terminal;
void test_input(const char *bytes, size_t size, size_t chunk);

/* Run `function` and return the text of the panic or the status of the exit it ended with, as
 * `panic: ...`, `exit N` or `returned`. */
const char *test_ending(void (*function)(void));

#endif
