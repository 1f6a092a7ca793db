/* Runs the tests of one program; see test.h. */
#include "tests/lib/test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/gen/interfaces.h"

#define SECONDS_DEFAULT 60 /* a test that takes longer hangs */
#define REASON_SIZE 2000

static struct test *tests, **tests_end = &tests;
static int report = -1; /* where the running test's reason goes; -1: not in a process of its own */
static uint64_t seed_used;
static bool seed_asked;
static void (*at_end[8])(void);
static unsigned at_end_count;

void test_register(struct test *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    char reason[REASON_SIZE];
    int at = snprintf(reason, sizeof(reason), "%s:%d: ", file, line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason + at, sizeof(reason) - (size_t)at, format, arguments);
    va_end(arguments);
    if (seed_asked) {
        size_t length = strlen(reason);
        snprintf(reason + length, sizeof(reason) - length, " [SEED=%llu]", (unsigned long long)seed_used);
    }
    if (report < 0) {
        fprintf(stderr, "failed: %s\n", reason);
        abort();
    }
    if (write(report, reason, strlen(reason)) < 0) {
        _exit(3);
    }
    _exit(1);
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

static void run_here(const struct test *test)
{
    test->body();
    while (at_end_count > 0) {
        at_end[--at_end_count]();
    }
}

static bool run_apart(const struct test *test)
{
    int ends[2];
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(3);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        report = ends[1];
        alarm((unsigned)test_number("TEST_SECONDS", SECONDS_DEFAULT));
        run_here(test);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    char reason[REASON_SIZE + 1];
    size_t size = 0;
    ssize_t got;
    while (size < REASON_SIZE && (got = read(ends[0], reason + size, REASON_SIZE - size)) > 0) {
        size += (size_t)got;
    }
    reason[size] = 0;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && size == 0) {
        printf("ok %s\n", test->name);
        return true;
    }
    if (size == 0 && WIFSIGNALED(status)) {
        snprintf(reason, sizeof(reason), "ended by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (size == 0) {
        snprintf(reason, sizeof(reason), "ended with status %d", WEXITSTATUS(status));
    }
    printf("not ok %s: %s\n", test->name, reason);
    return false;
}

static bool selected(const struct test *test, int count, char **words)
{
    for (int i = 1; i < count; i++) {
        if (strstr(test->name, words[i]) != NULL) {
            return true;
        }
    }
    return count <= 1;
}

int main(int count, char **words)
{
    bool apart = test_number("TEST_FORK", 1) != 0;
    unsigned run = 0;
    unsigned failed = 0;
    for (const struct test *test = tests; test != NULL; test = test->next) {
        if (!selected(test, count, words)) {
            continue;
        }
        run++;
        if (apart) {
            failed += run_apart(test) ? 0 : 1;
        } else {
            run_here(test);
            printf("ok %s\n", test->name);
        }
    }
    if (run == 0) {
        printf("not ok: no test of that name\n");
        return 2;
    }
    return failed != 0;
}
