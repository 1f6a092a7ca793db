/* The test framework: TEST(name) { ... } and checks that end the test when they do not hold.
 *
 * A test program runs each of its tests in a process of its own, so that no state passes from one
 * to the next and a crash ends one test only. It prints `ok NAME` or `not ok NAME: why`, and its
 * exit status says whether all were ok.
 *
 *   build/tests/unit/core/frame_test            all tests
 *   build/tests/unit/core/frame_test name...    those whose name contains one of the words
 *   TEST_FORK=0                                 in this process, for a debugger
 *   SEED=n                                      what test_seed() answers; else each test's own
 * choice
 *
 * A test that boots the simulated machine (tests/lib/sim.h) ends with a check that all counts are
 * back. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct test {
    const char *name;
    void (*body)(void);
    struct test *next;
};

void test_register(struct test *test);
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The seed for a random test: SEED of the environment, or `otherwise`. A failure prints the last
 * one asked for. */
uint64_t test_seed(uint64_t otherwise);
/* Of several seeds that a test goes through, the one that it is at. */
void test_seed_is(uint64_t seed);
/* Runs at the end of each test that called it, in the reverse order. At most 8. */
void test_at_end(void (*action)(void));
/* Does fn fail or crash? It runs in a process of its own, silently: for tests of the checks
 * themselves. */
bool test_fails(void (*fn)(void));
/* What the test is about at the moment; a failure tells it. */
void test_context(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The value of the environment's NAME as a number, or `otherwise`: for the length of random runs.
 */
uint64_t test_number(const char *name, uint64_t otherwise);

#define TEST(name_)                                                                                \
    static void test_##name_(void);                                                                \
    __attribute__((constructor)) static void test_add_##name_(void)                                \
    {                                                                                              \
        static struct test test = {#name_, test_##name_, NULL};                                    \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void test_##name_(void)

#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            FAIL("%s", #condition);                                                                \
        }                                                                                          \
    } while (0)

/* Signed and unsigned numbers are compared as the numbers they are. */
#define CHECK_COMPARE_(a, relation, b)                                                             \
    do {                                                                                           \
        __int128 check_a_ = (__int128)(a);                                                         \
        __int128 check_b_ = (__int128)(b);                                                         \
        if (!(check_a_ relation check_b_)) {                                                       \
            FAIL("%s %s %s: %lld (0x%llx), %lld (0x%llx)", #a, #relation, #b, (long long)check_a_, \
                 (unsigned long long)check_a_, (long long)check_b_, (unsigned long long)check_b_); \
        }                                                                                          \
    } while (0)

#define CHECK_EQ(a, b) CHECK_COMPARE_(a, ==, b)
#define CHECK_NE(a, b) CHECK_COMPARE_(a, !=, b)
#define CHECK_LT(a, b) CHECK_COMPARE_(a, <, b)
#define CHECK_LE(a, b) CHECK_COMPARE_(a, <=, b)
#define CHECK_GT(a, b) CHECK_COMPARE_(a, >, b)
#define CHECK_GE(a, b) CHECK_COMPARE_(a, >=, b)

#define CHECK_STATUS(expression, expected)                                                         \
    do {                                                                                           \
        int check_s_ = (int)(expression);                                                          \
        if (check_s_ != (int)(expected)) {                                                         \
            FAIL("%s is %s (%d), not %s", #expression, test_status_name(check_s_), check_s_,       \
                 test_status_name((int)(expected)));                                               \
        }                                                                                          \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(expression, 0)

#define CHECK_BYTES(a, b, size)                                                                    \
    do {                                                                                           \
        if (memcmp((a), (b), (size)) != 0) {                                                       \
            FAIL("%s and %s differ in their %zu bytes", #a, #b, (size_t)(size));                   \
        }                                                                                          \
    } while (0)

/* Names a status, whether negated (as completions have it) or not. */
const char *test_status_name(int status);

/* --- random numbers: the same for each seed --- */
struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r) /* splitmix64 */
{
    uint64_t z = (r->state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *r, uint64_t n) /* 0 for n = 0 */
{
    return n == 0 ? 0 : random_next(r) % n;
}

static inline bool random_chance(struct random *r, uint64_t one_in)
{
    return random_below(r, one_in) == 0;
}
