/* Checks, seeds and the list of tests; see test.h. Fuzzers use this without tests/lib/main.c. */
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/gen/interfaces.h"
#include "tests/lib/test_internal.h"

struct test *test_first;
int test_report = -1;

static struct test **tests_end = &test_first;
static uint64_t seed_used;
static bool seed_asked;
static char context[200];
static void (*at_end[8])(void);
static unsigned at_end_count;

void test_register(struct test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    char reason[TEST_REASON_SIZE];
    int at = snprintf(reason, sizeof(reason), "%s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason + at, sizeof(reason) - (size_t)at, format, arguments);
    va_end(arguments);
    size_t length = strlen(reason);
    if (context[0] != 0) {
        length += (size_t)snprintf(reason + length, sizeof(reason) - length, " (%s)", context);
        length = length < sizeof(reason) ? length : sizeof(reason) - 1;
    }
    if (seed_asked) {
        snprintf(reason + length, sizeof(reason) - length, " [SEED=%llu]",
                 (unsigned long long)seed_used);
    }
    if (test_report < 0) {
        fprintf(stderr, "failed: %s\n", reason);
        abort();
    }
    if (write(test_report, reason, strlen(reason)) < 0) {
        _exit(3);
    }
    _exit(1);
}

void test_context(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
}

uint64_t test_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

uint64_t test_seed(uint64_t otherwise)
{
    seed_used = test_number("SEED", otherwise);
    seed_asked = true;
    return seed_used;
}

void test_seed_is(uint64_t seed)
{
    seed_used = seed;
}

void test_at_end(void (*action)(void))
{
    if (at_end_count == sizeof(at_end) / sizeof(at_end[0])) {
        FAIL("too many actions for the end of a test");
    }
    at_end[at_end_count++] = action;
}

const char *test_status_name(int status)
{
    static const char *const names[STATUS_COUNT] = {
        [STATUS_OK] = "ok",
        [STATUS_PENDING] = "pending",
        [STATUS_INTERRUPTED] = "interrupted",
        [STATUS_TIMED_OUT] = "timedOut",
        [STATUS_BAD_RING] = "badRing",
        [STATUS_BAD_ENTRY] = "badEntry",
        [STATUS_BAD_OPCODE] = "badOpcode",
        [STATUS_BAD_ADDRESS] = "badAddress",
        [STATUS_BAD_CAPABILITY] = "badCapability",
        [STATUS_STALE_CAPABILITY] = "staleCapability",
        [STATUS_IN_TRANSIT] = "inTransit",
        [STATUS_WRONG_INTERFACE] = "wrongInterface",
        [STATUS_UNKNOWN_METHOD] = "unknownMethod",
        [STATUS_BAD_MESSAGE] = "badMessage",
        [STATUS_MESSAGE_TOO_LARGE] = "messageTooLarge",
        [STATUS_RESULT_TOO_SMALL] = "resultTooSmall",
        [STATUS_SLOTS_EXHAUSTED] = "slotsExhausted",
        [STATUS_FRAMES_EXHAUSTED] = "framesExhausted",
        [STATUS_THREADS_EXHAUSTED] = "threadsExhausted",
        [STATUS_CALLS_EXHAUSTED] = "callsExhausted",
        [STATUS_BYTES_EXHAUSTED] = "bytesExhausted",
        [STATUS_MAPPINGS_EXHAUSTED] = "mappingsExhausted",
        [STATUS_EXCEPTION] = "exception",
        [STATUS_CANCELLED] = "cancelled",
        [STATUS_DISCONNECTED] = "disconnected",
        [STATUS_REVOKED] = "revoked",
        [STATUS_NOT_FOUND] = "notFound",
        [STATUS_NOT_SUPPORTED] = "notSupported",
        [STATUS_TIME_NOT_GRANTED] = "timeNotGranted",
        [STATUS_WOULD_BLOCK] = "wouldBlock",
        [STATUS_ALREADY_EXISTS] = "alreadyExists",
        [STATUS_BAD_STATE] = "badState",
        [STATUS_OVERFLOW] = "overflow",
        [STATUS_ABORTED] = "aborted",
        [STATUS_VALUE_CHANGED] = "valueChanged",
    };
    int index = status < 0 ? -status : status;
    return index < STATUS_COUNT && names[index] != NULL ? names[index] : "no status";
}

bool test_fails(void (*fn)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        test_report = nowhere;
        fn();
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

void test_run(const struct test *test)
{
    test->body();
    while (at_end_count > 0) {
        at_end[--at_end_count]();
    }
}
