/* The page of Timer.page(): monotonic time without entering the kernel.
 *
 *   do { s = sequence (acquire); t = rdtsc; ns = base_ns + ((t - base_tsc) * scale >> shift,
 *   128-bit) } while (s is odd or sequence != s)
 *
 * The time-stamp counter opens for the process with the call that maps the page. */
#pragma once

#include <stdint.h>

struct time_page {
    uint32_t sequence; /* odd while the kernel writes; release, pairs with the reader's acquire */
    uint32_t shift;
    uint64_t base_tsc;
    uint64_t base_ns;
    uint64_t scale;
    uint64_t tick_hz; /* of the time-stamp counter, for information */
};
