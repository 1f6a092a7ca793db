/* The kernel's paths, counted: what the parts of the benchmark share. */
#pragma once

#include <capos.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/wire/gen/messages.h"

#define BENCH_ROUNDS 5 /* each figure is the median of so many, its spread theirs */

extern cap_t bench_spawner, bench_stdio, bench_self_image, bench_nothing_image;

/* Ticks of the time-stamp counter: with QEMU's -icount, instructions. */
static inline uint64_t bench_tick(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

/* Does something `count` times and checks that it was done; false: it was not. */
typedef bool bench_path(uint32_t count);

/* Prints a row: name, unit, ticks for one, spread. */
void bench_row(const char *name, bench_path *path, uint32_t count);
/* The same for what has been measured otherwise: (sums[i] - less[i]) / of each. */
void bench_print(const char *name, const uint64_t costs[BENCH_ROUNDS]);
_Noreturn void bench_fail(const char *what);

/* ring.c */
bool bench_ring_nop(uint32_t count);
void bench_ring_batch(const char *name);
bool bench_object_call(uint32_t count);
bool bench_park(uint32_t count);
void bench_park_end(void);
/* processes.c */
bool bench_endpoint(uint32_t count);
void bench_endpoint_end(void);
int bench_serve(void); /* the child of bench_endpoint */
bool bench_thread(uint32_t count);
bool bench_spawn(uint32_t count);
bool bench_fork(uint32_t count);
/* memory.c */
bool bench_page_fault(uint32_t count);
bool bench_upcall(uint32_t count);
bool bench_clock(uint32_t count);
