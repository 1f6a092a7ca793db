/*
 * clock.c: how long a computation takes, by the Timer that was granted. Without one the program
 * ends, and `capos run` says which grant to add.
 */
#include <capos.h>
#include <stdio.h>

/* How many primes lie below `limit`. */
static unsigned count_primes(unsigned limit)
{
    unsigned count = 0;
    for (unsigned n = 2; n < limit; n++) {
        bool prime = true;
        for (unsigned d = 2; d * d <= n && prime; d++) {
            prime = n % d != 0;
        }
        count += prime;
    }
    return count;
}

int main(void)
{
    cap_t timer = capos_need("timer", TIMER_INTERFACE_ID);
    uint64_t start_ns;
    uint64_t end_ns;
    if (capos_clock(timer, &start_ns) != STATUS_OK) {
        fprintf(stderr, "clock: the timer does not answer\n");
        return 1;
    }
    unsigned count = count_primes(20000);
    if (capos_clock(timer, &end_ns) != STATUS_OK) {
        return 1;
    }
    printf("counting %u primes took %.3f ms\n", count, (double)(end_ns - start_ns) / 1e6);
    return 0;
}
