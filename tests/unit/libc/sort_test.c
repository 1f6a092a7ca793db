/*
 * sort_test.c: qsort and bsearch against the host's, on random and on adversarial arrays; rand;
 * setjmp.
 */
#include "tests/unit/libc/libc_test.h"
#include <stdlib.h>
#include <string.h>

US(qsort);
US(bsearch);
US(rand);
US(srand);
extern int capos_test_setjmp(unsigned long environment[8]) __attribute__((returns_twice));
extern _Noreturn void capos_test_longjmp(unsigned long environment[8], int value);

#define COUNT_MAX 3000

static size_t comparisons;

static int compare_bytes(const void *left, const void *right)
{
    comparisons++;
    return memcmp(left, right, 4);
}

static int contradict(const void *left, const void *right)
{
    (void)left;
    (void)right;
    return (int)test_below(3) - 1;
}

static void fill(unsigned char *array, size_t count, size_t size, unsigned pattern)
{
    for (size_t i = 0; i < count * size; i++) {
        array[i] = (unsigned char)test_random();
    }
    for (size_t i = 0; i < count; i++) {
        size_t key = pattern == 0   ? test_random()
                     : pattern == 1 ? i
                     : pattern == 2 ? count - i
                     : pattern == 3 ? test_below(3)
                     : pattern == 4 ? (i < count / 2 ? i : count - i)
                                    : i % 7;
        for (size_t byte = 0; byte < 4; byte++) {
            array[i * size + byte] = (unsigned char)(key >> (24 - 8 * byte));
        }
    }
}

static bool same_keys(const unsigned char *left, const unsigned char *right, size_t count,
                      size_t size)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(left + i * size, right + i * size, 4) != 0) {
            return false;
        }
    }
    return true;
}

static void test_sorting(void)
{
    for (int round = 0; round < 1500; round++) {
        size_t size = 4 + test_below(test_below(10) == 0 ? 150 : 13);
        size_t count = test_below(test_below(10) == 0 ? COUNT_MAX : 60);
        unsigned pattern = (unsigned)test_below(6);
        unsigned char *ours = malloc(count * size + 1);
        unsigned char *theirs = malloc(count * size + 1);
        fill(ours, count, size, pattern);
        memcpy(theirs, ours, count * size);
        comparisons = 0;
        capos_test_qsort(ours, count, size, compare_bytes);
        size_t used = comparisons;
        qsort(theirs, count, size, compare_bytes);
        if (!same_keys(ours, theirs, count, size)) {
            test_fail("%zu elements of %zu bytes, pattern %u", count, size, pattern);
        }
        if (count > 100 && used > 60 * count) {
            test_fail("%zu comparisons for %zu elements", used, count);
        }
        if (count > 0) {
            unsigned char key[4];
            memcpy(key, ours + test_below(count) * size, 4);
            key[3] = (unsigned char)(key[3] + (test_below(2) ? 0 : 1));
            unsigned char *hit = capos_test_bsearch(key, ours, count, size, compare_bytes);
            unsigned char *host_hit = bsearch(key, ours, count, size, compare_bytes);
            if ((hit == NULL) != (host_hit == NULL) || (hit != NULL && memcmp(hit, key, 4) != 0)) {
                test_fail("bsearch in %zu elements", count);
            }
        }
        capos_test_qsort(ours, count, size, contradict);
        free(ours);
        free(theirs);
    }
    test_done("libc/sort/random arrays");
}

/* An adversary that makes every pivot bad (M. D. McIlroy, "A killer adversary for quicksort",
 * 1999). */
static int adversary_value[COUNT_MAX];
static int adversary_solid;
static int adversary_candidate;

static int adversary(const void *left, const void *right)
{
    int x = *(const int *)left;
    int y = *(const int *)right;
    comparisons++;
    if (adversary_value[x] == COUNT_MAX && adversary_value[y] == COUNT_MAX) {
        adversary_value[x == adversary_candidate ? x : y] = adversary_solid++;
    }
    if (adversary_value[x] == COUNT_MAX) {
        adversary_candidate = x;
    } else if (adversary_value[y] == COUNT_MAX) {
        adversary_candidate = y;
    }
    return adversary_value[x] - adversary_value[y];
}

static void test_adversary(void)
{
    int array[COUNT_MAX];
    for (int i = 0; i < COUNT_MAX; i++) {
        array[i] = i;
        adversary_value[i] = COUNT_MAX;
    }
    comparisons = 0;
    capos_test_qsort(array, COUNT_MAX, sizeof array[0], adversary);
    for (int i = 1; i < COUNT_MAX; i++) {
        if (adversary_value[array[i - 1]] > adversary_value[array[i]]) {
            test_fail("not sorted at %d", i);
        }
    }
    if (comparisons > 100 * COUNT_MAX) {
        test_fail("%zu comparisons", comparisons);
    }
    test_done("libc/sort/adversary");
}

static void test_rand(void)
{
    capos_test_srand(5);
    int first = capos_test_rand();
    int second = capos_test_rand();
    unsigned buckets[16] = {0};
    for (int i = 0; i < 16000; i++) {
        int value = capos_test_rand();
        if (value < 0) {
            test_fail("rand() = %d", value);
        }
        buckets[value >> 27 & 15]++;
    }
    for (int i = 0; i < 16; i++) {
        if (buckets[i] < 800 || buckets[i] > 1200) {
            test_fail("%u of 16000 in bucket %d", buckets[i], i);
        }
    }
    capos_test_srand(5);
    if (capos_test_rand() != first || capos_test_rand() != second) {
        test_fail("the same seed gave other numbers");
    }
    test_done("libc/sort/rand");
}

static unsigned long jump_environment[8];

static __attribute__((noinline)) void jump(int value)
{
    capos_test_longjmp(jump_environment, value);
}

static void test_jumps(void)
{
    volatile int seen = 0;
    int value = capos_test_setjmp(jump_environment);
    if (value != seen) {
        test_fail("setjmp returned %d after longjmp(%d)", value, seen);
    }
    if (seen < 3) {
        seen++;
        jump(seen);
    }
    int zero = capos_test_setjmp(jump_environment);
    if (zero == 0) {
        jump(0);
    }
    if (zero != 1) {
        test_fail("longjmp(0) gave %d", zero);
    }
    test_done("libc/sort/setjmp");
}

int main(void)
{
    test_sorting();
    test_adversary();
    test_rand();
    test_jumps();
    return test_status();
}
