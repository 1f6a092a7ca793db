/* What a machine's program and its native twin both do: the same object code in both. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOUCH_BYTES (64ull << 20)
#define FAULT_PAGES 1024u /* of which so many are copied by writing to them, backwards: */
#define FAULTS 64u
#define FAR 16u           /* every so-manieth, so that no fault does another one's work, */
#define NEAR 4u           /* or, as programs do, here and there */
#define MAP_BYTES (64ull << 10) /* mapped, touched once, unmapped */
#define MAPS 50u          /* timed in one go */
#define CALLS 2000u       /* timed in one go */
#define FORKS 20u         /* timed in one go */
#define SAMPLES 15u       /* of which the median counts */
#define WORK_TRIES 30     /* of which the fastest counts */
#define PAGE_BYTES 4096u
#define FILE_BYTES (16u << 20) /* of the file that is read and written, */
#define CHUNK_BYTES 65536u     /* by so much at a time */

/* Computes and nothing else, some milliseconds: a sieve, then mixing as a hash function does.
 * Returns a number that depends on all of it. */
uint64_t work_compute(void);
/* Writes to each page for the first time; false: one was not zero. */
bool work_touch(volatile char *pages, size_t bytes);
/* Writes to some pages of a copy; false: one does not hold `mark` in its second byte. */
bool work_copy(volatile char *pages, char mark, uint32_t stride);
/* The middle one; sorts. */
uint64_t work_median(uint64_t *values, size_t count);
