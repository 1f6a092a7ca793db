/* The benchmark of the kernel's paths: what each operation of a program costs, user side
 * included. Run under QEMU's -icount (tests/perf/bench.sh) the time-stamp counter counts
 * instructions, and every run gives the same figures. Prints a line for each row: name, unit,
 * value, spread. A row that cannot be verified ends the program with status 1. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cap_t bench_spawner, bench_stdio, bench_self_image, bench_nothing_image;
static cap_t timer;

void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void bench_print(const char *name, const uint64_t costs[BENCH_ROUNDS])
{
    uint64_t sorted[BENCH_ROUNDS];
    memcpy(sorted, costs, sizeof sorted);
    qsort(sorted, BENCH_ROUNDS, sizeof *sorted, by_value);
    printf("%s instructions %llu %llu\n", name, (unsigned long long)sorted[BENCH_ROUNDS / 2],
           (unsigned long long)(sorted[BENCH_ROUNDS - 1] - sorted[0]));
}

void bench_row(const char *name, bench_path *path, uint32_t count)
{
    uint64_t costs[BENCH_ROUNDS];
    if (!path(count)) { /* once before it counts: pages and caches are there */
        bench_fail(name);
    }
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        uint64_t start = bench_tick();
        bool done = path(count);
        costs[i] = (bench_tick() - start) / count;
        if (!done) {
            bench_fail(name);
        }
    }
    bench_print(name, costs);
}

bool bench_clock(uint32_t count)
{
    uint64_t last = 0, now;
    for (uint32_t i = 0; i < count; i++) {
        if (capos_clock(timer, &now) != STATUS_OK || now < last) {
            return false;
        }
        last = now;
    }
    return true;
}

static cap_t image(const char *name)
{
    struct capos_boot_package_binary_results results;
    cap_t boot = capos_need("boot", BOOT_PACKAGE_INTERFACE_ID);
    if (capos_boot_package_binary(boot, name, strlen(name), &results) != STATUS_OK) {
        bench_fail(name);
    }
    return results.image;
}

int main(int argc, char **argv)
{
    uint64_t now;
    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        return bench_serve();
    }
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    bench_stdio = capos_need("stdio", STD_IO_INTERFACE_ID);
    bench_spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    bench_self_image = image("bench");
    bench_nothing_image = image("nothing");
    if (capos_clock(timer, &now) != STATUS_OK) { /* which opens the time-stamp counter */
        bench_fail("Timer.page");
    }
    bench_row("ring_nop", bench_ring_nop, 1000);
    bench_ring_batch("ring_nop_batch16");
    bench_row("object_call", bench_object_call, 500);
    bench_row("endpoint_rtt", bench_endpoint, 500);
    bench_endpoint_end();
    bench_row("park_rtt", bench_park, 500);
    bench_park_end();
    bench_row("thread_create_join", bench_thread, 50);
    bench_row("spawn_wait", bench_spawn, 20);
    bench_row("fork_wait", bench_fork, 20);
    bench_row("page_fault", bench_page_fault, 500);
    bench_row("upcall", bench_upcall, 500);
    bench_row("clock", bench_clock, 1000);
    return 0;
}
