/* The ways in which a program ends, each by its name:
 *
 *   ends exit N | return N | null | divide | deep | unchecked | budget | panic | abort */
#include "check.h"

/* Five calls deep, so that there is a backtrace. */
static __attribute__((noinline)) void write_deep(volatile char *address, int depth)
{
    if (depth == 0) {
        *address = 1;
    } else {
        write_deep(address, depth - 1);
    }
    __asm__ volatile("" ::: "memory"); /* the call above stays one */
}

static __attribute__((noinline)) uint64_t sink(volatile uint64_t *words, uint64_t n)
{
    words[0] = n;
    volatile uint64_t more[512];
    uint64_t below = n == UINT64_MAX ? 0 : sink(more, n + 1);
    return below + words[0];
}

static void takes_all(void)
{
    for (;;) {
        volatile char *block = malloc(1 << 20);
        for (size_t i = 0; i < 1 << 20; i += 4096) {
            block[i] = 1; /* NULL at last */
        }
    }
}

static void divides(void)
{
    volatile int zero = 0;
    volatile int quotient = 1000 / zero;
    (void)quotient;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    int number = argc > 2 ? atoi(argv[2]) : 0;
    volatile uint64_t words[1];
    printf("begins\n");
    if (strcmp(how, "exit") == 0) {
        exit(number);
    } else if (strcmp(how, "return") == 0) {
        return number;
    } else if (strcmp(how, "null") == 0) {
        fflush(stdout);
        volatile uintptr_t nowhere = 0x18; /* the compiler must not see it */
        write_deep((volatile char *)nowhere, 4);
    } else if (strcmp(how, "divide") == 0) {
        divides();
    } else if (strcmp(how, "deep") == 0) {
        return (int)sink(words, 0);
    } else if (strcmp(how, "unchecked") == 0) {
        takes_all();
    } else if (strcmp(how, "budget") == 0) {
        capos_end_exhausted(STATUS_THREADS_EXHAUSTED);
    } else if (strcmp(how, "panic") == 0) {
        capos_panic("as it was told");
    } else if (strcmp(how, "abort") == 0) {
        abort();
    }
    return 1;
}
