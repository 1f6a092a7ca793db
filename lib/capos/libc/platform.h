/*
 * platform.h: what the ISO C part asks of the runtime below it. Nothing else in lib/capos/libc
 * knows that there is a kernel, so the unit tests run the same sources on the host over
 * tests/unit/libc/platform.c.
 */
#ifndef CAPOS_LIBC_PLATFORM_H
#define CAPOS_LIBC_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum platform_stream { PLATFORM_STDIN, PLATFORM_STDOUT, PLATFORM_STDERR };

/*
 * The buffer in which output for the stream is gathered; it lies where the message to the kernel
 * is, so its bytes are not copied again. It stays the same for the life of the process. False if
 * nothing was granted that could be written to.
 */
bool platform_output_buffer(enum platform_stream stream, char **buffer, size_t *capacity_bytes);

/* Write the first size_bytes of the buffer, all of them or false. Calls for one stream are
 * serialised by the caller. */
bool platform_output(enum platform_stream stream, size_t size_bytes);

/*
 * Wait for input and show it at *bytes, where it stays until the next call. *size_bytes == 0 is the
 * end of input. False after an error, a missing grant among them. Serialised by the caller.
 */
bool platform_input(const unsigned char **bytes, size_t *size_bytes);

bool platform_is_terminal(enum platform_stream stream);

/* Zeroed memory in whole pages (size_bytes is rounded up), or NULL when there is no budget; and
 * the way back. */
void *capos_heap_grow(size_t size_bytes);
void capos_heap_shrink(void *start, size_t size_bytes);

/* A lock in one word that begins as zero. Not recursive; not fair. */
void platform_lock_slow(uint32_t *lock);
void platform_unlock_slow(uint32_t *lock);

#define PLATFORM_LOCK_FREE 0u
#define PLATFORM_LOCK_HELD 1u
#define PLATFORM_LOCK_AWAITED 2u

static inline void platform_lock(uint32_t *lock)
{
    uint32_t expected = PLATFORM_LOCK_FREE;
    if (!__atomic_compare_exchange_n(lock, &expected, PLATFORM_LOCK_HELD, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED)) {
        platform_lock_slow(lock);
    }
}

static inline void platform_unlock(uint32_t *lock)
{
    if (__atomic_exchange_n(lock, PLATFORM_LOCK_FREE, __ATOMIC_RELEASE) == PLATFORM_LOCK_AWAITED) {
        platform_unlock_slow(lock);
    }
}

/* End the process; nothing is flushed. */
_Noreturn void platform_exit(int status);

/* A fault of the program's own that leaves no safe way on: `text` goes to the emergency console. */
_Noreturn void platform_panic(const char *text);

/* The environment that was granted: `NAME=value` strings and a NULL. */
extern char **capos_environment;

/* What exit calls after its handlers; the stream layer puts its flush here when it first gathers
 * output. */
extern void (*platform_flush_at_exit)(void);

#endif
