/*
 * heap_test.c: the malloc family under random use with the whole heap checked as it goes, from
 * several threads at once, and what it does to programs that misuse it.
 */
#define _GNU_SOURCE
#include "lib/capos/libc/heap.h"
#include "tests/unit/libc/libc_test.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

US(malloc);
US(calloc);
US(realloc);
US(aligned_alloc);
US(free);
US(heap_intact);

/* Misuse is what is tested. */
#pragma GCC diagnostic ignored "-Wuse-after-free"
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Walloc-size-larger-than="

#define SLOTS 400

struct slot {
    unsigned char *block;
    size_t size;
    unsigned char fill;
};

static bool holds(const struct slot *slot)
{
    for (size_t i = 0; i < slot->size; i++) {
        if (slot->block[i] != slot->fill) {
            return false;
        }
    }
    return true;
}

static size_t some_size(uint64_t random)
{
    static const size_t limits[] = {40, 200, 1100, 5000, 40000, 400000};
    size_t limit = limits[(random >> 32) % 100 < 60 ? random % 2
                          : random % 60 < 58        ? random % 5
                                                    : 5];
    return (random >> 40) % limit;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

static void fill(struct slot *slot, size_t size, uint64_t random)
{
    slot->size = size;
    slot->fill = (unsigned char)random;
    memset(slot->block, slot->fill, size);
}

static void allocate(struct slot *slot, uint64_t *state)
{
    uint64_t random = next(state);
    size_t size = some_size(random);
    size_t alignment = 16;
    switch (random % 5) {
    case 0:
        slot->block = capos_test_calloc(size, 1);
        slot->size = size;
        slot->fill = 0;
        if (!holds(slot)) {
            test_fail("calloc gave a block that is not zero");
        }
        break;
    case 1:
        alignment = (size_t)1 << random / 5 % 14;
        slot->block = capos_test_aligned_alloc(alignment, size);
        break;
    default:
        slot->block = capos_test_malloc(size);
        break;
    }
    if (slot->block == NULL || (uintptr_t)slot->block % alignment != 0 ||
        (uintptr_t)slot->block % 16 != 0) {
        test_fail("block %p, alignment %zu, size %zu", (void *)slot->block, alignment, size);
    }
    fill(slot, size, random >> 8);
}

static void resize(struct slot *slot, uint64_t *state)
{
    uint64_t random = next(state);
    size_t size = random % 3 == 0 ? slot->size + random % 200 : some_size(random);
    slot->block = capos_test_realloc(slot->block, size);
    slot->size = slot->size < size ? slot->size : size;
    if (slot->block == NULL || !holds(slot)) {
        test_fail("realloc to %zu lost the contents", size);
    }
    fill(slot, size, random >> 8);
}

static void *use_at_random(void *seed)
{
    struct slot slots[SLOTS] = {{0}};
    uint64_t state = (uintptr_t)seed * UINT64_C(0x9e3779b97f4a7c15);
    for (int round = 0; round < 40000; round++) {
        struct slot *slot = &slots[next(&state) % SLOTS];
        if (slot->block == NULL) {
            allocate(slot, &state);
        } else if (!holds(slot)) {
            test_fail("a block of %zu bytes was overwritten", slot->size);
        } else if (next(&state) % 4 == 0) {
            resize(slot, &state);
        } else {
            capos_test_free(slot->block);
            slot->block = NULL;
        }
        if (round % 2000 == 0 && !capos_test_heap_intact()) {
            test_fail("the heap is broken in round %d", round);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        capos_test_free(slots[i].block);
    }
    return NULL;
}

static void test_random_use(void)
{
    use_at_random((void *)1);
    if (!capos_test_heap_intact()) {
        test_fail("the heap is broken at the end");
    }
    test_done("libc/heap/random use");
}

static void test_threads(void)
{
    pthread_t threads[4];
    for (uintptr_t i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, use_at_random, (void *)(i + 2));
    }
    for (size_t i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    if (!capos_test_heap_intact()) {
        test_fail("the heap is broken at the end");
    }
    test_done("libc/heap/threads");
}

static void test_limits(void)
{
    if (capos_test_malloc(SIZE_MAX) != NULL || capos_test_malloc(SIZE_MAX / 2) != NULL ||
        capos_test_calloc(SIZE_MAX / 2, 3) != NULL || capos_test_aligned_alloc(3, 10) != NULL ||
        capos_test_aligned_alloc(0, 10) != NULL ||
        capos_test_aligned_alloc(64, SIZE_MAX - 10) != NULL) {
        test_fail("more than there can be was given");
    }
    void *empty = capos_test_malloc(0);
    void *other = capos_test_malloc(0);
    if (empty == NULL || empty == other || capos_test_realloc(empty, SIZE_MAX) != NULL) {
        test_fail("empty blocks");
    }
    capos_test_free(empty);
    capos_test_free(other);
    capos_test_free(NULL);
    test_done("libc/heap/limits");
}

static void free_small_twice(void)
{
    void *block = capos_test_malloc(50);
    capos_test_free(block);
    capos_test_free(block);
}

static void free_large_twice(void)
{
    void *before = capos_test_malloc(3000);
    void *block = capos_test_malloc(3000);
    capos_test_free(before);
    capos_test_free(block); /* joins the one before */
    capos_test_free(block);
}

static void free_inside(void)
{
    char *block = capos_test_malloc(100);
    memset(block, 0x41, 100);
    capos_test_free(block + 32);
}

static void free_foreign(void)
{
    static char foreign[64];
    capos_test_free(foreign + 32);
}

static void overrun_small(void)
{
    char *block = capos_test_malloc(40);
    char *next_block = capos_test_malloc(40);
    memset(block, 0, 48);
    capos_test_free(next_block);
    capos_test_free(block);
}

static void overrun_large(void)
{
    char *block = capos_test_malloc(5000);
    char *next_block = capos_test_malloc(5000);
    memset(block, 0x55, 5016);
    capos_test_free(block);
    capos_test_free(next_block);
}

static void write_after_free(void)
{
    char *block = capos_test_malloc(40);
    char *other = capos_test_malloc(40);
    capos_test_free(other);
    capos_test_free(block);
    memset(block - 8, 0x41, 48); /* as a neighbour's overrun would */
    capos_test_malloc(40);
}

static void resize_after_free(void)
{
    char *block = capos_test_malloc(2000);
    capos_test_free(block);
    capos_test_realloc(block, 3000);
}

static void test_misuse(void)
{
    static const struct {
        void (*function)(void);
        const char *wanted;
    } misuses[] = {
        {free_small_twice, "twice"},    {free_large_twice, "twice"},
        {free_inside, "not a block"},   {free_foreign, "not a block"},
        {overrun_small, "overwritten"}, {overrun_large, "overwritten"},
        {write_after_free, "written"},  {resize_after_free, "freed"},
    };
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        const char *ending = test_ending(misuses[i].function);
        if (strncmp(ending, "panic: heap: ", 13) != 0 ||
            strstr(ending, misuses[i].wanted) == NULL) {
            test_fail("misuse %zu ended with '%s', which lacks '%s'", i, ending, misuses[i].wanted);
        }
    }
    test_done("libc/heap/misuse");
}

int main(void)
{
    test_misuse(); /* first, while neighbouring blocks are neighbours */
    test_limits();
    test_random_use();
    test_threads();
    return test_status();
}
