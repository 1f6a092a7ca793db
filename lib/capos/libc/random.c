/*
 * random.c: rand and srand, for games and tests: the same numbers in every run. A program that
 * needs numbers nobody can guess asks EntropySource. The generator is xorshift* (S. Vigna, "An
 * experimental exploration of Marsaglia's xorshift generators, scrambled", 2014) on one shared
 * word.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define INCREMENT UINT64_C(0x9e3779b97f4a7c15)
#define MULTIPLIER UINT64_C(2685821657736338717)

static uint64_t state = INCREMENT + 1;

void srand(unsigned seed)
{
    __atomic_store_n(&state, seed + INCREMENT, __ATOMIC_RELAXED);
}

int rand(void)
{
    uint64_t old = __atomic_load_n(&state, __ATOMIC_RELAXED);
    uint64_t next;
    do {
        next = old;
        next ^= next >> 12;
        next ^= next << 25;
        next ^= next >> 27;
    } while (
        !__atomic_compare_exchange_n(&state, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return (int)(next * MULTIPLIER >> 33);
}
