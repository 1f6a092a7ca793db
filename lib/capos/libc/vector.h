/*
 * vector.h: the 16-byte vectors that the memory and string functions work with, within
 * lib/capos/libc. SSE2 belongs to every x86_64 processor.
 *
 * Reading past the end: a function that looks for a byte may read the whole aligned vector, or an
 * unaligned one that does not leave its page, since a page is readable as a whole or not at all.
 * Such a function is marked READS_PAST_END so that AddressSanitizer does not object.
 */
#ifndef CAPOS_LIBC_VECTOR_H
#define CAPOS_LIBC_VECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VECTOR_BYTES 16u
#define PAGE_MASK 4095u
#define READS_PAST_END __attribute__((no_sanitize("address")))

typedef char vector_t __attribute__((vector_size(16), may_alias));
typedef char vector_unaligned_t __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word_unaligned_t __attribute__((aligned(1), may_alias));
typedef uint32_t half_unaligned_t __attribute__((aligned(1), may_alias));
typedef uint16_t pair_unaligned_t __attribute__((aligned(1), may_alias));

/* One bit for each byte whose comparison was true. */
static inline unsigned vector_mask(vector_t truth)
{
    return (unsigned)__builtin_ia32_pmovmskb128((__attribute__((vector_size(16))) char)truth);
}

static inline vector_t vector_of(int byte)
{
    char c = (char)byte;
    return (vector_t){c, c, c, c, c, c, c, c, c, c, c, c, c, c, c, c};
}

/* An unaligned vector at `at` stays within its page. */
static inline bool vector_in_page(const void *at)
{
    return ((uintptr_t)at & PAGE_MASK) <= PAGE_MASK + 1 - VECTOR_BYTES;
}

#endif
