/* See work.h. No library: this object is linked into programs of capOS and of the host. */
#include "work.h"

#define SIEVE (1u << 18)
#define MIX_ROUNDS 600000u

/* Both programs have it, and the code below, at addresses that are alike for the caches. */
static _Alignas(PAGE_BYTES) uint8_t composite[SIEVE];

static uint32_t sieve(void)
{
    uint32_t primes = 0;
    for (uint32_t i = 0; i < SIEVE; i++) {
        composite[i] = 0;
    }
    for (uint32_t i = 2; i < SIEVE; i++) {
        primes += composite[i] == 0;
        for (uint64_t k = (uint64_t)i * i; composite[i] == 0 && k < SIEVE; k += i) {
            composite[k] = 1;
        }
    }
    return primes;
}

static uint32_t rotate(uint32_t x, int by)
{
    return x >> by | x << (32 - by);
}

static uint32_t mix(uint32_t seed)
{
    uint32_t s[8] = {seed, 1, 2, 3, 4, 5, 6, 7};
    for (uint32_t i = 0; i < MIX_ROUNDS; i++) {
        uint32_t big = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
        uint32_t t = s[7] + big + ((s[4] & s[5]) ^ (~s[4] & s[6])) + composite[i % SIEVE] + i;
        uint32_t u = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) +
                     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        for (int k = 7; k > 0; k--) {
            s[k] = s[k - 1];
        }
        s[4] += t;
        s[0] = t + u;
    }
    return s[0] ^ s[4];
}

__attribute__((aligned(64))) uint64_t work_compute(void)
{
    uint64_t primes = 0, mixed = 0;
    for (uint32_t i = 0; i < 2; i++) {
        primes += sieve();
        mixed = mixed * 31 + mix(i);
    }
    return mixed ^ primes;
}

bool work_touch(volatile char *pages, size_t bytes)
{
    bool zero = true;
    for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
        pages[at] = 1;
        zero = zero && pages[at + 1] == 0;
    }
    return zero;
}

bool work_copy(volatile char *pages, char mark, uint32_t stride)
{
    bool right = true;
    for (uint32_t i = 0; i < FAULTS; i++) {
        volatile char *page = pages + (size_t)(FAULT_PAGES - 1 - i * stride) * PAGE_BYTES;
        *page = 2;
        right = right && page[1] == mark;
    }
    return right;
}

uint64_t work_median(uint64_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t k = i; k > 0 && values[k] < values[k - 1]; k--) {
            uint64_t v = values[k];
            values[k] = values[k - 1];
            values[k - 1] = v;
        }
    }
    return values[count / 2];
}
