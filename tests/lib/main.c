/* Runs the tests of one program, each in a process of its own; see test.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/lib/test_internal.h"

#define SECONDS_DEFAULT 120 /* a test that takes longer hangs, even on a busy machine */

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
        test_report = ends[1];
        alarm((unsigned)test_number("TEST_SECONDS", SECONDS_DEFAULT));
        test_run(test);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    char reason[TEST_REASON_SIZE + 1];
    size_t size = 0;
    ssize_t got;
    while (size < TEST_REASON_SIZE
           && (got = read(ends[0], reason + size, TEST_REASON_SIZE - size)) > 0) {
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
    for (const struct test *test = test_first; test != NULL; test = test->next) {
        if (!selected(test, count, words)) {
            continue;
        }
        run++;
        if (apart) {
            failed += run_apart(test) ? 0 : 1;
        } else {
            test_run(test);
            printf("ok %s\n", test->name);
        }
    }
    if (run == 0) {
        printf("not ok: no test of that name\n");
        return 2;
    }
    return failed != 0;
}
