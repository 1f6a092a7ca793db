/* What test.c and main.c share. Not for tests. */
#pragma once

#define TEST_REASON_SIZE 2000

struct test;

extern struct test *test_first;
extern int
    test_report; /* where the running test's reason goes; -1: it is not in a process of its own */
void test_run(const struct test *test);
